# SPDX-License-Identifier: Apache-2.0
"""XLA's float32 `erf`, `erf_inv`, `log1p` and `log` on CPU, in NumPy, to the bit.

All are polynomials, evaluated with fused multiply-adds where XLA's compiler fuses.  Which products
it fuses with which sums was read from the code it makes, and `tests/oracle` compares every float32
that a draw can meet.

Sources: jaxlib 0.10.2.  erf_inv: M. Giles, "Approximating the erfinv function", GPU Computing Gems
2, 2011.  log: Cephes' logf.  log1p: Cephes' rational function where |x| < sqrt(2) - 1.
"""

from typing import Any

import numpy as np

from glorot.replay._fma import fma32
from glorot.replay._libm_tables import table

Array = np.ndarray[Any, np.dtype[Any]]


def _rows(name: str) -> tuple[tuple[Any, ...], ...]:
    return tuple(map(tuple, table(name).astype(np.float32)))


# Coefficients, highest power first.
_NEAR, _FAR, _LOG = _rows("xla_erfinv")
_LOG1P_OVER, _LOG1P_UNDER = _rows("xla_log1p")
_ERF_OVER = tuple(map(np.float32, (0.00022905065, 0.003408291, 0.050955694, 0.18520832, 1.1283791)))
_ERF_UNDER = tuple(
    map(np.float32, (-1.1791603e-07, 2.3547966e-05, 0.0010179626, 0.01407047, 0.11098505,
                     0.49746925, 1.0))
)  # fmt: skip
_ERF_LIMIT = np.float32(3.832507)
_LOG1P_LIMIT = np.float32(0.41421357)
_SQRT_HALF = np.float32(0.70710677)
_LN2_LOW, _LN2_HIGH = np.float32(-2.1219444e-4), np.float32(0.693359375)
_HALF, _ONE = np.float32(0.5), np.float32(1.0)


def _horner(coefficients: tuple[Any, ...], x: Array) -> Array:
    value: Array = np.broadcast_to(coefficients[0], x.shape)
    for coefficient in coefficients[1:]:
        value = fma32(value, x, np.asarray(coefficient))
    return value


def log(x: Array) -> Array:
    """The natural logarithm of float32 numbers; normal and above 0."""
    bits = x.view(np.uint32)
    exponent = ((bits >> np.uint32(23)).astype(np.int32) - 126).astype(np.float32)
    m = (bits & np.uint32(0x007FFFFF) | np.uint32(0x3F000000)).view(np.float32)
    small = m < _SQRT_HALF
    t = (m - _ONE) + np.where(small, m, np.float32(0.0))
    exponent = exponent - np.where(small, _ONE, np.float32(0.0))
    square = t * t
    cube = square * t
    y = _horner(_LOG[0:3], t)
    y = fma32(y, cube, _horner(_LOG[3:6], t))
    y = fma32(y, cube, _horner(_LOG[6:9], t))
    y = fma32(y, cube, exponent * _LN2_LOW)
    result: Array = (t - square * _HALF + y) + exponent * _LN2_HIGH
    return result


def log1p(x: Array) -> Array:
    """log(1 + x) of float32 numbers above -1."""
    square = x * x
    ratio = _horner(_LOG1P_OVER, x) / _horner(_LOG1P_UNDER, x)
    near = x + fma32(square, -_HALF, (x * square) * ratio)
    far = log(np.maximum(_ONE + x, np.finfo(np.float32).tiny))
    return np.where(np.abs(x) < _LOG1P_LIMIT, near, far)


def erf_inv(u: Array) -> Array:
    """The inverse of erf for float32 numbers in [-1, 1]; -1 and 1 give infinities."""
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        w = -log1p(u * -u)
        near = w < np.float32(5.0)
        t = np.where(near, w - np.float32(2.5), np.sqrt(w) - np.float32(3.0))
        pairs = [np.where(near, a, b) for a, b in zip(_NEAR, _FAR, strict=True)]
        value: Array = pairs[0]
        for coefficient in pairs[1:]:
            value = fma32(value, t, coefficient)
        return np.where(np.abs(u) == _ONE, u * np.float32(np.inf), u * value)


def erf(x: Array) -> Array:
    """The error function of float32 numbers."""
    with np.errstate(over="ignore", invalid="ignore"):
        square = x * x
        value = x * _horner(_ERF_OVER, square) / _horner(_ERF_UNDER, square)
    return np.where(np.abs(x) >= _ERF_LIMIT, np.copysign(_ONE, x), value)
