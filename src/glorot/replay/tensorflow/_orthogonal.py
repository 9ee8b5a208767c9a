# SPDX-License-Identifier: Apache-2.0
"""TensorFlow's orthogonal matrices: its own normals, factorised in float64."""

import math
from typing import Any

import numpy as np

from glorot._check import show
from glorot._dtypes import FLOATS, dtype_name
from glorot.replay.tensorflow import _flush
from glorot.replay.tensorflow._arguments import to_dtype

Array = np.ndarray[Any, np.dtype[Any]]


def check_matrix(shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[int, int]:
    """(rows, columns) of the matrix: all axes but the last are rows."""
    if len(shape) < 2:
        raise ValueError(
            "The tensor to initialize must be at least two-dimensional. Received shape="
            f"{show(shape)}."
        )
    if dtype in (FLOATS["float16"], FLOATS["bfloat16"]):
        raise TypeError(
            f"`dtype`={dtype_name(dtype)}: TensorFlow has no QR of bfloat16, nor in 2.4 of "
            "float16, and what 2.21 computes in float16 is too rough to be replayed. Use float32 "
            "and round, or glorot.Orthogonal."
        )
    return math.prod(shape[:-1]), shape[-1]


def orthogonal_matrix(
    normal: Array, shape: tuple[int, ...], gain: Any, *, graph: bool = False
) -> Array:
    """`gain` times the Q of a (max, min) matrix of normals, signs from R's diagonal, in `shape`."""
    rows, columns = math.prod(shape[:-1]), shape[-1]
    q, r = np.linalg.qr(normal.astype(np.float64))
    q *= np.sign(np.diagonal(r))
    if rows < columns:
        q = q.T
    result = _flush.times(to_dtype(gain, normal.dtype, graph=graph), q.astype(normal.dtype))
    return result.reshape(shape)
