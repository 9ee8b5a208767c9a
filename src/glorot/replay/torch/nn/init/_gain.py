# SPDX-License-Identifier: Apache-2.0
"""The gain that torch recommends for each nonlinearity."""

import math

from glorot._check import show

_LINEAR = (
    *("linear", "conv1d", "conv2d", "conv3d"),
    *("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The gain that torch recommends for a nonlinearity.

    Args:
        nonlinearity: linear, conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d,
            conv_transpose3d, sigmoid, tanh, relu, leaky_relu or selu.
        param: of leaky_relu its negative slope, an int or float; 0.01 when None.

    Returns:
        1, 5/3 (tanh), sqrt(2) (relu), sqrt(2 / (1 + param**2)) (leaky_relu) or 3/4 (selu).

    Raises:
        ValueError: another name, or a slope that is no int or float.

    Example:
        >>> calculate_gain("leaky_relu", 0.2)
        1.3867504905630728
    """
    fixed = {"sigmoid": 1, "tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 3.0 / 4}
    if nonlinearity in _LINEAR:
        return 1
    if nonlinearity in fixed:
        return fixed[nonlinearity]
    if nonlinearity != "leaky_relu":
        raise ValueError(
            f"Unsupported nonlinearity {show(nonlinearity)}. `nonlinearity` must be one of "
            f"{', '.join((*_LINEAR, *fixed, 'leaky_relu'))}."
        )
    slope = 0.01 if param is None else param
    if isinstance(slope, bool) or not isinstance(slope, int | float):
        raise ValueError(
            f"negative_slope {show(slope)} not a valid number: leaky_relu takes an int or a float."
        )
    return math.sqrt(2.0 / (1 + slope**2))
