# SPDX-License-Identifier: Apache-2.0
"""The dtypes a weight can have, under the names every framework gives them."""

from typing import Any

import ml_dtypes
import numpy as np

from glorot._check import show

FLOATS: dict[str, np.dtype[Any]] = {
    "float32": np.dtype(np.float32),
    "float64": np.dtype(np.float64),
    "float16": np.dtype(np.float16),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "float8_e4m3fn": np.dtype(ml_dtypes.float8_e4m3fn),
    "float8_e5m2": np.dtype(ml_dtypes.float8_e5m2),
}
_NAME_OF = {dtype: name for name, dtype in FLOATS.items()}

# What the constant initializers also write: counters, masks, token ids.
INTEGERS = {
    name: np.dtype(name)
    for name in ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
}
ALL = FLOATS | INTEGERS
# What others call them, for errors: one name a dtype keeps files and fingerprints alike.
_SHORT = {
    **dict.fromkeys(("bf16",), "bfloat16"),
    **dict.fromkeys(("fp16", "f16", "half"), "float16"),
    **dict.fromkeys(("fp32", "f32", "float", "single"), "float32"),
    **dict.fromkeys(("fp64", "f64", "double"), "float64"),
    **dict.fromkeys(("fp8", "e4m3", "float8_e4m3"), "float8_e4m3fn"),
    "e5m2": "float8_e5m2",
}
# NumPy's classes of types, which are no types: `np.dtype(np.floating)` would guess, and warn.
_ABSTRACT = {
    *(np.generic, np.number, np.integer, np.signedinteger, np.unsignedinteger),
    *(np.inexact, np.floating, np.complexfloating, np.flexible, np.character),
}


def dtype_name(dtype: np.dtype[Any]) -> str:
    """The name of a supported dtype: "float32", "bfloat16", ..."""
    return _NAME_OF.get(dtype) or dtype.name


def parse_dtype(dtype: Any, *, floating: bool = True, argument: str = "dtype") -> np.dtype[Any]:
    """Return the NumPy dtype that `dtype` means.

    Accepts a name, a NumPy or ml_dtypes dtype or scalar type, Python's `float`, and the dtype
    objects of PyTorch, JAX and TensorFlow, none of which is imported here.  `float` is float32,
    as in the frameworks.

    Raises:
        TypeError: `dtype` names no supported type; with `floating`, also when it is no float.
    """
    choices = FLOATS if floating else ALL
    found = _lookup(dtype)
    if found is None or dtype_name(found) not in choices:
        raise TypeError(
            f"`{argument}` must be one of {', '.join(choices)}; got {show(dtype)}."
            + (" Only floating point types are supported." if floating else "")
            + (f" Write {_SHORT[dtype]!r}." if isinstance(dtype, str) and dtype in _SHORT else "")
        )
    return found


def _lookup(dtype: Any) -> np.dtype[Any] | None:
    if isinstance(dtype, str):
        return ALL.get(dtype)
    if dtype is float:
        return FLOATS["float32"]
    if isinstance(dtype, np.dtype):
        return dtype if dtype.isnative else dtype.newbyteorder("=")
    numpy_type = getattr(dtype, "as_numpy_dtype", dtype)  # tf.DType
    if isinstance(numpy_type, type) and issubclass(numpy_type, np.generic):
        return None if numpy_type in _ABSTRACT else np.dtype(numpy_type)
    # jnp.float32 is a scalar maker with a dtype; an array has a dtype too, and is none itself.
    if isinstance(getattr(dtype, "dtype", None), np.dtype) and not hasattr(dtype, "shape"):
        found: np.dtype[Any] = dtype.dtype
        return found
    prefix, _, name = show(dtype).rpartition(".")  # torch.dtype prints as "torch.float32"
    return ALL.get(name) if prefix == "torch" else None
