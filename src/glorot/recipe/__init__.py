# SPDX-License-Identifier: Apache-2.0
"""Recipes: which initializer each parameter of a model gets, as ordered rules over names."""

import os
from importlib import resources
from pathlib import Path

from glorot import _check
from glorot.recipe._recipe import Assignment, Matches, Recipe, describe_law
from glorot.recipe._rule import Rule
from glorot.recipe._shapes import TensorSpec, parse_shapes, shapes_from_json

__all__ = [
    "Assignment",
    "Matches",
    "Recipe",
    "Rule",
    "TensorSpec",
    "describe_law",
    "load",
    "parse_shapes",
    "presets",
    "shapes_from_json",
]


def presets() -> tuple[str, ...]:
    """Return the names of the built-in recipes.

    Examples:
        >>> import glorot
        >>> glorot.recipe.presets()
        ('gpt2',)
    """
    folder = resources.files("glorot.recipe") / "presets"
    names = (file.name.removesuffix(".json") for file in folder.iterdir())
    return tuple(sorted(names))


def load(name: str | os.PathLike[str]) -> Recipe:
    """Return a built-in recipe by its name, or the recipe in a JSON file by its path.

    A string is a path when it holds a separator or ends in ".json".

    Raises:
        ValueError: no built-in recipe of that name, or a file that holds no recipe.
        OSError: a file that cannot be read.

    Examples:
        >>> import glorot
        >>> len(glorot.recipe.load("gpt2").rules)
        11
    """
    text = os.fspath(name)
    if isinstance(name, str) and not text.endswith(".json") and Path(text).name == text:
        if text not in presets():
            raise ValueError(
                f"no built-in recipe is called {text!r}. {_check.near(text, presets())} A file is "
                "named by its path, such as ./recipe.json."
            )
        preset = resources.files("glorot.recipe") / "presets" / f"{text}.json"
        return Recipe.from_json(preset.read_bytes())
    try:
        return Recipe.from_json(Path(text).read_bytes())
    except ValueError as error:
        raise ValueError(f"{text}: {error}") from None
