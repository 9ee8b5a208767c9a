# SPDX-License-Identifier: Apache-2.0
"""TensorFlow's stateful random functions: seeds and state as TensorFlow finds them, then replay."""

import math
from typing import Any

import numpy as np

from glorot._dtypes import dtype_name
from glorot.compat.v1 import _state
from glorot.replay.tensorflow import _flush
from glorot.replay.tensorflow import _kernels as replay
from glorot.replay.tensorflow._arguments import (
    FLOAT_DTYPES,
    INTEGER_DTYPES,
    as_dtype,
    as_shape,
    to_dtype,
)
from glorot.replay.tensorflow._laws import ScaledLaw

Array = np.ndarray[Any, np.dtype[Any]]


def random_uniform(
    shape: Any,
    minval: Any = 0,
    maxval: Any = None,
    dtype: Any = "float32",
    seed: int | float | None = None,
    name: str | None = None,
) -> Array:
    """Return what `tf.compat.v1.random_uniform`, or `tf.random.uniform`, would return here.

    Args:
        shape: list, tuple, TensorShape or array of sizes.
        minval, maxval: the limits, Python or NumPy numbers. `maxval` None means 1.
        dtype: a float dtype, int32 or int64 (with `maxval`, which integers never reach; they are
            TensorFlow's `RandomUniformInt`).
        seed: the operation seed, None or an integer of any sign and size; how values follow from
            it, from `set_random_seed` and from earlier calls is told in `glorot.compat.v1`.
        name: ignored, as an operation's name changes no value.

    Returns:
        A new array.

    Raises:
        TypeError: `shape` is no shape, `dtype` names no type, or a limit is no number of that type.
        ValueError: TensorFlow has no uniform law for `dtype`; an integer dtype without `maxval`, or
            minval >= maxval; limits that overflow `dtype`.

    Replays TensorFlow 2.4.4 and 2.21.0: exact.

    Source: TensorFlow 2.4.4 and 2.21.0, python/ops/random_ops.py.

    Example:
        >>> from glorot.compat import v1
        >>> v1.set_random_seed(5)
        >>> v1.random.uniform((), maxval=3, dtype="int32", seed=10).item()
        2
        >>> v1.set_random_seed(None)
    """
    found = as_dtype(dtype)
    sizes, shape_dtype = as_shape(shape)
    where = _state.place()
    count = math.prod(sizes)
    if found in INTEGER_DTYPES.values():
        if maxval is None:
            raise ValueError(replay.no_maxval(found))
        kernel = _state.Kernel("RandomUniformInt", found.name, shape_dtype)
        low, high = (
            int(to_dtype(limit, found, graph=where.is_graph)) for limit in (minval, maxval)
        )
        pair, offset = _state.draw(where, _state.check_seed(seed), kernel, count)
        stream = replay.kernel_stream(pair, offset)
        return replay.filled_range(sizes, low, high, found, stream)
    if found not in FLOAT_DTYPES.values():
        raise ValueError(
            f"Invalid dtype tf.{dtype_name(found)}. TensorFlow draws uniform "
            f"{', '.join(FLOAT_DTYPES | INTEGER_DTYPES)}."
        )
    law = replay.uniform_law(minval, 1 if maxval is None else maxval, found, graph=where.is_graph)
    return _drawn(where, "RandomUniform", sizes, shape_dtype, found, law, seed)


def random_normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = "float32",
    seed: int | float | None = None,
    name: str | None = None,
) -> Array:
    """Return what `tf.compat.v1.random_normal`, or `tf.random.normal`, would return here.

    Args:
        mean, stddev: Python or NumPy numbers.
        dtype: a float dtype.
        shape, seed, name: as for `random_uniform`.

    Raises:
        TypeError: `shape` is no shape, `dtype` names no type, `mean` or `stddev` is no number.
        ValueError: `dtype` is no float dtype of TensorFlow's; a value would overflow it.

    Replays TensorFlow 2.4.4 and 2.21.0: exact, float64 as with FMA.

    Source: TensorFlow 2.4.4 and 2.21.0, python/ops/random_ops.py, on Linux with glibc 2.28 or
    later; float64 as glibc 2.36 or later computes it on a processor with FMA (others differ in the
    last bits of 6 values in 10,000).

    Example:
        >>> from glorot.compat import v1
        >>> v1.set_random_seed(5)
        >>> v1.random_normal([2, 2], 0, 1, "float32", seed=1)
        array([[-1.3768897 , -0.01258316],
               [-0.169515  ,  1.0824056 ]], dtype=float32)
        >>> v1.set_random_seed(None)
    """
    return _normal(shape, mean, stddev, dtype, seed, truncated=False)


def truncated_normal(
    shape: Any,
    mean: Any = 0.0,
    stddev: Any = 1.0,
    dtype: Any = "float32",
    seed: int | float | None = None,
    name: str | None = None,
) -> Array:
    """Return what `tf.compat.v1.truncated_normal`, or `tf.random.truncated_normal`, would.

    Values further from the mean than two standard deviations are drawn again, before they are
    rounded.  Arguments, errors and sources as for `random_normal`.

    Raises:
        TypeError: `shape` is no shape, `dtype` names no type, `mean` or `stddev` is no number.
        ValueError: `dtype` is no float dtype of TensorFlow's; a value would overflow it.

    Replays TensorFlow 2.4.4 and 2.21.0: exact, float64 as with FMA.

    Example:
        >>> from glorot.compat import v1
        >>> v1.set_random_seed(5)
        >>> v1.truncated_normal([2], seed=1)
        array([-1.3768897 , -0.01258316], dtype=float32)
        >>> v1.set_random_seed(None)
    """
    return _normal(shape, mean, stddev, dtype, seed, truncated=True)


def _normal(
    shape: Any, mean: Any, stddev: Any, dtype: Any, seed: int | float | None, *, truncated: bool
) -> Array:
    found = as_dtype(dtype)
    sizes, shape_dtype = as_shape(shape)
    where = _state.place()
    if found not in FLOAT_DTYPES.values():
        for number in (mean, stddev):  # which TensorFlow converts first
            to_dtype(number, found, graph=where.is_graph)
        raise ValueError(
            f"Invalid dtype tf.{dtype_name(found)}. TensorFlow draws normal "
            f"{', '.join(FLOAT_DTYPES)}."
        )
    law = replay.normal_law(mean, stddev, found, truncated=truncated, graph=where.is_graph)
    operation = "TruncatedNormal" if truncated else "RandomStandardNormal"
    return _drawn(where, operation, sizes, shape_dtype, found, law, seed)


def _drawn(
    where: _state.Place, operation: str, sizes: tuple[int, ...], shape_dtype: str,
    dtype: np.dtype[Any], law: ScaledLaw, seed: int | float | None,
) -> Array:  # fmt: skip
    kernel = _state.Kernel(operation, dtype_name(dtype), shape_dtype)

    # The seed last: what is refused, or does not fit into memory, uses none up.
    out = np.empty(sizes, dtype)
    pair, offset = _state.draw(where, _state.check_seed(seed), kernel, math.prod(sizes))
    _flush.fill(out, law, replay.kernel_stream(pair, offset))
    return out
