# SPDX-License-Identifier: Apache-2.0
"""glibc's float64 log1p: Sun Microsystems' algorithm of 1993.

1 + x = 2**k (1 + f) with 1 + f between sqrt(1/2) and sqrt(2), corrected by what rounding 1 + x cut
off; then ln(1 + f) = f - f**2/2 + s (f**2/2 + R(s**2)) with s = f / (2 + f).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from glorot.replay._arithmetic import MultiplyAdd, multiply_add
from glorot.replay._blocks import Float64, in_blocks

_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
_L1, _L2, _L3, _L4, _L5, _L6, _L7 = (
    6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01,
    2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01,
    1.479819860511658591e-01,
)  # fmt: skip
_TWO_THIRDS = 0.66666666666666666
_STRAIGHT_LOW, _STRAIGHT_HIGH = -float.fromhex("0x1.2bec4p-2"), float.fromhex("0x1.a827ap-2")
_SQRT2 = 0x6A09E  # the upper 20 bits of its mantissa
_SMALL, _TINY = 2.0**-29, 2.0**-54


def log1p64(x: Any, arithmetic: str = "fma") -> Float64:
    """Return glibc's `log1p` of float64 values: ln(1 + x).

    Args:
        x: float64, any shape; any value, as in C: of -1 it is -inf, below -1 a NaN.
        arithmetic: "fma" as on a processor with fused multiply-add, "default" as on one without
            (and as on any, before glibc 2.39, which some distributions' older ones follow).

    Returns:
        float64, the shape of `x`.

    Raises:
        ValueError: another arithmetic.

    Source: glibc, sysdeps/ieee754/dbl-64/s_log1p.c.  Exact: see `_libm`.

    Example:
        >>> float(log1p64(-0.297)).hex(), float(log1p64(-0.297, "default")).hex()
        ('-0x1.68db1f70422b7p-2', '-0x1.68db1f70422b6p-2')
    """
    fma = multiply_add(arithmetic)
    x = np.asarray(x, dtype=np.float64)
    (y,) = in_blocks(lambda part: (_log1p(part, fma),), x, 1)
    return y


def _log1p(x: Float64, fma: MultiplyAdd) -> Float64:
    size = np.abs(x)
    inside = (x > -1.0) & (x < np.inf)
    plain = inside & (size >= _SMALL)
    y = _of_plain(np.where(plain, x, 0.25), fma)
    if plain.all():
        return y
    small = np.where(inside & ~plain, x, 0.0)
    y = np.where(plain, y, np.where(size < _TINY, small, small - small * small * 0.5))
    return np.where(inside, y, np.where(x == -1.0, -np.inf, np.where(x > -1.0, np.inf, np.nan)))


def _of_plain(x: Float64, fma: MultiplyAdd) -> Float64:
    f, octave, correction, upper = _split(x)
    straight = (x > _STRAIGHT_LOW) & (x < _STRAIGHT_HIGH)
    f, octave = np.where(straight, x, f), np.where(straight, 0.0, octave)
    correction = np.where(octave == 0.0, 0.0, correction)
    low = fma(octave, _LN2_LOW, correction)
    half = 0.5 * f * f
    s = f / (2.0 + f)
    z = s * s
    z2 = z * z
    z4 = z2 * z2
    rest = fma(z, _L1, z2 * fma(z, _L3, _L2))
    rest = fma(z4 * z2, fma(z, _L7, _L6), fma(z4, fma(z, _L5, _L4), rest))
    negated = (half - (s * (half + rest) + low)) - f
    near = ~straight & (upper == 0)  # |f| < 2**-20
    if near.any():
        cube = half * fma(-f, _TWO_THIRDS, 1.0)
        negated = np.where(near, (cube - low) - f, negated)
    return fma(octave, _LN2_HIGH, -negated)


def _split(x: Float64) -> tuple[Float64, Float64, Float64, NDArray[np.int64]]:
    """f, k, a correction and the upper bits of f's mantissa: 1 + x = 2**k (1 + f)."""
    huge = x >= 2.0**53  # where 1 + x is x
    u = np.where(huge, x, 1.0 + x)
    bits = u.view(np.int64)
    octave = (bits >> 52) - 1023
    cut_off = np.where(octave > 0, 1.0 - (u - x), x - (u - 1.0))
    correction = np.where(huge, 0.0, cut_off / u)
    mantissa = bits & ((1 << 52) - 1)
    upper = mantissa >> 32
    high = upper >= _SQRT2
    one = np.where(high, 1022 << 52, 1023 << 52)
    f = (mantissa | one).view(np.float64) - 1.0
    upper = np.where(high, (0x100000 - upper) >> 2, upper)
    return f, (octave + high).astype(np.float64), correction, upper
