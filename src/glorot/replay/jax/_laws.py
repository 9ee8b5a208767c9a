# SPDX-License-Identifier: Apache-2.0
"""JAX's draws as laws of the kernel: element index -> value, each element alone.

    bits     the hash of the element's counter, as many bits as the dtype has (bfloat16: 8)
    uniform  the highest bits as a mantissa: u in [0, 1), then  max(low, u * span + low)
    normal   sqrt(2) * erf_inv(uniform), clipped
    then     * scale + shift, each rounded, as initializers multiply after drawing

float32 and float64 compute u * span + low with one rounding (XLA fuses it, where the CPU has an
FMA); float16 and bfloat16 round each step, and compute erf_inv in float32.  float64 has an erf_inv
of its own.  Where the CPU computes in float16 itself, that too is fused: `float16_fma`.

Source: jax/_src/random/core.py (_uniform, _normal_real, _truncated_normal), 0.10.2.
"""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from glorot._dtypes import FLOATS
from glorot._stream import Stream
from glorot.replay._fma import fma32, fma64
from glorot.replay._xla64 import erf_inv64
from glorot.replay.jax import _xla32
from glorot.replay.jax._threefry import bits_at

Array = np.ndarray[Any, np.dtype[Any]]

# dtype: bits drawn, of which the lowest are dropped; then its unsigned integer and the bits of 1.0.
_MANTISSAS = {
    FLOATS["float16"]: (16, 6, np.uint16, 0x3C00),
    FLOATS["bfloat16"]: (8, 1, np.uint16, 0x3F80),
    FLOATS["float32"]: (32, 9, np.uint32, 0x3F800000),
    FLOATS["float64"]: (64, 12, np.uint64, 0x3FF0000000000000),
}

DRAWN_BITS = {dtype: width for dtype, (width, *_) in _MANTISSAS.items()}


def key_stream(words: Array) -> Stream:
    """A key's two words as the kernel takes them; the counter is the element's index."""
    return Stream(int(words[0]) | int(words[1]) << 32, 0)


@dataclass(frozen=True, slots=True, eq=False)
class BitsLaw:
    """A `BlockLaw`: random bits, in memory that is called a float of the same width.

    `total` is the number of elements of the draw in the legacy layout, 0 in the partitionable one.
    """

    total: int = 0

    code: ClassVar[int] = 16

    def native(self) -> tuple[Sequence[float], Sequence[int]]:
        """The constants as the native kernel takes them."""
        return (), (self.total,)

    def _bytes(self) -> bytes:
        reals, integers = self.native()
        return struct.pack(f"<{len(reals)}d{len(integers)}Q", *reals, *integers)

    def __eq__(self, other: object) -> bool:
        # Not by value: laws that differ in the sign of a zero give different bytes.
        return type(other) is type(self) and self._bytes() == other._bytes()

    def __hash__(self) -> int:
        return hash((self.code, self._bytes()))

    def _bits(self, stream: Stream, block: Array, width: int) -> Array:
        key = np.array([stream.key & 0xFFFFFFFF, stream.key >> 32], dtype=np.uint32)
        index = block[:, None] * np.uint64(4) + np.arange(4, dtype=np.uint64)
        return bits_at(key, index, width, self.total)

    def blocks(self, dtype: np.dtype[Any], stream: Stream, block: Array) -> Array:
        """The NumPy reference."""
        width = 8 * dtype.itemsize
        return self._bits(stream, block, width).astype(f"u{dtype.itemsize}").view(dtype)


@dataclass(frozen=True, slots=True, eq=False)
class UniformLaw(BitsLaw):
    """A `BlockLaw`: uniform from `low`, `span` wide, then times `scale`, plus `shift`.

    All are already rounded to the dtype.  A `scale` of 1.0 and a `shift` of -0.0 change nothing.
    `float16_fma`: float16, on a CPU that has a fused multiply-add of that dtype.
    """

    low: float = 0.0
    span: float = 1.0
    scale: float = 1.0
    shift: float = -0.0
    float16_fma: bool = False

    code: ClassVar[int] = 17

    def native(self) -> tuple[Sequence[float], Sequence[int]]:
        """The constants as the native kernel takes them."""
        return (self.low, self.span, self.scale, self.shift), (self.total, int(self.float16_fma))

    def _uniform(self, dtype: np.dtype[Any], stream: Stream, block: Array) -> Array:
        width, dropped, unsigned, one = _MANTISSAS[dtype]
        kept = self._bits(stream, block, width) >> np.uint64(dropped)
        unit = (kept.astype(unsigned) | unsigned(one)).view(dtype) - dtype.type(1.0)
        low, span = dtype.type(self.low), dtype.type(self.span)
        if self.float16_fma:  # exact in float64
            value = (unit.astype(np.float64) * float(span) + float(low)).astype(dtype)
        elif dtype.itemsize == 2:
            value = unit * span + low
        else:
            value = (fma32 if dtype.itemsize == 4 else fma64)(unit, span, low)
        result: Array = np.where(value < low, low, value)
        return result

    def _then(self, dtype: np.dtype[Any], value: Array) -> Array:
        result: Array = value * dtype.type(self.scale) + dtype.type(self.shift)
        return result

    def blocks(self, dtype: np.dtype[Any], stream: Stream, block: Array) -> Array:
        """The NumPy reference."""
        return self._then(dtype, self._uniform(dtype, stream, block))


@dataclass(frozen=True, slots=True, eq=False)
class NormalLaw(UniformLaw):
    """A `BlockLaw`: a normal draw between `least` and `most`, by the inverse of erf."""

    least: float = -math.inf
    most: float = math.inf

    code: ClassVar[int] = 18

    def native(self) -> tuple[Sequence[float], Sequence[int]]:
        """The constants as the native kernel takes them."""
        reals = (self.low, self.span, self.scale, self.shift, self.least, self.most)
        return reals, (self.total, int(self.float16_fma))

    def blocks(self, dtype: np.dtype[Any], stream: Stream, block: Array) -> Array:
        """The NumPy reference."""
        uniform = self._uniform(dtype, stream, block)
        if dtype.itemsize == 8:
            inverse = erf_inv64(uniform)
        else:
            inverse = _xla32.erf_inv(uniform.astype(np.float32)).astype(dtype)
        value = inverse * dtype.type(math.sqrt(2.0))
        least, most = dtype.type(self.least), dtype.type(self.most)
        value = np.where(value < least, least, value)
        value = np.where(value < most, value, most)  # of two zeros, the bound's
        return self._then(dtype, value)
