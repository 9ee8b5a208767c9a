# SPDX-License-Identifier: Apache-2.0
"""Tests of a measure against the distribution that was promised, each with a bound on its chance.

Every bound holds for any number of elements, not in the limit of many: a small bias vector is no
more likely to be blamed than a large matrix.  `p` is at least the probability that values of the
law look as unlikely as these.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from glorot._audit._distribution import Distribution
from glorot._audit._measure import Array, Measure

# Frameworks draw float32 uniforms of 23 or 24 bits: below this, bins of the last bits differ.
_LEAST_PROBABILITY = 2.0**-20
_EXPECTED_PROBABILITY = 2.0**-14


class Outcome(NamedTuple):
    """One test: its name, what was seen and expected, and log p (natural, at most 0)."""

    kind: str
    seen: float
    expected: float
    log_p: float


@dataclass(frozen=True, slots=True)
class Scores:
    """z-scores for people: standard errors from what is promised, by the law's own kurtosis."""

    mean: float
    variance: float
    distance: float  # Kolmogorov's and Smirnov's


def scores(found: Measure, law: Distribution) -> Scores:
    """Return the z-scores of mean and variance, and the Kolmogorov-Smirnov distance."""
    n = found.finite
    stddev = math.sqrt(law.variance)
    if not n or not stddev:
        return Scores(math.nan, math.nan, math.nan)
    mean = (found.mean - law.mean) / stddev * math.sqrt(n)
    error = math.sqrt(max(law.kurtosis - 1.0, 1e-12) / n)
    variance = (found.square(law.mean) / law.variance - 1.0) / error
    return Scores(mean, variance, distance(found, law))


def distance(found: Measure, law: Distribution) -> float:
    """The largest difference of the two distribution functions, at the ends of the bins."""
    if not found.finite or not found.patterns.size:
        return math.nan
    low = law.table.low[found.patterns]
    known = ~np.isnan(low)
    order = np.argsort(low[known], kind="stable")
    patterns, counts = found.patterns[known][order], found.counts[known][order]
    after = np.cumsum(counts) / found.finite
    before = after - counts / found.finite
    below = np.abs(before - law.table.below[patterns]).max()
    above = np.abs(after - law.table.above[patterns]).max()
    return float(max(below, above))


def run_tests(found: Measure, law: Distribution, bits: int) -> list[Outcome]:
    """Return the outcomes of all tests of one segment; `bits` are those of the dtype."""
    n = found.finite
    if not n or not law.variance:
        return []
    mean_z = (found.mean - law.mean) / math.sqrt(law.proxy) * math.sqrt(n)
    ratio = found.square(law.mean) / law.variance
    gap = distance(found, law)
    outcomes = [
        Outcome("mean", found.mean, law.mean, cap(math.log(2) - mean_z * mean_z / 2)),
        Outcome("stddev", math.sqrt(ratio * law.variance), math.sqrt(law.variance),
                cap(-n * law.square_rate(ratio))),
        # Massart, "The tight constant in the Dvoretzky-Kiefer-Wolfowitz inequality", 1990.
        Outcome("shape", gap, 0.0, cap(math.log(2) - 2 * n * gap * gap)),
        _pile(found, law),
    ]  # fmt: skip
    if bits <= 16:
        outcomes.append(distinct(found, law))
    return outcomes


def cap(log_p: float) -> float:
    """A bound on a probability, as a logarithm, that is none above 1."""
    return min(0.0, log_p)


def _pile(found: Measure, law: Distribution) -> Outcome:
    """The bin whose count is least likely: Chernoff's bound of the binomial, over all bins."""
    n = found.finite
    likely = np.flatnonzero(law.table.probability > _EXPECTED_PROBABILITY)
    there = found.patterns[~np.isnan(law.table.low[found.patterns])]
    where = np.union1d(likely, there)
    share = np.zeros(where.size)
    share[np.searchsorted(where, there)] = (
        found.counts[~np.isnan(law.table.low[found.patterns])] / n
    )
    expected = law.table.probability[where]
    floor = np.minimum(np.maximum(expected, _LEAST_PROBABILITY), 1 - _LEAST_PROBABILITY)
    many, few = share > floor, (share < expected) & (expected > _EXPECTED_PROBABILITY)
    rate = np.where(many | few, relative_entropy(share, floor), 0.0)
    if not rate.size:
        return Outcome("pile", 0.0, 0.0, 0.0)
    worst = int(rate.argmax())
    log_p = math.log(2 * law.table.probability.size) - n * float(rate[worst])
    return Outcome("pile", float(share[worst]), float(expected[worst]), cap(log_p))


def relative_entropy(share: Array, expected: Array) -> Array:
    """Chernoff's rate of a binomial: of n draws a share beyond it has the chance exp(-n * rate)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        first = np.where(share > 0, share * np.log(share / expected), 0.0)
        rest = np.where(share < 1, (1 - share) * np.log((1 - share) / (1 - expected)), 0.0)
    total: Array = first + rest
    return total


def distinct(found: Measure, law: Distribution) -> Outcome:
    """How many different values, or bins of a wide type, there are: McDiarmid's bound, one element
    changing it by one."""
    n = found.finite
    expected = float(-np.expm1(n * np.log1p(-np.minimum(law.table.probability, 1 - 1e-12))).sum())
    seen = int((~np.isnan(law.table.low[found.patterns])).sum())
    log_p = -2.0 * (expected - seen) ** 2 / n if seen < expected else 0.0
    return Outcome("distinct", float(seen), expected, cap(log_p))
