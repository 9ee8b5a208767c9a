# SPDX-License-Identifier: Apache-2.0
"""Words on a CPU, two of a block at a time: `_stream.philox4x32` in 64-bit arithmetic.

An element by itself costs a block of four words.  Of a pair, both halves of one 64-bit integer, it
costs half of one; and 64-bit products need no reordering of vectors, which 32-bit ones do.
"""

import math
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np

from glorot import _stream
from glorot.jax._traced import Array, Halves

_MASK = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


def _multiply(a: Array, b: Array) -> tuple[Array, Array]:
    """(upper, lower) half of the product of the lower halves of two uint64.  What is above the
    lower half of the result stays: one instruction multiplies, and looks at no more."""
    product = (a & _MASK) * (b & _MASK)
    return product >> _HALF, product


# For whom 32 bits are the lower half of 64.
_wide = SimpleNamespace(uint32=jnp.uint64, multiply_wide=_multiply)


def fits(extent: Sequence[int], strides: Sequence[int], origin: int) -> bool:
    """Whether elements 2 i and 2 i + 1 of the last axis always are two words of one block."""
    if math.prod(extent) == 0 or not extent:
        return False
    outer = zip(extent[:-1], strides[:-1], strict=True)
    even = origin % 2 == 0 and all(size == 1 or step % 2 == 0 for size, step in outer)
    return even and extent[-1] % 2 == 0 and strides[-1] == 1


def words(
    extent: Sequence[int],
    strides: Sequence[int],
    origin: int,
    seed: Halves,
    tag: Halves,
    lane: int,
) -> Array:
    """The words (uint32) of the elements of a weight that `fits`, of the stream (seed, tag)."""
    pairs = (*extent[:-1], extent[-1] // 2)
    both = (*pairs, 2)
    with jax.enable_x64(True):
        key, high = ([jnp.uint64(half) for half in halves] for halves in (seed, tag))
        index = jnp.full(pairs, origin, jnp.uint64)
        for axis, step in enumerate((*strides[:-1], 2)):
            index += jax.lax.broadcasted_iota(jnp.uint64, pairs, axis) * np.uint64(step)
        block = index >> np.uint64(2) | np.uint64(lane << _stream.LANE_SHIFT)
        out = _stream.philox4x32(_wide, (block, block >> _HALF, *high), tuple(key))
        upper = index & np.uint64(2) != 0
        first, second = (jnp.where(upper, out[i + 2], out[i]) for i in range(2))
        pair = first & _MASK | second << _HALF
        spread = jax.lax.broadcast_in_dim(pair, both, range(len(pairs)))
        shift = jax.lax.broadcasted_iota(jnp.uint64, both, len(pairs)) * _HALF
        return jax.lax.convert_element_type(spread >> shift, jnp.uint32).reshape(extent)


def apart(compute: Callable[[], Array], seed: Halves, tag: Halves) -> Array:
    """The same, in memory before anything else is done to it.

    XLA fuses words into the table look-ups of a normal, which takes half as long again as the two
    one after the other.  A branch it does not fuse; this one is always taken, which it cannot know.
    """
    shape = jax.eval_shape(compute).shape
    never = seed[0] ^ seed[1] ^ tag[0] ^ tag[1]  # of what the words are of, whatever traces it
    return jax.lax.cond(
        tag[0] | jnp.uint32(1) != 0, compute, lambda: jnp.broadcast_to(never, shape)
    )
