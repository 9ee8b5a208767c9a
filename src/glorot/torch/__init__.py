# SPDX-License-Identifier: Apache-2.0
"""PyTorch: fill tensors and modules in place, whole or sharded, with the bytes of every framework.

The names of `torch.nn.init` are here too, with `seed` and `name`.
"""

try:
    from torch.nn.init import calculate_gain
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "glorot.torch needs PyTorch, which is not installed: pip install 'glorot[torch]'.",
        name=error.name,
    ) from None

from glorot.torch._fingerprint import fingerprint
from glorot.torch._init import init_
from glorot.torch._names import canonical_name
from glorot.torch._nn_init import (
    constant_,
    dirac_,
    eye_,
    kaiming_normal_,
    kaiming_uniform_,
    normal_,
    ones_,
    orthogonal_,
    sparse_,
    trunc_normal_,
    uniform_,
    xavier_normal_,
    xavier_uniform_,
    zeros_,
)
from glorot.torch._report import InitReport, ParameterReport

__all__ = [
    "InitReport",
    "ParameterReport",
    "calculate_gain",
    "canonical_name",
    "constant_",
    "dirac_",
    "eye_",
    "fingerprint",
    "init_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "sparse_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]
