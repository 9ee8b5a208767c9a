# SPDX-License-Identifier: Apache-2.0
"""glorot.replay.torch.nn: what modules hold, and what they refuse."""

import warnings
from collections import OrderedDict

import numpy as np
import pytest
from replay_cases import seeded

from glorot.replay import torch
from glorot.replay.torch import get_rng_state, manual_seed, nn
from glorot.replay.torch.nn import init

pytestmark = pytest.mark.usefixtures("default_seed")


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.Linear(2, 2, device="cuda"), ValueError, '`device` must be "cpu" or None'),
        (lambda: nn.Linear(2, 2, dtype="int8"), TypeError, "float64, got 'int8': torch's CPU ke"),
        (lambda: nn.Linear(2, 2, dtype="complex64"), TypeError, "float64, got 'complex64': torc"),
        (lambda: torch.Generator(glibc="2.39"), TypeError, r"two integers, such as \(2, 39\); go"),
        (lambda: nn.Linear(2, 2, generator=1), TypeError, "must be a glorot.replay.torch.Genera"),
        (lambda: nn.Bilinear(0, 2, 2), ValueError, "in1_features must be > 0"),
        (lambda: nn.Conv1d(2, 2, 3, groups=0), ValueError, "groups must be a positive integer"),
        (lambda: nn.Conv1d(3, 2, 3, groups=2), ValueError, "in_channels must be divisible by gro"),
        (lambda: nn.Conv1d(2, 3, 3, groups=2), ValueError, "out_channels must be divisible by g"),
        (lambda: nn.Conv1d(2, 2, 3, padding="full"), ValueError, "`padding` must be one of same"),
        (lambda: nn.Conv1d(2, 2, 3, 2, "same"), ValueError, "not supported for strided"),
        (lambda: nn.Conv1d(2, 2, 3, padding_mode="x"), ValueError, "`padding_mode` must be one"),
        (lambda: nn.ConvTranspose2d(2, 2, 3, padding_mode="reflect"), ValueError, 'Only "zeros"'),
        (lambda: nn.Embedding(3, 2, padding_idx=3), ValueError, "Padding_idx must be within"),
        (lambda: nn.Embedding(3, 2, padding_idx=-4), ValueError, "Padding_idx must be within"),
        (lambda: nn.Embedding(3, 2, _weight=np.ones(2)), ValueError, "Shape of weight does not"),
        (lambda: nn.LSTM(0, 2), ValueError, "input_size must be greater than zero, got 0"),
        (lambda: nn.LSTM(2, 2.0), TypeError, "hidden_size should be of type int, got: float"),
        (lambda: nn.LSTM(2, 2, 0), ValueError, "num_layers must be greater than zero"),
        (lambda: nn.LSTM(2, 2, bias=1), TypeError, "bias should be of type bool"),
        (lambda: nn.LSTM(2, 2, dropout=2), ValueError, r"in range \[0, 1\], got 2"),
        (lambda: nn.LSTM(2, 2, proj_size=2), ValueError, "smaller than hidden_size, got 2"),
        (lambda: nn.RNNBase("SRU", 2, 2), ValueError, "must be one of RNN_TANH, RNN_RELU, LSTM, G"),
        (lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 9, []), ValueError, "sequence of one or more"),
        (
            lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 9, [0, 5]),
            ValueError,
            "between 1 and n_classes",
        ),
        (lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 9, [5, 5]), ValueError, "of one or more unique"),
        (lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 9, [2.5]), ValueError, "positive integers"),
        (lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 9, [9]), ValueError, r"got \[9\] of 9"),
        (lambda: nn.RNN(2, 2, nonlinearity="selu"), ValueError, "Select from 'tanh' or 'relu'"),
        (lambda: nn.MultiheadAttention(0, 2), ValueError, "must be greater than 0, got embed_dim"),
        (lambda: nn.MultiheadAttention(3, 2), ValueError, "must be divisible by num_heads"),
        (lambda: nn.GroupNorm(2, 3), ValueError, "must be divisible by num_groups"),
    ],
)
def test_what_torch_refuses_is_refused(call, error, message):
    """Each refusal names the argument and torch's rule, and comes before anything is drawn."""
    state = torch.get_rng_state()
    with pytest.raises(error, match=message):
        call()
    assert (torch.get_rng_state() == state).all()


class Net(nn.Module):
    """A model as users write them."""

    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(4, 3)
        self.blocks = nn.ModuleList(nn.Conv1d(1, 1, 2) for _ in range(2))
        self.heads = nn.ModuleDict({"a": nn.Linear(3, 1), "b": nn.Identity()})
        self.scale = nn.Parameter(np.ones(3, np.float32))
        self.register_buffer("steps", np.array(0))
        self.register_buffer("scratch", np.zeros(2), persistent=False)


def test_a_model_holds_its_parameters():
    """Attributes become parameters and children, under torch's names and in torch's order."""
    net, g = Net(), seeded(0)
    state = net.state_dict()
    assert list(state) == [
        "scale", "steps", "hidden.weight", "hidden.bias", "blocks.0.weight", "blocks.0.bias",
        "blocks.1.weight", "blocks.1.bias", "heads.a.weight", "heads.a.bias",
    ]  # fmt: skip
    assert all(type(value) is np.ndarray for value in state.values())
    assert (state["hidden.weight"] == nn.Linear(4, 3, generator=g).weight).all()
    assert (state["blocks.0.weight"] == nn.Conv1d(1, 1, 2, generator=g).weight).all()
    assert [name for name, _ in net.named_parameters()] == [n for n in state if n != "steps"]
    assert [name for name, _ in net.named_modules()] == [
        "", "hidden", "blocks", "blocks.0", "blocks.1", "heads", "heads.a", "heads.b",
    ]  # fmt: skip
    assert net.scratch.tolist() == [0, 0]
    assert len(net.blocks) == 2
    assert "a" in net.heads
    assert next(iter(net.state_dict(prefix="model."))) == "model.scale"


def test_modules_can_be_changed():
    """Arrays replace parameters, modules replace modules; `apply` reaches all, children first."""
    net, seen = Net(), []

    def ones(module):
        seen.append(type(module).__name__)
        if isinstance(module, nn.Linear):
            module.weight = init.ones(module.weight.shape)
            module.bias = None

    net.apply(ones)
    assert seen == ["Linear", "Conv1d", "Conv1d", "ModuleList", "Linear", "Identity", "ModuleDict",
                    "Net"]  # fmt: skip
    assert net.state_dict()["hidden.weight"].tolist() == [[1.0] * 4] * 3
    assert "hidden.bias" not in net.state_dict()
    net.hidden = nn.ReLU()
    assert "hidden.weight" not in net.state_dict()
    net.scale = nn.Identity()
    assert next(iter(net.state_dict())) == "steps"


def test_a_shared_module_is_drawn_once():
    """A module at two places is in the state twice, among the parameters once."""
    layer = nn.Linear(2, 2)
    model = nn.Sequential(layer, nn.Tanh(), layer)
    assert list(model.state_dict()) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert len(list(model.parameters())) == 2
    named = nn.Sequential(OrderedDict(first=layer, second=nn.Dropout(0.5)))
    assert list(named.state_dict()) == ["first.weight", "first.bias"]
    assert len(model[:2]) == 2
    assert isinstance(model[1], nn.Tanh)


def test_a_tied_parameter_is_one():
    """A layer's parameter given to another is the same object in both, and counted once."""
    first, second = nn.Embedding(3, 2), nn.Linear(2, 3, bias=False)
    second.weight = first.weight
    assert second.weight is first.weight
    assert len(list(nn.Sequential(first, second).parameters())) == 1


def test_layers_without_parameters_take_anything():
    """They are there so that models can be built, and draw nothing."""
    state = torch.get_rng_state()
    for name in ("ReLU", "Dropout2d", "MaxPool3d", "AdaptiveAvgPool1d", "ZeroPad2d", "Flatten"):
        layer = getattr(nn, name)(3, anything=True)
        assert layer.state_dict() == {}
        assert type(layer).__name__ == name
    assert (torch.get_rng_state() == state).all()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.Module().weight, AttributeError, "'Module' object has no attribute 'weight'"),
        (lambda: nn.Module().add_module("a.b", nn.ReLU()), KeyError, "without '.'"),
        (lambda: nn.Module().add_module("a", 3), TypeError, "must be a Module, got 3"),
        (lambda: nn.Sequential(3), TypeError, "must be a Module, got 3"),
    ],
)
def test_modules_refuse(call, error, message):
    """Names with dots, and children that are none."""
    with pytest.raises(error, match=message):
        call()


def test_a_module_must_be_initialised_first():
    """An attribute before super().__init__() is refused, as in torch."""

    class Wrong(nn.Module):
        def __init__(self):
            self.layer = nn.ReLU()

    with pytest.raises(AttributeError, match=r"call super\(\).__init__\(\) first"):
        Wrong()


def test_linear_without_inputs():
    """A layer of no inputs warns of its weight, and has a bias of zeros, as in torch."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        layer = nn.Linear(0, 3)
    assert len(caught) == 1
    assert layer.bias.tobytes() == np.zeros(3, np.float32).tobytes()  # +0, not -0


def test_losses_and_lists_of_parameters_in_a_model():
    """What a model keeps for training takes its place in the state dict, and draws nothing more."""
    manual_seed(3)
    loss = nn.AdaptiveLogSoftmaxWithLoss(8, 10, [4], head_bias=True)
    after = get_rng_state()
    model = nn.ModuleDict({"loss": loss, "class": nn.CrossEntropyLoss(np.ones(2)),
                           "logits": nn.BCEWithLogitsLoss(pos_weight=np.ones(1)),
                           "margin": nn.MultiMarginLoss(), "mse": nn.MSELoss(),
                           "norm": nn.SyncBatchNorm(2, affine=False)})  # fmt: skip
    model["list"] = nn.ParameterList([np.ones(1)])
    model["list"] += [np.ones(2), "no array"]
    model["dict"] = nn.ParameterDict({"b": np.ones(1), "a": np.ones(2)})
    assert (get_rng_state() == after).all()
    assert list(model.state_dict()) == [
        "loss.head.weight", "loss.head.bias", "loss.tail.0.0.weight", "loss.tail.0.1.weight",
        "class.weight", "logits.pos_weight", "norm.running_mean", "norm.running_var",
        "norm.num_batches_tracked", "list.0", "list.1", "dict.a", "dict.b",
    ]  # fmt: skip
    assert list(model["list"])[2] == "no array"
    assert len(model["list"][:2]) == len(model["dict"]) == 2
    assert [value.size for value in model["dict"].values()] == [2, 1]
    assert list(model["dict"].keys()) == [name for name, _ in model["dict"].items()]
    assert "a" in model["dict"]
    manual_seed(3)
    assert (nn.LinearCrossEntropyLoss(8, 5).linear.weight == loss.head.weight).all()
    for layer in (loss.head, *loss.tail[0]):
        layer.weight[...] = 0
    manual_seed(3)
    loss.reset_parameters()
    assert (get_rng_state() == after).all()


def test_recurrent_layers_are_kinds_of_their_bases():
    """`isinstance` holds as in torch, and a base of a mode draws what that layer does."""
    for mode, layer in (("LSTM", nn.LSTM), ("GRU", nn.GRU), ("RNN_TANH", nn.RNN)):
        manual_seed(3)
        made = layer(3, 2, 2, bidirectional=True)
        manual_seed(3)
        base = nn.RNNBase(mode, 3, 2, 2, bidirectional=True)
        assert isinstance(made, nn.RNNBase)
        assert made.mode == mode
        assert [v.tobytes() for v in base.parameters()] == [v.tobytes() for v in made.parameters()]
    for chunks, layer in ((4, nn.LSTMCell), (3, nn.GRUCell), (1, nn.RNNCell)):
        manual_seed(3)
        made = layer(3, 2)
        manual_seed(3)
        base = nn.RNNCellBase(3, 2, True, chunks)
        assert isinstance(made, nn.RNNCellBase)
        assert [v.tobytes() for v in base.parameters()] == [v.tobytes() for v in made.parameters()]


def test_a_module_that_is_held_twice():
    """Its parameters are drawn once by `apply`, and it stands at each of its places."""
    manual_seed(0)
    shared = nn.Linear(2, 2)
    model = nn.Sequential(shared, nn.ReLU(), shared, nn.Linear(2, 1))
    assert list(model.children()) == [shared, model[1], model[3]]
    assert list(model) == [shared, model[1], shared, model[3]]
    assert (len(model), model[2]) == (4, shared)
    calls = []
    model.apply(calls.append)
    assert calls == [shared, model[1], model[3], model]


def test_slices_of_containers():
    """Of a Sequential with their names, of a list's subclass with its class."""
    model = nn.Sequential(*(nn.Linear(1, 1) for _ in range(3)))
    assert list(model[1:].state_dict()) == ["1.weight", "1.bias", "2.weight", "2.bias"]
    assert list(model[-1:]) == [model[2]]

    class Blocks(nn.ModuleList):
        """A list of one's own."""

    blocks = Blocks([nn.Linear(1, 1) for _ in range(3)])
    assert type(blocks[1:]) is Blocks
    assert list(blocks[1:]) == [blocks[1], blocks[2]]
    named = nn.ModuleDict({"a": blocks[0]})
    assert (list(named.keys()), list(named.values())) == (["a"], [blocks[0]])
    same = blocks
    same += [nn.ReLU()]
    assert same is blocks
    assert len(blocks) == 4


@pytest.mark.parametrize(("dtype", "number"), [("float16", 1e6), ("bfloat16", 1e39)])
def test_a_number_that_a_parameter_cannot_hold(dtype, number):
    """Refused as torch refuses it; of one element torch takes it."""
    with pytest.raises(ValueError, match="without overflow"):
        nn.PReLU(3, number, dtype=dtype)
    assert np.isinf(nn.PReLU(1, number, dtype=dtype).weight.astype("float32")).all()
