# SPDX-License-Identifier: Apache-2.0
"""glorot.compat.v1 against whichever TensorFlow is installed, byte for byte.

    python tests/oracle/tensorflow_v1.py write FILE [--cases N] [--seed S]   # under TensorFlow
    python tests/oracle/tensorflow_v1.py compare FILE                        # under glorot
    python tests/oracle/tensorflow_v1.py vectors                             # under TensorFlow

`write` runs under Python 3.8 with TensorFlow 2.4 as well as under a new one with `tf_keras`, and
imports no glorot; `compare` imports no TensorFlow.  A case is a sequence of calls, since state is
half of what is compared: it sets the graph seed, then calls initializers and random functions,
eagerly or as the nodes of a graph, or of a tf.function, of which one run is looked at.  `vectors`
prints the rows of tests/vectors/tensorflow-v1-*.txt that are TensorFlow's answers.
"""

import argparse
import json
import os
import random
import sys
from types import SimpleNamespace

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # else tf.compat.v1.keras is Keras 3
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

FLOATS = ["float16", "bfloat16", "float32", "float64"]
M = 2**31 - 1
SEEDS = [
    0,
    1,
    2,
    42,
    -1,
    -7,
    M - 1,
    M,
    M + 1,
    2**31,
    2**32 + 1,
    123456789012,
    2**62,
    -(2**40),
    2**80,
]
# 1 + 2**-11 + 1e-12 lies above a tie of float16 that float32 rounds it onto.  No -0.0: TensorFlow's
# own answer depends on whether its cache of eager scalars has met 0.0 before.
LIMITS = [0, 0.0, 1, -1, -3, 0.1, -0.05, 1.00048828125 + 1e-12, 2.5, 17.0, -1e-3, 7e-6]

SCALED = [
    "keras.initializers.glorot_uniform",
    "glorot_uniform_initializer",
    "initializers.glorot_uniform",
    "keras.initializers.he_uniform",
    "keras.initializers.lecun_uniform",
    "initializers.he_uniform",
    "initializers.lecun_uniform",
    "keras.initializers.glorot_normal",
    "glorot_normal_initializer",
    "initializers.glorot_normal",
    "keras.initializers.he_normal",
    "keras.initializers.lecun_normal",
    "initializers.he_normal",
    "initializers.lecun_normal",
]
UNIFORMS = [
    "keras.initializers.RandomUniform",
    "keras.initializers.uniform",
    "random_uniform_initializer",
]
NORMALS = [
    "keras.initializers.RandomNormal",
    "keras.initializers.normal",
    "random_normal_initializer",
    "initializers.random_normal",
    "keras.initializers.TruncatedNormal",
    "keras.initializers.truncated_normal",
    "truncated_normal_initializer",
    "initializers.truncated_normal",
]
FUNCTIONS = ["random_uniform", "random_normal", "random.truncated_normal", "random.normal"]
DISTRIBUTIONS = ["uniform", "Uniform", "normal", "truncated_normal", "Untruncated_Normal"]
# Some give subnormals.  No 0: with a mean of 0, graphs of 2.4 give 0.0 for what 2.21 makes -0.0.
STDDEVS = [1.0, 2, -0.5, 0.05, 1.00048828125 + 1e-12, 3e-8, 17.0]


def random_shape(rng):
    if rng.random() < 0.1:
        return [rng.choice([300, 1001, 4099])]
    return [rng.choice([0, 1, 2, 3, 4, 5, 7, 8, 13]) for _ in range(rng.randrange(5))]


def random_seed(rng):
    return rng.choice(SEEDS) if rng.random() < 0.7 else rng.randrange(-(2**63), 2**63)


def random_call(rng, seeded):
    """One call; `seeded` says that the graph has a seed, so that the call may go without."""
    kind = rng.random()
    call = {"options": {}, "shape": random_shape(rng), "dtype": rng.choice([None] * 2 + FLOATS)}
    options = call["options"]
    seed = None if seeded and rng.random() < 0.4 else random_seed(rng)
    if kind < 0.1:
        return dict(call, **random_constant(rng, call["shape"]))
    options["seed"] = seed
    if kind < 0.4:
        call["name"] = rng.choice(SCALED)
        if "glorot" in call["name"] and rng.random() < 0.3:
            options["dtype"] = rng.choice(FLOATS)
    elif kind < 0.55:
        call["name"] = rng.choice(
            ["keras.initializers.VarianceScaling", "initializers.variance_scaling"]
        )
        options["scale"] = rng.choice([0.1, 1.0, 2, 3.7, 1e-3])
        options["mode"] = rng.choice(["fan_in", "fan_out", "fan_avg"])
        options["distribution"] = rng.choice(DISTRIBUTIONS)
        options["dtype"] = rng.choice(FLOATS)
    elif kind < 0.6:
        call["name"] = "uniform_unit_scaling_initializer"
        options["factor"] = rng.choice([1.0, 0.3, 2])
    elif kind < 0.71:
        call["name"] = rng.choice(UNIFORMS)
        options["dtype"] = rng.choice(FLOATS)
        random_limits(rng, options)
        if call["name"][0] == "r" and rng.random() < 0.2:
            options["maxval"] = None
    elif kind < 0.82:
        call["name"] = rng.choice(NORMALS)
        options["dtype"] = rng.choice(FLOATS)
        random_moments(rng, options)
    elif kind < 0.92:
        call["name"] = rng.choice(FUNCTIONS)
        call["dtype"] = call["dtype"] or "float32"
        (random_limits if "uniform" in call["name"] else random_moments)(rng, options)
        return call
    else:
        call["name"] = "random_uniform_initializer"
        call["dtype"] = None
        options["dtype"] = rng.choice(["int32", "int64"])
        size = 2 ** rng.randrange(1, 31 if options["dtype"] == "int32" else 62)
        options["minval"] = rng.randrange(-size, size)
        options["maxval"] = options["minval"] + rng.randrange(1, size)
    if rng.random() < 0.15:
        call["int64_shape"] = True
    if "seed" in options and len(call["shape"]) == 2 and rng.random() < 0.2:
        rows, columns = call["shape"]
        call["partition"] = [[rows + 3, columns + 2], [1, 2]]
    return call


def random_limits(rng, options):
    if rng.random() < 0.8:
        options["minval"], options["maxval"] = rng.choice(LIMITS), rng.choice(LIMITS)


def random_moments(rng, options):
    if rng.random() < 0.8:
        options["mean"], options["stddev"] = rng.choice([0.0, *LIMITS]), rng.choice(STDDEVS)


def random_constant(rng, shape):
    """A call that draws nothing, and so must not move any state."""
    kind = rng.randrange(4)
    if kind == 0:
        return {"name": "keras.initializers.Zeros", "dtype": rng.choice([*FLOATS, "int32", "bool"])}
    if kind == 1:
        return {"name": "ones_initializer", "dtype": rng.choice([*FLOATS, "int64"])}
    if kind == 2:
        call = {"name": "keras.initializers.Identity", "shape": [rng.randrange(1, 6), 4]}
        call["options"] = {"gain": rng.choice([1.0, 2, -0.3, LIMITS[7]])}
        if rng.random() < 0.5:
            call["partition"] = [[call["shape"][0] + 2, 7], [2, 3]]
        return call
    size = 1
    for n in shape:
        size *= n
    value = (
        rng.choice(LIMITS)
        if rng.random() < 0.5 and size
        else [rng.choice(LIMITS) for _ in range(size)]
    )
    return {"name": "keras.initializers.constant", "options": {"value": value}}


def random_case(rng):
    graph_seed = random_seed(rng) if rng.random() < 0.6 else None
    calls = []
    for _ in range(rng.randrange(1, 7)):
        if calls and rng.random() < 0.35:
            call = dict(rng.choice(calls))  # the same kernel again, its state further on
            if "partition" not in call and not isinstance(call["options"].get("value"), list):
                call["shape"] = (
                    random_shape(rng) if "Identity" not in call["name"] else call["shape"]
                )
        else:
            call = random_call(rng, graph_seed is not None)
        calls.append(call)
    mode = rng.choice(["eager", "graph", "function"])
    case = {"mode": mode, "graph_seed": graph_seed, "calls": calls}
    if mode != "eager":
        case["run"] = rng.choice([0, 0, 1, 2])
    return case


def make_cases(count, seed):
    rng = random.Random(seed)
    return [random_case(rng) for _ in range(count)]


# --- running a case ------------------------------------------------------------------------------


def run_call(v1, call, **more):
    """One call of either side: of a random function, or of an initializer just made."""
    found = v1
    for part in call["name"].split("."):
        found = getattr(found, part)
    shape, dtype, partition = arguments(call)
    if call["name"] in FUNCTIONS:
        return found(shape, dtype=dtype, **call["options"])
    return found(**call["options"], **more)(shape, dtype, partition)


def arguments(call):
    import numpy as np

    shape = call["shape"]
    if call.get("int64_shape"):
        shape = np.array(shape, dtype=np.int64)
    partition = None
    if "partition" in call:
        full_shape, offset = call["partition"]
        partition = SimpleNamespace(full_shape=full_shape, var_offset=offset)
    return shape, call["dtype"], partition


def encode(array):
    return [str(array.dtype), list(array.shape), array.tobytes().hex()]


def tensorflow_values(case):
    """What the installed TensorFlow gives: a list of [dtype, shape, bytes in hex]."""
    import tensorflow as tf

    v1 = tf.compat.v1
    tf.get_logger().setLevel("ERROR")
    calls, seed = case["calls"], case["graph_seed"]
    if case["mode"] == "eager":
        v1.set_random_seed(seed)
        return [encode(run_call(v1, call).numpy()) for call in calls]
    if case["mode"] == "function":
        v1.set_random_seed(seed)
        function = tf.function(lambda: [run_call(v1, call) for call in calls])
        for _ in range(case["run"]):
            function()
        return [encode(value.numpy()) for value in function()]
    with tf.Graph().as_default(), v1.Session() as session:
        if seed is not None:
            v1.set_random_seed(seed)
        nodes = [run_call(v1, call) for call in calls]
        for _ in range(case["run"]):
            session.run(nodes)
        return [encode(value) for value in session.run(nodes)]


def glorot_values(case):
    """The same from glorot.compat.v1."""
    from glorot.compat import v1

    def value(call):
        glorot = "glorot" in call["name"]  # TensorFlow drops its dtype; imitate that
        return encode(run_call(v1, call, **({"ignore_dtype": True} if glorot else {})))

    if case["mode"] == "eager":
        v1.set_random_seed(case["graph_seed"])
        return [value(call) for call in case["calls"]]
    with v1.Graph(case["run"]).as_default():
        if case["graph_seed"] is not None:
            v1.set_random_seed(case["graph_seed"])
        return [value(call) for call in case["calls"]]


# --- known answers -------------------------------------------------------------------------------

VECTORS = [  # (graph seed, initializer, options, shape, dtype, calls)
    (None, "keras.initializers.glorot_uniform", {"seed": 42}, [3, 4], "float32", 2),
    (None, "keras.initializers.glorot_uniform", {"seed": 1}, [64, 32], "float64", 1),
    (None, "keras.initializers.glorot_uniform", {"seed": -7}, [3, 3, 4, 8], "float16", 1),
    (None, "keras.initializers.glorot_uniform", {"seed": 123456789012}, [5, 5], "bfloat16", 2),
    (None, "keras.initializers.lecun_uniform", {"seed": 0}, [10], "float32", 1),
    (None, "keras.initializers.RandomUniform", {"seed": 42}, [3, 4], "float32", 1),
    (1234, "keras.initializers.glorot_uniform", {"seed": None}, [3, 4], "float32", 2),
    (1234, "keras.initializers.glorot_uniform", {"seed": 42}, [3, 4], "float32", 2),
    (0, "keras.initializers.glorot_uniform", {"seed": 0}, [2, 3], "float32", 2),
    (M, "keras.initializers.he_uniform", {"seed": M}, [7], "float16", 2),
    (-1, "keras.initializers.he_uniform", {"seed": 2**80}, [2, 0, 3], "float32", 1),
    (-1, "keras.initializers.he_uniform", {"seed": 2**80}, [], "float64", 3),
    (5, "initializers.lecun_uniform", {"seed": None}, [4099], "bfloat16", 2),
    (7, "random_uniform_initializer", {"minval": 0, "maxval": -1, "seed": 5}, [64], "bfloat16", 1),
    (7, "random_uniform_initializer", {"minval": 0.0, "maxval": -1, "seed": 5}, [64], "float16", 1),
    (7, "random_uniform_initializer", {"minval": -5, "maxval": 10**6, "seed": 5}, [9], "int32", 2),
    (7, "random_uniform_initializer", {"minval": -5, "maxval": 2**40, "seed": 5}, [9], "int64", 2),
    (8, "uniform_unit_scaling_initializer", {"seed": 9}, [3, 3, 2], "float64", 2),
    (None, "keras.initializers.glorot_normal", {"seed": 42}, [3, 4], "float32", 2),
    (None, "keras.initializers.he_normal", {"seed": 7}, [3, 3, 4, 8], "float64", 2),
    (None, "keras.initializers.RandomNormal", {"seed": 42}, [3, 4], "float32", 2),
    (None, "keras.initializers.TruncatedNormal", {"seed": 42}, [3, 4], "float32", 2),
    (1234, "keras.initializers.lecun_normal", {"seed": None}, [3, 4], "bfloat16", 2),
    (1234, "glorot_normal_initializer", {"seed": -9}, [6, 5], "float16", 2),
    (M, "initializers.he_normal", {"seed": M}, [7], "float32", 2),
    (-1, "random_normal_initializer", {"seed": 2**80}, [2, 0, 3], "float32", 1),
    (-1, "random_normal_initializer", {"seed": 2**80}, [], "float64", 2),
    (7, "random_normal_initializer", {"stddev": 3e-8, "seed": 5}, [64], "float16", 2),
    (7, "truncated_normal_initializer", {"mean": -1, "stddev": 2.5, "seed": 5}, [9], "bfloat16", 2),
    (7, "truncated_normal_initializer", {"mean": 0.1, "seed": 6}, [4099], "float64", 2),
    (3, "variance_scaling_initializer", {"distribution": "normal", "seed": 1}, [5, 5],
     "float32", 1),
    (3, "variance_scaling_initializer", {"distribution": "untruncated_normal", "seed": 1}, [5, 5],
     "float32", 1),
    (5, "random_normal", {"seed": 1}, [2, 2], "float32", 2),
    (5, "random.truncated_normal", {"mean": 3, "seed": None}, [9], "float16", 2),
]  # fmt: skip


def vector_rows():
    """One line a call: the first 8 values, as bits."""
    for mode in ("eager", "graph"):
        for graph_seed, name, options, shape, dtype, count in VECTORS:
            call = {"name": name, "options": options, "shape": shape, "dtype": dtype}
            case = {"mode": mode, "graph_seed": graph_seed, "calls": [call] * count, "run": 0}
            runs = [tensorflow_values(case)]
            if mode == "graph":  # the nodes of one run, then the first node of the next
                runs.append(tensorflow_values(dict(case, calls=[call], run=1)))
            numbered = [(0, i, value) for i, value in enumerate(runs[0])]
            numbered += [(1, 0, values[0]) for values in runs[1:]]
            for run, number, (_, _, text) in numbered:
                width = {"bfloat16": 4, "float16": 4, "float32": 8, "int32": 8}.get(dtype, 16)
                words = [text[i : i + width] for i in range(0, len(text), width)][:8]
                bits = [bytes.fromhex(word)[::-1].hex() for word in words]
                start = [mode, json.dumps(graph_seed), name]
                start += [json.dumps(options, separators=(",", ":"))]
                start += ["x".join(map(str, shape)) or "-", dtype, str(run), str(number)]
                yield " ".join(start + bits)


def write(path, count, seed):
    import tensorflow as tf

    cases = [dict(case, expected=tensorflow_values(case)) for case in make_cases(count, seed)]
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"tensorflow": tf.__version__, "cases": cases}, file)
    calls = sum(len(case["calls"]) for case in cases)
    print(f"TensorFlow {tf.__version__}: wrote {len(cases)} cases, {calls} calls, to {path}")


def compare(path):
    with open(path, encoding="utf-8") as file:
        answers = json.load(file)
    wrong = 0
    for case in answers["cases"]:
        expected = case.pop("expected")
        if glorot_values(case) != expected:
            wrong += 1
            if wrong <= 3:
                print("differs:", json.dumps(case))
    total = len(answers["cases"])
    print(
        f"TensorFlow {answers['tensorflow']}: {total - wrong} of {total} cases agree, byte for byte"
    )
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(description="glorot.compat.v1 against TensorFlow")
    parser.add_argument("command", choices=["write", "compare", "vectors"])
    parser.add_argument("file", nargs="?")
    parser.add_argument("--cases", type=int, default=10000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.command == "vectors":
        print("\n".join(vector_rows()))
        return 0
    if options.file is None:
        parser.error(f"{options.command} needs a FILE")
    if options.command == "compare":
        return compare(options.file)
    write(options.file, options.cases, options.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
