# SPDX-License-Identifier: Apache-2.0
"""One pass over a parameter: moments, extremes, and how often each pattern of 16 bits comes.

The pattern of a value is its own bits where it has 16 or fewer, and the leading 16 bits of its
float32 where it has more: 128 bins an octave, of whatever scale, in 512 KiB.  Distribution tests,
distinct values, NaN and infinities, and histograms all follow from these counts.
"""

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glorot import _kernel
from glorot._audit._parameter import Parameter
from glorot._dtypes import ALL, FLOATS

Array = np.ndarray[Any, np.dtype[Any]]

RUN = 1 << 18  # elements read at a time: what bounds the memory, whatever the tensor
TINY = 1e-30  # below which no law goes, and raw memory does
# Below it float16 has no more digits than bfloat16; so few values have their digits by chance.
_SPARSE_HALVES, _FEW = 2.0**-16, 3
# Of the mean's square: a variance below it has lost ten digits in sums of squares around 0.
_CANCELLED = 1e-4
# The patterns of float32 that are no finite numbers.
_NOT_FINITE = np.concatenate((np.arange(0x7F80, 0x8000), np.arange(0xFF80, 0x10000)))


@dataclass(frozen=True, slots=True)
class Measure:
    """What one pass found; means and extremes are of the finite values.

    Attributes:
        count: how many elements; finite, nans, infinities, zeros: how many of them.
        mean, stddev, smallest, largest: nan where there is no finite value.
        tiny: how many are not 0 and below about 1e-30 in size.
        width: bytes of a pattern.
        held: "bfloat16" or "float16" where float32 values all are such, whose patterns these are.
        patterns, counts: the patterns there are, and how often; empty for integers.
    """

    count: int
    nans: int
    infinities: int
    zeros: int
    tiny: int
    mean: float
    stddev: float
    smallest: float
    largest: float
    width: int
    held: str
    patterns: Array
    counts: Array

    @property
    def finite(self) -> int:
        """How many values are numbers."""
        return self.count - self.nans - self.infinities

    def square(self, centre: float) -> float:
        """The mean square around `centre`."""
        away = self.mean - centre
        return self.stddev * self.stddev + away * away  # which, unlike **, may be infinite


def bin_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Whose patterns are counted for values of `dtype`: itself, or float32."""
    return dtype if dtype.itemsize <= 2 else FLOATS["float32"]


def pattern_values(dtype: np.dtype[Any]) -> Array:
    """The value of each pattern, in float64: the number itself, or the end of the bin next to 0."""
    dtype = bin_dtype(dtype)
    if dtype.itemsize == 1:
        bits: Array = np.arange(256, dtype=np.uint8)
    elif dtype.itemsize == 2:
        bits = np.arange(1 << 16, dtype=np.uint16)
    else:
        bits = np.arange(1 << 16, dtype=np.uint32) << np.uint32(16)
    with np.errstate(invalid="ignore"):  # signalling NaN
        values: Array = bits.view(dtype).astype(np.float64)
    return values


class Tally:
    """Adds up runs of values of one dtype.

    Of 16 bits and fewer the counts of the patterns say all, and nothing else is computed.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.count = self.zeros = self.nans = self.bad = 0
        self.mean = self.squares = 0.0  # the squares around the mean
        self.smallest, self.largest = math.inf, -math.inf
        self.narrow = dtype in FLOATS.values() and dtype.itemsize <= 2
        floats = dtype in FLOATS.values()
        # Of float32: whether all are bfloat16's, and the patterns as float16 while all are its.
        self.rounded = dtype == FLOATS["float32"]
        self.halves = np.zeros(1 << 16, np.int64) if self.rounded else None
        self.bins = np.zeros(1 << 8 * min(2, dtype.itemsize), np.int64) if floats else None

    def add(self, run: Array) -> None:
        """Count one run."""
        self.count += run.size
        finite = run
        if self.bins is not None:
            found = _count(run, self.bins.size)
            self.bins += found
            if self.narrow:
                return
            if self.rounded or self.halves is not None:
                self._see_held(run.view(np.uint32))
            if found[_NOT_FINITE].any():
                finite = run[np.isfinite(run)]
                self.bad += run.size - finite.size
                self.nans += int(np.isnan(run).sum())
        if finite.size:
            low, high = float(finite.min()), float(finite.max())
            self.smallest, self.largest = min(self.smallest, low), max(self.largest, high)
            self.zeros += finite.size - int(np.count_nonzero(finite))
            self._join(finite.size, *((low, 0.0) if low == high else _moments(finite)))

    def _see_held(self, bits: Array) -> None:
        """Whether float32 values of these bits are still those of a narrower type."""
        used = int(np.bitwise_or.reduce(bits))
        self.rounded = self.rounded and not used & 0xFFFF
        if self.halves is None:
            return
        if used & 0x1FFF:  # more digits than float16 has; that it has the exponents is seen below
            self.halves = None
            return
        with np.errstate(all="ignore"):  # too large or too small for it, or signalling NaN
            half = bits.view(np.float32).astype(np.float16)
            same = np.array_equal(half.astype(np.float32).view(np.uint32), bits)
        self.halves = self.halves + _count(half, self.halves.size) if same else None

    def _join(self, number: int, mean: float, squares: float) -> None:
        """Add the moments of so many more values, each around its own mean (Chan, Golub, LeVeque,
        "Updating formulae and a pairwise algorithm for computing sample variances", 1979)."""
        now = self.count - self.bad
        away = mean - self.mean
        self.mean += away * (number / now)
        self.squares += squares + away * away * ((now - number) / now * number)

    def measure(self, *, half: bool = False) -> Measure:
        """Return what the runs add up to, `half` with the patterns of float16."""
        patterns = counts = np.zeros(0, np.int64)
        tiny = 0
        if half and self.halves is not None:
            patterns = np.flatnonzero(self.halves)
            values = pattern_values(FLOATS["float16"])[patterns]
            return self._of_patterns(patterns, self.halves[patterns], values, "float16")
        if self.bins is not None:
            patterns = np.flatnonzero(self.bins)
            counts = self.bins[patterns]
            values = pattern_values(self.dtype)[patterns]
            if self.narrow:
                return self._of_patterns(patterns, counts, values)
            tiny = int(counts[np.abs(values) < TINY].sum()) - self.zeros
        finite = self.count - self.bad
        mean, square = (self.mean, self.squares / finite) if finite else (math.nan, math.nan)
        held = "bfloat16" if self.rounded else ""
        return self._made(mean, square, tiny, patterns, counts, held)

    def _of_patterns(
        self, patterns: Array, counts: Array, values: Array, held: str = ""
    ) -> Measure:
        known = np.isfinite(values)
        self.nans = int(counts[np.isnan(values)].sum())
        self.bad = int(counts[~known].sum())
        finite, times, seen = self.count - self.bad, counts[known], values[known]
        self.zeros = int(times[seen == 0].sum())
        mean = square = math.nan
        if finite:
            self.smallest, self.largest = float(seen.min()), float(seen.max())
            mean = float((times * seen).sum()) / finite
            square = float((times * np.square(seen - mean)).sum()) / finite
        tiny = int(times[np.abs(seen) < TINY].sum()) - self.zeros
        return self._made(mean, square, tiny, patterns, counts, held)

    def _made(
        self, mean: float, square: float, tiny: int, patterns: Array, counts: Array, held: str
    ) -> Measure:
        empty = self.count == self.bad
        smallest, largest = (math.nan, math.nan) if empty else (self.smallest, self.largest)
        if smallest == largest:  # exactly, whatever sums were rounded to
            mean, square = smallest, 0.0
        stddev = math.sqrt(max(0.0, square)) if math.isfinite(square) else square
        return Measure(
            self.count, self.nans, self.bad - self.nans, self.zeros, max(0, tiny), mean, stddev,
            smallest, largest, min(2, self.dtype.itemsize), held, patterns, counts,
        )  # fmt: skip


def _moments(values: Array) -> tuple[float, float]:
    """The mean, and the sum of squares around it.

    Sums around 0 are the fastest; where they lose the variance's digits, as of values that hardly
    differ from 1, those around the mean are made.
    """
    if values.dtype not in FLOATS.values():
        values = values.astype(np.float64)
    total, squares = _kernel.moments(np.ascontiguousarray(values))
    mean = total / values.size
    square = squares / values.size - mean * mean
    if not square < _CANCELLED * (mean * mean):  # of numbers near the end of float64 it is none
        return mean, square * values.size
    total, squares = _kernel.moments(values.astype(np.float64) - mean)
    off = total / values.size
    return mean + off, squares - off * total


def _count(run: Array, size: int) -> Array:
    """How often each pattern comes."""
    if run.dtype.itemsize > 4:
        run = _narrowed(run)
    if run.dtype.itemsize == 4:
        keys: Array = run.view(np.uint32) >> np.uint32(16)
    else:
        keys = run.view(np.uint8 if run.dtype.itemsize == 1 else np.uint16)
    found: Array = np.bincount(keys, minlength=size)
    return found


def _narrowed(run: Array) -> Array:
    """Float64 as float32, in which what is too large for it is its largest number."""
    with np.errstate(over="ignore", invalid="ignore"):
        found: Array = run.astype(np.float32)
    beyond = np.isinf(found)
    if beyond.any():
        beyond &= np.isfinite(run)
        found[beyond] = np.copysign(np.finfo(np.float32).max, run[beyond])
    return found


def _sum(terms: Iterator[float]) -> float:
    try:
        return math.fsum(terms)
    except (OverflowError, ValueError):  # of numbers near the end of float64
        return math.nan


def merged(measures: list[Measure]) -> Measure:
    """The measure of several segments together."""
    if len(measures) == 1:
        return measures[0]
    parts = [m for m in measures if m.finite]
    finite = sum(m.finite for m in parts)
    mean = _sum(m.mean * m.finite for m in parts) / finite if finite else math.nan
    square = _sum(m.square(mean) * m.finite for m in parts) / finite if finite else math.nan
    patterns = functools.reduce(np.union1d, (m.patterns for m in measures))
    counts = np.zeros(patterns.size, np.int64)
    for m in measures:
        counts[np.searchsorted(patterns, m.patterns)] += m.counts
    return Measure(
        count=sum(m.count for m in measures),
        nans=sum(m.nans for m in measures),
        infinities=sum(m.infinities for m in measures),
        zeros=sum(m.zeros for m in measures),
        tiny=sum(m.tiny for m in measures),
        mean=mean,
        stddev=math.sqrt(square) if square >= 0 else math.nan,
        smallest=min((m.smallest for m in parts), default=math.nan),
        largest=max((m.largest for m in parts), default=math.nan),
        width=measures[0].width,
        held=measures[0].held if len({m.held for m in measures}) == 1 else "",
        patterns=patterns,
        counts=counts,
    )


def runs(parameter: Parameter) -> Iterator[tuple[int, Array]]:
    """(first index, values) of consecutive runs of a parameter."""
    total = math.prod(parameter.spec.shape)
    for start in range(0, total, RUN):
        yield start, parameter.read(start, min(total, start + RUN))


def measure(
    parameter: Parameter,
    split: Callable[[int, int], Array] | None,
    segments: int = 1,
    watch: Sequence[Callable[[int, Array], None]] = (),
) -> list[Measure]:
    """Return a `Measure` of each segment of a parameter, in one pass.

    Args:
        split: (start, stop) -> the number of the segment of each of these elements; None: one.
        segments: how many there are.
        watch: are shown each run as well.
    """
    dtype = ALL[parameter.spec.dtype or "float32"]
    tallies = [Tally(dtype) for _ in range(segments)]
    for start, run in runs(parameter):
        for see in watch:
            see(start, run)
        if split is None:
            tallies[0].add(run)
        else:
            segment = split(start, start + run.size)
            for number, tally in enumerate(tallies):
                tally.add(run[segment == number])
    half = _is_half([tally for tally in tallies if tally.count])
    return [tally.measure(half=half) for tally in tallies]  # one kind of patterns for all


def _is_half(tallies: list[Tally]) -> bool:
    """Whether float32 holds float16's values: such as bfloat16 does not have, or small ones of
    which float16 has fewer. Zeros alone say nothing of where they come from."""
    halves = [tally.halves for tally in tallies if tally.halves is not None]
    if len(halves) < len(tallies):
        return False
    if not all(tally.rounded for tally in tallies):
        return True
    small = all(max(-t.smallest, t.largest) < _SPARSE_HALVES for t in tallies)
    return small and any(np.count_nonzero(counts) > _FEW for counts in halves)
