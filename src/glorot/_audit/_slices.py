# SPDX-License-Identifier: Apache-2.0
"""Slices of one parameter that hold the values of another slice of it, wherever they are: keys that
are the values, one expert copied, rows that a table was grown by.

A sum of the first values of each slice tells which may be equal, and random places which are.
"""

import math
import random
from typing import NamedTuple

import numpy as np

from glorot._audit._measure import Array
from glorot._audit._parameter import Parameter
from glorot._audit._repeats import telling

BEGIN = 32  # values of a slice that its sum is of
_PLACES = 256
_MOST = 64  # pairs that are compared; more of them are not counted
_FACTORS = np.random.default_rng(0).integers(1, 1 << 63, BEGIN, np.uint64) * 2 + 1


class Copies(NamedTuple):
    """`number` slices along `axis` hold the values of an earlier one, `second` those of `first`;
    `more` says that there may be others."""

    axis: int
    number: int
    first: int
    second: int
    more: bool


class FirstAxis:
    """Sums of the first values of each slice along the first axis, made as a parameter is read: to
    read them alone would take longer than the whole."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.inner = math.prod(shape[1:])
        self.wanted = len(shape) > 1 and shape[0] > 1 and self.inner >= BEGIN
        self.sums = np.zeros(shape[0] if self.wanted else 0, np.uint64)

    def see(self, start: int, run: Array) -> None:
        """Add what a run, whose first element is `start`, has of the beginnings."""
        if not self.wanted:
            return
        bits = run.view(f"u{run.dtype.itemsize}")
        row, at = divmod(start, self.inner)
        if at:  # the rest of a slice
            self._add(row, at, bits[: self.inner - at])
            bits, row = bits[self.inner - at :], row + 1
        whole = bits.size // self.inner
        begins = bits[: whole * self.inner].reshape(whole, self.inner)[:, :BEGIN]
        self.sums[row : row + whole] = begins.astype(np.uint64) @ _FACTORS
        self._add(row + whole, 0, bits[whole * self.inner :])

    def _add(self, row: int, at: int, bits: Array) -> None:
        part = bits[: max(0, BEGIN - at)].astype(np.uint64)
        if part.size:
            self.sums[row : row + 1] += part @ _FACTORS[at : at + part.size]


def find_copies(
    parameter: Parameter, first: FirstAxis, equal: float, log_p: float
) -> Copies | None:
    """Return the copies along the first axis that has some.

    Args:
        equal: the probability that two values are equal.
        log_p: the chance, as a logarithm, that one axis may be blamed for nothing.
    """
    shape = parameter.spec.shape
    if equal >= 1.0:
        return None
    for axis, length in enumerate(shape):
        pairs = length * (length - 1) / 2
        needed = math.ceil((log_p - math.log(max(1.0, pairs))) / math.log(equal))
        if length < 2 or needed > BEGIN or math.prod(shape) // length < BEGIN:
            continue
        sums = first.sums if axis == 0 else _sums(parameter, axis)
        found = _copies(parameter, axis, sums, needed)
        if found is not None:
            return found
    return None


def _sums(parameter: Parameter, axis: int) -> Array:
    """Of the first values of each slice, in the order of what lies before and after the axis."""
    shape = parameter.spec.shape
    length, inner = shape[axis], math.prod(shape[axis + 1 :])
    total, taken = np.zeros(length, np.uint64), 0
    for outer in range(math.prod(shape[:axis])):
        size = min(inner, BEGIN - taken)
        factors = _FACTORS[taken : taken + size]
        begin = outer * length * inner
        if inner <= BEGIN:
            values = parameter.read(begin, begin + length * inner).reshape(length, inner)[:, :size]
        else:
            starts = range(begin, begin + length * inner, inner)
            values = np.stack([parameter.read(start, start + size) for start in starts])
        bits = np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")
        total += bits.astype(np.uint64) @ factors
        taken += size
        if taken == BEGIN:
            break
    return total


def _copies(parameter: Parameter, axis: int, sums: Array, needed: int) -> Copies | None:
    """`sums` of 0 are those of zeros, which structure makes."""
    _, firsts, which = np.unique(sums, return_index=True, return_inverse=True)
    earlier = firsts[which.reshape(-1)]
    later = np.flatnonzero((earlier != np.arange(sums.size)) & (sums != 0))
    same = [
        (int(earlier[j]), int(j))
        for j in later[:_MOST]
        if _agree(parameter, axis, int(earlier[j]), int(j), needed)
    ]
    return Copies(axis, len(same), *same[0], later.size > _MOST) if same else None


def _agree(parameter: Parameter, axis: int, first: int, second: int, needed: int) -> bool:
    """Whether two slices agree at every place looked at, enough of which tell something."""
    shape = parameter.spec.shape
    length, inner = shape[axis], math.prod(shape[axis + 1 :])
    total = math.prod(shape) // length
    draw = random.Random(f"{parameter.name} {axis}")
    places = range(total) if total <= _PLACES else [draw.randrange(total) for _ in range(_PLACES)]
    seen: list[float] = []
    for place in places:
        outer, at = divmod(place, inner)
        offset = outer * length * inner + at
        one, other = (offset + slice_ * inner for slice_ in (first, second))
        value = parameter.read(one, one + 1)[0]
        if value != parameter.read(other, other + 1)[0]:
            return False
        seen.append(float(value))
    return telling(seen) >= needed
