# SPDX-License-Identifier: Apache-2.0
"""The native kernel as a call of XLA on a CPU: it fills the result's own memory.

XLA cannot split a foreign call over devices, so it is used where there is one CPU device to JAX and
nothing to split; elsewhere, and where the package was installed without a compiler, the traced law
gives the same bytes.
"""

import functools
import struct
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from glorot import _kernel, _memory
from glorot._writers import LawWriter
from glorot.jax._traced import Array, Halves

_TARGET = "glorot_values"


@functools.cache
def _registered() -> bool:
    """Tell XLA of the kernel; False where there is none, or where this JAX takes none."""
    native = _kernel._native
    address = native.xla_handler() if native is not None else 0
    if not address or not hasattr(jax, "ffi"):
        return False
    try:
        jax.ffi.register_ffi_target(_TARGET, jax.ffi.pycapsule(address), platform="cpu")
    except jax.errors.JaxRuntimeError:  # an XLA that no longer serves the handler's version
        return False
    return True


def usable() -> bool:
    """Whether a CPU program of this process can call the kernel, as it is being traced."""
    if _kernel._native is None or not _registered():
        return False
    if jax.sharding.get_abstract_mesh().manual_axes:  # in shard_map, which must know what varies
        return False
    try:
        return len(jax.devices("cpu")) == 1
    except RuntimeError:  # JAX_PLATFORMS leaves the CPU out
        return False


def _straight(extent: Sequence[int], strides: Sequence[int]) -> bool:
    """Whether the block's indices follow one another."""
    rows = _memory.row_major(extent)
    return all(n == 1 or a == b for n, a, b in zip(extent, strides, rows, strict=True))


def fill(
    writer: LawWriter,
    dtype: np.dtype[Any],
    extent: tuple[int, ...],
    seed: Halves,
    tag: Halves,
    first: Halves,
) -> Array:
    """The block of shape `extent` whose first element has the index `first`."""
    code = _kernel._DTYPE_CODES[dtype]
    threads = _kernel.allowed_threads()
    straight = _straight(extent, writer.strides)
    rank = len(extent)
    setting = (
        _kernel._encode(writer.law, dtype)
        + struct.pack("<4I", code, threads, straight, rank)
        + struct.pack(f"<{2 * rank}Q", *extent, *writer.strides)
    )
    words = jnp.stack([jnp.asarray(half, jnp.uint32) for half in (*seed, *tag, *first)])
    call = jax.ffi.ffi_call(_TARGET, jax.ShapeDtypeStruct(extent, dtype), vmap_method="sequential")
    return call(words, np.frombuffer(setting, np.uint8))
