# SPDX-License-Identifier: Apache-2.0
"""What is captured of the layers of haiku, Equinox and flax: what each draws fits its recipe."""

import sys
import types

import equinox as eqx
import haiku as hk
import jax
import jax.numpy as jnp
import pytest
from flax import nnx

import glorot
import glorot.jax

pytestmark = pytest.mark.frameworks
VARIANCE = hk.initializers.VarianceScaling(2.0)
IMAGES, ROWS = jnp.ones((1, 16, 16, 3)), jnp.ones((1, 32))


def of_haiku(call, x):
    """What draws the parameters of a haiku function."""
    return lambda key: hk.transform_with_state(call).init(key, x)[0]


def recurrent(kind):
    """A step of a cell of haiku's."""

    def call(x):
        cell = kind(64)
        return cell(x, cell.initial_state(1))[0]

    return call


def images(x):
    """Every convolution of haiku."""
    x = hk.Conv2DTranspose(8, 3)(hk.Conv2D(16, 3)(x))
    return hk.InstanceNorm(True, True)(hk.DepthwiseConv2D(2, 3)(x))


def of_nnx(make):
    """What draws the variables of an nnx module, each layer by a stream of its own."""
    return lambda key: make(nnx.Rngs(params=key, dropout=1))


LAYERS = {
    "haiku mlp": of_haiku(lambda x: hk.Linear(9)(hk.nets.MLP([128, 64])(x)), ROWS),
    "haiku attention": of_haiku(
        lambda x: hk.MultiHeadAttention(4, 16, w_init=VARIANCE)(x, x, x), jnp.ones((1, 5, 64))
    ),
    "haiku lstm": of_haiku(recurrent(hk.LSTM), ROWS),
    "haiku gru": of_haiku(recurrent(hk.GRU), ROWS),
    "haiku convolutions": of_haiku(images, IMAGES),
    "haiku embedding": of_haiku(lambda x: hk.Linear(7)(hk.Embed(100, 32)(x)), jnp.ones(3, int)),
    "equinox lstm": lambda key: eqx.nn.LSTMCell(32, 64, key=key),
    "equinox gru": lambda key: eqx.nn.GRUCell(32, 64, key=key),
    "equinox attention": lambda key: eqx.nn.MultiheadAttention(4, 64, key=key),
    "equinox embedding": lambda key: eqx.nn.Embedding(100, 64, key=key),
    "equinox transposed": lambda key: eqx.nn.ConvTranspose2d(16, 32, 3, key=key),
    "equinox grouped": lambda key: eqx.nn.Conv1d(32, 64, 3, groups=4, key=key),
    "equinox norms": lambda key: [eqx.nn.LayerNorm(64), eqx.nn.PReLU(), eqx.nn.RMSNorm(64)],
    "nnx attention": of_nnx(lambda rngs: nnx.MultiHeadAttention(4, 64, rngs=rngs, decode=False)),
    "nnx transposed": of_nnx(lambda rngs: nnx.ConvTranspose(16, 32, (3, 3), rngs=rngs)),
    "nnx einsum": of_nnx(lambda rngs: nnx.Einsum("abc,cd->abd", (32, 64), (64,), rngs=rngs)),
    "nnx lora": of_nnx(lambda rngs: nnx.LoRALinear(64, 64, lora_rank=4, rngs=rngs)),
    "nnx group norm": of_nnx(lambda rngs: nnx.GroupNorm(64, rngs=rngs)),
    "nnx weight norm": of_nnx(
        lambda rngs: nnx.WeightNorm(nnx.Linear(64, 64, rngs=rngs), rngs=rngs)
    ),
    "nnx lstm": of_nnx(lambda rngs: nnx.RNN(nnx.LSTMCell(32, 64, rngs=rngs))),
    "nnx simple cell": of_nnx(lambda rngs: nnx.SimpleCell(64, 64, rngs=rngs)),
}


@pytest.mark.parametrize("layer", LAYERS)
def test_layers(layer):
    """Of another key than was traced."""
    make = LAYERS[layer]
    recipe = glorot.jax.capture(lambda: make(jax.random.key(0)))
    report = glorot.audit(make(jax.random.key(3)), recipe)
    assert not report.problems
    assert report.parameters


@pytest.mark.parametrize("layer", ["equinox attention", "nnx attention"])
def test_layers_where_keras_is_loaded(monkeypatch, layer):
    """Numbers that a module has beside its arrays stay numbers."""
    monkeypatch.setitem(sys.modules, "keras", types.ModuleType("keras"))
    test_layers(layer)  # which asserts


def test_state_that_follows_from_the_input():
    """Running means that haiku begins with the first batch are no initializer's: left out, if
    asked, and the parameters are captured."""
    net = hk.transform_with_state(lambda x: hk.nets.ResNet18(10)(x, True))

    def build():
        params, state = net.init(jax.random.key(0), IMAGES)
        return {"params": params, "state": state}

    with pytest.raises(ValueError, match=r"mean_ema.average': .*conv_general_dilated of Normal"):
        glorot.jax.capture(build)
    recipe = glorot.jax.capture(build, leave_out=True)
    found = recipe.resolve(glorot.jax.shapes(jax.eval_shape(build)))
    laws = {a.name.rpartition("/")[2]: a.law for a in found if a.name.startswith("params.")}
    assert laws["initial_conv.w"] == "TN(0, 0.08248, ±2)"
