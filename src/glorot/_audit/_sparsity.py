# SPDX-License-Identifier: Apache-2.0
"""Where the zeros of a sparse weight are: so many in each output unit, at places of its own."""

import math
from typing import Any

import numpy as np

from glorot._audit._distribution import Distribution
from glorot._audit._facts import Facts, Finding
from glorot._audit._measure import Array
from glorot._audit._promise import SPARSE
from glorot._audit._tests import Outcome, cap, relative_entropy
from glorot._layouts import BATCH, GROUP, OUTPUT
from glorot._sparse import Sparse


class Zeros:
    """Counts zeros as a weight is read: of each output unit, and at each place of the incoming
    weights, in all units."""

    def __init__(self, init: Sparse, shape: tuple[int, ...]) -> None:
        _, (number, self.rows, columns) = init._axes.matrices(shape)
        self.shape = shape
        self.promised = math.ceil(init.sparsity * self.rows)
        unit = [role in BATCH + GROUP + OUTPUT for role in init._axes.roles(shape)]
        self._steps = _steps(shape, unit), _steps(shape, [not own for own in unit])
        self.units = np.zeros(number * columns, np.int64)
        self.places = np.zeros(self.rows, np.int64)
        self._read = 0

    def see(self, run: Array) -> None:
        """Count those of the next run."""
        at = np.flatnonzero(run == 0) + self._read
        self._read += run.size
        index = np.unravel_index(at, self.shape)
        for counts, steps in zip((self.units, self.places), self._steps, strict=True):
            where = sum((i * n for i, n in zip(index, steps, strict=True) if n), np.zeros_like(at))
            np.add.at(counts, where, 1)

    def outcomes(self, law: Distribution, dtype: np.dtype[Any]) -> list[Outcome]:
        """Return the tests of them; in few bits kept values may be rounded to 0 as well."""
        chance = law.zero if dtype.itemsize <= 2 else 0.0
        return [self._of_units(chance), self._of_places(chance)]

    def _of_units(self, chance: float) -> Outcome:
        """None has fewer zeros than are promised, nor more than Chernoff's bound of what is rounded
        to 0."""
        kept, promised = self.rows - self.promised, float(self.promised)
        least, most = int(self.units.min()), int(self.units.max())
        if least < self.promised or (most > self.promised and not chance):
            worst = least if least < self.promised else most
            return Outcome("units", float(worst), promised, -math.inf)
        log_p = 0.0
        if chance < 1.0 and most - promised > kept * chance:
            share = np.array([(most - promised) / kept])
            rate = relative_entropy(share, np.array([chance]))[0]
            log_p = math.log(self.units.size) - kept * float(rate)
        return Outcome("units", float(most), promised + kept * chance, cap(log_p))

    def _of_places(self, chance: float) -> Outcome:
        """Each unit has its zeros anywhere: how many units have one at a place is binomial."""
        expected = (self.promised + (self.rows - self.promised) * chance) / self.rows
        if not 0.0 < expected < 1.0:
            return Outcome("places", expected, expected, 0.0)
        share = self.places / self.units.size
        rate = relative_entropy(share, np.full(share.size, expected))
        worst = int(rate.argmax())
        log_p = math.log(2 * share.size) - self.units.size * float(rate[worst])
        return Outcome("places", float(share[worst]), expected, cap(log_p))


def _steps(shape: tuple[int, ...], taken: list[bool]) -> list[int]:
    """What a step along each axis adds to the row-major number among the axes that are taken."""
    steps, step = [0] * len(shape), 1
    for axis in reversed(range(len(shape))):
        if taken[axis]:
            steps[axis] = step
            step *= shape[axis]
    return steps


def judge_zeros(facts: Facts, limit: float) -> Finding | None:
    """Return what is wrong: a sparse weight has so many zeros, so many of each output unit, at
    places of its own."""
    found, segment = facts.found, facts.segment
    if segment.kind != SPARSE:
        return None
    failed = {o.kind: o for o in facts.outcomes if o.log_p < limit}
    if not _zeros_fit(facts):
        text = f"{found.zeros:,} zeros where {segment.zeros:,} are promised"
        return Finding("shape", ("zeros",), text, -math.inf)
    if (units := failed.get("units")) is not None:
        text = (
            f"{units.seen:,.0f} zeros among the weights of an output unit where "
            f"{units.expected:,.0f} are promised of each: along another axis, or whole units?"
        )
        return Finding("shape", ("zeros", "units"), text, units.log_p)
    if (places := failed.get("places")) is not None:
        text = (
            f"one and the same weight is 0 in {100 * places.seen:.3g} % of the output units, where "
            f"{100 * places.expected:.3g} % are expected: one set of zeros for all units?"
        )
        return Finding("shape", ("zeros", "places"), text, places.log_p)
    return None


def _zeros_fit(facts: Facts) -> bool:
    """Whether a sparse weight has its zeros, and no more than those that its kept values are
    rounded to where the dtype is narrow."""
    found, segment, law = facts.found, facts.segment, facts.law
    more = found.zeros - segment.zeros
    if law is None or more <= 0:
        return more == 0
    chance = law.zero if facts.dtype.itemsize <= 2 else 0.0
    kept = found.count - segment.zeros
    return more <= kept * chance + 10 * math.sqrt(kept * chance) + (10 if chance > 1e-9 else 0)
