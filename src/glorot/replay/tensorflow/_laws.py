# SPDX-License-Identifier: Apache-2.0
"""TensorFlow's three laws: the words of Philox blocks -> uniforms, normals, truncated normals.

Each is a unit law, times a scale, plus a shift, rounded in the dtype after each step.

uniform     keeps the LOW bits of a word (two words for float64) as the mantissa of a number in
            [1, 2), minus 1.
normal      Box and Muller's transform of two uniforms, the sine's value first; float16 and bfloat16
            are the float32 values, rounded.
truncated   the same, in groups of four (float64: two).  Group g starts anew 256 g blocks on
            (float64: 128 g), and keeps the first values strictly within two standard deviations.
"""

import functools
import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from glorot import _reference
from glorot._dtypes import FLOATS
from glorot._stream import Stream
from glorot.replay._libm import log64, logf, sincos64, sincosf

Array = np.ndarray[Any, np.dtype[Any]]

_FLOAT32, _FLOAT64 = FLOATS["float32"], FLOATS["float64"]

# (unsigned integer of the same width, mask of the mantissa, bits of 1.0)
_MANTISSA = {
    FLOATS["float16"]: (np.uint16, 0x3FF, 0x3C00),
    FLOATS["bfloat16"]: (np.uint16, 0x7F, 0x3F80),
    FLOATS["float32"]: (np.uint32, 0x7FFFFF, 0x3F800000),
}
_LEAST = 1e-7  # what takes the place of smaller uniforms before the logarithm
LARGEST_NORMAL = math.sqrt(-2.0 * math.log(_LEAST))  # 5.68
RESERVED_BLOCKS = 256  # from one block of four truncated normals to the next


@dataclass(frozen=True, slots=True, eq=False)
class ScaledLaw:
    """A `BlockLaw`: the unit law times `scale`, plus `shift`.

    Both are already rounded to the dtype of the values.  `shift` is -0.0 where TensorFlow adds
    nothing: adding that changes no number, while adding 0.0 turns -0.0 into 0.0.
    """

    scale: float
    shift: float

    code: ClassVar[int]

    def native(self) -> tuple[Sequence[float], Sequence[int]]:
        """The constants as the native kernel takes them."""
        return (self.scale, self.shift), ()

    def _bits(self) -> bytes:
        reals, integers = self.native()
        return struct.pack(f"<2d{len(integers)}Q", *reals, *integers)

    def __eq__(self, other: object) -> bool:
        # Not by value: laws that differ in the sign of a zero give different bytes.
        if not isinstance(other, ScaledLaw):
            return NotImplemented
        return (self.code, self._bits()) == (other.code, other._bits())

    def __hash__(self) -> int:
        return hash((self.code, self._bits()))

    def unit(self, dtype: np.dtype[Any], stream: Stream, block: Array) -> Array:
        """The unit law's values in `dtype`, of shape (n, 4) for n blocks."""
        raise NotImplementedError

    def blocks(self, dtype: np.dtype[Any], stream: Stream, block: Array) -> Array:
        """The NumPy reference."""
        product = self.unit(dtype, stream, block) * dtype.type(self.scale)
        result: Array = product + dtype.type(self.shift)
        return result


class UniformLaw(ScaledLaw):
    """Uniform in [0, 1)."""

    __slots__ = ()
    code = 8

    def unit(self, dtype: np.dtype[Any], stream: Stream, block: Array) -> Array:
        """Four values a block; those of float64 take the words of two Philox blocks."""
        if dtype == _FLOAT64:
            return _unit64(_reference.block_words(stream, _pairs(block))).reshape(-1, 4)
        unsigned, mask, one = _MANTISSA[dtype]
        words = _reference.block_words(stream, block)
        bits = (words & np.uint32(mask)).astype(unsigned) | unsigned(one)
        result: Array = bits.view(dtype) - dtype.type(1.0)
        return result


# How the C library of TensorFlow's machine computes float64 logarithms, and sines and cosines.
ARITHMETICS = {
    "fma": ("fma", "fma"),  # glibc 2.36 or later, on a processor with FMA
    "fma-2.29": ("fma", "default"),  # glibc 2.29 to 2.35, on a processor with FMA
    "default": ("default", "default"),  # a processor without FMA
}


@dataclass(frozen=True, slots=True, eq=False)
class NormalLaw(ScaledLaw):
    """Normal, of mean 0 and standard deviation 1."""

    arithmetic: str = "fma"  # one of ARITHMETICS; matters to float64 alone

    code: ClassVar[int] = 9

    def native(self) -> tuple[Sequence[float], Sequence[int]]:
        """The constants as the native kernel takes them."""
        fused = [int(part == "fma") for part in ARITHMETICS[self.arithmetic]]
        return (self.scale, self.shift), fused

    def unit(self, dtype: np.dtype[Any], stream: Stream, block: Array) -> Array:
        """Four values a block."""
        if dtype == _FLOAT64:
            words = _reference.block_words(stream, _pairs(block))
            return _normals64(words, self.arithmetic).reshape(-1, 4)
        return _normals32(_reference.block_words(stream, block)).astype(dtype)


class TruncatedNormalLaw(NormalLaw):
    """Normal, drawn again where it is not strictly within two standard deviations."""

    __slots__ = ()
    code = 10

    def unit(self, dtype: np.dtype[Any], stream: Stream, block: Array) -> Array:
        """Four values a block: one group, or two of float64."""
        groups: Array = block
        normals: Callable[[Array], Array] = _normals32
        if dtype == _FLOAT64:
            groups = _pairs(block)
            normals = functools.partial(_normals64, arithmetic=self.arithmetic)
        first = groups * np.uint64(RESERVED_BLOCKS * block.size // groups.size if block.size else 1)
        candidates = normals(_reference.block_words(stream, first))
        size = candidates.shape[1]
        values = np.empty_like(candidates)
        kept = np.zeros(len(first), dtype=np.intp)
        left = np.arange(len(first))
        step = 0
        while left.size:
            for column in range(size):
                value = candidates[:, column]
                inside = (np.abs(value) < 2.0) & (kept[left] < size)
                values[left[inside], kept[left][inside]] = value[inside]
                kept[left[inside]] += 1
            left = left[kept[left] < size]
            step += 1
            candidates = normals(_reference.block_words(stream, first[left] + np.uint64(step)))
        return values.reshape(-1, 4).astype(dtype)


def _pairs(block: Array) -> Array:
    """The two Philox blocks, or groups, of float64 that make up each block of four values."""
    pairs: Array = block[:, None] * np.uint64(2) + np.arange(2, dtype=np.uint64)
    return pairs.reshape(-1)


def _unit64(words: Array) -> Array:
    """Uniforms of float64, two a Philox block."""
    wide = words.astype(np.uint64)
    high = (wide[:, 0::2] & np.uint64(0xFFFFF)) << np.uint64(32)
    bits = np.uint64(1023 << 52) | high | wide[:, 1::2]
    return np.asarray(bits.view(np.float64) - 1.0)


def _normals32(words: Array) -> Array:
    """Normals of float32, four a Philox block."""
    bits = (words & np.uint32(0x7FFFFF)) | np.uint32(0x3F800000)
    uniform = bits.view(np.float32) - np.float32(1.0)
    radius = np.maximum(uniform[:, 0::2], np.float32(_LEAST))
    angle = (2.0 * math.pi * uniform[:, 1::2].astype(np.float64)).astype(np.float32)
    radius = np.sqrt(np.float32(-2.0) * logf(radius))
    return np.stack([wave * radius for wave in sincosf(angle)], axis=-1).reshape(-1, 4)


def _normals64(words: Array, arithmetic: str) -> Array:
    """Normals of float64, two a Philox block."""
    log, sincos = ARITHMETICS[arithmetic]
    uniform = _unit64(words)
    radius = np.sqrt(-2.0 * log64(np.maximum(uniform[:, 0], _LEAST), log))
    waves = sincos64(2.0 * math.pi * uniform[:, 1], sincos)
    return np.stack([wave * radius for wave in waves], axis=-1)
