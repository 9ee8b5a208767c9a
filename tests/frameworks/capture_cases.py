# SPDX-License-Identifier: Apache-2.0
"""What the tests of captured code share: modules of one weight."""

import torch
from torch import nn

from glorot.torch import capture


class One(nn.Module):
    """A module of one weight, which is what a function of an empty one makes of it."""

    def __init__(self, write, shape=(6, 4)):
        super().__init__()
        self.w = nn.Parameter(torch.empty(shape))
        with torch.no_grad():
            found = write(self.w)
        if found is not None and found is not self.w:
            self.w = nn.Parameter(found)


def captured(write, shape=(6, 4)):
    """The initializer of the one weight."""
    (found,) = capture(lambda: One(write, shape)).resolve({"w": shape})
    return found.initializer
