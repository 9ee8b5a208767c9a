# SPDX-License-Identifier: Apache-2.0
"""PyTorch: fill tensors and modules in place, whole or sharded, with the bytes of every framework.

The names of `torch.nn.init` are here too, with `seed` and `name`.
"""

from typing import TYPE_CHECKING, Any

try:
    from torch.nn.init import calculate_gain
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "torch":  # of what it needs
        raise
    raise ModuleNotFoundError(
        "glorot.torch needs PyTorch, which is not installed: pip install 'glorot[torch]'.",
        name=error.name,
    ) from None

from glorot._report import InitReport, ParameterReport
from glorot.torch._fingerprint import fingerprint
from glorot.torch._init import init_
from glorot.torch._materialize import materialize
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
from glorot.torch._ranks import check_ranks
from glorot.torch._shapes import explain, shapes

if TYPE_CHECKING:  # what __getattr__ below loads
    from glorot.torch._capture._capture import capture
    from glorot.torch._dcp import VirtualCheckpoint

__all__ = [
    "InitReport",
    "ParameterReport",
    "VirtualCheckpoint",
    "calculate_gain",
    "canonical_name",
    "capture",
    "check_ranks",
    "constant_",
    "dirac_",
    "explain",
    "eye_",
    "fingerprint",
    "init_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "materialize",
    "normal_",
    "ones_",
    "orthogonal_",
    "shapes",
    "sparse_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]


def __getattr__(name: str) -> Any:
    if name == "VirtualCheckpoint":  # torch.distributed.checkpoint takes a while to load
        from glorot.torch._dcp import VirtualCheckpoint

        return VirtualCheckpoint
    if name == "capture":
        from glorot.torch._capture._capture import capture

        return capture
    raise AttributeError(f"module 'glorot.torch' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
