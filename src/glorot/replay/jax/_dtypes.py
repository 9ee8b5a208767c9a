# SPDX-License-Identifier: Apache-2.0
"""What JAX makes of a dtype: its defaults, and 64 bits cut to 32 unless they are enabled."""

import contextlib
import warnings
from typing import Any

import numpy as np

from glorot._dtypes import FLOATS, dtype_name, parse_dtype
from glorot.replay.jax._config import enable_x64

Dtype = np.dtype[Any]

FLOAT_DTYPES = {name: FLOATS[name] for name in ("float16", "bfloat16", "float32", "float64")}
UINT_DTYPES = {f"uint{width}": np.dtype(f"uint{width}") for width in (8, 16, 32, 64)}
_NARROW = {"float64": "float32", "int64": "int32", "uint64": "uint32"}


def canonical(dtype: Dtype, *, asked: bool = True) -> Dtype:
    """The dtype JAX gives: 64 bits become 32 unless enabled, with JAX's warning if asked for."""
    narrow = _NARROW.get(dtype.name)
    if narrow is None or enable_x64.value:
        return dtype
    if asked:
        warnings.warn(
            f"Explicitly requested dtype {dtype.name} is not available, and will be truncated to "
            f"dtype {narrow}, as JAX does. To enable more dtypes, set the jax_enable_x64 option: "
            "jax.config.update('jax_enable_x64', True).",
            UserWarning,
            stacklevel=2,
        )
    return np.dtype(narrow)


def _parse(dtype: Any) -> Dtype:
    """A dtype by any name that NumPy has for it, which is what JAX takes; None is float."""
    if dtype is None or dtype is float or dtype is int or dtype is bool:
        return np.dtype(dtype)
    if isinstance(dtype, str):
        with contextlib.suppress(TypeError):  # of ml_dtypes' names NumPy has none
            found = np.dtype(dtype)
            dtype = found if found.isnative else dtype
    return parse_dtype(dtype, floating=False)


def _canonical_as_given(found: Dtype, dtype: Any) -> Dtype:
    return canonical(found, asked=not (dtype is None or dtype is float or dtype is int))


def any_dtype(dtype: Any) -> Dtype:
    """The dtype that `zeros` and the like give for their argument `dtype`.

    Raises:
        TypeError: none that is replayed.
    """
    return _canonical_as_given(_parse(dtype), dtype)


def float_dtype(function: str, dtype: Any) -> Dtype:
    """The float dtype that `function` gives for its argument `dtype`.

    Raises:
        TypeError: no float, or one that is not replayed (complex, float8).
    """
    found = _one_of(FLOAT_DTYPES, dtype)
    if found is None:
        raise TypeError(
            f"`dtype` of {function} must be one of {', '.join(FLOAT_DTYPES)}, got {_name(dtype)}."
            + (" Complex numbers are not replayed." if "complex" in _name(dtype) else "")
        )
    return _canonical_as_given(found, dtype)


def uint_dtype(function: str, dtype: Any) -> Dtype:
    """The unsigned dtype that `function` gives for its argument `dtype`."""
    if dtype is None:
        return canonical(np.dtype(np.uint64), asked=False)
    found = _one_of(UINT_DTYPES, dtype)
    if found is None:
        raise ValueError(
            f"`dtype` of {function} must be one of {', '.join(UINT_DTYPES)}, got {_name(dtype)}."
        )
    return canonical(found)


def _one_of(dtypes: dict[str, Dtype], dtype: Any) -> Dtype | None:
    try:
        found = _parse(dtype)
    except TypeError:
        return None
    return found if found in dtypes.values() else None


def _name(dtype: Any) -> str:
    try:
        return dtype_name(_parse(dtype))
    except TypeError:
        return str(dtype)
