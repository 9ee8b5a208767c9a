# SPDX-License-Identifier: Apache-2.0
"""Arrays in memory: new ones, also such as JAX and TensorFlow take over on a CPU without a copy;
where one begins and ends, and where its elements lie."""

import ctypes
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from glorot._dtypes import dtype_name

Array = np.ndarray[Any, np.dtype[Any]]

_ALIGNMENT = 64  # bytes: what both ask of it; TensorFlow's kernels die of less


def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """An array without values, row-major.

    Raises:
        ValueError: a shape that a tensor may have and one array cannot.
    """
    try:
        return np.empty(shape, dtype)
    except ValueError:
        raise _too_large(shape, dtype) from None


def aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """The same, in memory that begins at a multiple of 64.

    Examples:
        >>> aligned((3, 5), np.dtype("float32")).__array_interface__["data"][0] % 64
        0
    """
    try:
        raw = np.empty(math.prod(shape) * dtype.itemsize + _ALIGNMENT, np.uint8)
        begin = -address(raw) % _ALIGNMENT
        found: Array = np.ndarray(shape, dtype, raw, begin)
    except ValueError:
        raise _too_large(shape, dtype) from None
    return found


def address(array: Array) -> int:
    """Where the memory of an array that can be written begins.

    Of most it is asked as C would: `__array_interface__` makes a dict of all there is to say, which
    takes longer than to fill a small array.
    """
    if array.dtype.isbuiltin == 1 and array.flags.c_contiguous:
        memory: Any = array  # a buffer, which NumPy's types do not say before Python 3.12
        return ctypes.addressof(ctypes.c_char.from_buffer(memory))
    begin: int = array.__array_interface__["data"][0]
    return begin


def span(array: Array) -> tuple[int, int]:
    """The addresses between which the elements of an array lie; it has some.

    Examples:
        >>> array = np.zeros((4, 5), np.float32)
        >>> begin, end = span(array[3:0:-1, 1:3])
        >>> begin - address(array), end - address(array)
        (24, 72)
    """
    begin = end = address(array)
    for size, stride in zip(array.shape, array.strides, strict=True):
        if stride < 0:
            begin += (size - 1) * stride
        else:
            end += (size - 1) * stride
    return begin, end + array.itemsize


def row_major(shape: Sequence[int]) -> tuple[int, ...]:
    """The index strides of a whole tensor as stored."""
    steps = itertools.accumulate(reversed(shape[1:]), lambda a, b: a * b, initial=1)
    return tuple(steps)[::-1] if shape else ()


def _too_large(shape: tuple[int, ...], dtype: np.dtype[Any]) -> ValueError:
    return ValueError(
        f"`shape` {shape} of {dtype_name(dtype)} is more than an array can hold. Ask for a part of "
        "it with `shard`."
    )
