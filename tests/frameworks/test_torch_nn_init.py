# SPDX-License-Identifier: Apache-2.0
"""The verbs of torch.nn.init: torch's arguments, defaults, laws and fans; our values."""

import doctest
import importlib
import inspect
import math
import pkgutil
from pathlib import Path

import numpy as np
import pytest
import torch

import glorot
import glorot.torch

pytestmark = pytest.mark.frameworks

VERBS = [name for name in torch.nn.init.__all__ if name.endswith("_")]
SHAPES = {"matrix": (300, 200), "conv": (64, 32, 3, 3)}


def test_every_verb_is_here_with_torchs_arguments_and_defaults():
    """torch.nn.init's names, arguments and defaults, `seed` and `name` for the generator."""
    assert len(VERBS) == 14
    for verb in VERBS:
        ours = inspect.signature(getattr(glorot.torch, verb)).parameters
        theirs = inspect.signature(getattr(torch.nn.init, verb)).parameters
        wanted = {n: p.default for n, p in theirs.items() if n != "generator"}
        assert {n: p.default for n, p in ours.items() if n not in ("seed", "name")} == wanted
        assert list(ours)[-2:] == ["seed", "name"]
        assert verb in glorot.torch.__all__
    assert glorot.torch.calculate_gain is torch.nn.init.calculate_gain


def moments(tensor, mean):
    """(n, root mean square around the mean, largest distance from it) in float64."""
    values = tensor.double().flatten() - mean
    return values.numel(), values.square().mean().sqrt().item(), values.abs().max().item()


CALLS = {
    "uniform_": [{}, {"a": -2.0, "b": 6.0}],
    "normal_": [{}, {"mean": 3.0, "std": 0.5}],
    "trunc_normal_": [{}, {"mean": 1.0, "std": 2.0, "a": -3.0, "b": 5.0}, {"std": 0.02}],
    "xavier_uniform_": [{}, {"gain": 3.0}],
    "xavier_normal_": [{}, {"gain": 3.0}],
    "kaiming_uniform_": [
        {},
        {"a": math.sqrt(5)},
        {"mode": "fan_out", "nonlinearity": "relu"},
        {"nonlinearity": "tanh"},
    ],
    "kaiming_normal_": [{}, {"a": 0.5}, {"mode": "fan_out", "nonlinearity": "selu"}],
    "orthogonal_": [{}, {"gain": 2.0}],
    "sparse_": [{"sparsity": 0.3}, {"sparsity": 0.9, "std": 2.0}],
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("verb", "options"), [(v, o) for v, os in CALLS.items() for o in os])
def test_the_law_is_torchs(verb, options, shape):
    """The values' spread and reach are those of torch's own draw (5 standard errors), and not those
    of the same call with its fans swapped, a gain forgotten, or a cut-off taken as stddevs."""
    if verb == "sparse_" and shape == "conv":
        return
    torch.manual_seed(0)
    mean = options.get("mean", 0.0)
    if verb == "uniform_":
        mean = (options.get("a", 0.0) + options.get("b", 1.0)) / 2
    theirs = getattr(torch.nn.init, verb)(torch.empty(SHAPES[shape]), **options)
    ours = torch.empty(SHAPES[shape])
    assert getattr(glorot.torch, verb)(ours, **options, seed=42, name="w") is ours
    count, spread, reach = moments(ours, mean)
    _, their_spread, their_reach = moments(theirs, mean)
    error = 5 * math.sqrt(2 / (2 * count))  # of the quotient of two spreads, at most a normal's
    assert abs(spread / their_spread - 1) < error
    if "uniform" in verb or ("trunc" in verb and options != {"std": 0.02}):  # cut at 100 stddevs
        assert abs(reach / their_reach - 1) < 0.01
    if verb == "sparse_":
        assert torch.equal((ours == 0).sum(0), (theirs == 0).sum(0))
    wrong = [1.5]
    if verb in ("kaiming_uniform_", "kaiming_normal_"):
        wrong.append(math.sqrt(SHAPES[shape][0] / SHAPES[shape][1]))
    assert all(abs(spread * factor / their_spread - 1) > error for factor in wrong)


INITIALIZERS = {
    "uniform_": glorot.RandomUniform(0.0, 1.0),
    "normal_": glorot.RandomNormal(0.0, 1.0),
    "trunc_normal_": glorot.TruncatedNormal(0.0, 1.0),
    "xavier_uniform_": glorot.GlorotUniform(layout="torch.linear"),
    "xavier_normal_": glorot.get("xavier_normal").replace(layout="torch.linear"),
    "kaiming_uniform_": glorot.HeUniform(layout="torch.linear"),
    "kaiming_normal_": glorot.get("kaiming_normal").replace(layout="torch.linear"),
    "orthogonal_": glorot.Orthogonal(layout="torch.linear"),
    "zeros_": glorot.Zeros(),
    "ones_": glorot.Ones(),
    "eye_": glorot.Identity(),
}


@pytest.mark.parametrize("verb", INITIALIZERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_the_bytes_are_the_initializers(verb, dtype):
    """A verb with its defaults is the initializer of that law, to the bit: kaiming's gain of ReLU
    is computed one way in torch and another here, and may differ by its last bit."""
    ours = getattr(glorot.torch, verb)(torch.empty(12, 20, dtype=dtype), seed=42, name="w")
    wanted = glorot.torch.init_(
        torch.empty(12, 20, dtype=dtype), INITIALIZERS[verb], seed=42, name="w"
    )
    if verb.startswith("kaiming"):
        assert torch.allclose(ours.double(), wanted.double(), rtol=1e-2, atol=0)
    else:
        assert torch.equal(ours, wanted)


@pytest.mark.parametrize("rank", [3, 4, 5])
@pytest.mark.parametrize("groups", [1, 2])
def test_dirac_and_eye_are_torchs(rank, groups):
    """What draws nothing is torch's to the bit."""
    shape = (6, 3, 3, 4, 5)[:rank]
    theirs = torch.nn.init.dirac_(torch.empty(shape), groups)
    assert torch.equal(glorot.torch.dirac_(torch.full(shape, 7.0), groups), theirs)
    assert theirs.any()
    assert torch.equal(
        glorot.torch.eye_(torch.full(shape[:2], 7.0)), torch.nn.init.eye_(torch.empty(shape[:2]))
    )


@pytest.mark.parametrize("shape", [(5, 8), (8, 5), (4, 3, 2)])
def test_orthogonal(shape):
    """Orthonormal rows or columns of (axis 0, the rest), times the gain, as torch's."""
    for w in (
        glorot.torch.orthogonal_(torch.empty(shape), 2.0, seed=42, name="w"),
        torch.nn.init.orthogonal_(torch.empty(shape), 2.0),
    ):
        m = w.flatten(1)
        m = m if m.shape[0] <= m.shape[1] else m.T
        assert torch.allclose(m @ m.T, 4 * torch.eye(m.shape[0]), atol=1e-5)


def test_trunc_normal_stays_inside():
    """No value leaves [a, b], as the dtype holds them, however they lie to the mean."""
    for mean, a, b in ((0.0, -0.3, 0.1), (5.0, 4.9, 5.2), (-1.0, -1.0, math.inf), (1e-3, 0.0, 1.0)):
        for dtype in (torch.float32, torch.float64, torch.bfloat16):
            w = torch.empty(20000, dtype=dtype)
            glorot.torch.trunc_normal_(w, mean, 0.2, a, b, seed=1, name="w")
            low, high = torch.tensor([a, b], dtype=dtype)
            assert low <= w.min() < w.max() <= high


def test_degenerate_arguments():
    """Equal bounds are a constant, a stddev of 0 the mean, as in torch."""
    assert (glorot.torch.uniform_(torch.empty(3), 2.0, 2.0, seed=1, name="w") == 2).all()
    assert (glorot.torch.normal_(torch.empty(3), 2.0, 0.0, seed=1, name="w") == 2).all()


@pytest.mark.parametrize("verb", VERBS)
def test_meta_tensors_are_left_alone(verb):
    """As in torch, a verb does nothing on the meta device, so that modules that call it can be
    built there; a missing seed is missed all the same."""
    shape = (4, 4, 3) if verb == "dirac_" else (4, 4)
    options = {"sparse_": {"sparsity": 0.5}, "constant_": {"val": 1.0}}.get(verb, {})
    tensor = torch.empty(shape, device="meta")
    assert getattr(glorot.torch, verb)(tensor, **options, seed=42, name="w") is tensor
    assert tensor.is_meta
    if verb not in ("constant_", "dirac_", "eye_", "ones_", "zeros_"):
        with pytest.raises(TypeError, match="'seed'"):
            getattr(glorot.torch, verb)(tensor, **options, name="w")


REFUSED = [
    ("uniform_", (2,), {"a": 2.0}, ValueError, "`a` must not be above `b`, got a=2.0, b=1.0"),
    ("normal_", (2,), {"std": -1.0}, ValueError, "`std` must not be negative"),
    ("trunc_normal_", (2,), {"std": 0.0}, ValueError, "`std` must be above 0"),
    ("trunc_normal_", (2,), {"a": 3.0}, ValueError, "`a` must be below `b`"),
    ("trunc_normal_", (2,), {"a": 7.0, "b": 8.0}, ValueError, "holds 0 of the"),
    ("xavier_uniform_", (2,), {}, ValueError, r"at least 2 axes .* A vector has no fans"),
    ("kaiming_normal_", (2, 2), {"mode": "fan_avg"}, ValueError, "`mode` must be one of fan_in"),
    ("kaiming_normal_", (2, 2), {"a": math.inf}, ValueError, "`a` must be finite"),
    ("kaiming_normal_", (2, 2), {"nonlinearity": "x"}, ValueError, "Unsupported nonlinearity"),
    ("orthogonal_", (2,), {}, ValueError, "at least 2 axes for orthogonal_"),
    ("sparse_", (2, 2, 2), {"sparsity": 0.1}, ValueError, "must have 2 axes for sparse_"),
    ("sparse_", (2, 2), {"sparsity": 1.5}, ValueError, r"`sparsity` must lie in \[0, 1\]"),
    ("eye_", (2,), {}, ValueError, "must have 2 axes for eye_"),
    ("dirac_", (2, 2), {}, ValueError, "must have 3 to 5 axes for dirac_"),
    ("dirac_", (3, 2, 2), {"groups": 2}, ValueError, "`groups`=2 must divide"),
]


@pytest.mark.parametrize(("verb", "shape", "options", "error", "text"), REFUSED)
def test_refused_arguments(verb, shape, options, error, text):
    """Each wrong argument is named, and the tensor is as it was."""
    tensor = torch.full(shape, 7.0)
    with pytest.raises(error, match=text):
        getattr(glorot.torch, verb)(tensor, **options, seed=42, name="w")
    assert (tensor == 7.0).all()


@pytest.mark.parametrize("verb", VERBS)
def test_no_tensor(verb):
    """What is no tensor is named, by every verb."""
    options = {"sparse_": {"sparsity": 0.5}, "constant_": {"val": 1.0}}.get(verb, {})
    with pytest.raises(TypeError, match=r"`tensor` must be a torch.Tensor, got ndarray"):
        getattr(glorot.torch, verb)(np.empty((4, 4, 4)), **options, seed=42, name="w")


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled")
def test_docstring_examples_run():
    """Every example in the adapter's docstrings prints what it shows."""
    attempted = 0
    for found in pkgutil.walk_packages(glorot.torch.__path__, "glorot.torch."):
        module = importlib.import_module(found.name)
        result = doctest.testmod(module, optionflags=doctest.ELLIPSIS)
        assert result.failed == 0
        attempted += result.attempted
    assert attempted > 40


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled", "ignore::DeprecationWarning")
def test_page_examples_run():
    """Every example in docs/torch.md prints what it shows, and its table names what is public."""
    page = Path(__file__).parents[2] / "docs" / "torch.md"
    result = doctest.testfile(str(page), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert result.attempted > 20
    assert result.failed == 0
    text = page.read_text(encoding="utf-8")
    verbs = set(VERBS) | {"calculate_gain", "InitReport", "ParameterReport"}
    assert all(f"`{name}(" in text for name in set(glorot.torch.__all__) - verbs)
