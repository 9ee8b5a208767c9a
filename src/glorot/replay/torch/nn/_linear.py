# SPDX-License-Identifier: Apache-2.0
"""torch.nn.Linear and Bilinear."""

import math
from typing import Any

from glorot.replay.torch._generator import Generator
from glorot.replay.torch.nn._draws import Draws
from glorot.replay.torch.nn._module import Module


class Linear(Module):
    """The parameters of a new `torch.nn.Linear`.

    Args:
        in_features, out_features, bias, device, dtype: torch's; the device must be the CPU, and
            dtype float16, bfloat16, float32 (also for None) or float64.
        generator: to draw from; torch, which has no such argument, draws from the default one.

    Attributes:
        weight: (out_features, in_features), uniform below 1 / sqrt(in_features).
        bias: (out_features,), the same, or None.

    Exact for torch 2.13.0 on x86-64.

    Example:
        >>> from glorot.replay.torch import manual_seed
        >>> _ = manual_seed(42)
        >>> Linear(3, 2).state_dict()["bias"]
        array([-0.28108588,  0.3390678 ], dtype=float32)

    Source: torch/nn/modules/linear.py, torch 2.13.0.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        draw = Draws.of(device, dtype, generator)
        self.in_features, self.out_features = in_features, out_features
        shape = (out_features, in_features)
        self.register_parameter("weight", draw.like_linear(shape))
        self.register_parameter(
            "bias", draw.bias_like_linear(out_features, shape) if bias else None
        )


class Bilinear(Module):
    """The parameters of a new `torch.nn.Bilinear`; arguments as `Linear`.

    Attributes:
        weight: (out_features, in1_features, in2_features), uniform below 1 / sqrt(in1_features).
        bias: (out_features,), the same, or None.

    Replays PyTorch 2.13.0 on x86-64: exact, by the arithmetic of `generator`.

    Example:
        >>> from glorot.replay.torch import manual_seed
        >>> _ = manual_seed(42)
        >>> Bilinear(2, 3, 1, bias=False).weight.shape
        (1, 2, 3)

    Source: torch/nn/modules/linear.py, torch 2.13.0.
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        draw = Draws.of(device, dtype, generator)
        if in1_features <= 0:
            raise ValueError(f"in1_features must be > 0, but got (in1_features={in1_features})")
        self.in1_features, self.in2_features = in1_features, in2_features
        self.out_features = out_features
        bound = 1 / math.sqrt(in1_features)
        shape = (out_features, in1_features, in2_features)
        self.register_parameter("weight", draw.uniform(shape, bound))
        self.register_parameter("bias", draw.uniform((out_features,), bound) if bias else None)
