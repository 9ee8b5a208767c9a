# SPDX-License-Identifier: Apache-2.0
"""What is known of values that a framework computed: the law they were drawn by, or the numbers.

A law stays one under what initialisation does to it: a factor, a shift, a cut, the inverse error
function by which torch and JAX make normals of uniform numbers.
"""

import contextlib
import math
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import Any

FAR = 8.0  # stddevs at which a cut takes nothing away
_SAME = 1e-6  # of a cut that is computed back from a probability


@dataclass(frozen=True)
class _Draws:
    """Which draws these are, where that is known. Others of the same law are equal."""

    draw: Any = field(default=None, compare=False, repr=False, kw_only=True)


@dataclass(frozen=True)
class Uniform(_Draws):
    """Uniform in [low, high]."""

    low: float
    high: float


@dataclass(frozen=True)
class Normal(_Draws):
    """Normal, cut to [lower, upper] in stddevs from the mean."""

    mean: float
    stddev: float
    lower: float = -math.inf
    upper: float = math.inf


@dataclass(frozen=True)
class Orthogonal(_Draws):
    """A matrix of this shape, or turned, with orthonormal rows or columns, times the gain; one of
    its sides is the weight's first axis, or its last, and the other all others.  There may be a
    stack of so many, along further axes in front."""

    shape: tuple[int, ...]
    gain: float = 1.0
    first: bool = True
    stack: int = 1


@dataclass(frozen=True)
class Fixed:
    """Numbers that nothing drew; a constant has its value."""

    value: float | None = None


@dataclass(frozen=True)
class Applied:
    """A function of what was drawn, that is no law here by itself."""

    function: str
    of: Any


@dataclass(frozen=True)
class LogUniform(_Draws):
    """The exponential of uniform numbers, from `low` to `high`."""

    low: float
    high: float


@dataclass(frozen=True)
class LogOfUniform(_Draws):
    """The logarithm of uniform numbers, from `low` to `high`."""

    low: float
    high: float


@dataclass(frozen=True)
class TimeStep(_Draws):
    """What softplus makes log-uniform numbers of, from `low` to `high`."""

    low: float
    high: float


@dataclass(frozen=True)
class Given(_Draws):
    """What an initializer of this library gives a weight of this shape, and no law says."""

    initializer: Any
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Unknown(_Draws):
    """Something else, and how it came to be."""

    why: str


Drawn = (
    Uniform
    | Normal
    | Orthogonal
    | Fixed
    | Applied
    | LogUniform
    | LogOfUniform
    | TimeStep
    | Given
    | Unknown
)


def draw_of(value: Drawn) -> Any:
    """Which draws the values are; None where that is not known."""
    if isinstance(value, Applied):
        return draw_of(value.of)
    return None if isinstance(value, Fixed) else value.draw


def of_draw(value: Drawn, draw: Any) -> Drawn:
    """The values, if any are drawn, as those of one draw."""
    return value if isinstance(value, Fixed | Applied) else replace(value, draw=draw)


def uniform(low: float, high: float) -> Drawn:
    """Uniform in [low, high]; one number where these are one."""
    return Uniform(low, high) if low < high else Fixed(low)


def normal(mean: float, stddev: float, lower: float = -math.inf, upper: float = math.inf) -> Drawn:
    """Normal, cut to [lower, upper]; one number where it does not spread."""
    if not stddev:
        return Fixed(min(max(mean, lower), upper))
    return Normal(mean, stddev, (lower - mean) / stddev, (upper - mean) / stddev)


def times(value: Drawn, factor: float) -> Drawn:
    """The values times a number."""
    if not factor and isinstance(value, Uniform | Normal | Orthogonal | Given):
        return Fixed(0.0)
    found: Drawn = Unknown(f"times {factor:g} of {describe(value)}")
    match value:
        case Uniform(low, high):
            low, high = sorted((low * factor, high * factor))
            found = replace(value, low=low, high=high)
        case Normal(mean, stddev, lower, upper):
            cuts = (lower, upper) if factor > 0 else (-upper, -lower)
            found = Normal(mean * factor, stddev * abs(factor), *cuts)
        case Orthogonal(_, gain):
            found = replace(value, gain=gain * abs(factor))
        case Given(initializer) if factor > 0.0:
            with contextlib.suppress(TypeError):  # one that nothing scales
                found = replace(value, initializer=initializer.scaled(factor))
        case Fixed(number) if number is not None:
            found = Fixed(number * factor)
    return found


def plus(value: Drawn, shift: float) -> Drawn:
    """The values plus a number."""
    match value:
        case Uniform(low, high):
            return replace(value, low=low + shift, high=high + shift)
        case Normal():
            return replace(value, mean=value.mean + shift)
        case Fixed(number) if number is not None:
            return Fixed(number + shift)
    return value if not shift else Unknown(f"a shift of {describe(value)}")


def clamped(value: Drawn, low: float | None, high: float | None) -> Drawn:
    """The values held to [low, high], where hardly any is outside of it."""
    low = -math.inf if low is None else low
    high = math.inf if high is None else high
    match value:
        case Normal(mean, stddev, lower, upper):
            cuts = ((low - mean) / stddev, (high - mean) / stddev)
            if cuts[0] <= max(lower, -FAR) + _SAME and cuts[1] >= min(upper, FAR) - _SAME:
                return replace(
                    value,
                    lower=cuts[0] if abs(cuts[0] - lower) < _SAME else lower,
                    upper=cuts[1] if abs(cuts[1] - upper) < _SAME else upper,
                )
        case Uniform() | LogUniform():
            if low <= value.low + _SAME * abs(value.low) and high >= value.high:
                return value
    return Unknown(f"a clamp of {describe(value)}")


def applied(function: str, value: Drawn) -> Drawn:
    """A function of one argument of the values."""
    match function, value:
        case "erfinv", Uniform(low, high, draw=draw) if -1.0 <= low < high <= 1.0:
            cuts = [_quantile((end + 1.0) / 2.0) for end in (low, high)]
            return Normal(0.0, math.sqrt(0.5), *cuts, draw=draw)
        case "exp", Uniform(low, high, draw=draw):
            return LogUniform(math.exp(low), math.exp(high), draw=draw)
        case "log", Uniform(low, high, draw=draw) if low >= 0.0:
            return LogOfUniform(low, high, draw=draw)
        case "neg", _ if not isinstance(value, LogUniform | Applied):
            return times(value, -1.0)
        case _, Unknown():
            return value
    return Applied(function, value)


def added(one: Drawn, other: Drawn) -> Drawn:
    """The sum of two of the same draws: dt + log(-expm1(-dt)) is the inverse of softplus."""
    for step, rest in ((one, other), (other, one)):
        inverse = Applied("log", Applied("neg", Applied("expm1", Applied("neg", step))))
        if isinstance(step, LogUniform) and rest == inverse:
            return TimeStep(step.low, step.high, draw=step.draw)
    return Unknown(f"the sum of {describe(one)} and {describe(other)}")


def _quantile(p: float) -> float:
    if p <= 0.0:
        return -math.inf
    return math.inf if p >= 1.0 else NormalDist().inv_cdf(p)


def describe(value: Drawn) -> str:
    """In words, for errors."""
    match value:
        case Unknown(why):
            return why
        case Applied(function, of):
            return f"{function} of {describe(of)}"
        case Fixed():
            return "numbers that are computed"
        case Given(initializer):
            return f"what {initializer!r} gives"
    return repr(value)
