# SPDX-License-Identifier: Apache-2.0
"""How Keras 3 scales a weight: fans from the shape or from axes given, a spread from the fan."""

import math
from collections.abc import Sequence

from glorot._check import show
from glorot.replay.tensorflow import _scale

MODES = _scale.MODES
spread = _scale.spread


def compute_fans(
    shape: tuple[int, ...],
    input_axes: Sequence[int] | None = None,
    output_axes: Sequence[int] | None = None,
) -> tuple[int, int]:
    """(fan_in, fan_out): products of the axes given, where both are; else read from the shape.

    Raises:
        IndexError: an axis that the shape has not.
    """
    if input_axes is None or output_axes is None:
        return _scale.compute_fans(shape)
    for name, axes in (("input_axes", input_axes), ("output_axes", output_axes)):
        for axis in axes:
            if not -len(shape) <= axis < len(shape):
                raise IndexError(
                    f"`{name}`={show(list(axes))} has an axis out of range: `shape` is "
                    f"{show(shape)}."
                )
    fan_in, fan_out = (
        math.prod(shape[axis] for axis in axes) for axes in (input_axes, output_axes)
    )
    return fan_in, fan_out
