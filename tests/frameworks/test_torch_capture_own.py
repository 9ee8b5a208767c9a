# SPDX-License-Identifier: Apache-2.0
"""Recipes of torch code that calls this library's own functions."""

import pytest
import torch
from capture_cases import captured
from torch import nn

import glorot
import glorot.torch
from glorot.torch import capture, init_

pytestmark = pytest.mark.frameworks
V = glorot.torch


def looked_at(write):
    """The same in code that looks at its numbers, and so is run with memory."""

    def run(w):
        nn.init.normal_(w)
        assert float(w.abs().sum()) > 0
        write(w)

    return run


def two_parts(w):
    """Ones, and then zeros."""
    V.ones_(V.normal_(w, seed=1, name="w")[:2])
    V.zeros_(w[2:])


@pytest.mark.parametrize("through", [lambda write: write, looked_at], ids=["meta", "memory"])
@pytest.mark.parametrize(
    ("write", "wanted"),
    [
        (lambda w: V.normal_(w, 1.0, 0.5, seed=1, name="w"), glorot.RandomNormal(1.0, 0.5)),
        (lambda w: V.uniform_(w, -1.0, 3.0, seed=1, name="w"), glorot.RandomUniform(-1.0, 3.0)),
        (lambda w: V.trunc_normal_(w, std=0.5, a=-1.0, b=0.5, seed=1, name="w"),
         glorot.TruncatedNormal(stddev=0.5, lower=-2.0, upper=1.0)),
        (lambda w: V.constant_(w, 0.3), glorot.Constant(0.3)),
        (V.zeros_, glorot.Zeros()),
        (V.eye_, glorot.Identity()),
        (lambda w: V.sparse_(w, 0.3, seed=1, name="w"), glorot.Sparse(0.3, layout="IO")),
        (lambda w: V.orthogonal_(w, 1.5, seed=1, name="w"),
         glorot.Orthogonal(1.5, layout="torch.conv")),
        (lambda w: V.normal_(w, seed=1, name="w").mul_(0.5), glorot.RandomNormal(stddev=0.5)),
        (lambda w: V.orthogonal_(w, seed=1, name="w").mul_(0.5),
         glorot.Orthogonal(0.5, layout="torch.conv")),
        (lambda w: init_(w, glorot.RandomNormal(stddev=0.5), seed=1, name="w"),
         glorot.RandomNormal(stddev=0.5)),
        (two_parts, glorot.Blocks([glorot.Ones(), glorot.Zeros()], [1, 2], axis=0)),
    ],
)  # fmt: skip
def test_functions(through, write, wanted):
    """Each is seen as what it fills with, on the meta device and where there is memory."""

    def quietly(w):
        with torch.no_grad():
            write(w)

    assert captured(through(quietly)) == wanted


def test_parts_of_what_is_no_law():
    """Are an error: a part of an orthogonal matrix is none."""
    whole = torch.empty(12, 4)

    def write(w):
        init_(w, glorot.Orthogonal(), seed=1, name="w", shape=(12, 4), shard=slice(0, 6))

    with pytest.raises(ValueError, match="a part of what Orthogonal"):
        captured(write)
    assert (
        captured(
            lambda w: init_(
                w, glorot.RandomNormal(), seed=1, name="w", shape=(12, 4), shard=slice(6)
            )
        )
        == glorot.RandomNormal()
    )
    assert init_(whole, glorot.Orthogonal(), seed=1, name="w") is whole


class Net(nn.Module):
    """A module that fills a part of itself by a recipe, and the rest by functions."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, 96), nn.Linear(96, 64))
        self.head = nn.Linear(64, 48)
        recipe = glorot.Recipe(
            [
                glorot.Rule("*bias", glorot.Constant(0.5)),
                glorot.Rule("*", glorot.TruncatedNormal(stddev=0.02)),
            ]
        )
        init_(self.body, recipe, seed=3)
        V.orthogonal_(self.head.weight, 2.0, seed=3, name="head.weight")


def test_a_module():
    """What is captured fits what the module is filled with."""
    recipe, module = capture(Net), Net()
    found = {a.name: a.law for a in recipe.resolve(V.shapes(module))}
    assert found["body.0.weight"] == "TN(0, 0.02, ±2)"
    assert found["body.1.bias"] == "Constant(value=0.5)"
    assert "Orthogonal" in found["head.weight"]
    assert not glorot.audit(module, recipe).problems
    wrong = recipe.to_json().replace("0.02", "0.025")
    assert glorot.audit(module, glorot.Recipe.from_json(wrong)).problems


def test_nothing_is_noted_afterwards():
    """Once a capture is over, also one that failed, memory is filled as always."""
    with pytest.raises(ZeroDivisionError):
        capture(lambda: 1 / 0)
    capture(Net)
    w = V.normal_(torch.zeros(6, 4), seed=1, name="w")
    assert (w.numpy() == glorot.RandomNormal(stddev=1.0)((6, 4), seed=1, name="w")).all()


def halved(init):
    """Two halves, each filled as a weight by itself."""

    def write(w):
        for number, half in enumerate(w.chunk(2)):
            V.init_(half, init, seed=1, name=str(number))

    return write


def test_halves_that_are_alike_are_not_the_whole():
    """Where the values depend on the place, one of the halves is not what both together are."""
    assert captured(halved(glorot.RandomNormal(stddev=0.1))) == glorot.RandomNormal(stddev=0.1)
    identities = glorot.Blocks([glorot.Identity(), glorot.Identity()], 2, axis=0)
    assert captured(halved(glorot.Identity())) == identities
    for second in ("ones", glorot.RandomNormal()):
        with pytest.raises(ValueError, match=r"'w': what Blocks\("):
            captured(halved(glorot.Blocks(["zeros", second], [1, 2], axis=0)))


def into_a_transpose(init):
    """Code that fills the transpose of its weight."""

    def write(w):
        V.init_(w.mT, init, seed=1, name="w")

    return write


def of_a_transpose(init):
    """Code whose weight is the transpose of what it fills."""

    def write(w):
        return V.init_(torch.empty(4, 4), init, seed=1, name="w").T

    return write


def copied_transpose(init):
    """The same with a copy."""

    def write(w):
        w.copy_(V.init_(torch.empty(4, 4), init, seed=1, name="w").T)

    return write


PLACED = [
    glorot.Blocks(["zeros", "ones"], [1, 1], axis=0),
    glorot.Blocks(["zeros", glorot.RandomNormal()], [1, 1], axis=0),
    glorot.Sparse(0.25),
]


@pytest.mark.parametrize("through", [into_a_transpose, of_a_transpose, copied_transpose])
def test_square_matrices_that_are_turned(through):
    """What the initializer gives is turned too: it is another's, unless both are the same."""
    for init in PLACED:
        with pytest.raises(ValueError, match="'w': another order of what"):
            captured(through(init), (4, 4))
    assert captured(through(glorot.RandomNormal(stddev=0.5)), (4, 4)) == (
        glorot.RandomNormal(stddev=0.5)
    )
    for init in (glorot.Orthogonal(), glorot.Identity(2.0)):
        assert captured(through(init), (4, 4)) == init


def test_columns_that_are_filled():
    """Are in their own order, and a part of the weight."""

    def write(w):
        V.zeros_(w)
        V.init_(w[:, :2], glorot.Sparse(0.5), seed=1, name="w")

    assert captured(write) == glorot.Blocks([glorot.Sparse(0.5), "zeros"], [1, 1], axis=1)
