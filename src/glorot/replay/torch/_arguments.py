# SPDX-License-Identifier: Apache-2.0
"""What torch's random functions take: sizes, the four dtypes, plain numbers."""

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from glorot._check import parse_shape, show
from glorot._dtypes import FLOATS, dtype_name, parse_dtype

Array = np.ndarray[Any, np.dtype[Any]]
DType = np.dtype[Any]

FLOAT16, BFLOAT16, FLOAT32, FLOAT64 = (
    FLOATS[name] for name in ("float16", "bfloat16", "float32", "float64")
)
DTYPES = {dtype_name(dtype): dtype for dtype in (FLOAT16, BFLOAT16, FLOAT32, FLOAT64)}


def dtype_of(dtype: object) -> DType:
    """One of the four dtypes that torch draws in; None is float32, torch's own default."""
    try:
        found = FLOAT32 if dtype is None else parse_dtype(dtype, floating=False)
    except TypeError:
        found = None
    if found is None or found not in DTYPES.values():
        raise TypeError(
            f"`dtype` must be one of {', '.join(DTYPES)}, got {show(dtype)}: torch's CPU kernels "
            "draw no other."
        )
    return found


def size_of(size: tuple[Any, ...]) -> tuple[int, ...]:
    """The shape that torch's `*size` means: integers, or one sequence of them."""
    if len(size) == 1 and isinstance(size[0], Sequence | np.ndarray):
        return parse_shape(size[0])
    return parse_shape(size)


def number(argument: str, value: object) -> float:
    """`value` as C++ gets it: a double, infinities and NaN included."""
    if isinstance(value, numbers.Real | np.bool_):
        try:
            return float(value)
        except OverflowError:
            raise ValueError(f"`{argument}` must fit a float64, got {show(value)}.") from None
    raise TypeError(f"`{argument}` must be a number, got {show(value)} of {type(value).__name__}.")


def cast(value: float, dtype: DType) -> Any:
    """C++'s conversion of a double to the dtype: to the half types by way of float32."""
    with np.errstate(over="ignore", under="ignore"):
        return dtype.type(value) if dtype.itemsize > 2 else dtype.type(np.float32(value))


def compute_dtype(dtype: DType) -> DType:
    """What torch computes in for that dtype: float32 for the half types."""
    return FLOAT64 if dtype == FLOAT64 else FLOAT32


def fill_dtype_of(dtype: object) -> DType:
    """Any float or integer dtype, for what draws nothing; None is float32."""
    return FLOAT32 if dtype is None else parse_dtype(dtype, floating=False)
