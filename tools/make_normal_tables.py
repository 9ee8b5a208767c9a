# SPDX-License-Identifier: Apache-2.0
"""Compute the polynomial tables of the normal law: src/glorot/tables/normal{32,64}.inc.

    python tools/make_normal_tables.py [--check]

Row (octave, segment) holds c0, c1, ... of  |z| = c0 - t (c1 - t (c2 - ...)),  the normal quantile
of the tail probability  P = 2**-(octave + 2) * (1 + (segment + t) / segments),  0 <= t < 1,
in units of 2**-29 (32 bits) or 2**-60 (64 bits).  Each row interpolates the quantile at Chebyshev
nodes, in 60-digit arithmetic, and is rounded to integers at the end.  The quantile's derivatives
alternate in sign, so every coefficient is positive and Horner's scheme needs no signed numbers.
"""

import argparse
import sys
from pathlib import Path
from statistics import NormalDist

from mpmath import mp, mpf

TABLES = Path(__file__).resolve().parent.parent / "src" / "glorot" / "tables"
# bits: (segments an octave, degree, bits of fraction).  Fewer segments or degrees miss the error
# bound (docs/stream.md); more only cost speed.
SHAPES = {32: (4, 4, 29), 64: (8, 9, 60)}
DIGITS = 60


def quantile(tail: mpf) -> mpf:
    """|z| with Phi(-|z|) = tail, for 0 < tail <= 1/2: Halley's method from a float64 start."""
    z = mpf(-NormalDist().inv_cdf(float(tail)))
    for _ in range(4):  # cubic convergence: 1e-9 -> 1e-27 -> beyond DIGITS
        step = (mp.erfc(z / mp.sqrt(2)) / 2 - tail) / (mp.exp(-z * z / 2) / mp.sqrt(2 * mp.pi))
        z += step / (1 - z * step / 2)
    return z


def monomials(xs: list[mpf], ys: list[mpf]) -> list[mpf]:
    """Coefficients of the polynomial through the points, constant first (Newton's form)."""
    divided = list(ys)
    for order in range(1, len(xs)):
        for i in range(len(xs) - 1, order - 1, -1):
            divided[i] = (divided[i] - divided[i - 1]) / (xs[i] - xs[i - order])
    coefficients = [divided[-1]]
    for x, y in zip(reversed(xs[:-1]), reversed(divided[:-1]), strict=True):
        shifted = [mpf(0), *coefficients]
        coefficients = [a - x * b for a, b in zip(shifted, [*coefficients, mpf(0)], strict=True)]
        coefficients[0] += y
    return coefficients


def row(bits: int, octave: int, segment: int) -> list[int]:
    """The integer coefficients of one segment."""
    segments, degree, fraction = SHAPES[bits]
    nodes = [(1 + mp.cos(mp.pi * (2 * i + 1) / (2 * degree + 2))) / 2 for i in range(degree + 1)]
    tails = [mp.ldexp(1 + (segment + t) / segments, -(octave + 2)) for t in nodes]
    coefficients = monomials(nodes, [quantile(tail) for tail in tails])
    signed = [int(mp.nint(mp.ldexp(c, fraction))) for c in coefficients]
    alternating = [c if i % 2 == 0 else -c for i, c in enumerate(signed)]
    assert all(0 <= c < 1 << bits for c in alternating), (octave, segment, alternating)
    return alternating


def table(bits: int) -> str:
    """The text of one table: comment lines, then a brace list a row, octave by octave."""
    segments, degree, fraction = SHAPES[bits]
    lines = [
        f"// Normal quantile: {bits} octaves x {segments} segments, degree {degree}, units of"
        f" 2**-{fraction}.",
        "// Computed by tools/make_normal_tables.py; docs/stream.md says how it is used.",
    ]
    suffix = "u" if bits == 32 else "ull"
    with mp.workdps(DIGITS):
        for octave in range(bits):
            for segment in range(segments):
                cells = (f"0x{c:0{bits // 4}x}{suffix}" for c in row(bits, octave, segment))
                lines.append("{" + ", ".join(cells) + "},")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the tables, or with --check compare them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the files, write none")
    arguments = parser.parse_args()
    stale = []
    for bits in SHAPES:
        path, text = TABLES / f"normal{bits}.inc", table(bits)
        if arguments.check:
            if path.read_text() != text:
                stale.append(path.name)
        else:
            path.write_text(text)
            print(f"wrote {path.name}")
    if stale:
        print(f"differs from the computed table: {', '.join(stale)}")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
