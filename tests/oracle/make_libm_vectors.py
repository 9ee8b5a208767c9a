# SPDX-License-Identifier: Apache-2.0
"""Write tests/vectors/libm-glibc.txt from the running C library, which must be glibc.

    python tests/oracle/make_libm_vectors.py [--check]

Each float64 function has rows of both its variants, NAME-fma and NAME-default: this needs an x86-64
processor with FMA, which a second process then hides from the C library (glibc 2.33 or later; the
log1p-fma rows need that of 2.39, which Debian's 2.36 has).  With --check nothing is written: the
exit status tells whether this glibc gives the file's values.
"""

import argparse
import ctypes
import itertools
import os
import platform
import subprocess
import sys
from pathlib import Path

import mpmath
import numpy as np

VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "libm-glibc.txt"
HEAD = """\
# glibc's libm, x86-64 with FMA, as version 2.36 gives it: FUNCTION ARGUMENT VALUE, C99 hexadecimal.
"""
HEAD64 = """\
# float64 functions, NAME-fma as on processors with FMA, NAME-default as on others; sin and cos are
# the two results of sincos.  Edges, random arguments, then some for which the two differ, then some
# for which both are one ulp off the correctly rounded value.
# Last, some that a single operation fused or not tells apart.
"""
WITHOUT_FMA = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-FMA,-FMA4,-AVX2"}
FULL_TURN = 2 * np.pi
ROWS, HARD, SEARCHED = 60, 16, 250_000


def arguments(kind, rng):
    """The edges of a function's range, then random values of it."""
    below = np.nextafter(kind(1), kind(0))
    if rng is None:
        edges = [1e-7, 2.0**-126, 2.0**-53, 2.0**-24, 0.699, 0.75, below, 1.0]
        return [kind(x) for x in edges]
    return [kind(x) for x in rng.random(ROWS)]


def angles(kind, rng):
    """The same for sine and cosine: quarter turns and the values beside them."""
    if rng is None:
        turns = [kind(FULL_TURN * i / 8) for i in range(9)]
        beside = [np.nextafter(x, kind(side)) for x in turns[1:] for side in (0, 7)]
        return [*turns, *beside, *(kind(2.0**-i) for i in (1, 3, 7, 11, 12, 13, 26, 27, 28, 50))]
    return [kind(x) for x in FULL_TURN * rng.random(ROWS)]


FLOAT32 = {"logf": arguments, "sinf": angles, "cosf": angles}
EDGES64 = {
    "log": [
        *arguments(np.float64, None),
        *(5e-324, 2.0**-1022, 0.6875, 1 - 2.0**-4, np.nextafter(1 - 2.0**-4, 0), 1 + 2.0**-52),
        *(1.0646972656, 1.064697265625, 1.0646972657, 10.0, 1.7976931348623157e308),
    ],
    "log1p": [
        *(-0.0, -(2.0**-53), -(2.0**-54), -(2.0**-29), -(2.0**-30), -1e-7, -0.25, -0.29, -0.2929),
        *(-0.2928947, -0.2928932, -0.293, -0.5, -0.75, -1 + 2.0**-53, 2.0**-53, 0.4142, 0.41423),
        *(0.9999999, 1.0, 1e15, 2.0**53, 2.0**54, 1e300),
    ],
    "sin": [
        *(float(x) for x in angles(np.float64, None)),
        *(0.126, 0.855469, 0.8554687, 2.426265, 2.4262649, -1.0, -2.0, -3.0, -5.0, 100.0, 1e8),
    ],
}
EDGES64["cos"] = EDGES64["sin"]
RANDOM64 = {
    "log": lambda rng, n: rng.random(n),
    "log1p": lambda rng, n: -rng.random(n),
    "sin": lambda rng, n: FULL_TURN * rng.random(n),
}
RANDOM64["cos"] = RANDOM64["sin"]
# Arguments that tell one fused operation from a product and a sum: for each such operation in the
# twins, up to two for which rounding twice in it alone changes the result, where a few 10**6
# arguments held any.
TELLING = {
    "log": """
        0x1.509889245977fp-1 0x1.c75a0b47cb034p-1 0x1.eb5948510642cp-2 0x1.e21c15c9676a0p-1
        0x1.e56b3ebe355f3p-1 0x1.ee7be23e6aac9p-1 0x1.f34dd61b0da05p-1 0x1.f400865e0990ap-1
    """,
    "log1p": """
        -0x1.4d28ccb89fcd6p-2 -0x1.59f5ba805f9c0p-5 -0x1.cea9fc931f76cp-3
    """,
    "sin": """
        0x1.187ee6f7365e0p+0 0x1.344d079c84c27p+2 0x1.34f9776579d5ap+2 0x1.49d21121c17dap+2
        0x1.5227aad4c6f4dp-1 0x1.638f08c355030p+1 0x1.9994457c9ea73p+1 0x1.9e4ef1d4cf99bp+0
        0x1.a0c72a2d68257p+0 0x1.bd64bc4e4ef7dp+1 0x1.bf47736ba6118p+1
    """,
}
TELLING["cos"] = TELLING["sin"]
EXACT = {"log": mpmath.log, "log1p": mpmath.log1p, "sin": mpmath.sin, "cos": mpmath.cos}


def function32(name):
    """A float32 function of the C library."""
    function = getattr(ctypes.CDLL("libm.so.6"), name)
    function.restype, function.argtypes = ctypes.c_float, [ctypes.c_float]
    return function


def function64(name):
    """A float64 function of the C library; sin and cos by way of sincos."""
    library = ctypes.CDLL("libm.so.6")
    if name in ("log", "log1p"):
        function = getattr(library, name)
        function.restype, function.argtypes = ctypes.c_double, [ctypes.c_double]
        return function
    results = (ctypes.c_double * 2)()
    places = [ctypes.byref(results, offset) for offset in (0, 8)]
    library.sincos.restype, library.sincos.argtypes = (
        None,
        [ctypes.c_double] + 2 * [ctypes.c_void_p],
    )

    def function(x):
        library.sincos(x, *places)
        return results[("sin", "cos").index(name)]

    return function


def searched(name):
    """The arguments among which the hard ones are looked for, the same in every process."""
    x = RANDOM64[name](np.random.default_rng(2036), ROWS + SEARCHED)
    telling = map(float.fromhex, TELLING[name].split())
    return [float(value) for value in (*EDGES64[name], *x, *telling)]


def values(name):
    """This process' values for `searched(name)`."""
    return list(map(function64(name), searched(name)))


def without_fma(name):
    """The values of a process whose C library sees no FMA."""
    command = [sys.executable, __file__, "--print-values", name]
    run = subprocess.run(
        command, env=os.environ | WITHOUT_FMA, check=True, capture_output=True, text=True
    )
    return [float.fromhex(value) for value in run.stdout.split()]


def is_off(name, x, y):
    """Whether y is not the correctly rounded value of the function at x."""
    with mpmath.workprec(200):
        return float(EXACT[name](mpmath.mpf(x))) != y


def rows64(name):
    """The lines of a float64 function."""
    x, fused, plain = searched(name), values(name), without_fma(name)
    kept = len(EDGES64[name]) + ROWS
    drawn = kept + SEARCHED
    differ = [i for i in range(kept, drawn) if fused[i] != plain[i]][:HARD]
    rest = (i for i in range(kept, drawn) if fused[i] == plain[i])
    off = list(itertools.islice((i for i in rest if is_off(name, x[i], fused[i])), HARD))
    if len(differ) < HARD or len(off) < HARD:
        raise SystemExit(f"{name}: {len(differ)} differ, {len(off)} are off, of {HARD} wanted")
    return [
        f"{name}-{arithmetic} {x[i].hex()} {y[i].hex()}"
        for arithmetic, y in (("fma", fused), ("default", plain))
        for i in (*range(kept), *differ, *off, *range(drawn, len(x)))
    ]


def text():
    """The whole file."""
    lines = []
    for name, sample in FLOAT32.items():
        function = function32(name)
        rng = np.random.default_rng(2036)
        for x in sample(np.float32, None) + sample(np.float32, rng):
            lines.append(f"{name} {float(x).hex()} {float(function(float(x))).hex()}")
    lines.append(HEAD64.rstrip())
    for name in EDGES64:
        lines += rows64(name)
    return HEAD + "\n".join(lines) + "\n"


def main():
    """Write the file, or with --check compare it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the file, write nothing")
    parser.add_argument("--print-values", metavar="NAME", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if platform.libc_ver()[0] != "glibc":
        print("the C library here is not glibc")
        return 1
    if asked.print_values:
        print(*(value.hex() for value in values(asked.print_values)))
        return 0
    if not asked.check:
        VECTORS.write_text(text())
        return 0
    same = VECTORS.read_text() == text()
    print(f"glibc {platform.libc_ver()[1]}: {'the same values' if same else 'other values'}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
