# SPDX-License-Identifier: Apache-2.0
"""`materialize`: modules built on the meta device get memory, values, ties and buffers."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import glorot
import glorot.torch

pytestmark = pytest.mark.frameworks

materialize, init_ = glorot.torch.materialize, glorot.torch.init_
WEIGHT = glorot.GlorotUniform(layout="torch.conv")
RECIPE = glorot.Recipe(
    [
        glorot.Rule("*bias", "zeros"),
        glorot.Rule("*norm.weight", "ones"),
        glorot.Rule("*", WEIGHT),
    ]
)
PLAIN = glorot.Recipe([glorot.Rule("*bias", "zeros"), glorot.Rule("*", WEIGHT)])


def on_meta(make):
    """The module, built on the meta device."""
    with torch.device("meta"):
        return make()


class Tied(nn.Module):
    """An embedding that is the head too, and a buffer under two names."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(9, 4)
        self.norm = nn.BatchNorm1d(4)
        self.head = nn.Linear(4, 9, bias=False)
        self.head.weight = self.embed.weight


class Rotary(nn.Module):
    """Frequencies in a buffer that is not saved, made by `method`."""

    def __init__(self, method=None):
        super().__init__()
        self.proj = nn.Linear(4, 4)
        self.register_buffer("freqs", self.compute(), persistent=False)
        if method:
            setattr(self, method, self.fill)

    def compute(self):
        """10000^(-2 i / d)."""
        return 10000.0 ** (-torch.arange(0, 4, 2).float() / 4)

    def fill(self):
        """What a model's method does: here it replaces the buffer, on the default device."""
        torch.rand(3)  # such methods often draw
        self.freqs = self.compute()


def test_to_empty_unties_and_we_do_not():
    """torch's to_empty makes two parameters of a tied one, and leaves the running statistics as
    what was in the memory; materialize keeps the tie and makes the statistics again."""
    theirs = on_meta(Tied).to_empty(device="cpu")
    assert theirs.head.weight is not theirs.embed.weight

    module = on_meta(Tied)
    assert module.head.weight is module.embed.weight
    report = materialize(module, RECIPE, seed=42)
    assert module.head.weight is module.embed.weight
    plain = Tied()
    init_(plain, RECIPE, seed=42)
    for (name, found), (_, wanted) in zip(
        module.state_dict().items(), plain.state_dict().items(), strict=True
    ):
        assert torch.equal(found, wanted), name
    tied = next(p for p in report.parameters if len(p.names) == 2)
    assert (tied.name, tied.names) == ("embed.weight", ("embed.weight", "head.weight"))
    assert report.buffers == ("norm.running_mean", "norm.running_var", "norm.num_batches_tracked")


def test_what_parameters_carry_stays():
    """requires_grad, dtype and attributes on a parameter are as they were; no meta tensor is left,
    and the forward pass runs."""
    module = on_meta(lambda: nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2, dtype=torch.float64)))
    module[0].weight.requires_grad_(False)
    module[0].weight.tag = "mine"
    materialize(module, PLAIN, seed=42)
    assert not module[0].weight.requires_grad
    assert module[0].bias.requires_grad
    assert module[0].weight.tag == "mine"
    assert module[1].weight.dtype is torch.float64
    assert all(isinstance(p, nn.Parameter) and not p.is_meta for p in module.parameters())
    assert torch.isfinite(module[0](torch.ones(1, 4))).all()


def test_what_has_values_keeps_them():
    """Of a module of which only a part is on the meta device, buffers with values keep them, and
    what the recipe leaves out does too."""
    module = nn.ModuleDict({"norm": nn.BatchNorm1d(3), "up": on_meta(lambda: nn.Linear(3, 5))})
    module["norm"].running_mean.fill_(7.0)
    with torch.no_grad():
        module["norm"].weight.fill_(5.0)
    recipe = glorot.Recipe(
        [
            glorot.Rule("norm.weight", None),
            glorot.Rule("*bias", "zeros"),
            glorot.Rule("*", WEIGHT),
        ]
    )
    report = materialize(module, recipe, seed=42)
    assert (module["norm"].running_mean == 7.0).all()
    assert (module["norm"].weight == 5.0).all()
    assert report.left_out == ("norm.weight",)
    assert torch.equal(
        module["up"].weight, torch.from_numpy(WEIGHT((5, 3), seed=42, name="up.weight"))
    )


class Pretrained(nn.Module):
    """A method that makes its buffer, and all else anew."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.full((3,), 5.0))
        self.up = nn.Linear(3, 3)
        self.register_buffer("scale", torch.full((3,), 7.0))
        self.register_buffer("freqs", torch.empty(3, device="meta"))

    def reset_parameters(self):
        """Everything."""
        with torch.no_grad():
            self.weight.zero_()
            self.up.reset_parameters()
        self.scale = torch.zeros(3)
        self.freqs.fill_(1.0)


@pytest.mark.parametrize("norm", [False, True])
def test_what_makes_a_buffer_keeps_what_is_beside_it(norm):
    """A method that makes the buffers again does more; what has values has them afterwards."""
    module = nn.Module()
    module.a = nn.BatchNorm1d(3) if norm else Pretrained()
    if norm:
        module.a.running_mean = module.a.running_mean + 7.0
        module.a.running_var = torch.empty(3, device="meta")
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    module.b = on_meta(lambda: nn.Linear(2, 2))
    recipe = glorot.Recipe([glorot.Rule("a.*", None), *PLAIN.rules])
    materialize(module, recipe, seed=42)
    made = "a.running_var" if norm else "a.freqs"
    after = module.state_dict()
    assert (after[made] == 1.0).all()
    for name in before.keys() - {made}:
        assert torch.equal(after[name], before[name]), name


@pytest.mark.parametrize(
    "method",
    [
        *("reset_buffers", "_reset_buffers", "init_buffers", "_init_buffers"),
        *("reset_parameters", "_reset_parameters"),
    ],
)
def test_buffers_by_the_modules_own_method(method):
    """A method of the module makes them, on the right device, and torch's generator is as it was;
    what it does to parameters does not stay."""
    module = on_meta(lambda: Rotary(method))
    state = torch.get_rng_state()
    materialize(module, PLAIN, seed=42)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(module.freqs, Rotary().freqs)
    wanted = torch.from_numpy(WEIGHT((4, 4), seed=42, name="proj.weight"))
    assert torch.equal(module.proj.weight, wanted)
    assert "freqs" not in module.state_dict()


def test_buffers_that_are_given():
    """By name, or by a function of the module that holds them."""
    for buffers in (
        {"freqs": Rotary().freqs},
        {"freqs": Rotary().freqs.numpy()},
        lambda owner: owner.fill(),
    ):
        module = on_meta(Rotary)
        materialize(module, PLAIN, seed=42, buffers=buffers)
        assert torch.equal(module.freqs, Rotary().freqs)


class Half(nn.Module):
    """Two buffers of which its method makes one."""

    def __init__(self):
        super().__init__()
        self.proj = nn.Linear(4, 4)
        self.register_buffer("made", torch.ones(2))
        self.register_buffer("forgotten", torch.ones(2))

    def reset_parameters(self):
        """Not all of it."""
        self.made.fill_(1.0)


REFUSED = {
    "a buffer that nothing makes": (
        Rotary,
        {},
        ValueError,
        r"nothing makes the buffers 'freqs' again, .*buffers=\{name: tensor\}",
    ),
    "a buffer that is forgotten": (Half, {}, ValueError, "nothing makes the buffers 'forgotten' a"),
    "a function that does nothing": (
        Rotary,
        {"buffers": lambda owner: None},
        ValueError,
        "nothing makes the buffers 'freqs'",
    ),
    "a function that makes it on meta": (
        Rotary,
        {"buffers": lambda owner: setattr(owner, "freqs", torch.empty(2, device="meta"))},
        ValueError,
        "nothing makes the buffers 'freqs'",
    ),
    "a buffer of another name": (
        Rotary,
        {"buffers": {"frequencies": torch.ones(2)}},
        ValueError,
        "`buffers` has values for 'frequencies', and the module has no such buffer. It has: freqs",
    ),
    "a buffer of another shape": (
        Rotary,
        {"buffers": {"freqs": torch.ones(1)}},
        ValueError,
        r"of shape \(1,\); the buffer has",
    ),
    "a buffer without values": (
        Rotary,
        {"buffers": {"freqs": torch.empty(2, device="meta")}},
        ValueError,
        "has no values",
    ),
    "a buffer that is none": (
        Rotary,
        {"buffers": {"freqs": None}},
        TypeError,
        "has None for 'freqs', of which torch",
    ),
    "a buffer of complex numbers": (
        Rotary,
        {"buffers": {"freqs": torch.ones(2, dtype=torch.complex64)}},
        TypeError,
        "of torch.complex64, which a buffer of torch.float32 cannot hold",
    ),
    "buffers of another kind": (Rotary, {"buffers": 3}, TypeError, "`buffers` must be a mapping"),
    "the meta device": (
        Rotary,
        {"device": "meta"},
        ValueError,
        "`device` must have memory, got the meta device",
    ),
    "a parameter without a rule": (
        Rotary,
        {"recipe": glorot.Recipe([glorot.Rule("*weight", "ones")])},
        ValueError,
        "no rule matches 'proj.bias'",
    ),
    "a parameter that is left out": (
        Rotary,
        {"recipe": glorot.Recipe([glorot.Rule("*bias", None), glorot.Rule("*", "ones")])},
        ValueError,
        "leaves out the parameter 'proj.bias', which is on the meta device and would hold what was "
        "in the memory. Give it an initializer: zeros, if you write its values afterwards.",
    ),
    "a lazy parameter": (
        lambda: nn.Sequential(nn.LazyLinear(3)),
        {},
        ValueError,
        "the parameter '0.weight' is lazy",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_module_is_as_it_was(case):
    """Errors leave the module on the meta device, with its very parameters and buffers."""
    make, options, error, text = REFUSED[case]
    module = on_meta(make)
    before = [*module.named_parameters(), *module.named_buffers()]
    with pytest.raises(error, match=text):
        materialize(module, **({"recipe": PLAIN, "seed": 42} | options))
    after = [*module.named_parameters(), *module.named_buffers()]
    assert [(name, id(t)) for name, t in after] == [(name, id(t)) for name, t in before]


def test_parametrized_modules():
    """Weight norm and spectral norm built on the meta device equal those filled on the CPU: the
    estimate's vectors are not what was in the memory."""

    def make():
        return nn.Sequential(
            parametrizations.weight_norm(nn.Linear(6, 5)),
            parametrizations.spectral_norm(nn.Linear(5, 4)),
        ).eval()

    module, plain = on_meta(make), make()
    materialize(module, PLAIN, seed=42)
    init_(plain, PLAIN, seed=42)
    for (name, found), (_, wanted) in zip(
        module.state_dict().items(), plain.state_dict().items(), strict=True
    ):
        assert torch.equal(found, wanted), name


def test_a_compiled_module_of_the_meta_device():
    """Wrappers stay around, and names are as ever."""
    module = torch.compile(on_meta(Tied), backend="eager")
    report = materialize(module, RECIPE, seed=42)
    assert "embed.weight" in [p.name for p in report.parameters]
    assert module.head.weight is module.embed.weight


def test_a_modules_attribute_that_stays_on_meta():
    """A tensor that is neither parameter nor buffer is moved by nobody: it is refused by name."""

    def make():
        module = nn.Linear(3, 3)
        module.table = torch.ones(3)
        return module

    with pytest.raises(ValueError, match="the attribute 'table' is a tensor on the meta device"):
        materialize(on_meta(make), PLAIN, seed=42)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_a_scripted_module_of_the_meta_device():
    """torch gives it no other memory, and says so of to_empty; one that has values is filled."""
    module = on_meta(lambda: nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3)))
    module[1] = torch.jit.script(module[1])
    with pytest.raises(
        TypeError, match=r"'1.weight' is on the meta device, in a module that is sc"
    ):
        materialize(module, PLAIN, seed=42)
    assert module[0].weight.is_meta
    module[1] = torch.jit.script(nn.Linear(3, 3))
    plain = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    materialize(module, PLAIN, seed=42)
    init_(plain, PLAIN, seed=42)
    assert glorot.torch.fingerprint(module) == glorot.torch.fingerprint(plain)
