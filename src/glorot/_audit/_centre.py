# SPDX-License-Identifier: Apache-2.0
"""The centre tap of a convolution, which alone of a delta-orthogonal one is not 0."""

import math
from typing import NamedTuple

import numpy as np

from glorot._audit._measure import RUN, Array, runs
from glorot._audit._parameter import Parameter
from glorot._audit._spectrum import Spectrum, spectrum
from glorot._dtypes import ALL
from glorot._layouts import SPATIAL
from glorot._memory import row_major
from glorot.recipe import TensorSpec


class Taps(NamedTuple):
    """The singular values of the centre tap, and how many of the `others` are not 0."""

    centre: Spectrum | None
    astray: int
    others: int


def taps(parameter: Parameter, roles: str, nonzero: int) -> Taps:
    """Return what is known of the taps of a convolution of which so many values are not 0; `roles`
    are those of its axes."""
    centre = _centre(parameter, roles)
    inside = sum(int(np.count_nonzero(run)) for _, run in runs(centre))
    others = math.prod(parameter.spec.shape) - math.prod(centre.spec.shape)
    found = spectrum(centre, roles.replace(SPATIAL, ""))
    return Taps(found, nonzero - inside, others)


def _centre(parameter: Parameter, roles: str) -> Parameter:
    """The values of the tap (k - 1) // 2 of each k as a parameter, which reads no more of the
    whole at a time than a run."""
    shape = parameter.spec.shape
    steps = row_major(shape)
    first = sum((n - 1) // 2 * step for n, step, r in zip(shape, steps, roles, strict=True)
                if r == SPATIAL)  # fmt: skip
    kept = [axis for axis, role in enumerate(roles) if role != SPATIAL]
    sizes = tuple(shape[axis] for axis in kept)
    piece = max(1, RUN * math.prod(sizes) // math.prod(shape))

    def read(start: int, stop: int) -> Array:
        values = np.empty(stop - start, ALL[parameter.spec.dtype or ""])
        for begin in range(start, stop, piece):
            end = min(stop, begin + piece)
            places = np.full(end - begin, first)  # which rise: the axes keep their order
            indices = np.unravel_index(np.arange(begin, end), sizes)
            for axis, index in zip(kept, indices, strict=True):
                places += index * steps[axis]
            low = int(places[0])
            found = parameter.read(low, int(places[-1]) + 1)
            values[begin - start : end - start] = found[places - low]
        return values

    return Parameter(
        f"the centre of {parameter.name}", TensorSpec(sizes, parameter.spec.dtype), read
    )
