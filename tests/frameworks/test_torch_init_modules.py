# SPDX-License-Identifier: Apache-2.0
"""`glorot.torch.init_` of modules: the report, recipes by path, and which modules are refused."""

import json

import pytest
import torch
from torch import nn
from torch.nn.utils import prune
from torch_init_cases import (
    NORMAL,
    RECIPE,
    WEIGHT,
    Held,
    doubled,
    expected,
    init_,
    mlp,
    same_weights,
)

import glorot
import glorot.torch

pytestmark = pytest.mark.frameworks


def test_a_module_and_its_report():
    """Each parameter is NumPy's of its name, and the report says what it got."""
    module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Linear(8, 4))
    module[2].to(torch.bfloat16)
    recipe = glorot.Recipe(
        [
            glorot.Rule("1.weight", "ones"),
            glorot.Rule("*bias", "zeros"),
            glorot.Rule("*", WEIGHT),
        ]
    )
    report = init_(module, recipe, seed=42)
    assert torch.equal(module[0].weight, expected("0.weight", (8, 3, 3, 3)))
    rounded = WEIGHT((4, 8), dtype="bfloat16", seed=42, name="2.weight")
    assert (module[2].weight.view(torch.int16).numpy() == rounded.view("i2")).all()
    assert (module[1].weight == 1).all()
    assert (module[2].bias == 0).all()
    assert [p.name for p in report.parameters] == [n for n, _ in module.named_parameters()]
    conv = report.parameters[0]
    assert (conv.pattern, conv.shape, conv.dtype, conv.count) == ("*", (8, 3, 3, 3), "float32", 216)
    assert conv.shards == (glorot.Shard((0, 0, 0, 0), (8, 3, 3, 3)),)
    assert conv.law == "U(-0.2462, 0.2462)"
    assert report.buffers == ("1.running_mean", "1.running_var", "1.num_batches_tracked")
    assert (report.seed, report.recipe, report.stream) == (42, recipe.fingerprint, 1)
    assert json.loads(json.dumps(report.as_dict())) == report.as_dict()
    assert report.as_dict()["parameters"][4]["dtype"] == "bfloat16"


def test_recipes_by_path_and_one_initializer_for_all(tmp_path):
    """A recipe may be a file, and one initializer stands for a recipe of one rule."""
    file = tmp_path / "recipe.json"
    file.write_text(RECIPE.to_json())
    ours, other = mlp(), mlp()
    init_(ours, RECIPE, seed=42)
    init_(other, file, seed=42)
    assert same_weights(ours, other)
    init_(other, glorot.RandomNormal(stddev=0.5), seed=42)
    assert torch.equal(other[0].bias, expected("0.bias", (5,), glorot.RandomNormal(stddev=0.5)))


def test_explain_says_what_init_does():
    """Rule, law and fans of each parameter are those of the report after; nothing is filled."""
    with torch.device("meta"):
        lazy = mlp()
    module = holds_nan(mlp())
    names = {"0.weight": "first.weight"}
    found = glorot.torch.explain(module, RECIPE, names=names)
    assert all(parameter.isnan().all() for parameter in module.parameters())
    assert glorot.torch.explain(lazy, RECIPE, names=names) == found
    report = init_(module, RECIPE, seed=42, names=names)
    assert [(a.name, a.rule.pattern, a.initializer, a.shape) for a in found] == [
        (p.name, p.pattern, p.initializer, p.shape) for p in report.parameters
    ]
    assert found[0].name == "first.weight"
    with pytest.raises(ValueError, match=r"no rule matches '2.weight', '2.bias'"):
        glorot.torch.explain(module, MISSING)


def test_the_global_generators_are_not_touched():
    """torch's own random numbers go on as if nothing had happened."""
    torch.manual_seed(0)
    before = torch.get_rng_state()
    init_(mlp(), RECIPE, seed=42)  # (making it draws)
    torch.set_rng_state(before)
    module = mlp()
    state = torch.get_rng_state()
    init_(module, RECIPE, seed=42)
    assert torch.equal(torch.get_rng_state(), state)


def holds_nan(module):
    """Fill a module with NaN, so that what is written shows."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(float("nan"))
    return module


class Counter(nn.Module):
    """A module with a parameter of integers."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.steps = nn.Parameter(torch.zeros(3, dtype=torch.int64), requires_grad=False)


def an_lstm_of_two_names():
    """Two tensors whose names are one once wrappers are left out."""
    module = nn.Module()
    module.a = nn.Linear(2, 2)
    module._orig_mod = nn.Module()
    module._orig_mod.a = nn.Linear(2, 2)
    return module


UNUSED = glorot.Recipe([glorot.Rule("*wieght", "ones"), glorot.Rule("*", "zeros")])
MISSING = glorot.Recipe([glorot.Rule("0.*", "ones")])


def legacy(add):
    """A module whose last layer has one of torch's older hooks."""
    module = mlp()
    add(module[2])
    return module


def old_weight_norm(layer):
    """The weight_norm before parametrizations."""
    with pytest.warns(FutureWarning):
        nn.utils.weight_norm(layer)


def zero3():
    """A module whose last parameter looks as DeepSpeed ZeRO 3 leaves it."""
    module = mlp()
    module[2].bias.ds_shape = (3,)
    return module


REFUSED_MODULES = {
    "a parameter without a rule": (
        mlp,
        MISSING,
        ValueError,
        r"no rule matches '2.weight', '2.bias'. Add a rule",
    ),
    "a rule without a parameter": (mlp, UNUSED, ValueError, r"the rule for '\*wieght' matches no"),
    "integers": (
        Counter,
        RECIPE,
        TypeError,
        r"'steps' of shape \(3,\) cannot be initialised.*Put Rule\('steps', None\) first",
    ),
    "complex": (
        lambda: nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2, dtype=torch.complex64)),
        RECIPE,
        TypeError,
        "the parameter '1.weight' must have one of the dtypes",
    ),
    "lazy": (
        lambda: nn.Sequential(nn.Linear(2, 2), nn.LazyLinear(3)),
        RECIPE,
        ValueError,
        "the parameter '1.weight' is lazy",
    ),
    "meta": (
        lambda: nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2, device="meta")),
        RECIPE,
        ValueError,
        "the parameter '1.weight' is on the meta device",
    ),
    "a meta buffer": (
        lambda: nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2, affine=False, device="meta")),
        RECIPE,
        ValueError,
        "the buffer '1.running_mean' is on the meta device and has no values",
    ),
    "a lazy buffer": (
        lambda: nn.Sequential(nn.Linear(2, 2), nn.LazyBatchNorm1d(affine=False)),
        RECIPE,
        ValueError,
        "the buffer '1.running_mean' is lazy",
    ),
    "expanded": (
        lambda: nn.Sequential(nn.Linear(2, 2), Expanded()),
        RECIPE,
        ValueError,
        "the parameter '1.weight' must hold each element in memory of its own",
    ),
    "one name for two": (
        an_lstm_of_two_names,
        RECIPE,
        ValueError,
        "two tensors are called 'a.weight' once wrappers are left out",
    ),
    "no inverse": (
        doubled,
        RECIPE,
        ValueError,
        "'2.weight' is parametrized by Doubled, which has no right_inverse",
    ),
    "old weight_norm": (
        lambda: legacy(old_weight_norm),
        RECIPE,
        ValueError,
        "the module '2' has the hook WeightNorm, which computes a weight",
    ),
    "old spectral_norm": (
        lambda: legacy(nn.utils.spectral_norm),
        RECIPE,
        ValueError,
        "has the hook SpectralNorm",
    ),
    "pruned": (
        lambda: legacy(lambda layer: prune.l1_unstructured(layer, "weight", 2)),
        RECIPE,
        ValueError,
        "has the hook L1Unstructured",
    ),
    "sparse": (
        lambda: nn.Sequential(nn.Linear(2, 2), Held(torch.eye(2).to_sparse())),
        RECIPE,
        TypeError,
        "the parameter '1.weight' must be dense, got the layout torch.sparse_coo",
    ),
    "ZeRO 3": (zero3, RECIPE, ValueError, "'2.bias' is partitioned by DeepSpeed ZeRO 3"),
}


class Expanded(nn.Module):
    """A parameter whose elements share memory."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(2, 1).expand(2, 3))


@pytest.mark.parametrize("case", REFUSED_MODULES)
def test_a_refused_module_is_as_it_was(case):
    """Errors name the parameter, and come before any memory is changed."""
    make, recipe, error, text = REFUSED_MODULES[case]
    module = make()
    first = next(module.parameters())
    with torch.no_grad():
        first.fill_(7.0)
    version = first._version
    with pytest.raises(error, match=text):
        init_(module, recipe, seed=42)
    assert (first == 7.0).all()
    assert first._version == version


def test_memory_can_still_be_resized():
    """Filling takes nothing from a tensor's storage: it is freed and given back afterwards, as
    sharding and offloading do."""
    for dtype in (torch.float32, torch.bfloat16):
        tensor = torch.empty(6, 4, dtype=dtype)
        init_(tensor, NORMAL, seed=42, name="w")
        glorot.torch.fingerprint(nn.ParameterList([tensor]))
        size = tensor.untyped_storage().nbytes()
        tensor.untyped_storage().resize_(0)
        tensor.untyped_storage().resize_(size)
        init_(tensor, NORMAL, seed=42, name="w")
        assert (tensor == init_(torch.empty(6, 4, dtype=dtype), NORMAL, seed=42, name="w")).all()
