# SPDX-License-Identifier: Apache-2.0
"""Callables as sources: torch, flax and Keras models of the user's own code."""

import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy
from source_cases import LAYERS, described, invoke, said

import glorot
import glorot.keras
import glorot.torch

pytestmark = pytest.mark.frameworks

TORCH = """
import torch
from torch import nn
calls = []

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(30, 8)
        self.conv = nn.Conv1d(8, 8, 3, groups=2)
        self.norm = nn.BatchNorm1d(8)
        self.head = nn.Linear(8, 30, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("cache", torch.zeros(3), persistent=False)
        calls.append(self.embed.weight.device.type)

def build():
    return Net().to(torch.bfloat16)

def compiled():
    return torch.compile(Net())

def looks():
    net = nn.Sequential(nn.Linear(2, 2))
    calls.append([x.item() for x in torch.linspace(0, 1, 3)])
    return net

def parametrized():
    return nn.utils.parametrizations.spectral_norm(nn.Linear(3, 2))

def empty():
    return nn.ReLU()

def complex_():
    return nn.Linear(2, 2, dtype=torch.complex64)

def hugging():
    import transformers
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(n_embd=8, n_layer=1, n_head=2))

model = nn.Linear(3, 2)
"""
FLAX = """
import flax.linen as nn
import jax, jax.numpy as jnp
from flax import nnx
concrete = []

class Linen(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Conv(8, (3,), feature_group_count=2, name="conv")(x)
        x = nn.BatchNorm(use_running_average=True)(x)
        x = nn.MultiHeadDotProductAttention(4)(x)
        return nn.Dense(10)(nn.Embed(5, 8)(jnp.zeros((1,), int)) + x)

def linen():
    return Linen(), jnp.zeros((1, 5, 4))

def abstract():
    return Linen(), jax.ShapeDtypeStruct((1, 5, 4), jnp.float32)

def bare():
    return Linen()

def wrong():
    return Linen(), jnp.zeros((4,), int)

class Net(nnx.Module):
    def __init__(self, rngs):
        self.up = nnx.Linear(4, 8, rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)
        self.blocks = nnx.List([nnx.LinearGeneral(8, (2, 4), rngs=rngs) for _ in range(2)])
        concrete.append(not isinstance(self.up.kernel[...], jax.core.Tracer))

def net():
    return Net(nnx.Rngs(0))

def tree():
    return jax.eval_shape(Linen().init, jax.random.key(0), jnp.zeros((1, 5, 4)))
"""
KERAS = """
import keras
import numpy as np
made = []
def build():
    made.append(keras.Sequential([
        keras.Input((8, 8, 4)), keras.layers.Conv2D(8, 3, groups=2, name="conv"),
        keras.layers.BatchNormalization(name="norm"), keras.layers.Flatten(),
        keras.layers.Dense(10, name="fc"),
    ]))
    return made[-1]
def looks():
    keras.Variable(np.ones(3))  # refused where variables get no values
    return build()
def unbuilt():
    return keras.Sequential([keras.layers.Dense(3)])
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Modules of the user's in the current folder."""
    names = {"user_torch": TORCH, "user_flax": FLAX, "user_keras": KERAS}
    for name, text in names.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in names:
        sys.modules.pop(name, None)


def test_a_torch_callable(here):
    """Built on the meta device; buffers that are stored come too, ties once; it loads."""
    import torch

    source = glorot.sources.read("user_torch:build")
    user = sys.modules["user_torch"]
    assert user.calls == ["meta"]
    state = user.build().state_dict()
    assert set(source.shapes) | set(source.aliases) == set(state)
    assert said(source) == described({key: state[key] for key in source.shapes})
    assert source.aliases == {"head.weight": "embed.weight"}
    conv = source.shapes["conv.weight"]
    assert (conv.type, conv.layout, conv.groups) == ("Conv1d", "torch.conv", 2)
    assert source.shapes["norm.running_var"].tags == ("buffer",)
    assert source.preset is None

    out = here / "out"
    result = invoke("init", "user_torch:build", "--recipe", "torch", "--seed", 2, "--out", out)
    assert result.exit_code == 0, result.stderr
    from safetensors.torch import load_file

    module = user.build()
    missing, unexpected = module.load_state_dict(load_file(out / "model.safetensors"), strict=False)
    assert (missing, unexpected) == (["head.weight"], [])
    wanted = user.build()
    glorot.torch.init_(wanted, "torch", seed=2)
    for key, value in wanted.state_dict().items():
        assert torch.equal(module.state_dict()[key], value), key


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, when it compiles
@pytest.mark.usefixtures("here")
def test_other_torch_callables():
    """Wrappers leave no trace in names; a module itself; one that needs values; transformers'."""
    plain = glorot.sources.read("user_torch:Net")
    assert glorot.sources.read("user_torch:compiled").shapes == plain.shapes
    assert set(glorot.sources.read("user_torch:model").shapes) == {"weight", "bias"}
    assert set(glorot.sources.read("user_torch:looks").shapes) == {"0.weight", "0.bias"}
    assert sys.modules["user_torch"].calls[-1] == [0.0, 0.5, 1.0]
    hugging = glorot.sources.read("user_torch:hugging")
    assert (hugging.kind, hugging.preset) == ("torch module", "gpt2")
    assert hugging.aliases == {"lm_head.weight": "transformer.wte.weight"}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("user_torch:parametrized", "'weight' is parametrized"),
        ("user_torch:empty", "has no parameters"),
        ("user_torch:complex_", "must have one of the dtypes"),
        ("user_torch:calls", "must be a callable that returns a model, got []"),
        ("user_torch:nn.Linear", "raised TypeError"),
        ("user_flax:bare", "Return (module, inputs, ...)"),
        ("user_flax:wrong", "Linen cannot be evaluated with these inputs"),
        ("user_keras:unbuilt", "layers without weights yet"),
    ],
)
def test_callables_that_are_refused(tmp_path, source, text):
    """One line each, exit code 1; nothing is written."""
    result = invoke("init", source, "--recipe", "torch", "--seed", 0, "--out", tmp_path / "out")
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("glorot: ")]
    assert text in line
    assert source in line
    assert not (tmp_path / "out").exists()


def test_linen(here):
    """Names and bits are those of `glorot.jax.init` of what the module's `init` returns."""
    import jax

    source = glorot.sources.read("user_flax:linen")
    assert glorot.sources.read("user_flax:abstract") == source
    user = sys.modules["user_flax"]
    tree = user.tree()
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    named = {jax.tree_util.keystr(p, simple=True, separator="."): v for p, v in leaves}
    assert said(source) == {k: (v.shape, str(v.dtype)) for k, v in named.items()}
    conv = source.shapes["params.conv.kernel"]
    assert (conv.type, conv.layout, conv.groups) == ("Conv", "flax.conv", 2)
    qkv = source.shapes["params.MultiHeadDotProductAttention_0.query.kernel"]
    assert (qkv.type, qkv.layout) == ("DenseGeneral", "IOO")
    assert source.shapes["params.MultiHeadDotProductAttention_0.out.kernel"].layout == "IIO"
    assert source.shapes["batch_stats.BatchNorm_0.var"].type == "BatchNorm"
    assert set(glorot.sources.read("user_flax:tree").shapes) == set(named)

    out = here / "out"
    result = invoke("init", "user_flax:linen", "--recipe", "flax", "--seed", 4, "--out", out)
    assert result.exit_code == 0, result.stderr
    stored = safetensors.numpy.load_file(out / "model.safetensors")
    assert set(stored) == set(named)
    assert bool((stored["batch_stats.BatchNorm_0.var"] == 1).all())
    dense = glorot.LecunNormal()((8, 10), seed=4, name="params.Dense_0.kernel")
    assert bool((stored["params.Dense_0.kernel"] == dense).all())


def test_nnx(here):
    """Evaluated abstractly; names are those of `glorot.jax`; generators are left out."""
    from flax import nnx

    source = glorot.sources.read("user_flax:net")
    user = sys.modules["user_flax"]
    assert "keras" in sys.modules or user.concrete == [False]
    model = user.net()
    assert glorot.sources.read(model).shapes == source.shapes
    state = nnx.state(model, (nnx.Param, nnx.BatchStat))
    assert set(source.shapes) == {".".join(map(str, path)) for path, _ in nnx.to_flat_state(state)}
    general = source.shapes["blocks.1.kernel"]
    assert (general.shape, general.type, general.layout) == ((8, 2, 4), "LinearGeneral", "IOO")
    assert source.notes == ("left out: 2 variables that are neither Param nor BatchStat",)
    recipe = glorot.recipe.load("flax")
    glorot.checkpoint.write(source.shapes, recipe, here / "out", seed=4)
    stored = safetensors.numpy.load_file(here / "out" / "model.safetensors")
    up = glorot.LecunNormal()((4, 8), seed=4, name="up.kernel")
    assert bool((stored["up.kernel"] == up).all())


def test_nnx_is_evaluated_without_memory(here):
    """In a process of its own: the module is only traced."""
    code = (
        "import glorot; glorot.sources.read('user_flax:net'); import user_flax;"
        "print(user_flax.concrete)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=here, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout == "[False]\n"


def test_flax_layers_say_what_the_preset_asks_for():
    """Each layer of nnx that the flax preset was measured with: the same type, equal fans."""
    from flax import nnx

    rngs = nnx.Rngs(0)

    class All(nnx.Module):
        def __init__(self):
            self.linear = nnx.Linear(60, 100, rngs=rngs)
            self.general = nnx.LinearGeneral(60, (4, 25), rngs=rngs)
            self.conv = nnx.Conv(12, 60, (3, 3), rngs=rngs)
            self.grouped = nnx.Conv(32, 64, (3, 3), feature_group_count=4, rngs=rngs)
            self.transposed = nnx.ConvTranspose(12, 60, (3, 3), rngs=rngs)
            self.embed = nnx.Embed(100, 50, rngs=rngs)
            self.lstm = nnx.LSTMCell(70, 60, rngs=rngs)
            self.fused = nnx.OptimizedLSTMCell(30, 40, rngs=rngs)
            self.gru = nnx.GRUCell(30, 40, rngs=rngs)
            self.attention = nnx.MultiHeadAttention(4, 60, 64, decode=False, rngs=rngs)
            self.layer_norm = nnx.LayerNorm(8, rngs=rngs)
            self.batch_norm = nnx.BatchNorm(8, rngs=rngs)

    source = glorot.sources.read(All())
    recipe = glorot.recipe.load("flax")
    own = {a.name: (a.law, a.fans) for a in recipe.resolve(source.shapes)}
    known = {name: spec for name, (spec, _) in LAYERS["nnx"](0).items()}
    wanted = {a.name: (a.law, a.fans) for a in recipe.resolve(known)}
    assert len(own) > 30
    for name, found in own.items():
        if known[name].type != "Embed":  # whose layout the preset says itself
            assert source.shapes[name].type == known[name].type, name
        assert found[0] == wanted[name][0], name


@pytest.mark.parametrize("cell", ["SimpleCell", "MGUCell", "GRUCell", "LSTMCell"])
def test_a_cell_of_linen_is_what_its_preset_says(cell):
    """What flax itself draws, of subclasses too: of two cells the names alone do not say it."""
    import flax.linen as nn
    import jax

    own = type("Own", (getattr(nn, cell),), {})
    module, x = nn.RNN(own(16)), np.ones((2, 5, 8), np.float32)
    specs = glorot.sources.read((module, x)).shapes
    assert {spec.tags for spec in specs.values()} == {(cell,)}
    report = glorot.audit(module.init(jax.random.key(3), x), "flax", specs=specs)
    assert report.ok, report


def test_lora_of_nnx_is_what_its_preset_says():
    """The layer beside another, and the adapter alone: as flax draws them."""
    from flax import nnx

    class Adapted(nnx.Module):
        def __init__(self, rngs):
            self.inside = nnx.LoRALinear(64, 48, lora_rank=16, rngs=rngs)
            self.alone = nnx.LoRA(64, 16, 48, rngs=rngs)

    model = Adapted(nnx.Rngs(0))
    report = glorot.audit(model, "flax")
    assert report.ok, report
    found = {
        a.name: a.law for a in glorot.recipe.load("flax").resolve(glorot.sources.read(model).shapes)
    }
    assert (
        found["inside.lora.lora_a"]
        == found["alone.lora_a"]
        == f"U(-{(6 / 64) ** 0.5:.4g}, {(6 / 64) ** 0.5:.4g})"
    )
    assert found["inside.lora.lora_b"] == found["alone.lora_b"] == "Zeros"


def test_keras(here):
    """Names, axes and bits are those of `glorot.keras`."""
    source = glorot.sources.read("user_keras:build")
    user = sys.modules["user_keras"]
    assert [weight._value for weight in user.made[0].weights] == [None] * 8
    assert glorot.sources.read("user_keras:looks") == source
    with pytest.raises(ValueError, match=r"'conv\.kernel' of `model` has no value yet"):
        glorot.keras.init(user.made[0], "keras", seed=4)
    model = user.build()
    assert all(weight._value is not None for weight in model.weights)
    assert source.shapes == glorot.keras.shapes(model)
    assert source.shapes["conv.kernel"].groups == 2
    assert source.notes == ("left out: 2 variables that no layer trains",)
    result = invoke("init", "user_keras:build", "--recipe", "keras", "--seed", 4, "--out", "out")
    assert result.exit_code == 0, result.stderr
    stored = safetensors.numpy.load_file(here / "out" / "model.safetensors")
    glorot.keras.init(model, "keras", seed=4)
    fc = model.get_layer("fc").kernel
    assert bool((stored["fc.kernel"] == np.asarray(fc.value)).all())


def test_gates_of_keras_are_those_of_init():
    """What a source says of an LSTM and a GRU gives the values of glorot.keras.init: the kernels'
    gates are blocks unless the rule says otherwise."""
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((5, 8)), layers.LSTM(6, return_sequences=True), layers.GRU(6)]
    )
    rules = [glorot.Rule("*bias", "zeros"), glorot.Rule("*recurrent*", "orthogonal")]
    recipe = glorot.Recipe([*rules, glorot.Rule("*", "he_uniform")])
    report = glorot.keras.init(model, recipe, seed=4)
    found = {a.name: a.initializer for a in recipe.resolve(glorot.sources.read(model).shapes)}
    assert found == {p.name: p.initializer for p in report.parameters}
    assert {len(found[name].initializers) for name in found if name.endswith("kernel")} == {3, 4}
