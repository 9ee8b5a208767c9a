# SPDX-License-Identifier: Apache-2.0
"""orthogonal and delta_orthogonal: JAX's normal draw, then a QR factorisation that is LAPACK's.

The draw is exact.  JAX factorises in the dtype itself with its own LAPACK, whose last bits no other
library has; here the factorisation is done in float64 and rounded once.  What comes out differs by
rounding errors of JAX's own.  They grow with the condition of the drawn matrix, so square ones have
the largest: 4.4e-6 was seen in float32, and `TOLERANCE` is promised.

Source: jax/_src/nn/initializers.py and random/core.py (_orthogonal), 0.10.2.
"""

import math
from typing import Any

import numpy as np

from glorot._check import show
from glorot._dtypes import dtype_name
from glorot.replay.jax import _draw
from glorot.replay.jax._draw import parse_draw_shape
from glorot.replay.jax._keys import key_words
from glorot.replay.jax.nn.initializers._protocol import (
    Array,
    Dtype,
    Initializer,
    Shape,
    constant_of,
    float_dtype,
    part,
)

# From JAX's values at a scale of 1, of matrices up to 512 x 512.
TOLERANCE = {"float32": 1e-4, "float64": 1e-12}


def _refuse(out_sharding: object) -> None:
    if out_sharding is not None:
        raise NotImplementedError("`out_sharding` must be None, as in JAX. Use `shard`.")


def _matrix(key: Any, rows: int, columns: int, dtype: Dtype) -> Array:
    words, _ = key_words("orthogonal", key)
    shape = (max(rows, columns), min(rows, columns))
    normal = _draw.normal(words, shape, dtype)
    q, r = np.linalg.qr(normal.astype(np.float64))
    q *= np.sign(np.diagonal(r))
    return (q.T if rows < columns else q).astype(dtype)


def _whole(key: Any, shape: Shape, column_axis: int, scale: Any, dtype: Dtype) -> Array:
    if 0 in shape:
        return np.zeros(shape, dtype=dtype)
    if dtype.itemsize == 2:
        raise TypeError(
            f"`dtype` of orthogonal must be float32 or float64, got {dtype_name(dtype)}: JAX has "
            "no QR of it. Draw float32 and convert."
        )
    columns = shape[column_axis]
    q = _matrix(key, math.prod(shape) // columns, columns, dtype)
    q = q.reshape(*np.delete(shape, column_axis).tolist(), columns)
    return np.asarray(constant_of(scale, dtype) * np.moveaxis(q, -1, column_axis), order="C")


def orthogonal(scale: Any = 1.0, column_axis: int = -1, dtype: Any = None) -> Initializer:
    """Return an initializer of orthogonal matrices times `scale`.

    The columns are what `column_axis` counts, the rows all else; whichever are fewer are
    orthonormal.  float32 and float64.  A shard is a slice of the whole.

    Not exact: values differ from JAX's by rounding errors (`TOLERANCE`).

    Raises at the call:
        ValueError: fewer than two axes.
        TypeError: float16 or bfloat16, which JAX cannot factorise.

    Replays JAX 0.10.2: near; `glorot.replay.guarantee` says how near.

    Example:
        >>> from glorot.replay import jax
        >>> w = jax.nn.initializers.orthogonal()(jax.random.key(42), (2, 3))
        >>> bool(abs(w @ w.T - [[1, 0], [0, 1]]).max() < 1e-6)
        True
    """

    def init(
        key: Any,
        shape: Any,
        dtype: Any = dtype,
        out_sharding: None = None,
        *,
        shard: Any = None,
    ) -> Array:
        _refuse(out_sharding)
        whole, found = parse_draw_shape(shape), float_dtype("orthogonal", dtype)
        if len(whole) < 2:
            raise ValueError(
                f"orthogonal initializer requires at least a 2D `shape`, got {show(whole)}."
            )
        return part(_whole(key, whole, column_axis, scale, found), shard)

    return init


def delta_orthogonal(scale: Any = 1.0, column_axis: int = -1, dtype: Any = None) -> Initializer:
    """Return an initializer of convolutions that are orthogonal maps of channels.

    All is 0 but the centre of the receptive field.  The matrix there is `orthogonal`'s of the same
    key, scale and dtype.

    Not exact: values differ from JAX's by rounding errors (`TOLERANCE`).

    Raises at the call:
        ValueError: not 3, 4 or 5 axes, or more input than output channels.
        TypeError: float16 or bfloat16, which JAX cannot factorise.

    Replays JAX 0.10.2: near; `glorot.replay.guarantee` says how near.

    Example:
        >>> from glorot.replay import jax
        >>> w = jax.nn.initializers.delta_orthogonal()(jax.random.key(42), (3, 2, 2))
        >>> [int(abs(tap).max() > 0) for tap in w]
        [0, 1, 0]
    """

    def init(
        key: Any,
        shape: Any,
        dtype: Any = dtype,
        out_sharding: None = None,
        *,
        shard: Any = None,
    ) -> Array:
        _refuse(out_sharding)
        whole, found = parse_draw_shape(shape), float_dtype("delta_orthogonal", dtype)
        if len(whole) not in (3, 4, 5):
            raise ValueError(
                f"Delta orthogonal initializer requires a 3D, 4D or 5D `shape`, got {show(whole)}."
            )
        if whole[-1] < whole[-2]:
            raise ValueError(
                f"`fan_in` must be less or equal than `fan_out`, got shape {show(whole)}. Use "
                "orthogonal."
            )
        matrix = _whole(key, whole[-2:], column_axis, scale, found)
        weight = np.zeros(whole, dtype=found)
        weight[tuple((size - 1) // 2 for size in whole[:-2])] = matrix
        return part(weight, shard)

    return init
