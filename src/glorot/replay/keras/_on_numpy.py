# SPDX-License-Identifier: Apache-2.0
"""Keras on NumPy: a generator of `default_rng([seed, counter])` for each draw, in float64.

It is NumPy that draws, here as there, so the numbers are those of the NumPy that is installed;
NumPy keeps its uniforms from release to release, but may change its normals.

Source: keras 3.15.1, src/backend/numpy/random.py and core.py.
"""

import math
from typing import Any

import numpy as np

from glorot._dtypes import FLOATS, dtype_name
from glorot.replay.keras._backend import Array, Draw, DType, uint32_state

SEED_DTYPE = np.dtype(np.uint32)
seed_state = uint32_state
ARITHMETICS = ("fma", "default")  # no difference


def _generator(draw: Draw) -> np.random.Generator:
    if draw.shard is not None:
        raise ValueError(
            "`shard` must be None on numpy: NumPy's normals use up the stream at a varying pace, "
            "so a part cannot be drawn alone. Draw the whole and index it."
        )
    return np.random.default_rng(draw.state)


def uniform(draw: Draw, minval: float, maxval: float) -> Array:
    """In float64, then rounded."""
    return _generator(draw).uniform(minval, maxval, draw.shape).astype(draw.dtype)


def normal(draw: Draw, mean: float, stddev: float) -> Array:
    """In float64, then rounded."""
    return _generator(draw).normal(mean, stddev, draw.shape).astype(draw.dtype)


def truncated_normal(draw: Draw, mean: float, stddev: float) -> Array:
    """Whole batches of the size wanted, those beyond two standard deviations left out."""
    generator, size = _generator(draw), math.prod(draw.shape)
    kept = np.empty(0)
    while len(kept) < size:
        batch = generator.normal(mean, stddev, size)
        kept = np.append(kept, batch[(batch >= mean - 2 * stddev) & (batch <= mean + 2 * stddev)])
    return kept[:size].astype(draw.dtype).reshape(draw.shape)


def randint(draw: Draw, minval: int, maxval: int) -> Array:
    """Generator.integers."""
    return np.asarray(_generator(draw).integers(minval, maxval, draw.shape, draw.dtype.type))


def canonical(dtype: DType) -> DType:
    """As asked for."""
    return dtype


def cast(value: Any, dtype: DType) -> Array:
    """NumPy's own conversion."""
    return np.asarray(value).astype(dtype)


def flushed(array: Array) -> Array:
    """Nothing becomes 0."""
    return array


def times(number: float, array: Array) -> Array:
    """NumPy's own product, which is float32 for bfloat16."""
    return np.asarray(number * array)


def check_qr(dtype: DType) -> None:
    """float32: Keras gives float32 for float64 too, and float64 for bfloat16."""
    if dtype != FLOATS["float32"]:
        raise TypeError(
            f"`dtype`={dtype_name(dtype)}: on NumPy, Keras factorises float32 alone as asked for. "
            "Use float32 and convert."
        )
