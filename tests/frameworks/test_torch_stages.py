# SPDX-License-Identifier: Apache-2.0
"""Stages of a pipeline: a part of a model has the values that it has in the whole."""

import pytest
import torch
from torch import nn

import glorot
import glorot.torch

pytestmark = pytest.mark.frameworks

WIDTH, LAYERS = 8, 4
RECIPE = glorot.Recipe(
    [
        glorot.Rule("embed.weight", glorot.RandomNormal(stddev=0.02)),
        glorot.Rule("head.weight", None),  # tied
        glorot.Rule("*bias", "zeros"),
        glorot.Rule("*norm.weight", "ones"),
        glorot.Rule("*down.weight", glorot.RandomNormal(stddev=0.02), layers="h.*."),
        glorot.Rule("*", "random_normal", stddev="1 / n_layer"),
    ],
    variables={"n_layer": {"count": "h.*."}},
)


class Layer(nn.Module):
    """A feed-forward layer."""

    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(WIDTH)
        self.up = nn.Linear(WIDTH, 12)
        self.down = nn.Linear(12, WIDTH)


class Stage(nn.Module):
    """Some layers under their names in the whole, and what is before and behind them."""

    def __init__(self, layers=range(LAYERS)):
        super().__init__()
        if 0 in layers:
            self.embed = nn.Embedding(10, WIDTH)
        self.h = nn.ModuleDict({str(i): Layer() for i in layers})
        if LAYERS - 1 in layers:
            self.head = nn.Linear(WIDTH, 10, bias=False)
        if len(layers) == LAYERS:
            self.head.weight = self.embed.weight


def meta(make, *arguments):
    """A module of the meta device."""
    with torch.device("meta"):
        return make(*arguments)


@pytest.fixture(scope="module")
def filled():
    """The whole model, by init_."""
    model = Stage()
    glorot.torch.init_(model, RECIPE, seed=42)
    return model


STAGES = [range(2), range(1, 3), range(3, 4), range(4)]


@pytest.mark.parametrize("layers", STAGES)
@pytest.mark.parametrize("way", ["init_", "materialize"])
def test_a_stage_is_a_part_of_the_whole(filled, layers, way):
    """Rules that match nothing here, layers counted over all stages, and a tied head whose
    embedding is elsewhere: every value is the whole model's."""
    whole = meta(Stage)
    if way == "init_":
        stage = Stage(layers)
        report = glorot.torch.init_(stage, RECIPE, seed=42, whole=whole)
    else:
        stage = meta(Stage, layers)
        report = glorot.torch.materialize(stage, RECIPE, seed=42, whole=whole)
    assert report.left_out == ()
    for name, parameter in stage.named_parameters():
        assert torch.equal(parameter, filled.get_parameter(name)), name
    found = glorot.torch.explain(stage, RECIPE, whole=whole)
    of_whole = {a.name: a for a in glorot.torch.explain(filled, RECIPE)}
    assert all(assignment == of_whole[assignment.name] for assignment in found)
    assert len(found) == len(list(stage.parameters()))


def test_what_came_untied_has_one_value(filled):
    """Two parameters of a stage that are one in the whole are both filled."""
    stage = Stage()
    stage.head.weight = nn.Parameter(torch.zeros(10, WIDTH))
    glorot.torch.init_(stage, RECIPE, seed=42, whole=filled)
    assert torch.equal(stage.head.weight, filled.embed.weight)
    assert torch.equal(stage.embed.weight, filled.embed.weight)


def test_layers_that_are_numbered_anew(filled):
    """Shapes say what the whole is as well, and `names` what a stage's layers are called there."""
    stage = nn.Sequential(Layer(), Layer())
    glorot.torch.init_(
        stage,
        RECIPE,
        seed=42,
        whole=glorot.torch.shapes(filled) | {"head.weight": (10, WIDTH)},
        names=lambda name: f"h.{int(name[0]) + 2}{name[1:]}",
    )
    for name, parameter in stage.named_parameters():
        assert torch.equal(parameter, filled.get_parameter(f"h.{int(name[0]) + 2}{name[1:]}"))


class Untyped(nn.Module):
    """What a layer of a traced stage is: the parameters, and no more."""

    def __init__(self, layer):
        super().__init__()
        for name, parameter in layer.named_parameters(recurse=False):
            self.register_parameter(name, parameter)
        for name, child in layer.named_children():
            self.add_module(name, Untyped(child))


def test_layers_that_forgot_what_they_were():
    """Types and axes are the whole's, as torch.distributed.pipelining traces layers."""
    recipe = glorot.Recipe(
        [
            glorot.Rule("*", "zeros", where={"ndim": 1}),
            glorot.Rule("*", "he_normal", where={"type": ["Linear", "Embedding"]}),
        ]
    )
    whole = Stage()
    glorot.torch.init_(whole, recipe, seed=42)
    stage = Untyped(Stage(range(1, 3)))
    with pytest.raises(ValueError, match="type='Untyped'"):
        glorot.torch.init_(stage, recipe, seed=42)
    glorot.torch.init_(stage, recipe, seed=42, whole=whole)
    for name, parameter in stage.named_parameters():
        assert torch.equal(parameter, whole.get_parameter(name)), name


def test_without_the_whole_a_stage_is_refused():
    """A rule for what is elsewhere is a mistake where nobody says that there is more."""
    with pytest.raises(ValueError, match=r"the rule for 'embed\.weight' matches no parameter"):
        glorot.torch.init_(Stage(range(1, 3)), RECIPE, seed=42)


REFUSED = {
    "a name": (
        lambda whole: glorot.torch.init_(nn.Linear(2, 2), RECIPE, seed=1, whole=whole),
        ValueError,
        r"the parameter 'weight' is none of `whole`\. Give it the name that it has there",
    ),
    "a shape": (
        lambda whole: glorot.torch.init_(
            nn.ModuleDict({"embed": nn.Embedding(9, WIDTH)}), RECIPE, seed=1, whole=whole
        ),
        ValueError,
        r"'embed\.weight' has the shape \(9, 8\), and in `whole` \(10, 8\)",
    ),
    "a rule of the whole": (
        lambda whole: glorot.torch.init_(
            Stage(range(1, 3)), glorot.Recipe(RECIPE.rules[2:5]), seed=1, whole=whole
        ),
        ValueError,
        r"no rule matches 'embed\.weight', 'h\.0\.up\.weight'",
    ),
    "a tensor": (
        lambda whole: glorot.torch.init_(
            torch.zeros(2), glorot.RandomNormal(), seed=1, name="w", whole=whole
        ),
        TypeError,
        "`whole` is for a module; a tensor that is a part has `shape` and `shard`",
    ),
    "no model": (
        lambda whole: glorot.torch.init_(Stage(), RECIPE, seed=1, whole=3),
        TypeError,
        "`whole` must be a torch.nn.Module or a mapping from names to shapes; got 3 of int",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(filled, case):
    """Before anything is filled, with what to do."""
    call, error, text = REFUSED[case]
    with pytest.raises(error, match=text):
        call(filled)
