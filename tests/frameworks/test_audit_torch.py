# SPDX-License-Identifier: Apache-2.0
"""The audit of torch's models: their known faults are found, their right ones pass."""

import pytest
import torch
import transformers
from audit_framework_cases import only
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


def config(**changes):
    """A small GPT-2."""
    options = {"n_layer": LAYERS, "n_embd": 96, "n_head": 4, "vocab_size": 800, "n_positions": 100}
    return transformers.GPT2Config(**options | changes)


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


class Strange(torch.nn.Module):
    """Beside a layer, parameters that no initializer writes."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 3)
        self.sparse = torch.nn.Parameter(torch.eye(3).to_sparse())
        self.complex = torch.nn.Parameter(torch.zeros(3, dtype=torch.complex64))


def test_what_cannot_be_audited_may_be_left_out():
    """By a rule of None, as `init_` has it; else the error says what it is."""
    rules = [Rule("sparse", None), Rule("complex", None), Rule("*", "zeros")]
    net = Strange()
    glorot.torch.init_(net, Recipe(rules), seed=0)
    report = glorot.audit(net, Recipe(rules))
    assert report.ok
    assert "left out by the recipe: complex, sparse" in report.notes
    for recipe, word in (
        (None, "'sparse' must be dense"),
        (Recipe(rules[1:]), "'sparse' must be dense"),
        (Recipe([rules[0], rules[2]]), "'complex' in `shapes`: `dtype` must be one of"),
    ):
        with pytest.raises(TypeError, match=word):
            glorot.audit(net, recipe)
    with pytest.raises(TypeError, match="'sparse' must be dense"):
        assert_same_init(net, net)
