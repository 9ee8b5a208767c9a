# SPDX-License-Identifier: Apache-2.0
"""The axes of a weight: its initializer's, or where that has none, as zeros have, its layer's."""

from collections.abc import Mapping
from typing import Any

from glorot._base import Initializer
from glorot._blocks import Blocks
from glorot._fans import Axes
from glorot._random import RandomNormal
from glorot.recipe._template import Template, says_axes, takes


def has_axes(init: Initializer | Template) -> bool:
    """Return whether the initializer says, or may say, what the axes are."""
    return takes(init, "layout") or isinstance(init, Blocks)


def laid_out(init: Blocks, shape: tuple[int, ...], extras: Mapping[str, Any]) -> Blocks:
    """Return blocks with their layer's axes, where none of them says its own."""
    if not extras or any(map(says_axes, init.initializers)):
        return init
    own = [
        each.replace(**{key: value for key, value in extras.items() if takes(each, key)})
        for each in init.initializers
    ]
    axis = init.axis
    if axis is None:
        axis = Blocks(RandomNormal(**extras), init.sizes, repeat=init.repeat)._split(shape).axis
    return init.replace(initializers=own, axis=axis)


def weight_fans(
    init: Initializer, shape: tuple[int, ...], extras: Mapping[str, Any]
) -> tuple[float, float]:
    """Return the fans: where the initializer has no axes, by those of the layer."""
    if not extras or has_axes(init):
        return init.fans(shape)
    return Axes(**extras).fans(shape)


def weight_roles(axes: Axes, shape: tuple[int, ...]) -> str:
    """Return the roles, "" of a shape that these axes are not for."""
    try:
        return axes.roles(shape)
    except ValueError:
        return ""
