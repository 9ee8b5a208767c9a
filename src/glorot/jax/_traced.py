# SPDX-License-Identifier: Apache-2.0
"""The laws traced: the lines of `_laws.py` and `_stream.py`, run on jax.numpy.

Everything is elementwise in 32-bit integers and float32 (64-bit for float64 alone), so XLA fuses it
into the loop that writes the result, and splits it over devices by itself.
"""

import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from glorot import _laws, _stream
from glorot._stream import multiply_wide

Array = Any
Halves = tuple[Array, Array]  # a 64-bit number as (low, high) uint32: JAX may have no wider type

_MASK = 0xFFFFFFFF


def _multiply_wide(a: Array, b: Array) -> Halves:
    """(high, low) halves of the product of two uint32: compilers make an instruction of each.

    The wide type is there inside of them alone, whatever `jax_enable_x64` says.  `jax.lax.mulhi`
    would do the same, but XLA 0.10.2 cannot split it over devices ("mhlo.unknown").
    """
    with jax.enable_x64(True):
        wide = [jax.lax.convert_element_type(x, jnp.uint64) for x in (a, b)]
        upper = jax.lax.shift_right_logical(wide[0] * wide[1], jnp.uint64(32))
        return jax.lax.convert_element_type(upper, jnp.uint32), a * b


# What the reference asks of its namespace.
_xp = SimpleNamespace(
    **{name: getattr(jnp, name) for name in ("uint32", "int32", "float32")},
    **{name: getattr(jnp, name) for name in ("uint64", "int64", "float64")},
    **{name: getattr(jnp, name) for name in ("asarray", "zeros_like")},
    **{name: getattr(jnp, name) for name in ("where", "minimum", "maximum")},
    multiply_wide=_multiply_wide,
)


def halves(number: int) -> Halves:
    """A Python integer below 2**64 in two halves."""
    return jnp.uint32(number & _MASK), jnp.uint32(number >> 32)


def _add(a: Halves, b: Halves) -> Halves:
    low = a[0] + b[0]
    return low, a[1] + b[1] + (low < a[0]).astype(jnp.uint32)


def _times(place: Array, step: int) -> Halves:
    """A uint32 times an integer below 2**63."""
    low, high = halves(step)
    carried, product = multiply_wide(_xp, place, low)
    return product, carried + place * high


def first_index(start: Sequence[Any], strides: Sequence[int], origin: int = 0) -> Halves:
    """The index of the element at `start`: integers, or uint32 scalars where they are traced;
    `origin` is that of element (0, 0, ...)."""
    total = halves(origin)
    for place, step in zip(start, strides, strict=True):
        if not isinstance(place, int):
            total = _add(total, _times(place, step))
        elif place:
            total = _add(total, halves(place * step))
    return total


def index(
    extent: Sequence[int], start: Sequence[Any], strides: Sequence[int], origin: int = 0
) -> Halves:
    """The index of each element of a block of the whole, of shape `extent`.

    Args:
        extent: the block's sizes, each below 2**32.
        start: where the block begins, as `first_index` takes it.
        strides: the index step along each axis.
        origin: the index of the whole's first element.
    """
    total = first_index(start, strides, origin)
    if math.prod(extent) == 0:
        return jnp.zeros(extent, jnp.uint32), jnp.zeros(extent, jnp.uint32)
    small = sum((n - 1) * step for n, step in zip(extent, strides, strict=True)) <= _MASK
    for axis, (size, step) in enumerate(zip(extent, strides, strict=True)):
        if size > 1:
            place = jax.lax.broadcasted_iota(jnp.uint32, tuple(extent), axis)
            steps = (place * jnp.uint32(step), jnp.uint32(0)) if small else _times(place, step)
            total = _add(total, steps)
    return jnp.broadcast_to(total[0], extent), jnp.broadcast_to(total[1], extent)


def values(
    law: _laws.Law, dtype: np.dtype[Any], seed: Halves, tag: Halves, index_of: Halves
) -> Array:
    """The law's values in `dtype` at these indices, of the stream (seed, tag)."""
    draws = []
    for lane in _laws.lanes(dtype):
        counter = (*halves(lane << _stream.LANE_SHIFT), *tag)
        draws.append(_stream.words_at(_xp, counter, seed, *index_of))
    return values_of(law, dtype, draws)


def values_of(law: _laws.Law, dtype: np.dtype[Any], draws: Sequence[Array]) -> Array:
    """The law's values in `dtype` for its words, one array for each of `_laws.lanes`."""
    return _laws.values(_xp, law, dtype, *draws)
