# SPDX-License-Identifier: Apache-2.0
"""The float32 log, sine and cosine that torch's kernels for AVX2 and AVX-512 draw normals with.

Cephes' polynomials (S. L. Moshier, 1992), as J. Pommier and G. Garberoglio wrote them for vectors,
evaluated in float32.  torch's compiler fuses products with sums: `fma32` stands exactly where it
does, and nowhere else.  Only what Box-Muller needs: logarithms of (0, 1], angles of [0, 2 pi).
"""

import numpy as np
from numpy.typing import NDArray

from glorot.replay._fma import fma32

Float32 = NDArray[np.float32]

_LOG = tuple(np.float32(x) for x in (
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
    -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
))  # fmt: skip
_LN2_LOW, _LN2_HIGH = np.float32(-2.12194440e-4), np.float32(0.693359375)
_SQRT_HALF = np.float32(0.707106781186547524)

_FOUR_OVER_PI = np.float32(1.27323954473516)
_MINUS_QUARTER_PI = tuple(  # in three parts, whose products by small integers are exact
    np.float32(x) for x in (-0.78515625, -2.4187564849853515625e-4, -3.77489497744594108e-8)
)
_SIN = tuple(np.float32(x) for x in (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1))
_COS = tuple(np.float32(x) for x in (2.443315711809948e-5, -1.388731625493765e-3,
                                     4.166664568298827e-2))  # fmt: skip


def log(x: Float32) -> Float32:
    """The natural logarithm of normal float32 numbers in (0, 1]."""
    bits = x.view(np.uint32)
    exponent = (bits >> np.uint32(23)).astype(np.int32) - np.int32(126)
    half_to_one = (bits & np.uint32(0x007FFFFF) | np.uint32(0x3F000000)).view(np.float32)
    below = half_to_one < _SQRT_HALF
    e = (exponent - below).astype(np.float32)
    m = half_to_one - np.float32(1)
    m = m + np.where(below, half_to_one, np.float32(0))
    squared = m * m
    y = np.full_like(m, _LOG[0])
    for coefficient in _LOG[1:]:
        y = fma32(y, m, coefficient)
    y = fma32(y * m, squared, e * _LN2_LOW)
    y = y - squared * np.float32(0.5)
    return np.asarray(m + y + e * _LN2_HIGH)


def sincos(x: Float32) -> tuple[Float32, Float32]:
    """(sine, cosine) of float32 angles in [0, 2 pi]."""
    octant = ((x * _FOUR_OVER_PI).astype(np.int32) + np.int32(1)) & np.int32(~1)
    j = octant.astype(np.float32)
    for part in _MINUS_QUARTER_PI:
        x = fma32(j, part, x)
    squared = x * x
    c = fma32(fma32(_COS[0], squared, _COS[1]), squared, _COS[2]) * squared
    of_cosine = fma32(c, squared, -(squared * np.float32(0.5))) + np.float32(1)
    s = fma32(fma32(_SIN[0], squared, _SIN[1]), squared, _SIN[2]) * squared
    of_sine = fma32(s, x, x)
    straight = octant & 2 == 0
    sine = np.where(straight, of_sine, of_cosine)
    cosine = np.where(straight, of_cosine, of_sine)
    sine = np.where(octant & 4 == 0, sine, -sine)
    cosine = np.where(octant - 2 & 4 == 0, -cosine, cosine)
    return sine, cosine
