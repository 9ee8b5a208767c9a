# SPDX-License-Identifier: Apache-2.0
"""Rows: one parameter, or one block of a fused one, with all that was measured of it."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from glorot._audit import _measure
from glorot._audit._bytes import Comparison
from glorot._audit._centre import Taps, taps
from glorot._audit._distribution import Distribution, distribution
from glorot._audit._measure import Array, Measure, merged
from glorot._audit._padding import padding_row
from glorot._audit._parameter import Parameter
from glorot._audit._promise import FIXED, MATRIX, SPARSE, Promise, Segment
from glorot._audit._report import ParameterReport
from glorot._audit._slices import FirstAxis
from glorot._audit._sparsity import Zeros
from glorot._audit._spectrum import HELD, Spectrum, spectrum
from glorot._audit._tests import Outcome, Scores, run_tests, scores
from glorot._audit._verdict import without_zeros
from glorot._dtypes import ALL, FLOATS
from glorot._orthogonal import DeltaOrthogonal
from glorot._sparse import Sparse
from glorot._variance_scaling import VarianceScaling
from glorot.recipe import describe_law


@dataclass(slots=True)
class Row:
    """One segment and what is known of its values.

    Attributes:
        promise, segment: None where no recipe promises anything.
        found: its measure; whole: that of the parameter, all blocks together.
        law: the distribution promised, for what follows one.
        padding: the row of an embedding that is all 0 and is not tested, if there is one.
        taps: of a convolution of which only the centre is promised to be other than 0.
        begins: of the slices of the parameter along its first axis, where a recipe promises it.
        differing: how many elements of the parameter are not the seed's; None where nobody asked.
        sure: every byte is the seed's: nothing else is asked.
    """

    parameter: Parameter
    promise: Promise | None
    segment: Segment | None
    found: Measure
    whole: Measure
    law: Distribution | None = None
    padding: int | None = None
    outcomes: list[Outcome] = field(default_factory=list)
    scores: Scores | None = None
    spectrum: Spectrum | None = None
    taps: Taps | None = None
    begins: FirstAxis | None = None
    differing: int | None = None
    first: str = ""
    sure: bool = False

    @property
    def title(self) -> str:
        """The name, with that of the block."""
        block = self.segment.block if self.segment else ""
        return f"{self.parameter.name}[{block}]" if block else self.parameter.name

    @property
    def tested(self) -> Measure:
        """The measure of the values that the law is about."""
        if self.segment is not None and self.segment.kind == SPARSE:
            return without_zeros(self.found, self.segment.zeros)
        if self.padding is not None:
            return without_zeros(self.found, self.found.count // self.parameter.spec.shape[0])
        return self.found

    @property
    def dtype(self) -> np.dtype[Any]:
        """What the values are of: bfloat16 or float16 where float32 holds nothing finer."""
        stored = ALL[self.parameter.spec.dtype or ""]
        return FLOATS[self.found.held] if self.found.held and self.found.finite else stored

    @property
    def bits(self) -> int:
        """Of these."""
        return 8 * self.dtype.itemsize


def read_rows(
    parameter: Parameter, promise: Promise | None, seed: int | None, singular_values: bool | None
) -> list[Row]:
    """Read a parameter once, and return its rows."""
    if promise is None:
        (found,) = _measure.measure(parameter, None)
        row = Row(parameter, None, None, found, found)
        row.spectrum = _spectrum(parameter, "", singular_values)
        return [row]
    comparison = _comparison(parameter, promise, seed)
    begins = FirstAxis(parameter.spec.shape)
    zeros = _zeros(promise)
    watch: list[Callable[[int, Array], None]] = [begins.see]
    watch += [comparison.see] if comparison is not None else []
    watch += [_watched(promise, zeros)] if zeros else []
    measures = _measure.measure(parameter, promise.split, len(promise.segments), watch)
    whole = merged(measures)
    rows = [
        Row(parameter, promise, segment, found, whole, begins=begins)
        for segment, found in zip(promise.segments, measures, strict=True)
    ]
    if promise.split is None:
        segment, roles = promise.segments[0], promise.assignment.roles
        if _has_taps(segment, measures[0], parameter):
            rows[0].taps = taps(parameter, roles, whole.count - whole.zeros)
            rows[0].spectrum = rows[0].taps.centre
        else:
            needed = segment.kind == MATRIX or singular_values
            rows[0].spectrum = _spectrum(parameter, roles, needed)
    for number, row in enumerate(rows):
        if comparison is not None:
            row.differing, row.first = comparison.differing, comparison.first
            row.sure = seed is not None and not comparison.differing
        _test(row, zeros.get(number))
    return rows


def _zeros(promise: Promise) -> dict[int, Zeros]:
    """Counts of zeros, by the number of the sparse segment that they are of."""
    return {
        number: Zeros(segment.initializer, segment.shape)
        for number, segment in enumerate(promise.segments)
        if segment.kind == SPARSE and isinstance(segment.initializer, Sparse)
    }


def _watched(promise: Promise, zeros: dict[int, Zeros]) -> Callable[[int, Array], None]:
    """What shows each count the values of its segment."""

    def see(start: int, run: Array) -> None:
        segment = None if promise.split is None else promise.split(start, start + run.size)
        for number, counts in zeros.items():
            counts.see(run if segment is None else run[segment == number])

    return see


def _has_taps(segment: Segment, found: Measure, parameter: Parameter) -> bool:
    delta = segment.kind == MATRIX and isinstance(segment.initializer, DeltaOrthogonal)
    floats = ALL[parameter.spec.dtype or ""] in FLOATS.values()
    return delta and floats and found.count > 0


def _test(row: Row, zeros: Zeros | None) -> None:
    segment, dtype = row.segment, row.dtype
    if segment is None or segment.law is None or not segment.law.scale:
        return
    if dtype not in FLOATS.values():
        return
    row.law = distribution(segment.law, dtype)
    if row.promise is not None and row.promise.split is None and segment.kind != SPARSE:
        row.padding = padding_row(row.parameter, row.found, row.law)
    found = row.tested
    row.scores = scores(found, row.law)
    if not (row.sure or row.found.nans or row.found.infinities):
        row.outcomes = run_tests(found, row.law, row.bits)
        if zeros is not None and row.found.count:
            row.outcomes += zeros.outcomes(row.law, dtype)


def _comparison(parameter: Parameter, promise: Promise, seed: int | None) -> Comparison | None:
    init = promise.assignment.initializer
    known = not init.random and any(segment.kind == FIXED for segment in promise.segments)
    if seed is None and not known:
        return None
    return Comparison(parameter, promise.assignment, seed)


def _spectrum(parameter: Parameter, roles: str, wanted: bool | None) -> Spectrum | None:
    """`wanted`: None for matrices that are not too large."""
    if wanted is None:
        wanted = math.prod(parameter.spec.shape) <= HELD
    if not wanted or ALL[parameter.spec.dtype or ""] not in FLOATS.values():
        return None
    return spectrum(parameter, roles)


def report(row: Row) -> ParameterReport:
    """Return the row as users see it."""
    found, segment, spec = row.found, row.segment, row.parameter.spec
    z = row.scores
    narrow = row.bits <= 16 and found.patterns.size
    promised = segment is not None and row.promise is not None
    assert segment is not None or not promised
    expected = segment.stddev if segment else None
    if row.law is not None and segment is not None and segment.kind != SPARSE:
        expected = math.sqrt(row.law.variance)
    return ParameterReport(
        name=row.parameter.name,
        block=segment.block if segment else "",
        shape=segment.shape if segment else spec.shape,
        dtype=spec.dtype or "",
        pattern=row.promise.assignment.rule.pattern if row.promise else "",
        law=describe_law(segment.initializer, segment.shape) if segment else "",
        count=found.count,
        mean=_number(found.mean),
        stddev=_number(found.stddev),
        smallest=_number(found.smallest),
        largest=_number(found.largest),
        zeros=found.zeros,
        nans=found.nans,
        infinities=found.infinities,
        distinct=int(found.patterns.size) if narrow else None,
        expected_mean=(row.law.mean if row.law else segment.mean) if segment else None,
        expected_stddev=expected,
        z_mean=_number(z.mean) if z else None,
        z_variance=_number(z.variance) if z else None,
        distance=_number(z.distance) if z else None,
        fans=segment.initializer.fans(segment.shape) if segment else None,
        effective_fan=_effective_fan(found, segment),
        singular=(row.spectrum.smallest, row.spectrum.largest) if row.spectrum else None,
        exact_singular=row.spectrum.exact if row.spectrum else None,
        differing=row.differing,
        tests=len(row.outcomes),
    )


def _effective_fan(found: Measure, segment: Segment | None) -> float | None:
    variance = found.stddev**2
    if not variance or not math.isfinite(variance):
        return None
    init = segment.initializer if segment else None
    scale = init.scale * init.gain**2 if isinstance(init, VarianceScaling) else 1.0
    return scale / variance


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
