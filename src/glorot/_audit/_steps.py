# SPDX-License-Identifier: Apache-2.0
"""The law of `TimeStep`'s biases, for tests: the logarithm of their softplus is uniform."""

import math
from dataclasses import dataclass

import numpy as np

from glorot._audit._measure import Array
from glorot._state_space import _bias


@dataclass(frozen=True, slots=True)
class StepLaw:
    """What `Distribution` asks of a law; the library's own are multiples of one integer's, and
    this one is none.

    Attributes:
        minval, maxval: of the time steps.
    """

    minval: float
    maxval: float

    kind = "time step"
    scale = 1.0  # as of every law that is no constant

    @property
    def support(self) -> tuple[float, float]:
        """The least and the largest bias."""
        least, largest = _bias(np.log([self.minval, self.maxval]))
        return float(least), float(largest)

    @property
    def proxy(self) -> float:
        """Hoeffding's, of whatever has these ends."""
        low, high = self.support
        return ((high - low) / 2.0) ** 2

    def nodes(self, x: Array) -> Array:
        """The biases at `x`, places in [-1, 1] of the uniform logarithm."""
        low, high = math.log(self.minval), math.log(self.maxval)
        return _bias((low + high) / 2 + (high - low) / 2 * x)

    def cumulative(self, edges: Array) -> Array:
        """P(bias <= edge)."""
        low, high = math.log(self.minval), math.log(self.maxval)
        inside = np.clip(edges, *self.support)
        mass: Array = (np.log(np.log1p(np.exp(inside))) - low) / (high - low)
        return np.clip(mass, 0.0, 1.0)
