# SPDX-License-Identifier: Apache-2.0
"""What the adapters fill, the audit finds right."""

import re

import flax.linen
import flax.nnx
import jax
import keras
import pytest
import tensorflow as tf
import torch
import transformers
from audit_framework_cases import only

import glorot
import glorot.jax
import glorot.keras
import glorot.tensorflow
import glorot.torch
from glorot import Recipe, Rule
from glorot.testing import assert_initialized

pytestmark = pytest.mark.frameworks


def test_torch_layers_as_init_fills_them():
    """Every layer whose axes or type glorot.torch knows: what init_ gives by a preset is
    right, byte by byte, wrapped and parametrized too."""
    norm = torch.nn.utils.parametrizations.spectral_norm(torch.nn.Linear(40, 30))
    model = torch.nn.ModuleDict(
        {
            "lstm": torch.nn.LSTM(32, 24),
            "gru": torch.nn.GRUCell(32, 24),
            "attention": torch.nn.MultiheadAttention(32, 4),
            "grouped": torch.nn.Conv1d(24, 48, 5, groups=4),
            "transposed": torch.nn.ConvTranspose2d(8, 16, 3),
            "norm": torch.nn.BatchNorm1d(20),
            "compiled": torch.compile(torch.nn.Linear(20, 30), backend="eager"),
        }
    )
    glorot.torch.init_(model, "torch", seed=3)
    report = assert_initialized(model, "torch", seed=3)
    assert "compiled.weight" in {row.name for row in report.parameters}
    recipe = Recipe([Rule("*bias", "zeros"), Rule("*", "lecun_normal")])
    glorot.torch.init_(norm, recipe, seed=3)
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    report = assert_initialized(norm, recipe, seed=3)
    assert {row.name for row in report.parameters} == {"weight", "bias"}
    assert all(torch.equal(value, before[name]) for name, value in norm.state_dict().items())
    dense = transformers.pytorch_utils.Conv1D(60, 30)  # stored (in, out)
    glorot.torch.init_(dense, recipe, seed=3)
    assert assert_initialized(dense, recipe, seed=3).parameters[0].fans == (30.0, 60.0)


def test_parametrized_weights_as_init_fills_them():
    """The weight that the recipe is about is read: before spectral norm divides it and weight norm
    rounds it, after what is inverted, in any order and of vectors too; a length of weight norm that
    is another counts."""
    norms = torch.nn.utils.parametrizations

    class Doubled(torch.nn.Module):
        def forward(self, x):
            return 2 * x

        def right_inverse(self, x):
            return x / 2

    model = torch.nn.Sequential(*(torch.nn.Linear(40, 30) for _ in range(5)))
    norms.weight_norm(model[3])
    norms.weight_norm(model[4], dim=None)
    norms.spectral_norm(model[0])
    torch.nn.utils.parametrize.register_parametrization(model[0], "weight", Doubled())
    torch.nn.utils.parametrize.register_parametrization(model[1], "weight", Doubled())
    norms.spectral_norm(model[1])
    norms.spectral_norm(model[2], "bias")
    recipe = Recipe([Rule("*bias", "normal", stddev=0.02), Rule("*", "lecun_normal")])
    for dtype in (torch.bfloat16, torch.float32):
        glorot.torch.init_(model.to(dtype), recipe, seed=3)
        assert_initialized(model, recipe, seed=3)
    with torch.no_grad():
        model[3].parametrizations.weight.original0.mul_(3)
    assert only(glorot.audit(model, recipe), "stddev").names == ("3.weight",)


def test_keras_layers_as_init_fills_them():
    """Gates, heads, einsums, separable kernels, a shared layer: names, axes and blocks are those
    of glorot.keras.init, in a process that made such layers before."""
    layers = keras.layers
    keras.utils.set_random_seed(0)
    layers.Dense(3), layers.LSTM(3)
    inputs = keras.Input((16, 8))
    x = layers.LSTM(12, return_sequences=True)(inputs)
    x = layers.MultiHeadAttention(2, 8)(x, x)
    x = layers.SeparableConv1D(8, 3)(x)
    x = layers.BatchNormalization()(x)
    shared = layers.EinsumDense("abc,cd->abd", output_shape=(None, 8))
    model = keras.Model(inputs, layers.Dense(3)(shared(shared(x))))
    assert_initialized(model, "keras")  # Keras' own values
    recipe = Recipe(
        [Rule("*bias", "zeros"), Rule("*beta", "zeros"), Rule("*gamma", "ones"),
         Rule("*recurrent_kernel", "orthogonal"), Rule("*", "glorot_uniform")]
    )  # fmt: skip
    for known in (recipe, "keras"):
        glorot.keras.init(model, known, seed=3)
        report = assert_initialized(model, known, seed=3)
        assert "lstm.lstm_cell.kernel" in {row.name for row in report.parameters}
    with pytest.raises(AssertionError, match=r"lstm_cell.recurrent_kernel\[input\]: .*too small"):
        assert_initialized(model, recipe)  # one orthogonal matrix is not one of each gate


def test_nnx_modules_as_init_fills_them():
    """The parameters of an nnx module, whose layers say what they are; its keys and averages are no
    parameters. Of a whole state, the keys are a note."""

    class Net(flax.nnx.Module):
        def __init__(self, rngs):
            self.up = flax.nnx.LinearGeneral(30, (4, 10), rngs=rngs)
            self.drop = flax.nnx.Dropout(0.1, rngs=rngs)
            self.norm = flax.nnx.BatchNorm(40, rngs=rngs)

    net = Net(flax.nnx.Rngs(0))
    assert assert_initialized(net, "flax").parameters[3].fans == (30.0, 40.0)
    kernel = Rule("*", "he_normal", layout="IOO")  # a state says nothing of its layers
    recipe = Recipe([Rule("*bias", "zeros"), Rule("*scale", "ones"), kernel])
    state = flax.nnx.state(net, flax.nnx.Param)
    flax.nnx.update(net, glorot.jax.init(state, recipe, seed=3))
    names = {row.name for row in assert_initialized(net, recipe, seed=3).parameters}
    assert names == {"norm.bias", "norm.scale", "up.bias", "up.kernel"}
    report = glorot.audit(flax.nnx.state(net))
    assert report.ok
    assert [note for note in report.notes if "drop" in note] == [
        "no weights, but JAX keys: drop.rngs.key"
    ]


def test_tensorflow_modules_as_init_fills_them():
    """A tf.Module, by the ways to its variables."""

    class Net(tf.Module):
        def __init__(self):
            super().__init__()
            self.kernel = tf.Variable(tf.zeros((30, 20)), name="w")
            self.steps = tf.Variable(0, trainable=False)

    net = Net()
    recipe = Recipe([Rule("*", "he_normal")])
    glorot.tensorflow.init(net, recipe, seed=3)
    report = assert_initialized(net, recipe, seed=3)
    assert [row.name for row in report.parameters] == ["kernel"]


def test_lists_of_tensorflow_variables_as_init_fills_them():
    """Under the variables' own names, the parts of one joined; what is not trained is no weight."""
    v1, whole = tf.compat.v1, tf.Variable(tf.zeros((8, 9)), name="w")
    getter = glorot.tensorflow.custom_getter("he_normal", seed=3)
    cut = v1.fixed_size_partitioner(3)
    with v1.variable_scope("up", custom_getter=getter, partitioner=cut):
        parts = list(v1.get_variable("kernel", (8, 9)))
    held = [whole, *parts, tf.Variable(0, trainable=False, name="steps")]
    glorot.tensorflow.init(held, "he_normal", seed=3)
    report = assert_initialized(held, "he_normal", seed=3)
    assert [(row.name, row.shape) for row in report.parameters] == [
        ("w", (8, 9)), ("up/kernel", (8, 9))
    ]  # fmt: skip
    with tf.Graph().as_default(), pytest.raises(ValueError, match="'g' is a graph's"):
        glorot.audit([v1.get_variable("g", (2, 2))])


NORMAL = Recipe([Rule("*", glorot.RandomNormal())])


class Boxed(flax.linen.Module):
    """A layer whose kernel is in a box that says how it is partitioned."""

    @flax.linen.compact
    def __call__(self, x):
        """One layer."""
        init = flax.linen.with_partitioning(flax.linen.initializers.zeros, ("in", "out"))
        return flax.linen.Dense(8, kernel_init=init)(x)


def _trees():
    array = jax.ShapeDtypeStruct((8, 8), "float32")
    boxed = jax.eval_shape(lambda: Boxed().init(jax.random.key(0), jax.numpy.zeros((1, 8))))
    return {
        "lists": ({"emb": array, "layers": [{"k": array}, {"k": array}]}, "layers.1.k"),
        "tuples": ({"a": (array, [array])}, "a.1.0"),
        "boxes": (boxed, "params.Dense_0.kernel"),
        "a list": ([array, {"b": array}], "1.b"),
    }


@pytest.mark.parametrize("case", ["lists", "tuples", "boxes", "a list"])
def test_every_array_of_a_tree_is_audited(case):
    """Whatever holds it, under the name that `init` gives it: a fault in any is found."""
    tree, name = _trees()[case]
    made = glorot.jax.init(tree, NORMAL, seed=1)
    assert_initialized(made, NORMAL, 1)
    names = [row.name for row in glorot.audit(made, NORMAL, 1).parameters]
    assert names == sorted(glorot.jax.shapes(tree), key=names.index)
    assert name in names
    paths, structure = jax.tree_util.tree_flatten_with_path(made)
    for at, blamed in enumerate(glorot.jax.shapes(tree)):
        leaves = [leaf * (2.0 if i == at else 1.0) for i, (_, leaf) in enumerate(paths)]
        with pytest.raises(AssertionError, match=f"^{re.escape(blamed)}: "):
            assert_initialized(jax.tree.unflatten(structure, leaves), NORMAL, 1)


def test_mappings_of_variables():
    """They are audited as they are filled: one that comes twice is one, and counters are none."""
    shared = tf.Variable(tf.zeros((3, 3)))
    held = {"a": shared, "b": shared, "step": tf.Variable(0, trainable=False)}
    glorot.tensorflow.init(held, NORMAL, seed=3)
    assert_initialized(held, NORMAL, 3)
    shared.assign_add(tf.ones((3, 3)))
    with pytest.raises(AssertionError, match="a"):
        assert_initialized(held, NORMAL, 3)


def test_a_tensor_s_memory_can_be_resized_after_an_audit():
    """Its storage is lent, not given away; a negated view is read as what it says."""
    layer = torch.nn.Linear(4, 4)
    glorot.torch.init_(layer, NORMAL, seed=1)
    assert_initialized(layer, NORMAL, 1)
    layer.weight.untyped_storage().resize_(0)
    negated = torch._neg_view(torch.full((3,), 2.0))
    assert glorot.audit({"a": negated}, Recipe([Rule("*", glorot.Constant(-2.0))])).ok
