# SPDX-License-Identifier: Apache-2.0
"""torch.nn.init: each function of it that fills a tensor in place, here one that returns an array.

The names are torch's without the trailing underscore, the arguments torch's with the shape in the
tensor's place, and `dtype` where torch takes the tensor's.  Exact for torch 2.13.0 on x86-64 unless
a function says otherwise; none is seekable, since the generator is not.

Source: torch/nn/init.py, torch 2.13.0.
"""

from glorot.replay.torch.nn.init._constant import constant as constant
from glorot.replay.torch.nn.init._constant import dirac as dirac
from glorot.replay.torch.nn.init._constant import eye as eye
from glorot.replay.torch.nn.init._constant import ones as ones
from glorot.replay.torch.nn.init._constant import zeros as zeros
from glorot.replay.torch.nn.init._gain import calculate_gain as calculate_gain
from glorot.replay.torch.nn.init._matrix import orthogonal as orthogonal
from glorot.replay.torch.nn.init._matrix import sparse as sparse
from glorot.replay.torch.nn.init._plain import normal as normal
from glorot.replay.torch.nn.init._plain import trunc_normal as trunc_normal
from glorot.replay.torch.nn.init._plain import uniform as uniform
from glorot.replay.torch.nn.init._scaled import kaiming_normal as kaiming_normal
from glorot.replay.torch.nn.init._scaled import kaiming_uniform as kaiming_uniform
from glorot.replay.torch.nn.init._scaled import xavier_normal as xavier_normal
from glorot.replay.torch.nn.init._scaled import xavier_uniform as xavier_uniform

__all__ = [
    "calculate_gain",
    "constant",
    "dirac",
    "eye",
    "kaiming_normal",
    "kaiming_uniform",
    "normal",
    "ones",
    "orthogonal",
    "sparse",
    "trunc_normal",
    "uniform",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]
