# SPDX-License-Identifier: Apache-2.0
"""The exact distribution of a law's values in a dtype, over the patterns that `_measure` counts.

In 16 bits and fewer each pattern is one value, and its probability that of the interval which
rounds to it; in more, each pattern is an interval, with what rounds into it.  Truncated laws are
the normal's, cut.
"""

import functools
import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from glorot._audit._measure import Array, bin_dtype, pattern_values
from glorot._audit._transformed import Transformed
from glorot._laws import Law, TruncatedNormal, Uniform

_NODES = 200
_LEAST_T, _MOST_T = -400.0, 50.0  # exponents for which the nodes' integrals are exact enough
_LEAST_AT_MEAN = 2.0**-23  # frameworks draw uniforms of 23 or 24 bits
_REACH = 9.0  # stddevs of a normal within which everything is, for integrals
_COARSE = 256  # steps of the dtype in a scale, below which rounding changes the moments
_HEAVY = 3.05  # kurtosis of no law but one that its dtype rounds to few values


class Moments(NamedTuple):
    """Of one value: mean, variance, and the kurtosis E(x - mean)**4 / variance**2."""

    mean: float
    variance: float
    kurtosis: float


class Table(NamedTuple):
    """Of each pattern: the ends of its bin, and the probability of what is under it, up to its
    end, and in it."""

    low: Array
    high: Array
    below: Array
    above: Array
    probability: Array


@functools.lru_cache(maxsize=16)  # 2 MB each
def _table(law: Law | Transformed, dtype: np.dtype[Any]) -> Table:
    low, high = _bins(dtype)
    below, above = _cumulative(law, low), _cumulative(law, high)
    return Table(low, high, below, above, np.maximum(above - below, 0.0))


class Distribution:
    """What a law's values in `dtype` are, for tests.

    Attributes:
        mean, variance, kurtosis: of the values as they are stored.
        lower, upper: the ends of the law's support; infinite for a normal.
        table: of the patterns.
        proxy: a variance whose normal law has no lighter tails than this one's sums.
    """

    def __init__(self, law: Law | Transformed, dtype: np.dtype[Any]) -> None:
        self.law = law = _as_added(law, dtype)
        self.dtype = dtype
        self.lower, self.upper = _support(law)
        nodes, weights = _nodes(law)
        coarse = isinstance(law, Law) and dtype.itemsize > 2 and _is_coarse(law, dtype)
        if isinstance(law, Law) and coarse:
            nodes, weights = _grid(law, dtype)
        elif dtype.itemsize <= 2:
            values = pattern_values(dtype)
            known = np.isfinite(values)
            known &= self.table.probability > 0
            nodes, weights = values[known], self.table.probability[known]
        self.mean, self.variance, self.kurtosis = _moments(nodes, weights)
        even = not isinstance(law, TruncatedNormal) or law.lower == -law.upper
        exact = dtype.itemsize > 2 and not coarse
        if even and not isinstance(law, Transformed) and (exact or law.mean == 0.0):
            self.mean = law.mean  # without the sums' rounding: zeros deviate by nothing
        if not self.variance:  # the dtype rounds all values to one
            self.mean = float(nodes[weights.argmax()])
        # Symmetric uniform and truncated normal laws are strictly sub-Gaussian (Arbel, Marchal,
        # Nguyen, "On strict sub-Gaussianity", 2020); a normal that is cut unevenly is at least no
        # heavier than before the cut.
        self.proxy = self.variance if even else max(self.variance, law.scale**2)
        if isinstance(law, Transformed):
            self.proxy = law.proxy
        elif self.kurtosis > _HEAVY:  # most values are rounded to 0, and the rest are rare
            self.proxy = max(self.proxy, _proxy(nodes - self.mean, weights))
        self._normal = law.kind == "normal" and exact
        self._squares = (nodes - self.mean) ** 2 / (self.variance or 1.0), weights

    @property
    def table(self) -> Table:
        """The patterns' bins and probabilities, which are made again when others were needed."""
        return _table(self.law, self.dtype)

    @property
    def zero(self) -> float:
        """The probability of 0, of either sign."""
        patterns = [0, 1 << 8 * min(2, self.dtype.itemsize) - 1]
        return float(self.table.probability[patterns].sum())

    def square_cgf(self, t: float) -> float:
        """log E exp(t * y), y the square of a deviation over the variance; t below 1/2."""
        if self._normal:
            return -0.5 * math.log1p(-2.0 * t)
        y, weights = self._squares
        return _cgf(t, y, weights)

    def square_rate(self, ratio: float) -> float:
        """Cramér's rate of the mean square: P(mean of n squares over its expectation beyond
        `ratio`) <= exp(-n * rate), for any n."""
        if not math.isfinite(ratio):
            return math.inf
        if ratio <= 0.0:  # all values are the mean
            return -math.log(max(self._at_mean(), _LEAST_AT_MEAN))
        return (ratio - 1.0 - math.log(ratio)) / 2.0 if self._normal else self._rate(ratio)

    def _at_mean(self) -> float:
        """At least the probability that a value, as it is stored, is the mean."""
        if self.dtype.itemsize <= 2:
            table = self.table
            return float(
                table.probability[(table.low <= self.mean) & (self.mean <= table.high)].sum()
            )
        ends = np.nextafter(self.dtype.type(self.mean), self.dtype.type([-np.inf, np.inf]))
        below, above = _cumulative(self.law, ends.astype(np.float64))
        return float(above - below)

    def _rate(self, ratio: float) -> float:
        """sup over t of t * ratio - log E exp(t * y), by Newton's method between bounds: where a
        normal's tails are cut off by the dtype, its steps alone lead away.

        Every t gives a bound; those are taken for which the nodes are close enough."""
        y, weights = self._squares
        t = best = 0.0
        low, high = _LEAST_T, _MOST_T
        for _ in range(60):
            power = t * y
            shift = float(power.max())
            mass = weights * np.exp(power - shift)
            total = float(mass.sum())
            mean = float((mass * y).sum()) / total
            best = max(best, t * ratio - shift - math.log(total))
            spread = float((mass * y * y).sum()) / total - mean * mean
            low, high = (t, high) if mean < ratio else (low, t)
            moved = t + (ratio - mean) / max(spread, 1e-12)
            if not low < moved < high:
                moved = (low + high) / 2
            if abs(moved - t) < 1e-9 * (1 + abs(t)):
                break
            t = moved
        return best


@functools.lru_cache(maxsize=1024)
def distribution(law: Law | Transformed, dtype: np.dtype[Any]) -> Distribution:
    """Return the distribution, made once for all parameters of one law and dtype."""
    return Distribution(law, dtype)


def _as_added(law: Law | Transformed, dtype: np.dtype[Any]) -> Law | Transformed:
    """The law with the mean, and the bounds, as float32 has them, in which they are added."""
    if not isinstance(law, Law) or dtype.itemsize != 4 or not law.mean:
        return law
    low, high = law.bounds or (0.0, 0.0)
    bounds = (float(np.float32(low)), float(np.float32(high)))
    return replace(law, mean=float(np.float32(law.mean)), bounds=law.bounds and bounds)


def _is_coarse(law: Law, dtype: np.dtype[Any]) -> bool:
    return law.scale < _COARSE * float(np.spacing(dtype.type(abs(law.mean))))


def _grid(law: Law, dtype: np.dtype[Any]) -> tuple[Array, Array]:
    """The values of the dtype that a law which hardly leaves its mean rounds to, with their
    probabilities."""
    reach = _REACH * law.scale
    ends = np.array([law.mean - reach, law.mean + reach]).astype(dtype)
    bits = ends.view(f"i{dtype.itemsize}")  # which count up with the size of one sign
    grid = np.arange(bits.min() - 1, bits.max() + 2, dtype=bits.dtype).view(dtype)
    away = np.sort(grid.astype(np.float64)) - law.mean  # exactly, as halves between them are
    middle = (away[1:] + away[:-1]) / 2
    bounds = law.bounds and (law.bounds[0] - law.mean, law.bounds[1] - law.mean)
    below = _cumulative(replace(law, mean=0.0, bounds=bounds), middle)
    weights: Array = np.diff(below, prepend=0.0, append=1.0)
    known = weights > 0
    return law.mean + away[known], weights[known]


def _support(law: Law | Transformed) -> tuple[float, float]:
    if isinstance(law, Transformed):
        return law.support
    if law.bounds is not None:
        return law.bounds
    if isinstance(law, Uniform):
        return law.mean - law.scale, law.mean + law.scale
    if isinstance(law, TruncatedNormal):
        return law.mean + law.scale * law.lower, law.mean + law.scale * law.upper
    return -math.inf, math.inf


@functools.cache
def _legendre() -> tuple[Array, Array]:
    x, weights = np.polynomial.legendre.leggauss(_NODES)
    return x, weights


def _nodes(law: Law | Transformed) -> tuple[Array, Array]:
    """Values and weights of the law: Gauss-Legendre's over its support."""
    x, weights = _legendre()
    if isinstance(law, Transformed):
        return law.nodes(x, weights)
    if isinstance(law, Uniform):
        return law.mean + law.scale * x, weights / weights.sum()
    low, high = -_REACH, _REACH
    if isinstance(law, TruncatedNormal):
        low, high = max(low, law.lower), min(high, law.upper)
    z = (low + high) / 2 + (high - low) / 2 * x
    mass = weights * np.exp(-z * z / 2)
    return law.mean + law.scale * z, mass / mass.sum()


def _moments(values: Array, weights: Array) -> Moments:
    total = float(weights.sum()) or 1.0
    mean = float((values * weights).sum()) / total
    squares = (values - mean) ** 2
    variance = float((squares * weights).sum()) / total
    if variance < 1e-60 * mean * mean:  # one value, but for what float64 makes of the mean
        return Moments(mean, 0.0, 1.0)
    fourth = float((squares * squares * weights).sum()) / total
    return Moments(mean, variance, fourth / variance**2 if variance else 1.0)


def _cgf(t: float, values: Array, weights: Array) -> float:
    """log E exp(t * value)."""
    power = t * values
    shift = float(power.max())
    return shift + math.log(float((weights * np.exp(power - shift)).sum()))


def _proxy(away: Array, weights: Array) -> float:
    """sup over t of 2 * log E exp(t * deviation) / t**2, from above: between two exponents the
    logarithm is at most that of the larger, and the divisor at least that of the smaller."""
    variance = float((weights * away * away).sum())
    largest = float(np.abs(away).max())  # whose square is Hoeffding's proxy
    exponents = np.geomspace(0.05 / largest, 2.0 * largest / variance, 400)
    rates = [max(_cgf(t, away, weights), _cgf(-t, away, weights)) for t in exponents.tolist()]
    bounds = 2.0 * np.array(rates[1:]) / np.square(exponents[:-1])
    return min(largest**2, float(bounds.max()))


@functools.lru_cache(maxsize=8)
def _bins(dtype: np.dtype[Any]) -> tuple[Array, Array]:
    """(low, high) ends of each pattern's bin; nan for patterns that are no number."""
    values = pattern_values(dtype)
    known = np.isfinite(values)
    low, high = np.full_like(values, np.nan), np.full_like(values, np.nan)
    negative = np.signbit(values)
    if bin_dtype(dtype).itemsize > 2:  # a bin ends where values round to the next away from 0
        size = np.abs(values)
        before = np.nextafter(size.astype(np.float32), np.float32(0)).astype(np.float64)
        size = np.where(known, (size + before) / 2, np.inf)
        away = np.full_like(values, np.inf)
        half = values.size // 2  # the second half of the patterns is the negatives
        away[: half - 1], away[half:-1] = size[1:half], size[half + 1 :]
        low, high = np.where(negative, -away, size), np.where(negative, -size, away)
        return np.where(known, low, np.nan), np.where(known, high, np.nan)
    # 0 and -0 are one value; what rounds to either from above counts for 0, from below for -0.
    order = np.flatnonzero(known)[np.argsort(values[known], kind="stable")]
    zeros = [p for p in order if values[p] == 0.0]
    rest = np.array([p for p in order if values[p] != 0.0])
    ordered = values[rest]
    middle = np.searchsorted(ordered, 0.0)
    with_zero = np.insert(ordered, middle, 0.0)
    halfway = (with_zero[1:] + with_zero[:-1]) / 2
    lows = np.concatenate(([-np.inf], halfway))
    highs = np.concatenate((halfway, [np.inf]))
    low[rest], high[rest] = np.delete(lows, middle), np.delete(highs, middle)
    for pattern in zeros:
        minus = negative[pattern]
        low[pattern] = lows[middle] if minus else 0.0
        high[pattern] = 0.0 if minus else highs[middle]
    return low, high


def _cumulative(law: Law | Transformed, edges: Array) -> Array:
    """P(value <= edge) of the law, for each edge; 0 where the edge is no number."""
    edges = np.where(np.isnan(edges), -np.inf, edges)
    if isinstance(law, Transformed):
        return law.cumulative(edges)
    if law.scale == 0.0:
        return (edges >= law.mean).astype(np.float64)
    z = (edges - law.mean) / law.scale
    if isinstance(law, Uniform):
        share: Array = np.clip((z + 1.0) / 2.0, 0.0, 1.0)
        if law.bounds is not None:  # beyond which nothing is, whatever the mean is rounded to
            low, high = law.bounds
            share = np.where(edges < low, 0.0, np.where(edges >= high, 1.0, share))
        return share
    lower, upper = (law.lower, law.upper) if isinstance(law, TruncatedNormal) else (-np.inf, np.inf)
    first, last = (0.5 * math.erfc(-cut / math.sqrt(2.0)) for cut in (lower, upper))
    mass: Array = (_normal(np.clip(z, lower, upper)) - first) / (last - first)
    return np.clip(mass, 0.0, 1.0)


def _normal(z: Array) -> Array:
    """The normal distribution function; beyond 40 stddevs and within 1e-7 of 0 by its limits."""
    result = np.where(z > 0, 1.0, 0.0)
    near = np.abs(z) < 1e-7
    result[near] = 0.5 + z[near] / math.sqrt(2.0 * math.pi)
    rest = ~near & (np.abs(z) < 40.0)
    scaled = (z[rest] / -math.sqrt(2.0)).tolist()
    result[rest] = 0.5 * np.fromiter(map(math.erfc, scaled), np.float64, len(scaled))
    return result
