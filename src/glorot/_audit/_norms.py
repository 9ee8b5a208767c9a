# SPDX-License-Identifier: Apache-2.0
"""How unlikely the norms of a weight are, which weight norm keeps: their mean and their spread."""

import math
from typing import Any

import numpy as np

from glorot._audit._bytes import unit
from glorot._audit._facts import Facts, Finding
from glorot._audit._measure import Measure
from glorot._audit._promise import NORMS

_STEPS = 8
_ROUGH = 0.25  # steps of the dtype, in stddevs, above which rounding is what spreads the norms


def judge_norms(facts: Facts, limit: float) -> Finding | None:
    """Return what is wrong with the norms of a weight, or None."""
    found, segment = facts.found, facts.segment
    if segment.kind != NORMS:
        return None
    log_p = _off(found, segment.mean, segment.stddev, facts.dtype)
    if log_p >= limit:
        return None
    text = (
        f"norms of mean {found.mean:.4g} and stddev {found.stddev:.2g}, where {segment.mean:.4g} "
        f"and {segment.stddev:.2g} are promised: not those of the weight's first values?"
    )
    return Finding("norms", (), text, log_p)


def _off(found: Measure, mean: float, stddev: float, dtype: np.dtype[Any]) -> float:
    """log p of the more unlikely of the two, at most 0.

    A norm changes by no more than the values do, and so is sub-Gaussian with their variance, which
    is twice that of the norms where the values are normal; the bound is for that.
    """
    if found.finite < 1:
        return 0.0
    step = unit(dtype) * mean
    if not stddev:  # all are of one length, but for rounding
        off = max(abs(found.smallest - mean), abs(found.largest - mean))
        return -math.inf if off > _STEPS * step else 0.0
    away = max(0.0, abs(found.mean - mean) - step / 2) / stddev
    log_p = math.log(2) - found.finite * away * away / 4
    if step < _ROUGH * stddev and found.finite > 1:
        ratio = found.square(mean) / stddev**2
        rate = (ratio - 1 - math.log(ratio)) / 2 if ratio else math.inf
        log_p = min(log_p, math.log(2) - found.finite * rate / 2)
    return min(0.0, log_p)
