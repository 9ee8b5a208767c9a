# SPDX-License-Identifier: Apache-2.0
"""Real models start from the same bytes whole, from the meta device, compiled, wrapped, sharded."""

import copy
import functools

import pytest
import torch
import torch_models
import torch_world
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import (
    apply_activation_checkpointing,
)

import glorot
import glorot.torch
from glorot.recipe._argument import read_recipe

pytestmark = pytest.mark.frameworks

SEED = torch_models.SEED


@functools.cache
def whole(name):
    """The model, filled in one process."""
    make, recipe, _ = torch_models.MODELS[name]
    model = make()
    report = glorot.torch.init_(model, recipe, seed=SEED)
    return model.eval(), report


@pytest.mark.parametrize("name", torch_models.MODELS)
def test_every_parameter_is_numpys(name):
    """By the names that named_parameters gives, and nothing is left as torch drew it."""
    model, report = whole(name)
    parameters = dict(model.named_parameters())
    assert [p.name for p in report.parameters] == list(parameters)
    for assignment in read_recipe(torch_models.MODELS[name][1]).resolve(
        dict(model.named_parameters(remove_duplicate=False))
    ):
        if assignment.name in parameters:
            wanted = assignment.initializer(assignment.shape, seed=SEED, name=assignment.name)
            assert torch.equal(parameters[assignment.name], torch.from_numpy(wanted))


@pytest.mark.parametrize("name", torch_models.MODELS)
def test_from_the_meta_device(name):
    """Materialised, a model computes exactly what the whole one does: weights, ties, strides and
    buffers are the same."""
    make, recipe, inputs = torch_models.MODELS[name]
    model, _ = whole(name)
    found = torch_models.on_meta(make)
    glorot.torch.materialize(found, recipe, seed=SEED)
    for (at, ours), (_, wanted) in zip(
        [*found.named_parameters(), *found.named_buffers()],
        [*model.named_parameters(), *model.named_buffers()],
        strict=True,
    ):
        assert torch.equal(ours, wanted), at
        assert ours.stride() == wanted.stride(), at
    with torch.no_grad():
        results = [run(inputs()) for run in (found.eval(), model)]
    results = [getattr(result, "logits", result) for result in results]
    assert torch.equal(*results)
    assert torch.isfinite(results[0]).all()


@pytest.mark.parametrize("name", torch_models.MODELS)
def test_compiled_and_wrapped(name):
    """Compiled or with its activations checkpointed, the fingerprint is the same."""
    make, recipe, _ = torch_models.MODELS[name]
    fingerprint = glorot.torch.fingerprint(whole(name)[0])
    wrapped = copy.deepcopy(torch_models.on_meta(make))
    apply_activation_checkpointing(wrapped, check_fn=lambda part: hasattr(part, "weight"))
    compiled = torch.compile(wrapped, backend="eager")
    glorot.torch.materialize(compiled, recipe, seed=SEED)
    assert glorot.torch.fingerprint(compiled) == fingerprint
    assert any("_checkpoint_wrapped_module" in at for at, _ in compiled.named_modules())


def test_sharded():
    """Two ranks of FSDP2, in place and from the meta device: the same fingerprint, and buffers that
    every rank has as the whole model has them."""
    for found in torch_world.run(2, torch_models.fingerprints):
        assert found.keys() == torch_models.MODELS.keys()
        for name, (in_place, from_meta, buffers) in found.items():
            model, _ = whole(name)
            wanted = glorot.torch.fingerprint(model)
            assert in_place == wanted, name
            assert from_meta == wanted, name
            assert buffers == {at: buffer.tolist() for at, buffer in model.named_buffers()}


def test_fingerprints_tell_models_apart():
    """Another seed, another name or one value more is another fingerprint."""
    make, recipe, _ = torch_models.MODELS["resnet"]
    model = make()
    found = set()
    for seed in (SEED, SEED + 1):
        glorot.torch.init_(model, recipe, seed=seed)
        found.add(glorot.torch.fingerprint(model))
    found.add(glorot.torch.fingerprint(model, names=lambda name: f"a.{name}"))
    with torch.no_grad():
        model.fc.bias[3] = 1e-30
    found.add(glorot.torch.fingerprint(model))
    assert len(found) == 4


def test_a_dtype_without_a_fingerprint():
    """The parameter is named, whatever its dtype."""
    for dtype in (torch.complex64, torch.float8_e4m3fnuz):
        odd = torch.nn.Parameter(torch.zeros(3).to(dtype), requires_grad=False)
        model = torch.nn.ParameterDict({"odd": odd})
        with pytest.raises(TypeError, match=r"'odd' is of torch.*, which has no fingerprint"):
            glorot.torch.fingerprint(model)
