# SPDX-License-Identifier: Apache-2.0
"""TensorFlow 1's initializers without randomness: zeros, ones, constants, the identity."""

from typing import Any

import numpy as np

from glorot._dtypes import dtype_name
from glorot.compat.v1 import _state
from glorot.compat.v1._initializers import Array, Initializer
from glorot.replay.tensorflow import _flush
from glorot.replay.tensorflow._arguments import as_dtype, as_float_dtype, as_shape, to_dtype


def _sizes(shape: Any) -> tuple[int, ...]:
    """As `as_shape`, but one integer is a vector's length: here TensorFlow takes it."""
    if hasattr(shape, "__index__") and getattr(shape, "ndim", 0) == 0:
        shape = (shape,)
    return as_shape(shape)[0]


class _Filled(Initializer):
    """One number everywhere."""

    number: int

    def __init__(self, dtype: Any = "float32") -> None:
        self.dtype = as_dtype(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Array:
        """Return the filled array; `partition_info` changes nothing."""
        found = self.dtype if dtype is None else as_dtype(dtype)
        return np.full(_sizes(shape), self.number, dtype=found)

    def get_config(self) -> dict[str, Any]:
        """Return {"dtype"}."""
        return {"dtype": dtype_name(self.dtype)}


class Zeros(_Filled):
    """Zero everywhere, in any dtype: `tf.compat.v1.zeros_initializer`.

    Replays TensorFlow 2.4.4 and 2.21.0: exact.

    Example:
        >>> from glorot.compat import v1
        >>> v1.zeros_initializer()((2,), dtype="int32")
        array([0, 0], dtype=int32)
    """

    number = 0


class Ones(_Filled):
    """One everywhere, in any dtype: `tf.compat.v1.ones_initializer`.

    Replays TensorFlow 2.4.4 and 2.21.0: exact.

    Example:
        >>> from glorot.compat import v1
        >>> v1.ones_initializer()((2,))
        array([1., 1.], dtype=float32)
    """

    number = 1


class Constant(Initializer):
    """Values given: one number, or as many as the shape holds: `tf.compat.v1.constant_initializer`.

    Args:
        value: a number, nested lists of numbers, or a NumPy array.
        dtype: default dtype of the values.
        verify_shape: refuse a `value` of another shape instead of reshaping it.

    Raises:
        TypeError: `value` is something else; at a call, it does not convert to the dtype or its
            size differs from the shape's.
        ValueError: in a `Graph`, `value` holds more numbers than the shape. Fewer are allowed
            there, as in TensorFlow: the last one is repeated.

    Replays TensorFlow 2.4.4 and 2.21.0: exact.

    Source: TensorFlow 2.4.4, python/ops/init_ops.py.

    Example:
        >>> from glorot.compat import v1
        >>> v1.constant_initializer([1, 2, 3, 4])((2, 2))
        array([[1., 2.],
               [3., 4.]], dtype=float32)
    """

    def __init__(self, value: Any = 0, dtype: Any = "float32", verify_shape: bool = False) -> None:
        if not (np.isscalar(value) or isinstance(value, list | tuple | np.ndarray)):
            raise TypeError(
                f"Invalid type for initial value: {type(value)} (expected Python scalar, list or "
                "tuple of values, or numpy.ndarray)."
            )
        self.value = value
        self.dtype = as_dtype(dtype)
        self._verify_shape = verify_shape

    def __call__(
        self,
        shape: Any,
        dtype: Any = None,
        partition_info: Any = None,
        verify_shape: bool | None = None,
    ) -> Array:
        """Return the values in `shape`; `partition_info` changes nothing, as in TensorFlow."""
        found = self.dtype if dtype is None else as_dtype(dtype)
        graph = _state.place().is_graph
        sizes = _sizes(shape)
        values = to_dtype(self.value, found, graph=graph)
        out = np.empty(sizes, dtype=found)
        if graph and out.size == 0 and not isinstance(self.value, np.ndarray):
            return out  # a graph does not look at the value then
        verify = self._verify_shape if verify_shape is None else verify_shape
        if verify and values.shape != sizes:
            raise TypeError(
                f"Expected Tensor's shape: {sizes}, got {values.shape}. "
                "Without `verify_shape`, values of the same count are reshaped."
            )
        if values.size == out.size or (values.size == 1 and not graph):
            out[...] = values.reshape(sizes if values.size == out.size else ())
            return out
        if not graph or values.size == 0:
            raise TypeError(
                "Eager execution of tf.constant with unsupported shape (value has "
                f"{values.size} elements, shape is {sizes} with {out.size} elements). "
                "Give one value, or as many as the shape holds."
            )
        if values.size > out.size:
            raise ValueError(
                f"Too many elements provided. Needed at most {out.size}, but received "
                f"{values.size}. Drop the rest, or use a larger shape."
            )
        flat = out.reshape(-1)
        flat[: values.size] = values.reshape(-1)
        flat[values.size :] = flat[values.size - 1]
        return out

    def get_config(self) -> dict[str, Any]:
        """Return {"value", "dtype"}, as TensorFlow does: `verify_shape` is not kept."""
        value = self.value.tolist() if hasattr(self.value, "tolist") else self.value
        return {"value": value, "dtype": dtype_name(self.dtype)}


class Identity(Initializer):
    """`gain` on the diagonal of a matrix, 0 elsewhere: `tf.compat.v1.initializers.identity`.

    Args:
        gain: the number on the diagonal.
        dtype: default dtype of the values, a float dtype.

    Raises:
        TypeError, ValueError: `dtype` is no float; the shape is not that of a matrix.

    Replays TensorFlow 2.4.4 and 2.21.0: exact.

    Source: TensorFlow 2.4.4, python/ops/init_ops.py.

    Example:
        >>> from glorot.compat import v1
        >>> v1.initializers.identity(2.0)((2, 3))
        array([[2., 0., 0.],
               [0., 2., 0.]], dtype=float32)
    """

    def __init__(self, gain: float = 1.0, dtype: Any = "float32") -> None:
        self.gain = gain.item() if isinstance(gain, np.generic) else gain
        self.dtype = as_float_dtype(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Array:
        """Return the matrix; with `partition_info`, the part at its `var_offset`."""
        found = self.dtype if dtype is None else as_float_dtype(dtype)
        sizes, _ = as_shape(shape)
        whole, start = sizes, (0,) * len(sizes)
        if partition_info is not None:
            whole, _ = as_shape(partition_info.full_shape)
            start = tuple(int(offset) for offset in partition_info.var_offset)
        if len(whole) != 2 or len(sizes) != 2:
            raise ValueError(
                "Identity matrix initializer can only be used for 2D matrices. "
                f"Received shape={sizes}."
            )
        if any(at < 0 or at + n > m for at, n, m in zip(start, sizes, whole, strict=True)):
            raise ValueError(
                f"the part of shape {sizes} at {start} leaves the full shape {whole}. "
                "Mend `partition_info`."
            )
        eye = np.eye(sizes[0], sizes[1], start[0] - start[1], dtype=found)
        gain = to_dtype(self.gain, found, graph=_state.place().is_graph)
        return _flush.times(gain, eye)  # a negative gain gives -0.0 beside the diagonal, as there

    def get_config(self) -> dict[str, Any]:
        """Return {"gain", "dtype"}."""
        return {"gain": self.gain, "dtype": dtype_name(self.dtype)}
