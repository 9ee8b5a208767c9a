# SPDX-License-Identifier: Apache-2.0
"""Which axes of a weight are those of a stack of layers, by the shape that one layer's has."""

import itertools

from glorot._layouts import BATCH, SPATIAL, expand, parse_layout

Shape = tuple[int, ...]


def stacked(shape: Shape, alone: Shape) -> Shape:
    """The axes of `shape` that are not those of one layer, the first that may be; () where no axes
    are.

    Examples:
        >>> stacked((3, 4, 8), (4, 8)), stacked((4, 3, 8), (4, 8)), stacked((4, 8), (4, 8))
        ((0,), (1,), ())
    """
    for axes in itertools.combinations(range(len(shape)), max(len(shape) - len(alone), 0)):
        if tuple(size for i, size in enumerate(shape) if i not in axes) == alone:
            return axes
    return ()


def layout_of(layout: str, alone: Shape, axes: Shape) -> str:
    """The layout of such a stack, `layout` being one layer's.

    Examples:
        >>> layout_of("flax.conv", (3, 4, 8), (1,))
        'LBIO'
    """
    roles = list(expand(parse_layout(layout), alone, layout).replace(SPATIAL, "L"))
    for axis in axes:
        roles.insert(axis, BATCH)
    return "".join(roles)
