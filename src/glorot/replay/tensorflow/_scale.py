# SPDX-License-Identifier: Apache-2.0
"""How TensorFlow and its Keras scale a weight: fans from the shape, a spread from the fan."""

import math

MODES = ("fan_in", "fan_out", "fan_avg")
# The standard deviation of a standard normal cut off at two.
_TRUNCATED_STDDEV = 0.87962566103423978


def compute_fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(fan_in, fan_out) by TensorFlow's reading of a shape: (receptive field ..., in, out)."""
    if len(shape) < 2:
        fan = shape[0] if shape else 1
        return fan, fan
    field = math.prod(shape[:-2])
    return shape[-2] * field, shape[-1] * field


def spread(fans: tuple[int, int], scale: float, mode: str, distribution: str) -> float:
    """The bound of a uniform law of variance scale / max(1, fan), or the stddev of a normal one,
    before it is cut off where it is."""
    fan_in, fan_out = fans
    fan = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2.0}[mode]
    variance = scale / max(1.0, fan)
    if distribution == "uniform":
        return math.sqrt(3.0 * variance)
    stddev = math.sqrt(variance)
    return stddev if distribution == "untruncated_normal" else stddev / _TRUNCATED_STDDEV
