# SPDX-License-Identifier: Apache-2.0
"""Random cases for glorot.replay.torch, and what it draws for them.  Needs no torch.

A case is (seed, dtype of the layers, calls): random tensors and initializers on one generator, or
layers built one after the other.
"""

import functools
import hashlib
import math
import random

import numpy as np

from glorot.replay import torch as ours

DTYPES = ("float16", "bfloat16", "float32", "float64")
CALLS = ("rand", "randn", "normal", "randperm", "uniform_", "normal_", "trunc_normal_",
         "trunc_normal_", "xavier_uniform_", "xavier_normal_", "kaiming_uniform_",
         "kaiming_normal_", "sparse_", "orthogonal_", "dirac_", "eye_", "constant_")  # fmt: skip


def make_shape(rng, least=0, most=4):
    """Mostly small shapes; sizes around 16 and 624 values are as frequent as any."""
    axes = rng.randint(least, most)
    if axes < 2 and rng.random() < 0.6:
        return [rng.choice([0, 1, 2, 7, 15, 16, 17, 31, 33, 623, 625, 1023, 1025, 5000])][:axes]
    return [rng.choice([0, 1, 1, 2, 3, 4, 5, 8, 16, 24] if axes > 2 else
                       [0, 1, 2, 3, 5, 8, 16, 17, 40, 64]) for _ in range(axes)]  # fmt: skip


def make_call(rng):
    """A function's name and its options."""
    name, dtype = rng.choice(CALLS), rng.choice(list(DTYPES))
    gain = rng.choice([1, 1.0, 0.5, 2**0.5, 5 / 3, 0])
    if name == "randperm":
        return name, {"n": rng.choice([0, 1, 2, 50, 1500]), "dtype": rng.choice(["int64", "int32"])}
    if name in ("rand", "randn"):
        return name, {"shape": make_shape(rng), "dtype": dtype}
    options = {"shape": make_shape(rng), "dtype": dtype}
    mean = rng.choice([0.0, 0.1, rng.uniform(-3, 3)])
    std = rng.choice([1.0, 0.02, 0, rng.uniform(0, 4), 1e-30])
    if name in ("normal", "normal_"):
        options |= {"mean": mean, "std": std}
    elif name == "uniform_":
        low = rng.choice([0, -1.0, rng.uniform(-4, 4)])
        options |= {"a": low, "b": low + rng.choice([0, 1, 2.0, rng.uniform(0, 5), 1e-7])}
    elif name == "trunc_normal_":
        std = std or 0.7
        low = mean + std * rng.choice([-2, -1, -0.3, 0.5, 1, 2, 4, rng.uniform(-3, 3)])
        high = low + std * rng.choice([4, 2, 1, 0.5, 0.05, rng.uniform(0.01, 5)])
        options |= {"mean": mean, "std": std, "a": low, "b": high}
    elif name.startswith("xavier"):
        options |= {"shape": make_shape(rng, 2), "gain": gain}
    elif name.startswith("kaiming"):
        kind = rng.choice(["relu", "leaky_relu", "tanh", "selu", "linear", "conv2d", "sigmoid"])
        options |= {"shape": make_shape(rng, 2), "a": rng.choice([0, 5**0.5, 0.2]),
                    "mode": rng.choice(["fan_in", "fan_out", "FAN_IN"]),
                    "nonlinearity": kind}  # fmt: skip
    elif name == "sparse_":
        options |= {"shape": make_shape(rng, 2, 2), "sparsity": rng.choice([0, 0.1, 0.5, 0.9, 1]),
                    "std": rng.choice([0.01, 1.0])}  # fmt: skip
    elif name == "orthogonal_":
        options |= {"shape": make_shape(rng, 2, 3), "gain": gain,
                    "dtype": rng.choice(["float32", "float64"])}  # fmt: skip
    elif name == "dirac_":
        groups = rng.choice([1, 2, 3])
        shape = [
            groups * rng.randint(0, 3),
            rng.randint(0, 4),
            *rng.choices((1, 2, 3, 5), k=rng.randint(1, 3)),
        ]
        options |= {"shape": shape, "groups": groups}
    elif name == "eye_":
        options |= {"shape": make_shape(rng, 2, 2)}
    elif name == "constant_":
        options |= {"val": rng.choice([0, 1, 0.3, -2.5, 7])}
    if name.startswith("xavier"):  # both fans 0 are refused
        shape = options["shape"]
        options["shape"] = [shape[0] or 3, shape[1], *(size or 2 for size in shape[2:])]
    return name, options


def convolution(rng, n, m, bias, axes):
    """Arguments of a convolution, straight or transposed."""
    groups, size = (
        rng.choice([1, 1, 2]),
        rng.choice([1, 2, 3, tuple(rng.choices((1, 2, 3), k=axes))]),
    )
    return (n * groups, m * groups, size), {"bias": bias, "groups": groups}


def table(rng, n, m, bias):
    """Arguments of an embedding."""
    return (m, n), {"padding_idx": rng.choice([None, None, 0, -1, m - 1])}


def recurrent(rng, n, m, bias, projected=False):
    """Arguments of a recurrent layer."""
    options = {
        "bias": bias,
        "num_layers": rng.choice([1, 2, 3]),
        "bidirectional": rng.random() < 0.4,
    }
    if projected and m > 1 and rng.random() < 0.3:
        options["proj_size"] = m // 2
    return (n, m), options


def attention(rng, n, m, bias):
    """Arguments of MultiheadAttention."""
    options = rng.choice([{}, {"kdim": 5}, {"kdim": 3, "vdim": 7}])
    options = options | {"bias": bias, "add_bias_kv": rng.random() < 0.4}
    return (4 * n, rng.choice([1, 2, 4])), options


def channels(rng, n, m, bias):
    """Arguments of a norm with running statistics."""
    options = {"affine": rng.random() < 0.6, "track_running_stats": rng.random() < 0.5}
    return (n,), options | {"bias": bias}


def plain(rng, n, m, bias):
    """Two sizes and a bias."""
    return (n, m), {"bias": bias}


# Each takes (rng, n, m, bias) and returns positional arguments and options.
LAYERS = {
    "Linear": plain,
    "Bilinear": lambda rng, n, m, bias: ((n, m, rng.choice([1, 3])), {"bias": bias}),
    **{f"Conv{kind}{axes}d": functools.partial(convolution, axes=axes)
       for kind in ("", "Transpose") for axes in (1, 2, 3)},
    **dict.fromkeys(("Embedding", "EmbeddingBag"), table),
    **dict.fromkeys(("RNN", "GRU"), recurrent),
    "LSTM": functools.partial(recurrent, projected=True),
    **dict.fromkeys(("RNNCell", "LSTMCell", "GRUCell"), plain),
    "MultiheadAttention": attention,
    **dict.fromkeys(("BatchNorm1d", "BatchNorm3d", "InstanceNorm2d"), channels),
    "GroupNorm": lambda rng, n, m, bias: ((n, n * m), {"affine": bias}),
    "LayerNorm": lambda rng, n, m, bias: ((rng.choice([n, (n, m)]),), {"bias": bias}),
    **dict.fromkeys(("RMSNorm", "PReLU"), lambda rng, n, m, bias: ((n,), {})),
    **dict.fromkeys(("TransformerEncoderLayer", "TransformerDecoderLayer"),
                    lambda rng, n, m, bias: ((8, 2, 12), {"bias": bias})),
    "Transformer": lambda rng, n, m, bias: ((8, 2, rng.choice([1, 2]), 1, 12), {"bias": bias}),
}  # fmt: skip


def make_layer(rng):
    """A layer's name, its positional arguments and its options."""
    name = rng.choice(list(LAYERS))
    n, m = rng.choice([1, 2, 3, 8, 16]), rng.choice([1, 2, 4, 12, 30])
    return name, *LAYERS[name](rng, n, m, rng.random() < 0.7)


def make_cases(count, seed):
    """`count` cases: three in four of calls on one generator, the others of layers."""
    rng = random.Random(seed)
    cases = []
    for number in range(count):
        start = rng.choice([rng.randrange(2**64), rng.randrange(100), -rng.randrange(1, 2**63)])
        make = make_layer if number % 4 == 3 else make_call
        dtype = rng.choice(list(DTYPES))
        cases.append((start, dtype, [make(rng) for _ in range(rng.randint(1, 5))]))
    return cases


def is_layers(case):
    """Whether a case builds layers."""
    return len(case[2][0]) == 3


def condition_of_draw(options, g):
    """The condition number of the matrix that orthogonal_ factors next."""
    shape = options["shape"]
    size = [shape[0], math.prod(shape[1:])]
    if 0 in size:
        return 1.0
    clone = g.clone_state()
    drawn = ours.nn.init.normal(size, generator=clone, dtype=options["dtype"])
    return float(np.linalg.cond(drawn.astype(np.float64)))


def our_values(case, capability):
    """What glorot.replay.torch draws: bytes, or for orthogonal_ (array, condition number)."""
    start, dtype, calls = case
    ours.manual_seed(start, cpu_capability=capability)
    if is_layers(case):
        found = []
        for name, arguments, options in calls:
            made = getattr(ours.nn, name)(*arguments, **options, dtype=dtype)
            found += [(key, v.shape, v.tobytes()) for key, v in made.state_dict().items()]
        return [*found, ours.get_rng_state().tobytes()]
    g, found = ours.Generator(cpu_capability=capability).manual_seed(start), []
    for name, options in calls:
        given = dict(options)
        if name not in ("dirac_", "eye_", "constant_"):
            given["generator"] = g
        if name in ("rand", "randn"):
            drawn = getattr(ours, name)(given.pop("shape"), **given)
        elif name == "randperm":
            drawn = ours.randperm(**given)
        elif name == "normal":
            drawn = ours.normal(size=given.pop("shape"), **given)
        else:
            if name == "orthogonal_":
                condition = condition_of_draw(options, g)
            drawn = getattr(ours.nn.init, name[:-1])(**given)
        exact = name != "orthogonal_"
        found.append(drawn.tobytes() if exact else (drawn, condition))
    return [*found, g.get_state().tobytes(), ours.get_rng_state().tobytes()]


def digest(values):
    """16 hexadecimal digits for a list of bytes, and of tuples that end in bytes."""
    found = hashlib.blake2b(digest_size=8)
    for value in values:
        name, shape, content = value if isinstance(value, tuple) else ("", (), value)
        found.update(f"{name}{list(shape)}".encode() + content)
    return found.hexdigest()
