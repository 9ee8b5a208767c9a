# SPDX-License-Identifier: Apache-2.0
"""Keras 2's initializers without randomness: zeros, ones, constants, the identity."""

import math
from typing import Any

import numpy as np

from glorot._check import show
from glorot.replay.tensorflow import _flush
from glorot.replay.tensorflow._arguments import as_dtype, as_float_dtype, to_dtype
from glorot.replay.tensorflow.keras._base import Array, Initializer, cut


class _Filled(Initializer):
    """One number everywhere."""

    def _number(self, dtype: np.dtype[Any]) -> Array:
        raise NotImplementedError

    def _values(self, shape: tuple[int, ...], dtype: Any, shard: Any, offset: Any) -> Array:
        found = as_dtype("float32" if dtype is None else dtype)
        number = self._number(found)
        whole = np.broadcast_to(number if number.size == 1 else number.reshape(shape), shape)
        return np.array(whole if shard is None else cut(whole, shard))


class Zeros(_Filled):
    """Zero everywhere, in any dtype.

    Replays Keras 2 of TensorFlow 2.4.0 and 2.21.0: exact.

    Example:
        >>> Zeros()((2,), dtype="int32")
        array([0, 0], dtype=int32)
    """

    def _number(self, dtype: np.dtype[Any]) -> Array:
        return np.zeros((), dtype)


class Ones(_Filled):
    """One everywhere, in any dtype.

    Replays Keras 2 of TensorFlow 2.4.0 and 2.21.0: exact.

    Example:
        >>> Ones()((2,))
        array([1., 1.], dtype=float32)
    """

    def _number(self, dtype: np.dtype[Any]) -> Array:
        return np.ones((), dtype)


class Constant(_Filled):
    """`value` everywhere; or, as many values as the shape holds, in its order.

    Raises:
        TypeError: at a call, `value` does not convert to the dtype, or has another size.

    Replays Keras 2 of TensorFlow 2.4.0 and 2.21.0: exact.

    Example:
        >>> Constant(3.5)((2,))
        array([3.5, 3.5], dtype=float32)
    """

    def __init__(self, value: Any = 0) -> None:
        self.value = value

    def _number(self, dtype: np.dtype[Any]) -> Array:
        return to_dtype(self.value, dtype)

    def _values(self, shape: tuple[int, ...], dtype: Any, shard: Any, offset: Any) -> Array:
        size, count = np.size(self.value), math.prod(shape)
        if size not in (1, count):
            raise TypeError(
                f"Eager execution of tf.constant with unsupported shape (value has {size} "
                f"elements, shape is {shape} with {count} elements). Give one value, or as many as "
                "the shape holds."
            )
        return super()._values(shape, dtype, shard, offset)

    def get_config(self) -> dict[str, Any]:
        """Return {"value"}."""
        return {"value": self.value}


class Identity(Initializer):
    """`gain` on the diagonal of a matrix, 0 elsewhere.

    Raises:
        ValueError: at a call, the shape is not that of a matrix, or the dtype no float.

    Replays Keras 2 of TensorFlow 2.4.0 and 2.21.0: exact.

    Example:
        >>> Identity(2.0)((2, 3))
        array([[2., 0., 0.],
               [0., 2., 0.]], dtype=float32)
    """

    _partitions = False

    def __init__(self, gain: Any = 1.0) -> None:
        self.gain = gain

    def _values(self, shape: tuple[int, ...], dtype: Any, shard: Any, offset: Any) -> Array:
        found = as_float_dtype("float32" if dtype is None else dtype)
        if len(shape) != 2:
            raise ValueError(
                "Identity matrix initializer can only be used for 2D matrices. "
                f"Received: shape={show(shape)} of rank {len(shape)}."
            )
        whole = _flush.times(to_dtype(self.gain, found), np.eye(*shape, dtype=found))
        return whole if shard is None else np.array(cut(whole, shard))

    def get_config(self) -> dict[str, Any]:
        """Return {"gain"}."""
        return {"gain": self.gain}
