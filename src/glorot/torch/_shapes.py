# SPDX-License-Identifier: Apache-2.0
"""A module's parameters as recipes and checkpoints see them: names, shapes, dtypes, layers."""

from typing import Any

import torch

from glorot._renaming import Names
from glorot.recipe import Assignment, TensorSpec
from glorot.recipe._argument import read_recipe
from glorot.torch._collect import collect
from glorot.torch._plan import make_plan, spec_of


def shapes(module: torch.nn.Module, *, names: Names = None) -> dict[str, TensorSpec]:
    """Return what is known of each parameter, under its canonical name; a tied one comes once,
    under the first of its names.

    `Recipe.resolve` and `explain` and `glorot.checkpoint.write` read it, so that they see what
    `init_` sees of the same module: whole shapes, and the types and axes that its layers say.

    Args:
        module: on any device, the meta device included; whole, compiled, wrapped or sharded.
        names: as for `init_`.

    Raises:
        ValueError: a lazy parameter; as `init_`, a name that stands for two.
        TypeError: a dtype that no initializer writes.

    Examples:
        >>> import torch, glorot.torch
        >>> with torch.device("meta"):
        ...     layer = torch.nn.Conv1d(4, 8, 3, bias=False)
        >>> glorot.torch.shapes(layer)["weight"]
        TensorSpec(shape=(8, 4, 3), dtype='float32', type='Conv1d', layout='torch.conv')
    """
    return {
        group.places[0].name: spec_of(group.places[0], group.tensor)
        for group in collect(module, names).parameters
    }


def explain(
    module: torch.nn.Module, recipe: Any, *, names: Names = None, whole: Any = None
) -> list[Assignment]:
    """Return what `init_` would do with each parameter: its rule, initializer, fans and law.

    Nothing is filled, so that a module of the meta device will do; what the recipe leaves out is
    left out.

    Args:
        module, recipe, names, whole: as for `init_`.

    Raises:
        ValueError, TypeError: as `init_`, of recipes, names, shapes and dtypes.

    Examples:
        >>> import torch, glorot.torch
        >>> with torch.device("meta"):
        ...     layer = torch.nn.ConvTranspose1d(4, 8, 3, bias=False)
        >>> [(a.name, a.fans) for a in glorot.torch.explain(layer, "he_normal")]
        [('weight', (12.0, 24.0))]
    """
    contents = collect(module, names, whole=whole is None)
    plan = make_plan(contents.parameters, read_recipe(recipe), whole)
    return [planned.assignment for planned in plan.parameters]
