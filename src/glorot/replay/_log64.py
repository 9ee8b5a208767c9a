# SPDX-License-Identifier: Apache-2.0
"""glibc's float64 logarithm.

x = 2**k z, and z lies near the c of one of 128 parts of an octave: ln x = k ln 2 + ln c + ln(z/c),
the last a polynomial of r = z/c - 1.  Near 1, where such a sum cancels, a longer polynomial of
x - 1 whose first two terms are added as a pair of floats.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from glorot.replay._arithmetic import MultiplyAdd, multiply_add
from glorot.replay._blocks import Float64, in_blocks
from glorot.replay._libm_tables import table

_hex = float.fromhex
_OCTAVE_START = np.uint64(0x3FE6000000000000)  # bits of 0.6875
_EXPONENT = np.uint64(0xFFF << 52)
_LN2_HIGH, _LN2_LOW = _hex("0x1.62e42fefa38p-1"), _hex("0x1.ef35793c7673p-45")
_A0, _A1, _A2, _A3, _A4 = (_hex(x) for x in (
    "-0x1.0000000000001p-1", "0x1.555555551305bp-2", "-0x1.fffffffeb459p-3",
    "0x1.999b324f10111p-3", "-0x1.55575e506c89fp-3",
))  # fmt: skip
_NEAR_LOW, _NEAR_HIGH = 1 - 2.0**-4, 1 + _hex("0x1.09p-4")
_B1, _B2, _B3, _B4, _B5, _B6, _B7, _B8, _B9, _B10 = (_hex(x) for x in (
    "0x1.5555555555577p-2", "-0x1.ffffffffffdcbp-3", "0x1.999999995dd0cp-3",
    "-0x1.55555556745a7p-3", "0x1.24924a344de3p-3", "-0x1.fffffa4423d65p-4",
    "0x1.c7184282ad6cap-4", "-0x1.999eb43b068ffp-4", "0x1.78182f7afd085p-4",
    "-0x1.5521375d145cdp-4",
))  # fmt: skip


def log64(x: Any, arithmetic: str = "fma") -> Float64:
    """Return glibc's `log` of float64 values.

    Args:
        x: float64, any shape; any value, as in C: of 0 the logarithm is -inf, below 0 a NaN.
        arithmetic: "fma" as on a processor with fused multiply-add, "default" as on one without
            (and as on any, where the library holds no variants).

    Returns:
        float64, the shape of `x`.

    Raises:
        ValueError: another arithmetic.

    Source: glibc >= 2.29, sysdeps/ieee754/dbl-64/e_log.c and e_log_data.c.  Exact: see `_libm`.

    Example:
        >>> float(log64(0.9107)).hex(), float(log64(0.9107, "default")).hex()
        ('-0x1.7f25a0d0b7274p-4', '-0x1.7f25a0d0b7273p-4')
    """
    fma = multiply_add(arithmetic)
    x = np.asarray(x, dtype=np.float64)
    (y,) = in_blocks(lambda part: (_log(part, fma, arithmetic == "fma"),), x, 1)
    return y


def _log(x: Float64, fma: MultiplyAdd, fused: bool) -> Float64:
    bits = x.view(np.uint64)
    tiny = np.abs(x) < 2.0**-1022
    if tiny.any():  # subnormal: as if the exponent went on below -1022
        bits = bits.copy()
        bits[tiny] = (x[tiny] * 2.0**52).view(np.uint64) - np.uint64(52 << 52)
    y = _far_from_one(bits, fma, fused)
    near = (x >= _NEAR_LOW) & (x < _NEAR_HIGH)
    if near.any():
        y[near] = _near_one(x[near], fma)
    outside = ~((x > 0.0) & (x < np.inf))
    if outside.any():
        y[outside] = np.where(x == 0.0, -np.inf, np.where(x > 0.0, np.inf, np.nan))[outside]
    return y


def _far_from_one(bits: NDArray[np.uint64], fma: MultiplyAdd, fused: bool) -> Float64:
    place = bits - _OCTAVE_START
    part = (place >> np.uint64(45)) & np.uint64(127)
    octave = (place.view(np.int64) >> np.int64(52)).astype(np.float64)
    z = (bits - (place & _EXPONENT)).view(np.float64)
    inverse_c, log_c, c_high, c_low = table("log64")[part.astype(np.intp)].T
    r = fma(z, inverse_c, -1.0) if fused else ((z - c_high) - c_low) * inverse_c
    start = octave * _LN2_HIGH + log_c  # exact
    high = start + r
    low = fma(octave, _LN2_LOW, (start - high) + r)
    r2 = r * r
    rest = fma(r2, fma(r, _A4, _A3), fma(r, _A2, _A1))
    return np.asarray(fma(r * r2, rest, fma(r2, _A0, low)) + high)


def _near_one(x: Float64, fma: MultiplyAdd) -> Float64:
    r = x - 1.0
    r2 = r * r
    r3 = r * r2
    rest = fma(r3, _B10, fma(r2, _B9, fma(r, _B8, _B7)))
    rest = fma(r3, rest, fma(r2, _B6, fma(r, _B5, _B4)))
    rest = fma(r3, rest, fma(r2, _B3, fma(r, _B2, _B1)))
    shifted = r * 2.0**27
    r_high = (r + shifted) - shifted  # 26 bits, so that its square is exact
    square = r_high * r_high * -0.5
    high = r + square
    low = fma(-0.5 * (r - r_high), r_high + r, (r - high) + square)
    return np.asarray(high + fma(r3, rest, low)) + 0.0  # of 1 it is 0, not -0
