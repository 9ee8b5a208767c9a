# SPDX-License-Identifier: Apache-2.0
"""Shapes, dtypes and numbers as TensorFlow takes them, and refuses them."""

import contextlib
import operator
from collections.abc import Mapping, Set
from typing import Any

import numpy as np

from glorot._dtypes import ALL, FLOATS, dtype_name, parse_dtype
from glorot.replay.tensorflow import _flush

Array = np.ndarray[Any, np.dtype[Any]]

FLOAT_DTYPES = {name: FLOATS[name] for name in ("float16", "bfloat16", "float32", "float64")}
INTEGER_DTYPES = {name: np.dtype(name) for name in ("int32", "int64")}

_PYTHON_NAMES = {
    "half": "float16",
    "float": "float32",
    "double": "float64",
    bool: "bool",
    int: "int64",
}


def as_dtype(dtype: Any) -> np.dtype[Any]:
    """The NumPy dtype meant by a name, a NumPy or TensorFlow dtype, or a Python type."""
    with contextlib.suppress(TypeError):  # unhashable, so none of those names
        dtype = _PYTHON_NAMES.get(dtype, dtype)
    try:
        return parse_dtype(dtype, floating=False)
    except TypeError:
        raise TypeError(
            f"Cannot convert value {dtype!r} to a TensorFlow DType. Use one of {', '.join(ALL)}."
        ) from None


def as_float_dtype(dtype: Any) -> np.dtype[Any]:
    """The same, for the dtypes of which TensorFlow has random floats."""
    name = getattr(dtype, "name", dtype)
    if name not in ("string", "complex64", "complex128"):  # types, but none that we have
        found = as_dtype(dtype)
        if found in FLOAT_DTYPES.values():
            return found
        name = dtype_name(found)
    raise ValueError(
        f"Expected floating point type, got <dtype: '{name}'>. "
        f"Use one of {', '.join(FLOAT_DTYPES)}."
    )


def as_shape(shape: Any) -> tuple[tuple[int, ...], str]:
    """(sizes, dtype of the shape tensor TensorFlow would make).

    Lists, tuples and TensorShapes are int32; arrays and tensors keep their own dtype, and an int64
    one selects another kernel, with a state of its own.
    """
    if hasattr(shape, "as_list"):  # tf.TensorShape; of unknown rank it raises by itself
        shape = shape.as_list()
    elif hasattr(shape, "numpy"):  # an eager tensor
        shape = shape.numpy()
    shape_dtype = "int32"
    if isinstance(shape, np.ndarray):
        shape_dtype = shape.dtype.name
        if shape_dtype not in ("int32", "int64") or shape.ndim != 1:
            raise TypeError(
                f"an array as `shape` must be a vector of int32 or int64, got {shape!r}. "
                "Pass a list or tuple of integers."
            )
    if isinstance(shape, (str, bytes, bytearray, Mapping, Set)):  # sized, and yet no shape
        raise TypeError(f"`shape` must be a list or tuple of sizes, got {shape!r}.")
    try:
        len(shape)
    except TypeError as error:  # "object of type 'int' has no len()"
        raise TypeError(
            f"{error}: `shape` must be a list or tuple of sizes, got {shape!r}. "
            "Pass (5,) for five elements."
        ) from None
    sizes = tuple(_size(size, shape) for size in shape)
    return sizes, shape_dtype


def _size(size: Any, shape: Any) -> int:
    size = getattr(size, "value", size)  # tf.compat.v1.Dimension
    if isinstance(size, bool | np.bool_) or not hasattr(size, "__index__"):
        raise TypeError(
            f"every size in `shape` must be an integer, not '{type(size).__name__}': got {size!r} "
            f"in {shape!r}. A weight's shape must be fully known."
        )
    found = operator.index(size)
    if found < 0:
        raise ValueError(f"Dimension {found} must be >= 0: `shape` is {shape!r}.")
    return found


def to_dtype(value: Any, dtype: np.dtype[Any], *, graph: bool = False) -> Array:
    """`value` (a number, nested lists of them, or a NumPy array) as TensorFlow's constant.

    Python floats reach float16 through float32 in eager mode, directly in a graph; NumPy's always
    directly.  The two roundings of the eager way can differ from one.  They reach bfloat16 through
    float32 in either, but in eager mode those that are subnormal there become 0.

    Raises:
        TypeError: a float for an integer dtype, a number for bool, an integer beyond int64 or
            eagerly a bool for bfloat16, or no number at all.
        ValueError: an integer that the integer dtype cannot hold.
    """
    array = np.asarray(value)
    wanted = "f" if dtype in FLOATS.values() else dtype.kind
    python = not isinstance(value, np.ndarray | np.generic)
    eager = python and not graph
    narrow = dtype == FLOATS["bfloat16"]
    if wanted == "f" and not narrow and all(isinstance(number, int) for number in array.flat):
        array = array.astype(np.float64)  # integers beyond 64 bits are objects to NumPy
    kind = "f" if array.dtype in FLOATS.values() else array.dtype.kind
    taken = {"f": "biuf", "i": "biu", "u": "biu", "b": "b"}[wanted]
    if narrow and python:  # no integer beyond int64, and eagerly no bool
        taken = "bif" if graph else "if"
    if kind not in taken:
        name = dtype_name(dtype)
        said = (
            f"Expected {name}, got {value!r} of type '{type(value).__name__}' instead."
            if graph
            else f"Cannot convert {value!r} to EagerTensor of dtype {name}."
        )
        raise TypeError(f"{said} Give numbers that {name} holds, or another dtype.")
    with np.errstate(over="ignore", invalid="ignore"):
        if wanted != "f":
            result = array.astype(dtype)
            if not np.array_equal(result, array):
                raise ValueError(f"{value!r} does not fit {dtype_name(dtype)}. Use a wider dtype.")
            return result
        if python:
            array = array.astype(np.float64)  # Python integers too, so a large one rounds twice
        if narrow or (dtype == FLOATS["float16"] and eager):
            array = array.astype(np.float32)
        if narrow and eager:  # the kernel that rounds it flushes
            array = _flush.flushed(array, np.dtype(np.float32))
        return array.astype(dtype)
