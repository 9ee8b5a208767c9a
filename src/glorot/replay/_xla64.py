# SPDX-License-Identifier: Apache-2.0
"""XLA's float64 inverse error function on a CPU: what JAX's float64 normals compute.

XLA writes it out before it compiles: with w = -log1p(-x**2), a polynomial of w - 3.125, sqrt(w) -
3.25 or sqrt(w) - 5 times x; log1p near 0 a quotient of polynomials, else the C library's log of
1 + x.  On a processor with FMA its compiler fuses every product that one sum alone uses.
"""

from typing import Any

import numpy as np

from glorot.replay._arithmetic import MultiplyAdd, multiply_add
from glorot.replay._blocks import Float64, in_blocks
from glorot.replay._log64 import log64

_LOG1P_LIMIT = float.fromhex(
    "0x1.a827999fcef32p-2"
)  # near sqrt(2) - 1: quotient below, log from here on
_NUMERATOR = (
    4.52700008624452e-05, 0.49854102823193375, 6.578732594206104, 29.911919328553072,
    60.94966798098779, 57.11296359058554, 20.039553499201283,
)  # fmt: skip
_DENOMINATOR = (
    1.0, 15.062909083469192, 83.04756596796722, 221.76239823732857, 309.09872225312057,
    216.42788614495947, 60.11866049760384,
)  # fmt: skip
# M. Giles, "Approximating the erfinv function", GPU Computing Gems, Jade edition, 2011: below 6.25,
# below 16, and above.
_CENTRAL = (
    -3.64441206401782e-21, -1.6850591381820166e-19, 1.28584807152564e-18, 1.1157877678025181e-17,
    -1.333171662854621e-16, 2.0972767875968562e-17, 6.637638134358324e-15, -4.054566272975207e-14,
    -8.151934197605472e-14, 2.6335093153082323e-12, -1.2975133253453532e-11,
    -5.415412054294628e-11, 1.0512122733215323e-09, -4.112633980346984e-09,
    -2.9070369957882005e-08, 4.2347877827932404e-07, -1.3654692000834679e-06,
    -1.3882523362786469e-05, 0.00018673420803405714, -0.000740702534166267, -0.006033670871430149,
    0.24015818242558962, 1.6536545626831027,
)  # fmt: skip
_MIDDLE = (
    2.2137376921775787e-09, 9.075656193888539e-08, -2.7517406297064545e-07,
    1.8239629214389228e-08, 1.5027403968909828e-06, -4.013867526981546e-06,
    2.9234449089955446e-06, 1.2475304481671779e-05, -4.7318229009055734e-05,
    6.828485145957318e-05, 2.4031110387097894e-05, -0.0003550375203628475, 0.0009532893797373805,
    -0.0016882755560235047, 0.002491442096107851, -0.003751208507569241, 0.005370914553590064,
    1.0052589676941592, 3.0838856104922208,
)  # fmt: skip
_TAIL = (
    -2.7109920616438573e-11, -2.555641816996525e-10, 1.5076572693500548e-09,
    -3.789465440126737e-09, 7.61570120807834e-09, -1.496002662714924e-08, 2.914795345090108e-08,
    -6.771199775845234e-08, 2.2900482228026655e-07, -9.9298272942317e-07, 4.526062597223154e-06,
    -1.968177810553167e-05, 7.599527703001776e-05, -0.00021503011930044477,
    -0.00013871931833623122, 1.0103004648645344, 4.849906401408584,
)  # fmt: skip


def erf_inv64(x: Any, arithmetic: str = "fma") -> Float64:
    """Return `jax.lax.erf_inv` of float64 values, as XLA computes it on a CPU.

    Args:
        x: float64, any shape; any value: of -1 and 1 the result is infinite, beyond them a NaN.
        arithmetic: "fma" as on a processor with fused multiply-add, "default" as on one without.

    Returns:
        float64, the shape of `x`.

    Raises:
        ValueError: another arithmetic.

    Source: jaxlib 0.10.2, read from the LLVM code and the machine code that XLA writes for x86-64
    (--xla_dump_to), with glibc's `log` as `log64` gives it.  Exact: of 10**8 uniforms as
    jax.random.normal draws them, 10**7 arguments near 1 and 10**7 of every magnitude none differed,
    in both arithmetics (tests/oracle/make_xla_vectors.py).

    Example:
        >>> float(erf_inv64(0.5)).hex()
        '0x1.e861fbb24c008p-2'
    """
    fma = multiply_add(arithmetic)
    x = np.asarray(x, dtype=np.float64)
    (y,) = in_blocks(lambda part: (_erf_inv(part, fma, arithmetic),), x, 1)
    return y


def _erf_inv(x: Float64, fma: MultiplyAdd, arithmetic: str) -> Float64:
    inside = np.abs(x) < 1.0
    u = x if inside.all() else np.where(inside, x, 0.0)
    log = _log1p(u * -u, fma, arithmetic)
    factor = _horner(_CENTRAL, -3.125 - log, fma)
    outer = log <= -6.25
    if outer.any():
        root = np.sqrt(-log[outer])
        middle, tail = _horner(_MIDDLE, root - 3.25, fma), _horner(_TAIL, root - 5.0, fma)
        factor[outer] = np.where(log[outer] > -16.0, middle, tail)
    y = u * factor
    y = np.where(np.abs(y) < 2.0**-1022, np.copysign(0.0, x), y)  # XLA flushes subnormals to 0
    if u is not x:
        beyond = np.where(np.abs(x) == 1.0, np.copysign(np.inf, x), np.nan)
        y = np.where(inside, y, beyond)
    return y


def _log1p(x: Float64, fma: MultiplyAdd, arithmetic: str) -> Float64:
    """XLA's log1p of values in (-1, 0]."""
    x2 = x * x
    quotient = _horner(_NUMERATOR, x, fma) / _horner(_DENOMINATOR, x, fma)
    y = x + (x2 * -0.5 + x * x2 * quotient)  # half of x2 is exact, fused or not
    large = np.abs(x) >= _LOG1P_LIMIT
    if large.any():
        y[large] = log64(x[large] + 1.0, arithmetic)
    return y


def _horner(coefficients: tuple[float, ...], x: Float64, fma: MultiplyAdd) -> Float64:
    """The polynomial with these coefficients, highest power first."""
    y = fma(x, coefficients[0], coefficients[1])
    for coefficient in coefficients[2:]:
        y = fma(x, y, coefficient)
    return y
