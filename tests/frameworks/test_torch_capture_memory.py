# SPDX-License-Identifier: Apache-2.0
"""Code that needs memory has it: what NumPy and Python write, where it is, what looks at it."""

import random

import numpy as np
import pytest
import torch
from capture_cases import captured
from torch import nn

import glorot
from glorot.torch import capture, init_, shapes

pytestmark = pytest.mark.frameworks

HALVES = glorot.Blocks(["zeros", "ones"], [1, 1], axis=0)


def copied(w):
    """By a function of NumPy."""
    numbers = np.zeros((6, 4), "f4")
    numbers[3:] = 1
    np.copyto(w.detach().numpy(), numbers)


def of_an_array(w):
    """A weight that shares its memory with an array, which is written afterwards."""
    array = np.zeros((6, 4), "f4")
    weight = torch.as_tensor(array)
    array[3:] = 1
    return weight


BESIDE_TORCH = {
    "item": lambda w: w.zero_().numpy()[3:].fill(1),
    "array": lambda w: np.asarray(w.zero_())[3:].fill(1),
    "function": lambda w: copied(w.zero_()),
    "dlpack": lambda w: np.from_dlpack(w.detach().zero_())[3:].fill(1),
    "apply": lambda w: w.detach().zero_()[3:].apply_(lambda number: number + 1),
    "map": lambda w: w.detach().zero_()[3:].map_(torch.ones(3, 4), lambda one, other: other),
    "array before": of_an_array,
}


@pytest.mark.parametrize("case", BESIDE_TORCH)
def test_what_is_written_beside_torch(case):
    """Is in the weight, though no operator of torch has written it."""

    def write(w):
        found = BESIDE_TORCH[case](w.detach())
        return found if case == "array before" else w

    assert captured(write) == HALVES


DRAWN_OVER = {
    "NumPy": lambda w: w.numpy().__setitem__(slice(3), 0.1),
    "Python": lambda w: w.apply_(abs),
    "Python's draws": lambda w: w.fill_(0.0).apply_(lambda number: random.gauss(0, 1)),
}


@pytest.mark.parametrize("case", DRAWN_OVER)
def test_draws_that_are_written_over(case):
    """Are not of the law that torch drew by, though its values may look so."""
    why = {
        "NumPy": r"Normal\(.*\), which NumPy has written into",
        "Python": r"Normal\(.*\), which Python has changed",
        "Python's draws": "numbers that are computed",
    }[case]
    with pytest.raises(ValueError, match=f"'w': {why}"):
        captured(lambda w: DRAWN_OVER[case](w.normal_().detach()), (4, 3))


@pytest.mark.parametrize("look", [lambda w: w[0, 0].item(), lambda w: w[0].tolist()[0]])
def test_numbers_that_are_drawn_over(look):
    """Are not those that were there, in a part either."""

    def write(w):
        w.copy_(torch.log(torch.arange(1.0, 5)).repeat(6, 1))
        w[0].normal_()
        return torch.full((6, 4), look(w))

    with pytest.raises(ValueError, match=r"'w': Constant.*, and Constant.* when it ran again"):
        captured(write)


def zeroed(dtype, count):
    """Code that draws, and zeroes the first so many numbers of another type in the memory."""

    def write(w):
        w.normal_().view(-1).view(dtype)[:count].zero_()

    return write


def test_zeros_of_another_type():
    """Are not as many of the weight's own."""
    for dtype, count in ((torch.uint8, 12), (torch.double, 3)):
        with pytest.raises(ValueError, match="'w': memory that is looked at as another type"):
            captured(zeroed(dtype, count))
        assert captured(zeroed(dtype, 96)) == glorot.Zeros()
    found = glorot.Blocks(["zeros", glorot.RandomNormal(stddev=1.0)], [1, 2], axis=0)
    assert captured(zeroed(torch.int, 8)) == found


def test_arrays_that_are_looked_at():
    """Are as they were."""

    def write(w):
        w.normal_().detach().numpy().std()
        return w.normal_()

    assert captured(write) == glorot.RandomNormal(stddev=1.0)


@pytest.mark.parametrize(
    "address",
    [
        lambda tensor: tensor.data_ptr(),
        lambda tensor: tensor.untyped_storage().data_ptr(),
    ],
)
def test_addresses(address):
    """Code that tells tied parameters by their memory fills each of the others."""

    def build():
        net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4))
        net[1].weight = net[0].weight
        seen = set()
        for parameter in net.parameters():
            if address(parameter) not in seen:
                seen.add(address(parameter))
                nn.init.normal_(parameter, std=0.02)
        assert len(seen) == 5
        assert 0 not in seen
        assert address(torch.empty(0)) == 0
        return net

    own = torch.UntypedStorage.data_ptr
    laws = {a.law for a in capture(build).resolve(shapes(build()))}
    assert laws == {"N(0, 0.02)"}
    assert torch.UntypedStorage.data_ptr is own


def test_addresses_of_parts():
    """Lie where their elements would, as on the CPU."""

    def write(w):
        begin = w.data_ptr()
        assert w[2, 1].data_ptr() - begin == 4 * w[2, 1].storage_offset()
        w.fill_(float(begin == w.view(24).data_ptr() == w[0].data_ptr()))

    assert captured(write) == glorot.Ones()


def test_memory_that_is_read():
    """By this library, it is an error where there is none, and the CPU's where there is."""

    def build():
        net = nn.Linear(4, 4)
        glorot.audit(net, glorot.Recipe([glorot.Rule("*", None)]))
        return net

    assert capture(build) == capture(lambda: nn.Linear(4, 4))


def caught(w):
    """Code that takes an error for another answer."""
    w.zero_()
    try:
        looked = torch.rand(3).sum().item() > 0
    except RuntimeError:
        looked = False
    if looked:
        w.fill_(1)


NEEDS_MEMORY = {
    "format": lambda w: f"{w.fill_(1).mean():.3f}",
    "dlpack": lambda w: torch.from_dlpack(w.detach().fill_(1)),
    "shared": lambda w: w.fill_(1).detach().share_memory_(),
    "by name": lambda w: w.copy_(torch.asarray(obj=[1.0, 1.0, 1.0, 1.0])),
    "type": lambda w: w.fill_(float(w.type() == "torch.FloatTensor")),
    "another type": lambda w: w.copy_(torch.ones(4).type("torch.DoubleTensor")),
    "caught": caught,
}


@pytest.mark.parametrize("case", NEEDS_MEMORY)
def test_code_that_needs_memory(case):
    """Runs on the CPU, whatever the meta device says to it."""
    assert captured(lambda w: (NEEDS_MEMORY[case](w), w)[1]) == glorot.Ones()


def test_errors_of_the_code():
    """Are those that it has on the CPU; a call that does not fit is no matter of the device."""
    runs = []

    def fails():
        runs.append(torch.zeros(()).data_ptr())
        raise LookupError(f"run {len(runs)}")

    with pytest.raises(LookupError, match="run 2"):
        capture(fails)
    for build in (lambda width: nn.Linear(width, 2), nn.Linear):
        with pytest.raises(TypeError, match=r"missing .* required positional argument") as raised:
            capture(build)
        assert raised.value.__context__ is None


@pytest.mark.parametrize("seed", [-1, 2**64 - 1, 7])
def test_any_seed(seed):
    """Another run has another, of those that there are."""
    state = torch.get_rng_state()
    torch.manual_seed(seed)
    try:
        with pytest.raises(ValueError, match=r"'w': Constant.*, and Constant.* when it ran again"):
            captured(lambda w: w.fill_(torch.rand(1).item()))
    finally:
        torch.set_rng_state(state)


def test_parametrizations_that_look_at_values():
    """Torch's orthogonal one begins on the CPU as it does there."""

    def build():
        return nn.utils.parametrizations.orthogonal(nn.Linear(3, 5))

    with pytest.raises(ValueError, match="'weight': it is parametrized, and not by weight norm"):
        capture(build)
    recipe = capture(build, rules=[glorot.Rule("weight", glorot.Orthogonal())])
    assert {a.name for a in recipe.resolve(shapes(build()))} == {"weight", "bias"}


def strange(kind):
    """A module of a layer and of a parameter that no initializer writes."""
    pieces = [torch.ones(2), torch.ones(3)]

    def build():
        net = nn.Linear(3, 3)
        made = {
            "quantized": lambda: torch.quantize_per_tensor(torch.ones(3), 1.0, 0, torch.quint8),
            "jagged": lambda: torch.nested.nested_tensor(pieces, layout=torch.jagged),
            "nested": lambda: torch.nested.nested_tensor(pieces),
            "sparse": lambda: torch.eye(3).to_sparse(),
        }
        net.w = nn.Parameter(made[kind](), requires_grad=False)
        return net

    return build


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("quantized", "'w': the parameter 'w' must have one of the dtypes"),
        ("jagged", "'w': it is not dense: its layout is torch.jagged"),
        ("sparse", "'w': it is not dense: its layout is torch.sparse_coo"),
    ],
)
def test_parameters_that_are_not_dense(kind, why):
    """Are left out, and others captured; the error says what they are."""
    build = strange(kind)
    with pytest.raises(ValueError, match=why):
        capture(build)
    for recipe in (
        capture(build, leave_out=True),
        capture(build, rules=[glorot.Rule("w", None)]),
    ):
        found = {rule.pattern: rule.initializer for rule in recipe.rules}
        assert found.pop("w") is None
        assert None not in found.values()


@pytest.mark.filterwarnings("ignore")
def test_nested_parameters():
    """Have no shape, for rules either."""
    for run in (
        lambda: capture(strange("nested")),
        lambda: init_(strange("nested")(), glorot.Zeros(), seed=0),
    ):
        with pytest.raises(TypeError, match="the parameter 'w' is a nested tensor, which has no"):
            run()


def test_numbers_of_vmap():
    """It copies such as are no tensors."""

    def rows(w):
        return torch.func.vmap(lambda i: w[0] * 0 + 3 * i, randomness="different")(torch.ones(6))

    def drawn(w):
        vmap = torch.func.vmap(lambda i: torch.randn(4) + 0 * i, randomness="different")
        return vmap(torch.arange(6.0))

    assert captured(lambda w: rows(w.zero_())) == glorot.Constant(3.0)
    with pytest.raises(ValueError, match="'w': add of Normal"):
        captured(drawn)
