# SPDX-License-Identifier: Apache-2.0
"""PyTorch's own draws on CPU, for its seeds: generators, random tensors, and `nn.init`.

    from glorot.replay import torch
    g = torch.Generator().manual_seed(42)
    torch.rand(3, 4, generator=g)

Functions return new NumPy arrays where torch's fill a tensor, and take `dtype` where torch's have
the tensor's.  Whatever draws takes `generator`; without it, it draws from the default generator,
which `manual_seed` seeds, as in torch.
"""

from glorot.replay.torch import nn as nn
from glorot.replay.torch._generator import Generator as Generator
from glorot.replay.torch._generator import get_rng_state as get_rng_state
from glorot.replay.torch._generator import initial_seed as initial_seed
from glorot.replay.torch._generator import manual_seed as manual_seed
from glorot.replay.torch._generator import set_rng_state as set_rng_state
from glorot.replay.torch._random import normal as normal
from glorot.replay.torch._random import rand as rand
from glorot.replay.torch._random import randn as randn
from glorot.replay.torch._randperm import randperm as randperm

__all__ = [
    "Generator",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "nn",
    "normal",
    "rand",
    "randn",
    "randperm",
    "set_rng_state",
]
