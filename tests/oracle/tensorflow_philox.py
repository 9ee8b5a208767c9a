# SPDX-License-Identifier: Apache-2.0
"""TensorFlow's kernels in plain Python integers, sharing no line with the library.

    python tests/oracle/tensorflow_philox.py    prints the `kernel` rows of both vector files

Places in the stream that no TensorFlow program reaches: carries past 32, 64 and 128 bits of the
counter.  Python's floats are doubles, in which one operation on narrower numbers and one rounding
give the correctly rounded result.  Logarithms, sines and cosines are the C library's, of glibc 2.28
or later, on a CPU with FMA.
"""

import ctypes
import ctypes.util
import math
import struct

M32 = 2**32 - 1

PAIRS = [(87654321, 42), (2**31 - 2, 2**31 - 2), (0, 2**31 - 1), (2**64 - 1, 2**64 - 1)]
OFFSETS = [0, 256, 2**32 - 1, 2**64 - 2, 2**128 - 2]
STARTS = [0, 2, 2**34 - 3, 2**62 - 8]
TRUNCATED_STARTS = [0, 2, 2**34 - 3, 2**56 - 8]
MOMENTS = [(0.0, 1.0), (-0.3, 0.02), (3, -2.5)]
LIMITS = [(-0.8660254037844386, 0.8660254037844386), (0, 1), (0.25, 3)]


def philox4x32(counter, key):
    c = [counter >> shift & M32 for shift in (0, 32, 64, 96)]
    k = [key & M32, key >> 32]
    for _ in range(10):
        p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [q >> 32 ^ c[1] ^ k[0], q & M32, p >> 32 ^ c[3] ^ k[1], p & M32]
        k = [k[0] + 0x9E3779B9 & M32, k[1] + 0xBB67AE85 & M32]
    return c


def word(kernel, index):
    seed, seed2, offset = kernel
    counter = ((seed2 << 64) + offset + index // 4) % 2**128
    return philox4x32(counter, seed)[index % 4]


def rounded(value, dtype):
    """A double to the nearest number of `dtype`, ties to even."""
    if dtype == "float64":
        return value
    if dtype != "bfloat16":
        code = {"float16": "<e", "float32": "<f"}[dtype]
        return struct.unpack(code, struct.pack(code, value))[0]
    bits = struct.unpack("<I", struct.pack("<f", value))[0]  # exact here: one float32 operation
    bits = bits + 0x7FFF + (bits >> 16 & 1) & ~0xFFFF
    return struct.unpack("<f", struct.pack("<I", bits))[0]


def uniform(kernel, index, dtype, minval, maxval):
    if dtype == "float64":
        high, low = (word(kernel, 2 * index + i) for i in (0, 1))
        unit = ((high & 0xFFFFF) << 32 | low) / 2**52
    else:
        bits = {"float16": 10, "bfloat16": 7, "float32": 23}[dtype]
        unit = (word(kernel, index) & 2**bits - 1) / 2**bits
    # Eager float16 takes its limits through float32.
    low, high = (
        rounded(rounded(x, "float32") if dtype != "float64" else x, dtype) for x in (minval, maxval)
    )
    product = rounded(unit * rounded(high - low, dtype), dtype)
    return rounded(product + low, dtype) if minval != 0 else product


def libm():
    library = ctypes.CDLL(ctypes.util.find_library("m"))
    for name, number in (("f", ctypes.c_float), ("", ctypes.c_double)):
        for function in ("log", "sin", "cos"):
            found = getattr(library, function + name)
            found.argtypes, found.restype = [number], number
    return library


def box_muller(words, library):
    """The normals of one block: four of float32 from four words, two of float64."""
    values = []
    if len(words) == 4:
        units = [(word & 2**23 - 1) / 2**23 for word in words]
        for u, v in (units[:2], units[2:]):
            angle = rounded(2 * math.pi * v, "float32")
            logarithm = library.logf(max(u, rounded(1e-7, "float32")))
            radius = rounded(math.sqrt(-2.0 * logarithm), "float32")
            waves = library.sinf(angle), library.cosf(angle)
            values += [rounded(wave * radius, "float32") for wave in waves]
        return values
    u, v = words
    radius = math.sqrt(-2.0 * library.log(max(u, 1e-7)))
    angle = 2 * math.pi * v
    return [library.sin(angle) * radius, library.cos(angle) * radius]


def block_normals(kernel, block, dtype, library):
    words = [word(kernel, 4 * block + i) for i in range(4)]
    if dtype == "float64":
        words = [((words[i] & 0xFFFFF) << 32 | words[i + 1]) / 2**52 for i in (0, 2)]
    return box_muller(words, library)


def normal(kernel, index, dtype, library):
    group = 2 if dtype == "float64" else 4
    return block_normals(kernel, index // group, dtype, library)[index % group]


def truncated(kernel, index, dtype, library):
    group = 2 if dtype == "float64" else 4
    block = index // group * 64 * group
    kept = []
    while len(kept) < group:
        kept += [x for x in block_normals(kernel, block, dtype, library) if abs(x) < 2]
        block += 1
    return kept[index % group]


def scaled(unit, dtype, mean, stddev):
    mean, stddev = (
        rounded(rounded(x, "float32") if dtype != "float64" else x, dtype) for x in (mean, stddev)
    )
    return rounded(rounded(rounded(unit, dtype) * stddev, dtype) + mean, dtype)


def bits_of(value, dtype):
    code = {"float16": ">e", "bfloat16": ">f", "float32": ">f", "float64": ">d"}[dtype]
    text = struct.pack(code, value).hex()
    return text[:4] if dtype == "bfloat16" else text


def rows():
    for number, (seed, seed2) in enumerate(PAIRS):
        for place, offset in enumerate(OFFSETS):
            for start in STARTS:
                for dtype in ("float16", "bfloat16", "float32", "float64"):
                    minval, maxval = LIMITS[(number + place) % len(LIMITS)]
                    values = [
                        uniform((seed, seed2, offset), start + i, dtype, minval, maxval)
                        for i in range(6)
                    ]
                    yield " ".join(
                        ["kernel", str(seed), str(seed2), str(offset), str(start), dtype]
                        + [repr(minval), repr(maxval)]
                        + [bits_of(value, dtype) for value in values]
                    )


def normal_rows():
    library = libm()
    for law, starts, draw in (
        ("normal", STARTS, normal),
        ("truncated", TRUNCATED_STARTS, truncated),
    ):
        for number, (seed, seed2) in enumerate(PAIRS):
            for place, offset in enumerate(OFFSETS):
                mean, stddev = MOMENTS[(number + place) % len(MOMENTS)]
                for start in starts:
                    for dtype in ("float16", "bfloat16", "float32", "float64"):
                        units = [
                            draw((seed, seed2, offset), start + i, dtype, library) for i in range(6)
                        ]
                        values = [scaled(unit, dtype, mean, stddev) for unit in units]
                        yield " ".join(
                            ["kernel", law, str(seed), str(seed2), str(offset), str(start), dtype]
                            + [repr(mean), repr(stddev)]
                            + [bits_of(value, dtype) for value in values]
                        )


if __name__ == "__main__":
    print("\n".join([*rows(), *normal_rows()]))
