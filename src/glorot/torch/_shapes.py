# SPDX-License-Identifier: Apache-2.0
"""A module's parameters as recipes and checkpoints see them: names, shapes, dtypes, layers."""

import torch

from glorot._renaming import Names
from glorot.recipe import TensorSpec
from glorot.torch._collect import collect
from glorot.torch._plan import spec_of


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
