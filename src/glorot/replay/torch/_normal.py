# SPDX-License-Identifier: Apache-2.0
"""torch's normal_: 16 or more values in blocks of 16, fewer one by one in float64.

Blocks: as many uniforms as values; each 16 become normals in place; what a last block would lack is
mended by drawing 16 fresh uniforms for the LAST 16 values (the half types draw no uniforms for the
values that would be overwritten).  Fewer than 16, or a tensor that is not contiguous: pairs, of
which the second waits in the generator for the next such value, whatever is drawn in between.
"""

import numpy as np

from glorot import _kernel
from glorot._check import show
from glorot.replay._fma import fma64
from glorot.replay.torch import _boxmuller
from glorot.replay.torch._arguments import BFLOAT16, FLOAT64, Array, DType, cast, compute_dtype
from glorot.replay.torch._generator import Generator
from glorot.replay.torch._uniform import unit_of

BLOCK = 16
_CHUNK = 1 << 12  # blocks at a time in NumPy


def check_std(std: float, name: str = "std") -> None:
    """Refuse what torch's normal_ refuses."""
    if not std >= 0.0:
        raise ValueError(f"normal expects `{name}` >= 0.0, but found {name} {show(std)}.")


def normal(
    shape: tuple[int, ...], mean: float, std: float, dtype: DType, generator: Generator
) -> Array:
    """A new array of what normal_(mean, std) draws."""
    check_std(std)
    out = np.empty(shape, dtype=dtype)
    fill(out, mean, std, generator)
    return out


def fill(out: Array, mean: float, std: float, generator: Generator, *, blocks: bool = True) -> None:
    """Draw into a C-contiguous array; without `blocks` any number one by one."""
    with generator.lock:
        if blocks and out.size >= BLOCK:
            _fill_blocks(out.reshape(-1), mean, std, generator)
        else:
            out.reshape(-1)[...] = _one_by_one(out.size, mean, std, out.dtype, generator)


def _fill_blocks(out: Array, mean: float, std: float, generator: Generator) -> None:
    engine, native, compute = generator.engine, _kernel._native, compute_dtype(out.dtype)
    scalars = float(cast(mean, compute)), float(cast(std, compute))
    libm = generator.libm
    if native is not None and np.isfinite(scalars).all():
        engine.moved_to(
            native.torch_normal(
                engine.address, engine.position, out.__array_interface__["data"][0],
                _kernel._DTYPE_CODES[out.dtype], out.size, *scalars, generator.fused,
                libm["log"] == "fma", libm["sincos"] == "fma",
            )
        )  # fmt: skip
        return
    whole = out.size // BLOCK * BLOCK
    for begin in range(0, whole, BLOCK * _CHUNK):
        part = out[begin : min(begin + BLOCK * _CHUNK, whole)]
        part[...] = _blocks(generator, part, mean, std)
    if whole < out.size:
        if out.dtype == compute:
            engine.skip((out.size - whole) * (2 if compute == FLOAT64 else 1))
        part = out[-BLOCK:]
        part[...] = _blocks(generator, part, mean, std)


def _blocks(generator: Generator, out: Array, mean: float, std: float) -> Array:
    compute = compute_dtype(out.dtype)
    words = generator.engine.words(out.size * (2 if compute == FLOAT64 else 1))
    unit = unit_of(words, compute).reshape(-1, BLOCK)
    values = _boxmuller.blocks(unit, mean, std, generator.fused, generator.libm).reshape(-1)
    return _rounded(values, out.dtype)


def _rounded(values: Array, dtype: DType) -> Array:
    """As torch converts: in bfloat16 every NaN, which is inf - inf here, loses its sign."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        found = values.astype(dtype)
    return np.where(np.isnan(found), np.array(np.nan, dtype), found) if dtype == BFLOAT16 else found


def _one_by_one(size: int, mean: float, std: float, dtype: DType, generator: Generator) -> Array:
    """The cached normal, then pairs, whose last second is cached."""
    if size == 0:
        return np.empty(0, dtype=dtype)
    cached = [] if generator.next_normal is None else [generator.next_normal]
    drawn = _pairs((size - len(cached) + 1) // 2, generator)
    values = np.concatenate([cached, drawn])
    generator.next_normal = float(values[size]) if len(values) > size else None
    values = values[:size]
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        wide = fma64(values, std, mean) if generator.fused else values * std + mean
        return _rounded(wide.astype(compute_dtype(dtype)), dtype)


def _pairs(count: int, generator: Generator) -> Array:
    """Standard normals two by two, in float64; four words a pair."""
    engine, native, libm = generator.engine, _kernel._native, generator.libm
    if native is None:
        u1, u2 = unit_of(engine.words(4 * count), FLOAT64).reshape(-1, 2).T
        return _boxmuller.pairs(u1, u2, libm)
    out = np.empty(2 * count)
    engine.moved_to(
        native.torch_pairs(
            engine.address, engine.position, out.__array_interface__["data"][0], count,
            libm["sincos"] == "fma", libm["log1p"] == "fma",
        )
    )  # fmt: skip
    return out
