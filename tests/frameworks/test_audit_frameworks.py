# SPDX-License-Identifier: Apache-2.0
"""The audit of models of Keras and JAX, and of one in several frameworks: their known faults are
found, their right ones pass."""

import re
import subprocess
import sys

import flax.linen
import flax.nnx
import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
import torch
from audit_framework_cases import only

import glorot
import glorot.jax
import glorot.keras
import glorot.tensorflow
import glorot.torch
from glorot import Recipe, Rule
from glorot.testing import assert_initialized, assert_same_init

pytestmark = pytest.mark.frameworks

# --- Keras ---------------------------------------------------------------------------------------


def keras_model(*layers):
    """A model that is built."""
    return keras.Sequential([keras.layers.Input((12, 12, 16)), *layers])


def test_depthwise_kernel():
    """Keras' own he_normal counts the channels of a depthwise kernel as inputs of each."""
    keras.utils.set_random_seed(0)
    layer = keras.layers.DepthwiseConv2D(
        3, depthwise_initializer="he_normal", depth_multiplier=4, name="deep"
    )
    recipe = Recipe([Rule("*kernel", "he_normal"), Rule("*bias", "zeros")])
    problem = only(glorot.audit(keras_model(layer), recipe), "stddev")
    assert problem.names == ("deep.kernel",)
    assert re.search(r"(3\.[89]|4|4\.[012])\d* times too small", problem.text)
    assert "a depthwise or grouped kernel's channels" in problem.text


def test_a_seeded_initializer_used_twice():
    """One instance with a seed gives two layers the same draws: equal kernels where shapes are
    equal, and the same beginning where they are not."""
    shared = keras.initializers.GlorotUniform(seed=1)
    same = keras_model(
        keras.layers.Dense(16, kernel_initializer=shared, name="a"),
        keras.layers.Dense(16, kernel_initializer=shared, name="b"),
    )
    recipe = Recipe([Rule("*kernel", "glorot_uniform"), Rule("*bias", "zeros")])
    for known in (recipe, None):
        problem = only(glorot.audit(same, known), "repeated")
        assert problem.names == ("a.kernel", "b.kernel")
        assert "hold equal values: one seeded initializer" in problem.text
    other = keras_model(
        keras.layers.Dense(16, kernel_initializer=shared, name="a"),
        keras.layers.Dense(40, kernel_initializer=shared, name="b"),
    )
    problem = only(glorot.audit(other, recipe), "repeated")
    assert problem.names == ("a.kernel", "b.kernel")
    assert "begin with the same draws, in another scale or shape" in problem.text


def test_keras_models_are_right():
    """Keras' defaults pass: dense, convolutions, transposed ones, an embedding."""
    keras.utils.set_random_seed(0)
    model = keras_model(
        keras.layers.Conv2D(20, 3, name="conv"),
        keras.layers.Conv2DTranspose(20, 3, name="up"),
        keras.layers.Dense(30, name="dense"),
    )
    recipe = Recipe([Rule("*bias", "zeros"), Rule("*", "glorot_uniform")])
    report = assert_initialized(model, recipe)
    assert {row.name for row in report.parameters} >= {"conv.kernel", "up.kernel", "dense.bias"}


# --- JAX and flax --------------------------------------------------------------------------------


class Net(flax.linen.Module):
    """A small network."""

    @flax.linen.compact
    def __call__(self, x):
        """Two dense layers."""
        return flax.linen.Dense(30)(flax.linen.relu(flax.linen.Dense(50)(x)))


def test_flax_is_right():
    """linen's defaults pass, by the names of the tree."""
    variables = Net().init(jax.random.key(0), jnp.ones((1, 40)))
    recipe = Recipe([Rule("params.*.kernel", "lecun_normal"), Rule("*.bias", "zeros")])
    report = assert_initialized(variables, recipe)
    assert {row.name for row in report.parameters} == {
        f"params.Dense_{layer}.{kind}" for layer in (0, 1) for kind in ("kernel", "bias")
    }


def test_bfloat16_drawn_by_jax():
    """jax.nn.initializers in bfloat16: 128 values, and a mean below 0."""
    value = jax.nn.initializers.glorot_uniform()(jax.random.key(0), (500, 500), jnp.bfloat16)
    recipe = Recipe([Rule("w", "glorot_uniform")])
    problem = only(glorot.audit({"w": value}, recipe), "precision")
    assert "128 different values" in problem.text
    assert "drawn in bfloat16 and not rounded to it, or quantised?" in problem.text
    wide = jax.nn.initializers.glorot_uniform()(jax.random.key(0), (500, 500), jnp.float32)
    assert glorot.audit({"w": wide.astype(jnp.bfloat16)}, recipe).ok


def test_a_key_used_twice():
    """One key for two kernels of one shape."""
    init = jax.nn.initializers.he_normal()
    tree = {"a": init(jax.random.key(0), (30, 20)), "b": init(jax.random.key(0), (30, 20))}
    problem = only(glorot.audit(tree, Recipe([Rule("*", "he_normal")])), "repeated")
    assert problem.names == ("a", "b")


# --- two frameworks ------------------------------------------------------------------------------


def test_the_same_network_in_three_frameworks():
    """torch's, Keras' and flax's layers with the same matrices are the same; square kernels whose
    transpose was forgotten are not."""
    up = np.random.default_rng(0).standard_normal((40, 40)).astype(np.float32)
    down = np.random.default_rng(1).standard_normal((40, 30)).astype(np.float32)
    ours = torch.nn.ModuleDict({"Dense_0": torch.nn.Linear(40, 40),
                                "Dense_1": torch.nn.Linear(40, 30)})  # fmt: skip
    with torch.no_grad():
        ours["Dense_0"].weight[:] = torch.from_numpy(up.T.copy())
        ours["Dense_1"].weight[:] = torch.from_numpy(down.T.copy())
        for layer in ours.values():
            layer.bias.zero_()
    theirs = keras.Sequential(
        [
            keras.layers.Input((40,)),
            keras.layers.Dense(40, name="Dense_0"),
            keras.layers.Dense(30, name="Dense_1"),
        ]
    )
    theirs.set_weights([up, np.zeros(40), down, np.zeros(30)])
    tree = {
        "params": {
            "Dense_0": {"kernel": jnp.asarray(up), "bias": jnp.zeros(40)},
            "Dense_1": {"kernel": jnp.asarray(down), "bias": jnp.zeros(30)},
        }
    }
    assert_same_init(ours, theirs)
    assert_same_init(theirs, tree)
    assert_same_init(ours, tree)
    assert_same_init(ours.bfloat16(), theirs)
    ours = ours.float()
    with torch.no_grad():
        ours["Dense_0"].weight[:] = torch.from_numpy(up)
        ours["Dense_1"].weight[:] = torch.from_numpy(down.T.copy())
    with pytest.raises(AssertionError, match=r"Dense_0.weight and .*: 1,5\d\d of 1,600"):
        assert_same_init(ours, theirs)


@pytest.mark.parametrize(
    ("ours", "theirs", "axes"),
    [
        (torch.nn.Conv2d(16, 20, 3), keras.layers.Conv2D(20, 3), (2, 3, 1, 0)),
        (torch.nn.ConvTranspose2d(16, 20, 3), keras.layers.Conv2DTranspose(20, 3), (2, 3, 1, 0)),
    ],
)
def test_the_same_convolution(ours, theirs, axes):
    """(out, in, h, w) and (h, w, in, out) are one kernel, and transposed ones too."""
    theirs.build((None, 12, 12, 16))
    kernel = ours.weight.detach().numpy().transpose(axes)
    theirs.set_weights([kernel, ours.bias.detach().numpy()])
    assert_same_init(ours, theirs)
    theirs.set_weights([kernel[::-1], ours.bias.detach().numpy()])
    with pytest.raises(AssertionError, match="values differ"):
        assert_same_init(ours, theirs)


def test_the_same_depthwise_kernel():
    """torch stores (channels * multiplier, 1, h, w), Keras (h, w, channels, multiplier)."""
    ours = torch.nn.Conv2d(16, 32, 3, groups=16, bias=False)
    theirs = keras.layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False)
    theirs.build((None, 12, 12, 16))
    weight = ours.weight.detach().numpy().reshape(16, 2, 3, 3)
    theirs.set_weights([weight.transpose(2, 3, 0, 1)])
    x = np.random.default_rng(0).standard_normal((1, 12, 12, 16)).astype(np.float32)
    mine = ours(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).detach().numpy()
    np.testing.assert_allclose(mine.transpose(0, 2, 3, 1), theirs(x), atol=1e-5)
    assert_same_init(ours, theirs, names={"weight": "kernel"})


RANK = """
import os, sys, warnings
warnings.simplefilter("ignore")
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import Shard, distribute_tensor
import glorot
dist.init_process_group("gloo", init_method=f"file://{sys.argv[1]}", rank=int(sys.argv[2]),
                        world_size=2)
mesh = init_device_mesh("cpu", (2,))
layer = torch.nn.Linear(96, 128, bias=False)
layer.weight = torch.nn.Parameter(distribute_tensor(layer.weight.detach(), mesh, [Shard(0)]))
torch.manual_seed(0)
torch.nn.init.xavier_uniform_(layer.weight)
rule = glorot.Rule("weight", "xavier_uniform", layout="torch.linear")
report = glorot.audit(layer, glorot.Recipe([rule]))
print([problem.kind for problem in report.problems], report.problems[0])
dist.destroy_process_group()
"""


def test_equal_shards_of_a_mesh(tmp_path):
    """torch.nn.init on a DTensor over two ranks, the same seed on both: the first block twice.
    The audit gathers it, and every rank sees it."""
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", RANK, str(tmp_path / "store"), str(rank)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for rank in (0, 1)
    ]  # fmt: skip
    for rank in ranks:
        out, errors = rank.communicate(timeout=300)
        assert rank.returncode == 0, errors
        assert out.strip() == (
            "['repeated'] weight: 2 of 2 shards of 64 along axis 0 hold the same values: each rank "
            "drew its shard from the same seed (DTensor, FSDP)?"
        )
