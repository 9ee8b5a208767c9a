# SPDX-License-Identifier: Apache-2.0
"""What the replay of PyTorch promises."""

import functools

from glorot.replay._guarantee import Guarantee

ALL = ("float16", "bfloat16", "float32", "float64")
INTEGERS = ("uint8", "int8", "int16", "int32", "int64")

row = functools.partial(Guarantee, "PyTorch", ("2.13.0",), seekable=False, cases=20000)

_CPU = "x86-64, FMA or not"
_LIBM = (
    "CPU, not CUDA. Last bits of float64 values, and of fewer than 16 of any dtype, follow the C "
    "library: the generator's `glibc` and `fma`; compared with glibc 2.36 of Debian 12."
)
_PARAMETERS = "modules' parameters"
_LAYERS = (
    *("Linear", "Bilinear", "Conv1d", "Conv2d", "Conv3d"),
    *("ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"),
    *("RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell", "RNNBase", "RNNCellBase"),
    *("TransformerEncoderLayer", "TransformerDecoderLayer", "Transformer"),
    *("AdaptiveLogSoftmaxWithLoss", "LinearCrossEntropyLoss"),
)
_CONSTANT = (
    *(
        "BatchNorm1d",
        "BatchNorm2d",
        "BatchNorm3d",
        "SyncBatchNorm",
        "GroupNorm",
        "LayerNorm",
        "RMSNorm",
        "PReLU",
    ),
    *("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"),
)


def _nn(*names: str) -> tuple[str, ...]:
    return tuple(f"torch.nn.{name}" for name in names)


ROWS = (
    row(
        ("torch.Generator", "torch.manual_seed", "torch.rand"),
        ALL,
        distribution="uniform",
        note="CPU, not CUDA.",
    ),
    row(("torch.randperm",), (*ALL, *INTEGERS), distribution="permutation", note="CPU, not CUDA."),
    row(("torch.randn", "torch.normal"), ALL, distribution="normal", arithmetic=_CPU, note=_LIBM),
    row(
        _nn("init.uniform", "init.xavier_uniform", "init.kaiming_uniform"),
        ALL,
        distribution="uniform",
        arithmetic=_CPU,
    ),
    row(
        _nn("init.normal", "init.xavier_normal", "init.kaiming_normal", "init.sparse"),
        ALL,
        distribution="normal",
        arithmetic=_CPU,
        note=_LIBM,
    ),
    row(
        _nn("init.trunc_normal"),
        ALL,
        distribution="truncated normal",
        arithmetic=_CPU,
        note=_LIBM
        + " Where [a, b] holds at most 0.3 of the normal, one candidate in about 1e7 cannot be "
        'told, and is an error. version="2.12", the algorithm of releases before 2.13 and of timm, '
        "is exact in float16 and bfloat16, near in float32 (3 values in 10,000, by a last bit; 4 "
        "in 1,000 where MKL uses AVX-512) and float64 (15 in 100, by up to 3): torch's erfinv is "
        "MKL's.",
    ),
    row(
        _nn("init.orthogonal"),
        ("float32", "float64"),
        distribution="orthogonal",
        arithmetic=_CPU,
        exact=False,
        tolerance="8 * gain * eps * condition number of the matrix drawn, eps 2**-23 or 2**-52",
        note="The matrix drawn is exact; its QR factorisation is NumPy's in float64. " + _LIBM,
    ),
    row(
        _nn("init.constant", "init.ones", "init.zeros", "init.eye", "init.dirac"),
        (*ALL, *INTEGERS),
        distribution="constants",
    ),
    row(_nn(*_LAYERS), ALL, distribution=_PARAMETERS, arithmetic=_CPU),
    row(
        _nn("Embedding", "EmbeddingBag", "MultiheadAttention"),
        ALL,
        distribution=_PARAMETERS,
        arithmetic=_CPU,
        note=_LIBM,
    ),
    row(_nn(*_CONSTANT), ALL, distribution=_PARAMETERS),
)
