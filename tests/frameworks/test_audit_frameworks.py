# SPDX-License-Identifier: Apache-2.0
"""The audit of the frameworks' own models: their known faults are found, their right ones pass."""

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
import tensorflow as tf
import torch
import transformers
from torch._subclasses.fake_tensor import FakeTensorMode

import glorot
import glorot.jax
import glorot.keras
import glorot.tensorflow
import glorot.torch
from glorot import Recipe, Rule
from glorot.testing import assert_initialized, assert_same_init

pytestmark = pytest.mark.frameworks

LAYERS = 4


def only(report, kind):
    """The one problem, which must be of this kind."""
    assert [problem.kind for problem in report.problems] == [kind], str(report)
    return report.problems[0]


def config(**changes):
    """A small GPT-2."""
    options = {"n_layer": LAYERS, "n_embd": 96, "n_head": 4, "vocab_size": 800, "n_positions": 100}
    return transformers.GPT2Config(**options | changes)


# --- torch ---------------------------------------------------------------------------------------


def test_transformers_gpt2_is_right():
    """GPT-2 as transformers initialises it passes the preset, its tied head is a note, and the
    rows have the layers' types."""
    torch.manual_seed(0)
    model = transformers.GPT2LMHeadModel(config())
    report = assert_initialized(model, "gpt2")
    assert "tied: transformer.wte.weight, lm_head.weight" in report.notes
    with pytest.raises(AssertionError, match="their law fits: another seed or name"):
        assert_initialized(model, "gpt2", seed=0)


def test_gpt2_without_depth_scaling():
    """A model whose projections were never scaled, as a name that matches nothing leaves them."""
    torch.manual_seed(0)
    model = transformers.GPT2Model(config())
    for name, parameter in model.named_parameters():
        if name.endswith("c_proj.weight"):
            torch.nn.init.normal_(parameter, std=0.02)
    problem = only(glorot.audit(model, "gpt2"), "stddev")
    assert len(problem.names) == 2 * LAYERS
    assert "sqrt(8) times too large" in problem.text
    assert "depth scaling missing (1/sqrt(2 * 4 layers))?" in problem.text


def test_untied_head():
    """A head that has lost its tie and has values of its own."""
    torch.manual_seed(0)
    model = transformers.GPT2LMHeadModel(config(tie_word_embeddings=False))
    problem = only(glorot.audit(model, "gpt2"), "untied")
    assert problem.names == ("lm_head.weight",)
    assert "'transformer.wte.weight'" in problem.text


def test_what_is_trained_is_no_untied_head():
    """Weights that a recipe leaves out, as they are trained, beside new ones of their shape."""
    torch.manual_seed(0)
    model = torch.nn.ModuleDict(
        {
            "embed": torch.nn.Embedding(300, 32),
            "old": torch.nn.Sequential(torch.nn.Linear(32, 32), torch.nn.Linear(32, 32)),
            "new": torch.nn.Linear(32, 32),
        }
    )
    for left in (["*"], ["embed.weight", "old.*"]):
        rules = [Rule("new.bias", "zeros"), Rule("new.*", "he_normal")]
        recipe = Recipe([*rules, *(Rule(pattern, None) for pattern in left)])
        glorot.torch.init_(model, recipe, seed=1)
        assert_initialized(model, recipe, seed=1)


def test_torch_empty():
    """A parameter that nothing wrote. What torch.empty holds is chance, so that memory is played by
    what is often there: nothing, floats that are none, and small integers of 32 and 64 bits."""
    recipe = Recipe([Rule("*", "kaiming_normal", layout="torch.linear")])
    layer = torch.nn.Linear(64, 32, bias=False)
    for fill in (
        torch.zeros(32, 64),
        torch.full((32, 64), torch.nan),
        torch.arange(2048, dtype=torch.int32).view(torch.float32).reshape(32, 64),
        torch.arange(1024, dtype=torch.int64).view(torch.float32).reshape(32, 64),
    ):
        layer.weight = torch.nn.Parameter(fill)
        (problem,) = glorot.audit(layer, recipe).problems
        assert problem.kind in ("uninitialised", "not finite", "stddev")


def test_fused_qkv():
    """nn.MultiheadAttention draws its three projections with the fans of all, where the recipe
    gives each its own."""
    recipe = Recipe(
        [
            Rule("in_proj_weight", "xavier_uniform", layout="torch.linear", blocks="qkv"),
            Rule("out_proj.weight", "kaiming_uniform", layout="torch.linear",
                 gain="1 / sqrt(6)"),
            Rule("*bias", "zeros"),
        ]
    )  # fmt: skip
    torch.manual_seed(0)
    problem = only(glorot.audit(torch.nn.MultiheadAttention(128, 4), recipe), "stddev")
    assert problem.names == ("in_proj_weight[q]", "in_proj_weight[k]", "in_proj_weight[v]")
    assert "sqrt(2) times too small" in problem.text
    assert "fused QKV initialised as one matrix?" in problem.text


class Experts(torch.nn.Module):
    """A stack of experts, which torch.nn.init takes for one kernel."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(8, 96, 64))
        torch.nn.init.kaiming_normal_(self.weight)


def test_stacked_experts():
    """The experts' axis counted as a fan: 8 (in, out) matrices are far too small."""
    recipe = Recipe([Rule("weight", "kaiming_normal", layout="BIO")])
    torch.manual_seed(0)
    problem = only(glorot.audit(Experts(), recipe), "stddev")
    assert "8 times too small" in problem.text
    assert "experts' axis" in problem.text


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        (torch.nn.ConvTranspose2d(32, 128, 3, bias=False), "a transposed convolution's fans"),
        (torch.nn.ConvTranspose1d(64, 16, 5, bias=False), "a transposed convolution's fans"),
    ],
)
def test_transposed_convolutions(layer, words):
    """Their layouts come from the module: its own default takes fan_in for fan_out."""
    torch.manual_seed(0)
    torch.nn.init.kaiming_uniform_(layer.weight)
    recipe = Recipe([Rule("weight", "kaiming_uniform")])
    problem = only(glorot.audit(layer, recipe), "stddev")
    assert words in problem.text
    assert "2 times too" in problem.text


def test_layers_say_their_axes():
    """Right kaiming inits of torch's layers pass a recipe that says nothing of axes: Linear, Conv,
    grouped Conv, Embedding."""
    model = torch.nn.ModuleDict(
        {
            "linear": torch.nn.Linear(40, 70),
            "conv": torch.nn.Conv2d(12, 30, 3),
            "grouped": torch.nn.Conv1d(24, 48, 5, groups=4),
        }
    )
    torch.manual_seed(0)
    for layer in model.values():
        torch.nn.init.kaiming_normal_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    recipe = Recipe([Rule("*.bias", "zeros"), Rule("*", "kaiming_normal")])
    report = assert_initialized(model, recipe)
    fans = {row.name: row.fans for row in report.parameters if row.stddev}
    assert fans == {
        "linear.weight": (40.0, 70.0),
        "conv.weight": (108.0, 270.0),
        "grouped.weight": (30.0, 60.0),
    }


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "float8_e4m3fn"])
def test_torch_dtypes(dtype):
    """Tensors of every dtype are read as they are, views that are not contiguous among them."""
    init = glorot.RandomNormal(stddev=0.5)
    drawn = "float64" if dtype == "float64" else "float32"
    values = init((60, 50), drawn, seed=0, name="w")
    tensor = torch.from_numpy(values).to(getattr(torch, dtype))
    recipe = Recipe([Rule("*", init)])
    assert_initialized({"w": tensor}, recipe, seed=0)
    assert_initialized({"w": tensor.T.contiguous().T}, recipe, seed=0)


def test_meta_and_bad_models():
    """A model without values is refused before anything is read."""
    with pytest.raises(ValueError, match="is on the meta device and has no values"):
        glorot.audit(torch.nn.Linear(3, 4, device="meta"))
    for add in ("weight_norm", "spectral_norm"):
        normed = getattr(torch.nn.utils.parametrizations, add)(torch.nn.Linear(3, 4))
        with pytest.raises(ValueError, match="is on the meta device and has no values"):
            glorot.audit(normed.to("meta"), Recipe([Rule("*", "zeros")]))
    with pytest.raises(ValueError, match="`model` holds no parameters"):
        glorot.audit(torch.nn.ReLU())
    with pytest.raises(ValueError, match="the parameter 'weight' is lazy: it has no shape yet"):
        glorot.audit(torch.nn.LazyLinear(3))
    with FakeTensorMode():
        fake = torch.nn.Linear(3, 4)
    with pytest.raises(TypeError, match="'weight' is a FakeTensor, which has no values"):
        glorot.audit(fake)
    with pytest.raises(TypeError, match=r"'w' must be dense, got the layout torch.sparse_coo"):
        glorot.audit({"w": torch.eye(3).to_sparse()})
    freed = torch.nn.Linear(3, 4)
    freed.weight.untyped_storage().resize_(0)
    with pytest.raises(ValueError, match=r"'weight' has had its memory taken away"):
        glorot.audit(freed)


# --- what the adapters fill, the audit finds right -----------------------------------------------


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
