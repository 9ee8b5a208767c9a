# SPDX-License-Identifier: Apache-2.0
"""`reset_parameters` of glorot.replay.torch.nn equals torch's, byte for byte, in place."""

import copy
import random
import runpy
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from glorot.replay import torch as ours

DRAWS = runpy.run_path(str(Path(__file__).resolve().parents[1] / "oracle" / "torch_draws.py"))
LAYERS = DRAWS["CASES"]["LAYERS"]
MORE = ("BatchNorm2d", "InstanceNorm1d", "InstanceNorm3d", "SyncBatchNorm")
LAYERS |= dict.fromkeys(MORE, LAYERS["BatchNorm1d"])


def recurrent(rng, n, m, bias):
    """Arguments of RNNBase, of any mode."""
    mode = rng.choice(["RNN_TANH", "RNN_RELU", "LSTM", "GRU"])
    (n, m), options = LAYERS["LSTM"](rng, n, m, bias)
    return (mode, n, m), options


def adaptive(rng, n, m, bias):
    """Arguments of AdaptiveLogSoftmaxWithLoss; some of its layers have no outputs."""
    cutoffs = sorted(rng.sample(range(1, 40), rng.choice([1, 2, 4])))
    return (n, cutoffs[-1] + m, cutoffs), {
        "div_value": rng.choice([2, 4.0, 1.5]),
        "head_bias": bias,
    }


LAYERS |= {
    "RNNBase": recurrent,
    "RNNCellBase": lambda rng, n, m, bias: ((n, m, bias, rng.choice([1, 2, 3, 4])), {}),
    "AdaptiveLogSoftmaxWithLoss": adaptive,
    "LinearCrossEntropyLoss": lambda rng, n, m, bias: (
        (n, m), {"bias": bias, "out_features": rng.choice([(), (2, 3)])}),
}  # fmt: skip
CAPABILITY = torch.backends.cpu.get_cpu_capability()
METHODS = ("reset_parameters", "_reset_parameters", "reset_running_stats")

pytestmark = [
    pytest.mark.frameworks,
    pytest.mark.filterwarnings("ignore:enable_nested_tensor is True"),
    pytest.mark.filterwarnings("ignore:Initializing zero-element tensors is a no-op"),
]


def seed_both(seed):
    """Both default generators at the start of a seed."""
    torch.manual_seed(seed)
    ours.manual_seed(seed, cpu_capability=CAPABILITY)


def assert_same(theirs, mine):
    """Every parameter and buffer, and the states of the default generators."""
    expected, found = theirs.state_dict(), mine.state_dict()
    assert list(expected) == list(found)
    for name, value in expected.items():
        assert found[name].tobytes() == DRAWS["data"](value), name
    assert DRAWS["data"](torch.get_rng_state()) == ours.get_rng_state().tobytes()


def reset(module):
    """What a layer calls its own reset, or a loop over the modules below it."""
    own = [name for name in METHODS[:2] if hasattr(module, name)]
    for below in [module] if own else module.modules():
        for name in METHODS[:2]:
            getattr(below, name, lambda: None)()


def with_method(nn, method):
    """The names of the layers that have a method."""
    return {name for name in torch.nn.modules.__all__ if hasattr(getattr(nn, name, None), method)}


def test_the_layers_with_each_method_are_torchs():
    """All but the lazy layers, which have no parameters until they compute."""
    for method in METHODS:
        theirs = {name for name in with_method(torch.nn, method) if not name.startswith("Lazy")}
        assert with_method(ours.nn, method) == theirs
        assert theirs <= set(LAYERS)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_reset_once_and_twice(name, dtype):
    """Twelve layers of each class, buffers and constants changed in between."""
    rng = random.Random(name)
    for seed in range(12):
        n, m = rng.choice([1, 2, 3, 8, 16]), rng.choice([1, 2, 4, 12, 30])
        arguments, options = LAYERS[name](rng, n, m, rng.random() < 0.7)
        seed_both(seed)
        theirs = getattr(torch.nn, name)(*arguments, **options, dtype=getattr(torch, dtype))
        mine = getattr(ours.nn, name)(*arguments, **options, dtype=dtype)
        assert_same(theirs, mine)
        for _ in range(2):
            for value, tensor in zip(
                mine.state_dict().values(), theirs.state_dict().values(), strict=True
            ):
                value[...] = 7
                tensor.fill_(7)
            reset(theirs)
            reset(mine)
            assert_same(theirs, mine)


def net(nn, **options):
    """A model of many layers."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, **options), nn.BatchNorm2d(8, **options), nn.ReLU(),
        nn.Embedding(10, 6, padding_idx=0, **options), nn.LSTM(6, 5, 2, **options),
        nn.ModuleDict({"a": nn.Linear(6, 2, bias=False, **options), "b": nn.PReLU(3, **options)}),
        nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, **options), 2,
                              nn.LayerNorm(8, **options)),
        nn.Transformer(8, 2, 1, 1, 12, **options),
    )  # fmt: skip


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
def test_the_usual_loop_over_a_model(dtype):
    """`if hasattr(m, "reset_parameters")`, by modules() and by apply(): layers that were copies
    become different, and a Transformer's attentions keep their weights, as in torch."""
    seed_both(3)
    theirs, mine = net(torch.nn, dtype=getattr(torch, dtype)), net(ours.nn, dtype=dtype)
    before = mine.state_dict()
    kept = {name: value.copy() for name, value in before.items()}

    def reset_one(module):
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()

    for model in (theirs, mine):
        for module in model.modules():
            reset_one(module)
    assert_same(theirs, mine)
    after = mine.state_dict()
    assert all(np.shares_memory(after[name], value) for name, value in before.items())
    first, second = (f"6.layers.{i}.linear1.weight" for i in (0, 1))
    assert (kept[first] == kept[second]).all()
    assert (after[first] != after[second]).any()
    inner = "7.encoder.layers.0.self_attn.in_proj_weight"
    assert (after[inner] == kept[inner]).all()
    theirs.apply(reset_one)
    mine.apply(reset_one)
    assert_same(theirs, mine)


def test_the_generator_of_the_layer():
    """A layer draws again from the generator it was given; so do its copies."""
    g = ours.Generator(cpu_capability=CAPABILITY).manual_seed(6)
    stack = ours.nn.TransformerEncoder(ours.nn.TransformerEncoderLayer(8, 2, 16, generator=g), 2)
    attention = ours.nn.MultiheadAttention(8, 2, add_bias_kv=True, kdim=3, generator=g)
    torch.manual_seed(6)
    expected = torch.nn.TransformerEncoder(
        torch.nn.TransformerEncoderLayer(8, 2, 16), 2, enable_nested_tensor=False
    )
    expected = torch.nn.ModuleList([expected, torch.nn.MultiheadAttention(8, 2, add_bias_kv=True,
                                                                          kdim=3)])  # fmt: skip
    ours.manual_seed(1)
    untouched = ours.get_rng_state()
    mine = copy.deepcopy(ours.nn.ModuleList([stack, attention]))
    for model in (expected, mine):
        for module in model.modules():
            for name in METHODS[:2]:
                getattr(module, name, lambda: None)()
    assert (ours.get_rng_state() == untouched).all()
    assert DRAWS["data"](torch.get_rng_state()) == g.get_state().tobytes()
    for name, value in expected.state_dict().items():
        assert mine.state_dict()[name].tobytes() == DRAWS["data"](value), name


def tied(nn, array, **options):
    """A language model whose output layer is its embedding, and a layer in another's weight."""
    made = nn.ModuleDict({"embed": nn.Embedding(9, 4, padding_idx=2, **options),
                          "head": nn.Linear(4, 9, **options),
                          "part": nn.Linear(4, 3, **options),
                          "rnn": nn.RNN(4, 4, **options)})  # fmt: skip
    made["head"].weight = made["embed"].weight
    made["part"].weight = nn.Parameter(array(made["embed"].weight)[:3])
    made["rnn"].weight_hh_l0 = made["rnn"].weight_ih_l0
    return made


def test_ties_and_views_survive():
    """A shared parameter is drawn again wherever it is; in a recurrent layer once."""
    seed_both(11)
    theirs = tied(torch.nn, lambda weight: weight.detach())
    mine = tied(ours.nn, np.asarray)
    for _ in range(2):
        reset(theirs)
        reset(mine)
        assert_same(theirs, mine)
    assert mine["head"].weight is mine["embed"].weight
    assert np.shares_memory(mine["part"].weight, mine["embed"].weight)


VIEWS = {
    "transposed": ((5, 9), lambda x: x.T),
    "every second": ((9, 10), lambda x: x[:, ::2]),
    "a part": ((9, 10), lambda x: x[:, 2:7]),
    "few": ((2, 3), lambda x: x.T),
}


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
@pytest.mark.parametrize("view", VIEWS)
def test_parameters_that_are_not_contiguous(view, dtype):
    """Uniforms go by memory, normals one by one, convolutions by index: as torch's kernels."""
    shape, cut = VIEWS[view]
    for make in (
        lambda nn, rows, columns, **o: nn.Linear(columns, rows, **o),
        lambda nn, rows, columns, **o: nn.Embedding(rows, columns, padding_idx=1, **o),
        lambda nn, rows, columns, **o: nn.Conv1d(columns, rows, 1, **o),
    ):
        seed_both(5)
        whole, array = torch.zeros(shape, dtype=getattr(torch, dtype)), np.zeros(shape, dtype)
        theirs = make(torch.nn, *cut(array).shape, dtype=whole.dtype)
        mine = make(ours.nn, *cut(array).shape, dtype=dtype)
        more = theirs.weight.ndim == 3
        theirs.weight = torch.nn.Parameter(cut(whole)[..., None] if more else cut(whole))
        mine.weight = ours.nn.Parameter(cut(array)[..., None] if more else cut(array))
        for _ in range(2):
            theirs.reset_parameters()
            mine.reset_parameters()
            assert_same(theirs, mine)
            assert array.tobytes() == DRAWS["data"](whole)


def test_another_shape_and_dtype_than_at_birth():
    """A parameter that was replaced is drawn by what it is now."""
    for made, other in (
        (lambda nn: nn.Linear(3, 2), (4, 7)),
        (lambda nn: nn.Bilinear(3, 2, 2), (2, 5, 6)),
        (lambda nn: nn.ConvTranspose2d(3, 2, 2), (3, 4, 2, 3)),
        (lambda nn: nn.Embedding(3, 2), (6, 6)),
    ):
        seed_both(8)
        theirs, mine = made(torch.nn), made(ours.nn)
        theirs.weight = torch.nn.Parameter(torch.zeros(other, dtype=torch.float64))
        mine.weight = ours.nn.Parameter(np.zeros(other))
        if hasattr(mine, "bias"):
            theirs.bias = mine.bias = None
        theirs.reset_parameters()
        mine.reset_parameters()
        assert_same(theirs, mine)


@pytest.mark.parametrize("name", ["BatchNorm1d", "InstanceNorm2d"])
def test_running_statistics_alone(name):
    """`reset_running_stats` leaves weight and bias; without statistics it does nothing."""
    for track in (True, False):
        seed_both(0)
        options = {"affine": True, "track_running_stats": track}
        theirs, mine = (getattr(nn, name)(3, **options) for nn in (torch.nn, ours.nn))
        for value, tensor in zip(
            mine.state_dict().values(), theirs.state_dict().values(), strict=True
        ):
            value[...] = 7
            tensor.fill_(7)
        theirs.reset_running_stats()
        mine.reset_running_stats()
        assert_same(theirs, mine)
        assert mine.weight.tolist() == [7.0] * 3


@pytest.mark.parametrize("name", ["Linear", "Conv1d"])
def test_layers_of_no_inputs(name):
    """Nothing is drawn for the weight; the bias is +0, and takes its words."""
    arguments = (0, 3, 1) if name == "Conv1d" else (0, 3)
    seed_both(2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs, mine = (getattr(nn, name)(*arguments) for nn in (torch.nn, ours.nn))
        assert_same(theirs, mine)
        theirs.reset_parameters()
        mine.reset_parameters()
    assert_same(theirs, mine)


def test_a_subclass_may_reset_otherwise():
    """The constructor calls the method, so an override of it decides what a layer is born with."""
    seed_both(4)
    made = []
    for nn in (torch.nn, ours.nn):

        class Scaled(nn.Linear):
            def reset_parameters(self):
                super().reset_parameters()
                super().reset_parameters()

        made.append(Scaled(6, 4))
    assert_same(*made)


def test_a_transformers_custom_encoder_keeps_its_dtype():
    """Each parameter is drawn in its own dtype, not in the Transformer's."""
    seed_both(9)
    made = []
    for nn, double in ((torch.nn, torch.float64), (ours.nn, "float64")):
        encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 12, dtype=double), 1)
        made.append(nn.Transformer(8, 2, 1, 1, 12, custom_encoder=encoder))
    assert_same(*made)
