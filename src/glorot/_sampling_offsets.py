# SPDX-License-Identifier: Apache-2.0
"""Where the heads of deformable attention look at first: each in a direction of its own."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from glorot import _check
from glorot._base import Initializer
from glorot._orthogonal import rounded
from glorot._positions import _sin_cos
from glorot._stream import Name
from glorot._writers import Array, Place, Writer


class SamplingOffsets(Initializer):
    """The bias of deformable attention's offsets: head h of H looks in the direction of the angle
    2 pi h / H, its first point one step away, its second two, ..., on each level.

    Of a vector that is (heads, points of all levels, 2) row-major, point k of its level has k d,
    where d is (cos, sin) of the angle over the larger of their magnitudes: points lie on squares.
    Each is within 1e-15 of itself, rounded once; multiples of an eighth of a turn are exact.

    Args:
        heads: of the attention.
        points: of each level; levels are as many as the vector has room for. Or a list, the
            points of each level, where they differ.
        dtype: the default dtype of calls, a float type.

    Raises:
        ValueError: when it is called, a shape that is no vector of such a size.

    Source: Zhu et al., "Deformable DETR", 2021, appendix A.4; fundamentalvision/Deformable-DETR,
    models/ops/modules/ms_deform_attn.py, _reset_parameters; with a list, D-FINE.

    Examples:
        >>> import glorot
        >>> glorot.SamplingOffsets(heads=8, points=2)((32,)).reshape(8, 2, 2)[:3].tolist()
        [[[1.0, 0.0], [2.0, 0.0]], [[1.0, 1.0], [2.0, 2.0]], [[0.0, 1.0], [0.0, 2.0]]]
    """

    heads: int
    points: int | tuple[int, ...]
    random = False

    def __init__(
        self, heads: int = 8, points: int | Sequence[int] = 4, dtype: Any = "float32"
    ) -> None:
        self._freeze(dtype, {"heads": _check.count("heads", heads), "points": _points(points)})

    def _writer(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], place: Place | None = None
    ) -> Writer:
        levels = self.points if isinstance(self.points, tuple) else (self.points,)
        each = 2 * self.heads * sum(levels)
        if len(shape) == 1 and isinstance(self.points, int) and shape[0] % each == 0:
            levels *= shape[0] // each
        elif shape != (each,):
            times = " or a multiple of it" if isinstance(self.points, int) else ""
            raise ValueError(
                f"SamplingOffsets of {self.heads} heads and {self.points} points needs the shape "
                f"({each},), 2 heads x points{times}; got {shape}."
            )
        if dtype.kind in "iub":
            raise ValueError(
                f"SamplingOffsets gives no whole numbers, got dtype {dtype}. Use a float."
            )
        return _OffsetsWriter(shape, self.heads, levels)


def _points(points: Any) -> int | tuple[int, ...]:
    if isinstance(points, (list, tuple)) and points:
        return tuple(_check.count("points", each) for each in points)
    return _check.count("points", points)


class _OffsetsWriter(Writer):
    """Writes parts of (heads x points of all levels x 2)."""

    __slots__ = ("heads", "levels")

    def __init__(self, shape: tuple[int, ...], heads: int, levels: tuple[int, ...]) -> None:
        super().__init__(shape)
        self.heads = heads
        self.levels = levels

    def part(self, out: Array, start: tuple[int, ...] | None, seed: int, name: Name) -> None:
        """Write the part that is in `out`."""
        if not out.size:
            return
        begin = start[0] if start else 0
        pair, is_second = np.divmod(np.arange(begin, begin + out.size), 2)
        steps = np.concatenate([np.arange(1.0, points + 1) for points in self.levels])
        head, point = np.divmod(pair, len(steps))
        first, second = _direction(head, self.heads)
        out[...] = rounded(steps[point] * np.where(is_second, second, first), out.dtype)


def _direction(head: Array, heads: int) -> tuple[Array, Array]:
    """(cos, sin) of head turns of `heads`, over the larger of their magnitudes."""
    quarter = (8 * head + heads) // (2 * heads)  # the nearest multiple of a quarter turn
    left = 4 * head - quarter * heads  # from there, in parts of a quarter: within half of one
    sine, cosine = _sin_cos(0.5 * math.pi * np.abs(left) / heads)
    ratio = np.where(2 * np.abs(left) == heads, 1.0, sine / cosine) * np.sign(left)
    turn = quarter % 4
    one = np.where(turn < 2, 1.0, -1.0)
    along, across = one, one * ratio + 0.0  # no zero is negative
    odd = turn % 2 == 1
    return np.where(odd, 0.0 - across, along), np.where(odd, along, across)
