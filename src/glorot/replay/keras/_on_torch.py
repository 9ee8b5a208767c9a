# SPDX-License-Identifier: Apache-2.0
"""Keras on PyTorch's CPU: a new generator for each draw, seeded with seed + counter.

Keras scales its uniforms itself, in two roundings, and makes truncated normals by drawing four for
each and taking the first that is within two standard deviations (the first of all if none is).

Source: keras 3.15.1, src/backend/torch/random.py and core.py.
"""

import math
from typing import Any

import numpy as np

from glorot._check import show
from glorot._dtypes import dtype_name
from glorot.replay import torch
from glorot.replay.keras._backend import Array, Draw, DType
from glorot.replay.torch._arguments import FLOAT32, FLOAT64, compute_dtype
from glorot.replay.torch._arguments import cast as cast_number

SEED_DTYPE = np.dtype(np.int32)
# What a generator is told of the machine; see glorot.replay.torch.Generator.
_MACHINES: dict[str, dict[str, Any]] = {
    "fma": {},
    "fma-2.36": {"glibc": (2, 36)},
    "fma-2.29": {"glibc": (2, 29)},
    "default": {"cpu_capability": "DEFAULT", "fma": False},
    "aten-default": {"cpu_capability": "DEFAULT"},
}
ARITHMETICS = tuple(_MACHINES)
_SIGNED: dict[str, DType] = {"uint16": np.dtype(np.int32), "uint32": np.dtype(np.int64)}
_WIDE = 2**28  # from this width on, an integer takes two words


def seed_state(seed: int, generator: bool) -> Array:
    """Any integer, of which the low 32 bits count; a SeedGenerator's must be an int32."""
    if generator and not -(2**31) <= seed < 2**31:
        raise ValueError(
            f"`seed` of a SeedGenerator must lie in [-2**31, 2**31), got {show(seed)}: Keras keeps "
            "it in an int32 tensor on torch. (As a seed by itself it would do.)"
        )
    return np.array([(seed & 0xFFFFFFFF ^ 0x80000000) - 0x80000000, 0], SEED_DTYPE)


def _generator(draw: Draw) -> torch.Generator:
    if draw.shard is not None:
        raise ValueError(
            "`shard` must be None on torch: its stream is sequential, so a part cannot be drawn "
            "alone. Draw the whole and index it."
        )
    first, second = draw.state.tolist()
    return torch.Generator(**_MACHINES[draw.arithmetic]).manual_seed(first + second & 0xFFFFFFFF)


def uniform(draw: Draw, minval: float, maxval: float) -> Array:
    """(maxval - minval) * rand + minval; the difference in float64."""
    unit = torch.rand(draw.shape, generator=_generator(draw), dtype=draw.dtype)
    return _plus(times(float(maxval - minval), unit), minval)


def normal(draw: Draw, mean: float, stddev: float) -> Array:
    """torch.normal."""
    return torch.normal(
        float(mean), float(stddev), draw.shape, generator=_generator(draw), dtype=draw.dtype
    )


def truncated_normal(draw: Draw, mean: float, stddev: float) -> Array:
    """The first of four within two standard deviations, times stddev, plus mean."""
    drawn = torch.normal(0.0, 1.0, (*draw.shape, 4), generator=_generator(draw), dtype=draw.dtype)
    first = np.argmax((drawn > -2) & (drawn < 2), axis=-1, keepdims=True)
    return _plus(times(float(stddev), np.take_along_axis(drawn, first, -1)[..., 0]), mean)


def _plus(array: Array, number: float) -> Array:
    """A tensor plus a Python number: which the half types round to themselves first."""
    compute = compute_dtype(array.dtype)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        term = cast_number(float(number), array.dtype).astype(compute)
        return np.asarray((array.astype(compute, copy=False) + term).astype(array.dtype))


def flushed(array: Array) -> Array:
    """Nothing becomes 0."""
    return array


def times(number: float, array: Array) -> Array:
    """The number is a float32, in float64 a float64; the half types are computed in float32."""
    compute = compute_dtype(array.dtype)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        factor = compute.type(number)
        return np.asarray((array.astype(compute, copy=False) * factor).astype(array.dtype))


def randint(draw: Draw, minval: int, maxval: int) -> Array:
    """A word, or two for wide ranges, modulo the width, plus minval."""
    limits = np.iinfo(draw.dtype)
    if minval >= maxval:
        raise ValueError(
            f"random_ expects 'from' to be less than 'to', but got from={minval} >= to={maxval}."
        )
    if not limits.min <= minval or not maxval - 1 <= min(limits.max, 2**63 - 2):
        raise ValueError(
            f"`minval`={minval} and `maxval` - 1={maxval - 1} must not be out of bounds for "
            f"{dtype_name(draw.dtype)}."
        )
    generator, count, width = _generator(draw), math.prod(draw.shape), maxval - minval
    if width < _WIDE:
        words = generator.engine.words(count).astype(np.uint64)
    else:
        high, low = generator.engine.words(2 * count).astype(np.uint64).reshape(-1, 2).T
        words = high << np.uint64(32) | low
    drawn: Array = (words % np.uint64(width)).view(np.int64) + np.int64(minval)
    return drawn.astype(draw.dtype).reshape(draw.shape)


def canonical(dtype: DType) -> DType:
    """As asked for, but for the unsigned dtypes, of which torch has one.

    Raises:
        ValueError: uint64.
    """
    if dtype == np.uint64:
        raise ValueError("Unsupported dtype for PyTorch: uint64. Use int64.")
    return _SIGNED.get(dtype.name, dtype)


def cast(value: Any, dtype: DType) -> Array:
    """To the half types by way of float32."""
    array = np.asarray(value)
    with np.errstate(over="ignore"):
        if dtype.itemsize == 2 and dtype.kind != "i" and array.dtype == np.float64:
            array = array.astype(np.float32)
        return array.astype(dtype)


def check_qr(dtype: DType) -> None:
    """float32 and float64."""
    if dtype not in (FLOAT32, FLOAT64):
        raise TypeError(
            f"`dtype`={dtype_name(dtype)}: torch has no QR of the half types. Use float32 and "
            "round."
        )
