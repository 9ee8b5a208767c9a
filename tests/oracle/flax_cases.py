# SPDX-License-Identifier: Apache-2.0
"""glorot.replay.flax against the installed flax, byte for byte.

    python tests/oracle/flax_cases.py [--cases N] [--seed S]
    python tests/oracle/flax_cases.py --vectors     # the rows of tests/vectors/flax-0.12.txt

A case is a module, its arguments, and where it stands: for linen a path and the shapes of its
inputs, for nnx how many keys were taken before it.
"""

import argparse
import hashlib
import json
import os
import random
import sys

import numpy as np

os.environ.setdefault("JAX_PLATFORMS", "cpu")

PATHS = [[], ["Dense_0"], ["encoder", "layers_0", "attention"], ["a", "bc"], ["é"]]
DTYPES = ["float32", "float32", "bfloat16", "float16"]
LINEN = [
    ("Dense", {"features": 5}, [[2, 3]]),
    ("Dense", {"features": 4, "use_bias": False}, [[7]]),
    ("DenseGeneral", {"features": [4, 5], "axis": [1, -1]}, [[1, 3, 6, 7]]),
    ("DenseGeneral", {"features": 4, "batch_dims": [0]}, [[2, 3, 6]]),
    ("DenseGeneral", {"features": [2, 3], "axis": [-1, 1], "batch_dims": [0]}, [[2, 3, 5, 4]]),
    ("Einsum", {"shape": [5, 6, 7], "einsum_str": "abc, cde -> abde"}, [[3, 4, 5]]),
    ("Conv", {"features": 8, "kernel_size": [3, 3]}, [[1, 6, 6, 4]]),
    ("Conv", {"features": 8, "kernel_size": 3, "feature_group_count": 2}, [[1, 6, 4]]),
    ("ConvTranspose", {"features": 8, "kernel_size": [3, 2]}, [[1, 6, 6, 4]]),
    ("ConvTranspose", {"features": 6, "kernel_size": [3], "transpose_kernel": True}, [[1, 6, 4]]),
    ("Embed", {"num_embeddings": 9, "features": 5}, [[2]]),
    ("LayerNorm", {}, [[2, 6]]),
    ("LayerNorm", {"feature_axes": [-1, 1], "reduction_axes": [-1, 1]}, [[2, 3, 5]]),
    ("RMSNorm", {}, [[2, 6]]),
    ("GroupNorm", {"num_groups": 3}, [[2, 6]]),
    ("InstanceNorm", {"use_bias": False}, [[2, 5, 6]]),
    ("BatchNorm", {"use_running_average": True}, [[2, 6]]),
    ("PReLU", {}, [[2, 6]]),
    ("MultiHeadDotProductAttention", {"num_heads": 2}, [[2, 3, 8]]),
    ("MultiHeadAttention", {"num_heads": 2, "qkv_features": 12, "out_features": 5,
                            "normalize_qk": True}, [[1, 3, 8], [1, 4, 6]]),
]  # fmt: skip
NNX = [
    ("Linear", [3, 5], {}),
    ("Linear", [3, 5], {"use_bias": False}),
    ("LinearGeneral", [[2, 3], [4, 5]], {"axis": [1, -1]}),
    ("LinearGeneral", [3, 4], {"batch_axis": {"0": 2}}),
    ("Einsum", ["nta,hab->nthb", [8, 2, 4], [8, 4]], {}),
    ("Conv", [4, 8, [3, 3]], {"feature_group_count": 2}),
    ("ConvTranspose", [4, 8, 3], {"transpose_kernel": True}),
    ("Embed", [9, 5], {}),
    ("LayerNorm", [6], {}),
    ("RMSNorm", [6], {}),
    ("GroupNorm", [6, 3], {}),
    ("BatchNorm", [6], {"use_scale": False}),
    ("MultiHeadAttention", [2, 8], {}),
    ("MultiHeadAttention", [4, 8, 12, 5, 2, 6], {"normalize_qk": True, "dropout_rate": 0.5}),
]


def make_case(rng):
    """A random module at a random place, as JSON can hold it."""
    case = {"seed": rng.choice([0, 1, 42, rng.randrange(2**31)])}
    if rng.random() < 0.6:
        module, options, inputs = rng.choice(LINEN)
        case |= {"linen": module, "inputs": inputs, "path": rng.choice(PATHS)}
        case["separator"] = rng.random() < 0.2
    else:
        module, arguments, options = rng.choice(NNX)
        case |= {"nnx": module, "arguments": arguments, "before": rng.randrange(4)}
        case["streams"] = rng.choice([["default"], ["params"], ["default", "params"]])
        if "dropout_rate" in options:
            case["streams"] = ["default"]
    return dict(case, options=dict(options, param_dtype=rng.choice(DTYPES)))


def make_cases(count, seed):
    """`count` random cases."""
    rng = random.Random(seed)
    return [make_case(rng) for _ in range(count)]


def tuples(value):
    """Lists as tuples, and string keys as the integers they are."""
    if isinstance(value, list):
        return tuple(map(tuples, value))
    if isinstance(value, dict):
        return {int(key): tuples(x) for key, x in value.items()}
    return value


def values(flax, jax, case, init):
    """The parameters of the case's module by name, flattened.

    `init` makes linen's module and calls it at a path: the one thing that the framework and the
    replay do each in their own way.
    """
    options = {name: tuples(x) for name, x in case["options"].items()}
    if "linen" in case:
        before = flax.config.flax_fix_rng_separator
        flax.config.update("flax_fix_rng_separator", case["separator"])
        try:
            make = getattr(flax.linen, case["linen"])
            tree = init(make, options, jax.random.key(case["seed"]), case["inputs"], case["path"])
        finally:
            flax.config.update("flax_fix_rng_separator", before)
        return dict(flatten(tree))
    rngs = flax.nnx.Rngs(**{name: case["seed"] + i for i, name in enumerate(case["streams"])})
    for _ in range(case["before"]):
        rngs.params()
    make = getattr(flax.nnx, case["nnx"])
    module = make(*map(tuples, case["arguments"]), **options, rngs=rngs)
    found = dict(flatten(attributes(module)))
    return found | {"next key": np.asarray(jax.random.key_data(rngs.params()))}


NNX_NAMES = ["kernel", "bias", "embedding", "scale", "mean", "var", "query", "key", "value",
             "query_ln", "key_ln", "out"]  # fmt: skip


def attributes(module):
    """The parameters of an nnx module, by attribute."""
    tree = {}
    for name in NNX_NAMES:
        value = getattr(module, name, None)
        if value is not None:
            leaf = hasattr(value, "shape")
            tree[name] = value[...] if leaf else attributes(value)
    return tree


def flatten(tree, prefix=""):
    """(name, array) of a tree of dicts."""
    for name, value in tree.items():
        if hasattr(value, "items"):
            yield from flatten(value, f"{prefix}{name}/")
        else:
            yield prefix + name, np.asarray(value)


def replay_init(make, options, key, inputs, path):
    """The variables of a linen module, by glorot.replay.flax."""
    return make(**options).init(key, *map(tuple, inputs), path=path)


def flax_init(make, options, key, inputs, path):
    """The variables of a linen module, by flax: inside of modules that do nothing but hold it."""
    import flax.linen as nn

    class Holder(nn.Module):
        names: tuple

        @nn.compact
        def __call__(self, *x):
            name, *rest = self.names
            inner = Holder(tuple(rest), name=name) if rest else make(**options, name=name)
            return inner(*x)

    dtype = np.int32 if make is nn.Embed else np.float32
    arrays = [np.zeros(shape, dtype) for shape in inputs]
    module = Holder(tuple(path)) if path else make(**options)
    variables = module.init(key, *arrays)
    for name in path:
        variables = {collection: tree[name] for collection, tree in variables.items()}
    return variables


def same(a, b):
    """Whether two dicts of arrays are equal byte for byte, names and shapes included."""
    return a.keys() == b.keys() and all(
        a[name].dtype == b[name].dtype
        and a[name].shape == b[name].shape
        and a[name].tobytes() == b[name].tobytes()
        for name in a
    )


def row(case, found):
    """The case as JSON, then for each parameter its name and a hash of its shape and bytes."""
    text = json.dumps(case, separators=(",", ":"))
    parts = []
    for name in sorted(found):
        array = found[name]
        data = repr((array.shape, array.dtype.name)).encode() + array.tobytes()
        parts.append(f"{name}={hashlib.sha256(data).hexdigest()[:16]}")
    return " ".join([text, *(part.replace(" ", "_") for part in parts)])


def vector_cases():
    """Each module once, then forty random ones."""
    shared = {"seed": 42, "path": ["encoder", "layer_0"], "separator": False}
    cases = [
        dict(shared, linen=module, options=options, inputs=inputs)
        for module, options, inputs in LINEN
    ]
    cases += [
        {"seed": 42, "nnx": module, "arguments": arguments, "options": options, "before": 1,
         "streams": ["default"]}
        for module, arguments, options in NNX
    ]  # fmt: skip
    return cases + make_cases(40, seed=5)


def main():
    parser = argparse.ArgumentParser(description="glorot.replay.flax against flax")
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--vectors", action="store_true")
    options = parser.parse_args()
    from jax_cpu import IN_FLOAT32, float16_fma

    if options.vectors:
        os.environ.update(IN_FLOAT32)  # before JAX is there to read it
    import flax
    import flax.linen
    import flax.nnx
    import jax

    if options.vectors:
        for case in vector_cases():
            print(row(case, values(flax, jax, case, flax_init)))
        return 0
    from glorot import replay

    replay.jax.config.update("float16_fma", float16_fma(jax))
    cases, wrong = make_cases(options.cases, options.seed), 0
    for case in cases:
        found = values(replay.flax, replay.jax, case, replay_init)
        if not same(found, values(flax, jax, case, flax_init)):
            wrong += 1
            if wrong <= 3:
                print("differs:", json.dumps(case))
    print(f"flax {flax.__version__}: {len(cases) - wrong} of {len(cases)} cases agree")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
