# SPDX-License-Identifier: Apache-2.0
"""GPT-2 as transformers has it: our checkpoint loads, and the recipe is its initialisation."""

import json
import math
from pathlib import Path

import pytest
import torch
import transformers

import glorot

pytestmark = pytest.mark.frameworks

LAYERS, WIDTH = 5, 96
RECIPE = glorot.recipe.load("gpt2")


def config():
    """A small GPT-2."""
    return transformers.GPT2Config(
        n_layer=LAYERS, n_embd=WIDTH, n_head=4, vocab_size=1500, n_positions=200
    )


def shapes_of(cls):
    """The parameters of a model that is never given memory, without those that are tied."""
    with torch.device("meta"):
        return dict(cls(config()).named_parameters())


@pytest.mark.parametrize("cls", ["GPT2Model", "GPT2LMHeadModel"])
@pytest.mark.parametrize("names", ["GPT2Model", "GPT2LMHeadModel"])
@pytest.mark.parametrize("limit", [None, "400kB"])
def test_loads_into_transformers(tmp_path, cls, names, limit):
    """Written by the published names (h.0. ...) or by the full model's (transformer.h.0. ...), in
    one file or in shards, the checkpoint loads with no missing, unexpected or mismatched key, and
    the model holds its values."""
    shapes = shapes_of(getattr(transformers, names))
    glorot.checkpoint.write(shapes, RECIPE, tmp_path, seed=42, max_shard_size=limit)
    (tmp_path / "config.json").write_text(json.dumps(config().to_dict()))
    model, info = getattr(transformers, cls).from_pretrained(tmp_path, output_loading_info=True)
    assert {key: value for key, value in info.items() if value} == {}
    found = {n.removeprefix("transformer."): p for n, p in model.named_parameters()}
    expected = {n.removeprefix("transformer."): n for n in shapes}
    assert found.keys() == expected.keys()
    for assignment in RECIPE.resolve(shapes):
        value = assignment.initializer(assignment.shape, seed=42, name=assignment.name)
        ours = torch.from_numpy(value)
        assert torch.equal(found[assignment.name.removeprefix("transformer.")].detach(), ours)
    if cls == "GPT2LMHeadModel":
        assert model.lm_head.weight is model.transformer.wte.weight
    with torch.no_grad():
        tokens = torch.arange(20)[None]
        assert torch.isfinite(model(tokens)[0]).all()


def kinds(tensors):
    """Tensors by kind, a layer's number left out: {"h.*.attn.c_proj.weight": [...]}."""
    groups = {}
    for name, tensor in tensors.items():
        parts = ["*" if part.isdigit() else part for part in name.split(".")]
        groups.setdefault(".".join(parts), []).append(tensor)
    return groups


def within(measured, expected, count):
    """Whether a stddev of `count` normal values is within 5 standard errors of what is expected."""
    return abs(measured - expected) <= 5 * expected / math.sqrt(2 * count)


def test_statistics_of_transformers_init_weights():
    """Each kind of parameter that transformers' own `_init_weights` makes has our expected stddev,
    and not one without depth scaling, with one branch, or with the variance scaled instead."""
    torch.manual_seed(0)
    theirs = dict(transformers.GPT2Model(config()).named_parameters())
    ours = {a.name: a for a in RECIPE.resolve(theirs)}
    assert ours.keys() == theirs.keys()
    assert len(kinds(theirs)) == 16
    for kind, tensors in kinds(theirs).items():
        values = torch.cat([tensor.detach().double().ravel() for tensor in tensors])
        (expected,) = {ours[name].stddev for name in theirs if kind in kinds({name: None})}
        if expected == 0.0:
            constant = 1.0 if kind.endswith("weight") else 0.0
            assert (values == constant).all()
            initializers = {ours[name].law for name in theirs if kind in kinds({name: None})}
            assert initializers == {"Ones" if constant else "Zeros"}
            continue
        measured, count = values.std(correction=0).item(), values.numel()
        assert abs(values.mean().item()) <= 5 * expected / math.sqrt(count)
        assert within(measured, expected, count), kind
        deep = "c_proj" in kind
        for wrong in (
            0.02 if deep else 0.02 / math.sqrt(2 * LAYERS),
            0.02 / math.sqrt(LAYERS),
            0.02 / (2 * LAYERS),
            0.02 * 0.8796256610342398,  # a truncated normal of that stddev
        ):
            assert not within(measured, wrong, count), (kind, wrong)


def test_statistics_of_what_we_write(tmp_path):
    """The values written have the stddevs that transformers' have, by the same measure."""
    shapes = shapes_of(transformers.GPT2Model)
    report = glorot.checkpoint.write(shapes, RECIPE, tmp_path, seed=1)
    for tensor in report.tensors:
        if tensor.expected_stddev:
            assert within(tensor.stddev, tensor.expected_stddev, tensor.count), tensor
        else:
            assert tensor.stddev == 0.0


def test_example_is_the_published_model():
    """examples/gpt2-124m.json has the names and shapes of transformers' default GPT-2."""
    path = Path(__file__).parents[2] / "examples" / "gpt2-124m.json"
    example = glorot.checkpoint.read_shapes(path)
    with torch.device("meta"):
        model = transformers.GPT2Model(transformers.GPT2Config())
    theirs = {name: tuple(p.shape) for name, p in model.named_parameters()}
    assert {name: spec.shape for name, spec in example.items()} == theirs
