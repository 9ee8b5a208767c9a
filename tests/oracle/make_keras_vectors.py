# SPDX-License-Identifier: Apache-2.0
"""Write tests/vectors/keras-3.15.txt with the installed Keras 3, once on each backend.

    python tests/oracle/make_keras_vectors.py [--check]

With --check nothing is written: the exit status tells whether this Keras gives the file's rows.
Keras takes its backend when it is imported, so each runs in a process of its own.
"""

import argparse
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
VECTORS = HERE.parent / "vectors" / "keras-3.15.txt"
HEAD = """\
# Keras 3.15.1 on TensorFlow 2.21.0, torch 2.13.0+cpu, JAX 0.10.2 and NumPy 2.4.6, on x86-64 with
# FMA, glibc 2.36 (Debian), as glorot.replay.keras gives it; append-only.  Cases of
# tests/oracle/keras_cases.py, made by tests/oracle/make_keras_vectors.py.
# value BACKEND CASE VALUES   the first values of the last answer, as bits
# case BACKEND DIGEST CASE    of all answers
"""
TAIL = "# jax-x64: Keras 3.15.1 on JAX 0.10.2 with JAX_ENABLE_X64=1.\n"
# name, options, shape, dtype; seeds count up from 42.
CALLS = (
    ("random.uniform", {}, [6], "float32"),
    ("random.uniform", {"minval": -0.1, "maxval": 0.3}, [6], "float64"),
    ("random.uniform", {"minval": -0.1, "maxval": 0.3}, [6], "float16"),
    ("random.uniform", {"minval": -0.1, "maxval": 0.3}, [6], "bfloat16"),
    ("random.normal", {}, [40], "float32"),
    ("random.normal", {"mean": 0.1, "stddev": 0.3}, [5], "float64"),
    ("random.normal", {"mean": 0.1, "stddev": 0.3}, [40], "float16"),
    ("random.normal", {"mean": 0.1, "stddev": 0.3}, [40], "bfloat16"),
    ("random.truncated_normal", {}, [40], "float32"),
    ("random.truncated_normal", {"mean": 0.1, "stddev": 0.3}, [40], "float64"),
    ("random.truncated_normal", {"mean": 0.1, "stddev": 0.3}, [40], "float16"),
    ("random.truncated_normal", {"mean": 0.1, "stddev": 0.3}, [5], "bfloat16"),
    ("random.randint", {"minval": -3, "maxval": 1000}, [6], "int32"),
    ("random.randint", {"minval": 0, "maxval": 2**31 - 1}, [6], "int32"),
    ("random.randint", {"minval": 0, "maxval": 7}, [6], "uint8"),
    ("initializers.GlorotUniform", {}, [3, 4], "float32"),
    ("initializers.GlorotUniform", {}, [3, 4], "float64"),
    ("initializers.GlorotNormal", {}, [3, 3, 4, 8], "float32"),
    ("initializers.GlorotNormal", {"input_axes": [0], "output_axes": [1, 2]}, [6, 2, 4], "float32"),
    ("initializers.LecunUniform", {}, [10], "float16"),
    ("initializers.LecunNormal", {}, [5, 5], "bfloat16"),
    ("initializers.HeUniform", {}, [1], "float32"),
    ("initializers.HeNormal", {}, [6, 5], "float32"),
    ("initializers.VarianceScaling", {"distribution": "untruncated_normal"}, [6, 5], "float32"),
    ("initializers.RandomUniform", {}, [2, 3], "float32"),
    ("initializers.RandomNormal", {}, [2, 3], "float32"),
    ("initializers.TruncatedNormal", {}, [2, 3], "float32"),
)


def call_cases():
    """The calls as cases: with an integer, and some with a generator's second draw."""
    for number, (name, options, shape, dtype) in enumerate(CALLS):
        step = {"name": name, "options": options, "shape": shape, "dtype": dtype}
        step |= {"calls": 1, "clone": False}
        seed = 42 + number
        yield {"random_seed": None, "generator": None, "steps": [{**step, "seed": seed}]}
        if number % 3 == 0:
            steps = [{**step, "seed": "generator"}] * 2
            yield {"random_seed": None, "generator": seed, "steps": steps}
        if number % 9 == 0:
            yield {"random_seed": seed, "generator": None, "steps": [step] * 2}


def rows(backend):
    """The rows of the backend that this process runs on; "jax-x64" is jax with 64 bits enabled."""
    cases = runpy.run_path(str(HERE / "keras_cases.py"))
    for case in call_cases():
        answers = cases["run_keras"](case)
        if backend == ("jax" if case["steps"][0]["dtype"] == "float64" else "jax-x64"):
            continue  # float64 is float32 there, and no other dtype needs 64 bits
        yield f"value {backend} {json.dumps(case)} " + " ".join(cases["words"](answers[-1]))
    if backend == "numpy":
        return  # whose normals are NumPy's, and its C library's: the first values are enough
    seed = 316 if backend == "jax-x64" else 315
    for case in cases["make_cases"](90, seed, backend.removesuffix("-x64")):
        yield f"case {backend} {cases['digest'](cases['run_keras'](case))} {json.dumps(case)}"


def main():
    """Write the file, or with --check compare it; `--rows` prints those of this process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--rows", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.rows:
        print("\n".join(rows(options.rows)))
        return 0
    cpu = runpy.run_path(str(HERE / "jax_cpu.py"))
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", **cpu["IN_FLOAT32"]}
    text = HEAD
    for backend in ("tensorflow", "torch", "jax", "numpy", "jax-x64"):
        name, _, x64 = backend.partition("-")
        done = subprocess.run(
            [sys.executable, __file__, "--rows", backend],
            env={**os.environ, **quiet, "KERAS_BACKEND": name, "JAX_ENABLE_X64": "01"[bool(x64)]},
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        text += (TAIL if x64 else "") + done.stdout
    if not options.check:
        VECTORS.write_text(text, encoding="utf-8")
        return 0
    wanted = VECTORS.read_text(encoding="utf-8").splitlines()
    missing = [row for row in wanted if row[0] != "#" and row not in text.splitlines()]
    print(f"{len(missing)} of {len(wanted)} rows are not this Keras's", *missing[:3], sep="\n")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
