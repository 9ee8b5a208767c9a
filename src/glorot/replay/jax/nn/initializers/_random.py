# SPDX-License-Identifier: Apache-2.0
"""uniform, normal and truncated_normal: a draw, then one product with a scale.

All replay jax 0.10.2 on a CPU with FMA exactly; `uniform` on any CPU.

Source: jax/_src/nn/initializers.py, 0.10.2.
"""

from typing import Any

from glorot.replay.jax import _draw
from glorot.replay.jax._draw import Then, parse_draw_shape
from glorot.replay.jax._keys import key_words
from glorot.replay.jax.nn.initializers._protocol import (
    Array,
    Initializer,
    constant_of,
    float_dtype,
)
from glorot.replay.jax.random._samplers import refuse_sharding


def uniform(scale: Any = 1e-2, dtype: Any = None) -> Initializer:
    """Return an initializer of uniform values in [0, scale).

    Replays JAX 0.10.2: exact.

    Example:
        >>> from glorot.replay import jax
        >>> jax.nn.initializers.uniform(10.0)(jax.random.key(42), (3,))
        array([4.8870955, 6.7979717, 6.162715 ], dtype=float32)
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
        found = float_dtype("uniform", dtype)
        words, _ = key_words("uniform", key)
        then = Then(constant_of(scale, found))
        return _draw.uniform(words, parse_draw_shape(shape), found, then=then, shard=shard)

    return init


def normal(stddev: Any = 1e-2, dtype: Any = None) -> Initializer:
    """Return an initializer of normal values with mean 0 and standard deviation `stddev`.

    Replays JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay import jax
        >>> jax.nn.initializers.normal(10.0)(jax.random.key(42), (3,))
        array([-0.28304616,  4.6713185 ,  2.9570296 ], dtype=float32)
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
        found = float_dtype("normal", dtype)
        words, _ = key_words("normal", key)
        then = Then(constant_of(stddev, found))
        return _draw.normal(words, parse_draw_shape(shape), found, then=then, shard=shard)

    return init


def truncated_normal(
    stddev: Any = 1e-2, dtype: Any = None, lower: Any = -2.0, upper: Any = 2.0
) -> Initializer:
    """Return an initializer of normal values cut off at `lower` and `upper` standard deviations.

    `stddev` is that of the normal before it is cut: nothing is corrected.

    Replays JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay import jax
        >>> jax.nn.initializers.truncated_normal(10.0)(jax.random.key(42), (3,))
        array([-0.27016497,  4.443808  ,  2.8187706 ], dtype=float32)
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
        found = float_dtype("truncated_normal", dtype)
        words, _ = key_words("truncated_normal", key)
        then, whole = Then(constant_of(stddev, found)), parse_draw_shape(shape)
        return _draw.truncated_normal(words, lower, upper, whole, found, then=then, shard=shard)

    return init
