# SPDX-License-Identifier: Apache-2.0
"""TensorFlow's stateful kernels: seed pair, blocks already used, index -> values.

    key = seed (64 bits)       counter = (seed2 << 64) + offset + block  (128 bits)

What a block's words become is told in `_laws`.  A kernel starts its next call 256 blocks further
for each value it has given: that is `offset`.  `glorot.compat.v1` finds seeds and offsets as
TensorFlow does; here both are arguments.
"""

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from glorot import _kernel, _memory, _shard
from glorot._check import show
from glorot._dtypes import dtype_name
from glorot._stream import INDEX_BITS, Stream
from glorot.replay.tensorflow import _flush
from glorot.replay.tensorflow._arguments import (
    FLOAT_DTYPES,
    INTEGER_DTYPES,
    as_dtype,
    as_shape,
    to_dtype,
)
from glorot.replay.tensorflow._laws import (
    ARITHMETICS,
    LARGEST_NORMAL,
    NormalLaw,
    ScaledLaw,
    TruncatedNormalLaw,
    UniformLaw,
)

Array = np.ndarray[Any, np.dtype[Any]]

BLOCKS_PER_VALUE = 256  # what a call reserves in its kernel's counter, whatever it uses


def _scalar(value: Any, argument: str, dtype: np.dtype[Any], graph: bool) -> Any:
    """`value` as one number of `dtype`."""
    with np.errstate(over="ignore", invalid="ignore"):
        number = to_dtype(value, dtype, graph=graph)
    if number.ndim:
        raise TypeError(
            f"`{argument}` must be one number, got an array of shape {number.shape}. Draw the unit "
            "law and do the arithmetic in NumPy, in the dtype of the values: TensorFlow does."
        )
    return number[()]


def uniform_law(
    minval: Any, maxval: Any, dtype: np.dtype[Any], *, graph: bool = False, stateless: bool = False
) -> UniformLaw:
    """The law of U(minval, maxval) in `dtype`.

    The stateful functions never add a `minval` that is the integer 0, and TensorFlow's graph
    optimizer drops their addition of a 0.0 as well; the stateless ones add what they are given.
    (What TensorFlow makes of a -0.0 given depends on its version, and on whether it has met a 0.0
    before.)
    """
    low, high = (
        _flush.flushed(_scalar(value, argument, dtype, graph), dtype)
        for argument, value in (("minval", minval), ("maxval", maxval))
    )
    with np.errstate(over="ignore", invalid="ignore"):
        span = float(_flush.flushed(high - low, dtype))
    if not np.isfinite(span):
        raise ValueError(
            f"`minval`={minval!r} and `maxval`={maxval!r} must be finite and no further apart than "
            f"the largest {dtype_name(dtype)}: TensorFlow would give infinities and NaNs. "
            "Bring them closer, or use a wider dtype."
        )
    unshifted = not low and not stateless and (graph or isinstance(minval, int))
    return UniformLaw(span, -0.0 if unshifted else float(low))


def normal_law(
    mean: Any,
    stddev: Any,
    dtype: np.dtype[Any],
    *,
    truncated: bool = False,
    graph: bool = False,
    stateless: bool = False,
    arithmetic: str = "fma",
) -> NormalLaw:
    """The law N(mean, stddev) in `dtype`, cut off at two standard deviations where `truncated`.

    TensorFlow adds the mean even where it is 0, which turns -0.0 into 0.0, but for the stateful
    functions its graph optimizer drops that addition.  (Where `stddev` is 0 too, that of 2.4 also
    drops the product, so that its zeros have no sign; here they have one, as in 2.21.)
    """
    shift, scale = (
        float(_scalar(value, argument, dtype, graph))
        for argument, value in (("mean", mean), ("stddev", stddev))
    )
    largest = abs(scale) * (2.0 if truncated else LARGEST_NORMAL) + abs(shift)
    with np.errstate(over="ignore"):
        overflows = not np.isfinite(dtype.type(largest))
    if overflows:
        raise ValueError(
            f"`mean`={mean!r} and `stddev`={stddev!r} must keep every value finite in "
            f"{dtype_name(dtype)}, got values up to {largest:.4g}: TensorFlow would give "
            "infinities or NaNs. Use smaller numbers, or a wider dtype."
        )
    if arithmetic not in ARITHMETICS:
        raise ValueError(
            f"`arithmetic` must be one of {', '.join(ARITHMETICS)}, got {show(arithmetic)}: what "
            "the C library did where TensorFlow ran. It matters to float64 alone."
        )
    if graph and not stateless and not _flush.flushed(dtype.type(shift), dtype):
        shift = -0.0
    return (TruncatedNormalLaw if truncated else NormalLaw)(scale, shift, arithmetic)


def kernel_stream(seed: Sequence[int], offset: int = 0) -> Stream:
    """The Philox stream of the kernel with attributes `seed`=(seed, seed2), `offset` blocks on.

    Raises:
        TypeError: `seed` is not a pair of integers.
        ValueError: one of them leaves 64 bits, or both are 0; or `offset` is negative.
    """
    if not isinstance(seed, tuple | list) or len(seed) != 2:
        raise TypeError(f"`seed` must be TensorFlow's pair (seed, seed2), got {show(seed)}.")
    key, high = (operator.index(part) for part in seed)
    if not all(-(2**63) <= part < 2**64 for part in (key, high)):
        raise ValueError(f"`seed` must be a pair of 64-bit integers, got {show(tuple(seed))}.")
    if key == high == 0:
        raise ValueError(
            "`seed`=(0, 0) asks TensorFlow's kernels for entropy of their own, so nothing can be "
            "replayed. Its Python code never passes it: it gives (0, 2**31 - 1) instead."
        )
    if offset < 0:
        raise ValueError(f"`offset` must be a number of blocks, 0 or more, got {show(offset)}.")
    return Stream(key % 2**64, ((high % 2**64 << 64) + offset) % 2**128)


def float_dtype(dtype: Any, what: str) -> np.dtype[Any]:
    """The dtype meant, one of those the kernels named `what` have."""
    found = as_dtype(dtype)
    if found not in FLOAT_DTYPES.values():
        raise TypeError(
            f"`dtype` must be one of {', '.join(FLOAT_DTYPES)}, got {dtype_name(found)}: "
            f"TensorFlow's {what} has no other."
        )
    return found


def filled(
    shape: tuple[int, ...], dtype: np.dtype[Any], law: ScaledLaw, stream: Stream, shard: Any = None
) -> Array:
    """A new array of the law's values, or the `shard` of it alone."""
    # A block of truncated normals is found at 256 times its number, which must stay below 2**63.
    bits = INDEX_BITS - 6 if isinstance(law, TruncatedNormalLaw) else INDEX_BITS - 1
    start, strides, out = _part(shape, dtype, shard, bits)
    _flush.fill(out, law, stream, start, strides)
    return out


def _part(
    shape: tuple[int, ...], dtype: np.dtype[Any], shard: Any, bits: int
) -> tuple[int, tuple[int, ...], Array]:
    """(index of the first element, index strides, memory) of the whole or of a shard of it."""
    if math.prod(shape) >> bits:
        raise ValueError(f"`shape` {show(shape)} must hold less than 2**{bits} elements.")
    strides = _memory.row_major(shape)
    if shard is None:
        return 0, strides, np.empty(shape, dtype)
    begin, extent = _shard.parse_shard(shard, shape)
    start = sum(map(operator.mul, begin, strides))
    return (start if math.prod(extent) else 0), strides, np.empty(extent, dtype)


def filled_words(
    shape: tuple[int, ...], dtype: np.dtype[Any], stream: Stream, shard: Any = None
) -> Array:
    """Raw words as integers of `dtype`, int64 and uint64 of two words, the low one first."""
    per_value = dtype.itemsize // 4
    start, strides, out = _part(shape, dtype, shard, INDEX_BITS - 2)
    words = np.empty((*out.shape, per_value), np.uint32)
    steps = (*(step * per_value for step in strides), 1)
    _kernel.fill(words, None, stream, start * per_value, steps)
    if per_value == 1:
        out[...] = words[..., 0].view(dtype)
    else:
        wide = words[..., 1].astype(np.uint64) << np.uint64(32) | words[..., 0]
        out[...] = wide.view(dtype)
    return out


def filled_range(
    shape: tuple[int, ...], minval: Any, maxval: Any, dtype: np.dtype[Any], stream: Stream,
    shard: Any = None, graph: bool = False,
) -> Array:  # fmt: skip
    """Integers in [minval, maxval): the words modulo the width of the range, plus `minval`."""
    low, high = (
        int(_scalar(value, argument, dtype, graph))
        for argument, value in (("minval", minval), ("maxval", maxval))
    )
    if not math.prod(shape):  # of nothing TensorFlow does not look at the limits
        return _part(shape, dtype, shard, INDEX_BITS - 2)[2]
    if low >= high:
        raise ValueError(
            f"Need minval < maxval, got {low} >= {high}. No integer lies in [minval, maxval)."
        )
    unsigned = np.dtype(f"uint{8 * dtype.itemsize}")
    values = filled_words(shape, unsigned, stream, shard)
    values %= unsigned.type(high - low)
    values += unsigned.type(low % 2 ** (8 * dtype.itemsize))  # wraps around into [low, high)
    return values.view(dtype)


def random_uniform(
    shape: Any,
    minval: Any = 0,
    maxval: Any = None,
    dtype: Any = "float32",
    *,
    seed: Sequence[int],
    offset: int = 0,
    shard: Any = None,
    graph: bool = False,
) -> Array:
    """Return what TensorFlow's `RandomUniform` kernel gives, scaled to [minval, maxval).

    Args:
        shape: of the whole tensor.
        minval, maxval: Python or NumPy numbers; rounding may let a value reach `maxval`, which is
            1 when None.
        dtype: float16, bfloat16, float32 or float64; int32 or int64 for the `RandomUniformInt`
            kernel: the word (of int64 two words, low first) modulo maxval - minval, plus minval.
        seed: the kernel's pair (seed, seed2), as `tf.compat.v1.get_seed` returns it.
        offset: blocks the kernel has used before: 256 for each value it has given.
        shard: the part wanted, a `glorot.Shard` or slices; only that part is computed.
        graph: convert the limits as a graph does, not as eager mode does (float16 alone differs),
            and add no 0.0.

    Returns:
        A new array: the tensor, or its shard.

    Raises:
        TypeError: `dtype` is none of the six; `seed` is no pair; a limit is no number of `dtype`.
        ValueError: `seed` is (0, 0); a limit overflows `dtype`; `offset` is negative; an integer
            dtype without `maxval`, or minval >= maxval.

    Source: tensorflow/core/kernels/random_op.cc and python/ops/random_ops.py, 2.4.4 and 2.21.0.
    Exact; seekable.

    Example:
        >>> random_uniform((3,), -1, 1, seed=(87654321, 42))
        array([0.9045429 , 0.35481548, 0.5906365 ], dtype=float32)
        >>> random_uniform((3,), -1, 1, seed=(87654321, 42), shard=slice(2, 3))
        array([0.5906365], dtype=float32)
        >>> random_uniform((4,), -5, 5, "int32", seed=(87654321, 42))
        array([-3, -1, -2,  4], dtype=int32)
    """
    sizes, _ = as_shape(shape)
    found = as_dtype(dtype)
    stream = kernel_stream(seed, offset)
    if found in INTEGER_DTYPES.values():
        if maxval is None:
            raise ValueError(no_maxval(found))
        return filled_range(sizes, minval, maxval, found, stream, shard, graph)
    if found not in FLOAT_DTYPES.values():
        raise TypeError(
            f"`dtype` must be one of {', '.join(FLOAT_DTYPES | INTEGER_DTYPES)}, got "
            f"{dtype_name(found)}: TensorFlow's random_uniform has no other."
        )
    law = uniform_law(minval, 1 if maxval is None else maxval, found, graph=graph)
    return filled(sizes, found, law, stream, shard)


def no_maxval(dtype: np.dtype[Any]) -> str:
    """TensorFlow's words where integers have no `maxval`."""
    return (
        f"Must specify maxval for integer dtype tf.{dtype.name}. "
        "Pass `maxval`, which the values stay below."
    )


def random_normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = "float32",
    *,
    seed: Sequence[int],
    offset: int = 0,
    shard: Any = None,
    graph: bool = False,
    arithmetic: str = "fma",
) -> Array:
    """Return what TensorFlow's `RandomStandardNormal` kernel gives, times `stddev`, plus `mean`.

    Args:
        shape, seed, offset, shard: as for `random_uniform`.
        mean, stddev: Python or NumPy numbers.
        dtype: float16, bfloat16, float32 or float64.
        graph: convert the numbers as a graph does, not as eager mode does (float16 alone differs),
            and add no mean of 0.
        arithmetic: of the C library's float64 functions where TensorFlow ran: "fma", glibc 2.36 or
            later on a processor with FMA; "fma-2.29", glibc 2.29 to 2.35 on one; "default", a
            processor without FMA. The other dtypes do not depend on it.

    Returns:
        A new array: the tensor, or its shard.  float32 reaches 5.68 standard deviations.

    Raises:
        TypeError: `dtype` is none of the four; `seed` is no pair; `mean` or `stddev` is no number.
        ValueError: `seed` is (0, 0); a value would overflow `dtype`; `offset` is negative;
            `arithmetic` is another.

    Source: tensorflow/core/kernels/random_op.cc and python/ops/random_ops.py, 2.4.4 and 2.21.0, on
    Linux with glibc 2.28 or later.  Exact; seekable.

    Example:
        >>> random_normal((3,), seed=(87654321, 45))
        array([2.519193  , 0.4765281 , 0.03804416], dtype=float32)
    """
    return _normal(
        shape, mean, stddev, dtype, seed, offset, shard, graph, arithmetic, truncated=False
    )


def truncated_normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = "float32",
    *,
    seed: Sequence[int],
    offset: int = 0,
    shard: Any = None,
    graph: bool = False,
    arithmetic: str = "fma",
) -> Array:
    """Return what TensorFlow's `TruncatedNormal` kernel gives, times `stddev`, plus `mean`.

    Values beyond two standard deviations are drawn again, before they are rounded: those of
    float16 and bfloat16 may round to 2.  Arguments, errors and sources as for `random_normal`.
    Exact; seekable: each group of four values (of float64 two) is drawn by itself.

    Raises:
        TypeError: `dtype` is none of the four; `seed` is no pair; `mean` or `stddev` is no number.
        ValueError: `seed` is (0, 0); a value would overflow `dtype`; `offset` is negative; the
            shape holds 2**57 elements or more.

    Replays TensorFlow 2.4.4 and 2.21.0: exact, float64 as with FMA.

    Example:
        >>> truncated_normal((3,), seed=(87654321, 45))
        array([0.4765281 , 0.03804416, 0.19188654], dtype=float32)
    """
    return _normal(
        shape, mean, stddev, dtype, seed, offset, shard, graph, arithmetic, truncated=True
    )


def _normal(
    shape: Any, mean: Any, stddev: Any, dtype: Any, seed: Sequence[int], offset: int, shard: Any,
    graph: bool, arithmetic: str, *, truncated: bool,
) -> Array:  # fmt: skip
    sizes, _ = as_shape(shape)
    found = float_dtype(dtype, "TruncatedNormal" if truncated else "RandomStandardNormal")
    law = normal_law(mean, stddev, found, truncated=truncated, graph=graph, arithmetic=arithmetic)
    return filled(sizes, found, law, kernel_stream(seed, offset), shard)
