# SPDX-License-Identifier: Apache-2.0
"""glorot.replay.tensorflow's stateless functions and Keras 2 initializers against TensorFlow's.

    python tests/oracle/tensorflow_stateless.py write FILE [--cases N]   # under TensorFlow
    python tests/oracle/tensorflow_stateless.py compare FILE             # under glorot
    python tests/oracle/tensorflow_stateless.py vectors                  # under TensorFlow

`write` runs under TensorFlow 2.4, whose `tf.keras` is Keras 2, as well as under a new one with
`tf_keras`; `compare` imports no TensorFlow.  Each case is one call, eagerly or in a tf.function.
`vectors` prints the rows of tests/vectors/tensorflow-stateless.txt.
"""

import argparse
import json
import os
import random
import sys

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # tf.keras is Keras 2
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

FLOATS = ["float16", "bfloat16", "float32", "float64"]
WIDTHS = {"float16": 4, "bfloat16": 4, "float32": 8, "int32": 8, "uint32": 8}
SEEDS = [0, 1, 42, -1, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**40, 2**63 - 1, -(2**63)]
LIMITS = [0, 0.0, 1, -1, -3, 0.1, -0.05, 1.00048828125 + 1e-12, 2.5, 17.0, -1e-3, 7e-6]
STDDEVS = [1.0, 2, -0.5, 0.05, 1.00048828125 + 1e-12, 3e-8, 17.0, 0]

SCALED = ["GlorotUniform", "GlorotNormal", "LecunUniform", "LecunNormal", "HeUniform", "HeNormal"]
SPELLINGS = {"GlorotUniform": "glorot_uniform", "HeNormal": "he_normal"}


def random_shape(rng):
    if rng.random() < 0.1:
        return [rng.choice([300, 1001, 4099])]
    return [rng.choice([0, 1, 2, 3, 4, 5, 7, 8, 13]) for _ in range(rng.randrange(5))]


def random_seed(rng):
    return rng.choice(SEEDS) if rng.random() < 0.6 else rng.randrange(-(2**63), 2**63)


def random_function(rng):
    """A call of a stateless function."""
    case = {"shape": random_shape(rng), "options": {"seed": [random_seed(rng), random_seed(rng)]}}
    options = case["options"]
    kind = rng.random()
    if kind < 0.3:
        case["name"] = "random.stateless_uniform"
        options["dtype"] = rng.choice(FLOATS)
        if rng.random() < 0.8:
            options["minval"], options["maxval"] = rng.choice(LIMITS), rng.choice(LIMITS)
    elif kind < 0.45:
        case["name"] = "random.stateless_uniform"
        options["dtype"] = rng.choice(["int32", "int64"])
        size = 2 ** rng.randrange(1, 31 if options["dtype"] == "int32" else 62)
        options["minval"] = rng.randrange(-size, size)
        options["maxval"] = options["minval"] + rng.randrange(1, size)
    elif kind < 0.55:
        case["name"] = "random.stateless_uniform"
        options["dtype"] = rng.choice(["int32", "int64", "uint32", "uint64"])
        options["minval"] = options["maxval"] = None
    elif kind < 0.95:
        case["name"] = rng.choice(["random.stateless_normal", "random.stateless_truncated_normal"])
        options["dtype"] = rng.choice(FLOATS)
        if rng.random() < 0.8:
            options["mean"], options["stddev"] = rng.choice([0.0, *LIMITS]), rng.choice(STDDEVS)
    else:
        del case["shape"]
        if rng.random() < 0.5:
            case["name"] = "random.experimental.stateless_split"
            options["num"] = rng.randrange(1, 9)
        else:
            case["name"] = "random.experimental.stateless_fold_in"
            options["data"] = random_seed(rng)
    return case


def random_initializer(rng):
    """A call of one of Keras' initializers; `partition` is what newer ones take."""
    case = {"shape": random_shape(rng), "options": {"seed": random_seed(rng)}}
    case["dtype"] = rng.choice([None, *FLOATS])
    options = case["options"]
    kind = rng.random()
    if kind < 0.4:
        name = rng.choice(SCALED)
    elif kind < 0.6:
        name = "VarianceScaling"
        options["scale"] = rng.choice([0.1, 1.0, 2, 3.7, 1e-3])
        options["mode"] = rng.choice(["fan_in", "fan_out", "fan_avg"])
        options["distribution"] = rng.choice(
            ["uniform", "Uniform", "normal", "truncated_normal", "Untruncated_Normal"]
        )
    elif kind < 0.7:
        name = "RandomUniform"
        if rng.random() < 0.8:
            options["minval"], options["maxval"] = rng.choice(LIMITS), rng.choice(LIMITS)
    elif kind < 0.9:
        name = rng.choice(["RandomNormal", "TruncatedNormal"])
        if rng.random() < 0.8:
            options["mean"], options["stddev"] = rng.choice([0.0, *LIMITS]), rng.choice(STDDEVS)
    else:
        name = rng.choice(["Zeros", "Ones", "Constant", "Identity"])
        case["options"] = {}
        if name == "Constant":
            case["options"] = {"value": rng.choice(LIMITS)}
        if name == "Identity":
            case["options"] = {"gain": rng.choice([1.0, 2, -0.3, LIMITS[7]])}
            case["shape"] = [rng.randrange(6), rng.randrange(6)]
    if "seed" in case["options"] and rng.random() < 0.2:
        offset = [rng.randrange(-3, 9) for _ in range(rng.randrange(4))]
        case["partition"] = [random_shape(rng), offset]
    if rng.random() < 0.5:
        name = SPELLINGS.get(name, name)
    return dict(case, name="keras.initializers." + name)


def make_cases(count, seed):
    rng = random.Random(seed)
    cases = [(random_function if i % 2 else random_initializer)(rng) for i in range(count)]
    for case in cases:
        case["graph"] = rng.random() < 0.2
    return cases


# --- running a case ------------------------------------------------------------------------------


def encode(array):
    return [str(array.dtype), list(array.shape), array.tobytes().hex()]


def run_case(namespace, case, **more):
    """One call of either side."""
    found = namespace
    for part in case["name"].split("."):
        found = getattr(found, part)
    if not case["name"].startswith("keras"):
        shape = [case["shape"]] if "shape" in case else []
        return found(*shape, **case["options"], **more)
    if "partition" in case:
        shape, offset = case["partition"]
        more = {"partition_shape": shape, "partition_offset": tuple(offset)}
    return found(**case["options"])(case["shape"], case["dtype"], **more)


def tensorflow_value(case):
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    if case["graph"]:
        return encode(tf.function(lambda: run_case(tf, case))().numpy())
    return encode(run_case(tf, case).numpy())


def glorot_value(case):
    """The same from glorot.replay.tensorflow.  A graph rounds the numbers given for float16 in
    another way, which Keras' initializers cannot be told."""
    from glorot.replay import tensorflow

    graph = {"graph": True} if case["graph"] and "random.stateless" in case["name"] else {}
    return encode(run_case(tensorflow, case, **graph))


def told_apart(case):
    """Cases that one TensorFlow or the other cannot run, or we cannot be told of."""
    import tensorflow as tf

    old = tuple(map(int, tf.__version__.split(".")[:2])) < (2, 10)
    keras = case["name"].startswith("keras")
    if old and ("partition" in case or "uint" in str(case["options"].get("dtype"))):
        return True
    half = "float16" in (case.get("dtype"), case["options"].get("dtype"))
    return keras and case["graph"] and half


# --- known answers -------------------------------------------------------------------------------

VECTORS = [
    ("random.stateless_uniform", {"seed": [1, 2], "dtype": "float32"}, [5], None),
    ("random.stateless_uniform", {"seed": [1, 2], "minval": -1, "dtype": "float64"}, [3, 2], None),
    ("random.stateless_uniform", {"seed": [-1, 2**40], "dtype": "bfloat16"}, [9], None),
    ("random.stateless_uniform", {"seed": [7, 0], "maxval": 0.1, "dtype": "float16"}, [9], None),
    ("random.stateless_uniform", {"seed": [7, 0], "minval": -5, "maxval": 10**6, "dtype": "int32"},
     [9], None),
    ("random.stateless_uniform", {"seed": [7, 0], "minval": -5, "maxval": 2**40, "dtype": "int64"},
     [9], None),
    ("random.stateless_uniform", {"seed": [7, 0], "minval": None, "maxval": None, "dtype": "int32"},
     [9], None),
    ("random.stateless_uniform", {"seed": [7, 0], "minval": None, "maxval": None, "dtype": "int64"},
     [9], None),
    ("random.stateless_normal", {"seed": [1, 2], "dtype": "float32"}, [5], None),
    ("random.stateless_normal", {"seed": [-(2**63), 2**63 - 1], "dtype": "float64"}, [7], None),
    ("random.stateless_normal", {"seed": [3, 4], "mean": 1, "stddev": 0.3, "dtype": "float16"}, [9],
     None),
    ("random.stateless_truncated_normal", {"seed": [-1, 2**40], "dtype": "float64"}, [4099], None),
    ("random.stateless_truncated_normal", {"seed": [0, 0], "dtype": "float32"}, [64], None),
    ("random.stateless_truncated_normal", {"seed": [5, 6], "stddev": 2.5, "dtype": "bfloat16"},
     [2, 3, 4], None),
    ("random.experimental.stateless_split", {"seed": [1, 2], "num": 3}, None, None),
    ("random.experimental.stateless_fold_in", {"seed": [1, 2], "data": 3}, None, None),
    ("keras.initializers.GlorotUniform", {"seed": 42}, [3, 4], "float32"),
    ("keras.initializers.GlorotNormal", {"seed": -7}, [3, 3, 4, 8], "float64"),
    ("keras.initializers.LecunUniform", {"seed": 0}, [10], "float16"),
    ("keras.initializers.LecunNormal", {"seed": 2**40}, [5, 5], "bfloat16"),
    ("keras.initializers.HeUniform", {"seed": 3}, [], "float32"),
    ("keras.initializers.HeNormal", {"seed": 3}, [6, 5], "float32"),
    ("keras.initializers.RandomUniform", {"seed": 7}, [2, 3], "float32"),
    ("keras.initializers.RandomNormal", {"seed": 7}, [2, 3], "float32"),
    ("keras.initializers.TruncatedNormal", {"seed": 7}, [2, 3], "float16"),
]  # fmt: skip


def vector_rows():
    """One line a call: the first 8 values, as bits."""
    for name, options, shape, dtype in VECTORS:
        case = {"name": name, "options": options, "graph": False}
        case.update({} if shape is None else {"shape": shape})
        case.update({"dtype": dtype} if dtype else {})
        kind, _, text = tensorflow_value(case)
        width = WIDTHS.get(kind, 16)
        words = [text[i : i + width] for i in range(0, len(text), width)][:8]
        start = [name, json.dumps(options, separators=(",", ":"))]
        start += ["none" if shape is None else "x".join(map(str, shape)) or "-", kind]
        yield " ".join(start + [bytes.fromhex(word)[::-1].hex() for word in words])


def write(path, count, seed):
    import tensorflow as tf

    cases = [case for case in make_cases(count * 5 // 4, seed) if not told_apart(case)][:count]
    cases = [dict(case, expected=tensorflow_value(case)) for case in cases]
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"tensorflow": tf.__version__, "cases": cases}, file)
    print(f"TensorFlow {tf.__version__}: wrote {len(cases)} stateless cases to {path}")


def compare(path):
    with open(path, encoding="utf-8") as file:
        answers = json.load(file)
    wrong = 0
    for case in answers["cases"]:
        expected = case.pop("expected")
        if glorot_value(case) != expected:
            wrong += 1
            if wrong <= 3:
                print("differs:", json.dumps(case))
    total = len(answers["cases"])
    print(
        f"TensorFlow {answers['tensorflow']}: {total - wrong} of {total} stateless cases agree, "
        "byte for byte"
    )
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(description="glorot.replay.tensorflow against TensorFlow")
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
