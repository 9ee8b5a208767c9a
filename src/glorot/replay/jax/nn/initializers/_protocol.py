# SPDX-License-Identifier: Apache-2.0
"""What every initializer of JAX is: a function of (key, shape, dtype)."""

from typing import Any, Protocol, runtime_checkable

import numpy as np

from glorot._shard import parse_shard
from glorot.replay.jax._draw import Array, Dtype, Shape
from glorot.replay.jax._dtypes import float_dtype

__all__ = ["Array", "Dtype", "Initializer", "Shape", "constant_of", "float_dtype", "part"]


@runtime_checkable
class Initializer(Protocol):
    """A function `init(key, shape, dtype=None, out_sharding=None, *, shard=None)`.

    Args:
        key: a single key of `random.key` or a raw one; only random initializers look at it.
        shape: of the whole weight.
        dtype: float16, bfloat16, float32 or float64; None is the maker's, else float32 (float64
            with `jax_enable_x64`).
        out_sharding: None, since values do not depend on it.
        shard: the part to compute.
    """

    def __call__(
        self,
        key: Any,
        shape: Any,
        dtype: Any = None,
        out_sharding: None = None,
        *,
        shard: Any = None,
    ) -> Array:
        """Return the values."""
        raise NotImplementedError


def constant_of(value: Any, dtype: Dtype) -> Any:
    """A number as jnp.array(value, dtype) holds it: rounded once.

    Raises:
        TypeError: more than one number.
    """
    if np.ndim(value):
        raise TypeError(
            f"A scale must be a single number, got an array of shape {np.shape(value)}: scales "
            "that differ from value to value are not replayed. Multiply the draw."
        )
    with np.errstate(over="ignore", invalid="ignore"):
        return np.array(value, dtype=dtype)[()]


def part(whole: Array, shard: Any) -> Array:
    """The shard of an array that had to be computed whole."""
    if shard is None:
        return whole
    start, extent = parse_shard(shard, whole.shape)
    return whole[tuple(slice(i, i + n) for i, n in zip(start, extent, strict=True))]
