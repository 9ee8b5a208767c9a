# SPDX-License-Identifier: Apache-2.0
"""What layers share: where they draw from, in which dtype, and their bias."""

import math
from dataclasses import dataclass
from typing import Any

from glorot._check import show
from glorot.replay.torch import _normal, _uniform
from glorot.replay.torch._arguments import Array, DType, dtype_of
from glorot.replay.torch._generator import Generator, resolve
from glorot.replay.torch.nn import init
from glorot.replay.torch.nn.init._fans import fans


def dtype_on(device: object, dtype: object) -> DType:
    """The dtype of a layer's parameters; `device` may only be the CPU."""
    if device is not None and str(device) != "cpu":
        raise ValueError(
            f'`device` must be "cpu" or None, got {show(device)}: other devices draw by other '
            "rules, which are not replayed."
        )
    return dtype_of(dtype)


@dataclass(frozen=True)
class Draws:
    """A generator and a dtype: each method draws one parameter."""

    generator: Generator
    dtype: DType

    @classmethod
    def of(cls, device: object, dtype: object, generator: Generator | None) -> "Draws":
        """From a layer's last three arguments."""
        return cls(resolve(generator), dtype_on(device, dtype))

    def uniform(self, shape: tuple[int, ...], bound: float) -> Array:
        """Values of [-bound, bound)."""
        low = 0.0 - bound  # a bound of 0 has no lower limit of -0
        return _uniform.uniform(shape, low, bound, self.dtype, self.generator)

    def normal(self, shape: tuple[int, ...]) -> Array:
        """Normals of variance 1."""
        return _normal.normal(shape, 0.0, 1.0, self.dtype, self.generator)

    def like_linear(self, shape: tuple[int, ...]) -> Array:
        """The weight of linear layers and convolutions: kaiming_uniform with a = sqrt(5)."""
        return init.kaiming_uniform(
            shape, a=math.sqrt(5), generator=self.generator, dtype=self.dtype
        )

    def bias_like_linear(self, size: int, weight_shape: tuple[int, ...]) -> Array:
        """Its bias: uniform, bounded by 1 / sqrt(fan_in) of the weight."""
        fan_in, _ = fans(weight_shape)
        return self.uniform((size,), 1 / math.sqrt(fan_in) if fan_in > 0 else 0.0)

    def xavier_uniform(self, shape: tuple[int, ...]) -> Array:
        """xavier_uniform of gain 1."""
        return init.xavier_uniform(shape, generator=self.generator, dtype=self.dtype)

    def xavier_normal(self, shape: tuple[int, ...]) -> Array:
        """xavier_normal of gain 1."""
        return init.xavier_normal(shape, generator=self.generator, dtype=self.dtype)

    def constant(self, shape: tuple[int, ...], value: float) -> Array:
        """Draws nothing."""
        return init.constant(shape, value, dtype=self.dtype)


def ntuple(value: Any, count: int) -> tuple[Any, ...]:
    """torch's size arguments: a number for every axis, or a sequence taken as it is."""
    try:
        return tuple(value)
    except TypeError:
        return (value,) * count
