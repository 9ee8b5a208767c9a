# SPDX-License-Identifier: Apache-2.0
"""a * b + c as a C library computes it: fused, which rounds once, or a product and a sum.

glibc holds each of its float64 functions twice, compiled for processors with FMA and for others.
Their sources are the same; where one fuses is the compiler's choice, and read from its output.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glorot.replay._fma import fma64_moderate

MultiplyAdd = Callable[[Any, Any, Any], NDArray[np.float64]]


def _rounded_twice(a: Any, b: Any, c: Any) -> NDArray[np.float64]:
    return np.asarray(a * b + c)


_ARITHMETICS: dict[str, MultiplyAdd] = {"fma": fma64_moderate, "default": _rounded_twice}


def multiply_add(arithmetic: str) -> MultiplyAdd:
    """The function (a, b, c) -> a * b + c of an arithmetic, "fma" or "default"."""
    if arithmetic not in _ARITHMETICS:
        raise ValueError(
            f"arithmetic is {arithmetic!r}; give one of {', '.join(map(repr, _ARITHMETICS))}."
        )
    return _ARITHMETICS[arithmetic]
