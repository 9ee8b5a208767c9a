# SPDX-License-Identifier: Apache-2.0
"""torch's uniform_: the low 24 bits of a word (float64: 53 of two) times 2**-24, scaled.

    value = x * (high - low) + low        one rounding on CPUs with FMA, two on others

in float32, or in float64 for float64; then rounded to the dtype, where a value equal to `high`
becomes `low`.
"""

from typing import Any

import numpy as np

from glorot import _kernel
from glorot._dtypes import dtype_name
from glorot.replay._fma import fma32, fma64
from glorot.replay.torch._arguments import (
    FLOAT16,
    FLOAT32,
    FLOAT64,
    Array,
    DType,
    cast,
    compute_dtype,
)
from glorot.replay.torch._generator import Generator
from glorot.replay.torch._mt19937 import Words

_CHUNK = 1 << 16  # words at a time in NumPy, so that temporaries stay in cache


def _largest(dtype: DType) -> float:
    if dtype == FLOAT64:
        return float(np.finfo(np.float64).max)
    if dtype == FLOAT32:
        return float(np.finfo(np.float32).max)
    return 65504.0 if dtype == FLOAT16 else float.fromhex("0x1.fep127")


def check_limits(low: float, high: float, dtype: DType, names: tuple[str, str]) -> None:
    """Refuse the limits that torch's uniform_ refuses."""
    most = _largest(dtype)
    for name, limit in zip(names, (low, high), strict=True):
        if not -most <= limit <= most:
            raise ValueError(
                f"`{name}`={limit!r} is out of bounds for {dtype_name(dtype)}. Bring it within "
                f"+-{most!r}, or use a wider dtype."
            )
    if low > high:
        raise ValueError(
            f"uniform expects to return a [from, to) range, but found `{names[0]}`={low!r} > "
            f"`{names[1]}`={high!r}. Swap them."
        )
    if high - low > most:
        raise ValueError(
            f"uniform expects `{names[1]}` - `{names[0]}` <= {most!r}, the largest "
            f"{dtype_name(dtype)}, got {low!r} and {high!r}. Bring them closer."
        )


def uniform(
    shape: tuple[int, ...],
    low: float,
    high: float,
    dtype: DType,
    generator: Generator,
    names: tuple[str, str] = ("low", "high"),
) -> Array:
    """A new array of what uniform_(low, high) draws."""
    check_limits(low, high, dtype, names)
    out = np.empty(shape, dtype=dtype)
    fill(out, low, high, generator)
    return out


def fill(out: Array, low: float, high: float, generator: Generator) -> None:
    """Draw into a C-contiguous array; the limits are known to be good."""
    if out.size:
        with generator.lock:
            _fill(out, low, high, generator)


def _fill(out: Array, low: float, high: float, generator: Generator) -> None:
    compute = compute_dtype(out.dtype)
    first, last = compute.type(low), compute.type(high)
    with np.errstate(over="ignore"):
        span = last - first
    engine, native = generator.engine, _kernel._native
    if native is not None:
        engine.moved_to(
            native.torch_uniform(
                engine.address, engine.position, out.__array_interface__["data"][0],
                _kernel._DTYPE_CODES[out.dtype], out.size,
                float(first), float(span), float(last), generator.fused,
            )
        )  # fmt: skip
        return
    flat, per_value = out.reshape(-1), 2 if compute == FLOAT64 else 1
    for begin in range(0, flat.size, _CHUNK):
        part = flat[begin : begin + _CHUNK]
        unit = unit_of(engine.words(part.size * per_value), compute)
        part[...] = _scaled(unit, first, span, generator.fused, out.dtype)
        part[part == cast(high, out.dtype)] = cast(low, out.dtype)


def _scaled(unit: Array, low: Any, span: Any, fused: bool, dtype: DType) -> Array:
    with np.errstate(over="ignore", under="ignore"):
        if fused:
            value = (fma64 if unit.dtype == FLOAT64 else fma32)(unit, span, low)
        else:
            value = unit * span + low
        return np.asarray(value, dtype=dtype)


def unit_of(words: Words, compute: DType) -> Array:
    """Words -> values of [0, 1): one word each in float32, two in float64, the first one high."""
    unit: Array
    if compute == FLOAT64:
        high, low = words[0::2].astype(np.uint64), words[1::2]
        bits = (high << np.uint64(32) | low) & np.uint64((1 << 53) - 1)
        unit = bits.astype(np.float64) * 2.0**-53
    else:
        unit = (words & np.uint32(0xFFFFFF)).astype(np.float32) * np.float32(2.0**-24)
    return unit
