# SPDX-License-Identifier: Apache-2.0
"""Tests of all tensors of one dtype together: a bias too small to see in any of them alone."""

import math
from collections.abc import Iterable
from typing import NamedTuple

from glorot._audit._distribution import Distribution
from glorot._audit._measure import Measure
from glorot._audit._report import Problem


class Pool(NamedTuple):
    """All values of one dtype, each in its own law's stddevs: their number, sum, and squares."""

    dtype: str
    number: int
    total: float
    squares: float


def pools(rows: Iterable[tuple[Measure, Distribution, str]]) -> list[Pool]:
    """Add up the measures, dtype by dtype."""
    sums: dict[str, list[float]] = {}
    for found, law, dtype in rows:
        if not law.variance or law.proxy > law.variance * 1.000001:
            continue
        count, total, squares = sums.get(dtype, [0.0, 0.0, 0.0])
        stddev = math.sqrt(law.variance)
        sums[dtype] = [
            count + found.finite,
            total + found.finite * (found.mean - law.mean) / stddev,
            squares + found.finite * found.square(law.mean) / law.variance,
        ]
    return [Pool(dtype, int(c), total, squares) for dtype, (c, total, squares) in sums.items() if c]


def judge(pool: Pool, limit: float) -> Problem | None:
    """Return what is wrong, or None.

    The normal's rate bounds that of every symmetric uniform and truncated law (strictly
    sub-Gaussian), so that different laws can be added.
    """
    ratio = pool.squares / pool.number
    log_square = -pool.number * (ratio - 1 - math.log(ratio)) / 2 if ratio > 0 else -math.inf
    z = pool.total / math.sqrt(pool.number)
    log_mean = math.log(2) - z * z / 2
    narrow = pool.dtype not in ("float32", "float64")
    if log_square < limit:
        off = math.sqrt(ratio) - 1
        hint = "one scale for all?"
        if narrow:
            hint = "rounded towards 0 (truncated bits), or drawn in few bits?"
        text = (
            f"all {pool.dtype} weights together have a stddev {100 * abs(off):.2g} % too "
            f"{'small' if off < 0 else 'large'} ({pool.number:,} values): {hint}"
        )
        return Problem("precision" if narrow else "stddev", (), text, log_square)
    if log_mean < limit:
        off = pool.total / pool.number
        where = "below" if off < 0 else "above"
        hint = ": rounded down, or drawn in few bits?" if narrow else ""
        text = (
            f"all {pool.dtype} weights together have a mean {100 * abs(off):.2g} % of a stddev "
            f"{where} what is promised ({pool.number:,} values, z {z:+.1f}){hint}"
        )
        return Problem("precision" if narrow else "mean", (), text, log_mean)
    return None
