# SPDX-License-Identifier: Apache-2.0
"""The keys of a traced program, computed: code makes them of numbers that it has, and only so can
a key be seen that is used twice."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

_MOST = 1 << 14  # elements: more are no keys


def is_key(aval: Any) -> bool:
    """Return whether an array is of keys."""
    return bool(jax.dtypes.issubdtype(aval.dtype, jax.dtypes.prng_key))


def known(value: Any, aval: Any) -> Any:
    """Return a number of the program's, where keys may be made of it; else None."""
    return value if _may_be(aval) else None


def computed(equation: Any, words: Sequence[Any]) -> list[Any]:
    """Return what an operation makes of known numbers, None for each result that is not known."""
    outputs = equation.outvars
    if any(word is None for word in words) or not all(_may_be(var.aval) for var in outputs):
        return [None] * len(outputs)
    try:
        found = equation.primitive.bind(*words, **equation.params)
    except Exception:  # what runs in a program alone
        return [None] * len(outputs)
    return list(found) if equation.primitive.multiple_results else [found]


def rows(equation: Any, words: Sequence[Any]) -> list[bytes] | None:
    """Return the words of each key that a draw is made by; None where they are not known."""
    for var, word in zip(equation.invars, words, strict=True):
        if is_key(var.aval):
            if word is None:
                return None
            data = np.asarray(jax.random.key_data(word))
            return [row.tobytes() for row in data.reshape(-1, data.shape[-1])]
    return None


def _may_be(aval: Any) -> bool:
    if not hasattr(aval, "dtype") or aval.size > _MOST:
        return False
    return is_key(aval) or bool(jnp.issubdtype(aval.dtype, jnp.integer)) or aval.dtype == bool
