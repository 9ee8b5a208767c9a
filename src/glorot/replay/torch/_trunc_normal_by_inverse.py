# SPDX-License-Identifier: Apache-2.0
"""torch's trunc_normal_ before 2.13, and timm's: uniforms through the inverse normal CDF.

    uniform_(2 cdf(a) - 1, 2 cdf(b) - 1).erfinv_().mul_(std sqrt(2)).add_(mean).clamp_(a, b)

Each step is rounded in the dtype.  All are replayed to the bit but `erfinv`, which is MKL's and
known only by its values.  Here it is computed in float64 and rounded: that gives torch's value for
every number of the half types, for all but 3 in 10,000 of float32, which are the next number, and
in float64 one that is at most 3 units in the last place away.
"""

import math
from typing import Any

import numpy as np

from glorot.replay._xla64 import erf_inv64
from glorot.replay.torch import _uniform
from glorot.replay.torch._arguments import FLOAT64, Array, DType, cast, compute_dtype
from glorot.replay.torch._generator import Generator

_erf, _erfc = np.frompyfunc(math.erf, 1, 1), np.frompyfunc(math.erfc, 1, 1)


def _float64(values: Any) -> Array:
    return np.asarray(values, dtype=np.float64)


def normal_cdf(x: float) -> float:
    """As torch computes it."""
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


def trunc_normal(
    shape: tuple[int, ...],
    mean: float,
    std: float,
    limits: tuple[float, float],
    dtype: DType,
    generator: Generator,
) -> Array:
    """A new array of what trunc_normal_(mean, std, *limits) drew."""
    low, high = (2.0 * normal_cdf((limit - mean) / std) - 1.0 for limit in limits)
    wide = compute_dtype(dtype).type
    drawn = _uniform.uniform(shape, low, high, dtype, generator, ("a", "b"))
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        values = _inverse(drawn.astype(np.float64), dtype).astype(wide)
        values = (values * wide(std * math.sqrt(2.0))).astype(dtype).astype(wide)
        values = values + wide(cast(mean, dtype))
    least, most = (cast(limit, dtype) for limit in limits)
    return np.asarray(np.minimum(np.maximum(values.astype(dtype), least), most))


def _inverse(x: Array, dtype: DType) -> Array:
    """erfinv of float64 numbers, rounded to the dtype as torch's are."""
    found = erf_inv64(x)
    if dtype != FLOAT64:
        return np.asarray(found.astype(np.float32).astype(dtype))
    # XLA's is near 0 only as good as its polynomial's constant: one step of Newton's method, with
    # the complement where x is near 1.
    size = np.abs(found)
    inner = np.abs(x) < 0.5
    miss = np.where(
        inner,
        _float64(_erf(np.where(inner, size, 0.0))) - np.abs(x),
        (1.0 - np.abs(x)) - _float64(_erfc(np.where(inner, 0.0, size))),
    )
    step = miss * np.exp(size * size) * (math.sqrt(math.pi) / 2.0)
    return np.asarray(np.where(np.abs(x) < 1.0, np.copysign(size - step, x), found))
