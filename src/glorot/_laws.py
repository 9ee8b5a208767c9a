# SPDX-License-Identifier: Apache-2.0
"""The laws: words -> values.  This file is the specification; every kernel equals it to the byte.

A law turns the word of an element into a signed integer (`integer32`, and `integer64` for
float64), using integer operations only; `values` converts that integer to floating point once
and multiplies once.  Nothing else is portable to the bit: XLA and nvcc contract a * b + c, and
every framework's `log` and `sqrt` differ.  Written against an array namespace `xp`.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from glorot._dtypes import FLOATS, dtype_name
from glorot._stream import LANE_LOW, LANE_WORD, multiply_wide

Array = Any

# float32(stddev * 2**-29), and sums with the mean, must stay normal numbers, since XLA flushes
# subnormals to zero.
SMALLEST_SCALE = 2.0**-96
FEWEST_TRUNCATED_WORDS = 2**20

# Bits of fraction in a normal's integer magnitude: 6.3 stddevs fit 32 bits, 9.3 fit 64.
NORMAL_FRACTION = {32: 29, 64: 60}
SEGMENT_BITS = {32: 2, 64: 3}  # segments an octave of the tail probability: 4 and 8


@functools.cache
def normal_table(bits: int) -> "np.ndarray[Any, np.dtype[Any]]":
    """Rows of polynomial coefficients, (octaves * segments, degree + 1), uint32 or uint64.

    The file is also the initialiser list that the native kernel includes;
    tools/make_normal_tables.py computes it.
    """
    from pathlib import Path  # slow to load, and the kernel has the tables in it

    text = (Path(__file__).parent / "tables" / f"normal{bits}.inc").read_text(encoding="ascii")
    rows = [line.strip(" {},") for line in text.splitlines() if line.startswith("{")]
    numbers = [[int(cell.rstrip("uUlL"), 16) for cell in row.split(",")] for row in rows]
    return np.array(numbers, dtype=np.uint32 if bits == 32 else np.uint64)


def normal_magnitude(xp: Any, tail: Array, bits: int) -> Array:
    """|z| with Phi(-|z|) = tail * 2**-(bits + 1), an odd integer in units of 2**-NORMAL_FRACTION.

    `tail` is odd.  Its leading zeros pick the octave, the next bits the segment, the rest are the
    fraction t of c0 - t (c1 - t (c2 - ...)): all terms are positive and no step leaves the word.
    """
    word, real = (xp.uint32, xp.float32) if bits == 32 else (xp.uint64, xp.float64)
    mantissa, bias = (23, 127) if bits == 32 else (52, 1023)
    segment_bits = SEGMENT_BITS[bits]
    # Clearing the bit below the leading one keeps the conversion from rounding up an octave.
    leading = (tail & ~(tail >> word(1))).astype(real).view(word) >> word(mantissa)
    octave = word(bias + bits - 1) - leading
    fraction = tail << octave << word(1)  # two shifts: octave + 1 can be the whole width
    row = (octave << word(segment_bits) | fraction >> word(bits - segment_bits)).astype(xp.uint32)
    t = fraction << word(segment_bits)
    table = xp.asarray(normal_table(bits))
    magnitude = table[row, -1]
    for degree in range(table.shape[1] - 2, -1, -1):
        magnitude = table[row, degree] - multiply_wide(xp, t, magnitude, bits)[0]
    return magnitude | word(1)


def normal_integer(xp: Any, q: Array, bits: int) -> tuple[Array, Array]:
    """(is negative, magnitude) of the normal quantile of (2 q + 1) * 2**-(bits + 1)."""
    word = xp.uint32 if bits == 32 else xp.uint64
    negative = q < word(1 << bits - 1)
    folded = xp.where(negative, q, ~q)
    return negative, normal_magnitude(xp, folded << word(1) | word(1), bits)


def _signed_float(xp: Any, negative: Array, magnitude: Array, bits: int) -> Array:
    """The integer as floating point: the one conversion, to nearest even."""
    real = magnitude.astype(xp.float32 if bits == 32 else xp.float64)
    return xp.where(negative, -real, real)


@dataclass(frozen=True, slots=True)
class Law:
    """A distribution of scale `scale` and centre `mean`.

    `bounds` clips what adding the mean rounded outside of it (`RandomUniform` promises its
    limits).  Laws compare and hash by value.
    """

    scale: float
    mean: float = 0.0
    bounds: tuple[float, float] | None = None

    kind: ClassVar[str]
    parameter: ClassVar[str]  # what users call the scale
    fraction: ClassVar[dict[int, int]]  # bits of fraction in the integer, by word width

    def __post_init__(self) -> None:
        for name, value in (("mean", self.mean), (self.parameter, self.scale)):
            if not math.isfinite(value):
                raise ValueError(f"`{name}` must be finite, got {value!r}.")
        if self.scale < 0:
            raise ValueError(f"`{self.parameter}` must not be negative, got {self.scale!r}.")
        for name, value in (("mean", abs(self.mean)), (self.parameter, self.scale)):
            if 0 < value < SMALLEST_SCALE:
                raise ValueError(
                    f"`{name}` must be 0 or at least 2**-96 (1.3e-29) in size, got {value!r}: "
                    "below that, accelerators flush values to zero and frameworks would disagree."
                )

    def peak(self, bits: int) -> int:
        """The largest magnitude of the integer."""
        raise NotImplementedError

    def integer(self, xp: Any, word: Array, bits: int) -> Array:
        """Words of `bits` bits -> the law's signed integers, converted to floating point."""
        raise NotImplementedError

    def variance(self) -> float:
        """The variance of the exact law."""
        raise NotImplementedError

    @property
    def stddev(self) -> float:
        """The standard deviation of the values returned (before rounding to the dtype)."""
        return math.sqrt(self.variance())

    def multiplier(self, bits: int) -> float:
        """What the integer is multiplied by, before its one rounding."""
        return self.scale * 2.0 ** -self.fraction[bits]

    def largest(self, bits: int = 32) -> float:
        """The largest magnitude the law can give."""
        return abs(self.mean) + self.peak(bits) * self.multiplier(bits)

    def check_range(self, dtype: np.dtype[Any]) -> None:
        """Refuse a law whose largest value overflows `dtype`."""
        bits, real = (64, np.float64) if dtype == FLOATS["float64"] else (32, np.float32)
        with np.errstate(over="ignore"):  # the steps of `values`, at its largest integer
            most = real(self.peak(bits)) * real(self.multiplier(bits)) + real(abs(self.mean))
            fits = np.isfinite(most.astype(dtype).astype(np.float64))
        if not fits:
            raise ValueError(
                f"`{self.parameter}`={self.scale!r} overflows {dtype_name(dtype)}: its largest "
                f"value would be {self.largest(bits):.6g}. Use a smaller scale or a wider dtype."
            )


@dataclass(frozen=True, slots=True)
class Uniform(Law):
    """U(mean - scale, mean + scale), symmetric; around 0 it never gives 0 nor reaches the bound."""

    kind: ClassVar[str] = "uniform"
    parameter: ClassVar[str] = "bound"
    fraction: ClassVar[dict[int, int]] = {32: 24, 64: 53}

    def peak(self, bits: int) -> int:
        return (1 << self.fraction[bits]) - 1

    def integer(self, xp: Any, word: Array, bits: int) -> Array:
        # 2 k + 1 - 2**24 with k the top 24 bits of the word (53 of the 64), exact as a float.
        unsigned, signed, real = (
            (xp.uint32, xp.int32, xp.float32) if bits == 32 else (xp.uint64, xp.int64, xp.float64)
        )
        width = self.fraction[bits]
        odd = word >> unsigned(bits - width - 1) | unsigned(1)
        return (odd.astype(signed) - signed(1 << width)).astype(real)

    def variance(self) -> float:
        return self.scale**2 / 3.0


@dataclass(frozen=True, slots=True)
class Normal(Law):
    """N(mean, scale**2) by the quantile transform: tails to 6.3 stddevs (9.2 in float64).

    Values rise with the word, but for falls of up to 2 units (4e-9 stddevs) from rounding down.
    """

    kind: ClassVar[str] = "normal"
    parameter: ClassVar[str] = "stddev"
    fraction: ClassVar[dict[int, int]] = NORMAL_FRACTION

    def peak(self, bits: int) -> int:
        return int(normal_table(bits)[-(1 << SEGMENT_BITS[bits]), 0]) | 1  # tail = 1: t = 0

    def integer(self, xp: Any, word: Array, bits: int) -> Array:
        return _signed_float(xp, *normal_integer(xp, word, bits), bits)

    def variance(self) -> float:
        return self.scale**2


# How many floating-point neighbours inside its cut-off a magnitude stays.  The roundings of the
# multiplier and of the product then cannot carry a value past `cut * scale`.
FLOATS_INSIDE = 4


def _cut(x: float, bits: int, *, inside: str) -> int:
    """|x| in units of 2**-NORMAL_FRACTION, moved `inside` ("down" or "up") to the fourth integer
    from it that floating point holds exactly."""
    mantissa = 24 if bits == 32 else 53
    exact = math.ldexp(abs(x), NORMAL_FRACTION[bits])
    n = math.ceil(exact) if inside == "down" else math.floor(exact)
    for _ in range(FLOATS_INSIDE):
        n += -1 if inside == "down" else 1
        unit = 1 << max(0, n.bit_length() - mantissa)
        n = n // unit * unit if inside == "down" else -(-n // unit) * unit
    return max(n, 0)


@dataclass(frozen=True, slots=True)
class TruncatedNormal(Law):
    """N(0, scale**2) cut to [lower, upper] in units of scale, plus the mean.

    `scale` is the stddev before the cut.  No rejection: each element uses its own word alone.
    """

    lower: float = -2.0
    upper: float = 2.0

    kind: ClassVar[str] = "truncated_normal"
    parameter: ClassVar[str] = "stddev"
    fraction: ClassVar[dict[int, int]] = NORMAL_FRACTION

    def __post_init__(self) -> None:
        Law.__post_init__(self)
        if not self.lower < self.upper:
            raise ValueError(
                f"`lower` must be below `upper`, got lower={self.lower!r}, upper={self.upper!r}."
            )
        if self.words < FEWEST_TRUNCATED_WORDS:
            raise ValueError(
                f"[{self.lower!r}, {self.upper!r}] holds {self.words} of the 2**32 quantiles; at "
                "least 2**20 are needed to tell values apart. Move the cut-offs (in stddevs) "
                "towards 0 or apart."
            )

    @property
    def first(self) -> int:
        """A: the first quantile inside, in units of 2**-32."""
        return round(math.ldexp(_phi(self.lower), 32))

    @property
    def words(self) -> int:
        """R: how many quantiles are inside; all 2**32 do not fit a word and lose the last."""
        return min(round(math.ldexp(_phi(self.upper), 32)) - self.first, 2**32 - 1)

    def cuts(self, bits: int) -> tuple[int, int, int]:
        """(least magnitude, greatest below zero, greatest above zero) that the cut-offs allow."""
        least = 0
        if self.lower > 0 or self.upper < 0:
            least = _cut(min(abs(self.lower), abs(self.upper)), bits, inside="up")
        limit = (1 << bits) - 1
        reach = 1 << bits - NORMAL_FRACTION[bits]  # 8 and 16 stddevs: no magnitude gets there
        below = _cut(self.lower, bits, inside="down") if -reach < self.lower < 0 else limit
        above = _cut(self.upper, bits, inside="down") if 0 < self.upper < reach else limit
        return least, below, above

    def peak(self, bits: int) -> int:
        largest = int(normal_table(bits)[-(1 << SEGMENT_BITS[bits]), 0]) | 1
        _, below, above = self.cuts(bits)
        return min(max(below if self.lower < 0 else 0, above if self.upper > 0 else 0), largest)

    def integer(self, xp: Any, word: Array, bits: int) -> Array:
        unsigned = xp.uint32 if bits == 32 else xp.uint64
        first, count = unsigned(self.first << bits - 32), unsigned(self.words << bits - 32)
        q = first + multiply_wide(xp, word, count, bits)[0]
        negative, magnitude = normal_integer(xp, q, bits)
        least, below, above = (unsigned(cut) for cut in self.cuts(bits))
        magnitude = xp.minimum(xp.maximum(magnitude, least), xp.where(negative, below, above))
        return _signed_float(xp, negative, magnitude, bits)

    def variance(self) -> float:
        return self.scale**2 * truncated_variance(self.lower, self.upper)


def _phi(x: float) -> float:
    """The normal distribution function."""
    return 0.5 * math.erfc(-x / math.sqrt(2.0))


def _density(x: float) -> float:
    return math.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)


def truncated_variance(lower: float, upper: float) -> float:
    """The variance of N(0, 1) cut to [lower, upper] (Johnson, Kotz, Balakrishnan, "Continuous
    Univariate Distributions" 1, 13.10.1).  For (-2, 2) its root is 0.879625661034..."""
    mass = _phi(upper) - _phi(lower)
    at_lower = lower * _density(lower) if math.isfinite(lower) else 0.0
    at_upper = upper * _density(upper) if math.isfinite(upper) else 0.0
    shift = (_density(lower) - _density(upper)) / mass
    return 1.0 + (at_lower - at_upper) / mass - shift * shift


def truncated_kurtosis(lower: float, upper: float) -> float:
    """The fourth central moment of N(0, 1) cut to [lower, upper] over the square of its variance,
    by the recurrence of its moments, m_n = (n - 1) m_(n-2) - [x**(n-1) density(x)] / mass."""
    mass = _phi(upper) - _phi(lower)
    moments = [1.0]
    for n in range(1, 5):
        ends = [x ** (n - 1) * _density(x) if math.isfinite(x) else 0.0 for x in (lower, upper)]
        before = (n - 1) * moments[n - 2] if n > 1 else 0.0
        moments.append(before + (ends[0] - ends[1]) / mass)
    _, mean, second, third, fourth = moments
    central = fourth - 4 * mean * third + 6 * mean**2 * second - 3 * mean**4
    return central / truncated_variance(lower, upper) ** 2


def lanes(dtype: np.dtype[Any]) -> Sequence[int]:
    """The lanes a value of `dtype` draws from: float64 adds a second word below the first."""
    return (LANE_WORD, LANE_LOW) if dtype == FLOATS["float64"] else (LANE_WORD,)


def values(xp: Any, law: Law, dtype: np.dtype[Any], word: Array, low: Array = None) -> Array:
    """The law's values for words (uint32 arrays; `low` for float64 alone), in `dtype`."""
    if dtype == FLOATS["float64"]:
        bits, real = 64, xp.float64
        word = word.astype(xp.uint64) << xp.uint64(32) | low.astype(xp.uint64)
    else:
        bits, real = 32, xp.float32
    scale = real(law.multiplier(bits))
    value = law.integer(xp, word, bits) * scale
    if law.mean != 0.0:
        # The clip changes nothing: it stops compilers from fusing the product into the sum.
        most = real(law.peak(bits)) * scale
        value = xp.minimum(xp.maximum(value, -most), most) + real(law.mean)
        if law.bounds is not None:
            low_bound, high_bound = (real(bound) for bound in law.bounds)
            value = xp.minimum(xp.maximum(value, low_bound), high_bound)
    return value.astype(dtype)
