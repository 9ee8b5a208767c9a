# SPDX-License-Identifier: Apache-2.0
"""JAX's samplers: what `jax.random.uniform`, `normal` and their kin give for a key on CPU.

All take, besides JAX's arguments, `shard=`: a `glorot.Shard` or slices, with `shape` the whole; the
result is that part of the whole, computed alone.
"""

from typing import Any

from glorot._check import show
from glorot.replay.jax import _draw
from glorot.replay.jax._draw import Array, parse_draw_shape
from glorot.replay.jax._dtypes import float_dtype, uint_dtype
from glorot.replay.jax._keys import key_words


def refuse_sharding(out_sharding: object) -> None:
    """Only None is taken: an array here has no devices, and values do not depend on them."""
    if out_sharding is not None:
        raise TypeError(
            f"`out_sharding` must be None, got {show(out_sharding)}: values do not depend on it. "
            "Use `shard` for a part of the whole."
        )


def bits(
    key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: None = None, shard: Any = None
) -> Array:
    """Return random bits as unsigned integers: `jax.random.bits`.

    Args:
        key: a single key, typed or raw.
        shape: of the whole draw.
        dtype: uint8, uint16, uint32 or uint64; None is uint32, or uint64 with `jax_enable_x64`.
        out_sharding: None: the values of JAX do not depend on it.  Use `shard`.
        shard: the part to compute.

    Raises:
        TypeError: `key` is no key.
        ValueError: `dtype` is no unsigned integer; `key` is an array of keys.

    Example:
        >>> from glorot.replay import jax
        >>> jax.random.bits(jax.random.key(42), (3,))
        array([2098992034, 2919706841, 2646866425], dtype=uint32)

    Replays jax 0.10.2 exactly, on any machine.
    """
    words, _ = key_words("bits", key)
    found = uint_dtype("bits", dtype)
    refuse_sharding(out_sharding)
    return _draw.bits(words, parse_draw_shape(shape), found, shard)


def uniform(
    key: Any,
    shape: Any = (),
    dtype: Any = None,
    minval: Any = 0.0,
    maxval: Any = 1.0,
    *,
    out_sharding: None = None,
    shard: Any = None,
) -> Array:
    """Return uniform values in [minval, maxval): `jax.random.uniform`.

    Args:
        key: a single key, typed or raw.
        shape: of the whole draw.
        dtype: float16, bfloat16, float32 or float64; None is float32, or float64 with
            `jax_enable_x64`.
        minval, maxval: numbers.  (Rounding may let a value reach `maxval`, as in JAX.)
        out_sharding: None: the values of JAX do not depend on it.  Use `shard`.
        shard: the part to compute.

    Raises:
        TypeError: `dtype` is no such float; a limit is no number; `key` is no key.
        ValueError: a limit overflows `dtype`, or is so small that XLA would flush values to 0;
            `key` is an array of keys.

    Example:
        >>> from glorot.replay import jax
        >>> jax.random.uniform(jax.random.key(42), (3,))
        array([0.48870957, 0.6797972 , 0.6162715 ], dtype=float32)

    Replays jax 0.10.2 on CPU exactly; for float32 and float64 with other limits than (0, 1) and
    (-1, 1), on a CPU with FMA.
    """
    words, _ = key_words("uniform", key)
    found = float_dtype("uniform", dtype)
    refuse_sharding(out_sharding)
    return _draw.uniform(words, parse_draw_shape(shape), found, minval, maxval, shard=shard)


def normal(
    key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: None = None, shard: Any = None
) -> Array:
    """Return standard normal values: `jax.random.normal`.

    Args:
        key: a single key, typed or raw.
        shape: of the whole draw.
        dtype: float16, bfloat16, float32 or float64; None is float32, or float64 with
            `jax_enable_x64`.
        out_sharding: None: the values of JAX do not depend on it.  Use `shard`.
        shard: the part to compute.

    Raises:
        TypeError: `dtype` is no such float; `key` is no key.
        ValueError: `key` is an array of keys.

    Example:
        >>> from glorot.replay import jax
        >>> jax.random.normal(jax.random.key(42), (3,))
        array([-0.02830462,  0.46713185,  0.29570296], dtype=float32)

    Replays jax 0.10.2 on a CPU with FMA exactly: float32 was compared for all 2**23 mantissas.
    """
    words, _ = key_words("normal", key)
    found = float_dtype("normal", dtype)
    refuse_sharding(out_sharding)
    return _draw.normal(words, parse_draw_shape(shape), found, shard=shard)


def truncated_normal(
    key: Any,
    lower: Any,
    upper: Any,
    shape: Any = None,
    dtype: Any = None,
    *,
    out_sharding: None = None,
    shard: Any = None,
) -> Array:
    """Return normal values between `lower` and `upper`: `jax.random.truncated_normal`.

    Args:
        key: a single key, typed or raw.
        lower, upper: numbers, in standard deviations; infinities are allowed.
        shape: of the whole draw; None is ().
        dtype: float16, bfloat16, float32 or float64; None is float32, or float64 with
            `jax_enable_x64`.
        out_sharding: None: the values of JAX do not depend on it.  Use `shard`.
        shard: the part to compute.

    Raises:
        TypeError: `dtype` is no such float; a limit is no number; `key` is no key.
        NotImplementedError: float64 with a bound that is not recorded (`_constants._ERF64`).
        ValueError: `key` is an array of keys.

    Example:
        >>> from glorot.replay import jax
        >>> jax.random.truncated_normal(jax.random.key(42), -2, 2, (3,))
        array([-0.0270165 ,  0.44438082,  0.28187707], dtype=float32)

    Replays jax 0.10.2 on a CPU with FMA exactly: float32 between -2 and 2 was compared for all
    2**23 mantissas.  It is the call by itself: inside of jit XLA takes erf of constant limits from
    elsewhere, which changes nothing at 1, 2, 2.5 and 3, and all values at 1.5, 3.5 and 4.
    """
    words, _ = key_words("truncated_normal", key)
    found = float_dtype("truncated_normal", dtype)
    refuse_sharding(out_sharding)
    whole = () if shape is None else parse_draw_shape(shape)
    return _draw.truncated_normal(words, lower, upper, whole, found, shard=shard)
