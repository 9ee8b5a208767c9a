# SPDX-License-Identifier: Apache-2.0
"""glibc's float64 sine and cosine, computed together, as its `sincos` does.

The angle is brought near 0, as a + da, and quarter turns are counted.  The sine and the cosine of
a + da come from those of the nearest k/128, or from a polynomial where the sine is small.

The frameworks' compilers join `sin` and `cos` of one angle into `sincos`.  On processors with FMA
the three differ before glibc 2.36, where `sincos` had no variant of its own.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from glorot.replay._arithmetic import MultiplyAdd, multiply_add
from glorot.replay._blocks import Float64, in_blocks
from glorot.replay._libm_tables import table

_hex = float.fromhex
_LIMIT = 105414336.0  # glibc's own, by the upper half of the float64: 0x419921FB
_BELOW, _MIDDLE = _hex("0x1.b6p-1"), _hex("0x1.368fdp+1")  # 0.855..., 2.426...
_TINY = 2.0**-27  # below it sin(x) is x and cos(x) is 1
_POLYNOMIAL = 0.126  # sines of less than this take no table

_HALF_PI, _HALF_PI_LOW = _hex("0x1.921fb54442d18p+0"), _hex("0x1.1a62633145c07p-54")
_TWO_OVER_PI = _hex("0x1.45f306dc9c883p-1")
# Of pi/2; a count of quarters times one of the first three is exact.
_PARTS = tuple(_hex(x) for x in (
    "0x1.921fb58p+0", "-0x1.dde973cp-27", "-0x1.cb3b398p-55", "-0x1.d747f23e32ed7p-83",
))  # fmt: skip
_INTEGERS, _STEPS = 1.5 * 2.0**52, 1.5 * 2.0**45  # adding one rounds to an integer, to k/128

_S1, _S2, _S3, _S4, _S5 = (_hex(x) for x in (
    "-0x1.5555555555555p-3", "0x1.1111111110ecep-7", "-0x1.a01a019db08b8p-13",
    "0x1.71de27b9a7ed9p-19", "-0x1.addffc2fcdf59p-26",
))  # fmt: skip
_SN3, _SN5 = -1.66666666666664880952546298448555e-01, 8.33333214285722277379541354343671e-03
_CS4, _CS6 = -4.16666666666664434524222570944589e-02, 1.38888874007937613028114285595617e-03


def sincos64(x: Any, arithmetic: str = "fma") -> tuple[Float64, Float64]:
    """Return glibc's `sincos` of float64 angles.

    Args:
        x: angles in radians, float64, any shape; finite, of magnitude below 105414336.
        arithmetic: "fma" as on a processor with fused multiply-add, "default" as on one without
            (and as on any, before glibc 2.36).

    Returns:
        (sine, cosine), float64, each the shape of `x`.

    Raises:
        ValueError: another arithmetic; an angle that is larger, infinite or a NaN, which needs a
            reduction that no normal number needs.

    Source: glibc >= 2.28, sysdeps/ieee754/dbl-64/s_sincos.c, s_sin.c, sincostab.c.  Exact: see
    `_libm`.

    Example:
        >>> float(sincos64(0.259)[0]).hex(), float(sincos64(0.259, "default")[0]).hex()
        ('0x1.0642c1d85096ep-2', '0x1.0642c1d85096fp-2')
    """
    fma = multiply_add(arithmetic)
    x = np.asarray(x, dtype=np.float64)
    if not (np.abs(x) < _LIMIT).all():
        raise ValueError(
            f"sincos64 takes angles of magnitude below {_LIMIT:.0f}; take larger ones, infinities "
            "and NaNs out first."
        )
    sine, cosine = in_blocks(lambda part: _sincos(part, fma), x, 2)
    return sine, cosine


def _sincos(x: Float64, fma: MultiplyAdd) -> tuple[Float64, Float64]:
    a, da, quarter = _reduced(x, fma)
    size = np.abs(a)
    steps = size + _STEPS
    k = (steps.view(np.int64) & 127).astype(np.intp)
    near = size - (steps - _STEPS)
    row = table("sincos64")[k].T
    outward = np.where(a < 0.0, -da, da)
    sine = np.copysign(_sine(near, outward, row, fma), a)
    cosine = _cosine(near + outward, row, fma)
    small = size < _POLYNOMIAL
    if small.any():
        sine[small] = _small_sine(a[small], da[small], fma)
    cosine = np.where(quarter & 2, -cosine, cosine)
    odd = (quarter & 1).astype(np.bool_)
    sine, cosine = np.where(odd, cosine, sine), np.where(odd, sine, cosine)
    tiny = np.abs(x) < _TINY
    return np.where(tiny, x, sine), np.where(tiny, 1.0, cosine)


def _reduced(x: Float64, fma: MultiplyAdd) -> tuple[Float64, Float64, NDArray[np.int64]]:
    """(a, da, quarter): the angle less a multiple of pi/2 as a sum, and that multiple modulo 4.

    In quarters 1 and 2 a and da are negated: a + da then has the sine of an angle whose sine or
    cosine it gives.
    """
    size = np.abs(x)
    turns = fma(x, _TWO_OVER_PI, _INTEGERS)
    quarter = turns.view(np.int64) & 3
    turns = turns - _INTEGERS
    # All products but the last are exact, so that fused and not fused are the same.
    first, second, third, fourth = _PARTS
    left = (x - turns * first) - turns * second
    most = left - turns * third
    rest = (left - most) - turns * third
    a = fma(-turns, fourth, most)
    da = rest + fma(-turns, fourth, most - a)
    negated = (quarter == 1) | (quarter == 2)
    a, da = np.where(negated, -a, a), np.where(negated, -da, da)
    # Where one subtraction from pi/2, or none, is enough:
    distance = _HALF_PI - size
    whole = distance + _HALF_PI_LOW
    middle, below = size < _MIDDLE, size < _BELOW
    a = np.where(below, x, np.where(middle, whole, a))
    da = np.where(below, 0.0, np.where(middle, (distance - whole) + _HALF_PI_LOW, da))
    quarter = np.where(below, 0, np.where(middle, np.where(x < 0.0, 3, 1), quarter))
    return a, da, quarter


def _sine(x: Float64, dx: Float64, row: Float64, fma: MultiplyAdd) -> Float64:
    """The sine of k/128 + x + dx."""
    sine, sine_low, cosine, cosine_low = row
    x2 = x * x
    s = x + fma(x * x2, fma(x2, _SN5, _SN3), dx)
    c = fma(x, dx, x2 * fma(x2, fma(x2, _CS6, _CS4), 0.5))  # 1 - cos
    rest = fma(s, cosine, fma(-c, sine, fma(s, cosine_low, sine_low)))
    return np.asarray(sine + rest)


def _cosine(x: Float64, row: Float64, fma: MultiplyAdd) -> Float64:
    """The cosine of k/128 + x."""
    sine, sine_low, cosine, cosine_low = row
    x2 = x * x
    s = fma(x * x2, fma(x2, _SN5, _SN3), x)
    c = x2 * fma(x2, fma(x2, _CS6, _CS4), 0.5)
    rest = fma(-s, sine, fma(-c, cosine, fma(-s, sine_low, cosine_low)))
    return np.asarray(cosine + rest)


def _small_sine(x: Float64, dx: Float64, fma: MultiplyAdd) -> Float64:
    x2 = x * x
    p = fma(x2, fma(x2, fma(x2, fma(x2, _S5, _S4), _S3), _S2), _S1)
    return np.asarray(x + fma(x2, fma(p, x, -0.5 * dx), dx))
