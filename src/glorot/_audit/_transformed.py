# SPDX-License-Identifier: Apache-2.0
"""The laws of `TimeStep` and `LogOfUniform`, for tests: functions of uniform numbers.

What `Distribution` asks of a law; the library's own are multiples of one integer's, and these are
none.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from glorot._audit._measure import Array
from glorot._state_space import _bias, _numbers


@dataclass(frozen=True, slots=True)
class Transformed:
    """A law whose values are a function of uniform numbers.

    Attributes:
        minval, maxval: as of the initializer.
    """

    minval: float
    maxval: float

    kind: ClassVar[str]
    scale: ClassVar[float] = 1.0  # as of every law that is no constant

    @property
    def support(self) -> tuple[float, float]:
        """The least and the largest value."""
        raise NotImplementedError

    @property
    def proxy(self) -> float:
        """Hoeffding's, of whatever has these ends."""
        low, high = self.support
        return ((high - low) / 2.0) ** 2

    def nodes(self, x: Array, weights: Array) -> tuple[Array, Array]:
        """Values, and weights of a sum of 1, from the nodes and weights of an integral over
        [-1, 1]."""
        raise NotImplementedError

    def cumulative(self, edges: Array) -> Array:
        """P(value <= edge)."""
        raise NotImplementedError


class StepLaw(Transformed):
    """Of `TimeStep`: the logarithm of the softplus is uniform."""

    __slots__ = ()
    kind = "time step"

    @property
    def support(self) -> tuple[float, float]:
        """The least and the largest bias."""
        least, largest = _bias(np.log([self.minval, self.maxval]))
        return float(least), float(largest)

    def nodes(self, x: Array, weights: Array) -> tuple[Array, Array]:
        """The biases at places of the uniform logarithm."""
        low, high = math.log(self.minval), math.log(self.maxval)
        return _bias((low + high) / 2 + (high - low) / 2 * x), weights / weights.sum()

    def cumulative(self, edges: Array) -> Array:
        """P(bias <= edge)."""
        low, high = math.log(self.minval), math.log(self.maxval)
        inside = np.clip(edges, *self.support)
        mass: Array = (np.log(np.log1p(np.exp(inside))) - low) / (high - low)
        return np.clip(mass, 0.0, 1.0)


class LogLaw(Transformed):
    """Of `LogOfUniform`: the exponential is uniform."""

    __slots__ = ()
    kind = "log of uniform"

    @property
    def support(self) -> tuple[float, float]:
        """The least logarithm, of the least number that is drawn, and the largest."""
        law = _numbers(self.minval, self.maxval)
        least = max(self.minval, law.mean - law.peak(64) * law.multiplier(64))
        return math.log(least), math.log(self.maxval)

    def nodes(self, x: Array, weights: Array) -> tuple[Array, Array]:
        """Logarithms that lie evenly, of a density that rises as their exponential."""
        low, high = self.support
        values = (low + high) / 2 + (high - low) / 2 * x
        mass = weights * np.exp(values - high)
        return values, mass / mass.sum()

    def cumulative(self, edges: Array) -> Array:
        """P(logarithm <= edge)."""
        inside = np.clip(edges, *self.support)
        mass: Array = (np.exp(inside) - self.minval) / (self.maxval - self.minval)
        return np.clip(mass, 0.0, 1.0)
