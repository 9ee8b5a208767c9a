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
# FUNCTION-ARITHMETIC ARGUMENT VALUE, C99 hexadecimal.  Some that a single operation fused or not
# tells apart, edges, random arguments, then some for which the two differ.  glibc 2.36 gives the
# logarithms.
"""
WITHOUT_FMA = {
    "XLA_FLAGS": "--xla_cpu_max_isa=AVX",
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-FMA,-FMA4,-AVX2",
}
CHUNK = 1 << 20
LOWEST = np.nextafter(-1.0, 0.0)

# As in make_libm_vectors.py: arguments that tell one fused operation from a product and a sum.
TELLING = """
    -0x1.004ad18735c20p-5 -0x1.0d68a5f95f2a0p-3 -0x1.16a9e63eecec2p-1 -0x1.2229e7a670674p-2
    -0x1.2ad1b6f9bde7ep-1 -0x1.2d2fa98d7ada0p-3 -0x1.2ff13a9befc90p-1 -0x1.3621d2d752300p-1
    -0x1.39a60c6099f78p-3 -0x1.3e33b01579658p-1 -0x1.47947b36596e2p-1 -0x1.62d2df3ff8c74p-2
    -0x1.6ad01f92feb8cp-2 -0x1.8c1d542723ee0p-3 -0x1.a291fc9718e08p-3 -0x1.e5d421afd79a4p-2
    -0x1.f99930cb33ed8p-3 -0x1.fa735d08b500cp-2 0x1.07543d0a90d6ep-1 0x1.096e91f90ba78p-3
    0x1.0f05978ef80dep-1 0x1.17a4877498600p-6 0x1.298626cc8fd98p-1 0x1.2be7c1a31746cp-1
    0x1.3065a3261fc08p-1 0x1.36c231607985ap-1 0x1.37e89a38222e0p-4 0x1.39806e07fbfc8p-1
    0x1.40551ba69020ep-1 0x1.40e96f77da9bep-1 0x1.426e553125668p-1 0x1.43ae14aeb0f7ep-1
    0x1.449d3265b2d96p-1 0x1.8a405bbfca99ap-1 0x1.8f7b8935039e0p-3 0x1.961ea36ea0958p-2
    0x1.ccd288bbd7020p-2 0x1.ff9151535418ep-1 0x1.ff9299c7784b9p-1 0x1.ffc98a2568e2ap-1
    0x1.ffe0db5c9307ep-1 0x1.fff67c7a8d9bfp-1 0x1.ffff9e4014343p-1 0x1.fffff0db3b7fdp-1
    0x1.fffff8ad54fd7p-1 0x1.fffffadfee3a6p-1 0x1.fffffe00e7ab3p-1 0x1.fffffee51f3f3p-1
    0x1.fffffff90f147p-1 0x1.ffffffffff9c2p-1
"""


def arguments():
    """TELLING, edges, 60 random arguments as jax.random.normal draws them, and 300 to search."""
    below = np.nextafter(1.0, 0.0)
    limits = [np.sqrt(2**0.5 - 1), np.sqrt(1 - np.exp(-6.25)), np.sqrt(1 - np.exp(-16))]
    edges = [0.0, 5e-324, 2.0**-1022, 2.0**-53, 2.0**-52, 1e-8, 0.25, 0.5, 0.9, below, 1.0]
    edges += [x * (1 + k * 2.0**-50) for x in limits for k in (-1, 0, 1)]
    rng = np.random.default_rng(2010)
    telling = map(float.fromhex, TELLING.split())
    return np.array([*telling, *edges, *(-x for x in edges), *next(uniform(rng, 360))])


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
