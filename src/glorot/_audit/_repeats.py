# SPDX-License-Identifier: Apache-2.0
"""Values that come twice: equal shards of a tensor, equal tensors, and draws used more than once.

Shards are compared at random places, which costs a few reads however large the tensor is: a place
that differs ends it, and how many must agree follows from how often two values are equal anyway.
"""

import collections
import itertools
import math
import random
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from glorot._audit._measure import Measure, runs
from glorot._audit._parameter import Parameter
from glorot._dtypes import ALL

_PLACES = 256
_SHARDS = (*range(2, 17), 24, 32, 48, 64, 72, 96, 128, 192, 256, 384, 512, 768, 1024)
_ROW = 8  # values, of which 2 orders in 8! only rise or fall
HEAD = 64  # elements whose signs tell a draw: two agree by chance once in 2**64


class Repeat(NamedTuple):
    """Shards of `size` slices along `axis` of which `equal` of `shards` hold the same values."""

    axis: int
    size: int
    shards: int
    equal: int


def coincidence(found: Measure, bits: int) -> float:
    """A bound on the probability that two of the values are equal."""
    n = found.finite
    pairs = float((found.counts * (found.counts - 1.0)).sum()) / max(1.0, n * (n - 1.0))
    # Equal values have equal patterns.  A wide float may hold values of 16 bits only.
    return max(2.0**-7 if bits >= 16 else 2.0**-3, pairs)


def find_repeat(parameter: Parameter, equal: float, log_p: float) -> Repeat | None:
    """Return the finest division into equal shards, if there is one.

    Args:
        equal: the probability that two values are equal.
        log_p: the chance, as a logarithm, that one division may be blamed for nothing.
    """
    shape = parameter.spec.shape
    if equal >= 1.0:
        return None
    needed = max(2, math.ceil(log_p / math.log(equal)))
    for axis, length in enumerate(shape):
        sizes = {1} | {-(-length // shards) for shards in _SHARDS}
        for size in sorted(size for size in sizes if size < length):
            if _agree(parameter, axis, size, 0, 1, needed):
                shards = -(-length // size)
                others = range(1, min(shards, 1024))
                same = sum(_agree(parameter, axis, size, 0, n, 0, _PLACES // 8) for n in others)
                return Repeat(axis, size, shards, 1 + same)
    return None


def divisions(shape: Sequence[int]) -> int:
    """How many divisions into shards `find_repeat` tries."""
    return sum(len({s for s in ({1} | {-(-n // k) for k in _SHARDS}) if s < n}) for n in shape)


def _agree(
    parameter: Parameter,
    axis: int,
    size: int,
    first: int,
    second: int,
    needed: int,
    most: int = _PLACES,
) -> bool:
    """Whether two shards agree at every place looked at, enough of which tell something."""
    shape = parameter.spec.shape
    length = min(size, shape[axis] - second * size)
    extent = (*shape[:axis], length, *shape[axis + 1 :])
    total = math.prod(extent)
    if total < needed:
        return False
    places: Iterable[int] = range(total)
    if total > most:
        draw = random.Random(f"{parameter.name} {axis} {size}")
        places = (draw.randrange(total) for _ in range(most))
    strides = [math.prod(shape[i + 1 :]) for i in range(len(shape))]
    seen: list[float] = []
    for place in places:
        coordinates = np.unravel_index(place, extent)
        offset = sum(int(i) * stride for i, stride in zip(coordinates, strides, strict=True))
        one = offset + first * size * strides[axis]
        other = offset + second * size * strides[axis]
        value = parameter.read(one, one + 1)[0]
        if value != parameter.read(other, other + 1)[0]:
            return False
        seen.append(float(value))
    return telling(seen) >= needed


def telling(values: Iterable[float]) -> int:
    """How many of the values that agree are neither 0 nor the most frequent one: these agree by
    structure, in sparse and delta-orthogonal kernels, in identities and in blocks of a constant."""
    counts = collections.Counter(values)
    del counts[0.0]
    return counts.total() - max(counts.values(), default=0)


def head(parameter: Parameter, centre: float) -> bytes | None:
    """The beginning of a parameter's draws: on which side of the centre its first values are.

    It is the same for another shape and scale, and None where it would tell too little.
    """
    if math.prod(parameter.spec.shape) < HEAD:
        return None
    above = parameter.read(0, HEAD).astype(np.float64) > centre
    return np.packbits(above).tobytes() if 0.25 <= above.mean() <= 0.75 else None


def is_sequence(parameter: Parameter) -> bool:
    """Whether the first row only rises or only falls, as frequencies, logarithms and positions do,
    and as so many draws do once in 20,000 times."""
    shape = parameter.spec.shape
    length = min(shape[-1], HEAD) if shape else 0
    if length < _ROW:
        return False
    row = parameter.read(0, length).astype(np.float64)
    rises, falls = row[1:] > row[:-1], row[1:] < row[:-1]
    return bool(rises.any() != falls.any())


def equal_tensors(
    parameters: Sequence[Parameter], found: dict[str, Measure]
) -> list[list[Parameter]]:
    """Groups of parameters whose values are all equal; those of one memory are a group too."""
    groups: dict[object, list[Parameter]] = {}
    for parameter in parameters:
        seen = found[parameter.name]
        key = (parameter.spec.dtype, seen.count, seen.mean, seen.stddev, seen.smallest)
        groups.setdefault(key, []).append(parameter)
    equal = []
    for group in groups.values():
        left = group
        while len(left) > 1:
            first, *others = left
            same = [other for other in others if _same(first, other)]
            if same:
                equal.append([first, *same])
            left = [other for other in others if other not in same]
    return equal


def _same(one: Parameter, other: Parameter) -> bool:
    if one.memory is not None and one.memory == other.memory:
        return True
    size = ALL[one.spec.dtype or ""].itemsize
    pairs = itertools.zip_longest(runs(one), runs(other))
    return all(np.array_equal(a.view(f"u{size}"), b.view(f"u{size}")) for (_, a), (_, b) in pairs)
