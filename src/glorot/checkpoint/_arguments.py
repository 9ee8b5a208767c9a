# SPDX-License-Identifier: Apache-2.0
"""What `write` and `verify` are given, checked before any file is touched."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from glorot import _check
from glorot import recipe as recipes
from glorot.recipe import Recipe

Progress = Callable[[int, int], None]


def read_recipe(recipe: Any) -> Recipe:
    """Return the recipe that is given, or named, or in the file of this path.

    Raises:
        TypeError: none of these.
        ValueError, OSError: as `glorot.recipe.load`.
    """
    if isinstance(recipe, Recipe):
        return recipe
    if not isinstance(recipe, (str, os.PathLike)):
        raise TypeError(
            "`recipe` must be a glorot.Recipe, the name of a built-in one, or the path of a recipe "
            f"file; got {_check.show(recipe)} of {type(recipe).__name__}."
        )
    return recipes.load(recipe)


def read_shapes(shapes: Any) -> Mapping[str, Any]:
    """Return the names and shapes that are given, or that a source of this path or name says.

    Raises:
        TypeError: neither of these.
        ValueError, OSError, ImportError: as `glorot.sources.read`.
    """
    if isinstance(shapes, Mapping):
        return shapes
    needed = "a mapping from names to shapes, or the path of a shapes file or checkpoint"
    _check.path("shapes", shapes, needed=needed)
    from glorot import sources  # which read checkpoints too

    return sources.read(shapes).shapes


def check_progress(progress: Any) -> Progress | None:
    """Return what is to be called with (bytes done, bytes in all), or None."""
    if progress is not None and not callable(progress):
        raise TypeError(
            "`progress` must be None or a function of (bytes done, bytes in all), got "
            f"{_check.show(progress)} of {type(progress).__name__}."
        )
    found: Progress | None = progress
    return found
