# SPDX-License-Identifier: Apache-2.0
"""Parametrizations of users' own: all that is in them is filled, or refused before anything is."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

import glorot
import glorot.torch
from glorot import Recipe, Rule
from glorot.testing import assert_initialized

pytestmark = pytest.mark.frameworks

HE = glorot.HeNormal()


class Same(nn.Module):
    """Computes a weight as it is; what it holds is beside it."""

    def __init__(self, **held):
        super().__init__()
        for name, value in held.items():
            setattr(self, name, value)

    def forward(self, x):
        """Return the weight."""
        return x + self.a @ self.b if hasattr(self, "a") else x

    def right_inverse(self, x):
        """Return what it is computed from."""
        return x


class Exponential(nn.Module):
    """Computes positive weights alone."""

    def forward(self, x):
        """Return the weight."""
        return x.exp()

    def right_inverse(self, x):
        """Return what it is computed from."""
        return x.log()


class Forwards(nn.Module):
    """A wrapper that hands on what it does not have, as many do."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("inner"), name)


def computed(step):
    """A layer whose weight `step` computes."""
    layer = nn.Linear(4, 4)
    parametrize.register_parametrization(layer, "weight", step)
    return nn.Sequential(layer)


def test_what_is_inside_is_filled_and_audited():
    """Matrices of low rank beside a weight, by their names in the state dict."""
    made = computed(Same(a=nn.Parameter(torch.zeros(4, 2)), b=nn.Parameter(torch.ones(2, 4))))
    recipe = Recipe([Rule("*.a", glorot.RandomNormal()), Rule("*.b", "zeros"), Rule("*", HE)])
    report = glorot.torch.init_(made, recipe, seed=1)
    inside = {f"0.parametrizations.weight.0.{name}" for name in "ab"}
    assert {p.name for p in report.parameters} == {"0.weight", "0.bias"} | inside
    assert_initialized(made, recipe, 1)
    made[0].parametrizations.weight[0].a.data[0, 0] += 1
    with pytest.raises(AssertionError, match=r"weight\.0\.a"):
        assert_initialized(made, recipe, 1)


def test_a_parametrization_inside_of_a_parametrization():
    """Its tensors have values afterwards, whatever their memory held."""
    with torch.device("meta"):
        made = computed(Same(layer=parametrizations.weight_norm(nn.Linear(4, 4))))
    report = glorot.torch.materialize(made, HE, seed=1)
    name = "0.parametrizations.weight.0.layer.weight"
    assert name in {p.name for p in report.parameters}
    wanted = torch.from_numpy(HE.replace(layout="torch.linear")((4, 4), seed=1, name=name))
    layer = made[0].parametrizations.weight[0].layer
    assert torch.equal(layer.parametrizations.weight.original1, wanted)
    assert_initialized(made, HE, 1)


class Tied(nn.Module):
    """A head whose weight is computed from the embedding's."""

    def __init__(self):
        super().__init__()
        self.embed, self.head = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)
        self.head.weight = self.embed.weight
        parametrize.register_parametrization(self.head, "weight", Same())


def test_a_tie_through_a_parametrization():
    """One would be given the values of the other: refused, unless one is left out."""
    made = Tied()
    before = made.embed.weight.clone()
    with pytest.raises(ValueError, match=r"'embed\.weight' and 'head\.weight' are tied through"):
        glorot.torch.init_(made, HE, seed=1)
    assert torch.equal(made.embed.weight, before)
    glorot.torch.init_(made, Recipe([Rule("embed.*", None), Rule("head.*", HE)]), seed=1)
    wanted = HE.replace(layout="torch.linear")((5, 3), seed=1, name="head.weight")
    assert (made.head.weight.detach().numpy() == wanted).all()


def cayley():
    """A layer whose weight nobody may set."""
    layer = parametrizations.orthogonal(
        nn.Linear(4, 4), orthogonal_map="cayley", use_trivialization=False
    )
    return nn.Sequential(layer)


REFUSED = {
    "it takes no values": (cayley, r"_Orthogonal, which cannot be given values: It is not poss"),
    "orthogonal": (
        lambda: nn.Sequential(parametrizations.orthogonal(nn.Linear(4, 4))),
        r"_Orthogonal, which keeps it orthogonal, as values of HeNormal\(.*Orthogonal, or leave",
    ),
    "not finite": (lambda: computed(Exponential()), r"Exponential, which makes of .* not finite"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_values_that_a_parametrization_cannot_hold(case):
    """Nothing is changed then: not the layer before it either."""
    make, message = REFUSED[case]
    made = nn.Sequential(nn.Linear(4, 4), make())
    before = [tensor.clone() for tensor in made.state_dict().values()]
    with pytest.raises(ValueError, match=rf"'1\.0\.weight' is parametrized by {message}"):
        glorot.torch.init_(made, HE, seed=1)
    for one, other in zip(before, made.state_dict().values(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


def test_an_orthogonal_weight_of_an_orthogonal_parametrization():
    """It holds what it is given."""
    made = parametrizations.orthogonal(nn.Linear(4, 4, bias=False))
    glorot.torch.init_(made, glorot.Orthogonal(layout="torch.linear"), seed=1)
    wanted = glorot.Orthogonal(layout="torch.linear")((4, 4), seed=1, name="weight")
    assert torch.allclose(made.weight, torch.from_numpy(wanted), atol=1e-5)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize("wrap", [torch.compile, Forwards], ids=["compiled", "forwards"])
def test_a_parametrized_module_in_a_wrapper_that_hands_attributes_on(wrap):
    """The tensor is the inner module's, once, and it is the one that is filled."""
    inner = parametrizations.spectral_norm(nn.Linear(4, 4))
    before = inner.parametrizations.weight.original.clone()
    made = wrap(inner)
    report = glorot.torch.init_(made, HE, seed=1)
    name = "weight" if wrap is torch.compile else "inner.weight"
    assert [p.names for p in report.parameters if "weight" in p.name] == [(name,)]
    assert not torch.equal(inner.parametrizations.weight.original, before)
    assert "weight" not in vars(made)


def test_a_model_s_own_modules_of_that_name():
    """`parametrizations` may be what a model calls something else."""

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.parametrizations = nn.ModuleDict({"weight": nn.Linear(2, 2)})

    report = glorot.torch.init_(Model(), HE, seed=1)
    assert report.parameters[0].name == "parametrizations.weight.weight"


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
@pytest.mark.parametrize("padding", [1, "same"])
def test_a_traced_convolution(padding):
    """It keeps its groups, which no attribute of it says any more."""
    plain = nn.Sequential(nn.Conv2d(8, 4, 3, groups=2, padding=padding))
    traced = torch.jit.trace(plain, torch.zeros(1, 8, 5, 5))
    for module in (plain, traced):
        glorot.torch.init_(module, HE, seed=1)
    wanted = dict(plain.named_parameters())
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in traced.named_parameters())
    assert glorot.torch.shapes(traced)["0.weight"].groups == 2


def test_names_that_call_one_tensor_the_same():
    """A tie under one name is one parameter of one name."""
    made = Tied()
    parametrize.remove_parametrizations(made.head, "weight")
    made.head.weight = made.embed.weight
    report = glorot.torch.init_(made, HE, seed=1, names=lambda name: name.replace("head", "embed"))
    assert [p.names for p in report.parameters] == [("embed.weight",)]
