# SPDX-License-Identifier: Apache-2.0
"""Long calculations in blocks: a step finds in cache what the one before it left."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Array = NDArray[Any]

_BLOCK = 4096  # a few dozen arrays of it fit in a core's cache; below it, calls cost more than work


def in_blocks(
    function: Callable[[Array], tuple[Array, ...]], x: Array, results: int
) -> tuple[Array, ...]:
    """The `results` arrays, of x's shape and dtype, that `function` gives for runs of x's elements.

    `function` takes an array of one axis, not empty, and gives `results` arrays of its length.
    """
    flat = x.reshape(-1)
    outs = tuple(np.empty(x.shape, x.dtype) for _ in range(results))
    for start in range(0, flat.size, _BLOCK):
        part = slice(start, start + _BLOCK)
        for out, found in zip(outs, function(flat[part]), strict=True):
            out.reshape(-1)[part] = found
    return outs
