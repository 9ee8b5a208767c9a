# SPDX-License-Identifier: Apache-2.0
"""`keras.random`: uniform, normal, truncated_normal, randint, and seeds."""

from typing import Any

from glorot._check import parse_shape, show
from glorot._dtypes import dtype_name
from glorot.replay.keras._arguments import any_dtype, float_dtype, number
from glorot.replay.keras._backend import Array, Backend, Draw
from glorot.replay.keras._choice import choose
from glorot.replay.keras._seed import SeedGenerator, draw_seed, of_seed, state_of

__all__ = ["SeedGenerator", "draw_seed", "normal", "randint", "truncated_normal", "uniform"]


def start(
    shape: Any, dtype: Any, seed: Any, backend: str | None, arithmetic: str | None, shard: Any
) -> tuple[Backend, Draw]:
    """The backend and all of a draw but its law; the seed is used up last."""
    chosen = choose(of_seed(seed, backend), arithmetic)
    sizes = parse_shape(shape)
    state = state_of(seed, chosen.name, chosen.backend)
    return chosen.backend, Draw(
        sizes, chosen.backend.canonical(dtype), state, shard, chosen.arithmetic
    )


def uniform(
    shape: Any,
    minval: float = 0.0,
    maxval: float = 1.0,
    dtype: Any = None,
    seed: Any = None,
    *,
    backend: str | None = None,
    arithmetic: str | None = None,
    shard: Any = None,
) -> Array:
    """Return what `keras.random.uniform` draws.

    Args:
        shape: a sequence of sizes.
        minval, maxval: Python numbers.
        dtype: float16, bfloat16, float32 or float64; `config.floatx()` where None.  On jax float64
            is float32, with JAX's warning, unless `glorot.replay.jax.enable_x64` is on.
        seed: an int, which gives the same numbers each time; a `SeedGenerator`, which goes on; None
            for Keras' global generator, which `utils.set_random_seed` must have seeded.
        backend: "tensorflow", "jax", "torch" or "numpy"; where None, the seed generator's, then
            that of `config.set_backend`.
        arithmetic: as for `normal`; on jax alone it matters to uniforms, and "fma" is all there is.
        shard: the part wanted, a `glorot.Shard` or slices, of which alone is drawn; on tensorflow
            and jax.  torch and numpy cannot.

    Returns:
        A new array: the tensor, or its shard.

    Raises:
        TypeError: a limit is no Python number; a size is no integer.
        ValueError: another dtype; a limit that is not finite; no backend, or no seed; a shard
            where the stream is sequential; `seed` is something else, or out of range.
        OverflowError: `seed` is no uint32, on jax and numpy.

    Source: keras 3.15.1, src/random/random.py.  Exact; seekable on tensorflow and jax.

    Example:
        >>> uniform((2,), seed=42, backend="tensorflow")
        array([0.28243315, 0.4984169 ], dtype=float32)
        >>> uniform((2,), seed=42, backend="torch")
        array([0.88226926, 0.91500396], dtype=float32)
    """
    low, high = number("minval", minval), number("maxval", maxval)
    found = float_dtype(dtype, "`keras.random.uniform`")
    framework, draw = start(shape, found, seed, backend, arithmetic, shard)
    return framework.uniform(draw, low, high)


def normal(
    shape: Any,
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: Any = None,
    seed: Any = None,
    *,
    backend: str | None = None,
    arithmetic: str | None = None,
    shard: Any = None,
) -> Array:
    """Return what `keras.random.normal` draws.

    Args:
        mean, stddev: Python numbers; on torch `stddev` must not be negative.
        arithmetic: of the machine the run had; where None, that of `config.set_backend`.  "fma",
            a processor with FMA and AVX2 (nearly all since 2013) and a C library of 2022 or later,
            is the default and on jax the only one.  "default", a processor without FMA, gives
            other last bits in float64 on tensorflow, in all dtypes on torch.  "fma-2.29" is one
            with FMA and glibc 2.29 to 2.35.  On torch there are also "fma-2.36", glibc 2.36 to
            2.38 (but Debian's 2.36 is "fma"), and "aten-default", a processor with FMA of which
            torch was told ATEN_CPU_CAPABILITY=default.
        shape, dtype, seed, backend, shard: as for `uniform`.

    Raises:
        TypeError, ValueError, OverflowError: as `uniform`; ValueError for a negative `stddev` on
            torch, and where values would overflow on tensorflow and jax.

    Source: keras 3.15.1, src/random/random.py.  Exact; seekable on tensorflow and jax.

    Example:
        >>> normal((2,), seed=42, backend="torch")
        array([0.33669037, 0.1288094 ], dtype=float32)
    """
    centre, spread = number("mean", mean), number("stddev", stddev)
    found = float_dtype(dtype, "`keras.random.normal`")
    framework, draw = start(shape, found, seed, backend, arithmetic, shard)
    return framework.normal(draw, centre, spread)


def truncated_normal(
    shape: Any,
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: Any = None,
    seed: Any = None,
    *,
    backend: str | None = None,
    arithmetic: str | None = None,
    shard: Any = None,
) -> Array:
    """Return what `keras.random.truncated_normal` draws: within two standard deviations.

    `stddev` is that before the cut.  Arguments, errors and source as for `normal`, but a negative
    `stddev` on torch mirrors the values.  (On torch one value in 233,000 is beyond: all four
    tries of it were.)

    Replays Keras 3.15.1: exact, on each backend.

    Example:
        >>> truncated_normal((2,), seed=42, backend="torch")
        array([ 0.33669037, -1.1228564 ], dtype=float32)
    """
    centre, spread = number("mean", mean), number("stddev", stddev)
    found = float_dtype(dtype, "`keras.random.truncated_normal`")
    framework, draw = start(shape, found, seed, backend, arithmetic, shard)
    return framework.truncated_normal(draw, centre, spread)


def randint(
    shape: Any,
    minval: int,
    maxval: int,
    dtype: Any = "int32",
    seed: Any = None,
    *,
    backend: str | None = None,
    shard: Any = None,
) -> Array:
    """Return what `keras.random.randint` draws: integers in [minval, maxval).

    Args:
        minval, maxval: Python integers that the dtype holds.
        dtype: an integer dtype of 8 to 64 bits.
        shape, seed, backend, shard: as for `uniform`.

    Raises:
        TypeError: a limit is no integer; a size is no integer.
        ValueError: another dtype, or one that the backend has not; a limit that the dtype does not
            hold; minval >= maxval; or as `uniform`.
        OverflowError: `seed` is no uint32, on jax and numpy.

    Source: keras 3.15.1, src/random/random.py.  Exact; seekable on tensorflow.

    Example:
        >>> randint((3,), 0, 10, seed=3, backend="tensorflow")
        array([8, 7, 2], dtype=int32)
    """
    found = any_dtype(dtype)
    if found.kind not in "iu":
        raise ValueError(
            f"`keras.random.randint` requires an integer `dtype`. Received: "
            f"dtype={dtype_name(found)}."
        )
    for argument, value in (("minval", minval), ("maxval", maxval)):
        if type(value) is not int:
            raise TypeError(
                f"`{argument}` must be a Python int, got {show(value)} of {type(value).__name__}."
            )
    framework, draw = start(shape, found, seed, backend, None, shard)
    return framework.randint(draw, minval, maxval)
