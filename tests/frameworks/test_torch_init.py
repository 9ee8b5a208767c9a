# SPDX-License-Identifier: Apache-2.0
"""`glorot.torch.init_`: tensors and modules filled in place, under names that wrapping keeps."""

import io
import json
import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize, prune, stateless

import glorot
import glorot.torch

pytestmark = pytest.mark.frameworks

init_ = glorot.torch.init_
WEIGHT = glorot.GlorotUniform(layout="torch.conv")
RECIPE = glorot.Recipe([glorot.Rule("*bias", "zeros"), glorot.Rule("*", WEIGHT)])
NORMAL = glorot.RandomNormal()


def expected(name, shape, initializer=WEIGHT, seed=42):
    """The weight as NumPy has it."""
    return torch.from_numpy(initializer(tuple(shape), seed=seed, name=name))


def mlp():
    """Two layers."""
    return nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 3))


def same_weights(module, other):
    """Whether two modules have equal parameters in equal places."""
    ours, theirs = list(module.parameters()), list(other.parameters())
    assert len(ours) == len(theirs) > 0
    return all(torch.equal(p, q) for p, q in zip(ours, theirs, strict=True))


# --- tensors --------------------------------------------------------------------------------------


def test_requires_grad_stays_and_autograd_is_told():
    """A leaf keeps `requires_grad`, its version goes up by one, and a graph that saved the old
    values refuses to be run back, as after torch's own operations in place."""
    w = nn.Parameter(torch.ones(4))
    loss = (w * w).sum()
    version, address = w._version, w.data_ptr()
    assert init_(w, NORMAL, seed=42, name="w") is w
    assert (w.requires_grad, w.is_leaf, w._version, w.data_ptr()) == (
        *(True, True, version + 1),
        address,
    )
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    view = w.detach()
    init_(view, NORMAL, seed=42, name="w")
    assert w._version == version + 2


@pytest.mark.parametrize("initializer", ["glorot_uniform", glorot.HeNormal, {"class_name": "Ones"}])
def test_initializers_by_name_class_and_config(initializer):
    """What `glorot.get` reads is read."""
    w = init_(torch.empty(4, 3), initializer, seed=42, name="w")
    assert torch.equal(w, expected("w", (4, 3), glorot.get(initializer)))


def test_the_initializers_own_seed():
    """A seed of the initializer serves where the call gives none."""
    w = init_(torch.empty(3), glorot.RandomNormal(seed=7), name="w")
    assert torch.equal(w, expected("w", (3,), NORMAL, seed=7))


@pytest.mark.parametrize("dtype", [torch.int32, torch.bool, torch.uint8])
def test_constants_write_integers(dtype):
    """Constants fill integers and bool, as in NumPy."""
    w = init_(torch.zeros(3, dtype=dtype), glorot.Ones(), name="steps")
    assert w.dtype is dtype
    assert w.tolist() == [1, 1, 1]


def test_a_shard_of_a_plain_tensor():
    """`shape` and `shard` say which part of a whole a plain tensor is; fans are the whole's."""
    rows = torch.empty(2, 6)
    init_(rows, WEIGHT, seed=42, name="w", shape=(8, 6), shard=(slice(3, 5),))
    assert torch.equal(rows, expected("w", (8, 6))[3:5])
    assert not torch.equal(rows, expected("w", (2, 6)))


def fake():
    """A FakeTensor."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    return FakeTensorMode().from_tensor(torch.empty(3))


def freed():
    """A tensor whose storage has been given back."""
    tensor = torch.empty(3)
    tensor.untyped_storage().resize_(0)
    return tensor


def inference():
    """A tensor of inference mode."""
    with torch.inference_mode():
        return torch.empty(3)


class Wrapper(torch.Tensor):
    """A tensor whose values are elsewhere."""

    @staticmethod
    def __new__(cls, inner):
        """A shape, and no memory."""
        return torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype)

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        """Nothing works."""
        raise AssertionError(func)


REFUSED = {
    "complex": (
        lambda: torch.empty(3, dtype=torch.complex64),
        (TypeError, r"`tensor` must have one of the dtypes float32, .*real and imaginary parts"),
    ),
    "integer": (
        lambda: torch.empty(3, dtype=torch.int64),
        (TypeError, r"`dtype` must be one of float32, .*Only floating point"),
    ),
    "another float8": (
        lambda: torch.empty(3, dtype=torch.float8_e4m3fnuz),
        (TypeError, "got torch.float8_e4m3fnuz"),
    ),
    "conjugated": (
        lambda: torch.empty(3, dtype=torch.complex64).conj().imag,
        (ValueError, "conjugated or negated view: its memory does not hold its values"),
    ),
    "expanded": (
        lambda: torch.empty(3, 1).expand(3, 4),
        (ValueError, r"each element in memory of its own, got shape \(3, 4\) with strides"),
    ),
    "overlapping": (
        lambda: torch.empty(9).as_strided((3, 3), (2, 1)),
        (ValueError, r"tensor.clone\(\)"),
    ),
    "meta": (
        lambda: torch.empty(3, device="meta"),
        (ValueError, r"no memory. Use glorot.torch.materialize\(module"),
    ),
    "sparse": (
        lambda: torch.eye(3).to_sparse(),
        (TypeError, "must be dense, got the layout torch.sparse_coo"),
    ),
    "lazy": (lambda: nn.LazyLinear(3).weight, (ValueError, "lazy: it has no shape yet. Run")),
    "fake": (fake, (TypeError, "is a FakeTensor, which has a shape and no values")),
    "freed": (freed, (ValueError, r"memory taken away \(its storage has 0 bytes\)")),
    "inference": (inference, (ValueError, "made in inference mode")),
    "wrapper": (
        lambda: Wrapper(torch.empty(3)),
        (TypeError, "`tensor` is a Wrapper, which keeps its values in other tensors"),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_tensors(case):
    """Each is refused for what it is, and told what to do."""
    make, (error, text) = REFUSED[case]
    with pytest.raises(error, match=text):
        init_(make(), NORMAL, seed=42, name="w")


def test_inference_tensors_in_inference_mode():
    """Where torch lets them be written, so do we."""
    with torch.inference_mode():
        w = init_(torch.empty(3), NORMAL, seed=42, name="w")
        assert torch.equal(w, expected("w", (3,), NORMAL))


def test_an_empty_freed_or_expanded_tensor_is_nothing_to_fill():
    """Without elements there is no memory to be wrong."""
    empty = torch.empty(0, 1).expand(0, 4)
    assert init_(empty, NORMAL, seed=42, name="w") is empty


def test_inside_transforms_and_tracing():
    """torch.func and make_fx see no writes of ours, so we refuse; the tensor is as it was."""
    from torch.fx.experimental.proxy_tensor import make_fx

    w = torch.zeros(3)

    def loss(x):
        init_(x, NORMAL, seed=42, name="w")
        return x.sum()

    with pytest.raises(TypeError, match=r"inside of a torch.func transform"):
        torch.func.grad(loss)(w)
    with pytest.raises(RuntimeError, match="what torch is tracing here"):
        make_fx(loss)(w)
    assert (w == 0).all()

    layer = nn.Linear(3, 3)

    def loss_of(weights):
        with stateless._reparametrize_module(layer, weights):
            init_(layer, RECIPE, seed=42)

    with pytest.raises(TypeError, match=r"'weight' is inside of a torch.func transform"):
        torch.func.grad(loss_of)(dict(layer.named_parameters()))


@pytest.mark.parametrize(
    ("arguments", "options", "error", "text"),
    [
        ((torch.empty(3), NORMAL), {"seed": 1}, TypeError, "`name` is missing"),
        ((torch.empty(3), NORMAL), {"name": "w"}, ValueError, "`seed` is missing"),
        ((torch.empty(3), NORMAL), {"seed": -1, "name": "w"}, ValueError, "`seed` must lie in"),
        ((torch.empty(3), sum), {"seed": 1, "name": "w"}, TypeError, "`initializer` must be one"),
        ((np.empty(3), NORMAL), {"seed": 1, "name": "w"}, TypeError, "init_ fills a torch.Tensor"),
        (
            (torch.empty(3), NORMAL),
            {"seed": 1, "name": "w", "names": {}},
            TypeError,
            "`names` is for a module",
        ),
        ((mlp(), RECIPE), {"seed": 1, "name": "w"}, TypeError, "`name` is for a tensor"),
        (
            (mlp(), RECIPE),
            {"seed": 1, "shard": slice(1)},
            TypeError,
            "`shard` is for a tensor",
        ),
        (
            (torch.empty(3), NORMAL),
            {"seed": 1, "name": "w", "shard": slice(3)},
            TypeError,
            "give both or neither",
        ),
        (
            (torch.empty(3), NORMAL),
            {"seed": 1, "name": "w", "shape": (8,), "shard": slice(2, 4)},
            ValueError,
            r"must have the shape of the shard, \(2,\), got \(3,\)",
        ),
        ((mlp(), RECIPE), {}, TypeError, "`seed` must be an integer"),
        ((mlp(), 3), {"seed": 1}, TypeError, "`recipe` must be a glorot.Recipe"),
        (
            (mlp(), "no such"),
            {"seed": 1},
            ValueError,
            r"the name of a built-in one \(.*got .no such.",
        ),
        ((mlp(), RECIPE), {"seed": 1, "names": 3}, TypeError, "`names` must be a mapping"),
        ((nn.ReLU(), RECIPE), {"seed": 1}, ValueError, "has no parameters"),
    ],
)
def test_refused_arguments(arguments, options, error, text):
    """Each wrong argument is named."""
    with pytest.raises(error, match=text):
        init_(*arguments, **options)


# --- modules --------------------------------------------------------------------------------------


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


class Doubled(nn.Module):
    """A parametrization that has no inverse."""

    def forward(self, x):
        """Twice x."""
        return 2 * x


def doubled():
    """A module so parametrized."""
    module = mlp()
    parametrize.register_parametrization(module[2], "weight", Doubled())
    return module


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


class Held(nn.Module):
    """A module with this parameter."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)


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


# --- names ----------------------------------------------------------------------------------------


class Language(nn.Module):
    """A model whose head is its embedding."""

    def __init__(self, head_first=False):
        super().__init__()
        if head_first:
            self.head = nn.Linear(4, 9, bias=False)
        self.embed = nn.Embedding(9, 4)
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(2))
        if not head_first:
            self.head = nn.Linear(4, 9, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x):
        """Through all layers."""
        x = self.embed(x)
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


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


def compiled(module):
    """torch.compile's wrapper; the compiler behind it does not matter."""
    return torch.compile(module, backend="eager")


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


# --- parametrizations -----------------------------------------------------------------------------


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


# --- compilation ----------------------------------------------------------------------------------


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


def test_import_glorot_imports_no_torch():
    """`import glorot` does not load torch; `glorot.torch` is loaded when it is asked for."""
    code = "import sys, glorot; assert 'torch' not in sys.modules; glorot.torch; print(1)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


def test_without_torch():
    """Without PyTorch the error says what to install, and is no other error of an import."""
    code = """
import sys
sys.modules["torch"] = None
import glorot
try:
    import glorot.torch
except ModuleNotFoundError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "glorot.torch needs PyTorch, which is not installed: pip install" in done.stdout


def test_float8_and_bfloat16_round_once():
    """The 8-bit and 16-bit values are the float32 value rounded once, from NumPy's own types."""
    whole = NORMAL((64,), seed=42, name="w")
    for name in ("float8_e4m3fn", "float8_e5m2", "bfloat16"):
        w = init_(torch.empty(64, dtype=getattr(torch, name)), NORMAL, seed=42, name="w")
        rounded = whole.astype(getattr(ml_dtypes, name)).astype("f4")
        assert torch.equal(w.float(), torch.from_numpy(rounded))


# --- what layers say of their weights -------------------------------------------------------------


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
