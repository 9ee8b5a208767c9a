# SPDX-License-Identifier: Apache-2.0
"""Keras on TensorFlow: stateless draws from the pair (seed modulo 2**31 - 2, counter).

Keras casts the limits of a uniform law, and constants, by way of a float32 tensor, float64 ones
too; the mean and standard deviation of a normal law it hands over as they are.

Source: keras 3.15.1, src/backend/tensorflow/random.py and core.py, in eager mode.
"""

from typing import Any

import numpy as np

from glorot._check import show
from glorot._dtypes import FLOATS, dtype_name
from glorot.replay.keras._backend import Array, Draw, DType
from glorot.replay.tensorflow import _flush, _stateless
from glorot.replay.tensorflow._arguments import INTEGER_DTYPES, to_dtype

SEED_DTYPE = np.dtype(np.int64)
ARITHMETICS = ("fma", "fma-2.29", "default")
_SEEDS = 2**31 - 2


def seed_state(seed: int, generator: bool) -> Array:
    """Any int64, True and False excepted."""
    if isinstance(seed, bool):
        raise ValueError(f"`seed` must be an integer, got {seed}: TensorFlow takes no bool here.")
    if not -(2**63) <= seed < 2**63:
        raise ValueError(
            f"`seed` must lie in [-2**63, 2**63), got {show(seed)}: TensorFlow can't convert an "
            "out-of-range integer."
        )
    return np.array([seed, 0], SEED_DTYPE)


def _pair(draw: Draw) -> list[int]:
    pair: list[int] = (draw.state % _SEEDS).tolist()
    return pair


def uniform(draw: Draw, minval: float, maxval: float) -> Array:
    """Limits by way of float32; integers by way of int64."""
    low, high = (cast(limit, draw.dtype)[()] for limit in (minval, maxval))
    return _stateless.stateless_uniform(
        draw.shape, _pair(draw), low, high, draw.dtype, shard=draw.shard
    )


def normal(draw: Draw, mean: float, stddev: float) -> Array:
    """Mean and standard deviation straight to the dtype."""
    return _stateless.stateless_normal(
        draw.shape, _pair(draw), mean, stddev, draw.dtype, shard=draw.shard,
        arithmetic=draw.arithmetic,
    )  # fmt: skip


def truncated_normal(draw: Draw, mean: float, stddev: float) -> Array:
    """The same, drawn again beyond two standard deviations."""
    return _stateless.stateless_truncated_normal(
        draw.shape, _pair(draw), mean, stddev, draw.dtype, shard=draw.shard,
        arithmetic=draw.arithmetic,
    )  # fmt: skip


def randint(draw: Draw, minval: int, maxval: int) -> Array:
    """In int32 or int64, and what is neither by way of int64."""
    own = draw.dtype if draw.dtype in INTEGER_DTYPES.values() else np.dtype(np.int64)
    values = _stateless.stateless_uniform(
        draw.shape, _pair(draw), minval, maxval, own, shard=draw.shard
    )
    return values.astype(draw.dtype)


def canonical(dtype: DType) -> DType:
    """As asked for."""
    return dtype


def cast(value: Any, dtype: DType) -> Array:
    """Python's floats are float32 tensors first; what is subnormal becomes 0, from float32 to
    bfloat16 alone it does not.

    Raises:
        ValueError: one leaves float32.
    """
    array = np.asarray(value)
    with np.errstate(over="ignore"):
        if array.dtype == np.float64 and not isinstance(value, np.ndarray):
            single = array.astype(np.float32)
            if (np.isinf(single) & np.isfinite(array)).any():
                raise ValueError(
                    f"{show(value)} must fit a float32: TensorFlow can't convert it to a tensor."
                )
            array = single
        to_bfloat16, wide = dtype == FLOATS["bfloat16"], array.dtype == np.float64
        if array.dtype != dtype and not to_bfloat16:
            array = _flush.flushed(array, array.dtype)
        if to_bfloat16 or (wide and dtype == np.float32):
            single = array.astype(np.float32)
            array = _flush.flushed(single, single.dtype) if wide else single
        return array.astype(dtype)


def flushed(array: Array) -> Array:
    """TensorFlow's kernels take subnormal numbers for 0."""
    return _flush.flushed(array, array.dtype)


def times(number: float, array: Array) -> Array:
    """The number becomes a tensor of the dtype."""
    return _flush.times(to_dtype(number, array.dtype), array)


def check_qr(dtype: DType) -> None:
    """float32 and float64; TensorFlow's in float16 is too rough to be replayed."""
    if dtype not in (FLOATS["float32"], FLOATS["float64"]):
        raise TypeError(
            f"`dtype`={dtype_name(dtype)}: TensorFlow has no QR of bfloat16, and what it computes "
            "in float16 is too rough to be replayed. Use float32 and round."
        )
