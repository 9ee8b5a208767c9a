# SPDX-License-Identifier: Apache-2.0
"""Each framework's layers as its own code initialises them: parameters, with type and layout.

`torch`, `keras`, `linen`, `nnx`, `haiku`, `equinox` and `get_variable` are functions of a seed that
give {name: (spec, values)}. What a layout is for each kind of layer is said here once more, apart
from the library.
"""

import re

import numpy as np

from glorot.recipe import TensorSpec

_TORCH = (
    (r"ConvTranspose\w*", "torch.conv_transpose"),
    (r"Conv\w+", "torch.conv"),
    (r"Bilinear", "torch.bilinear"),
    (r"\w*Linear|LSTM\w*|GRU\w*|RNN\w*|MultiheadAttention", "torch.linear"),
)


def layout_of(table, kind, shape):
    """The layout that a table says for a type of layer, None for vectors."""
    if len(shape) < 2:
        return None
    return next((layout for pattern, layout in table if re.fullmatch(pattern, kind)), None)


def torch_specs(module):
    """Every parameter and buffer of a torch module, with its owner's type, layout and groups."""
    found = {}
    for path, owner in module.named_modules():
        kind = type(owner).__name__
        own = [*owner.named_parameters(recurse=False), *owner.named_buffers(recurse=False)]
        for name, value in own:
            shape = tuple(value.shape)
            spec = TensorSpec(
                shape, str(value.dtype).removeprefix("torch."), kind,
                layout=None if name in ("bias_k", "bias_v") else layout_of(_TORCH, kind, shape),
                groups=getattr(owner, "groups", 1) if len(shape) > 1 else 1,
            )  # fmt: skip
            found[f"{path}.{name}"] = spec, value.detach().numpy()
    return found


def torch_layers():
    """One layer of each kind of torch.nn."""
    from torch import nn

    layers = {
        "linear": nn.Linear(60, 100),
        "conv1": nn.Conv1d(16, 48, 5),
        "conv2": nn.Conv2d(12, 60, 3),
        "conv3": nn.Conv3d(6, 40, 3),
        "grouped": nn.Conv2d(32, 96, 3, groups=4),
        "depthwise": nn.Conv2d(96, 192, 5, groups=96),
        "transposed": nn.ConvTranspose2d(16, 60, 3),
        "transposed_grouped": nn.ConvTranspose2d(64, 32, 3, groups=4),
        "transposed1": nn.ConvTranspose1d(20, 70, 5),
        "embedding": nn.Embedding(100, 50),
        "bag": nn.EmbeddingBag(90, 40),
        "bilinear": nn.Bilinear(10, 30, 20),
        "lstm": nn.LSTM(24, 40, num_layers=2, bidirectional=True),
        "lstm_projected": nn.LSTM(24, 48, proj_size=32),
        "lstm_cell": nn.LSTMCell(24, 40),
        "gru": nn.GRU(24, 40),
        "gru_cell": nn.GRUCell(24, 40),
        "rnn": nn.RNN(60, 70),
        "attention": nn.MultiheadAttention(64, 4, add_bias_kv=True),
        "cross": nn.MultiheadAttention(64, 4, kdim=96, vdim=48),
        "encoder": nn.TransformerEncoderLayer(48, 4, 96),
        "layer_norm": nn.LayerNorm(8),
        "group_norm": nn.GroupNorm(2, 8),
        "batch_norm": nn.BatchNorm2d(8),
        "instance_norm": nn.InstanceNorm1d(8, affine=True),
        "rms_norm": nn.RMSNorm(8),
        "prelu": nn.PReLU(5),
    }
    return nn.ModuleDict(layers)


def torch(seed):
    """The parameters of one layer of each kind of torch.nn."""
    import torch

    torch.manual_seed(seed)
    return torch_specs(torch_layers())


_KERAS = (
    (r"Conv\dDTranspose", "keras.conv_transpose"),
    (r"DepthwiseConv\dD", "keras.depthwise_conv"),
    (r"(Separable)?Conv\dD", "keras.conv"),
    (r"Dense|LSTMCell|GRUCell|SimpleRNNCell", "keras.dense"),
)


def keras(seed):
    """One layer of each kind of Keras 3."""
    import keras

    from glorot._layouts import parse_equation

    keras.utils.clear_session(free_memory=False)  # so that names are counted from here
    keras.utils.set_random_seed(seed)
    k = keras.layers
    layers = (
        (k.Dense(100), (None, 60)),
        (k.EinsumDense("abc,cde->abde", (None, 4, 25), bias_axes="de"), (None, 5, 60)),
        (k.Conv1D(60, 5), (None, 9, 20)),
        (k.Conv2D(60, 3), (None, 9, 9, 12)),
        (k.Conv2D(64, 3, groups=4), (None, 9, 9, 32)),
        (k.Conv3D(30, 3), (None, 5, 5, 5, 8)),
        (k.Conv2DTranspose(60, 3), (None, 9, 9, 12)),
        (k.DepthwiseConv2D(5, depth_multiplier=4), (None, 9, 9, 40)),
        (k.SeparableConv2D(90, 5, depth_multiplier=2), (None, 9, 9, 60)),
        (k.Embedding(100, 50), (None, 7)),
        (k.LSTM(40), (None, 7, 24)),
        (k.GRU(40), (None, 7, 24)),
        (k.SimpleRNN(60), (None, 7, 50)),
        (k.LayerNormalization(), (None, 8)),
        (k.BatchNormalization(), (None, 8)),
        (k.GroupNormalization(2), (None, 8)),
        (k.RMSNormalization(), (None, 8)),
        (k.PReLU(), (None, 8)),
    )
    for layer, shape in layers:
        layer.build(shape)
    attention = k.MultiHeadAttention(4, 16)
    attention.build((None, 7, 60), (None, 7, 60))
    found = {}
    for layer in (*(layer for layer, _ in layers), attention):
        for part in layer._flatten_layers():
            kind = type(part).__name__
            for variable in (*part._trainable_variables, *part._non_trainable_variables):
                shape = tuple(variable.shape)
                layout = layout_of(_KERAS, kind, shape)
                if kind == "EinsumDense" and variable.name == "kernel":
                    layout = parse_equation(part.equation)
                spec = TensorSpec(shape, "float32", kind, layout=layout)
                found[variable.path] = spec, np.asarray(variable.value)
    return found


_FLAX = (
    (r"ConvTranspose", "flax.conv_transpose"),
    (r"Conv", "flax.conv"),
    (r"Dense\w*|Linear", "flax.dense"),
)


def linen(seed):
    """One module of each kind of flax.linen."""
    import flax.linen as nn
    import jax
    import jax.numpy as jnp
    from flax.traverse_util import flatten_dict

    x = jnp.zeros
    attention = nn.MultiHeadDotProductAttention(4, qkv_features=64)
    inner = {"LSTMCell": "Dense", "OptimizedLSTMCell": "DenseParams", "GRUCell": "Dense"}
    modules = (
        (nn.Dense(100), x((1, 60))),
        (nn.DenseGeneral((4, 25)), x((1, 60))),
        (nn.DenseGeneral(60, axis=(-2, -1)), x((1, 10, 8))),
        (nn.Conv(60, (3, 3)), x((1, 9, 9, 12))),
        (nn.Conv(64, (3, 3), feature_group_count=4), x((1, 9, 9, 32))),
        (nn.ConvTranspose(60, (3, 3)), x((1, 9, 9, 12))),
        (nn.Embed(100, 50), x((1,), int)),
        (nn.RNN(nn.LSTMCell(60)), x((1, 2, 70))),
        (nn.RNN(nn.OptimizedLSTMCell(60)), x((1, 2, 70))),
        (nn.RNN(nn.GRUCell(60)), x((1, 2, 70))),
        (attention, x((1, 5, 60))),
        (nn.LayerNorm(), x((1, 8))),
        (nn.RMSNorm(), x((1, 8))),
        (nn.GroupNorm(2), x((1, 8))),
        (nn.BatchNorm(use_running_average=True), x((1, 8))),
        (nn.PReLU(), x((1, 8))),
    )
    found = {}
    for number, (module, example) in enumerate(modules):
        kind = type(module).__name__
        if kind == "RNN":
            kind = inner[type(module.cell).__name__]
        many = kind in ("MultiHeadDotProductAttention", "DenseGeneral")
        tree = module.init(jax.random.key(seed * 1000 + number), example)
        for path, value in flatten_dict(tree).items():
            shape = tuple(value.shape)
            layout = layout_of(_FLAX, kind, shape)
            if many and path[-1] == "kernel":
                out = path[-2] == "out" or value.shape[-1] == 60
                layout = "flax.attention_out" if out else "flax.attention_qkv"
            spec = TensorSpec(shape, "float32", "DenseGeneral" if many else kind, layout=layout)
            found["/".join((str(number), *path))] = spec, np.asarray(value)
    return found


def nnx(seed):
    """One module of each kind of flax.nnx."""
    from flax import nnx

    rngs = nnx.Rngs(seed)
    modules = {
        "linear": nnx.Linear(60, 100, rngs=rngs),
        "general": nnx.LinearGeneral(60, (4, 25), rngs=rngs),
        "conv": nnx.Conv(12, 60, (3, 3), rngs=rngs),
        "grouped": nnx.Conv(32, 64, (3, 3), feature_group_count=4, rngs=rngs),
        "transposed": nnx.ConvTranspose(12, 60, (3, 3), rngs=rngs),
        "embed": nnx.Embed(100, 50, rngs=rngs),
        "lstm": nnx.LSTMCell(70, 60, rngs=rngs),
        "fused": nnx.OptimizedLSTMCell(30, 40, rngs=rngs),
        "gru": nnx.GRUCell(30, 40, rngs=rngs),
        "attention": nnx.MultiHeadAttention(4, 60, 64, decode=False, rngs=rngs),
        "layer_norm": nnx.LayerNorm(8, rngs=rngs),
        "rms_norm": nnx.RMSNorm(8, rngs=rngs),
        "group_norm": nnx.GroupNorm(8, 2, rngs=rngs),
        "batch_norm": nnx.BatchNorm(8, rngs=rngs),
    }
    found = {}
    for name, module in modules.items():
        for path, part in nnx.iter_modules(module):
            kind = type(part).__name__
            for last, variable in vars(part).items():
                if not isinstance(variable, (nnx.Param, nnx.BatchStat)):
                    continue
                value = np.asarray(variable[...])
                shape = value.shape
                layout = layout_of(_FLAX, kind, shape)
                if kind == "LinearGeneral" and last == "kernel":
                    out = "out" in map(str, path)
                    layout = "flax.attention_out" if out else "flax.attention_qkv"
                spec = TensorSpec(shape, "float32", kind, layout=layout)
                found[".".join((name, *map(str, path), last))] = spec, value
    return found


def haiku(seed):
    """One module of each kind of Haiku."""
    import haiku as hk
    import jax
    import jax.numpy as jnp

    x = jnp.zeros
    conv, transposed = "*IO", "*OI"
    modules = (
        ("Linear", lambda: hk.Linear(100), x((1, 60)), "IO"),
        ("Conv1D", lambda: hk.Conv1D(60, 5), x((1, 9, 20)), conv),
        ("Conv2D", lambda: hk.Conv2D(60, 3), x((1, 9, 9, 12)), conv),
        ("Conv2D", lambda: hk.Conv2D(64, 3, feature_group_count=4), x((1, 9, 9, 32)), conv),
        ("Conv2DTranspose", lambda: hk.Conv2DTranspose(60, 3), x((1, 9, 9, 12)), transposed),
        ("DepthwiseConv2D", lambda: hk.DepthwiseConv2D(4, 5), x((1, 9, 9, 40)), conv),
        ("Embed", lambda: hk.Embed(100, 50), x((1,), int), None),
        ("Linear", lambda: _stepped(hk.LSTM(40)), x((1, 24)), "IO"),
        ("GRU", lambda: _stepped(hk.GRU(40)), x((1, 24)), "IO"),
        ("LayerNorm", lambda: hk.LayerNorm(-1, True, True), x((1, 8)), None),
        ("RMSNorm", lambda: hk.RMSNorm(-1), x((1, 8)), None),
        ("GroupNorm", lambda: hk.GroupNorm(2), x((1, 8)), None),
        ("Bias", hk.Bias, x((1, 8)), None),
    )
    found = {}
    for number, (kind, make, example, layout) in enumerate(modules):
        run = hk.transform(lambda value, make=make: make()(value))
        for module, values in run.init(jax.random.key(seed * 1000 + number), example).items():
            for name, value in values.items():
                spec = TensorSpec(
                    value.shape, "float32", kind, layout=layout if value.ndim > 1 else None
                )
                found[f"{number}/{module}/{name}"] = spec, np.asarray(value)
    return found


def _stepped(core):
    return lambda value: core(value, core.initial_state(1))


def equinox(seed):
    """One module of each kind of equinox.nn."""
    import equinox
    import jax

    nn = equinox.nn
    keys = iter(jax.random.split(jax.random.key(seed), 20))
    modules = {
        "linear": nn.Linear(60, 100, key=next(keys)),
        "conv1": nn.Conv1d(16, 48, 5, key=next(keys)),
        "conv2": nn.Conv2d(12, 60, 3, key=next(keys)),
        "grouped": nn.Conv2d(32, 96, 3, groups=4, key=next(keys)),
        "transposed": nn.ConvTranspose2d(16, 60, 3, key=next(keys)),
        "embedding": nn.Embedding(100, 50, key=next(keys)),
        "lstm": nn.LSTMCell(24, 40, key=next(keys)),
        "gru": nn.GRUCell(24, 40, key=next(keys)),
        "attention": nn.MultiheadAttention(4, 60, use_query_bias=True, key=next(keys)),
        "layer_norm": nn.LayerNorm(8),
        "rms_norm": nn.RMSNorm(8),
        "group_norm": nn.GroupNorm(2, 8),
        "prelu": nn.PReLU(),
    }
    found = {}
    for name, module in modules.items():
        for path, value in jax.tree_util.tree_leaves_with_path(module):
            if not hasattr(value, "shape"):
                continue
            owner = module
            for step in path[:-1]:
                owner = getattr(owner, step.name)
            kind, last = type(owner).__name__, path[-1].name
            # A transposed convolution's weight is (out, in, ...) here, as a plain one's.
            layout = None
            if value.ndim > 1 and last != "bias":
                layout = "torch.conv" if "Conv" in kind else "torch.linear"
            spec = TensorSpec(
                value.shape, "float32", kind, layout=None if kind == "Embedding" else layout
            )
            found[".".join((name, *(step.name for step in path)))] = spec, np.asarray(value)
    return found


def get_variable(seed):
    """Variables that TensorFlow's v1 gives no initializer."""
    import tensorflow

    v1 = tensorflow.compat.v1
    found = {}
    with tensorflow.Graph().as_default():
        v1.set_random_seed(seed)
        for name, shape, dtype in (
            ("dense/kernel", (60, 100), "float32"), ("dense/bias", (100,), "float32"),
            ("conv/kernel", (3, 3, 12, 60), "float32"), ("half", (60, 90), "float16"),
            ("double", (50, 80), "float64"), ("steps", (7,), "int32"), ("seen", (5,), "bool"),
        ):  # fmt: skip
            found[name] = TensorSpec(shape, dtype), v1.get_variable(name, shape, dtype)
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            return {name: (spec, session.run(value)) for name, (spec, value) in found.items()}
