# SPDX-License-Identifier: Apache-2.0
"""torch.nn's layers whose parameters are constants: the norms, and PReLU.  They draw nothing."""

import numbers
from typing import Any

import numpy as np

from glorot._check import show
from glorot.replay.torch._arguments import DType
from glorot.replay.torch.nn._draws import dtype_on, empty, fill
from glorot.replay.torch.nn._module import Module


class _Norm(Module):
    switch = "affine"  # torch's attribute that says whether there is a weight

    def _affine(self, shape: Any, affine: bool, bias: bool, dtype: DType) -> None:
        setattr(self, self.switch, affine)
        self.register_parameter("weight", empty(shape, dtype) if affine else None)
        self.register_parameter("bias", empty(shape, dtype) if affine and bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the weight to 1 and the bias to 0, in place."""
        if getattr(self, self.switch):
            fill(self.weight, 1.0)
            if self.bias is not None:
                fill(self.bias, 0.0)


class _ChannelNorm(_Norm):
    """Affine parameters of a size, and running statistics as buffers."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        found, shape = dtype_on(device, dtype), (num_features,)
        self.num_features = num_features
        track = self.track_running_stats = track_running_stats
        self.register_buffer("running_mean", empty(shape, found) if track else None)
        self.register_buffer("running_var", empty(shape, found) if track else None)
        self.register_buffer("num_batches_tracked", np.array(0, np.int64) if track else None)
        self._affine(shape, affine, bias, found)

    def reset_running_stats(self) -> None:
        """Set the running statistics to those of no batch, in place."""
        if self.track_running_stats:
            fill(self.running_mean, 0.0)
            fill(self.running_var, 1.0)
            fill(self.num_batches_tracked, 0.0)

    def reset_parameters(self) -> None:
        """Set the weight to 1 and the bias to 0, in place, and reset the running statistics."""
        self.reset_running_stats()
        super().reset_parameters()


class BatchNorm1d(_ChannelNorm):
    """The parameters and buffers of a new `torch.nn.BatchNorm1d`, all of them constants.

    Replays PyTorch 2.13.0: exact.

    Example:
        >>> BatchNorm1d(1).state_dict()["running_var"]
        array([1.], dtype=float32)
    """


class BatchNorm2d(_ChannelNorm):
    """The parameters and buffers of a new `torch.nn.BatchNorm2d`, all of them constants.

    Replays PyTorch 2.13.0: exact.
    """


class BatchNorm3d(_ChannelNorm):
    """The parameters and buffers of a new `torch.nn.BatchNorm3d`, all of them constants.

    Replays PyTorch 2.13.0: exact.
    """


class SyncBatchNorm(_ChannelNorm):
    """The parameters and buffers of a new `torch.nn.SyncBatchNorm`, all of them constants.

    Replays PyTorch 2.13.0: exact.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        process_group: Any = None,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )


class _InstanceNorm(_ChannelNorm):
    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, device, dtype, bias=bias
        )


class InstanceNorm1d(_InstanceNorm):
    """The parameters and buffers of a new `torch.nn.InstanceNorm1d`: none unless asked for.

    Replays PyTorch 2.13.0: exact.
    """


class InstanceNorm2d(_InstanceNorm):
    """The parameters and buffers of a new `torch.nn.InstanceNorm2d`: none unless asked for.

    Replays PyTorch 2.13.0: exact.
    """


class InstanceNorm3d(_InstanceNorm):
    """The parameters and buffers of a new `torch.nn.InstanceNorm3d`: none unless asked for.

    Replays PyTorch 2.13.0: exact.
    """


def _shape(normalized_shape: Any) -> tuple[int, ...]:
    one = isinstance(normalized_shape, numbers.Integral)
    return (normalized_shape,) if one else tuple(normalized_shape)


class LayerNorm(_Norm):
    """The parameters of a new `torch.nn.LayerNorm`: ones, and zeros for the bias.

    Replays PyTorch 2.13.0: exact.
    """

    switch = "elementwise_affine"

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self._affine(self.normalized_shape, elementwise_affine, bias, dtype_on(device, dtype))


class RMSNorm(Module):
    """The parameter of a new `torch.nn.RMSNorm`: ones.

    Replays PyTorch 2.13.0: exact.
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        found, self.elementwise_affine = dtype_on(device, dtype), elementwise_affine
        weight = empty(self.normalized_shape, found) if elementwise_affine else None
        self.register_parameter("weight", weight)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the weight to 1, in place."""
        if self.elementwise_affine:
            fill(self.weight, 1.0)


class GroupNorm(_Norm):
    """The parameters of a new `torch.nn.GroupNorm`: ones, and zeros for the bias.

    Replays PyTorch 2.13.0: exact.
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups:
            raise ValueError(
                f"num_channels ({show(num_channels)}) must be divisible by num_groups "
                f"({show(num_groups)})"
            )
        self.num_groups, self.num_channels = num_groups, num_channels
        self._affine((num_channels,), affine, bias, dtype_on(device, dtype))


class PReLU(Module):
    """The parameter of a new `torch.nn.PReLU`: `init` everywhere.

    Replays PyTorch 2.13.0: exact.
    """

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.num_parameters, self.init = num_parameters, init
        self.register_parameter("weight", np.empty(num_parameters, dtype_on(device, dtype)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the weight to `init`, in place."""
        fill(self.weight, self.init)
