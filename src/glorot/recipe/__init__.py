# SPDX-License-Identifier: Apache-2.0
"""Recipes: which initializer each parameter of a model gets, as ordered rules over names."""

import os
from pathlib import Path

from glorot.recipe._assignment import Assignment, BlockPlan
from glorot.recipe._coverage import Matches
from glorot.recipe._explain import Explanation
from glorot.recipe._law import describe_law
from glorot.recipe._presets import SUFFIXES, Preset, describe, preset, preset_for, presets
from glorot.recipe._recipe import Recipe
from glorot.recipe._rule import Rule
from glorot.recipe._shapes import TensorSpec, parse_shapes, shapes_from_json
from glorot.recipe._variables import Variable
from glorot.recipe._where import Where

__all__ = [
    "Assignment",
    "BlockPlan",
    "Explanation",
    "Matches",
    "Preset",
    "Recipe",
    "Rule",
    "TensorSpec",
    "Variable",
    "Where",
    "describe",
    "describe_law",
    "load",
    "parse_shapes",
    "preset",
    "preset_for",
    "presets",
    "shapes_from_json",
]


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
    if isinstance(name, str) and not text.endswith(SUFFIXES) and Path(text).name == text:
        return preset(text)
    try:
        content = Path(text).read_bytes()
        return Recipe.from_toml(content) if text.endswith(".toml") else Recipe.from_json(content)
    except ValueError as error:
        raise ValueError(f"{text}: {error}") from None
