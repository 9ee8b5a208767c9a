# SPDX-License-Identifier: Apache-2.0
"""Whether pieces of a tensor make it up: each of its elements is in one of them."""

import itertools
import math
from collections.abc import Iterator

_Piece = tuple[tuple[int, ...], tuple[int, ...]]
_MOST_PAIRS = 1 << 21  # that are compared, of pieces that are no grid


def tiled(shape: tuple[int, ...], pieces: list[_Piece]) -> bool:
    """Whether each element of a tensor is in one piece, (begin, shape) each.

    Examples:
        >>> tiled((4, 3), [((0, 0), (2, 3)), ((2, 0), (2, 3))])
        True
        >>> tiled((4, 3), [((0, 0), (2, 3)), ((1, 0), (2, 3))])
        False
    """
    filled = [piece for piece in pieces if math.prod(piece[1])]
    if sum(math.prod(extent) for _, extent in filled) != math.prod(shape):
        return False
    if _grid(shape, filled):
        return True
    near = itertools.islice(_near(filled), _MOST_PAIRS + 1)
    for number, (a, b) in enumerate(near):
        if number == _MOST_PAIRS:
            raise ValueError(f"a tensor is in {len(filled)} pieces, which are no grid of it.")
        if _overlap(a, b):
            return False
    return True


def _near(pieces: list[_Piece]) -> Iterator[tuple[_Piece, _Piece]]:
    """The pairs that share places of the axis that is cut most often: no others can overlap."""
    axis = max(range(len(pieces[0][0])), key=lambda axis: len({begin[axis] for begin, _ in pieces}))
    ordered = sorted(pieces, key=lambda piece: piece[0][axis])
    for number, piece in enumerate(ordered):
        end = piece[0][axis] + piece[1][axis]
        for other in itertools.islice(ordered, number + 1, None):
            if other[0][axis] >= end:
                break
            yield piece, other


def _grid(shape: tuple[int, ...], pieces: list[_Piece]) -> bool:
    """Whether they are all of a grid, as shards over a mesh are: each is one cell of it."""
    if len({begin for begin, _ in pieces}) != len(pieces):
        return False
    cuts = [sorted({begin[axis] for begin, _ in pieces}) for axis in range(len(shape))]
    after = [
        dict(itertools.pairwise([*along, size])) for along, size in zip(cuts, shape, strict=True)
    ]
    return all(
        extent == tuple(after[axis][at] - at for axis, at in enumerate(begin))
        for begin, extent in pieces
    )


def _overlap(a: _Piece, b: _Piece) -> bool:
    return all(i < j + m and j < i + n for i, n, j, m in zip(a[0], a[1], b[0], b[1], strict=True))
