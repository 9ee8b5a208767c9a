# SPDX-License-Identifier: Apache-2.0
"""TensorFlow 2's stateless random numbers, `tf.random.stateless_*`: a pair of seeds, no state.

The pair is scrambled by one Philox block under a fixed key, which gives the key and the upper half
of the counter of the stream; from there on the values are those of the stateful kernels.
"""

import operator
from typing import Any

import numpy as np

from glorot import _reference
from glorot._check import show
from glorot._dtypes import dtype_name
from glorot._stream import Stream
from glorot.replay.tensorflow._arguments import (
    FLOAT_DTYPES,
    INTEGER_DTYPES,
    as_dtype,
    as_shape,
)
from glorot.replay.tensorflow._kernels import (
    Array,
    filled,
    filled_range,
    filled_words,
    float_dtype,
    normal_law,
    uniform_law,
)

_SCRAMBLING_KEY = 0x02461E293EC8F720
_UNSIGNED = {name: np.dtype(name) for name in ("uint32", "uint64")}
_ALGORITHMS = {1: "philox", 2: "threefry", 3: "autoselect"}  # tf.random.Algorithm


def seed_pair(seed: Any, argument: str = "seed") -> tuple[tuple[int, int], str]:
    """(the two integers, their dtype) of a stateless seed.

    Python integers are an int32 tensor where they fit, else an int64 one, as in TensorFlow.
    """
    if hasattr(seed, "numpy"):  # a tensor
        seed = seed.numpy()
    typed = isinstance(seed, np.ndarray)
    if typed:
        if seed.dtype.kind not in "iu":
            raise TypeError(
                f"`{argument}` must be of int32 or int64, got {dtype_name(seed.dtype)}."
            )
        dtype = "int64" if seed.dtype == np.int64 else "int32"
        if seed.shape != (2,):
            raise ValueError(f"`{argument}` must have shape [2], not {list(seed.shape)}.")
        seed = seed.astype(np.int64).tolist()  # TensorFlow takes bits of uint64 for those of int64
    else:
        dtype = "int32"
    if not isinstance(seed, list | tuple) or len(seed) != 2:
        raise ValueError(
            f"`{argument}` must have shape [2]: a pair of integers, got {show(seed)}. "
            "tf.random's stateful functions, with one seed, are in glorot.compat.v1."
        )
    if isinstance(seed[0], bool) and not isinstance(seed[1], bool):
        raise ValueError(
            f"`{argument}` must be two integers, got {show(seed)}: TensorFlow can't convert Python "
            "sequence with mixed types to Tensor. Pass int(seed)."
        )
    try:
        first, second = (operator.index(part) for part in seed)
    except TypeError:
        raise TypeError(f"`{argument}` must be two integers, got {show(seed)}.") from None
    if not all(-(2**63) <= part < 2**63 for part in (first, second)):
        raise ValueError(
            f"`{argument}` must be two integers of 64 bits with sign, got {show(seed)}: TensorFlow "
            "can't convert larger ones."
        )
    if not typed and not all(-(2**31) <= part < 2**31 for part in (first, second)):
        dtype = "int64"
    return (first, second), dtype


def stateless_stream(seed: tuple[int, int]) -> Stream:
    """The Philox stream of a pair of seeds."""
    first, second = (part % 2**64 for part in seed)
    scrambled = Stream(_SCRAMBLING_KEY, second << 64 | first)
    words = [int(word) for word in _reference.block_words(scrambled, np.zeros(1, np.uint64))[0]]
    return Stream(words[1] << 32 | words[0], (words[3] << 32 | words[2]) << 64)


def _check_algorithm(alg: Any) -> None:
    value = getattr(alg, "value", alg)  # tf.random.Algorithm
    if value is None:
        return
    if isinstance(value, str):
        value = value.strip().lower().replace("-", "").replace("_", "")
    elif isinstance(value, int) and not isinstance(value, bool):
        value = _ALGORITHMS.get(value, value)
    else:
        raise TypeError(
            f"Can't convert argument `alg` (of value {alg!r} and type {type(alg)}) to int."
        )
    if value == "threefry":
        raise ValueError(
            f"`alg`={alg!r}: TensorFlow has ThreeFry on TPUs alone, and it is not replayed. "
            "Use 'philox', or 'auto_select', which is Philox on CPU and GPU."
        )
    if value not in _ALGORITHMS.values():
        raise ValueError(
            f"Argument `alg` got unsupported value {alg}. Use 'philox' or 'auto_select'."
        )


def stateless_uniform(
    shape: Any,
    seed: Any,
    minval: Any = 0,
    maxval: Any = None,
    dtype: Any = "float32",
    name: str | None = None,
    alg: Any = "auto_select",
    *,
    shard: Any = None,
    graph: bool = False,
) -> Array:
    """Return what `tf.random.stateless_uniform` gives on CPU.

    Args:
        shape: of the whole tensor: a list or tuple of sizes, a TensorShape, or an array.
        seed: two integers of 64 bits with sign.
        minval, maxval: the limits; `maxval` None means 1. Both None, with an integer dtype, mean
            all its values.
        dtype: float16, bfloat16, float32, float64, int32 or int64; uint32 and uint64 without
            limits.
        name: ignored, as an operation's name changes no value.
        alg: "auto_select" or "philox".
        shard: the part wanted, a `glorot.Shard` or slices; only that part is computed.
        graph: convert the limits as a graph or `tf.function` does, not as eager mode does: float16
            alone differs.

    Returns:
        A new array: the tensor, or its shard.

    Raises:
        TypeError: `seed`, `dtype`, a limit or `alg` is of another kind.
        ValueError: `seed` is no pair; `dtype` is another; one of the limits of an integer dtype is
            missing; minval >= maxval; a limit overflows `dtype`; `alg` is "threefry" or unknown.

    Replays TensorFlow 2.4.4 and 2.21.0: exact.

    Source: TensorFlow 2.21.0, python/ops/stateless_random_ops.py and
    core/kernels/stateless_random_ops_v2.cc; not compiled by XLA, which draws other numbers.  Exact;
    seekable.

    Example:
        >>> stateless_uniform((2, 2), seed=(1, 2))
        array([[0.8440604 , 0.19204533],
               [0.9962232 , 0.1603874 ]], dtype=float32)
        >>> stateless_uniform((2,), (1, 2), None, None, "int32")
        array([1105988140, 1738052849], dtype=int32)
    """
    pair, _ = seed_pair(seed)
    sizes, _ = as_shape(shape)
    _check_algorithm(alg)
    found = as_dtype(dtype)
    if found in FLOAT_DTYPES.values():
        law = uniform_law(
            minval, 1 if maxval is None else maxval, found, graph=graph, stateless=True
        )
        return filled(sizes, found, law, stateless_stream(pair), shard)
    accepted = FLOAT_DTYPES | INTEGER_DTYPES | _UNSIGNED
    if found not in accepted.values():
        raise ValueError(
            f"Argument `dtype` got invalid value {dtype_name(found)}. Accepted dtypes are "
            f"{', '.join(accepted)}."
        )
    if (minval is None) != (maxval is None):
        raise ValueError(
            f"For integer `dtype` argument {found.name}, argument `minval` and `maxval` must be "
            f"both None or not None. Got `minval`={minval} and `maxval`={maxval}."
        )
    if minval is None:
        return filled_words(sizes, found, stateless_stream(pair), shard)
    if found in _UNSIGNED.values():
        raise ValueError(
            f"Argument `dtype` got invalid value {found.name} when argument `minval` is not None. "
            "Unsigned integers have no limits: pass None for both."
        )
    return filled_range(sizes, minval, maxval, found, stateless_stream(pair), shard, graph)


def stateless_normal(
    shape: Any,
    seed: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = "float32",
    name: str | None = None,
    alg: Any = "auto_select",
    *,
    shard: Any = None,
    graph: bool = False,
    arithmetic: str = "fma",
) -> Array:
    """Return what `tf.random.stateless_normal` gives on CPU.

    Args:
        mean, stddev: Python or NumPy numbers.
        dtype: float16, bfloat16, float32 or float64.
        arithmetic: of the C library, for float64: as for `random_normal`.
        shape, seed, name, alg, shard, graph: as for `stateless_uniform`.

    Raises:
        TypeError: `seed`, `dtype`, `mean`, `stddev` or `alg` is of another kind.
        ValueError: `seed` is no pair; a value would overflow `dtype`; `alg` is "threefry" or
            unknown.

    Replays TensorFlow 2.4.4 and 2.21.0: exact, float64 as with FMA.

    Source: as `stateless_uniform`'s, on Linux with glibc 2.28 or later.  Exact; seekable.

    Example:
        >>> stateless_normal((2,), seed=(1, 2))
        array([0.5441101 , 0.20738031], dtype=float32)
    """
    return _normal(shape, seed, mean, stddev, dtype, alg, shard, graph, arithmetic, truncated=False)


def stateless_truncated_normal(
    shape: Any,
    seed: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = "float32",
    name: str | None = None,
    alg: Any = "auto_select",
    *,
    shard: Any = None,
    graph: bool = False,
    arithmetic: str = "fma",
) -> Array:
    """Return what `tf.random.stateless_truncated_normal` gives on CPU.

    Arguments, errors and sources as for `stateless_normal`; values beyond two standard deviations
    are drawn again before they are rounded.  Exact; seekable.

    Raises:
        TypeError: `seed`, `dtype`, `mean`, `stddev` or `alg` is of another kind.
        ValueError: `seed` is no pair; a value would overflow `dtype`; the shape holds 2**57
            elements or more; `alg` is "threefry" or unknown.

    Replays TensorFlow 2.4.4 and 2.21.0: exact, float64 as with FMA.

    Example:
        >>> stateless_truncated_normal((2,), seed=(1, 2))
        array([0.5441101 , 0.20738031], dtype=float32)
    """
    return _normal(shape, seed, mean, stddev, dtype, alg, shard, graph, arithmetic, truncated=True)


def _normal(
    shape: Any, seed: Any, mean: Any, stddev: Any, dtype: Any, alg: Any, shard: Any, graph: bool,
    arithmetic: str, *, truncated: bool,
) -> Array:  # fmt: skip
    pair, _ = seed_pair(seed)
    sizes, _ = as_shape(shape)
    _check_algorithm(alg)
    found = float_dtype(dtype, "stateless_truncated_normal" if truncated else "stateless_normal")
    law = normal_law(
        mean, stddev, found, truncated=truncated, graph=graph, stateless=True, arithmetic=arithmetic
    )
    return filled(sizes, found, law, stateless_stream(pair), shard)


def split(seed: Any, num: int = 2, alg: Any = "auto_select") -> Array:
    """Return `num` new seeds as `tf.random.split` does: an array of shape (num, 2).

    Of int32, or of int64 where `seed` is: an int64 array, or has a number beyond 32 bits.

    Raises:
        TypeError, ValueError: as `stateless_uniform`.

    Source: TensorFlow 2.21.0; `tf.random.experimental.stateless_split` in 2.4.  Exact.

    Example:
        >>> split([1, 2], num=2)
        array([[1105988140, 1738052849],
               [-335576002,  370444179]], dtype=int32)
    """
    _, dtype = seed_pair(seed)
    return stateless_uniform([num, 2], seed, None, None, dtype, alg=alg)


def fold_in(seed: Any, data: Any, alg: Any = "auto_select") -> Array:
    """Return a new seed that also depends on the integer `data`, as `tf.random.fold_in` does.

    Raises:
        TypeError, ValueError: as `stateless_uniform`; `data` is no integer of 64 bits.

    Source: TensorFlow 2.21.0; `tf.random.experimental.stateless_fold_in` in 2.4.  Exact.

    Example:
        >>> fold_in([1, 2], 3)
        array([1105988140,          3], dtype=int32)
    """
    number = data.numpy() if hasattr(data, "numpy") else data
    (value, _), dtype = seed_pair(
        np.array([number, 0], number.dtype)
        if isinstance(number, np.generic | np.ndarray)
        else (number, 0),
        "data",
    )
    first = stateless_uniform([], seed, None, None, dtype, alg=alg)
    return np.array([first, value], dtype=dtype)
