# SPDX-License-Identifier: Apache-2.0
"""TensorFlow's stateful uniform kernels: seed pair, blocks already used, index -> values.

    key = seed (64 bits)       counter = (seed2 << 64) + offset + block  (128 bits)

`RandomUniform` spends one word on a value (two on a float64) and keeps its LOW bits as a mantissa:
[1, 2) minus 1, times (maxval - minval), plus minval, each step rounded in the dtype.  A kernel
starts its next call 256 blocks further for each value it has given: that is `offset`.
`glorot.compat.v1` finds seeds and offsets as TensorFlow does; here both are arguments.
"""

import operator
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from glorot import _kernel
from glorot._dtypes import FLOATS, dtype_name, parse_dtype
from glorot._stream import INDEX_BITS, Stream

Array = np.ndarray[Any, np.dtype[Any]]

FLOAT_DTYPES = {name: FLOATS[name] for name in ("float16", "bfloat16", "float32", "float64")}
INTEGER_DTYPES = {name: np.dtype(name) for name in ("int32", "int64")}

BLOCKS_PER_VALUE = 256  # what a call reserves in its kernel's counter, whatever it uses

# (unsigned integer of the same width, mask of the mantissa, bits of 1.0)
_MANTISSA = {
    FLOATS["float16"]: (np.uint16, 0x3FF, 0x3C00),
    FLOATS["bfloat16"]: (np.uint16, 0x7F, 0x3F80),
    FLOATS["float32"]: (np.uint32, 0x7FFFFF, 0x3F800000),
}


@dataclass(frozen=True, slots=True, eq=False)
class UniformLaw:
    """A `BlockLaw`: u * range + low, rounded twice.

    Both numbers are already rounded to the dtype of the values.  `low` is -0.0 where TensorFlow
    adds nothing: adding that changes no number, while adding 0.0 turns -0.0 into 0.0.
    """

    range: float
    low: float

    code: ClassVar[int] = 8

    def native(self) -> tuple[Sequence[float], Sequence[int]]:
        """The constants as the native kernel takes them."""
        return (self.range, self.low), ()

    def _bits(self) -> bytes:
        return struct.pack("<2d", self.range, self.low)

    def __eq__(self, other: object) -> bool:
        # Not by value: laws that differ in the sign of a zero give different bytes.
        return isinstance(other, UniformLaw) and self._bits() == other._bits()

    def __hash__(self) -> int:
        return hash(self._bits())

    def blocks(self, dtype: np.dtype[Any], stream: Stream, block: Array) -> Array:
        """The NumPy reference; four float64 values take the words of two Philox blocks."""
        if dtype == FLOATS["float64"]:
            pairs = block[:, None] * np.uint64(2) + np.arange(2, dtype=np.uint64)
            words = _kernel.block_words(stream, pairs.reshape(-1)).astype(np.uint64)
            high = words[:, 0::2] & np.uint64(0xFFFFF)
            bits = np.uint64(1023 << 52) | high << np.uint64(32) | words[:, 1::2]
        else:
            unsigned, mask, one = _MANTISSA[dtype]
            words = _kernel.block_words(stream, block)
            bits = (words & np.uint32(mask)).astype(unsigned) | unsigned(one)
        unit = bits.view(dtype).reshape(-1, 4) - dtype.type(1.0)
        product = unit * dtype.type(self.range)
        result: Array = product + dtype.type(self.low)
        return result


def to_dtype(value: Any, dtype: np.dtype[Any], *, graph: bool = False) -> Array:
    """`value` (a number, nested lists of them, or a NumPy array) as TensorFlow's constant.

    Python floats reach float16 through float32 in eager mode, directly in a graph; NumPy's always
    directly.  The two roundings of the eager way can differ from one.

    Raises:
        TypeError: a float for an integer dtype, a number for bool, or no number at all.
        ValueError: an integer that the integer dtype cannot hold.
    """
    array = np.asarray(value)
    kind = "f" if array.dtype in FLOATS.values() else array.dtype.kind
    wanted = "f" if dtype in FLOATS.values() else dtype.kind
    if kind not in {"f": "biuf", "i": "biu", "u": "biu", "b": "b"}[wanted]:
        name = dtype_name(dtype)
        said = (
            f"Expected {name}, got {value!r} of type '{type(value).__name__}' instead."
            if graph
            else f"Cannot convert {value!r} to EagerTensor of dtype {name}."
        )
        raise TypeError(f"{said} Give numbers that {name} holds, or another dtype.")
    with np.errstate(over="ignore", invalid="ignore"):
        if wanted != "f":
            result = array.astype(dtype)
            if not np.array_equal(result, array):
                raise ValueError(f"{value!r} does not fit {dtype_name(dtype)}. Use a wider dtype.")
            return result
        python = not isinstance(value, np.ndarray | np.generic)
        if python:
            array = array.astype(np.float64)  # Python integers too, so a large one rounds twice
        if dtype == FLOATS["bfloat16"] or (dtype == FLOATS["float16"] and python and not graph):
            array = array.astype(np.float32)
        return array.astype(dtype)


def uniform_law(
    minval: Any, maxval: Any, dtype: np.dtype[Any], *, graph: bool = False
) -> UniformLaw:
    """The law of U(minval, maxval) in `dtype`.

    TensorFlow never adds a `minval` that is the integer 0, and its graph optimizer drops the
    addition of a 0.0 as well.  (What it makes of a -0.0 given depends on its version, and on
    whether it has met a 0.0 before.)
    """
    with np.errstate(over="ignore", invalid="ignore"):
        low, high = (to_dtype(limit, dtype, graph=graph) for limit in (minval, maxval))
        span = float(high - low)
    if not np.isfinite(span):
        raise ValueError(
            f"`minval`={minval!r} and `maxval`={maxval!r} must be finite and no further apart than "
            f"the largest {dtype_name(dtype)}: TensorFlow would give infinities and NaNs. "
            "Bring them closer, or use a wider dtype."
        )
    unshifted = not low and (graph or isinstance(minval, int))
    return UniformLaw(span, -0.0 if unshifted else float(low))


def kernel_stream(seed: Sequence[int], offset: int = 0) -> Stream:
    """The Philox stream of the kernel with attributes `seed`=(seed, seed2), `offset` blocks on.

    Raises:
        TypeError: `seed` is not a pair of integers.
        ValueError: one of them leaves 64 bits, or both are 0; or `offset` is negative.
    """
    if not isinstance(seed, tuple | list) or len(seed) != 2:
        raise TypeError(f"`seed` must be TensorFlow's pair (seed, seed2), got {seed!r}.")
    key, high = (operator.index(part) for part in seed)
    if not all(-(2**63) <= part < 2**64 for part in (key, high)):
        raise ValueError(f"`seed` must be a pair of 64-bit integers, got {tuple(seed)}.")
    if key == high == 0:
        raise ValueError(
            "`seed`=(0, 0) asks TensorFlow's kernels for entropy of their own, so nothing can be "
            "replayed. Its Python code never passes it: it gives (0, 2**31 - 1) instead."
        )
    if offset < 0:
        raise ValueError(f"`offset` must be a number of blocks, 0 or more, got {offset}.")
    return Stream(key % 2**64, ((high % 2**64 << 64) + offset) % 2**128)


def random_uniform(
    shape: Sequence[int],
    minval: float = 0,
    maxval: float = 1,
    *,
    seed: tuple[int, int],
    dtype: Any = "float32",
    offset: int = 0,
    start: int = 0,
    graph: bool = False,
) -> Array:
    """Return what TensorFlow's `RandomUniform` kernel gives, scaled to [minval, maxval).

    Args:
        shape: of the result, or of a run of consecutive rows when `start` is given.
        minval, maxval: Python or NumPy numbers; rounding may let a value reach `maxval`.
        seed: the kernel's pair (seed, seed2), as `tf.compat.v1.get_seed` returns it.
        dtype: float16, bfloat16, float32 or float64.
        offset: blocks the kernel has used before: 256 for each value it has given.
        start: row-major index, in the whole tensor, of the first value returned.
        graph: convert the limits as a graph does, not as eager mode does (float16 alone differs).

    Returns:
        A new array.  The values of indices start .. start + size - 1, however they are split.

    Raises:
        TypeError: `dtype` is none of the four; `seed` is no pair; a limit is no number.
        ValueError: `seed` is (0, 0); a limit overflows `dtype`; `offset` or `start` is negative.

    Source: tensorflow/core/kernels/random_op.cc and python/ops/random_ops.py, 2.4.4 and 2.21.0.

    Example:
        >>> random_uniform((3,), -1, 1, seed=(87654321, 42))
        array([0.9045429 , 0.35481548, 0.5906365 ], dtype=float32)
        >>> random_uniform((1,), -1, 1, seed=(87654321, 42), start=2)
        array([0.5906365], dtype=float32)
    """
    found = parse_dtype(dtype)
    if found not in FLOAT_DTYPES.values():
        raise TypeError(
            f"`dtype` must be one of {', '.join(FLOAT_DTYPES)}, got {dtype_name(found)}: "
            "TensorFlow's RandomUniform has no other."
        )
    law = uniform_law(minval, maxval, found, graph=graph)
    source = kernel_stream(seed, offset)
    out = np.empty(shape, dtype=found)
    _kernel.fill(out, law, source, start)
    return out


def random_uniform_int(
    shape: Sequence[int],
    minval: int,
    maxval: int,
    *,
    seed: tuple[int, int],
    dtype: Any = "int32",
    offset: int = 0,
    start: int = 0,
) -> Array:
    """Return what TensorFlow's `RandomUniformInt` kernel gives: integers in [minval, maxval).

    The word (int64: two of them, low first) modulo maxval - minval, plus minval; so not exactly
    uniform unless the range is a power of two.  Arguments as for `random_uniform`.

    Raises:
        TypeError: `dtype` is neither int32 nor int64, or a limit is no integer.
        ValueError: minval >= maxval, or a limit that `dtype` cannot hold; `seed` is (0, 0).

    Source: tensorflow/core/kernels/random_op.cc, 2.4.4 and 2.21.0.

    Example:
        >>> random_uniform_int((4,), -5, 5, seed=(87654321, 42))
        array([-3, -1, -2,  4], dtype=int32)
    """
    found = parse_dtype(dtype, floating=False)
    if found not in INTEGER_DTYPES.values():
        raise TypeError(
            f"`dtype` must be one of {', '.join(INTEGER_DTYPES)}, got {dtype_name(found)}: "
            "TensorFlow's RandomUniformInt has no other."
        )
    low, high = (int(to_dtype(limit, found)) for limit in (minval, maxval))
    if low >= high:
        raise ValueError(
            f"Need minval < maxval, got {low} >= {high}. No integer lies in [minval, maxval)."
        )
    per_value = found.itemsize // 4
    if start < 0 or start >> INDEX_BITS - 1:
        raise ValueError(f"`start` must lie in [0, 2**{INDEX_BITS - 1}), got {start}.")
    out = np.empty(shape, dtype=found)
    words = np.empty((out.size, per_value), dtype=np.uint32)
    _kernel.fill(words, None, kernel_stream(seed, offset), start * per_value)
    unsigned = np.uint32 if per_value == 1 else np.uint64
    bits = words[:, 0].astype(unsigned)
    if per_value == 2:
        bits |= words[:, 1].astype(unsigned) << unsigned(32)
    bits %= unsigned(high - low)
    bits += unsigned(low % 2 ** (8 * found.itemsize))  # wraps around into [low, high)
    out[...] = bits.view(found).reshape(out.shape)
    return out
