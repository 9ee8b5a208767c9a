# SPDX-License-Identifier: Apache-2.0
"""Counts the audit's false alarms: correct models of many seeds, of which none may be blamed.

Each preset, as the library draws it, and every kind of promise of the core tests in four dtypes;
GPT-2 also as transformers draws it. Prints the smallest p of any test beside its limit.

    python tests/oracle/audit_false_alarms.py [SEEDS]
"""

import math
import sys
import warnings
from pathlib import Path

import glorot

sys.path.insert(0, str(Path(__file__).parents[1] / "core"))
from test_audit import GPT2, ZOO, ZOO_SHAPES, build

# A small model of each preset; one that is missing here fails.
PRESETS = {"gpt2": GPT2}
DTYPES = ("float32", "bfloat16", "float16", "float8_e4m3fn")


def cases():
    """(title, recipe, function of a seed that makes a model)."""
    missing = set(glorot.recipe.presets()) - set(PRESETS)
    if missing:
        raise SystemExit(f"PRESETS lacks the shapes of {', '.join(sorted(missing))}.")
    for name, shapes in PRESETS.items():
        recipe = glorot.recipe.load(name)
        yield f"preset {name}", recipe, lambda seed, r=recipe, s=shapes: build(r, s, seed)
    for dtype in DTYPES:
        yield f"every promise, {dtype}", ZOO, lambda seed, d=dtype: build(ZOO, ZOO_SHAPES, seed, d)
    yield "transformers' GPT-2", glorot.recipe.load("gpt2"), transformers_gpt2


def transformers_gpt2(seed):
    """The model that transformers itself initialises."""
    import torch
    import transformers

    torch.manual_seed(seed)
    options = {"n_layer": 3, "n_embd": 64, "n_head": 2, "vocab_size": 300, "n_positions": 50}
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(**options))


def main(seeds):
    """Audit each model of each seed."""
    alarms = 0
    for title, recipe, make in cases():
        tests = found = 0
        worst = 0.0
        for seed in range(seeds):
            report = glorot.audit(make(seed), recipe, singular_values=False)
            tests += report.tests
            found += not report.ok
            for problem in report.problems:
                print(f"  seed {seed}: {problem}")
            for row in report.parameters:
                worst = max(worst, abs(row.z_mean or 0.0), abs(row.z_variance or 0.0))
        alarms += found
        print(
            f"{title}: {found} false alarms in {seeds} models, {tests:,} tests; largest |z| "
            f"{worst:.2f}, a single test's limit about {limit(tests / seeds):.2f}",
            flush=True,
        )
    return alarms


def limit(tests):
    """The |z| at which one of so many tests of the mean is failed."""
    return math.sqrt(2 * math.log(2 * tests / 1e-6))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    raise SystemExit(1 if main(count) else 0)
