# SPDX-License-Identifier: Apache-2.0
"""What JAX makes of a dtype: its defaults, and 64 bits cut to 32 unless they are enabled."""

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


def float_dtype(function: str, dtype: Any) -> Dtype:
    """The float dtype that `function` gives for its argument `dtype`.

    Raises:
        TypeError: no float, or one that is not replayed (complex, float8).
    """
    if dtype is None or dtype is float:
        return canonical(FLOATS["float64"], asked=False)
    found = _parse(dtype)
    if found is None or found not in FLOAT_DTYPES.values():
        name = dtype if found is None else dtype_name(found)
        raise TypeError(
            f"`dtype` of {function} must be one of {', '.join(FLOAT_DTYPES)}, got {name}."
            + (" Complex numbers are not replayed." if "complex" in str(name) else "")
        )
    return canonical(found)


def _parse(dtype: Any) -> Dtype | None:
    try:
        return parse_dtype(dtype, floating=False)
    except TypeError:
        return None


def uint_dtype(function: str, dtype: Any) -> Dtype:
    """The unsigned dtype that `function` gives for its argument `dtype`."""
    if dtype is None:
        return canonical(np.dtype(np.uint64), asked=False)
    found = _parse(dtype)
    if found is None or found not in UINT_DTYPES.values():
        raise ValueError(
            f"`dtype` of {function} must be one of {', '.join(UINT_DTYPES)}, got "
            f"{dtype if found is None else dtype_name(found)}."
        )
    return canonical(found)
