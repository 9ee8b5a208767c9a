# SPDX-License-Identifier: Apache-2.0
"""glorot.replay.keras against the installed Keras 3, on one backend.

    python tests/oracle/keras_draws.py BACKEND [--cases N] [--seed S] [--arithmetic NAME] [--x64]

Each case (tests/oracle/keras_cases.py) must give equal bytes, or be refused by both; and of some
matrices of Orthogonal the differences must be within what is promised: the largest is told, and the
largest in epsilons times the condition number.  --x64 is jax with JAX_ENABLE_X64=1.
Prints one line of counts; the exit status says whether all agree.
"""

import argparse
import json
import os
import runpy
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
CASES = runpy.run_path(str(Path(__file__).with_name("keras_cases.py")))
SIDES = ((1, 1), (2, 2), (2, 5), (5, 2), (16, 16), (64, 64), (128, 100))


def orthogonal_differences(backend, count, double):
    """(largest difference by dtype, largest in epsilons times the condition number)."""
    import keras
    import numpy as np

    from glorot.replay.keras import initializers, random

    worst, ratio = {}, 0.0
    for number in range(count):
        dtype = "float64" if number % 2 and double else "float32"
        shape = (512, 512) if number == 11 else SIDES[number % len(SIDES)]
        theirs = keras.initializers.Orthogonal(seed=number)(shape, dtype)
        ours = initializers.Orthogonal(seed=number, backend=backend)(shape, dtype)
        difference = float(np.abs(ours - keras.ops.convert_to_numpy(theirs)).max())
        normals = random.normal(sorted(shape)[::-1], dtype=dtype, seed=number, backend=backend)
        condition = np.linalg.cond(normals.astype(np.float64))
        worst[dtype] = max(worst.get(dtype, 0.0), difference)
        ratio = max(ratio, difference / (condition * np.finfo(dtype).eps))
    return worst, ratio


def main():
    """Compare, and tell what was seen."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("backend", choices=CASES["BACKENDS"])
    parser.add_argument("--cases", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--arithmetic", default="fma")
    parser.add_argument("--x64", action="store_true")
    options = parser.parse_args()
    if options.x64 and options.backend != "jax":
        parser.error("--x64 is of jax alone")
    os.environ["KERAS_BACKEND"] = options.backend
    os.environ["JAX_ENABLE_X64"] = str(int(options.x64))
    from glorot.replay import jax

    jax.config.update("jax_enable_x64", options.x64)
    if options.backend == "jax":
        import jax as framework
        from jax_cpu import float16_fma

        jax.config.update("float16_fma", float16_fma(framework))
    wrong, refused = 0, 0
    for case in CASES["make_cases"](options.cases, options.seed, options.backend):
        want = CASES["run_keras"](case)
        got = CASES["run_ours"](case, options.backend, options.arithmetic)
        refused += want == "refused"
        if got != want:
            wrong += 1
            if wrong <= 5:
                print("differs:", json.dumps(case), str(want)[:200], str(got)[:200])
    double = options.x64 or options.backend in ("tensorflow", "torch")
    worst, ratio = orthogonal_differences(options.backend, max(options.cases // 10, 14), double)
    import keras

    from glorot.replay.keras._guarantees import ORTHOGONAL

    print(
        f"Keras {keras.__version__} on {options.backend}{' with x64' * options.x64}: "
        f"{options.cases - wrong} of {options.cases} cases agree, byte for byte, {refused} of "
        "them refusals; Orthogonal is within "
        + ", ".join(f"{value:.2g} in {dtype}" for dtype, value in sorted(worst.items()))
        + f", {ratio:.2g} epsilons times the condition number"
    )
    return 1 if wrong or ratio > ORTHOGONAL else 0


if __name__ == "__main__":
    sys.exit(main())
