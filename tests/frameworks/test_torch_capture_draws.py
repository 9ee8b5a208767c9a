# SPDX-License-Identifier: Apache-2.0
"""Which draws are in a parameter: what is done to them, and whether they come again."""

import pytest
import torch
from capture_cases import captured
from torch import nn

import glorot
import glorot.torch
from glorot.torch import capture

pytestmark = pytest.mark.frameworks


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_draws_that_change_one_number_in_place(shape):
    """It is no constant then, though a number is all that the weight has."""
    for write, wanted in (
        (lambda w: w.fill_(2).add_(torch.randn(shape)), glorot.RandomNormal(2.0, 1.0)),
        (lambda w: w.fill_(2).sub_(torch.rand(shape)), glorot.RandomUniform(1.0, 2.0)),
        (lambda w: w.fill_(2).mul_(torch.randn(shape)), glorot.RandomNormal(0.0, 2.0)),
    ):
        assert captured(write, shape) == wanted


def forked(w):
    """Each row by the same numbers of torch's generator."""
    for row in w:
        with torch.random.fork_rng(devices=[]):
            row.normal_()


def seeded_again(w):
    """By one seed for each half, through a buffer."""
    halves = []
    for _ in range(2):
        torch.manual_seed(3)
        halves.append(2 * torch.rand(3, 4))
    return torch.cat(halves)


def generators_alike(w):
    """By generators of one seed."""
    for row in w:
        nn.init.trunc_normal_(row, generator=torch.Generator().manual_seed(3))


def set_back(w):
    """By a state that was kept, after other draws."""
    torch.rand(3)
    state = torch.get_rng_state()
    w[:3].uniform_()
    torch.rand(3)
    torch.set_rng_state(state)
    w[3:].normal_()


def squares_alike(w):
    """Orthogonal matrices of one seed."""
    for part in w.chunk(2):
        torch.manual_seed(3)
        nn.init.orthogonal_(part)


def one_name(w):
    """This library's own, by one name."""
    for part in w.chunk(2):
        glorot.torch.normal_(part, seed=1, name="w")


SET_BACK = [forked, seeded_again, generators_alike, set_back, squares_alike, one_name]


def looked_at(write):
    """The same in code that looks at what it draws, and so has memory."""

    def run(w):
        assert torch.rand(1).item() < 2
        return write(w)

    return run


@pytest.mark.parametrize("through", [lambda write: write, looked_at], ids=["meta", "memory"])
@pytest.mark.parametrize("write", SET_BACK)
def test_generators_that_are_set_back(write, through):
    """Parts of a parameter that are drawn by the same numbers are not independent."""
    with pytest.raises(ValueError, match="'w': draws that are repeated, of a generator that"):
        captured(through(write))


def seeded_once(w):
    """Before everything."""
    torch.manual_seed(3)
    for row in w:
        row.normal_()


def forked_once(w):
    """Around everything, and around other draws in between."""
    with torch.random.fork_rng(devices=[]):
        w[:3].normal_()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(3)
            torch.rand(2)
        w[3:].normal_()


def seeded_apart(w):
    """Each row by a seed of its own."""
    for number, row in enumerate(w):
        torch.manual_seed(number)
        row.normal_(generator=torch.Generator().manual_seed(number + 10) if number % 2 else None)


def drawn_anew(w):
    """All again by the same seed: the first draws are gone."""
    for _ in range(2):
        torch.manual_seed(3)
        w[:3].normal_()
        w[3:].normal_()


@pytest.mark.parametrize("through", [lambda write: write, looked_at], ids=["meta", "memory"])
@pytest.mark.parametrize("write", [seeded_once, forked_once, seeded_apart, drawn_anew])
@pytest.mark.parametrize("seed", [0, 3])  # the latter is theirs
def test_generators_that_go_on(write, through, seed):
    """Seeds and forks of ordinary code repeat nothing within a parameter, whatever was before."""
    torch.manual_seed(seed)
    assert captured(through(write)) == glorot.RandomNormal(stddev=1.0)


def test_one_seed_for_each_parameter():
    """As where layers seed themselves: copies are draws of their own."""

    def build():
        layers = []
        for _ in range(3):
            torch.manual_seed(3)
            layers.append(nn.Linear(4, 4))
        return nn.Sequential(*layers)

    state = torch.get_rng_state()
    assert len(capture(build).resolve(glorot.torch.shapes(build()))) == 6
    torch.set_rng_state(state)


def part_negated(w):
    """A part of a buffer, changed in place between two copies of it."""
    part = torch.randn(6, 4)[:3]
    w[:3] = part
    w[3:] = part.neg_()


def step_of_two(w):
    """Mamba's time steps but for one thing: they are of two draws."""

    def dt():
        return torch.exp(torch.rand(6, 4) * 4 - 6)

    return dt() + torch.log(-torch.expm1(-dt()))


def q_by(signs):
    """A Q of a QR, with signs of an R."""

    def write(w):
        (q, r), (_, other) = (torch.linalg.qr(torch.randn(6, 6)) for _ in range(2))
        return q * signs(r, other)

    return write


@pytest.mark.parametrize(
    ("write", "why"),
    [
        (part_negated, "draws that are repeated"),
        (step_of_two, "the sum of|add of LogUniform"),
        (q_by(lambda r, other: r.sign()), "mul of the Q"),
        (q_by(lambda r, other: r.diag(1).sign().repeat(2)[:6]), "mul of the Q"),
        (q_by(lambda r, other: r[0].sign()), "mul of the Q"),
        (q_by(lambda r, other: other.diag().sign()), "mul of the Q"),
        (q_by(lambda r, other: r.diag().sign()[:, None]), "the Q of a QR, with signs that"),
    ],
)
def test_draws_that_look_like_others(write, why):
    """Repeated ones, and those of two draws where a law is of one."""
    with pytest.raises(ValueError, match=f"'w': ({why})"):
        captured(write, (6, 4) if "Q" not in why else (6, 6))


@pytest.mark.parametrize("diagonal", [torch.diag, torch.diagonal])
def test_signs_of_the_diagonal(diagonal):
    """Make Q uniform, looked at as a view or copied."""
    found = captured(q_by(lambda r, other: diagonal(r).sign()), (6, 6))
    assert found == glorot.Orthogonal(layout="torch.linear")


@pytest.mark.parametrize("copied", [lambda w: w, torch.Tensor.contiguous], ids=["view", "copy"])
def test_an_orthogonal_matrix_whose_axes_are_in_another_order(copied):
    """Is none of the weight's, which mixes its rows and columns; of two axes either is."""
    matrix = nn.init.orthogonal_
    with pytest.raises(ValueError, match="'w': another order of Orthogonal"):
        captured(lambda w: copied(matrix(torch.empty(4, 8)).view(4, 2, 4).permute(2, 1, 0)))
    found = captured(lambda w: copied(matrix(torch.empty(6, 6)).T), (6, 6))
    assert found == glorot.Orthogonal(layout="torch.linear")


def test_negated_views():
    """Hold other values than their memory, and write others into it."""
    for write in (
        lambda w: torch._neg_view(torch.ones(6, 4)).clone(),
        lambda w: w.copy_(torch._neg_view(torch.rand(6, 4))),
        lambda w: (torch._neg_view(w).fill_(1), w)[1],
    ):
        with pytest.raises(ValueError, match="'w': a negated or conjugated view of"):
            captured(write)
