# SPDX-License-Identifier: Apache-2.0
"""Long float64 calculations in blocks: a step finds in cache what the one before it left."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

_BLOCK = 4096  # a few dozen arrays of it fit in a core's cache; below it, calls cost more than work


def in_blocks(
    function: Callable[[Float64], tuple[Float64, ...]], x: Any, results: int
) -> tuple[Float64, ...]:
    """The `results` arrays, shaped as `x`, that `function` gives for runs of x's elements.

    `function` takes float64 of one axis, nonempty, and gives as many arrays of that length.
    """
    x = np.asarray(x, dtype=np.float64)
    flat = x.reshape(-1)
    outs = tuple(np.empty(x.shape) for _ in range(results))
    for start in range(0, flat.size, _BLOCK):
        part = slice(start, start + _BLOCK)
        for out, found in zip(outs, function(flat[part]), strict=True):
            out.reshape(-1)[part] = found
    return outs
