# SPDX-License-Identifier: Apache-2.0
"""Modules with parametrizations, and compiled ones."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize
from torch_init_cases import NORMAL, RECIPE, WEIGHT, expected, init_, mlp

import glorot
import glorot.torch

pytestmark = pytest.mark.frameworks


def test_weight_norm_keeps_the_weight():
    """The weight itself is the recipe's, to the rounding of g * v / |v|; v is it exactly."""
    module = mlp()
    parametrizations.weight_norm(module[0])
    report = init_(module, RECIPE, seed=42)
    assert {p.name for p in report.parameters} == {"0.weight", "0.bias", "2.weight", "2.bias"}
    wanted = expected("0.weight", (5, 6))
    assert torch.allclose(module[0].weight, wanted, rtol=1e-6, atol=0)
    assert torch.equal(module[0].parametrizations.weight.original1, wanted)


def test_a_parametrized_module_that_is_used_twice():
    """It has the names that it has without a parametrization, and so the weights."""
    layer = nn.Linear(6, 6)
    module = nn.Sequential(layer, nn.ReLU(), layer)
    plain = init_(module, RECIPE, seed=42)
    parametrizations.weight_norm(layer)
    report = init_(module, RECIPE, seed=42)
    assert {p.names for p in report.parameters} == {p.names for p in plain.parameters}
    wanted = expected("0.weight", (6, 6))
    assert torch.equal(layer.parametrizations.weight.original1, wanted)


def test_spectral_norm_starts_from_the_new_weight():
    """The original is the recipe's weight, and the estimate of its norm depends on nothing that was
    there before."""
    modules = [nn.Sequential(parametrizations.spectral_norm(nn.Linear(6, 5))) for _ in range(2)]
    for module in modules:
        init_(module.eval(), RECIPE, seed=42)
    wanted = expected("0.weight", (5, 6))
    assert torch.equal(modules[0][0].parametrizations.weight.original, wanted)
    assert torch.equal(modules[0][0].weight, modules[1][0].weight)
    exact = wanted / torch.linalg.matrix_norm(wanted, 2)
    assert torch.allclose(modules[0][0].weight, exact, atol=0.05)


def test_orthogonal_keeps_an_orthogonal_weight():
    """An orthogonal initial weight passes through torch's orthogonal parametrization."""
    module = nn.Sequential(parametrizations.orthogonal(nn.Linear(6, 5)))
    law = glorot.Orthogonal(layout="torch.linear")
    init_(module, glorot.Recipe([glorot.Rule("*bias", "zeros"), glorot.Rule("*", law)]), seed=42)
    assert torch.allclose(module[0].weight, expected("0.weight", (5, 6), law), atol=1e-6)


class Adapted(nn.Module):
    """A parametrization with parameters of its own."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.empty(1))

    def forward(self, x):
        """A scaled x."""
        return x * self.gain

    def right_inverse(self, x):
        """What is scaled to x."""
        return x / self.gain


def test_parameters_of_a_parametrization_are_filled_first():
    """They have names of their own, and the weight is computed back through their new values."""
    module = mlp()
    parametrize.register_parametrization(module[0], "weight", Adapted(), unsafe=True)
    recipe = glorot.Recipe(
        [
            glorot.Rule("*.gain", glorot.Constant(4.0)),
            glorot.Rule("*bias", "zeros"),
            glorot.Rule("*", WEIGHT),
        ]
    )
    report = init_(module, recipe, seed=42)
    assert "0.parametrizations.weight.0.gain" in [p.name for p in report.parameters]
    assert torch.equal(module[0].weight, expected("0.weight", (5, 6)))
    assert torch.equal(module[0].parametrizations.weight.original * 4, module[0].weight)


def test_a_filled_module_compiles_and_a_compiled_function_may_fill():
    """A compiled module runs with the new values; a fill inside of a compiled function breaks the
    graph there, or is refused where none may break, and never writes something else."""
    module = torch.compile(mlp(), backend="eager")
    x = torch.ones(2, 6)
    module(x)
    init_(module, RECIPE, seed=42)
    assert torch.equal(module(x), module._orig_mod(x))

    def step(w):
        init_(w, NORMAL, seed=42, name="w")
        return w * 2

    def again(w):
        init_(w, NORMAL, seed=42, name="w")
        return w * 3

    w = torch.zeros(3)
    doubled = torch.compile(step, backend="eager")(w)
    assert torch.equal(w, expected("w", (3,), NORMAL))
    assert torch.equal(doubled, 2 * w)
    with pytest.raises(torch._dynamo.exc.Unsupported, match="call it outside of the graph"):
        torch.compile(again, backend="eager", fullgraph=True)(torch.zeros(3))


def test_parametrizations_that_begin_with_values():
    """Torch's orthogonal one has no base on the meta device: one line says so, wherever."""
    with torch.device("meta"):
        net = nn.Sequential(nn.Linear(3, 3), parametrizations.orthogonal(nn.Linear(3, 5)))
    recipe = glorot.Recipe([glorot.Rule("*", "zeros")])
    for run in (
        lambda: glorot.torch.shapes(net),
        lambda: glorot.torch.explain(net, recipe),
        lambda: glorot.torch.materialize(net, recipe, seed=0),
    ):
        with pytest.raises(ValueError, match=r"'1.weight' is parametrized by _Orthogonal, which d"):
            run()


@pytest.mark.parametrize("garbage", [0.0, float("nan"), 1e38])
def test_a_parametrization_is_checked_with_the_values_that_it_gets(garbage):
    """Whatever its own parameters hold before: memory that nothing wrote may hold anything."""

    layer, step = nn.Linear(4, 3, bias=False), Adapted()
    nn.init.constant_(step.gain, garbage)
    parametrize.register_parametrization(layer, "weight", step, unsafe=True)
    rules = [glorot.Rule("*gain", glorot.Constant(2.0)), glorot.Rule("weight", "he_normal")]
    init_(layer, glorot.Recipe(rules), seed=0)
    wanted = glorot.HeNormal(layout="torch.linear")((3, 4), seed=0, name="weight")
    assert (layer.weight.detach().numpy() == wanted).all()
    assert step.gain.item() == 2.0
