# SPDX-License-Identifier: Apache-2.0
"""`keras.config`: the backend whose numbers are drawn, and the dtype where none is given.

Both are of the whole process, as in Keras.  Keras also reads ~/.keras/keras.json and KERAS_BACKEND;
here what is not asked for is not there.
"""

from typing import Any

from glorot._check import show
from glorot.replay.keras._backend import BACKENDS, check_backend, load_backend

_FLOATX = ("bfloat16", "float16", "float32", "float64")

_settings: dict[str, Any] = {"backend": None, "arithmetic": "fma", "floatx": "float32"}


def set_backend(backend: str | None, *, arithmetic: str = "fma") -> None:
    """Set the backend that is meant wherever none is given.

    Args:
        backend: "tensorflow", "jax", "torch" or "numpy"; None for none, as at the start.
        arithmetic: of the processor and C library the run had; see `random.normal`.

    Raises:
        ValueError: another backend, or an arithmetic that it has not.

    Example:
        >>> from glorot.replay import keras
        >>> set_backend("torch")
        >>> keras.random.uniform((2,), seed=42)
        array([0.88226926, 0.91500396], dtype=float32)
        >>> set_backend(None)
    """
    if backend is not None:
        load_backend(check_backend(backend), arithmetic)
    _settings["backend"], _settings["arithmetic"] = backend, arithmetic


def backend() -> str | None:
    """The backend that `set_backend` set; None where it has not."""
    found: str | None = _settings["backend"]
    return found


def arithmetic() -> str:
    """The arithmetic that `set_backend` set."""
    return str(_settings["arithmetic"])


def floatx() -> str:
    """The dtype where none is given: "float32", unless `set_floatx` set another."""
    return str(_settings["floatx"])


def set_floatx(value: str) -> None:
    """Set the dtype where none is given.

    Raises:
        ValueError: other than bfloat16, float16, float32 or float64.
    """
    if value not in _FLOATX:
        raise ValueError(
            f"Unknown `floatx` value: {show(value)}. Expected one of {', '.join(_FLOATX)}."
        )
    _settings["floatx"] = value


__all__ = ["BACKENDS", "arithmetic", "backend", "floatx", "set_backend", "set_floatx"]
