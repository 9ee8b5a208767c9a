# SPDX-License-Identifier: Apache-2.0
"""One network of a convolution and two dense layers as each framework writes it, under one set of
names: the weights, brought to Keras' axes, that `order="canonical"` makes equal."""

import numpy as np

import glorot

SEED = 42
RECIPE = glorot.Recipe(
    [
        glorot.Rule("*.bias", "random_uniform", minval=-0.1, maxval=0.1),
        glorot.Rule("conv.*", "he_normal", order="canonical"),
        glorot.Rule("head.*", "truncated_normal", stddev=0.02, order="canonical"),
        glorot.Rule("*", "glorot_uniform", order="canonical"),
    ]
)
CHANNELS, FILTERS, WIDTH, CLASSES = 6, 10, 14, 8
SHAPES = {
    "conv.kernel": (3, 3, CHANNELS, FILTERS),
    "conv.bias": (FILTERS,),
    "up.kernel": (FILTERS, WIDTH),
    "up.bias": (WIDTH,),
    "head.kernel": (WIDTH, CLASSES),
    "head.bias": (CLASSES,),
}


def kernel(name):
    """torch's name for a weight is "weight"."""
    return name.replace("weight", "kernel")


def from_torch(name, value):
    """(out, in, ...) -> (..., in, out)."""
    value = value.detach().numpy()
    if value.ndim < 2:
        return value
    return value.transpose(*range(2, value.ndim), 1, 0)


def torch_module():
    """The network in torch.nn."""
    from torch import nn

    module = nn.Module()
    module.conv = nn.Conv2d(CHANNELS, FILTERS, 3)
    module.up = nn.Linear(FILTERS, WIDTH)
    module.head = nn.Linear(WIDTH, CLASSES)
    return module


def in_torch():
    """The network in torch.nn, filled."""
    import glorot.torch

    module = torch_module()
    glorot.torch.init_(module, RECIPE, seed=SEED, names=kernel)
    return {kernel(name): from_torch(name, value) for name, value in module.named_parameters()}


def on_ranks(rank, world):
    """The same, each layer sharded over all ranks and gathered after."""
    from torch.distributed.fsdp import fully_shard

    import glorot.torch

    module = torch_module()
    for layer in (module.up, module):
        fully_shard(layer)
    glorot.torch.init_(module, RECIPE, seed=SEED, names=kernel)
    return {
        kernel(name): from_torch(name, value.full_tensor())
        for name, value in module.named_parameters()
    }


def in_flax():
    """The network in flax nnx, from its shapes."""
    from flax import nnx

    import glorot.jax

    class Network(nnx.Module):
        """Three layers."""

        def __init__(self, rngs):
            self.conv = nnx.Conv(CHANNELS, FILTERS, (3, 3), rngs=rngs)
            self.up = nnx.Linear(FILTERS, WIDTH, rngs=rngs)
            self.head = nnx.Linear(WIDTH, CLASSES, rngs=rngs)

    state = nnx.state(nnx.eval_shape(lambda: Network(nnx.Rngs(0))))
    filled = glorot.jax.init(state, RECIPE, seed=SEED)
    return {
        ".".join(map(str, path)): np.asarray(value[...])
        for path, value in nnx.to_flat_state(filled)
    }


def in_keras():
    """The network in Keras, on the backend of this process."""
    import keras
    from keras import layers

    import glorot.keras

    model = keras.Sequential(
        [
            keras.Input((5, 5, CHANNELS)),
            layers.Conv2D(FILTERS, 3, name="conv"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(WIDTH, name="up"),
            layers.Dense(CLASSES, name="head"),
        ]
    )
    glorot.keras.init(model, RECIPE, seed=SEED)
    return {
        f"{layer.name}.{variable.name}": keras.ops.convert_to_numpy(variable)
        for layer in model.layers
        for variable in layer.weights
    }


def in_tensorflow():
    """The network's variables in TensorFlow, by a module of its own."""
    import tensorflow as tf

    import glorot.tensorflow

    variables = {name: tf.Variable(tf.zeros(shape)) for name, shape in SHAPES.items()}
    glorot.tensorflow.init(variables, RECIPE, seed=SEED)
    return {name: variable.numpy() for name, variable in variables.items()}


def in_numpy():
    """The values by the recipe alone."""
    return {a.name: a.initializer(a.shape, seed=SEED, name=a.name) for a in RECIPE.resolve(SHAPES)}
