# SPDX-License-Identifier: Apache-2.0
"""Write tests/vectors/libm-glibc.txt from the running C library, which must be glibc.

    python tests/oracle/make_libm_vectors.py [--check]

With --check nothing is written: the exit status tells whether this glibc gives the file's values.
"""

import argparse
import ctypes
import platform
import sys
from pathlib import Path

import numpy as np

VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "libm-glibc.txt"
HEAD = """\
# glibc's libm, x86-64 with FMA, as version 2.36 gives it: FUNCTION ARGUMENT VALUE, C99 hexadecimal.
"""
FULL_TURN = 2 * np.pi
ROWS = 60


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


FUNCTIONS = {
    "logf": (np.float32, ctypes.c_float, arguments),
    "sinf": (np.float32, ctypes.c_float, angles),
    "cosf": (np.float32, ctypes.c_float, angles),
}


def text():
    """The whole file."""
    library = ctypes.CDLL("libm.so.6")
    lines = []
    for name, (kind, ctype, sample) in FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = ctype, [ctype]
        rng = np.random.default_rng(2036)
        for x in sample(kind, None) + sample(kind, rng):
            lines.append(f"{name} {float(x).hex()} {float(function(float(x))).hex()}")
    return HEAD + "\n".join(lines) + "\n"


def main():
    """Write the file, or with --check compare it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the file, write nothing")
    asked = parser.parse_args()
    if platform.libc_ver()[0] != "glibc":
        print("the C library here is not glibc")
        return 1
    if not asked.check:
        VECTORS.write_text(text())
        return 0
    same = VECTORS.read_text() == text()
    print(f"glibc {platform.libc_ver()[1]}: {'the same values' if same else 'other values'}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
