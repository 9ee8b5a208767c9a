# SPDX-License-Identifier: Apache-2.0
"""What layers share: where they draw from, and how their parameters are filled in place."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from glorot._check import parse_shape, show
from glorot.replay.torch import _normal, _uniform
from glorot.replay.torch._arguments import Array, DType, dtype_of
from glorot.replay.torch._generator import Generator, resolve
from glorot.replay.torch.nn import init
from glorot.replay.torch.nn.init._fans import fans
from glorot.replay.torch.nn.init._scaled import kaiming_std, xavier_std


def dtype_on(device: object, dtype: object) -> DType:
    """The dtype of a layer's parameters; `device` may only be the CPU."""
    if device is not None and str(device) != "cpu":
        raise ValueError(
            f'`device` must be "cpu" or None, got {show(device)}: other devices draw by other '
            "rules, which are not replayed."
        )
    return dtype_of(dtype)


def empty(shape: Any, dtype: DType) -> Array:
    """An array for `reset_parameters` to fill."""
    return np.empty(parse_shape(shape), dtype)


def fill(value: Array, constant: float) -> None:
    """torch's fill_."""
    value[...] = init.constant(value.shape, constant, dtype=value.dtype)


def _draw_into(value: Array, draw: Callable[[Array], None], by_memory: bool = True) -> None:
    """Let `draw` fill `value`.

    Where that is not contiguous, torch's kernels fill it in the order in which it lies in memory;
    without `by_memory` it is filled in the order of its indices.
    """
    dtype_of(value.dtype)
    if not value.flags.writeable:
        raise ValueError("A read-only array cannot be drawn again in place: give the layer a copy.")
    plain = value.view(np.ndarray)
    if plain.flags.carray:
        draw(plain)
        return
    axes = range(plain.ndim)
    view = plain.transpose(
        sorted(axes, key=lambda axis: -plain.strides[axis]) if by_memory else axes
    )
    drawn = np.empty(view.shape, view.dtype)
    draw(drawn)
    view[...] = drawn


@dataclass(frozen=True)
class Draws:
    """A generator, None for the default one; each method fills one parameter, in its own dtype."""

    generator: Generator | None

    @classmethod
    def of(cls, generator: Generator | None) -> "Draws":
        """From a layer's last argument."""
        return cls(None if generator is None else resolve(generator))

    def __deepcopy__(self, memo: object) -> "Draws":
        """Copies of a layer draw from the same generator, as from torch's default one."""
        return self

    def uniform(self, value: Array, bound: float, *, by_memory: bool = True) -> None:
        """Values of [-bound, bound)."""
        low, source = 0.0 - bound, resolve(self.generator)  # a bound of 0 has no lower one of -0
        _draw_into(value, lambda out: _uniform.fill(out, low, bound, source), by_memory)

    def normal(self, value: Array, std: float = 1.0) -> None:
        """Normals of mean 0."""
        blocks, source = value.flags.c_contiguous, resolve(self.generator)
        _draw_into(value, lambda out: _normal.fill(out, 0.0, std, source, blocks=blocks))

    def kaiming_uniform(self, weight: Array, *, by_memory: bool = True) -> None:
        """The weight of linear layers and convolutions: a = sqrt(5)."""
        std = kaiming_std(weight.shape, math.sqrt(5), "fan_in", "leaky_relu")
        if std is not None:
            self.uniform(weight, math.sqrt(3.0) * std, by_memory=by_memory)

    def bias_of(self, bias: Array, weight: Array) -> None:
        """Their bias: uniform, bounded by 1 / sqrt(fan_in) of the weight."""
        fan_in, _ = fans(weight.shape)
        self.uniform(bias, 1 / math.sqrt(fan_in) if fan_in > 0 else 0.0)

    def xavier_uniform(self, value: Array) -> None:
        """xavier_uniform of gain 1."""
        self.uniform(value, math.sqrt(3.0) * xavier_std(value.shape, 1.0))

    def xavier_normal(self, value: Array) -> None:
        """xavier_normal of gain 1."""
        self.normal(value, xavier_std(value.shape, 1.0))


def ntuple(value: Any, count: int) -> tuple[Any, ...]:
    """torch's size arguments: a number for every axis, or a sequence taken as it is."""
    try:
        return tuple(value)
    except TypeError:
        return (value,) * count
