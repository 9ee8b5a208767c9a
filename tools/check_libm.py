# SPDX-License-Identifier: Apache-2.0
"""Compare the twins of glibc's functions with the running C library: tools/check_libm.sh runs it.

    python tools/check_libm.py LIBRARIES ARITHMETIC VALUES

LIBRARIES: the folder of native/check_libm.cpp's libraries, one for each target.  ARITHMETIC: the
one that the C library of this process uses.  A line for each function and range: how many arguments
were tried, in how many of them each twin differs (none may), and in how many of every eighth chunk
wrong answers do: the other arithmetic, NumPy's or SciPy's own function.  XLA's erf_inv is no C
library's: its twin in C++ is compared with the one in NumPy, which tests/oracle/make_xla_vectors.py
compares with XLA.
"""

import ctypes
import sys
from pathlib import Path

import numpy as np
import scipy.special

from glorot.replay import _libm
from glorot.replay._xla64 import erf_inv64

CHUNK = 1 << 18
OTHER = {"fma": "default", "default": "fma"}
LIMIT = 105414336.0


def around(points, kind, steps=500):
    """Floats within some steps of each point."""
    integer = {np.float64: np.int64, np.float32: np.int32}[kind]
    bits = np.array(points, kind).view(integer)[:, None] + np.arange(-steps, steps + 1)
    return bits.astype(integer).view(kind).ravel()


def float32_range(low, high):
    """Every float32 from low to high, both of one sign."""
    first, last = (int(np.float32(x).view(np.int32)) for x in (low, high))
    for start in range(first, last + 1, CHUNK):
        yield np.arange(start, min(start + CHUNK, last + 1), dtype=np.int32).view(np.float32)


def chunks(count, draw):
    """`count` random arguments: draw(rng, n) in chunks, from a fixed seed."""
    rng = np.random.default_rng(20360)
    for start in range(0, count, CHUNK):
        yield draw(rng, min(CHUNK, count - start))


def wide(rng, n, low=-1074, high=1024):
    """Numbers of every magnitude, positive."""
    return np.ldexp(rng.uniform(0.5, 1, n), rng.integers(low + 1, high + 1, n))


def uniforms(rng, n):
    """A framework's uniforms: TensorFlow's multiples of 2**-52, torch's of 2**-53."""
    bits = rng.integers(0, 2**64, n, dtype=np.uint64, endpoint=False)
    return np.concatenate(
        [(bits[: n // 2] >> np.uint64(12)) * 2.0**-52, (bits[n // 2 :] >> np.uint64(11)) * 2.0**-53]
    )


def quarters(rng, n):
    """Angles near multiples of a quarter turn, both signs."""
    x = np.pi / 2 * rng.integers(-(2**25), 2**25, n) + wide(rng, n, -60, 1)
    return np.where(np.abs(x) < LIMIT, x, 1.0)


def ranges(values):
    """(function, range, chunks of arguments)."""
    turn = np.nextafter(np.float32(2 * np.pi), np.float32(7))
    yield "logf", "2**-126 to 1, all", float32_range(2.0**-126, 1.0)
    yield "sincosf", "0 to 2 pi, all", float32_range(0.0, turn)
    few = values // 10
    yield "log", "uniforms", chunks(values, lambda r, n: np.maximum(1e-7, uniforms(r, n)))
    yield "log", "1 - uniforms", chunks(values, lambda r, n: 1 - uniforms(r, n))
    yield "log", "near 1", chunks(few, lambda r, n: r.uniform(0.93, 1.07, n))
    yield "log", "normal numbers", chunks(few, lambda r, n: wide(r, n, -1022))
    edges = [1e-7, 2.0**-1021, 2.0**-53, 0.6875, 1 - 2.0**-4, 1.0, 1 + float.fromhex("0x1.09p-4")]
    yield "log", "edges", [around([*edges, *np.linspace(0.5, 2, 385)[1:]], np.float64)]
    yield "log1p", "-uniforms", chunks(values, lambda r, n: -uniforms(r, n))
    yield "log1p", "above 0", chunks(few, wide)
    yield "log1p", "-1 to 0", chunks(few, lambda r, n: -wide(r, n, -1074, 0))
    edges = [2.0**-54, 2.0**-29, 0.41422, float.fromhex("0x1.a827ap-2"), 2.0**53, 1.0, 3.0]
    edges += [-(2.0**-54), -(2.0**-29), -0.29290, -float.fromhex("0x1.2bec4p-2"), -0.5, -0.75]
    yield "log1p", "edges", [around(edges, np.float64), around([-1.0], np.float64)[:499]]
    yield "sincos", "2 pi uniforms", chunks(values, lambda r, n: 2 * np.pi * uniforms(r, n))
    yield "sincos", "quarter turns", chunks(few, quarters)
    signed = lambda r, n: r.choice([-1.0, 1.0], n) * wide(r, n, -1074, 26)  # noqa: E731
    yield "sincos", "below 2**26", chunks(few, signed)
    edges = [2.0**-27, 2.0**-26, 0.126, 0.855469, float.fromhex("0x1.b6p-1"), 2.426265, 1e-300]
    edges += [float.fromhex("0x1.368fdp+1"), *(np.pi / 4 * k for k in range(1, 65))]
    edges += [k / 256 for k in range(1, 1700)]
    steps = around(edges, np.float64)
    yield "sincos", "edges", [np.concatenate([steps, -steps, [0.0, -0.0, np.nextafter(LIMIT, 0)]])]

    yield "erf_inv", "-1 to 1", chunks(few, lambda r, n: r.uniform(-1, 1, n))
    yield "erf_inv", "near 1", chunks(few, lambda r, n: 1 - wide(r, n, -53, -1))
    yield "erf_inv", "near 0", chunks(few, lambda r, n: -wide(r, n, -1020, 0))


NUMPY = {
    "logf": lambda x, _: [_libm.logf(x)],
    "sincosf": lambda x, _: list(_libm.sincosf(x)),
    "log": lambda x, arithmetic: [_libm.log64(x, arithmetic)],
    "log1p": lambda x, arithmetic: [_libm.log1p64(x, arithmetic)],
    "sincos": lambda x, arithmetic: list(_libm.sincos64(x, arithmetic)),
    "erf_inv": lambda x, arithmetic: [erf_inv64(x, arithmetic)],
}
NUMPYS_OWN = {
    "logf": lambda x: [np.log(x)],
    "sincosf": lambda x: [np.sin(x), np.cos(x)],
    "log": lambda x: [np.log(x)],
    "log1p": lambda x: [np.log1p(x)],
    "sincos": lambda x: [np.sin(x), np.cos(x)],
    "erf_inv": lambda x: [scipy.special.erfinv(x)],
}


def call(library, name, x, *options):
    """The arrays that one of native/check_libm.cpp's functions gives."""
    results = [np.empty_like(x) for _ in range(2 if "sincos" in name else 1)]
    pointers = [ctypes.c_void_p(array.ctypes.data) for array in (x, *results)]
    getattr(library, name)(*pointers, ctypes.c_size_t(x.size), *map(ctypes.c_int, options))
    return results


def differing(found, expected):
    """In how many arguments any bit of any result differs."""
    return int(
        np.logical_or.reduce(
            [
                a.view(f"u{a.itemsize}") != b.view(f"u{b.itemsize}")
                for a, b in zip(found, expected, strict=True)
            ]
        ).sum()
    )


def main():
    """Print the table; the exit status tells whether a twin differs or a wrong answer does not."""
    folder, arithmetic, values = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    libraries = {path.stem: ctypes.CDLL(str(path.resolve())) for path in folder.glob("*.so")}
    good, caught = True, dict.fromkeys(NUMPY, 0)
    for name, label, parts in ranges(values):
        twins, tried = dict.fromkeys(["NumPy", *sorted(libraries)], 0), 0
        wrong, tried_wrong = [0, 0], 0
        for serial, x in enumerate(parts):
            if name == "erf_inv":
                expected = NUMPY[name](x, arithmetic)
            else:
                expected = call(next(iter(libraries.values())), f"libm_{name}", x)
            tried += x.size
            twins["NumPy"] += differing(NUMPY[name](x, arithmetic), expected)
            for target, library in libraries.items():
                options = int(arithmetic == "fma"), serial % 2
                twins[target] += differing(call(library, f"twin_{name}", x, *options), expected)
            if serial % 8 == 0:  # wrong answers need no more
                tried_wrong += x.size
                wrong[0] += differing(NUMPY[name](x, OTHER[arithmetic]), expected)
                wrong[1] += differing(NUMPYS_OWN[name](x), expected)
        good &= not any(twins.values())
        caught[name] += wrong[0]
        counts = ", ".join(f"{twin} {count}" for twin, count in twins.items())
        print(
            f"{arithmetic:7} {name:7} {label:17} {tried:>10} tried, differ: {counts}; "
            f"of {tried_wrong}, in the other arithmetic {wrong[0]}, by NumPy or SciPy {wrong[1]}",
            flush=True,
        )
    unseen = [name for name, count in caught.items() if not count and not name.endswith("f")]
    if unseen:
        print(f"The other arithmetic never differed: {unseen}. Is this one really {arithmetic}?")
    return 0 if good and not unseen else 1


if __name__ == "__main__":
    sys.exit(main())
