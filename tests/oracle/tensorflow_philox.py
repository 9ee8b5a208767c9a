# SPDX-License-Identifier: Apache-2.0
"""TensorFlow's uniform kernel in plain Python integers, sharing no line with the library.

    python tests/oracle/tensorflow_philox.py        prints the `kernel` rows of the vector file

Places in the stream that no TensorFlow program reaches: carries past 32, 64 and 128 bits of the
counter.  Python's floats are doubles, in which one operation on narrower numbers and one rounding
give the correctly rounded result.
"""

import struct

M32 = 2**32 - 1

PAIRS = [(87654321, 42), (2**31 - 2, 2**31 - 2), (0, 2**31 - 1), (2**64 - 1, 2**64 - 1)]
OFFSETS = [0, 256, 2**32 - 1, 2**64 - 2, 2**128 - 2]
STARTS = [0, 2, 2**34 - 3, 2**62 - 8]
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


if __name__ == "__main__":
    print("\n".join(rows()))
