# SPDX-License-Identifier: Apache-2.0
"""Box-Muller as torch does it: blocks of 16 uniforms -> 16 normals, or one pair in float64.

In a block, uniform j and uniform j + 8 make normals j and j + 8, j < 8.  Which log, sine and cosine
are used depends on the dtype and on the CPU: Cephes' in float32 on CPUs with AVX2, else the C
library's.  float64 takes the C library's everywhere, whose last bits follow the processor and the
version.  The last step of a block, times std plus mean, is always fused.
"""

import math
from collections.abc import Mapping

import numpy as np

from glorot.replay._fma import fma32, fma64
from glorot.replay._libm import log1p64, log64, logf, sincos64, sincosf
from glorot.replay.torch import _cephes
from glorot.replay.torch._arguments import FLOAT32, Array, cast

_FULL_TURN = 2.0 * math.pi
Libm = Mapping[str, str]  # the arithmetic of each of the C library's float64 functions


def blocks(unit: Array, mean: float, std: float, fused: bool, libm: Libm) -> Array:
    """Normals of shape (n, 16) from uniforms of that shape, float32 or float64."""
    u1, u2 = unit.dtype.type(1) - unit[:, :8], np.ascontiguousarray(unit[:, 8:])
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        if unit.dtype == FLOAT32:
            radius, sine, cosine = (_fused_float32 if fused else _plain_float32)(u1, u2)
            m, s = cast(mean, FLOAT32), cast(std, FLOAT32)
            pair = fma32(radius * cosine, s, m), fma32(radius * sine, s, m)
        else:
            radius = np.sqrt(-2.0 * log64(u1, libm["log"]))
            sine, cosine = sincos64(_FULL_TURN * u2, libm["sincos"])
            pair = fma64(radius * cosine, std, mean), fma64(radius * sine, std, mean)
    return np.concatenate(pair, axis=1)


def _fused_float32(u1: Array, u2: Array) -> tuple[Array, Array, Array]:
    radius = np.sqrt(np.float32(-2) * _cephes.log(u1))
    return radius, *_cephes.sincos(np.float32(_FULL_TURN) * u2)


def _plain_float32(u1: Array, u2: Array) -> tuple[Array, Array, Array]:
    radius = np.sqrt(np.float32(-2) * logf(u1))
    return radius, *sincosf((_FULL_TURN * u2.astype(np.float64)).astype(np.float32))


def pairs(u1: Array, u2: Array, libm: Libm) -> Array:
    """Pairs of standard normals, one after the other, from uniforms of 53 bits, in float64."""
    radius = np.sqrt(-2.0 * log1p64(-u2, libm["log1p"]))
    sine, cosine = sincos64(_FULL_TURN * u1, libm["sincos"])
    return np.stack([radius * cosine, radius * sine], axis=-1).reshape(-1)
