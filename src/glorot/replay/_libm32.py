# SPDX-License-Identifier: Apache-2.0
"""glibc's float32 logarithm, sine and cosine, for the arguments Box-Muller gives them.

TensorFlow, and torch without AVX2, turn uniforms to normals with the C library's `logf`, `sinf`,
`cosf` or `sincosf`.  Those of glibc 2.28 and later are not correctly rounded: they evaluate a short
polynomial in float64 and round once.  The same float64 operations, in the same order, give the same
bits.  glibc has variants with and without fused multiply-add, which differ in float64 and agree
once rounded, for every float32 argument of the ranges below: see `_libm`.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from glorot.replay._blocks import in_blocks
from glorot.replay._libm_tables import table

Float32 = NDArray[np.float32]

_hex = float.fromhex
_LN2 = _hex("0x1.62e42fefa39efp-1")
_LOG_POLYNOMIAL = tuple(
    _hex(x) for x in ("-0x1.00ea348b88334p-2", "0x1.5575b0be00b6ap-2", "-0x1.ffffef20a4123p-2")
)
_OCTAVE_START = 0x3F330000  # bits of 0.699, where octaves are cut, so that 1 is a c and ln 1 is 0

_HALF_PI = _hex("0x1.921FB54442D18p0")
_QUARTERS = _hex("0x1.45F306DC9C883p+23")  # 2**24 / (pi/2)
_COS = tuple(_hex(x) for x in (
    "-0x1.ffffffd0c621cp-2", "0x1.55553e1068f19p-5", "-0x1.6c087e89a359dp-10",
    "0x1.99343027bf8c3p-16",
))  # fmt: skip
_SIN = tuple(
    _hex(x) for x in ("-0x1.555545995a603p-3", "0x1.1107605230bc4p-7", "-0x1.994eb3774cf24p-13")
)
_SMALL = np.float32(2.0**-12)  # below it sin(x) is x and cos(x) is 1


def logf(x: Any) -> Float32:
    """Return glibc's `logf` of float32 values in (0, 1].

    Args:
        x: float32 values, any shape, from the least normal number, 2**-126, to 1.

    Returns:
        float32, the shape of `x`.

    Source: glibc >= 2.28, sysdeps/ieee754/flt-32/e_logf.c.

    Example:
        >>> import numpy as np
        >>> float(logf(np.float32(0.5))).hex()
        '-0x1.62e4300000000p-1'
    """
    (y,) = in_blocks(lambda part: (_logf(part),), np.asarray(x, dtype=np.float32), 1)
    return y


def _logf(x: Float32) -> Float32:
    bits = x.view(np.uint32)
    place = bits - np.uint32(_OCTAVE_START)
    part = (place >> np.uint32(19)) & np.uint32(15)
    octave = place.view(np.int32) >> np.int32(23)
    inverse_c, log_c = table("logf").T
    z = (bits - (place & np.uint32(0xFF800000))).view(np.float32).astype(np.float64)
    r = z * inverse_c[part] - 1.0
    start = log_c[part] + octave * _LN2
    squared = r * r
    a0, a1, a2 = _LOG_POLYNOMIAL
    y = a1 * r + a2
    y = a0 * squared + y
    y = y * squared + (start + r)
    return np.asarray(y, dtype=np.float32)


def sincosf(x: Any) -> tuple[Float32, Float32]:
    """Return glibc's `sinf` and `cosf` (`sincosf` gives the same) of float32 angles in [0, 2 pi].

    Args:
        x: angles in radians, float32 from 0 to the float32 next above 2 pi, any shape.

    Returns:
        (sine, cosine), float32, each the shape of `x`.

    Source: glibc >= 2.28, sysdeps/ieee754/flt-32/s_sincosf.c.

    Example:
        >>> import numpy as np
        >>> [float(value).hex() for value in sincosf(np.float32(1.0))]
        ['0x1.aed5480000000p-1', '0x1.14a2800000000p-1']
    """
    sine, cosine = in_blocks(_sincosf, np.asarray(x, dtype=np.float32), 2)
    return sine, cosine


def _sincosf(x: Float32) -> tuple[Float32, Float32]:
    angle = x.astype(np.float64)
    # The nearest quarter turn, rounded in fixed point with 24 bits of fraction.
    quarter = ((angle * _QUARTERS).astype(np.int32) + 0x800000) >> 24
    r = angle - quarter * _HALF_PI
    sine_sign = np.where((quarter + 1) & 2, -1.0, 1.0)  # -1 in quarters 1 and 2 of 0..3
    cosine_sign = np.where(quarter & 2, -1.0, 1.0)
    s1, s2, s3 = _SIN
    c1, c2, c3, c4 = (cosine_sign * c for c in _COS)
    signed = r * sine_sign
    r2 = r * r
    cube, r4 = signed * r2, r2 * r2
    of_sine = (signed + cube * s1) + (cube * r2) * (s2 + r2 * s3)
    of_cosine = ((cosine_sign + r2 * c1) + r4 * c2) + (r4 * r2) * (c3 + r2 * c4)
    swap = (quarter & 1).astype(np.bool_)
    small = x < _SMALL
    sine = np.where(small, angle, np.where(swap, of_cosine, of_sine)).astype(np.float32)
    cosine = np.where(small, 1.0, np.where(swap, of_sine, of_cosine)).astype(np.float32)
    return sine, cosine
