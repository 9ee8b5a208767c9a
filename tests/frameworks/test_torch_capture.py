# SPDX-License-Identifier: Apache-2.0
"""Recipes of what a module's own code does."""

import math

import numpy as np
import pytest
import torch
from capture_cases import captured
from torch import nn

import glorot
from glorot.torch import capture, init_, shapes

pytestmark = pytest.mark.frameworks


def log_steps(w):
    """Mamba's time steps."""
    low, high = math.log(0.001), math.log(0.1)
    dt = torch.exp(torch.rand(w.shape) * (high - low) + low).clamp(min=1e-4)
    return dt + torch.log(-torch.expm1(-dt))


def fused(w):
    """Two parts with laws of their own, and a row of zeros."""
    nn.init.normal_(w[:2], std=0.5)
    nn.init.ones_(w[2:])
    w[3].zero_()


def crossed(w):
    """A row and a column of zeros."""
    nn.init.normal_(w)
    w[0].zero_()
    w[:, 1].zero_()


def thirds(w):
    """Each part by itself, by one law."""
    for part in w.chunk(3):
        nn.init.uniform_(part, -1, 1)


def glued(w):
    """Parts that are put together."""
    return torch.cat([torch.zeros(2, 4), torch.randn(4, 4) * 0.1])


init = nn.init
BOUND = math.sqrt(6 / 10)
LAWS = {
    "uniform": (lambda w: init.uniform_(w, -0.5, 1.5), glorot.RandomUniform(-0.5, 1.5)),
    "normal": (lambda w: init.normal_(w, 0.5, 2.0), glorot.RandomNormal(0.5, 2.0)),
    "truncated": (
        lambda w: init.trunc_normal_(w, 0.0, 2.0, -2.0, 6.0),
        glorot.TruncatedNormal(0.0, 2.0, lower=-1.0, upper=3.0),
    ),
    "truncated far out": (lambda w: init.trunc_normal_(w, std=0.02), glorot.RandomNormal(0, 0.02)),
    "truncated, scaled": (
        lambda w: init.trunc_normal_(w).mul_(-0.5).add_(1.0),
        glorot.TruncatedNormal(1.0, 0.5),
    ),
    "by erfinv": (
        lambda w: w.uniform_(-0.6826894921370859, 0.9544997361036416).erfinv_().mul_(2**0.5),
        glorot.TruncatedNormal(0.0, 1.0, lower=-1.0, upper=2.0),
    ),
    "xavier": (init.xavier_uniform_, glorot.RandomUniform(-BOUND, BOUND)),
    "kaiming": (init.kaiming_normal_, glorot.RandomNormal(0.0, math.sqrt(2 / 4))),
    "orthogonal": (lambda w: init.orthogonal_(w, 3.0), glorot.Orthogonal(3.0)),
    "randn times": (lambda w: 0.1 * torch.randn(w.shape), glorot.RandomNormal(0.0, 0.1)),
    "rand moved": (
        lambda w: (torch.rand(w.shape) - 0.5) / 4 + 1,
        glorot.RandomUniform(0.875, 1.125),
    ),
    "scaled by a tensor": (
        lambda w: torch.randn(w.shape) * torch.tensor(0.5) ** 2,
        glorot.RandomNormal(0.0, 0.25),
    ),
    "the last one counts": (lambda w: init.zeros_(init.normal_(w)), glorot.Zeros()),
    "a clamp that takes nothing": (
        lambda w: init.uniform_(w).clamp_(-1, 2),
        glorot.RandomUniform(0.0, 1.0),
    ),
    "ones": (init.ones_, glorot.Ones()),
    "constant": (lambda w: torch.full_like(w, 0.1), glorot.Constant(0.1)),
    "a constant, computed": (lambda w: 1e-4 * torch.ones(w.shape), glorot.Constant(1e-4)),
    "log of uniform": (
        lambda w: torch.empty_like(w).uniform_(1, 16).log(),
        glorot.LogOfUniform(1.0, 16.0),
    ),
    "time steps": (log_steps, glorot.TimeStep(0.001, 0.1)),
    "log of a range": (
        lambda w: torch.log(torch.arange(1, 5, dtype=torch.float32)).repeat(6, 1),
        glorot.LogArange(1),
    ),
    "parts": (
        fused,
        glorot.Blocks(
            [glorot.RandomNormal(0.0, 0.5), "ones", "zeros", "ones"], [2, 1, 1, 2], axis=0
        ),
    ),
    "glued parts": (glued, glorot.Blocks(["zeros", glorot.RandomNormal(0, 0.1)], [1, 2], axis=0)),
    "equal parts": (
        thirds,
        glorot.RandomUniform(-1.0, 1.0),
    ),
}


@pytest.mark.parametrize("case", LAWS)
def test_laws(case):
    """What the code draws, whatever it does to it, is an initializer of the same law."""
    write, expected = LAWS[case]
    found = captured(write)
    if isinstance(expected, glorot.TruncatedNormal):
        own, wanted = found._config, expected._config
        assert {k: pytest.approx(v, abs=1e-9) if isinstance(v, float) else v
                for k, v in wanted.items()} == own  # fmt: skip
    elif isinstance(expected, glorot.RandomUniform):
        assert (found.minval, found.maxval) == pytest.approx((expected.minval, expected.maxval))
    elif isinstance(expected, glorot.Orthogonal):
        assert (type(found), found.gain) == (glorot.Orthogonal, 3.0)
    else:
        assert found == expected


@pytest.mark.parametrize("shape", [(4, 6), (6, 4), (4, 2, 3), (5, 5)])
def test_orthogonal_matrices(shape):
    """Wide and tall, and of convolutions; torch transposes in place, and has all axes but the first
    as columns."""
    layout = "torch.linear" if len(shape) == 2 else "torch.conv"
    assert captured(init.orthogonal_, shape) == glorot.Orthogonal(layout=layout)


def test_orthogonal_rows_of_an_embedding():
    """Whatever the layer's axes are: RWKV draws its embedding so."""

    def build():
        layer = nn.Embedding(7, 4)
        nn.init.orthogonal_(layer.weight, 0.5)
        return layer

    layer = build()
    init_(layer, capture(build), seed=1)
    assert torch.allclose(layer.weight.T @ layer.weight, torch.eye(4) / 4, atol=1e-6)


def test_tables_of_numbers():
    """An identity, and sines of positions and of grids, however they were computed."""
    assert captured(lambda w: torch.eye(5), (5, 5)) == glorot.Identity()
    places = np.arange(30)[:, None] / 10000 ** (np.arange(4) / 4)
    table = np.concatenate([np.sin(places), np.cos(places)], 1)

    def write(w):
        w[:, :4] = torch.FloatTensor(np.sin(places))
        w[:, 4:] = torch.tensor(np.cos(places), dtype=torch.float32)

    assert captured(write, (30, 8)) == glorot.Sinusoids()
    grid = torch.from_numpy(glorot.SinCosGrid()((1, 9, 8)))
    assert captured(lambda w: w.copy_(grid), (1, 9, 8)) == glorot.SinCosGrid()
    assert captured(lambda w: w.copy_(grid.flip(0)), (1, 9, 8)) == glorot.SinCosGrid()
    with pytest.raises(ValueError, match="numbers that are computed"):
        captured(lambda w: w.copy_(grid.flip(1)), (1, 9, 8))
    assert np.allclose(glorot.Sinusoids()((30, 8)), table, atol=1e-6)


class Net(nn.Module):
    """Layers of many kinds as torch leaves them, some drawn again."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 16, padding_idx=3)
        self.blocks = nn.ModuleList(nn.Linear(16, 16) for _ in range(3))
        self.conv = nn.utils.parametrizations.weight_norm(nn.Conv1d(16, 8, 3))
        self.norm = nn.BatchNorm1d(8)
        self.rnn = nn.LSTM(8, 8)
        self.head = nn.Linear(16, 50, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("places", torch.arange(9))
        self.register_buffer("cache", torch.empty(3), persistent=False)
        for block in self.blocks:
            nn.init.trunc_normal_(block.weight, std=0.1, a=-0.2, b=0.2)
            nn.init.zeros_(block.bias)
        with torch.no_grad():
            self.rnn.bias_ih_l0[8:16].fill_(1.0)


def test_a_module():
    """What `init_` gives by the recipe is what the audit takes for the code's own, and the other
    way round; buffers, ties, padding rows and weight norm too."""
    recipe = capture(Net)
    assert glorot.Recipe.from_toml(recipe.to_toml()) == recipe
    module = Net()
    for _ in range(3):
        assert glorot.audit(Net(), recipe).ok
    with torch.no_grad():
        other = Net()
        other.blocks[1].weight.mul_(2)
    assert [p.names for p in glorot.audit(other, recipe).problems] == [("blocks.1.weight",)]
    init_(module, recipe, seed=1)
    assert glorot.audit(module, recipe, seed=1).ok
    assert not module.embed.weight[3].any()
    assert (module.rnn.bias_ih_l0[8:16] == 1).all()
    (rule,) = {a.rule for a in recipe.resolve(shapes(module)) if a.name.startswith("blocks.")
               and a.name.endswith("weight")}  # fmt: skip
    assert rule.pattern == "blocks.*.weight"


def test_numbers_of_fans_are_said_by_the_fans():
    """One rule for layers of all widths, which holds of another width too; a round number stays
    one. Of a plain list of shapes, without layers, the laws are the same."""

    def build(width):
        net = nn.Sequential(nn.Conv2d(3, width, 3), nn.Conv2d(width, 2 * width, 3, groups=width),
                            nn.Flatten(), nn.Linear(2 * width, 5), nn.Linear(5, 7))  # fmt: skip
        nn.init.kaiming_normal_(net[0].weight, mode="fan_out")
        nn.init.normal_(net[4].weight, std=0.02)
        return net

    recipe = capture(lambda: build(11))
    assert {str(rule.initializer) for rule in recipe.rules} == {
        "VarianceScaling(scale=2.0, mode='fan_out', distribution='untruncated_normal', "
        "layout='torch.conv')",
        "VarianceScaling(scale=0.3333333333333333, mode='fan_in', distribution='uniform', "
        "layout='torch.conv', groups=11)",
        "VarianceScaling(scale=0.3333333333333333, mode='fan_in', distribution='uniform', "
        "layout='torch.linear')",
        "VarianceScaling(scale=0.3333333333333333, mode='fan_in', distribution='uniform')",
        "RandomNormal(mean=0.0, stddev=0.02)",
        "RandomUniform(minval=-0.4472135954999579, maxval=0.4472135954999579)",
    }
    plain = {name: tuple(value.shape) for name, value in build(11).state_dict().items()}
    stddevs = {a.name: a.stddev for a in recipe.resolve(plain)}
    assert stddevs == {a.name: a.stddev for a in recipe.resolve(shapes(build(11)))}
    net = build(11)
    assert stddevs["3.bias"] == pytest.approx(1 / math.sqrt(3 * 22))
    assert glorot.audit(net, recipe).ok


def test_the_same_elsewhere():
    """Code that looks at values, and so cannot run on the meta device, runs on the CPU."""

    def build():
        net = nn.Sequential(nn.Linear(4, 4))
        if torch.randn(3).sum().item() > 1e9:
            raise AssertionError
        return net

    assert capture(build) == capture(lambda: nn.Sequential(nn.Linear(4, 4)))


def test_nothing_stays_changed():
    """Torch's generator, its functions and meta tensors are as they were, after errors too."""
    state, truncated = torch.get_rng_state(), nn.init._no_grad_trunc_normal_
    capture(Net)
    with pytest.raises(ZeroDivisionError):
        capture(lambda: 1 / 0)
    assert torch.equal(torch.get_rng_state(), state)
    assert nn.init._no_grad_trunc_normal_ is truncated
    assert torch.empty(3, device="meta").is_meta


class Strange(nn.Module):
    """What no initializer does."""

    def __init__(self):
        super().__init__()
        self.product = nn.Parameter(torch.randn(3) * torch.randn(3))
        self.left = nn.Parameter(torch.empty(3))
        self.cut = nn.Parameter(torch.randn(3).clamp(-1, 1))
        self.numbers = nn.Parameter(torch.arange(9.0))
        self.fine = nn.Linear(3, 3)
        self.register_buffer("places", torch.arange(9))


def test_what_is_not_captured():
    """The error names each, says what was seen, and what to do; rules cover it, and `leave_out`
    leaves it out. A buffer is left out by itself."""
    with pytest.raises(ValueError, match="no initializer does what the code does for 'product': "
                       r"mul of Normal\(.*'left': memory that nothing wrote; 'cut': a clamp of "
                       "Normal.*; and 1 more. Give `rules` for these"):  # fmt: skip
        capture(Strange)
    left = capture(Strange, leave_out=True)
    names = [a.name for a in left.resolve(shapes(Strange()))]
    assert names == ["fine.weight", "fine.bias"]
    rules = [glorot.Rule(name, "ones") for name in ("product", "left", "cut", "numbers")]
    covered = capture(Strange, rules=rules)
    assert covered.rules[:4] == tuple(rules)
    source = glorot.sources.read(Strange())
    assert {a.name for a in covered.resolve(source.shapes)} == source.shapes.keys() - {"places"}


def test_constants_keep_their_digits():
    """Of float64 and of whole numbers all of them, of narrower ones those that are there."""

    class Counter(nn.Module):
        def __init__(self):
            super().__init__()
            self.third = nn.Parameter(torch.arange(3, dtype=torch.float64) * 0 + 1 / 3)
            self.narrow = nn.Parameter(torch.arange(3.0) * 0 + 0.1)
            self.register_buffer("steps", torch.arange(2) * 0 + 16777217)

    recipe = capture(Counter)
    found = {rule.pattern: rule.initializer.value for rule in recipe.rules}
    assert found == {"third": 1 / 3, "narrow": 0.1, "*": 16777217}  # of all buffers


def test_tables_of_many_places_are_no_less_exact():
    """What is near a known table in a few values only is none, however long it is."""
    table = torch.log(torch.arange(1.0, 50_001.0))
    assert captured(lambda w: w.copy_(table), (50_000,)) == glorot.LogArange(0)
    with pytest.raises(ValueError, match="numbers that are computed"):
        captured(lambda w: w.copy_(table + 0.01), (50_000,))


def test_a_weight_without_elements():
    """Nothing is to be written."""
    assert captured(init.normal_, (0, 4)) == glorot.Zeros()


def test_parts_along_two_axes():
    """They are no blocks."""
    with pytest.raises(ValueError, match="its parts lie along several axes"):
        captured(crossed)


def test_no_function():
    """A module is built already, and what is returned must be one."""
    with pytest.raises(TypeError, match="`build` must be a function that returns the module"):
        capture(nn.Linear(2, 2))
    with pytest.raises(TypeError, match=r"`build` must return a torch.nn.Module, got int"):
        capture(lambda: 3)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("GPT2", {"n_layer": 2, "n_embd": 64, "n_head": 4, "vocab_size": 200}),
        ("Rwkv", None),
        ("Mamba2", {"num_hidden_layers": 2, "hidden_size": 64, "num_heads": 8, "head_dim": 16,
                    "state_size": 16, "n_groups": 1, "vocab_size": 200, "expand": 2}),
        ("XLM", {"n_layers": 2, "emb_dim": 64, "n_heads": 4, "vocab_size": 200}),
        ("DeiT", {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
                  "intermediate_size": 128, "image_size": 32, "patch_size": 8}),
    ],
)  # fmt: skip
def test_models_of_transformers(name, options):
    """What their own initialisation draws is what the recipe says, though they leave it out on the
    meta device; seeds of their own make no false alarm."""
    import transformers

    cls, config = getattr(transformers, f"{name}Model"), getattr(transformers, f"{name}Config")
    if options is None:
        with pytest.raises(ValueError, match=r"'blocks.0.attention.time_decay': numbers that"):
            capture(lambda: cls(config(num_hidden_layers=2)))
        return
    recipe = capture(lambda: cls(config(**options)))
    for seed in range(3):
        torch.manual_seed(seed)
        assert glorot.audit(cls(config(**options)), recipe).ok
