# SPDX-License-Identifier: Apache-2.0
"""Dtypes and numbers as Keras takes them, whatever is beneath it."""

import math
from typing import Any

import numpy as np

from glorot._check import show
from glorot._dtypes import FLOATS, dtype_name, parse_dtype
from glorot.replay.keras import config
from glorot.replay.keras._backend import DType

FLOAT_DTYPES = {name: FLOATS[name] for name in ("float16", "bfloat16", "float32", "float64")}
_LARGEST_INTEGER = 2**53  # float64 holds every integer up to here


def any_dtype(dtype: Any) -> DType:
    """The dtype meant, floatx where None.

    Raises:
        ValueError: none, or none that is replayed.
    """
    if dtype is float:  # for Keras on NumPy float64 in draws, and float32 in constants
        raise ValueError(
            f"Invalid dtype: {dtype}. Backends make different dtypes of Python's types. Use one of "
            f"{', '.join(FLOAT_DTYPES)}."
        )
    try:
        return parse_dtype(config.floatx() if dtype is None else dtype, floating=False)
    except TypeError as error:
        raise ValueError(f"Invalid dtype: {show(dtype)}. {error}") from None


def float_dtype(dtype: Any, what: str) -> DType:
    """The same, for what draws floats: one of four.

    Raises:
        ValueError: another.
    """
    found = any_dtype(dtype)
    if found not in FLOAT_DTYPES.values():
        raise ValueError(
            f"{what} requires a floating point `dtype`. Received: dtype={dtype_name(found)}. Use "
            f"one of {', '.join(FLOAT_DTYPES)}."
        )
    return found


def number(argument: str, value: object) -> Any:
    """`value` if it is a Python number that is finite.

    Raises:
        TypeError: NumPy's numbers and tensors, which each backend promotes by rules of its own.
        ValueError: NaN, infinite, or an integer beyond 2**53.
    """
    if type(value) not in (int, float):
        raise TypeError(
            f"`{argument}` must be a Python int or float, got {show(value)} of "
            f"{type(value).__name__}."
            + (f" Pass float({argument})." if isinstance(value, np.number) else "")
        )
    if isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
        raise ValueError(f"`{argument}` must be at most 2**53, got {show(value)}. Pass a float.")
    if not math.isfinite(value):  # type: ignore[arg-type]
        raise ValueError(
            f"`{argument}` must be finite, got {value!r}: Keras would give infinities or NaNs."
        )
    return value
