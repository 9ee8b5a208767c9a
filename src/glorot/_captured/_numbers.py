# SPDX-License-Identifier: Apache-2.0
"""The initializer that gives such numbers as nothing drew: those that models are known to begin
with."""

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from glorot._base import Initializer
from glorot._blocks import Blocks
from glorot._constants import Constant, Dirac, Identity, Ones, Zeros
from glorot._positions import SinCosGrid, Sinusoids
from glorot._sampling_offsets import SamplingOffsets
from glorot._state_space import LogArange

Array = np.ndarray[Any, np.dtype[Any]]

_NEAR = 1e-6  # of numbers that are computed in float32
_FAR_PLACES = 1e-2  # that angles of far places are off by in float32, at most
_MOST = 8  # blocks: a table of more numbers is no initializer


def of_constant(number: float) -> Initializer:
    """Return what gives this number everywhere."""
    return {0.0: Zeros(), 1.0: Ones()}.get(number) or Constant(number)


def of_numbers(shape: tuple[int, ...], numbers: Array) -> Initializer | None:
    """Return what gives a tensor of this shape these numbers; None where nothing here does.

    Examples:
        >>> of_numbers((2, 2), np.diag([0.5, 0.5]))
        Identity(gain=0.5)
        >>> of_numbers((8,), np.float32([0, 0, 0.1, 0.1, 0, 0, 0, 0])).sizes
        (1, 1, 2)
    """
    if numbers.dtype.kind in "iu" and numbers.size:
        largest = max(abs(int(numbers.min())), abs(int(numbers.max())))
        if largest > 1 << 53:  # more than a float64 holds
            return None
    return _alone(shape, numbers) or _of_blocks(shape, numbers)


def _alone(shape: tuple[int, ...], numbers: Array) -> Initializer | None:
    """What gives them and is not blocks."""
    if not numbers.size:
        return Zeros()  # as good as any other
    if (numbers == numbers.flat[0]).all():
        return of_constant(_number(numbers.flat[0]))
    if not np.isfinite(numbers).all():
        return None
    return next((init for init in _known(shape, numbers) if _gives(init, shape, numbers)), None)


def _gives(init: Initializer, shape: tuple[int, ...], numbers: Array) -> bool:
    try:
        found = init(shape, "float64")
    except ValueError:
        return False
    places = isinstance(init, (Sinusoids, SinCosGrid, SamplingOffsets))  # whose angles grow
    given = numbers.astype(np.float64)
    # Of others by their size: an identity times 1e-8 is one, and a table of such numbers none.
    off = min(_NEAR * max(shape), _FAR_PLACES) if places else _NEAR * np.abs(given).max()
    return np.allclose(found, given, rtol=_NEAR, atol=off)


def _known(shape: tuple[int, ...], numbers: Array) -> Iterator[Initializer]:
    """What models begin with."""
    if len(shape) == 2:
        yield Identity(_number(numbers[0, 0]))
    if numbers.dtype.kind in "iub":
        return  # tables are of floats
    if len(shape) == 1 and len(numbers) > _MOST:
        yield from _sampling_offsets(numbers)
    for axis in range(len(shape)):
        yield LogArange(axis)
    if len(shape) >= 2:
        for endpoint, interleaved in itertools.product((False, True), repeat=2):
            yield Sinusoids(endpoint=endpoint, interleaved=interleaved)
        yield SinCosGrid()
    if len(shape) >= 3:
        for layout, outputs, inputs in (("torch.conv", 0, 1), ("*IO", -1, -2)):
            for groups in (1, max(1, shape[outputs] // shape[inputs])):
                if shape[outputs] % groups == 0:
                    yield Dirac(groups, layout=layout)


def _sampling_offsets(numbers: Array) -> Iterator[Initializer]:
    """Of heads and points that the first head says, which looks along the first axis."""
    if len(numbers) % 2:
        return
    first, second = numbers.reshape(-1, 2).T
    turned = np.flatnonzero((np.abs(second) > _FAR_PLACES) | (first < 0.0))
    steps = first[: turned[0] if len(turned) else None]
    heads, rest = divmod(len(first), len(steps) or 1)
    ends = [*np.flatnonzero(np.diff(steps) <= 0.0) + 1, len(steps)]
    points = np.diff([0, *ends]).tolist()
    if len(steps) and not rest:
        yield SamplingOffsets(heads, points[0] if len(set(points)) == 1 else points)


def _of_blocks(shape: tuple[int, ...], numbers: Array) -> Initializer | None:
    """Blocks along an axis: of constants, as gates' biases are, or of square matrices."""
    if not np.isfinite(numbers).all():
        return None
    for axis in range(len(shape)):
        rows = np.moveaxis(numbers, axis, 0).reshape(shape[axis], -1)
        if (rows == rows[:, :1]).all():
            line = rows[:, 0]
            period = _period(line)
            edges = [0, *(np.flatnonzero(np.diff(line[:period])) + 1).tolist(), period]
            if len(edges) - 1 <= _MOST:
                made = [of_constant(_number(line[begin])) for begin in edges[:-1]]
                sizes = proportions([end - begin for begin, end in itertools.pairwise(edges)])
                return Blocks(made, sizes, axis=axis, repeat=len(line) // period)
    if len(shape) == 2:
        axis = int(shape[1] > shape[0])
        count, rest = divmod(shape[axis], shape[1 - axis])
        if not rest and 2 <= count <= _MOST:
            side = (shape[1 - axis],) * 2
            blocks = [_alone(side, part) for part in np.split(numbers, count, axis)]
            if None not in blocks:
                return Blocks(blocks, [1] * count, axis=axis)
    return None


def proportions(sizes: list[int]) -> list[int]:
    """Return sizes of blocks in the smallest whole numbers, which layers of other widths share."""
    return [size // math.gcd(*sizes) for size in sizes]


def _period(line: Array) -> int:
    """After how many numbers they come again."""
    count = len(line)
    fits = (p for p in range(1, count) if count % p == 0 and (line[p:] == line[:-p]).all())
    return next(fits, count)


def _number(number: Any) -> float:
    """The number that somebody wrote, where it is known as float32."""
    if number.dtype.kind in "iub" or number.dtype == np.float64:
        return float(number)
    return shortest(float(number))


def shortest(number: float) -> float:
    """Return the shortest number that rounds to the same float32."""
    return float(str(np.float32(number))) if math.isfinite(number) else number
