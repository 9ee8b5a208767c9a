# SPDX-License-Identifier: Apache-2.0
"""Whatever way code writes into a parameter, what is captured is what it holds, or an error."""

import math

import numpy as np
import pytest
import torch
from capture_cases import One, captured
from torch import nn

import glorot
from glorot._weight_norm import Direction, Length
from glorot.torch import capture, init_

pytestmark = pytest.mark.frameworks

init = nn.init


def resolved(build):
    """The initializers of what a module holds."""
    return {
        a.name: a.initializer for a in capture(build).resolve(glorot.sources.read(build()).shapes)
    }


def test_operators_that_write_into_what_they_are_given():
    """Into a list, into `out`, several at once: the law before is gone."""

    def multiplied(w):
        torch.mul(torch.ones(6, 4), 0.5, out=init.normal_(w))

    def sorted_(w):
        torch.sort(torch.ones(6, 4), out=(init.normal_(w), torch.empty((6, 4), dtype=torch.long)))

    assert captured(multiplied) == glorot.Constant(0.5)
    assert captured(sorted_) == glorot.Ones()

    def listed(w):
        torch._foreach_mul_([init.normal_(w)], 0.5)

    with pytest.raises(ValueError, match="'w': _foreach_mul of Normal"):
        captured(listed)
    with pytest.raises(ValueError, match="'w': add of a sparse tensor"):
        captured(lambda w: init.normal_(w).add_(torch.eye(6, 4).to_sparse()))
    assert captured(init.eye_) == glorot.Identity()


def test_numbers_that_are_not_known_any_more():
    """What was known of the memory before does not stand for them."""

    def write(w):
        w.copy_(torch.log(torch.arange(1.0, 5)).repeat(6, 1))
        w[0] = (torch.arange(5_000_000.0) + 3)[:4]

    with pytest.raises(ValueError, match="'w': a shift of numbers that are computed"):
        captured(write)


def forget_ones(w):
    """The bias of an LSTM as most code begins it."""
    w.zero_()
    w[1:2].fill_(1.0)


def recurrent_identities(w):
    """Of two gates, one written after the other."""
    w.zero_()
    for gate in range(2):
        w[2 * gate : 2 * gate + 2].copy_(torch.eye(2, 4) * 0.5)


def offsets(w):
    """The bias of deformable attention as transformers computes it: 6 heads, 2 levels, 3 points."""
    thetas = torch.arange(6).to(torch.float32) * (2.0 * math.pi / 6)
    grid = torch.stack([thetas.cos(), thetas.sin()], -1)
    grid = (grid / grid.abs().max(-1, keepdim=True)[0]).view(6, 1, 1, 2).repeat(1, 2, 3, 1)
    for i in range(3):
        grid[:, :, i, :] *= i + 1
    w.copy_(grid.view(-1))


NUMBERS = [
    (forget_ones, (4,), glorot.Blocks(["zeros", "ones", "zeros"], [1, 1, 2], axis=0)),
    (lambda w: w.copy_(torch.eye(6, 4) * 0.5), (6, 4), glorot.Identity(0.5)),
    (lambda w: torch.cat([init.eye_(torch.empty(4, 4)) * i for i in (1, 2)]), (8, 4),
     glorot.Blocks([glorot.Identity(), glorot.Identity(2.0)], [1, 1], axis=0)),
    (recurrent_identities, (4, 4), glorot.Blocks([glorot.Identity(0.5)] * 2, [1, 1], axis=0)),
    (lambda w: init.dirac_(w, groups=2), (8, 4, 3), glorot.Dirac(2, layout="torch.conv")),
    (offsets, (72,), glorot.SamplingOffsets(6, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("write", "shape", "wanted"), NUMBERS)
def test_numbers_that_differ_and_are_an_initializer_s(write, shape, wanted):
    """Biases of gates, scaled identities, convolutions that hand on: no draw is needed."""
    found = captured(write, shape)
    assert found == wanted
    module = One(write, shape)
    assert not glorot.audit(module, capture(lambda: One(write, shape))).problems
    assert torch.allclose(module.w, torch.from_numpy(found(shape)), atol=1e-6)


def test_running_statistics():
    """Of a batch norm that has seen a batch, they are what it made of them."""

    def build(training):
        net = nn.BatchNorm1d(3).train(training)
        net(torch.full((4, 3, 9), 5.0))
        return net

    assert resolved(lambda: build(True))["running_mean"] == glorot.Constant(0.5)
    assert resolved(lambda: build(False))["running_mean"] == glorot.Zeros()

    def drawn():
        net = nn.BatchNorm1d(3)
        net(torch.randn(4, 3, 9))
        return net

    assert "running_mean" not in resolved(drawn)


REPEATED = {
    "expanded": lambda w: torch.randn(6, 1).expand(6, 4).contiguous(),
    "expanded, times": lambda w: torch.randn(6, 1).expand(6, 4) * 2,
    "broadcast": lambda w: w.copy_(torch.randn(4)),
    "filled": lambda w: w.fill_(torch.randn(())),
    "glued": lambda w: torch.cat([torch.randn(3, 4)] * 2),
    "stacked": lambda w: torch.stack([torch.randn(4)] * 6),
}


def half_again(w):
    """Its second half is a copy of the first."""
    w.normal_()
    w[3:] = w[:3]


def one_buffer_again(w):
    """One draw, in three places."""
    drawn = torch.randn(2, 4)
    for i in range(3):
        w[2 * i : 2 * i + 2].copy_(drawn)


REPEATED |= {
    "half again": half_again,
    "one buffer": one_buffer_again,
    "negated": lambda w: torch.cat([x := torch.randn(3, 4), -x]),
    "cloned": lambda w: w.copy_(torch.cat([x := torch.randn(3, 4), 2 * x.clone()])),
    "overlapping": lambda w: torch.cat([(x := torch.randn(6, 4))[:3], x[1:4]]),
}


@pytest.mark.parametrize("case", REPEATED)
def test_draws_that_are_repeated(case):
    """They are no draws of one law each."""
    with pytest.raises(ValueError, match=r"'w': (times 2 of )?draws that are repeated"):
        captured(REPEATED[case])


def redrawn(w):
    """A buffer that is drawn anew before each copy."""
    buffer = torch.empty(2, 4)
    for i in range(3):
        buffer.normal_()
        w[2 * i : 2 * i + 2].copy_(buffer)


def copied_twice(w):
    """The same draws in the same place: the first copy is gone."""
    drawn = torch.randn(6, 4)
    w.copy_(drawn)
    w.copy_(drawn)


@pytest.mark.parametrize(
    "write",
    [
        redrawn,
        copied_twice,
        lambda w: torch.cat([(x := torch.randn(6, 4))[3:], x[:3]]),
        lambda w: torch.cat([torch.randn(3, 4).t().contiguous().t() for _ in range(2)]),
    ],
)
def test_draws_that_are_put_together_are_not_repeated(write):
    """Each is in one place."""
    assert captured(write) == glorot.RandomNormal(stddev=1.0)


def test_an_orthogonal_matrix_in_another_shape_is_none():
    """Only its own sides are orthogonal; a transpose of a matrix has them too."""

    def seen_as(*sides):
        def write(w):
            init.orthogonal_(w.view(*sides))

        return write

    def transposed(w):
        init.orthogonal_(w.t())

    def turned(w):
        w.copy_(init.orthogonal_(torch.empty(4, 4, 3)).transpose(0, 1))

    with pytest.raises(ValueError, match="another shape of an orthogonal matrix"):
        captured(seen_as(4, 6))
    with pytest.raises(ValueError, match="another order of Orthogonal"):
        captured(turned, (4, 4, 3))
    assert captured(transposed) == glorot.Orthogonal(layout="torch.linear")
    assert captured(seen_as(6, -1), (6, 4, 3)) == glorot.Orthogonal(layout="torch.conv")


class Rotary(nn.Module):
    """Buffers that glorot writes nothing like, and one whose number no float64 holds."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.register_buffer("angles", torch.polar(torch.ones(4), torch.ones(4)))
        self.register_buffer("sparse", torch.eye(3).to_sparse())
        self.register_buffer("places", torch.tensor([1, 0, 2, 0]))
        self.register_buffer("large", torch.tensor(2**53 + 1))


def test_buffers_of_any_kind():
    """What no initializer gives is left out; whole numbers are blocks, and no table of floats."""
    found = {rule.pattern: rule.initializer for rule in capture(Rotary).rules}
    assert [found[name] for name in ("angles", "sparse", "large")] == [None] * 3
    assert found["places"]((4,), "int64").tolist() == [1, 0, 2, 0]


def test_a_parameter_of_another_dtype():
    """Rules and `leave_out` are for it as for any."""

    class Complex(nn.Module):
        def __init__(self):
            super().__init__()
            self.c = nn.Parameter(torch.zeros(3, dtype=torch.complex64))
            self.layer = nn.Linear(3, 3)

    with pytest.raises(ValueError, match=r"'c': the parameter 'c' must have one of the dtypes"):
        capture(Complex)
    for recipe in (
        capture(Complex, leave_out=True),
        capture(Complex, rules=[glorot.Rule("c", None)]),
    ):
        assert {rule.pattern: rule.initializer for rule in recipe.rules}["c"] is None


def test_numbers_of_a_generator_of_the_code_s_own():
    """They are others when it runs again."""

    def write(w):
        w.copy_(torch.from_numpy(np.random.default_rng().normal(size=(6, 1))).expand(6, 4))

    with pytest.raises(ValueError, match=r"'w': Blocks\(.* when it ran again"):
        captured(write)


def test_memory_that_repeats():
    """Its elements cannot be drawn apart."""
    with pytest.raises(ValueError, match="'w': its elements share memory"):
        captured(lambda w: torch.randn(1, 4).expand(6, 4))


def test_a_number_less_the_values():
    """Of either spelling, and numbers that a row was set to before."""
    assert captured(lambda w: (1 - 2 * torch.rand(6, 4)) * 0.3) == glorot.RandomUniform(-0.3, 0.3)
    assert captured(lambda w: torch.sub(torch.tensor(2.0), torch.rand(6, 4))) == (
        glorot.RandomUniform(1.0, 2.0)
    )

    def padded(w):
        w.normal_()
        w[0].zero_()
        w.mul_(0.02)

    wanted = glorot.Blocks([glorot.Zeros(), glorot.RandomNormal(stddev=0.02)], [1, 5], axis=0)
    assert captured(padded) == wanted


def test_numbers_after_a_change_of_parts():
    """What is read of them is what they have become."""

    def write(w):
        rows = torch.empty(6, 4)
        rows[0] = torch.tensor([1.0, 2, 3, 4])
        rows[0].fill_(5)
        rows[1:].normal_()
        rows.mul_(2)
        w.copy_((rows[0] + 1).expand(6, 4))

    assert captured(write) == glorot.Constant(11.0)


def test_a_clamp_at_the_bounds():
    """It takes nothing away."""
    found = captured(lambda w: w.uniform_(-1, 1).clamp_(-1, 1))
    assert found == glorot.RandomUniform(-1.0, 1.0)


def test_dtypes():
    """A conversion keeps what the other dtype can hold: whole numbers, or fewer digits."""
    for write, value in (
        (lambda w: torch.full((6, 4), 2.5).int().float(), 2.0),
        (lambda w: torch.empty((6, 4), dtype=torch.int).fill_(2.5).float(), 2.0),
        (lambda w: torch.full((6, 4), 300).to(torch.uint8).float(), 44.0),
        (lambda w: torch.full((6, 4), 0.1).half().float(), 0.0999755859375),
        (lambda w: torch.full((6, 4), 0.1).half(), 0.1),
    ):
        assert captured(write) == glorot.Constant(value)
    with pytest.raises(ValueError, match="'w': whole numbers of Normal"):
        captured(lambda w: torch.randn(6, 4).to(torch.int).float())
    with pytest.raises(ValueError, match="'w': whole numbers of Normal"):
        captured(lambda w: torch.empty((6, 4), dtype=torch.int).copy_(torch.randn(6, 4)).float())


def test_parts_of_a_transpose():
    """Rows of a matrix are columns of its transpose, in a square one too."""

    def write(w):
        w.copy_(torch.cat([torch.zeros(2, 4), torch.randn(2, 4)]).t())

    with pytest.raises(ValueError, match="'w': several parts, written apart"):
        captured(write, (4, 4))
    with pytest.raises(ValueError, match="'w': several parts, written apart"):
        captured(lambda w: torch.cat([torch.zeros(2, 4), torch.randn(2, 4)]).t().contiguous())


def test_parts_are_copied_with_their_numbers():
    """Not with those that the memory had before."""

    def write(w):
        parts = torch.cat([torch.randn(3, 4), torch.log(torch.arange(6.0, 10)).repeat(3, 1)])
        w.copy_(torch.log(torch.arange(1.0, 5)).repeat(6, 1))
        w.copy_(parts)

    with pytest.raises(ValueError, match="'w': numbers that are computed"):
        captured(write)


def test_orthogonal_parts():
    """Each gate's matrix is orthogonal by itself, which the whole is not."""

    def gates(w):
        for part in w.chunk(3):
            init.orthogonal_(part)

    one = glorot.Orthogonal(layout="torch.linear")
    assert captured(gates, (12, 4)) == glorot.Blocks([one] * 3, 3, axis=0)


def test_orthogonal_of_transposed_convolutions():
    """Torch takes the first axis alone as rows, whatever it is."""
    build = nn.ConvTranspose1d(2, 4, 3)

    def layer():
        layer = nn.ConvTranspose1d(2, 4, 3)
        init.orthogonal_(layer.weight)
        return layer

    init_(build, capture(layer), seed=1)
    rows = build.weight.detach().reshape(2, -1)
    assert torch.allclose(rows @ rows.T, torch.eye(2), atol=1e-6)


NOT_ORTHOGONAL = {
    "columns of a part": (lambda w: init.orthogonal_(torch.empty(8, 8))[:6, :4], "a part or"),
    "another shape": (lambda w: init.orthogonal_(torch.empty(8, 8)).view(4, 16), "a part or"),
    "several": (lambda w: torch.linalg.qr(torch.randn(3, 4, 4))[0], "a QR of Normal"),
    "signs": (lambda w: torch.linalg.qr(torch.randn(6, 6))[0], "the Q of a QR, without the signs"),
    "its product": (lambda w: torch.matmul(*torch.linalg.qr(torch.randn(6, 6))), "mm of the Q"),
}


@pytest.mark.parametrize("case", NOT_ORTHOGONAL)
def test_not_orthogonal(case):
    """What comes of a QR, and is no orthogonal matrix of even law."""
    write, why = NOT_ORTHOGONAL[case]
    with pytest.raises(ValueError, match=f"'w': {why}"):
        captured(write)


ARGUMENTS = {
    "tensors of means": (
        lambda w: torch.normal(torch.full((6, 4), 5.0), 3.0), "draws of normal",
    ),
    "tensors of stddevs": (
        lambda w: torch.normal(0.0, torch.full((6, 4), 3.0)), "draws of normal",
    ),
    "alpha": (lambda w: torch.add(torch.ones(()), torch.randn(6, 4), alpha=3), "add of Normal"),
    "bounds": (lambda w: torch.randn(6, 4).clamp(min=torch.zeros(4)), "clamp of Normal"),
    "complex": (
        lambda w: torch.view_as_real(torch.randn(48, dtype=torch.cfloat))[:6, :1].repeat(1, 4),
        "repeat of memory that is looked at as another type",
    ),
    "bits": (
        lambda w: torch.randn(6, 4, dtype=torch.double).view(torch.float)[:3].clone(),
        "memory that is looked at as another type",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ARGUMENTS)
def test_arguments_that_are_no_law(case):
    """Means, factors and bounds that are tensors are not those of a law; nor are bits as another
    type."""
    write, why = ARGUMENTS[case]
    with pytest.raises(ValueError, match=f"'w': {why}"):
        captured(write)


def test_arguments_that_are_a_number():
    """Laws without a spread are constants; sizes are no stddev."""
    assert captured(lambda w: init.normal_(w, 0.5, 0.0)) == glorot.Constant(0.5)
    assert captured(lambda w: init.uniform_(w, 0.5, 0.5)) == glorot.Constant(0.5)
    assert captured(lambda w: torch.normal(1.0, 3.0, (6, 4))) == glorot.RandomNormal(1.0, 3.0)


def test_lengths_of_weight_norm():
    """They are the direction's norms, as they begin, or an error: DINO's head fixes them at 1."""
    norm = nn.utils.parametrizations.weight_norm

    def constant():
        layer = nn.Linear(4, 6, bias=False)
        init.ones_(layer.weight)
        return norm(layer)

    assert set(map(type, resolved(constant).values())) == {Direction, Length}
    assert len(resolved(lambda: norm(nn.Conv1d(4, 6, 3, bias=False), dim=None))) == 2
    for fix in (
        lambda source: source.original0.data.fill_(1.0),
        lambda source: init.normal_(source.original1, std=5.0),
        lambda source: init.ones_(source.original1),
    ):

        def build(fix=fix):
            layer = norm(nn.Linear(4, 6, bias=False))
            fix(layer.parametrizations.weight)
            return layer

        with pytest.raises(ValueError, match=r"weight norm, whose length is .* not the norms of"):
            capture(build)


def test_rows_one_by_one():
    """Hundreds of parts of one law are one."""

    def write(w):
        for row in w:
            init.normal_(row, std=0.5)

    assert captured(write, (300, 2)) == glorot.RandomNormal(0.0, 0.5)
