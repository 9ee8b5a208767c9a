# SPDX-License-Identifier: Apache-2.0
"""The initializer that gives such values as were seen."""

import itertools
import math
from collections.abc import Iterator

import numpy as np
import torch

from glorot._base import Initializer
from glorot._constants import Constant, Identity, Ones, Zeros
from glorot._orthogonal import Orthogonal
from glorot._positions import SinCosGrid, Sinusoids
from glorot._random import RandomNormal, RandomUniform, TruncatedNormal
from glorot._state_space import LogArange, LogOfUniform, TimeStep
from glorot.torch._capture import _drawn
from glorot.torch._capture._drawn import FAR, Drawn

_DIGITS = 12  # of a cut that is computed back from a probability
_NEAR = 1e-6  # of numbers that are computed in float32
_FAR_PLACES = 1e-2  # that angles of far places are off by in float32, at most


def initializer_of(
    value: Drawn, shape: tuple[int, ...], numbers: torch.Tensor | None
) -> Initializer:
    """Return what gives a tensor of this shape such values; `numbers` are those that nothing drew.

    Raises:
        ValueError: nothing here does; why.
    """
    found: Initializer | None = None
    match value:
        case _drawn.Uniform(low, high):
            found = RandomUniform(low, high)
        case _drawn.Normal(mean, stddev, lower, upper) if -lower > FAR and upper > FAR:
            found = RandomNormal(mean, stddev)
        case _drawn.Normal(mean, stddev, lower, upper):
            found = TruncatedNormal(mean, stddev, lower=_round(lower), upper=_round(upper))
        case _drawn.Orthogonal(whole, gain):
            found = _orthogonal(shape, whole, gain)
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


def _orthogonal(shape: tuple[int, ...], whole: tuple[int, ...], gain: float) -> Initializer:
    """An orthogonal matrix, whose columns torch makes of all axes but the first."""
    if len(shape) < 2 or sorted((shape[0], math.prod(shape[1:]))) != sorted(whole):
        raise ValueError(f"a part or another shape of an orthogonal matrix of shape {whole}")
    return Orthogonal(gain, layout="torch.linear" if len(shape) == 2 else "torch.conv")


def _constant(number: float | None, numbers: torch.Tensor | None) -> float | None:
    """The one value of all."""
    if number is not None or numbers is None or not numbers.numel():
        return number
    first = numbers.reshape(-1)[0]
    if not bool((numbers == first).all()):
        return None
    whole = not numbers.is_floating_point() or numbers.dtype is torch.float64
    return float(first.item()) if whole else _short(first.item())


def _of_constant(number: float | None) -> Initializer | None:
    if number is None:
        return None
    return {0.0: Zeros(), 1.0: Ones()}.get(number) or Constant(number)


def _of_numbers(shape: tuple[int, ...], numbers: torch.Tensor) -> Initializer | None:
    """What gives numbers that differ: those that models are known to begin with."""
    wanted = numbers.to(torch.float64)
    for init in _known(shape):
        try:
            found = torch.from_numpy(init(shape, "float64"))
        except ValueError:
            continue
        places = isinstance(init, (Sinusoids, SinCosGrid))  # whose angles grow
        off = min(_NEAR * max(shape), _FAR_PLACES) if places else _NEAR
        if torch.allclose(found, wanted, rtol=_NEAR, atol=off):
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


def _short(number: float) -> float:
    """The shortest number that rounds to the same float32."""
    return float(str(np.float32(number))) if math.isfinite(number) else number
