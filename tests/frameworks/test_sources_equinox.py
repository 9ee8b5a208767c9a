# SPDX-License-Identifier: Apache-2.0
"""Equinox modules as sources: what their layers say, and that the preset fits them."""

import subprocess
import sys

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import glorot
import glorot.jax
from glorot.testing import assert_initialized

pytestmark = pytest.mark.frameworks

NN = eqx.nn
LAYERS = {
    "linear": (lambda key: NN.Linear(6, 4, key=key), (6.0, 4.0)),
    "scalar": (lambda key: NN.Linear(6, "scalar", key=key), (6.0, 1.0)),
    "conv": (lambda key: NN.Conv2d(4, 8, 3, groups=2, key=key), (18.0, 36.0)),
    "transposed": (lambda key: NN.ConvTranspose1d(4, 8, 3, groups=2, key=key), (6.0, 12.0)),
    "embedding": (lambda key: NN.Embedding(9, 5, key=key), (5.0, 5.0)),
    "stacked": (
        lambda key: eqx.filter_vmap(lambda k: NN.Linear(6, 4, key=k))(jax.random.split(key, 3)),
        (6.0, 4.0),
    ),
    "stacked in between": (
        lambda key: eqx.filter_vmap(
            lambda k: NN.Conv2d(4, 8, 3, groups=2, key=k), out_axes=1
        )(jax.random.split(key, 7)),
        (18.0, 36.0),
    ),
}  # fmt: skip


class Net(eqx.Module):
    """Layers in attributes, lists and dicts, arrays of its own, and a key."""

    blocks: list
    parts: dict
    scale: jax.Array
    key: jax.Array
    act: object = jax.nn.gelu

    def __init__(self, key):
        self.blocks = [NN.Linear(6, 4, key=key), NN.MultiheadAttention(2, 4, key=key)]
        self.parts = {"norm": [NN.LayerNorm(4)], "cell": NN.LSTMCell(4, 5, key=key)}
        self.scale = jnp.ones((4,))
        self.key = key

    def __call__(self, x):
        """A module that can be called is a module, and no callable that makes one."""
        return self.blocks[0](x) * self.scale


def make():
    """A model, as a callable of the command line."""
    return Net(jax.random.key(0))


@pytest.mark.parametrize("name", LAYERS)
def test_fans_of_every_layer(name):
    """They are the layer's, which the shape alone does not tell."""
    build, fans = LAYERS[name]
    module = eqx.filter_eval_shape(build, jax.random.key(0))
    specs = glorot.sources.read(module).shapes
    recipe = glorot.Recipe(
        [glorot.Rule("weight", "he_normal"), glorot.Rule("*", "zeros", optional=True)]
    )

    found = {a.name: a for a in glorot.jax.explain(module, recipe, specs=specs)}

    assert found["weight"].fans == fans


def test_names_and_types():
    """The names of glorot.jax, the class of the innermost module; keys are left out, and said."""
    module = make()
    source = glorot.sources.read(module)

    assert set(source.shapes) == set(glorot.jax.shapes(module))
    assert source.shapes["blocks.1.query_proj.weight"].type == "Linear"
    assert source.shapes["parts.norm.0.weight"].type == "LayerNorm"
    assert source.shapes["parts.cell.weight_ih"].layout == "OI"
    assert source.shapes["scale"].type == "Net"
    assert source.notes == ("left out: 1 array of a dtype that no weight has",)
    assert glorot.sources.read(eqx.filter_eval_shape(make)).shapes == source.shapes


def test_a_node_whose_children_have_no_names():
    """Such as a function with arrays; what is below it belongs to the module around it."""

    class Called(eqx.Module):
        lin: NN.Linear
        act: object

    scaled = jax.tree_util.Partial(jnp.multiply, jnp.ones(3))
    module = Called(NN.Linear(3, 4, key=jax.random.key(0)), scaled)
    shapes = glorot.sources.read(module).shapes
    assert shapes["act.0.0"].type == "Called"
    assert shapes["lin.weight"].type == "Linear"
    assert set(shapes) == set(glorot.jax.shapes(module))


@pytest.mark.parametrize(("kind", "gates"), [(NN.LSTMCell, 4), (NN.GRUCell, 3)])
def test_a_stack_of_cells(kind, gates):
    """Each kernel by its own sizes, wherever the axis of the stack is."""
    keys = jax.random.split(jax.random.key(0), 7)
    for axis, layouts in ((0, ("BOI", "BOI")), (2, ("OIB", "OIB"))):
        make = eqx.filter_vmap(lambda key: kind(6, 5, key=key), out_axes=axis if axis == 0 else -1)
        shapes = glorot.sources.read(eqx.filter_eval_shape(make, keys)).shapes
        assert (shapes["weight_ih"].layout, shapes["weight_hh"].layout) == layouts
        assert sorted(shapes["weight_ih"].shape) == sorted((7, gates * 5, 6))


def test_the_preset_fits():
    """Equinox's own defaults, with rules for what the model made itself."""
    module = eqx.filter_eval_shape(make)
    recipe = glorot.Recipe(
        [
            glorot.Rule("key", None),
            glorot.Rule("scale", "ones"),
            *glorot.recipe.preset("equinox").rules,
        ]
    )
    specs = glorot.sources.read(module).shapes
    filled = glorot.jax.init(module, recipe, seed=0, specs=specs)

    bound = 1 / np.sqrt(6)
    assert 0.8 * bound < float(abs(filled.blocks[0].weight).max()) <= bound
    assert (filled.parts["norm"][0].weight == 1).all()
    assert assert_initialized(filled, recipe, seed=0, specs=specs).ok


def test_the_command_line(tmp_path):
    """A callable that makes an Equinox module, evaluated without memory."""
    (tmp_path / "mynet.py").write_text(
        "import equinox as eqx, jax\n"
        "def build():\n"
        "    weights = jax.numpy.zeros((2**40,))\n"
        "    return eqx.nn.MLP(3, 4, 8, 2, key=jax.random.key(0))\n"
    )

    def run(*arguments):
        """In a process without Keras, whose layers are counted: what may be one is called once."""
        return subprocess.run(
            [sys.executable, "-m", "glorot", *arguments],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip

    done = run("init", "mynet:build", "--recipe", "equinox", "--seed", "0", "--out", "first")
    assert done.returncode == 0, done.stderr
    again = run("verify", "first", "--shapes", "mynet:build")
    assert again.returncode == 0, again.stderr
