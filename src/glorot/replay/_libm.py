# SPDX-License-Identifier: Apache-2.0
"""The C library's log, sin and cos as the frameworks' normals use them, on any machine.

`logf` and `sincosf` are glibc's of float32, `log64`, `log1p64` and `sincos64` those of float64, in
plain NumPy float64 and integer arithmetic, so every machine gives the same bits.

The float64 ones come in two arithmetics, since glibc holds them twice and picks by the processor;
`arithmetics` tells which it takes.  Float64 normals call them so: TensorFlow, and torch from 16
values on, `log` and `sincos`; torch below 16 values `log1p` and `sincos`.

tools/check_libm.sh compares each with the C library, in both arithmetics.  On Debian 12 (glibc
2.36) no value differed, of these many arguments and how many the other arithmetic gets wrong:

    logf      every float32 from 2**-126 to 1, 1056964609                 none
    sincosf   every float32 from 0 to 2 pi, 1086918621                    none
    log       2 * 10**8 uniforms, 2 * 10**7 others, 391391 at edges       1 in 9600
    log1p     10**8 uniforms, 2 * 10**7 others, 13512 at edges            1 in 2300
    sincos    10**8 angles, 2 * 10**7 others, 3545545 at edges            1 in 730

"fma" was read from that library's machine code (gcc 12).  The C source leaves to the compiler which
products it fuses, so a glibc built by another compiler may differ in the last bit of a few values.
"""

from glorot._check import show
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

    Read from the sources of glibc 2.29 to 2.42, whose formulas and tables are the same; run on 2.36
    alone.

    Args:
        glibc: the C library's version, (2, 29) or later.
        fma: whether the processor has FMA and AVX2 (from 2013 on, most have).

    Returns:
        {"log": ..., "sincos": ..., "log1p": ...}, each "fma" or "default".  Distributions take
        parts of later versions into their own: the log1p of Debian's 2.36 is that of 2.39.

    Raises:
        ValueError: an older version, whose logarithm is another.
        TypeError: no version.

    Example:
        >>> arithmetics((2, 35))
        {'log': 'fma', 'sincos': 'default', 'log1p': 'default'}
    """
    if not isinstance(glibc, tuple) or [*map(type, glibc)] != [int, int]:
        raise TypeError(f"`glibc` must be two integers, such as (2, 39); got {show(glibc)}.")
    if glibc < _OLDEST:
        raise ValueError(
            f"glibc is {glibc!r}; give (2, 29) or later: older ones compute logarithms differently."
        )
    return {
        name: "fma" if fma and glibc >= since else "default" for name, since in _FUSED_SINCE.items()
    }
