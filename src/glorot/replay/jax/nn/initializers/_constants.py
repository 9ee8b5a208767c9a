# SPDX-License-Identifier: Apache-2.0
"""zeros, ones and constant: no key is looked at.

Source: jax/_src/nn/initializers.py, 0.10.2.
"""

from typing import Any

import numpy as np

from glorot._dtypes import FLOATS, parse_dtype
from glorot._shard import parse_shard
from glorot.replay.jax._draw import parse_draw_shape
from glorot.replay.jax._dtypes import canonical
from glorot.replay.jax.nn.initializers._protocol import Array, Dtype, Initializer, part
from glorot.replay.jax.random._samplers import refuse_sharding


def _dtype(dtype: Any) -> Dtype:
    if dtype is None or dtype is float:
        return canonical(FLOATS["float64"], asked=False)
    return canonical(parse_dtype(dtype, floating=False))


def _extent(shape: Any, shard: Any) -> tuple[int, ...]:
    whole = parse_draw_shape(shape)
    return whole if shard is None else parse_shard(shard, whole)[1]


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
    return np.zeros(_extent(shape, shard), dtype=_dtype(dtype))


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
    return np.ones(_extent(shape, shard), dtype=_dtype(dtype))


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
        found = _dtype(dtype)
        with np.errstate(over="ignore", invalid="ignore"):
            filled = np.asarray(value).astype(found)
        if filled.ndim == 0:
            return np.full(_extent(shape, shard), filled, dtype=found)
        whole = np.broadcast_to(filled, parse_draw_shape(shape))
        return np.array(part(whole, shard))

    return init
