# SPDX-License-Identifier: Apache-2.0
"""Names of a module's parameters: what is left out, ties, and wrappers that change nothing."""

import pytest
import torch
from torch import nn
from torch_init_cases import (
    NORMAL,
    RECIPE,
    WEIGHT,
    Held,
    Language,
    compiled,
    expected,
    init_,
    mlp,
    same_weights,
)

import glorot
import glorot.torch

pytestmark = pytest.mark.frameworks


def test_left_out():
    """A rule of None leaves a parameter's memory as it is, and the report names it."""
    recipe = glorot.Recipe([glorot.Rule("0.*", None), glorot.Rule("*", NORMAL)])
    module = mlp()
    before = module[0].weight.detach().clone()
    report = init_(module, recipe, seed=42)
    assert torch.equal(module[0].weight, before)
    assert report.left_out == ("0.weight", "0.bias")


def test_a_dtype_without_initializers_can_be_left_out():
    """Such a parameter is no reason to refuse those beside it."""
    module = nn.Sequential(nn.Linear(3, 3), nn.Linear(2, 2, dtype=torch.complex64))
    before = module[1].weight.detach().clone()
    recipe = glorot.Recipe([glorot.Rule("1.*", None), *RECIPE.rules])
    report = init_(module, recipe, seed=42)
    assert report.left_out == ("1.weight", "1.bias")
    assert torch.equal(module[1].weight, before)
    assert torch.equal(module[0].weight, expected("0.weight", (3, 3)))
    with pytest.raises(TypeError, match=r"'1.weight' must .*complex64. .*Rule\('1.weight', None\)"):
        glorot.torch.shapes(module)


@pytest.mark.parametrize("convert", [torch.Tensor.to_sparse, torch.Tensor.to_sparse_csr])
@pytest.mark.filterwarnings("ignore:Sparse CSR")
def test_a_sparse_tensor_can_be_left_out(convert):
    """torch does not say where its memory is: it is left as it is, and shapes and plans do not
    need it. A fingerprint does."""
    module = nn.Sequential(nn.Linear(2, 2), Held(convert(torch.eye(2))))
    module.register_buffer("mask", convert(torch.eye(2)))
    recipe = glorot.Recipe([glorot.Rule("1.weight", None), *RECIPE.rules])
    report = init_(module, recipe, seed=42)
    assert report.left_out == ("1.weight",)
    assert report.buffers == ("mask",)
    assert torch.equal(module[0].weight, expected("0.weight", (2, 2)))
    assert torch.equal(module[1].weight.to_dense(), torch.eye(2))
    assert len(glorot.torch.explain(module, recipe)) == 2
    assert glorot.torch.shapes(module)["1.weight"].shape == (2, 2)
    with pytest.raises(TypeError, match=r"'1.weight' must be dense, got the layout torch.sparse"):
        glorot.torch.fingerprint(module)


LANGUAGE = glorot.Recipe(
    [
        glorot.Rule("*embed.weight", glorot.RandomNormal(stddev=0.02)),
        glorot.Rule("*head.weight", None),
        glorot.Rule("*bias", "zeros"),
        glorot.Rule("*", WEIGHT),
    ]
)


@pytest.mark.parametrize("head_first", [False, True])
def test_tied_parameters_are_filled_once_under_their_canonical_name(head_first):
    """The name is the first that the recipe has an initializer for, wherever it is registered: a
    rule that leaves the head out does not leave out what it is tied to."""
    module = Language(head_first)
    version = module.embed.weight._version
    report = init_(module, LANGUAGE, seed=42)
    tied = next(p for p in report.parameters if len(p.names) == 2)
    assert tied.name == "embed.weight"
    assert sorted(tied.names) == ["embed.weight", "head.weight"]
    assert module.head.weight is module.embed.weight
    assert module.embed.weight._version == version + 1
    wanted = expected("embed.weight", (9, 4), glorot.RandomNormal(stddev=0.02))
    assert torch.equal(module.head.weight, wanted)
    assert report.left_out == ()


def test_a_tied_parameter_needs_one_rule():
    """A rule for one of its names is enough; without any, the first is missing."""
    recipe = glorot.Recipe([glorot.Rule("embed.*", "ones"), glorot.Rule("layers.*", "zeros")])
    module = Language()
    init_(module, recipe, seed=42)
    assert (module.head.weight == 1).all()
    with pytest.raises(ValueError, match=r"no rule matches 'embed.weight'. Add a rule"):
        init_(module, glorot.Recipe([glorot.Rule("layers.*", "zeros")]), seed=42)


@pytest.mark.parametrize("view", ["flat", "transposed", "half", "orthogonal"])
def test_of_two_views_of_one_memory_the_last_stands(view):
    """Parameters of other shapes that share memory are filled one after another: the same bits
    whatever threads do, in the module's order."""
    memory = torch.zeros(2048, 1024)
    other = {"flat": memory.view(-1), "transposed": memory.t(), "half": memory[1024:],
             "orthogonal": memory[:64, :32]}[view]  # fmt: skip
    module = torch.nn.ParameterDict({"a": memory, "b": other})
    rules = [glorot.Rule("b", "orthogonal")] if view == "orthogonal" else []
    recipe = glorot.Recipe([*rules, glorot.Rule("*", "he_normal")])
    glorot.torch.init_(module, recipe, seed=3)
    wanted = memory.clone()
    found = {a.name: a for a in recipe.resolve({"a": memory.shape, "b": tuple(other.shape)})}
    for name, part in (("a", wanted), ("b", wanted.as_strided(other.size(), other.stride(),
                                                             other.storage_offset()))):  # fmt: skip
        values = found[name].initializer(tuple(part.shape), seed=3, name=name)
        part.copy_(torch.from_numpy(values))
    assert torch.equal(memory, wanted)


def test_parameters_that_share_their_memory_are_tied():
    """Two parameters over one memory are filled once; two views of one buffer that do not share
    elements are two parameters."""
    module = nn.ParameterDict({"a": torch.empty(3, 4)})
    module["b"] = nn.Parameter(module["a"].data)
    report = init_(module, NORMAL, seed=42)
    assert [p.names for p in report.parameters] == [("a", "b")]
    assert torch.equal(module["b"], expected("a", (3, 4), NORMAL))

    flat = torch.empty(6)
    module = nn.ParameterDict({"a": flat[:3], "b": flat[3:]})
    assert len(init_(module, NORMAL, seed=42).parameters) == 2
    assert torch.equal(module["b"], expected("b", (3,), NORMAL))


def test_a_module_that_is_used_twice():
    """A shared module's parameters have two names, and the first counts."""
    layer = nn.Linear(3, 3)
    report = init_(nn.Sequential(layer, nn.ReLU(), layer), RECIPE, seed=42)
    assert [p.names for p in report.parameters] == [("0.weight", "2.weight"), ("0.bias", "2.bias")]


def checkpointed(module):
    """Activation checkpointing of every layer."""
    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import (
        apply_activation_checkpointing,
    )

    apply_activation_checkpointing(module, check_fn=lambda part: isinstance(part, nn.Linear))
    return module


WRAPPERS = {
    "compiled": compiled,
    "compiled in place": lambda module: module.compile(backend="eager") or module,
    "checkpointed": checkpointed,
    "compiled checkpoints": lambda module: compiled(checkpointed(module)),
    "DataParallel": nn.DataParallel,
    "averaged": torch.optim.swa_utils.AveragedModel,
}


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_wrapping_changes_no_weight(wrapper):
    """Compiled, checkpointed, averaged or replicated, a module has the same names and weights."""
    plain, wrapped = Language(), WRAPPERS[wrapper](Language())
    report = init_(plain, LANGUAGE, seed=42)
    again = init_(wrapped, LANGUAGE, seed=42)
    assert same_weights(plain, wrapped)
    assert [p.names for p in again.parameters] == [p.names for p in report.parameters]


def test_a_models_own_module_keeps_its_name():
    """`module` is a wrapper's word only in a wrapper."""
    module = nn.Module()
    module.module = nn.Linear(2, 2)
    assert [p.name for p in init_(module, RECIPE, seed=42).parameters] == [
        "module.weight",
        "module.bias",
    ]


def test_names_for_a_part_of_a_model():
    """A pipeline's stage is given the names of the whole model, by a mapping or a function."""
    whole, stage = mlp(), nn.Sequential(nn.Linear(5, 3))
    init_(whole, RECIPE, seed=42)
    report = init_(stage, RECIPE, seed=42, names={"0.weight": "2.weight", "0.bias": "2.bias"})
    assert torch.equal(stage[0].weight, whole[2].weight)
    assert report.parameters[0].name == "2.weight"
    init_(stage, RECIPE, seed=42, names=lambda name: f"stage.{name}")
    assert torch.equal(stage[0].weight, expected("stage.0.weight", (3, 5)))


def test_names_of_nothing_are_refused():
    """A misspelt name would leave its weight the old one, and other values; a stage alone may be
    given the names of the whole model."""
    model, names = mlp(), {"0.weight": "up.weight", "2.wieght": "down.weight"}
    before = model[0].weight.clone()
    text = r"`names` has '2.wieght', which nothing in the module is called. Near: 2.weight"
    for ask in (init_, glorot.torch.materialize):
        with pytest.raises(ValueError, match=text):
            ask(model, RECIPE, seed=42, names=names)
    with pytest.raises(ValueError, match=text):
        glorot.torch.explain(model, RECIPE, names=names)
    assert torch.equal(model[0].weight, before)
    stage = nn.Sequential(nn.Linear(7, 5))
    names = {"0.weight": "up.weight", "2.weight": "down.weight"}
    whole = {"up.weight": (5, 7), "0.bias": (5,), "down.weight": (3, 5), "2.bias": (3,)}
    report = init_(stage, RECIPE, seed=42, names=names, whole=whole)
    assert [p.name for p in report.parameters] == ["up.weight", "0.bias"]


def test_canonical_name():
    """What wrappers add is left out, wherever it stands; all else stays."""
    for name, wanted in {
        "_orig_mod.a.b": "a.b",
        "a._checkpoint_wrapped_module._orig_mod.weight": "a.weight",
        "_fsdp_wrapped_module._fsdp_wrapped_module.w": "w",
        "module.w": "module.w",
        "a_orig_mod.w": "a_orig_mod.w",
    }.items():
        assert glorot.torch.canonical_name(name) == wanted
