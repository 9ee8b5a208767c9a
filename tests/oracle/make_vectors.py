# SPDX-License-Identifier: Apache-2.0
"""Known-answer vectors of stream 1, from an implementation that shares no line with the library.

    python tests/oracle/make_vectors.py [--check]

Written from docs/stream.md in exact arithmetic: Python integers for words, fractions for floating
point, rounded by hand.  No NumPy, no import of glorot.  The files are append-only: writing is
refused when a line that already stands would change.
"""

import argparse
import functools
import hashlib
import json
import math
import re
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
VECTORS = ROOT / "tests" / "vectors"
TABLES = ROOT / "src" / "glorot" / "tables"
M32 = 2**32 - 1


# --- the stream ----------------------------------------------------------------------------------


def philox4x32(counter: list[int], key: list[int]) -> list[int]:
    c, k = list(counter), list(key)
    for _ in range(10):
        p, r = c[0] * 0xD2511F53, c[2] * 0xCD9E8D57
        c = [(r >> 32) ^ c[1] ^ k[0], r & M32, (p >> 32) ^ c[3] ^ k[1], p & M32]
        k = [(k[0] + 0x9E3779B9) & M32, (k[1] + 0xBB67AE85) & M32]
    return c


def stream_word(seed: int, name: str, lane: int, index: int) -> int:
    digest = hashlib.blake2b(name.encode("utf-8"), digest_size=8, person=b"glorot.v1").digest()
    tag = sum(byte << 8 * place for place, byte in enumerate(digest))
    block = index // 4 + (lane << 62)
    counter = [block & M32, block >> 32, tag & M32, tag >> 32]
    return philox4x32(counter, [seed & M32, seed >> 32])[index % 4]


# --- floating point, rounded to nearest even -----------------------------------------------------


class Format(NamedTuple):
    """A binary floating point format."""

    exponent_bits: int
    mantissa_bits: int

    @property
    def bias(self) -> int:
        return (1 << self.exponent_bits - 1) - 1


FORMATS = {
    "float32": Format(8, 23),
    "float64": Format(11, 52),
    "float16": Format(5, 10),
    "bfloat16": Format(8, 7),
    "float8_e4m3fn": Format(4, 3),
    "float8_e5m2": Format(5, 2),
}


def exponent_of(x: Fraction) -> int:
    """floor(log2(x)) of a positive fraction."""
    guess = x.numerator.bit_length() - x.denominator.bit_length()
    return guess if Fraction(2) ** guess <= x else guess - 1


def rounded(x: Fraction, to: Format) -> Fraction:
    """The nearest number of the format, ties to even; subnormals included."""
    if x == 0:
        return x
    exponent = max(exponent_of(abs(x)), 1 - to.bias)
    unit = Fraction(2) ** (exponent - to.mantissa_bits)
    return round(x / unit) * unit  # round() of a Fraction takes ties to even


def encoded(x: Fraction, negative: bool, to: Format) -> str:
    """The bits of a number of the format, in hexadecimal; `negative` is the sign of a zero."""
    size = abs(x)
    exponent = max(exponent_of(size), 1 - to.bias) if size else 1 - to.bias
    digits = size / Fraction(2) ** (exponent - to.mantissa_bits)
    assert digits.denominator == 1, "not a number of the format"
    # A normal number's leading digit adds 1 to the exponent field, which therefore starts 1 lower.
    field = exponent + to.bias - 1
    bits = (field << to.mantissa_bits) + digits.numerator
    assert bits < (2**to.exponent_bits - 1) << to.mantissa_bits or to == FORMATS["float8_e4m3fn"]
    width = 1 + to.exponent_bits + to.mantissa_bits
    return f"{bits | int(negative) << width - 1:0{width // 4}x}"


# --- the normal distribution function, in fixed point ---------------------------------------------

_ONE = 1 << 512


@functools.cache
def _root_two_over_pi() -> int:
    """sqrt(2 / pi) in units of 1 / _ONE, with pi by Machin's formula."""

    def arctan_of_inverse(n: int) -> int:
        power, total, k = _ONE // n, 0, 0
        while power:
            total += (-1) ** k * power // (2 * k + 1)
            power //= n * n
            k += 1
        return total

    pi = 4 * (4 * arctan_of_inverse(5) - arctan_of_inverse(239))
    return math.isqrt(2 * _ONE**3 // pi)


def phi(x: float) -> Fraction:
    """Phi(x) to more than 100 digits, by the series of erf."""
    if math.isinf(x):
        return Fraction(int(x > 0))
    z = Fraction(x)
    power, total, n = int(z * _ONE), 0, 0
    while power:
        total += power // (2 * n + 1)
        n += 1
        power = int(-power * z * z / (2 * n))
    return Fraction(1, 2) + Fraction(total * _root_two_over_pi(), 2 * _ONE * _ONE)


# --- the laws ------------------------------------------------------------------------------------


class Law(NamedTuple):
    """A law's parameters; cut-offs in stddevs, bounds on the values."""

    kind: str
    scale: float
    mean: float = 0.0
    lower: float = -math.inf
    upper: float = math.inf
    bounds: tuple[float, float] | None = None


@functools.cache
def table(bits: int) -> list[list[int]]:
    """The coefficients, one row a segment."""
    text = (TABLES / f"normal{bits}.inc").read_text()
    rows = re.findall(r"^\{(.*)\},$", text, re.MULTILINE)
    return [[int(cell, 16) for cell in re.findall(r"0x([0-9a-f]+)", row)] for row in rows]


FRACTION = {32: 29, 64: 60}
MANTISSA = {32: 24, 64: 53}


def quantile(q: int, bits: int) -> int:
    """The signed fixed-point quantile of (2 q + 1) / 2**(bits + 1)."""
    negative = q < 1 << bits - 1
    tail = 2 * q + 1 if negative else 2 * ((1 << bits) - 1 - q) + 1
    place = tail.bit_length() - 1
    segments = len(table(bits)) // bits
    scaled = (tail - (1 << place)) * segments
    segment = scaled >> place
    t = (scaled - (segment << place)) << (bits - place)
    row = table(bits)[(bits - 1 - place) * segments + segment]
    step = row[-1]
    for coefficient in row[-2::-1]:
        step = coefficient - (t * step >> bits)
        assert 0 <= step < 2**bits
    return -(step | 1) if negative else step | 1


def held(n: int, bits: int) -> bool:
    """Whether a float of MANTISSA bits holds the integer."""
    return n % (1 << max(0, n.bit_length() - MANTISSA[bits])) == 0


def fourth_inside(cut: float, bits: int, direction: int) -> int:
    """The fourth integer beyond |cut| in units of 2**-FRACTION, downwards (-1) or upwards (+1),
    that a float holds.  Candidates lie on multiples of a power of two: of the finest near the cut
    that a float can hold there, found by halving from a coarse one."""
    exact = abs(Fraction(cut)) * (1 << FRACTION[bits])
    unit = 1 << max(0, math.floor(exact).bit_length() - MANTISSA[bits] - 1)
    first = math.ceil(exact / unit) - 1 if direction < 0 else math.floor(exact / unit) + 1
    candidates = [first + direction * i for i in range(10)]
    return max(0, [n * unit for n in candidates if held(n * unit, bits)][3])


class Cuts(NamedTuple):
    """The integers of a truncated law."""

    first: int
    words: int
    least: int
    below: int
    above: int


@functools.cache
def cuts(law: Law, bits: int) -> Cuts:
    first = round(phi(law.lower) * 2**32)
    count = min(round(phi(law.upper) * 2**32) - first, M32)
    limit = (1 << bits) - 1
    reach = 1 << bits - FRACTION[bits]
    nearest = min(abs(law.lower), abs(law.upper))
    least = fourth_inside(nearest, bits, +1) if law.lower > 0 or law.upper < 0 else 0
    below = fourth_inside(law.lower, bits, -1) if -reach < law.lower < 0 else limit
    above = fourth_inside(law.upper, bits, -1) if 0 < law.upper < reach else limit
    return Cuts(first, count, least, below, above)


def integer(law: Law, word: int, bits: int) -> tuple[bool, int]:
    """(is negative, magnitude): a cut-off next to 0 leaves -0."""
    if law.kind == "uniform":
        width = MANTISSA[bits]
        n = 2 * (word >> (bits - width)) + 1 - (1 << width)
        return n < 0, abs(n)
    if law.kind == "normal":
        n = quantile(word, bits)
        return n < 0, abs(n)
    c = cuts(law, bits)
    shift = bits - 32
    n = quantile((c.first << shift) + (word * (c.words << shift) >> bits), bits)
    return n < 0, min(max(abs(n), c.least), c.below if n < 0 else c.above)


def peak(law: Law, bits: int) -> int:
    if law.kind == "uniform":
        return (1 << MANTISSA[bits]) - 1
    largest = abs(quantile(0, bits))
    if law.kind == "normal":
        return largest
    c = cuts(law, bits)
    sides = [c.below if law.lower < 0 else 0, c.above if law.upper > 0 else 0]
    return min(max(sides), largest)


def value(law: Law, dtype: str, word: int, low: int) -> str:
    """The bits of the law's value, in hexadecimal."""
    bits = 64 if dtype == "float64" else 32
    real = FORMATS["float64" if bits == 64 else "float32"]
    negative, magnitude = integer(law, word << 32 | low if bits == 64 else word, bits)
    n = -magnitude if negative else magnitude
    places = MANTISSA[bits] if law.kind == "uniform" else FRACTION[bits]
    multiplier = rounded(Fraction(law.scale) / 2**places, real)
    x = rounded(rounded(Fraction(n), real) * multiplier, real)
    if law.mean != 0:
        most = rounded(rounded(Fraction(peak(law, bits)), real) * multiplier, real)
        assert abs(x) <= most
        x = rounded(x + rounded(Fraction(law.mean), real), real)
        if law.bounds is not None:
            least, greatest = (rounded(Fraction(bound), real) for bound in law.bounds)
            x = min(max(x, least), greatest)
        negative = x < 0
    return encoded(rounded(x, FORMATS[dtype]), negative, FORMATS[dtype])


# --- the files -----------------------------------------------------------------------------------

PI = [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344], [0xA4093822, 0x299F31D0]
PUBLISHED = {
    "zeros": ([0] * 4, [0] * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    "ones": ([M32] * 4, [M32] * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    "digits of pi": (*PI, "d16cfe09 94fdcceb 5001e420 24126ea1"),
}


def philox_lines() -> Iterator[str]:
    yield "# Philox4x32-10: counter (4 words), key (2 words), output (4 words); append-only."
    yield "# The rows of Random123's known-answer file: all zeros, all ones, digits of pi."
    for counter, key, published in PUBLISHED.values():
        output = " ".join(f"{word:08x}" for word in philox4x32(counter, key))
        assert output == published
        yield " ".join(f"{word:08x}" for word in [*counter, *key]) + f" {output}"


SEEDS = 0, 1, 42, 2**32, 2**64 - 1
NAMES = (
    "",
    "encoder.kernel",
    "layer.1",
    "layer.2",
    "\u00dcn\u00efcode.\u5c64.0",  # composed ...
    "U\u0308ni\u0308code.\u5c64.0",  # ... and decomposed: other bytes, another stream
)
INDICES = (
    *range(9),
    *(2**k + i for k in (32, 34) for i in (-5, -4, -1, 0, 1, 4)),
    *(2**62 - 1, 2**62, 2**63 - 4, 2**63 - 1),
)


def stream_lines() -> Iterator[str]:
    yield "# Stream 1: seed, lane, index, word, name (a JSON string); append-only."
    for seed in SEEDS:
        for name in NAMES:
            whole = (seed, name) in ((0, ""), (42, "encoder.kernel"), (2**64 - 1, NAMES[4]))
            for lane in (0, 1, 2):
                for index in INDICES if whole else (0, 6, 2**34):
                    word = stream_word(seed, name, lane, index)
                    yield f"{seed} {lane} {index} {word:08x} {json.dumps(name)}"


LAWS = {
    "uniform-one": Law("uniform", 1.0),
    "uniform-glorot": Law("uniform", math.sqrt(6.0 / (784 + 256))),
    "uniform-least": Law("uniform", 2.0**-96),
    "uniform-bounds": Law("uniform", 0.45, mean=0.55, bounds=(0.1, 1.0)),
    "uniform-far": Law("uniform", 0.05, mean=100.0, bounds=(99.95, 100.05)),
    "normal-one": Law("normal", 1.0),
    "normal-gpt2": Law("normal", 0.02),
    "normal-tiny": Law("normal", 3e-6),
    "normal-mean": Law("normal", 0.02, mean=1.0),
    "normal-zero": Law("normal", 0.0),
    "truncated-one": Law("truncated_normal", 1.0, lower=-2.0, upper=2.0),
    "truncated-he": Law(
        "truncated_normal", math.sqrt(2.0 / 784) / 0.87962566103423978, lower=-2.0, upper=2.0
    ),
    "truncated-mean": Law("truncated_normal", 0.5, mean=-0.25, lower=-2.0, upper=2.0),
    "truncated-upper": Law("truncated_normal", 1.0, upper=1.5),
    "truncated-lower": Law("truncated_normal", 1.0, lower=0.0),
    "truncated-asymmetric": Law("truncated_normal", 0.1, lower=-0.3, upper=2.7),
    "truncated-positive": Law("truncated_normal", 1.0, lower=1.0, upper=3.0),
    "truncated-negative": Law("truncated_normal", 0.7, mean=3.0, lower=-2.5, upper=-0.1),
    "truncated-wide": Law("truncated_normal", 1.0, lower=-8.5, upper=6.3),
    "truncated-narrow": Law("truncated_normal", 1.0, lower=-0.001, upper=0.0005),
}
# Both ends, both sides of the middle, of segments and octaves, and of uniform's half step.
WORDS = (
    *(0, 1, 2, 0xFF, 0x100, 0x12345678, 0x1FFFFFFF, 0x20000000, 0x3FFFFFFF, 0x40000000),
    *(0x7FFFFEFF, 0x7FFFFFFF, 0x80000000, 0x80000001, 0x80000100, 0xBFFFFFFF, 0xC0000000),
    *(0xE7654321, 0xFFFFFEFF, 0xFFFFFF00, 0xFFFFFFFE, 0xFFFFFFFF),
)
LOWS = 0, M32, 0x89ABCDEF
PLACES = ((42, "encoder.kernel"), (2**64 - 1, NAMES[4]))
LAW_INDICES = 0, 1, 2, 3, 1000, 2**32 - 1, 2**34, 2**63 - 1


def law_lines() -> Iterator[str]:
    yield "# The laws of stream 1; append-only.  Floats in C99 hexadecimal, results as their bits."
    yield "# law   ID KIND SCALE MEAN LOWER UPPER BOUND BOUND   (cut-offs in stddevs; - is none)"
    yield "# word  ID DTYPE WORD LOW VALUE          a word given; LOW is used by float64 alone"
    yield "# index ID DTYPE SEED INDEX VALUE NAME   a word of the stream; NAME is a JSON string"
    for identifier, law in LAWS.items():
        cut = ("-", "-")
        if law.kind == "truncated_normal":
            cut = (law.lower.hex(), law.upper.hex())
        bounds = [bound.hex() for bound in law.bounds] if law.bounds else ["-", "-"]
        head = [identifier, law.kind, law.scale.hex(), law.mean.hex(), *cut, *bounds]
        yield " ".join(["law", *head])
        for dtype in FORMATS:
            for place, word in enumerate(WORDS):
                low = LOWS[place % 3] if dtype == "float64" else 0
                bits = value(law, dtype, word, low)
                yield f"word {identifier} {dtype} {word:08x} {low:08x} {bits}"
            for place, index in enumerate(LAW_INDICES):
                seed, name = PLACES[place % 2]
                word, low = (stream_word(seed, name, lane, index) for lane in (0, 2))
                bits = value(law, dtype, word, low)
                yield f"index {identifier} {dtype} {seed} {index} {bits} {json.dumps(name)}"


FILES = {
    "philox4x32.txt": philox_lines,
    "stream-v1.txt": stream_lines,
    "laws-v1.txt": law_lines,
}


def write_or_check(files: dict[str, Callable[[], Iterator[str]]]) -> int:
    """Write the files, or with --check compare them; the process's exit code."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true", help="compare with the files, write none")
    check = parser.parse_args().check
    failed = False
    for name, lines in files.items():
        path = VECTORS / name
        text = "".join(line + "\n" for line in lines())
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        if check and old != text:
            print(f"{name} differs from what is computed")
            failed = True
        elif not check and not text.startswith(old):
            print(f"{name}: a line that stands would change; vectors are append-only")
            failed = True
        elif not check:
            path.write_text(text, encoding="utf-8")
            print(f"wrote {name}, {len(text.splitlines())} lines")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(write_or_check(FILES))
