# SPDX-License-Identifier: Apache-2.0
"""zeros, ones and constant: no key is looked at.

Source: jax/_src/nn/initializers.py, 0.10.2.
"""

from typing import Any

import numpy as np

from glorot._check import show
from glorot._dtypes import FLOATS, dtype_name
from glorot._shard import parse_shard
from glorot.replay.jax._draw import parse_draw_shape
from glorot.replay.jax._dtypes import any_dtype
from glorot.replay.jax.nn.initializers._protocol import Array, Dtype, Initializer, part
from glorot.replay.jax.random._samplers import refuse_sharding


def _extent(shape: Any, shard: Any) -> tuple[int, ...]:
    whole = parse_draw_shape(shape)
    return whole if shard is None else parse_shard(shard, whole)[1]


def _filling(value: Any, dtype: Dtype) -> Array:
    array = np.asarray(value)
    whole = isinstance(value, int)  # NumPy holds one of more than 64 bits as an object
    number = array.dtype.kind in "biuf" or array.dtype in FLOATS.values()
    if isinstance(value, str | list | tuple) or not (whole or number):
        raise TypeError(f"`value` of constant must be a number or an array, got {show(value)}.")
    if dtype.kind in "iu" and not whole and array.dtype.kind not in "biu":
        _check_integers(array.astype(np.float64), dtype)
    with np.errstate(over="ignore", invalid="ignore"):
        filled = array.astype(dtype)
    narrow = dtype in (FLOATS["float32"], FLOATS["bfloat16"])
    if narrow and ((filled != 0) & (np.abs(filled) < np.finfo(np.float32).tiny)).any():
        raise ValueError(
            f"`value`={show(value)} is subnormal in {dtype_name(dtype)}: XLA takes it for 0 in "
            "some shapes and not in others, and that is not replayed. Use 0, or a larger number."
        )
    return filled


def _check_integers(array: Array, dtype: Dtype) -> None:
    """Refuse floats that XLA would clip to the dtype and NumPy take modulo, and NaNs."""
    limits = np.iinfo(dtype)
    least, most = max(limits.min, -(2**24)), min(limits.max, 2**24)
    whole = np.trunc(array)
    if not ((least <= whole) & (whole <= most)).all():
        raise ValueError(
            f"`value` of constant must hold {dtype.name} numbers of at most 24 bits, got "
            f"{show(array)}: what XLA makes of other floats is not replayed. Use integers."
        )


def zeros(
    key: Any, shape: Any, dtype: Any = None, out_sharding: None = None, *, shard: Any = None
) -> Array:
    """Return zeros: an initializer itself.  Any dtype of numbers will do.

    Replays JAX 0.10.2: exact.

    Example:
        >>> zeros(None, (2,))
        array([0., 0.], dtype=float32)
    """
    refuse_sharding(out_sharding)
    return np.zeros(_extent(shape, shard), dtype=any_dtype(dtype))


def ones(
    key: Any, shape: Any, dtype: Any = None, out_sharding: None = None, *, shard: Any = None
) -> Array:
    """Return ones: an initializer itself.  Any dtype of numbers will do.

    Replays JAX 0.10.2: exact.

    Example:
        >>> ones(None, (2,))
        array([1., 1.], dtype=float32)
    """
    refuse_sharding(out_sharding)
    return np.ones(_extent(shape, shard), dtype=any_dtype(dtype))


def constant(value: Any, dtype: Any = None) -> Initializer:
    """Return an initializer of arrays full of `value`, which must broadcast to their shape.

    Replays JAX 0.10.2: exact.

    Example:
        >>> constant(-7)(None, (2,))
        array([-7., -7.], dtype=float32)
    """

    def init(
        key: Any,
        shape: Any,
        dtype: Any = dtype,
        out_sharding: None = None,
        *,
        shard: Any = None,
    ) -> Array:
        refuse_sharding(out_sharding)
        found = any_dtype(dtype)
        filled = _filling(value, found)
        if filled.ndim == 0:
            return np.full(_extent(shape, shard), filled, dtype=found)
        whole = np.broadcast_to(filled, parse_draw_shape(shape))
        return np.array(part(whole, shard))

    return init
