# SPDX-License-Identifier: Apache-2.0
"""Known answers of JAX for tests/vectors/jax-0.10.txt, and jax-0.10-float16-fma.txt.

    python tests/oracle/make_jax_vectors.py            # prints rows, under JAX
    python tests/oracle/make_jax_vectors.py --check    # that each row of the file is JAX's answer

With --float16-fma of the other file, on a CPU that computes float16 itself; without, JAX is held to
instructions that do not.

A row is the case as JSON, without spaces, then the values as bits: the first ten of them and, where
there are more, the last two.
"""

import argparse
import json
import math
import os
import sys
from pathlib import Path

import numpy as np

os.environ.setdefault("JAX_PLATFORMS", "cpu")
sys.path.insert(0, str(Path(__file__).parent))

from jax_cases import CUTS, FLOATS, LIMITS, NAMED, make_cases, number, values
from jax_cpu import IN_FLOAT32, float16_fma

VECTORS = Path(__file__).parents[1] / "vectors"


def case(call, shape, dtype, options=None, *, seed=42, x64=False, partitionable=True):
    """A case for the list below; `options` of None is an initializer that takes none."""
    return {
        "x64": x64,
        "partitionable": partitionable,
        "key": {"seed": seed},
        "call": call,
        "shape": list(shape),
        "dtype": dtype,
        "options": options,
    }


def vector_cases():
    """Each function in each dtype and layout, a hundred random cases, float16 limits in 64 bits."""
    cases = []
    for partitionable in (True, False):
        layout = {"partitionable": partitionable}
        for dtype in ("uint8", "uint16", "uint32"):
            cases.append(case("random.bits", [13], dtype, {}, **layout))
        cases.append(case("random.bits", [13], "uint64", {}, x64=True, **layout))
        limits = {"minval": -0.3, "maxval": 0.9}
        cases.append(case("random.uniform", [13], "float64", limits, x64=True, **layout))
        for call, cuts in (("normal", {}), ("truncated_normal", {"lower": -2, "upper": 2})):
            cases.append(case(f"random.{call}", [300], "float64", cuts, x64=True, **layout))
        for dtype in FLOATS:
            cases.append(case("random.uniform", [13], dtype, {}, **layout))
            cases.append(case("random.uniform", [13], dtype, limits, **layout))
            cases.append(case("random.normal", [13], dtype, {}, **layout))
            cuts = {"lower": -2, "upper": 2}
            cases.append(case("random.truncated_normal", [13], dtype, cuts, **layout))
    for seed in (0, -1, 2**31, 2**40 + 3, 2**63 - 1, -(2**63)):
        for x64 in (False, True):
            cases.append(case("random.key_data", [], "uint32", {}, seed=seed, x64=x64))
    for name in NAMED:
        cases += [case(f"nn.initializers.{name}", [3, 4], dtype, {}) for dtype in FLOATS]
    cases += make_cases(100, seed=7)
    tie = 1.00048828125 + 1e-12  # which float32 moves to halfway between two float16 numbers
    limits = (("uniform", "minval", "maxval", 4.0), ("truncated_normal", "upper", "lower", -1.0))
    for call, one, other, value in limits:
        options = {one: tie, other: value}
        cases += [
            case(f"random.{call}", [13], "float16", options, x64=x64) for x64 in (True, False)
        ]
    return cases


def float16_cases():
    """float16 alone: every kind of limits and cut-offs, both layouts, every named initializer."""
    cases = []
    for partitionable in (True, False):
        layout = {"partitionable": partitionable}
        for low, high in LIMITS[:8]:
            limits = {"minval": low, "maxval": high}
            cases.append(case("random.uniform", [13], "float16", limits, **layout))
        for lower, upper in CUTS:
            if not math.isinf(number(lower)) and lower != upper:
                cuts = {"lower": lower, "upper": upper}
                cases.append(case("random.truncated_normal", [13], "float16", cuts, **layout))
        cases.append(case("random.normal", [13], "float16", {}, **layout))
    return cases + [case(f"nn.initializers.{name}", [4, 7], "float16", {}) for name in NAMED]


def row(case, array):
    """The line of a case."""
    bits = array.reshape(-1).view(f"<u{array.dtype.itemsize}")
    shown = bits if bits.size <= 12 else np.concatenate([bits[:10], bits[-2:]])
    text = json.dumps(case, separators=(",", ":"))
    return " ".join([text, *(f"{int(word):0{2 * array.dtype.itemsize}x}" for word in shown)])


def main():
    parser = argparse.ArgumentParser(description="JAX's known answers")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--float16-fma", action="store_true")
    options = parser.parse_args()
    fused = options.float16_fma
    if not fused:
        os.environ.update(IN_FLOAT32)  # before JAX is there to read it
    import jax

    if float16_fma(jax) != fused:
        parser.error(f"this CPU {'does not compute' if fused else 'computes'} float16 itself")
    if not options.check:
        for case in float16_cases() if fused else vector_cases():
            print(row(case, values(jax, case)))
        return 0
    file = VECTORS / f"jax-0.10{'-float16-fma' * fused}.txt"
    lines = file.read_text(encoding="ascii").splitlines()
    rows = [line for line in lines if not line.startswith("#")]
    cases = [json.loads(line[: line.rindex("}") + 1]) for line in rows]
    wrong = sum(
        row(case, values(jax, case)) != line for case, line in zip(cases, rows, strict=True)
    )
    print(f"JAX {jax.__version__}: {len(rows) - wrong} of {len(rows)} known answers stand")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
