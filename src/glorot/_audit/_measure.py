# SPDX-License-Identifier: Apache-2.0
"""One pass over a parameter: moments, extremes, and how often each pattern of 16 bits comes.

The pattern of a value is its own bits where it has 16 or fewer, and the leading 16 bits of its
float32 where it has more: 128 bins an octave, of whatever scale, in 512 KiB.  Distribution tests,
distinct values, NaN and infinities, and histograms all follow from these counts.
"""

import functools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from glorot import _kernel
from glorot._audit._sources import Parameter
from glorot._dtypes import ALL, FLOATS

Array = np.ndarray[Any, np.dtype[Any]]

RUN = 1 << 18  # elements read at a time: what bounds the memory, whatever the tensor


@dataclass(frozen=True, slots=True)
class Measure:
    """What one pass found; means and extremes are of the finite values.

    Attributes:
        count: how many elements; finite, nans, infinities, zeros: how many of them.
        mean, stddev, smallest, largest: nan where there is no finite value.
        tiny: how many are not 0 and below 1e-30 in size.
        width: bytes of a pattern.
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
    patterns: Array
    counts: Array

    @property
    def finite(self) -> int:
        """How many values are numbers."""
        return self.count - self.nans - self.infinities

    def square(self, centre: float) -> float:
        """The mean square around `centre`."""
        return self.stddev**2 + (self.mean - centre) ** 2


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
    """Adds up runs of values of one dtype, around `centre`."""

    def __init__(self, dtype: np.dtype[Any], centre: float = 0.0) -> None:
        self.floats = dtype in FLOATS.values()
        self.centre = centre if math.isfinite(centre) else 0.0
        self.count = self.zeros = self.tiny = self.nans = self.bad = 0
        self.total = self.squares = 0.0
        self.smallest, self.largest = math.inf, -math.inf
        self.dtype = dtype
        self.bins = np.zeros(1 << 8 * min(2, dtype.itemsize), np.int64) if self.floats else None

    def add(self, run: Array) -> None:
        """Count one run."""
        self.count += run.size
        if self.bins is not None:
            with np.errstate(over="ignore", invalid="ignore"):
                seen = run if run.dtype.itemsize <= 4 else run.astype(np.float32)
            if seen.dtype.itemsize == 4:
                keys: Array = seen.view(np.uint32) >> np.uint32(16)
            else:
                keys = seen.view(np.uint8 if seen.dtype.itemsize == 1 else np.uint16)
            self.bins += np.bincount(keys, minlength=self.bins.size)
        with np.errstate(invalid="ignore"):  # signalling NaN
            wide = run.astype(np.float64)
        if self.floats:
            finite = np.isfinite(wide)
            if not finite.all():
                self.bad += wide.size - int(finite.sum())
                self.nans += int(np.isnan(wide).sum())
                wide = wide[finite]
        if not wide.size:
            return
        size = np.abs(wide)
        self.zeros += wide.size - int(np.count_nonzero(wide))
        smallest = float(size.min())
        if smallest < 1e-30:
            self.tiny += int(np.count_nonzero((size < 1e-30) & (size > 0)))
        self.smallest = min(self.smallest, float(wide.min()))
        self.largest = max(self.largest, float(wide.max()))
        if self.centre:
            wide -= self.centre
        with np.errstate(over="ignore"):
            total, squares = _kernel.moments(wide)
        self.total += total
        self.squares += squares

    def measure(self) -> Measure:
        """Return what the runs add up to."""
        finite = self.count - self.bad
        patterns = counts = np.zeros(0, np.int64)
        if self.bins is not None:
            patterns = np.flatnonzero(self.bins)
            counts = self.bins[patterns]
        if not finite:
            mean = stddev = smallest = largest = math.nan
        else:
            shift = self.total / finite
            mean = self.centre + shift
            spread = self.squares / finite - shift * shift
            stddev = math.sqrt(max(0.0, spread)) if math.isfinite(spread) else math.inf
            smallest, largest = self.smallest, self.largest
        return Measure(
            self.count, self.nans, self.bad - self.nans, self.zeros, self.tiny, mean, stddev,
            smallest, largest, min(2, self.dtype.itemsize), patterns, counts,
        )  # fmt: skip


def merged(measures: list[Measure]) -> Measure:
    """The measure of several segments together."""
    if len(measures) == 1:
        return measures[0]
    parts = [m for m in measures if m.finite]
    finite = sum(m.finite for m in parts)
    mean = math.fsum(m.mean * m.finite for m in parts) / finite if finite else math.nan
    square = math.fsum(m.square(mean) * m.finite for m in parts) / finite if finite else math.nan
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
    centres: list[float],
    watch: Callable[[int, Array], None] | None = None,
) -> list[Measure]:
    """Return a `Measure` of each segment of a parameter, in one pass.

    Args:
        split: (start, stop) -> the number of the segment of each of these elements; None: one.
        centres: of the segments, around which squares are added up.
        watch: is shown each run as well.
    """
    dtype = ALL[parameter.spec.dtype or "float32"]
    tallies = [Tally(dtype, centre) for centre in centres]
    for start, run in runs(parameter):
        if watch is not None:
            watch(start, run)
        if split is None:
            tallies[0].add(run)
        else:
            segment = split(start, start + run.size)
            for number, tally in enumerate(tallies):
                tally.add(run[segment == number])
    return [tally.measure() for tally in tallies]
