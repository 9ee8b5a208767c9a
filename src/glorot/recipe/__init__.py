# SPDX-License-Identifier: Apache-2.0
"""Recipes: which initializer each parameter of a model gets, as ordered rules over names."""

import os
from importlib import resources
from pathlib import Path

from glorot import _check
from glorot.recipe._coverage import Matches
from glorot.recipe._explain import Explanation
from glorot.recipe._law import describe_law
from glorot.recipe._recipe import Recipe
from glorot.recipe._resolve import Assignment, BlockPlan
from glorot.recipe._rule import Rule
from glorot.recipe._shapes import TensorSpec, parse_shapes, shapes_from_json
from glorot.recipe._variables import Variable
from glorot.recipe._where import Where

__all__ = [
    "Assignment",
    "BlockPlan",
    "Explanation",
    "Matches",
    "Recipe",
    "Rule",
    "TensorSpec",
    "Variable",
    "Where",
    "describe_law",
    "load",
    "parse_shapes",
    "presets",
    "shapes_from_json",
]


_SUFFIXES = (".json", ".toml")


def presets() -> tuple[str, ...]:
    """Return the names of the built-in recipes.

    Examples:
        >>> import glorot
        >>> glorot.recipe.presets()
        ('gpt2',)
    """
    return tuple(sorted(_files()))


def _files() -> dict[str, str]:
    folder = resources.files("glorot.recipe") / "presets"
    files = [file.name for file in folder.iterdir() if file.name.endswith(_SUFFIXES)]
    return {file.rpartition(".")[0]: file for file in files}


def _read(name: str, content: bytes) -> Recipe:
    return Recipe.from_toml(content) if name.endswith(".toml") else Recipe.from_json(content)


def load(name: str | os.PathLike[str]) -> Recipe:
    """Return a built-in recipe by its name, or the recipe in a TOML or JSON file by its path.

    A string is a path when it holds a separator or ends in ".toml" or ".json"; what does not end
    in ".toml" is read as JSON.

    Raises:
        ValueError: no built-in recipe of that name, or a file that holds no recipe.
        OSError: a file that cannot be read.

    Examples:
        >>> import glorot
        >>> len(glorot.recipe.load("gpt2").rules)
        11
    """
    text = os.fspath(name)
    if isinstance(name, str) and not text.endswith(_SUFFIXES) and Path(text).name == text:
        files = _files()
        if text not in files:
            raise ValueError(
                f"no built-in recipe is called {text!r}. {_check.near(text, presets())} A file is "
                "named by its path, such as ./recipe.toml."
            )
        preset = resources.files("glorot.recipe") / "presets" / files[text]
        return _read(files[text], preset.read_bytes())
    try:
        return _read(text, Path(text).read_bytes())
    except ValueError as error:
        raise ValueError(f"{text}: {error}") from None
