# SPDX-License-Identifier: Apache-2.0
"""What the tests of `glorot.torch.init_` share."""

import torch
from torch import nn
from torch.nn.utils import parametrize

import glorot
import glorot.torch

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


class Held(nn.Module):
    """A module with this parameter."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)


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


def compiled(module):
    """torch.compile's wrapper; the compiler behind it does not matter."""
    return torch.compile(module, backend="eager")
