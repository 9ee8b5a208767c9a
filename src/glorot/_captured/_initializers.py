# SPDX-License-Identifier: Apache-2.0
"""The initializer that gives such values as were seen."""

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from glorot._base import Initializer
from glorot._captured import _drawn
from glorot._captured._drawn import FAR, Drawn
from glorot._constants import Constant, Identity, Ones, Zeros
from glorot._orthogonal import Orthogonal
from glorot._positions import SinCosGrid, Sinusoids
from glorot._random import RandomNormal, RandomUniform, TruncatedNormal
from glorot._state_space import LogArange, LogOfUniform, TimeStep

Array = np.ndarray[Any, np.dtype[Any]]

_DIGITS = 12  # of a cut that is computed back from a probability
_ULPS = 1e-15
_NEAR = 1e-6  # of numbers that are computed in float32
_FAR_PLACES = 1e-2  # that angles of far places are off by in float32, at most


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
        case _drawn.Fixed(number):
            found = _of_constant(_constant(number, numbers))
            if found is None and numbers is not None:
                found = _of_numbers(shape, numbers)
    if found is None:
        raise ValueError(_drawn.describe(value))
    return found


def _orthogonal(shape: tuple[int, ...], value: _drawn.Orthogonal) -> Initializer:
    """An orthogonal matrix, one side of which is all axes but the first, or but the last."""
    apart = (0 if value.first else -1) if shape else 0
    if len(shape) < 2 or {shape[apart], math.prod(shape) // (shape[apart] or 1)} != {*value.shape}:
        raise ValueError(f"a part or another shape of an orthogonal matrix of shape {value.shape}")
    if not value.first:
        return Orthogonal(value.gain)
    return Orthogonal(value.gain, layout="torch.linear" if len(shape) == 2 else "torch.conv")


def _constant(number: float | None, numbers: Array | None) -> float | None:
    """The one value of all."""
    if number is not None or numbers is None or not numbers.size:
        return number
    first = numbers.reshape(-1)[0]
    if not (numbers == first).all():
        return None
    whole = numbers.dtype.kind in "iub" or numbers.dtype == np.float64
    return float(first) if whole else shortest(float(first))


def _of_constant(number: float | None) -> Initializer | None:
    if number is None:
        return None
    return {0.0: Zeros(), 1.0: Ones()}.get(number) or Constant(number)


def _of_numbers(shape: tuple[int, ...], numbers: Array) -> Initializer | None:
    """What gives numbers that differ: those that models are known to begin with."""
    wanted = numbers.astype(np.float64)
    for init in _known(shape):
        try:
            found = init(shape, "float64")
        except ValueError:
            continue
        places = isinstance(init, (Sinusoids, SinCosGrid))  # whose angles grow
        off = min(_NEAR * max(shape), _FAR_PLACES) if places else _NEAR
        if np.allclose(found, wanted, rtol=_NEAR, atol=off):
            return init
    return None


def _known(shape: tuple[int, ...]) -> Iterator[Initializer]:
    """Numbers that models begin with."""
    if len(shape) == 2:
        yield Identity()
    for axis in range(len(shape)):
        yield LogArange(axis)
    if len(shape) >= 2:
        for endpoint, interleaved in itertools.product((False, True), repeat=2):
            yield Sinusoids(endpoint=endpoint, interleaved=interleaved)
        yield SinCosGrid()


def _round(number: float) -> float:
    """Without the last digits, which computing it back from a probability leaves."""
    return float(f"{number:.{_DIGITS}g}")


def _plain(number: float) -> float:
    """Without what arithmetic has added to a number of few digits."""
    short = float(f"{number:.6g}")
    return short if math.isclose(short, number, rel_tol=_ULPS) else number


def shortest(number: float) -> float:
    """Return the shortest number that rounds to the same float32."""
    return float(str(np.float32(number))) if math.isfinite(number) else number
