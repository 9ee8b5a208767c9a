# SPDX-License-Identifier: Apache-2.0
"""glorot.replay.torch.nn: layers that draw their parameters again, in place."""

import copy
import hashlib
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
from kernel_cases import EVERYWHERE
from replay_cases import seeded

from glorot import _kernel
from glorot.replay import torch
from glorot.replay.torch import Generator, nn

pytestmark = pytest.mark.usefixtures("default_seed")

# torch 2.13.0, seed 42, after the constructor and one reset: the first value of the first
# parameter, and the sha256 of the bytes of the whole state dict and of the generator's state.
KNOWN = {
    "Linear(3, 2)": ("0x1.0496480000000p-1", "d248665aacf5bbb1"),
    "Bilinear(2, 3, 2, bias=False)": ("0x1.0b7a360000000p-1", "b9006aadc235696b"),
    "Conv2d(2, 4, 3, groups=2)": ("0x1.6ed7c00000000p-4", "25d9d4677f35984e"),
    "ConvTranspose1d(2, 3, 2)": ("-0x1.d831ea0000000p-5", "fba7669562246e20"),
    "Embedding(7, 5, padding_idx=-2)": ("0x1.0d36ce0000000p-1", "004fa3d1087dbb60"),
    "LSTM(3, 4, 2, bidirectional=True, proj_size=2)": ("0x1.3eb6f00000000p-3", "b1d5eed857afe62b"),
    "GRUCell(3, 2)": ("0x1.30bbc00000000p-2", "3583ac3391b4ea59"),
    "MultiheadAttention(4, 2, kdim=3, add_bias_kv=True)": (
        "-0x1.c9f8a00000000p-2",
        "0d1b0d8a5d89a3c0",
    ),
    "Transformer(4, 2, 1, 1, 6)": ("0x1.dbcc4e0000000p-2", "3fab40bc24d7e12e"),
}


def reset(layer):
    """The method is private where torch's is."""
    getattr(layer, "reset_parameters", getattr(layer, "_reset_parameters", None))()


@pytest.mark.parametrize("target", ["native", "reference"])
@pytest.mark.parametrize("text", KNOWN)
def test_known_answers(text, target):
    """What torch gave, drawn into the arrays that the layer was born with."""
    first, digest = KNOWN[text]
    with _kernel.forced(EVERYWHERE[0] if target == "native" else target):
        torch.manual_seed(42)
        layer = eval(text, vars(nn))
        parameters = list(layer.parameters())
        reset(layer)
    assert all(a is b for a, b in zip(layer.parameters(), parameters, strict=True))
    assert parameters[0].flat[0] == float.fromhex(first)
    held = b"".join(value.tobytes() for value in layer.state_dict().values())
    found = hashlib.sha256(held + torch.get_rng_state().tobytes())
    assert found.hexdigest()[:16] == digest


def test_a_reset_is_the_next_layer():
    """It draws what a second layer would, of the default generator and of one that is given."""
    for options in ({}, {"generator": seeded()}):
        layer, source = nn.Conv1d(3, 4, 2, **options), options.get("generator") or seeded(0)
        again = Generator()
        again.set_state(source.get_state() if options else torch.get_rng_state())
        weight = layer.weight
        layer.reset_parameters()
        other = nn.Conv1d(3, 4, 2, generator=again)
        assert layer.weight is weight
        assert (layer.weight == other.weight).all()
        assert (layer.bias == other.bias).all()


def test_the_default_generator_is_the_one_of_the_call():
    """A seed set after the constructor counts."""
    layer = nn.Linear(3, 2)
    torch.manual_seed(5)
    layer.reset_parameters()
    assert (layer.weight == nn.Linear(3, 2, generator=seeded(5)).weight).all()


def test_constants():
    """Norms and PReLU draw nothing, and keep their arrays."""
    state = torch.get_rng_state()
    layers = (nn.BatchNorm1d(2), nn.GroupNorm(1, 2), nn.LayerNorm(2), nn.RMSNorm(2),
              nn.PReLU(2, init=0.3), nn.InstanceNorm2d(2))  # fmt: skip
    for layer in layers:
        before = {name: value.copy() for name, value in layer.state_dict().items()}
        held = layer.state_dict()
        for value in held.values():
            value[...] = 9
        layer.reset_parameters()
        assert all((value == before[name]).all() for name, value in held.items())
    assert (torch.get_rng_state() == state).all()


def test_copies_draw_from_the_same_generator():
    """A deep copy shares the generator, as all layers share torch's default one."""
    g = seeded()
    layer = nn.Linear(2, 2, generator=g)
    other = copy.deepcopy(layer)
    assert (other.weight == layer.weight).all()
    layer.reset_parameters()
    other.reset_parameters()
    assert (other.weight != layer.weight).all()


def test_layers_and_generators_can_be_pickled():
    """Both go on with the same numbers, as torch's do, and apart from the first."""
    g = seeded()
    torch.randn(3, generator=g)  # leaves a cached normal
    layer = nn.Embedding(2, 2, generator=g)
    loaded, twin = pickle.loads(pickle.dumps(layer)), copy.deepcopy(g)
    assert (loaded.weight == layer.weight).all()
    for _ in range(2):
        loaded.reset_parameters()
        layer.reset_parameters()
        assert (loaded.weight == layer.weight).all()
        assert (torch.randn((2, 2), generator=twin) == layer.weight).all()
    assert (twin.get_state() == g.get_state()).all()


@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        (np.ones((2, 3), np.int32), TypeError, r"got dtype\('int32'\)"),
        (np.broadcast_to(np.float32(1), (2, 3)), ValueError, "read-only array cannot be drawn"),
        (np.ones(3, np.float32), ValueError, "fewer than 2 dimensions"),
    ],
)
def test_what_cannot_be_drawn_is_refused(weight, error, message):
    """Before anything is drawn."""
    layer = nn.Linear(3, 2)
    layer.weight = weight
    state = torch.get_rng_state()
    with pytest.raises(error, match=message):
        layer.reset_parameters()
    assert (torch.get_rng_state() == state).all()


def test_a_generator_without_a_seed_is_refused():
    """A table that was given needs no generator until it is drawn again."""
    code = (
        "import numpy as np\nfrom glorot.replay.torch import nn\n"
        "layer = nn.Embedding(2, 2, _weight=np.ones((2, 2), np.float32))\n"
        "try: layer.reset_parameters()\n"
        "except RuntimeError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "The default generator has no seed" in done.stdout


def test_layers_without_the_method():
    """Containers and layers of nothing have none, so that `hasattr` skips them, as in torch."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = nn.Sequential(nn.Identity(), nn.ModuleList([nn.ReLU()]))
        model.append(nn.TransformerEncoderLayer(4, 2, 8))
    without = [module for module in model.modules() if not hasattr(module, "reset_parameters")]
    assert [type(module).__name__ for module in without] == [
        "Sequential", "Identity", "ModuleList", "ReLU", "TransformerEncoderLayer",
        "MultiheadAttention",
    ]  # fmt: skip
