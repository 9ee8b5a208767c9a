# SPDX-License-Identifier: Apache-2.0
"""Compares what is read with what an initializer gives for a seed, run by run.

Without a seed only what draws nothing is known, and a logarithm or sine is then right whichever C
library rounded it: one unit in the last place is allowed, and for the sines of a sequence what
angles in float32 make of them.
"""

from typing import Any

import numpy as np

from glorot._audit._measure import Array
from glorot._audit._parameter import Parameter
from glorot._audit._promise import tolerance
from glorot._base import Initializer
from glorot._blocks import Blocks
from glorot._dtypes import ALL, FLOATS
from glorot._positions import SinCosGrid, Sinusoids
from glorot._sampling_offsets import SamplingOffsets
from glorot._state_space import LogArange
from glorot.recipe import Assignment


class Comparison:
    """Counts the elements that differ.

    Attributes:
        differing: how many do.
        first: the first of them, in words.
    """

    def __init__(self, parameter: Parameter, assignment: Assignment, seed: int | None) -> None:
        self.assignment = assignment
        self.dtype = ALL[parameter.spec.dtype or ""]
        self.seed = 0 if seed is None else seed
        self.differing = 0
        self.first = ""
        init, shape = assignment.initializer, assignment.shape
        self.near = unit(self.dtype) if seed is None and _computed(init) else 0.0
        self.off = _by_angles(init, shape) if self.near else 0.0
        self.whole: Array | None = None
        if init._writer(shape, self.dtype).at_once:
            self.whole = init(shape, self.dtype, seed=seed, name=assignment.name).reshape(-1)

    def see(self, start: int, run: Array) -> None:
        """Compare one run."""
        if self.whole is not None:
            expected = self.whole[start : start + run.size]
            other = expected.astype(np.float64)
            # LAPACK decides the last bits, which may round either way.
            near = tolerance(self.dtype) * float(np.abs(other).max(initial=0.0))
            unequal = _further(run, other, near + self.off)
        else:
            expected = np.empty(run.size, self.dtype)
            self.assignment.initializer.fill_range(
                expected, self.assignment.shape, start, seed=self.seed, name=self.assignment.name
            )
            bits = f"u{self.dtype.itemsize}"
            unequal = np.ascontiguousarray(run).view(bits) != expected.view(bits)
            if self.near and unequal.any():
                other = expected.astype(np.float64)
                unequal = _further(run, other, self.near * np.abs(other) + self.off)
        count = int(np.count_nonzero(unequal))
        if count and not self.differing:
            at = int(unequal.argmax())
            place = [int(i) for i in np.unravel_index(start + at, self.assignment.shape)]
            values = f"{float(expected[at]):.9g} expected, {float(run[at]):.9g} found"
            self.first = f" (first at {place}: {values})"
        self.differing += count


def _further(run: Array, expected: Array, near: Any) -> Array:
    """Which values are further away than that, or are no numbers."""
    with np.errstate(over="ignore", invalid="ignore"):
        found: Array = ~(np.abs(run.astype(np.float64) - expected) <= near)
    return found


def _computed(init: Initializer) -> bool:
    """Whether its constants are another library's to the last bit only."""
    return isinstance(init, (LogArange, SamplingOffsets, SinCosGrid, Sinusoids)) or (
        isinstance(init, Blocks) and any(_computed(block) for block in init.initializers)
    )


def _by_angles(init: Initializer, shape: tuple[int, ...]) -> float:
    """How far from the exact sines another library's are that computes the angles in float32.

    The frequency f is off by 2**-24 (1 + 2 |ln f|) of itself and the product by 2**-24, in all less
    than 2**-23 of the place, as in Whisper.
    """
    if isinstance(init, Sinusoids):
        return (init.first + shape[-2]) * 2.0**-23
    if isinstance(init, SamplingOffsets):  # whose angles, below 2 pi, are multiplied and rounded
        return float(np.max(init.points)) * 2.0**-20
    if isinstance(init, Blocks):
        return max(_by_angles(block, alone) for block, alone in init.blocks(shape))
    return 0.0


def unit(dtype: np.dtype[Any]) -> float:
    """The largest relative step between two values of a float dtype."""
    if dtype not in FLOATS.values():
        return 0.0
    return float(np.nextafter(np.ones((), dtype), np.full((), 2, dtype))) - 1.0
