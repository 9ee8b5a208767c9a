# SPDX-License-Identifier: Apache-2.0
"""torch.nn.Linear and Bilinear."""

import math
from typing import Any

from glorot._check import show
from glorot.replay.torch._generator import Generator
from glorot.replay.torch.nn._draws import Draws, dtype_on, empty
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
        self._draws, found = Draws.of(generator), dtype_on(device, dtype)
        self.in_features, self.out_features = in_features, out_features
        self.register_parameter("weight", empty((out_features, in_features), found))
        self.register_parameter("bias", empty((out_features,), found) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw again, in place."""
        self._draws.kaiming_uniform(self.weight)
        if self.bias is not None:
            self._draws.bias_of(self.bias, self.weight)


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
        self._draws, found = Draws.of(generator), dtype_on(device, dtype)
        self.in1_features, self.in2_features = in1_features, in2_features
        self.out_features = out_features
        shape = (out_features, in1_features, in2_features)
        self.register_parameter("weight", empty(shape, found))
        self.register_parameter("bias", empty((out_features,), found) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw again, in place."""
        if self.in1_features <= 0:
            raise ValueError(
                f"in1_features must be > 0, but got (in1_features={show(self.in1_features)})"
            )
        bound = 1 / math.sqrt(self.weight.shape[1])
        self._draws.uniform(self.weight, bound)
        if self.bias is not None:
            self._draws.uniform(self.bias, bound)
