# SPDX-License-Identifier: Apache-2.0
"""Write tests/vectors/xla-erf-inv64.txt from the installed jaxlib, or compare with it at length.

    python tests/oracle/make_xla_vectors.py [--check | --compare VALUES]

Rows of both arithmetics, erf_inv-fma and erf_inv-default: this needs an x86-64 processor with FMA,
which a second process then forbids XLA and hides from the C library.  --check writes nothing: the
exit status tells whether this jaxlib gives the file's values.  --compare draws VALUES uniforms, and
a tenth as many arguments near 1 and of every magnitude, and compares `erf_inv64` with this jaxlib,
in both arithmetics.
"""

import argparse
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

os.environ["JAX_ENABLE_X64"] = "1"
import jax
import numpy as np

from glorot.replay._xla64 import erf_inv64

VECTORS = Path(__file__).resolve().parent.parent / "vectors" / "xla-erf-inv64.txt"
HEAD = """\
# XLA's float64 erf_inv on an x86-64 CPU with FMA, and without, as jaxlib 0.10.2 gives it:
# FUNCTION-ARITHMETIC ARGUMENT VALUE, C99 hexadecimal.  Edges, random arguments, then some for which
# the two differ.  glibc 2.36 gives the logarithms.
"""
WITHOUT_FMA = {
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-FMA,-FMA4,-AVX2",
}
CHUNK = 1 << 20
LOWEST = np.nextafter(-1.0, 0.0)


def arguments():
    """Edges, 60 random arguments as jax.random.normal draws them, and 300 to search."""
    below = np.nextafter(1.0, 0.0)
    limits = [np.sqrt(2**0.5 - 1), np.sqrt(1 - np.exp(-6.25)), np.sqrt(1 - np.exp(-16))]
    edges = [0.0, 5e-324, 2.0**-1022, 2.0**-53, 2.0**-52, 1e-8, 0.25, 0.5, 0.9, below, 1.0]
    edges += [x * (1 + k * 2.0**-50) for x in limits for k in (-1, 0, 1)]
    rng = np.random.default_rng(2010)
    return np.array([*edges, *(-x for x in edges), *next(uniform(rng, 360))])


def uniform(rng, count):
    """What jax.random.normal draws: multiples of 2**-51 in (-1, 1)."""
    for start in range(0, count, CHUNK):
        size = min(CHUNK, count - start)
        yield rng.integers(0, 1 << 52, size) * 2.0**-51 + LOWEST


def tails(rng, count):
    """Arguments near -1 and 1."""
    for start in range(0, count, CHUNK):
        size = min(CHUNK, count - start)
        x = 1 - np.ldexp(rng.uniform(0.5, 1, size), rng.integers(-51, -2, size))
        yield rng.choice([-1.0, 1.0], size) * x


def small(rng, count):
    """Arguments of every magnitude, subnormal ones too."""
    for start in range(0, count, CHUNK):
        size = min(CHUNK, count - start)
        yield np.ldexp(rng.uniform(-1, 1, size), rng.integers(-1074, 0, size))


def without_fma(*options):
    """This program, run there: its exit status and what it prints."""
    command = [sys.executable, __file__, *options]
    return subprocess.run(
        command, env=os.environ | WITHOUT_FMA, check=False, stdout=subprocess.PIPE, text=True
    )


def values():
    """This process' XLA's values for `arguments()`."""
    return np.asarray(jax.jit(jax.lax.erf_inv)(arguments())).tolist()


def text():
    """The whole file."""
    x, fused = arguments().tolist(), values()
    plain = [float.fromhex(y) for y in without_fma("--print-values").stdout.split()]
    kept = len(x) - 300
    rows = [*range(kept), *(i for i in range(kept, len(x)) if fused[i] != plain[i])]
    lines = [
        f"erf_inv-{arithmetic} {x[i].hex()} {y[i].hex()}"
        for arithmetic, y in (("fma", fused), ("default", plain))
        for i in rows[: kept + 40]
    ]
    return HEAD + "\n".join(lines) + "\n"


def compare(arithmetic, count):
    """Print how many arguments of each range differ; return whether none does."""
    function, good = jax.jit(jax.lax.erf_inv), True
    for draw, tried in ((uniform, count), (tails, count // 10), (small, count // 10)):
        rng, differ = np.random.default_rng(20100), 0
        for x in draw(rng, tried):
            found, expected = erf_inv64(x, arithmetic), np.asarray(function(x))
            differ += int((found.view(np.int64) != expected.view(np.int64)).sum())
        print(f"erf_inv64 {arithmetic} {draw.__name__}: {differ} of {tried} differ", flush=True)
        good &= not differ
    return good


def main():
    """Write the file, or compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the file, write nothing")
    parser.add_argument("--compare", type=int, metavar="VALUES", help="compare with erf_inv64")
    parser.add_argument("--print-values", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--arithmetic", default="fma", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.print_values:
        print(*(value.hex() for value in values()))
        return 0
    if asked.compare:
        good = compare(asked.arithmetic, asked.compare)
        if asked.arithmetic == "fma":
            options = "--compare", str(asked.compare), "--arithmetic", "default"
            run = without_fma(*options)
            print(run.stdout, end="")
            good &= not run.returncode
        return 0 if good else 1
    if not asked.check:
        VECTORS.write_text(text())
        return 0
    same = VECTORS.read_text() == text()
    print(f"jaxlib {version('jaxlib')}: {'the same values' if same else 'other values'}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
