# SPDX-License-Identifier: Apache-2.0
"""`VirtualCheckpoint`: what loads a checkpoint starts from a recipe, and no file is there."""

import pytest
import torch
import torch.distributed.checkpoint as dcp
from torch import nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.distributed.checkpoint import CheckpointException, DefaultLoadPlanner
from torch.distributed.checkpoint.default_planner import _EmptyStateDictLoadPlanner
from torch.distributed.checkpoint.state_dict_loader import _load_state_dict
from torch.nn.utils import parametrizations

import glorot
import glorot.torch

# One process is what these tests mean; the sharded ones are in test_torch_sharded.py.
pytestmark = [
    pytest.mark.frameworks,
    pytest.mark.filterwarnings("ignore:torch.distributed is disabled"),
]

VirtualCheckpoint = glorot.torch.VirtualCheckpoint
WEIGHT = glorot.GlorotUniform(layout="torch.linear")
NORMAL = glorot.RandomNormal()
RECIPE = glorot.Recipe(
    [
        glorot.Rule("*scale", NORMAL),
        glorot.Rule("*bias", "zeros"),
        glorot.Rule("*embed.weight", NORMAL),
        glorot.Rule("*", WEIGHT),
    ]
)


class Model(nn.Module):
    """A tied head, a number, a bfloat16 layer, an empty parameter and a persistent buffer."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(9, 4)
        self.head = nn.Linear(4, 9, bias=False)
        self.head.weight = self.embed.weight
        self.scale = nn.Parameter(torch.ones(()))
        self.low = nn.Linear(4, 3, dtype=torch.bfloat16)
        self.none = nn.Parameter(torch.empty(0, 4))
        self.register_buffer("steps", torch.arange(3))
        self.register_buffer("cache", torch.ones(2), persistent=False)


def filled():
    """The model, by init_."""
    model = Model()
    glorot.torch.init_(model, RECIPE, seed=42)
    return model


def equal(model, other):
    """Whether two models have equal state."""
    pairs = zip(model.state_dict().items(), other.state_dict().items(), strict=True)
    return all(name == at and torch.equal(a, b) for (name, a), (at, b) in pairs)


def meta():
    """The model on the meta device."""
    with torch.device("meta"):
        return Model()


DESCRIBED = {
    "the module": lambda model: model,
    "its state dict": lambda model: model.state_dict(),
    "a module on the meta device": lambda model: meta(),
}


@pytest.mark.parametrize("described", DESCRIBED)
def test_load_equals_init(described):
    """Loading gives what init_ gives, ties included; a number and an empty tensor too."""
    model = Model()
    recipe = RECIPE
    if described == "its state dict":  # of which every key needs a rule
        recipe = glorot.Recipe([glorot.Rule("steps", glorot.Constant(1)), *RECIPE.rules])
    reader = VirtualCheckpoint(recipe, 42, DESCRIBED[described](model))
    state = model.state_dict()
    if described == "a module on the meta device":  # which has no values for its buffer
        del state["steps"]
    dcp.load(state, storage_reader=reader)
    wanted = filled()
    if described == "its state dict":
        wanted.steps.fill_(1)
    assert equal(model, wanted)


def test_compiled_modules_and_prefixes():
    """Keys may have a compiled module's words, or begin with where the model is in the state."""
    model = torch.compile(Model(), backend="eager")
    reader = VirtualCheckpoint(RECIPE, 42, model)
    dcp.load(model.state_dict(), storage_reader=reader)
    assert equal(model._orig_mod, filled())

    model = Model()
    reader = VirtualCheckpoint(RECIPE, 42, model, prefix="model.")
    dcp.load({"model": model.state_dict()}, storage_reader=reader)
    assert equal(model, filled())


def wrapped(name):
    """A model in wrappers whose word `module.` is in the keys of its state dict."""
    if name == "DataParallel":
        return nn.DataParallel(Model())
    if name == "AveragedModel":
        return torch.optim.swa_utils.AveragedModel(Model())
    compiled = torch.compile(Model(), backend="eager")
    if name == "compiled inside":
        return nn.ModuleDict({"net": nn.DataParallel(compiled)})
    return torch.compile(nn.DataParallel(checkpoint_wrapper(Model())), backend="eager")


@pytest.mark.parametrize(
    "name", ["DataParallel", "AveragedModel", "compiled inside", "compiled outside"]
)
def test_wrappers(name):
    """The keys of a wrapped module's own state dict are known, and so are those without its words;
    the word of a model's own attribute stays."""
    model = wrapped(name)
    reader = VirtualCheckpoint(RECIPE, 42, model)
    state = model.state_dict()
    dcp.load(state, storage_reader=reader)
    wanted = Model()
    prefix = "net." if name == "compiled inside" else ""
    glorot.torch.init_(wanted, RECIPE, seed=42, names=lambda key: prefix + key)
    values = wanted.state_dict()
    for key, value in values.items():
        found = [v for k, v in state.items() if k.endswith(key)]
        assert len(found) == 1
        assert torch.equal(found[0], value), key
    plain = {prefix + key: torch.empty_like(value) for key, value in values.items()}
    dcp.load(plain, storage_reader=reader)
    assert all(torch.equal(plain[prefix + key], value) for key, value in values.items())


def test_a_module_called_module():
    """An attribute of a model's own that is called as a wrapper's is part of the name."""
    model = nn.ModuleDict({"module": nn.Linear(3, 2)})
    dcp.load(model.state_dict(), storage_reader=VirtualCheckpoint(NORMAL, 42, model))
    wanted = NORMAL((2, 3), seed=42, name="module.weight")
    assert (model["module"].weight.detach().numpy() == wanted).all()


@pytest.mark.parametrize("prefix", ["", "app.model."])
def test_keys_that_are_asked_for(prefix):
    """What reads a checkpoint without a state dict finds each key where a saved one has it."""
    reader = VirtualCheckpoint(RECIPE, 42, Model(), prefix=prefix)
    key = f"{prefix}low.weight"
    found = {}
    planner = _EmptyStateDictLoadPlanner(keys={key})
    _load_state_dict(found, storage_reader=reader, planner=planner, no_dist=True)
    for around in prefix.split(".")[:-1]:
        found = found[around]
    assert list(found) == ["low.weight"]
    assert torch.equal(found["low.weight"], filled().low.weight)


def test_shapes_and_names():
    """A mapping of shapes describes a model that is not here; `names` are what values come from."""
    state = {"w": torch.empty(3, 4), "b": torch.empty(3)}
    reader = VirtualCheckpoint(
        NORMAL, 42, {"w": (3, 4), "b": {"shape": [3], "dtype": "float32"}}, names={"w": "up.w"}
    )
    dcp.load(state, storage_reader=reader)
    assert (state["w"].numpy() == NORMAL((3, 4), seed=42, name="up.w")).all()
    assert (state["b"].numpy() == NORMAL((3,), seed=42, name="b")).all()


def test_memory_of_any_strides():
    """The values go where the state dict's tensors are."""
    base = torch.zeros(4, 6)
    state = {"w": base.T[::2]}
    dcp.load(state, storage_reader=VirtualCheckpoint(NORMAL, 42, state))
    assert (base.T[::2].numpy() == NORMAL((3, 4), seed=42, name="w")).all()
    assert (base.T[1::2] == 0).all()


def test_left_out():
    """A parameter that the recipe leaves out is a missing key, unless the planner allows that."""
    model = Model()
    recipe = glorot.Recipe([glorot.Rule("low.weight", None), *RECIPE.rules])
    reader = VirtualCheckpoint(recipe, 42, model)
    before = model.low.weight.detach().clone()
    with pytest.raises(CheckpointException, match=r"Missing key in checkpoint state_dict: low\."):
        dcp.load(model.state_dict(), storage_reader=reader)
    planner = DefaultLoadPlanner(allow_partial_load=True)
    dcp.load(model.state_dict(), storage_reader=reader, planner=planner)
    assert torch.equal(model.low.weight, before)
    assert torch.equal(model.embed.weight, filled().embed.weight)


def test_other_sizes_are_torchs_error():
    """A state dict of other shapes is refused by torch, before anything is read."""
    reader = VirtualCheckpoint(NORMAL, 42, {"w": (3, 4)})
    with pytest.raises(CheckpointException, match="Size mismatch between saved"):
        dcp.load({"w": torch.empty(4, 3)}, storage_reader=reader)


def test_no_path_means_it():
    """No path of a checkpoint is taken for this one."""
    assert not VirtualCheckpoint.validate_checkpoint_id("anything")


REFUSED = {
    "a key without a rule": (
        lambda: VirtualCheckpoint(
            glorot.Recipe([glorot.Rule("a", NORMAL)]), 1, {"a": 3, "b": (2,)}
        ),
        TypeError,
        "'a' in `shapes`: `shape` must be a sequence",
    ),
    "a parameter without a rule": (
        lambda: VirtualCheckpoint(glorot.Recipe([glorot.Rule("low.*", NORMAL)]), 1, Model()),
        ValueError,
        "no rule matches 'scale', 'none', 'embed.weight'",
    ),
    "an integer": (
        lambda: VirtualCheckpoint(NORMAL, 1, {"n": torch.zeros(3, dtype=torch.int64)}),
        TypeError,
        r"'n' of shape \(3,\) cannot be initialised by the rule for '\*'",
    ),
    "a parametrized module": (
        lambda: VirtualCheckpoint(NORMAL, 1, parametrizations.spectral_norm(nn.Linear(2, 2))),
        ValueError,
        "'weight' is parametrized, and a state dict holds what it is computed from, which is known",
    ),
    "no seed": (lambda: VirtualCheckpoint(NORMAL, None, Model()), TypeError, "`seed` must be an"),
    "no model": (lambda: VirtualCheckpoint(NORMAL, 1, 3), TypeError, "`model` must be a torch.nn"),
    "another prefix": (
        lambda: VirtualCheckpoint(NORMAL, 1, {"w": (3,)}, prefix="model."),
        ValueError,
        "the key 'w' of `model` must begin with `prefix`='model.'",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    """What is wrong is said when the checkpoint is made, before anything is loaded."""
    make, error, text = REFUSED[case]
    with pytest.raises(error, match=text):
        make()


def test_a_value_that_is_no_tensor():
    """What is no tensor is no part of it, and a reader that asks is told."""
    state = {"w": torch.empty(3), "step": 5}
    reader = VirtualCheckpoint(NORMAL, 42, {"w": (3,)})
    with pytest.raises(CheckpointException, match="Missing key in checkpoint state_dict: step"):
        dcp.load(state, storage_reader=reader)
