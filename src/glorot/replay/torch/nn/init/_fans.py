# SPDX-License-Identifier: Apache-2.0
"""fan_in and fan_out as torch counts them: a weight is (out, in, *receptive field)."""

import math

from glorot._check import show


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight of two axes or more."""
    if len(shape) < 2:
        raise ValueError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions, got "
            f"`shape` {show(shape)}. Give a bias to `uniform`, `normal` or `constant` instead."
        )
    field = math.prod(shape[2:])
    return shape[1] * field, shape[0] * field


def correct_fan(shape: tuple[int, ...], mode: object) -> int:
    """The fan that `mode` names."""
    name = mode.lower() if isinstance(mode, str) else mode
    if name not in ("fan_in", "fan_out"):
        raise ValueError(f"`mode` must be fan_in or fan_out, got {show(mode)}.")
    return fans(shape)[name == "fan_out"]
