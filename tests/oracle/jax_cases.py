# SPDX-License-Identifier: Apache-2.0
"""glorot.replay.jax against the installed JAX, byte for byte.

    python tests/oracle/jax_cases.py [--cases N] [--seed S]

One function, `values`, makes a case's calls in either namespace: replacing `jax` by
`glorot.replay.jax` is the whole change, and this is where it is shown.  JAX compiles anew for every
shape and option, so both come from short lists.
"""

import argparse
import json
import math
import os
import random
import sys

import numpy as np

os.environ.setdefault("JAX_PLATFORMS", "cpu")

SEEDS = [0, 1, 42, -1, 2**31, 2**32 + 5, 2**40 + 3, 2**63 - 1, -(2**63), 20261124]
SHAPES = [[], [1], [7], [64], [129], [3, 4], [33, 65], [3, 3, 4, 8], [2, 3, 5]]
WEIGHTS = [[3, 4], [33, 65], [3, 3, 4, 8], [2, 3, 5]]
FLOATS = ["float16", "bfloat16", "float32"]
# -0.3 and 1/3 are no floats; the pairs cover a span of 0, a negative one, and one that is rounded.
LIMITS = [[0, 1], [0.0, 1.0], [-1, 1], [-0.3, 0.9], [0.1, 2.5], [-1e-3, 1 / 3], [5, -5], [2, 2],
          [-0.0, 1e10], [7, 100.5]]  # fmt: skip
CUTS = [[-2, 2], [-2.0, 2.0], [-1, 3.0], [0, 4], [-10.0, 10.0], [2.5, 4], ["-inf", 0],
        ["-inf", "inf"], [1, 0.0], [0.5, 0.5]]  # fmt: skip

NAMED = ["glorot_uniform", "glorot_normal", "xavier_uniform", "xavier_normal", "lecun_uniform",
         "lecun_normal", "he_uniform", "he_normal", "kaiming_uniform",
         "kaiming_normal"]  # fmt: skip
SCALED = [
    ("uniform", [{}, {"scale": 0.7}, {"scale": -3}]),
    ("normal", [{}, {"stddev": 0.02}, {"stddev": 1.0}, {"stddev": 0}]),
    ("truncated_normal", [{}, {"stddev": 0.3, "lower": -1.0, "upper": 2.5}]),
]
AXES = [{}, {"in_axis": 0, "out_axis": 1}, {"in_axis": [0, 1], "out_axis": -1}]
MODES = ["fan_in", "fan_out", "fan_avg", "fan_geo_avg"]
DISTRIBUTIONS = ["uniform", "normal", "truncated_normal"]


FEW_SHAPES = [[33, 65], [3, 3, 4, 8]]


def make_case(rng, few):
    """A random call, as JSON can hold it; with `few`, of a kind that JAX compiles seldom anew."""
    x64 = rng.random() < (0.1 if few else 0.25)
    case = {"x64": x64, "partitionable": (few and x64) or rng.random() < 0.7}
    case["key"] = {"seed": rng.choice([*SEEDS, rng.randrange(2**63)])}
    if rng.random() < 0.3:
        case["key"]["fold_in"] = rng.randrange(2**32)
    if rng.random() < 0.3:
        case["key"]["split"] = rng.choice([[2, 0], [2, 1]] if few else [[2, 1], [3, 2], [5, 4]])
    shapes = FEW_SHAPES if few else SHAPES
    if rng.random() < 0.5:
        return dict(case, **sampler(rng, x64, shapes))
    return dict(case, **initializer(rng, x64, shapes))


def sampler(rng, x64, shapes):
    """A sampler of jax.random, or the key itself."""
    name = rng.choice(["key_data", "bits", "uniform", "uniform", "normal", "truncated_normal"])
    case = {"call": f"random.{name}", "shape": rng.choice(shapes), "options": {}}
    case["dtype"] = rng.choice([*FLOATS, "float64"] if x64 else FLOATS)
    if name == "key_data":
        case.update(shape=[], dtype="uint32")
    elif name == "bits":
        case["dtype"] = rng.choice(["uint8", "uint16", "uint32"] + ["uint64"] * x64)
    elif name == "uniform":
        low, high = rng.choice(LIMITS[:8] if case["dtype"] == "float16" else LIMITS)
        if shapes is FEW_SHAPES:
            low, high = float(low), float(high)  # integers are compiled apart
        case["options"] = {"minval": low, "maxval": high}
    elif name == "truncated_normal":
        low, high = map(number, rng.choice(CUTS))
        if shapes is FEW_SHAPES:
            low, high = float(low), float(high)
        case["options"] = {
            name: str(x) if math.isinf(x) else x for name, x in (("lower", low), ("upper", high))
        }
    return case


def initializer(rng, x64, shapes):
    """An initializer of jax.nn."""
    shape, options = rng.choice(shapes), {}
    kind = rng.choice(["constant", "scaled", "named", "named", "variance_scaling"])
    if kind == "constant":
        name, options = rng.choice([("zeros", None), ("ones", None), ("constant", {"value": -0.1})])
    elif kind == "scaled":
        name, choices = rng.choice(SCALED)
        options = rng.choice(choices)
    else:
        name, shape = rng.choice(NAMED), rng.choice([w for w in WEIGHTS if w in shapes])
        options = dict(rng.choice(AXES if len(shape) > 2 else AXES[:2]))
        if len(shape) == 3 and rng.random() < 0.5:
            options = {"batch_axis": 0}
        if kind == "variance_scaling":
            name = kind
            options |= {"scale": rng.choice([1.0, 2, 0.1]), "mode": rng.choice(MODES)}
            options["distribution"] = rng.choice(DISTRIBUTIONS)
    dtype = rng.choice([*FLOATS, "float64"] if x64 else FLOATS)
    return {"call": f"nn.initializers.{name}", "shape": shape, "dtype": dtype, "options": options}


def make_cases(count, seed, *, few=False):
    """`count` random calls."""
    rng = random.Random(seed)
    return [make_case(rng, few) for _ in range(count)]


def number(value):
    """Infinities are strings in JSON."""
    return float(value) if isinstance(value, str) and value.endswith("inf") else value


def make_key(jax, recipe):
    """The key of a recipe: a seed or two words, then what is folded in, then a row of a split."""
    if "words" in recipe:
        key = jax.random.wrap_key_data(np.array(recipe["words"], dtype=np.uint32))
    else:
        key = jax.random.key(recipe["seed"])
    if "fold_in" in recipe:
        key = jax.random.fold_in(key, recipe["fold_in"])
    if "split" in recipe:
        count, row = recipe["split"]
        key = jax.random.split(key, count)[row]
    return key


def values(jax, case, **shard):
    """What the case's call gives in `jax`: the framework, or glorot.replay.jax."""
    with jax.enable_x64(case["x64"]), jax.threefry_partitionable(case["partitionable"]):
        key = make_key(jax, case["key"])
        module, _, name = case["call"].rpartition(".")
        owner = jax.random if module == "random" else jax.nn.initializers
        function, options = getattr(owner, name), case["options"]
        if name == "key_data":
            return np.asarray(function(key))
        if options is not None:
            options = {option: number(value) for option, value in options.items()}
        shape = tuple(case["shape"])
        if module == "random":
            return np.asarray(function(key, shape=shape, dtype=case["dtype"], **options, **shard))
        init = function if options is None else function(**options)
        return np.asarray(init(key, shape, case["dtype"], **shard))


def same(a, b):
    """Whether two arrays are equal byte for byte, dtype and shape included."""
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def main():
    parser = argparse.ArgumentParser(description="glorot.replay.jax against JAX")
    parser.add_argument("--cases", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    import jax
    from jax_cpu import float16_fma

    from glorot.replay import jax as replay

    replay.config.update("float16_fma", float16_fma(jax))
    cases, wrong = make_cases(options.cases, options.seed), 0
    for case in cases:
        if not same(values(jax, case), values(replay, case)):
            wrong += 1
            if wrong <= 3:
                print("differs:", json.dumps(case))
    print(f"JAX {jax.__version__}: {len(cases) - wrong} of {len(cases)} cases agree, byte for byte")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
