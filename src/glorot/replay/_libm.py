# SPDX-License-Identifier: Apache-2.0
"""The C library's log, sin and cos as the frameworks' normals use them, on any machine.

`logf` and `sincosf` are glibc's of float32, `log64`, `log1p64` and `sincos64` those of float64, in
plain NumPy float64 and integer arithmetic, so every machine gives the same bits.

The float64 ones come in two arithmetics, since glibc holds them twice and picks by the processor.
`arithmetics` tells which it takes.  Each twin equals its original for every argument tried, in both
arithmetics; tools/check_libm.sh tries 10**8 random ones of each range, and the edges, and writes
what it counts.  The "fma" one is read from the machine code of Debian 12's glibc 2.36 (gcc 12); the
C source leaves to the compiler which products it fuses, so a glibc built by another compiler may
differ in the last bit of a few values.
"""

from glorot.replay._libm32 import logf, sincosf
from glorot.replay._log1p64 import log1p64
from glorot.replay._log64 import log64
from glorot.replay._sincos64 import sincos64

__all__ = ["arithmetics", "log1p64", "log64", "logf", "sincos64", "sincosf"]

# Since which glibc a function has a variant for processors with FMA, and its algorithm.
_FUSED_SINCE = {"log": (2, 29), "sincos": (2, 36), "log1p": (2, 39)}
_OLDEST = (2, 29)


def arithmetics(glibc: tuple[int, int] = (2, 39), fma: bool = True) -> dict[str, str]:
    """The arithmetic that glibc's float64 functions use on an x86-64 processor.

    Args:
        glibc: the C library's version, (2, 29) or later.
        fma: whether the processor has FMA and AVX2 (from 2013 on, most have).

    Returns:
        {"log": ..., "sincos": ..., "log1p": ...}, each "fma" or "default".  Distributions take
        parts of later versions into their own: the log1p of Debian's 2.36 is that of 2.39.

    Raises:
        ValueError: an older version, whose logarithm is another.

    Example:
        >>> arithmetics((2, 35))
        {'log': 'fma', 'sincos': 'default', 'log1p': 'default'}
    """
    if glibc < _OLDEST:
        raise ValueError(
            f"glibc is {glibc!r}; give (2, 29) or later: older ones compute logarithms differently."
        )
    return {
        name: "fma" if fma and glibc >= since else "default" for name, since in _FUSED_SINCE.items()
    }
