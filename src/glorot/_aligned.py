# SPDX-License-Identifier: Apache-2.0
"""Memory that JAX and TensorFlow take over on a CPU as it is, without a copy."""

import math
from typing import Any

import numpy as np

from glorot._check import too_large
from glorot._dtypes import dtype_name

_ALIGNMENT = 64  # bytes: what both ask of it; TensorFlow's kernels die of less


def aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray[Any, np.dtype[Any]]:
    """An array without values, row-major, whose memory begins at a multiple of 64.

    Raises:
        ValueError: a shape that no array can have.

    Examples:
        >>> aligned((3, 5), np.dtype("float32")).__array_interface__["data"][0] % 64
        0
    """
    try:
        raw = np.empty(math.prod(shape) * dtype.itemsize + _ALIGNMENT, np.uint8)
        begin = -raw.__array_interface__["data"][0] % _ALIGNMENT
        found: np.ndarray[Any, np.dtype[Any]] = np.ndarray(shape, dtype, raw, begin)
    except ValueError:
        raise too_large(shape, dtype_name(dtype)) from None
    return found
