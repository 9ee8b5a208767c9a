# SPDX-License-Identifier: Apache-2.0
"""Tests of all tensors of one dtype together: a bias too small to see in any of them alone."""

import math
from collections.abc import Iterable
from typing import NamedTuple

from glorot._audit._distribution import Distribution
from glorot._audit._measure import Measure
from glorot._audit._report import Problem


class Pool(NamedTuple):
    """All values of one dtype: of each tensor its measure and its law."""

    dtype: str
    parts: list[tuple[Measure, Distribution]]

    @property
    def number(self) -> int:
        """How many values there are."""
        return sum(found.finite for found, _ in self.parts)

    def mean(self) -> float:
        """The mean of all, each in stddevs of its law."""
        terms = (
            found.finite * (found.mean - law.mean) / math.sqrt(law.variance)
            for found, law in self.parts
        )
        return math.fsum(terms) / self.number

    def ratio(self) -> float:
        """The mean square of all, each over the variance of its law."""
        terms = (found.finite * found.square(law.mean) / law.variance for found, law in self.parts)
        return math.fsum(terms) / self.number

    def log_square(self) -> float:
        """Chernoff's bound for the mean square, at the best of a few exponents; any would do."""
        spread = math.fsum(found.finite * (law.kurtosis - 1) for found, law in self.parts)
        ratio = self.ratio()
        near = self.number * (ratio - 1) / spread
        best = 0.0
        for factor in (0.5, 0.7, 0.85, 1.0, 1.2):
            t = max(-4.0, min(0.45, near * factor))
            cgf = {law: law.square_cgf(t) for _, law in self.parts}
            total = math.fsum(found.finite * cgf[law] for found, law in self.parts)
            best = min(best, total - t * ratio * self.number)
        return best


def pools(rows: Iterable[tuple[Measure, Distribution, str]]) -> list[Pool]:
    """Put the measures together, dtype by dtype."""
    found: dict[str, Pool] = {}
    for measure, law, dtype in rows:
        # Laws that are cut unevenly may have heavier tails than a normal of their variance.
        if measure.finite and law.variance and law.proxy <= law.variance * 1.000001:
            found.setdefault(dtype, Pool(dtype, [])).parts.append((measure, law))
    return list(found.values())


def judge(pool: Pool, limit: float) -> Problem | None:
    """Return what is wrong, or None; of the mean, the normal's bound is that of each law."""
    ratio, mean, number = pool.ratio(), pool.mean(), pool.number
    log_square = pool.log_square()
    z = mean * math.sqrt(number)
    log_mean = math.log(2) - z * z / 2
    narrow = pool.dtype not in ("float32", "float64")
    if log_square < limit:
        off = math.sqrt(ratio) - 1
        hint = "one scale for all?"
        if narrow:
            hint = "rounded towards 0 (truncated bits), or drawn in few bits?"
        text = (
            f"all {pool.dtype} weights together have a stddev {100 * abs(off):.2g} % too "
            f"{'small' if off < 0 else 'large'} ({number:,} values): {hint}"
        )
        return Problem("precision" if narrow else "stddev", (), text, log_square)
    if log_mean < limit:
        off = mean
        where = "below" if off < 0 else "above"
        hint = ": rounded down, or drawn in few bits?" if narrow else ""
        text = (
            f"all {pool.dtype} weights together have a mean {100 * abs(off):.2g} % of a stddev "
            f"{where} what is promised ({number:,} values, z {z:+.1f}){hint}"
        )
        return Problem("precision" if narrow else "mean", (), text, log_mean)
    return None
