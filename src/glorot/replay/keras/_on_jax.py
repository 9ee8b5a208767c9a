# SPDX-License-Identifier: Apache-2.0
"""Keras on JAX: the raw threefry key (seed, counter), which is not jax.random.key(seed).

A normal draw is scaled after it is made, in two roundings in the dtype; a uniform one has its
limits inside.  Python numbers are float32 first, as JAX holds them unless 64 bits are enabled.

Source: keras 3.15.1, src/backend/jax/random.py and core.py; jax 0.10.2, random/core.py (_randint).
"""

from typing import Any

import numpy as np

from glorot._check import show
from glorot._dtypes import FLOATS, dtype_name
from glorot.replay import jax
from glorot.replay.jax import _draw, _dtypes
from glorot.replay.jax._constants import limit
from glorot.replay.keras._backend import Array, Draw, DType, uint32_state
from glorot.replay.tensorflow import _flush

SEED_DTYPE = np.dtype(np.uint32)
seed_state = uint32_state
ARITHMETICS = ("fma",)


def uniform(draw: Draw, minval: float, maxval: float) -> Array:
    """jax.random.uniform."""
    return _draw.uniform(draw.state, draw.shape, draw.dtype, minval, maxval, shard=draw.shard)


def _then(dtype: DType, mean: float, stddev: float) -> _draw.Then:
    return _draw.Then(limit("stddev", stddev, dtype), limit("mean", mean, dtype))


def normal(draw: Draw, mean: float, stddev: float) -> Array:
    """jax.random.normal, times stddev, plus mean."""
    then = _then(draw.dtype, mean, stddev)
    return _draw.normal(draw.state, draw.shape, draw.dtype, then=then, shard=draw.shard)


def truncated_normal(draw: Draw, mean: float, stddev: float) -> Array:
    """jax.random.truncated_normal between -2 and 2, times stddev, plus mean."""
    then = _then(draw.dtype, mean, stddev)
    return _draw.truncated_normal(
        draw.state, -2.0, 2.0, draw.shape, draw.dtype, then=then, shard=draw.shard
    )


def randint(draw: Draw, minval: int, maxval: int) -> Array:
    """64 bits (of 64-bit dtypes 128) modulo the width, plus minval; limits are cut to the dtype."""
    limits = np.iinfo(draw.dtype)
    held = np.iinfo(_dtypes.canonical(np.dtype(np.int64), asked=False))
    for argument, value in (("minval", minval), ("maxval", maxval)):
        if not held.min <= value <= held.max:
            raise OverflowError(
                f"`{argument}` must fit {held.dtype}, got {show(value)}: JAX overflows while "
                "parsing it."
            )
    if limits.bits < 32:  # sampled in 32 bits, in which limits of 64 wrap around first
        minval, maxval = ((value + 2**31) % 2**32 - 2**31 for value in (minval, maxval))
    low, high = min(max(minval, limits.min), limits.max), min(maxval, limits.max + 1)
    width, bits = max(high - low, 1), max(limits.bits, 32)
    unsigned = np.dtype(f"uint{bits}")
    first, second = (
        jax.random.bits(key, draw.shape, unsigned, shard=draw.shard)
        for key in jax.random.split(draw.state)
    )
    with np.errstate(over="ignore"):
        if width == 1 << bits:
            offset: Array = second
        else:
            # 2**bits modulo the width, computed as JAX does: its square may wrap around.
            half = 2 ** (bits // 2) % width
            factor, span = unsigned.type(half * half % 2**bits % width), unsigned.type(width)
            offset = (first % span * factor + second % span) % span
        drawn: Array = offset + unsigned.type(low % 2**bits)
        return drawn.astype(draw.dtype)


def canonical(dtype: DType) -> DType:
    """64 bits are 32, with JAX's warning, unless `glorot.replay.jax.enable_x64` is on."""
    return _dtypes.canonical(dtype)


def cast(value: Any, dtype: DType) -> Array:
    """NumPy's conversion; to bfloat16 by way of float32, which is XLA's where it has 64 bits."""
    array = np.asarray(value)
    with np.errstate(over="ignore"):
        if dtype == FLOATS["bfloat16"] and array.dtype == np.float64:
            array = array.astype(np.float32)
            array = flushed(array) if jax.enable_x64.value else array
        return array.astype(dtype)


def flushed(array: Array) -> Array:
    """XLA takes subnormal numbers for 0, as TensorFlow does."""
    return _flush.flushed(array, array.dtype)


def times(number: float, array: Array) -> Array:
    """The number is held as a limit is."""
    with np.errstate(over="ignore", under="ignore"):
        return flushed(np.asarray(limit("gain", number, array.dtype) * array))


def check_qr(dtype: DType) -> None:
    """float32, and float64 where it is enabled."""
    if dtype not in (FLOATS["float32"], FLOATS["float64"]):
        raise TypeError(
            f"`dtype`={dtype_name(dtype)}: JAX has no QR of 16 bits. Use float32 and round."
        )
