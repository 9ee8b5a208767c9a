# SPDX-License-Identifier: Apache-2.0
"""The initializer that gives such values as were seen."""

import math
from typing import Any

import numpy as np

from glorot._base import Initializer
from glorot._captured import _drawn
from glorot._captured._drawn import FAR, Drawn
from glorot._captured._numbers import of_constant, of_numbers
from glorot._orthogonal import Orthogonal
from glorot._random import RandomNormal, RandomUniform, TruncatedNormal
from glorot._state_space import LogOfUniform, TimeStep

Array = np.ndarray[Any, np.dtype[Any]]

_DIGITS = 12  # of a cut that is computed back from a probability
_ULPS = 1e-15


def initializer_of(value: Drawn, shape: tuple[int, ...], numbers: Array | None) -> Initializer:
    """Return what gives a tensor of this shape such values; `numbers` are those that nothing drew.

    Raises:
        ValueError: nothing here does; why.
    """
    found: Initializer | None = None
    match value:
        case _drawn.Uniform(low, high):
            found = RandomUniform(_plain(low), _plain(high))
        case _drawn.Normal(mean, stddev, lower, upper) if -lower > FAR and upper > FAR:
            found = RandomNormal(_plain(mean), _plain(stddev))
        case _drawn.Normal(mean, stddev, lower, upper):
            found = TruncatedNormal(
                _plain(mean), _plain(stddev), lower=_round(lower), upper=_round(upper)
            )
        case _drawn.Orthogonal():
            found = _orthogonal(shape, value)
        case _drawn.Given(initializer, given) if given == shape:
            found = initializer
        case _drawn.LogOfUniform(low, high):
            found = LogOfUniform(_round(low), _round(high))
        case _drawn.TimeStep(low, high):
            found = TimeStep(float(f"{low:.6g}"), float(f"{high:.6g}"))
        case _drawn.Fixed(number) if number is not None:
            found = of_constant(number)
        case _drawn.Fixed() if numbers is not None:
            found = of_numbers(shape, numbers)
    if found is None:
        raise ValueError(_drawn.describe(value))
    return found


def _orthogonal(shape: tuple[int, ...], value: _drawn.Orthogonal) -> Initializer:
    """An orthogonal matrix, one side of which is all axes but the first, or but the last; or a
    stack of them."""
    if value.stack > 1:
        return _stack(shape, value)
    apart = (0 if value.first else -1) if shape else 0
    sides = (shape[apart], math.prod(shape) // (shape[apart] or 1)) if shape else ()
    same = sides == value.shape if value.first else {*sides} == {*value.shape}
    if len(shape) < 2 or not same:
        raise ValueError(f"a part or another shape of an orthogonal matrix of shape {value.shape}")
    if not value.first:
        return Orthogonal(value.gain)
    return Orthogonal(value.gain, layout="torch.linear" if len(shape) == 2 else "torch.conv")


def _stack(shape: tuple[int, ...], value: _drawn.Orthogonal) -> Initializer:
    for lead in range(1, len(shape) - 1):
        sides = {math.prod(shape[lead:-1]), shape[-1]}
        if math.prod(shape[:lead]) == value.stack and sides == {*value.shape}:
            spatial = len(shape) - lead - 2
            return Orthogonal(value.gain, layout="B" * lead + "L" * spatial + "IO")
    raise ValueError(
        f"a part or another shape of {value.stack} orthogonal matrices of shape {value.shape}"
    )


def _round(number: float) -> float:
    """Without the last digits, which computing it back from a probability leaves."""
    return float(f"{number:.{_DIGITS}g}")


def _plain(number: float) -> float:
    """Without what arithmetic has added to a number of few digits."""
    short = float(f"{number:.6g}")
    return short if math.isclose(short, number, rel_tol=_ULPS) else number
