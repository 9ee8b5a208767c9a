# SPDX-License-Identifier: Apache-2.0
"""torch.nn's convolutions, straight and transposed, over 1 to 3 axes."""

from typing import Any

from glorot._check import choice, show
from glorot.replay.torch._arguments import DType
from glorot.replay.torch._generator import Generator
from glorot.replay.torch.nn._draws import Draws, dtype_on, empty, ntuple
from glorot.replay.torch.nn._module import Module

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _Conv(Module):
    """The parameters of a convolution: weight (out, in / groups, *kernel_size) and bias (out,).

    A transposed one has the weight (in, out / groups, *kernel_size).
    """

    axes = 0
    transposed = False

    def _build(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        groups: int,
        bias: bool,
        padding_mode: str,
        dtype: DType,
    ) -> None:
        if groups <= 0:
            raise ValueError(f"groups must be a positive integer, got {show(groups)}.")
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups:
                raise ValueError(
                    f"{name} must be divisible by groups, got {show(channels)} and {show(groups)}."
                )
        if isinstance(padding, str):
            choice("padding", padding, ("same", "valid"))
            if padding == "same" and any(step != 1 for step in ntuple(stride, self.axes)):
                raise ValueError("padding='same' is not supported for strided convolutions")
        choice("padding_mode", padding_mode, _PADDING_MODES)
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size = ntuple(kernel_size, self.axes)
        first, second = (
            (in_channels, out_channels) if self.transposed else (out_channels, in_channels)
        )
        shape = (first, second // groups, *self.kernel_size)
        self.register_parameter("weight", empty(shape, dtype))
        self.register_parameter("bias", empty((out_channels,), dtype) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw again, in place; the weight by its indices, however it lies in memory."""
        self._draws.kaiming_uniform(self.weight, by_memory=False)
        if self.bias is not None:
            self._draws.bias_of(self.bias, self.weight)


class _Straight(_Conv):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
        *,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        self._draws = Draws.of(generator)
        self._build(
            in_channels, out_channels, kernel_size, stride, padding, groups, bias, padding_mode,
            dtype_on(device, dtype),
        )  # fmt: skip


class _Transposed(_Conv):
    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
        *,
        generator: Generator | None = None,
    ) -> None:
        super().__init__()
        if padding_mode != "zeros":
            raise ValueError(
                f'Only "zeros" padding mode is supported for {type(self).__name__}, got '
                f"{show(padding_mode)}."
            )
        self._draws = Draws.of(generator)
        self._build(
            in_channels, out_channels, kernel_size, stride, padding, groups, bias, padding_mode,
            dtype_on(device, dtype),
        )  # fmt: skip


class Conv1d(_Straight):
    """The parameters of a new `torch.nn.Conv1d`.

    Args:
        in_channels, out_channels, kernel_size, groups, bias, dtype: torch's.
        stride, padding, dilation, padding_mode: torch's; they do not change what is drawn.
        device: the CPU.
        generator: to draw from; torch, which has no such argument, draws from the default one.

    Attributes:
        weight: (out_channels, in_channels / groups, *kernel_size), uniform below 1 / sqrt(fan_in).
        bias: (out_channels,), the same, or None.

    Exact for torch 2.13.0 on x86-64.

    Example:
        >>> from glorot.replay.torch import manual_seed
        >>> _ = manual_seed(42)
        >>> Conv1d(1, 2, 3).weight[0]
        Parameter([[ 0.44140652,  0.47920528, -0.13525727]], dtype=float32)

    Source: torch/nn/modules/conv.py, torch 2.13.0.
    """

    axes = 1


class Conv2d(_Straight):
    """The parameters of a new `torch.nn.Conv2d`; see `Conv1d`.

    Replays PyTorch 2.13.0 on x86-64: exact, by the arithmetic of `generator`.
    """

    axes = 2


class Conv3d(_Straight):
    """The parameters of a new `torch.nn.Conv3d`; see `Conv1d`.

    Replays PyTorch 2.13.0 on x86-64: exact, by the arithmetic of `generator`.
    """

    axes = 3


class ConvTranspose1d(_Transposed):
    """The parameters of a new `torch.nn.ConvTranspose1d`; see `Conv1d`.

    The weight is (in_channels, out_channels / groups, *kernel_size), and torch takes its second
    axis for fan_in here too.

    Replays PyTorch 2.13.0 on x86-64: exact, by the arithmetic of `generator`.
    """

    axes = 1


class ConvTranspose2d(_Transposed):
    """The parameters of a new `torch.nn.ConvTranspose2d`; see `ConvTranspose1d`.

    Replays PyTorch 2.13.0 on x86-64: exact, by the arithmetic of `generator`.
    """

    axes = 2


class ConvTranspose3d(_Transposed):
    """The parameters of a new `torch.nn.ConvTranspose3d`; see `ConvTranspose1d`.

    Replays PyTorch 2.13.0 on x86-64: exact, by the arithmetic of `generator`.
    """

    axes = 3
