# SPDX-License-Identifier: Apache-2.0
"""What adapters take for a recipe: one, its name or file, or an initializer for all weights."""

import os
from typing import Any

from glorot import _check, _registry
from glorot.recipe import Recipe, Rule, load, presets


def read_recipe(given: Any) -> Recipe:
    """Return the recipe that is given, or named, or in the file of this path; an initializer, or
    what `glorot.get` makes one of, is the recipe that gives it to every weight.

    Raises:
        TypeError, ValueError, OSError: none of these; a file that holds no recipe.
    """
    if isinstance(given, Recipe):
        return given
    if isinstance(given, os.PathLike):
        return load(given)
    if isinstance(given, str):
        is_path = given.endswith((".json", ".toml")) or os.path.basename(given) != given
        if is_path or given in presets():
            return load(given)
    try:
        return Recipe([Rule("*", _registry.get(given))])
    except (TypeError, ValueError) as error:
        raise type(error)(
            "`recipe` must be a glorot.Recipe, the name of a built-in one "
            f"({', '.join(presets())}), the path of a file such as ./recipe.toml, or one "
            f"initializer for every weight; got {_check.show(given)}: {error}"
        ) from None
