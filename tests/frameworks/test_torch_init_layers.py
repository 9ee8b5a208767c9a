# SPDX-License-Identifier: Apache-2.0
"""What torch's layers say of their weights: axes, types, shapes."""

import io

import pytest
import safetensors.torch
import torch
from torch import nn
from torch.nn.utils import parametrizations
from torch_init_cases import NORMAL, WEIGHT, Language, compiled, expected, init_

import glorot
import glorot.torch

pytestmark = pytest.mark.frameworks


def layers():
    """(layer, {attribute: fans by torch's own layers}); transformers' Conv1D stores (in, out)."""
    from transformers.pytorch_utils import Conv1D

    return {
        "linear": (nn.Linear(6, 4), {"weight": (6, 4)}),
        "conv": (nn.Conv2d(6, 4, 3), {"weight": (54, 36)}),
        "depthwise": (nn.Conv2d(6, 12, 3, groups=6), {"weight": (9, 18)}),
        "transposed": (nn.ConvTranspose2d(6, 4, 3, groups=2), {"weight": (27, 18)}),
        "bilinear": (nn.Bilinear(3, 5, 4), {"weight": (15, 4)}),
        "embedding": (nn.Embedding(9, 4), {"weight": (4, 4)}),
        "lstm": (nn.LSTM(5, 3), {"weight_ih_l0": (5, 12), "weight_hh_l0": (3, 12)}),
        "gru cell": (nn.GRUCell(5, 3), {"weight_ih": (5, 9), "weight_hh": (3, 9)}),
        "attention": (
            nn.MultiheadAttention(6, 2),
            {"in_proj_weight": (6, 18), "out_proj.weight": (6, 6)},
        ),
        "conv1d": (Conv1D(4, 6), {"weight": (6, 4)}),
    }


@pytest.mark.parametrize("layer", layers())
def test_rules_without_axes_have_the_layers_fans(layer):
    """Where a rule does not say which axes are in and out, the layer does: fans are those of the
    layer, and the values are those of the same initializer with that layout."""
    module, fans = layers()[layer]
    recipe = glorot.Recipe(
        [glorot.Rule("*bias*", "zeros", optional=True), glorot.Rule("*", "he_uniform")]
    )
    report = init_(module, recipe, seed=42)
    found = {p.name: p for p in report.parameters}
    for name, wanted in fans.items():
        assert found[name].initializer.fans(found[name].shape) == wanted, name
        values = found[name].initializer(found[name].shape, seed=42, name=name)
        assert torch.equal(module.get_parameter(name), torch.from_numpy(values))


def scriptable():
    """Layers that torch can script, grouped and transposed ones among them."""
    return nn.Sequential(
        nn.Linear(6, 8),
        nn.Conv2d(8, 4, 3, groups=2),
        nn.ConvTranspose2d(4, 6, 3, groups=2),
        nn.Embedding(9, 4),
        nn.LayerNorm(3),
    )


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_scripting_changes_no_weight():
    """A scripted module's layers are what they were before, and those of a traced one, and of one
    that is loaded."""
    plain = scriptable()
    scripted = torch.jit.script(scriptable())
    file = io.BytesIO()
    torch.jit.save(scripted, file)
    file.seek(0)
    loaded = torch.jit.load(file)
    by_layer = glorot.Recipe(
        [
            glorot.Rule("*", "ones", where={"type": "LayerNorm"}),
            glorot.Rule("*", "zeros", where={"ndim": 1}),
            glorot.Rule("*", "he_normal"),
        ]
    )
    for module in (plain, scripted, loaded):
        assert glorot.torch.shapes(module) == glorot.torch.shapes(plain)
        init_(module, by_layer, seed=42)
        assert glorot.torch.fingerprint(module) == glorot.torch.fingerprint(plain)
    two = nn.Sequential(nn.Linear(6, 8), nn.Linear(8, 4))
    traced = torch.jit.trace(two, torch.randn(1, 6))
    assert glorot.torch.shapes(traced) == glorot.torch.shapes(two)


def test_rules_may_ask_for_the_layers_type():
    """A rule's `where` sees the class of the module that holds a parameter, whatever compiling or
    parametrizing made of it."""
    recipe = glorot.Recipe(
        [
            glorot.Rule("*", "ones", where={"type": "LayerNorm", "ndim": 1}),
            glorot.Rule("*", NORMAL, where={"type": "Linear"}),
        ]
    )
    module = nn.Sequential(nn.LayerNorm(3), parametrizations.weight_norm(nn.Linear(3, 2)))
    init_(torch.compile(module, backend="eager"), recipe, seed=42)
    assert (module[0].bias == 1).all()
    assert torch.equal(module[1].bias, expected("1.bias", (2,), NORMAL))
    with pytest.raises(ValueError, match=r"no rule matches '2.weight', '2.bias'.* type='Conv1d'"):
        init_(nn.Sequential(*module, nn.Conv1d(2, 2, 2)), recipe, seed=42)


def test_shapes_are_what_init_sees(tmp_path):
    """A checkpoint that is written from a module's shapes holds what `init_` gives the module, fans
    of its layers included; tied parameters come once."""
    recipe = glorot.Recipe(
        [
            glorot.Rule("embed.weight", NORMAL),
            glorot.Rule("*bias", "zeros"),
            glorot.Rule("*", WEIGHT),
        ]
    )
    module = Language()
    found = glorot.torch.shapes(compiled(module))
    assert list(found) == [name for name, _ in module.named_parameters()]
    assert found["layers.0.weight"].layout == "torch.linear"
    by_layer = glorot.Recipe([glorot.Rule("*.bias", "zeros"), glorot.Rule("*", "he_normal")])
    for rules in (recipe, by_layer):
        glorot.checkpoint.write(found, rules, tmp_path, seed=42, force=True)
        init_(module, rules, seed=42)
        for name, value in safetensors.torch.load_file(tmp_path / "model.safetensors").items():
            assert torch.equal(module.get_parameter(name), value), name
