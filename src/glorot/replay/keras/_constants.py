# SPDX-License-Identifier: Apache-2.0
"""Keras 3's initializers without randomness: zeros, ones, constants, the identity.

Source: keras 3.15.1, src/initializers/constant_initializers.py.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from glorot._check import show
from glorot._dtypes import parse_dtype
from glorot.replay.keras import config
from glorot.replay.keras._arguments import any_dtype, float_dtype, number
from glorot.replay.keras._backend import Array, Backend, DType
from glorot.replay.keras._base import Initializer, Self, cut
from glorot.replay.keras._choice import choose


class Zeros(Initializer):
    """Zero everywhere, in any dtype; it needs no backend.

    Replays Keras 3.15.1: exact, on each backend.

    Example:
        >>> Zeros()((2,), dtype="int32")
        array([0, 0], dtype=int32)
    """

    _value = 0

    def _values(self, shape: tuple[int, ...], dtype: Any, shard: Any) -> Array:
        found = any_dtype(dtype)
        if self.backend is not None or config.backend() is not None:
            found = choose(self.backend, self.arithmetic).backend.canonical(found)
        one = np.broadcast_to(found.type(self._value), shape)
        return np.array(cut(one, shard))


class Ones(Zeros):
    """One everywhere, in any dtype; it needs no backend.

    Replays Keras 3.15.1: exact, on each backend.

    Example:
        >>> Ones()((2,))
        array([1., 1.], dtype=float32)
    """

    _value = 1


_ARRAYS = ("__numpy__", "__tensor__")


class Constant(Initializer):
    """`value` everywhere.

    Args:
        value: a Python number or bool, or a NumPy array or nested lists of them, which broadcast
            to the shape.
        backend, arithmetic: as everywhere.  Python's floats reach the dtype by way of float32 on
            tensorflow, float64 included, and each backend rounds to 16 bits in its own way.

    Raises:
        TypeError: `value` is no number.
        ValueError: at a call, `value` does not broadcast to the shape, or leaves an integer dtype.

    Replays Keras 3.15.1: exact, on each backend.

    Example:
        >>> Constant(0.1, backend="tensorflow")((1,), "float64")
        array([0.1])
        >>> float(Constant(0.1, backend="tensorflow")((1,), "float64")[0])
        0.10000000149011612
    """

    def __init__(self, value: Any = 0.0, **machine: Any) -> None:
        super().__init__(**machine)
        if np.asarray(value).dtype.kind not in "biuf" and not _is_float(np.asarray(value).dtype):
            raise TypeError(f"`value` must be a number or numbers, got {show(value)}.")
        self.value = value

    def _values(self, shape: tuple[int, ...], dtype: Any, shard: Any) -> Array:
        backend = choose(self.backend, self.arithmetic).backend
        found = _within(self.value, backend.canonical(any_dtype(dtype)))
        cast = backend.flushed(backend.cast(self.value, found))  # Keras multiplies ones by it
        try:
            whole = np.broadcast_to(cast, shape)
        except ValueError:
            raise ValueError(
                f"`value` must broadcast to `shape` {show(shape)}, got one of shape {cast.shape}."
            ) from None
        return np.array(cut(whole, shard))

    def get_config(self) -> dict[str, Any]:
        """Return {"value"}, an array as Keras serialises it."""
        value = self.value
        if isinstance(value, np.ndarray) and value.ndim:
            inner = {"value": value.tolist(), "dtype": value.dtype.name}
            # On NumPy an array is a tensor of the backend.
            on_numpy = (self.backend or config.backend()) == "numpy"
            kind = "__tensor__" if on_numpy else "__numpy__"
            return {"value": {"class_name": kind, "config": inner}}
        return {"value": value.item() if isinstance(value, np.ndarray | np.generic) else value}

    @classmethod
    def from_config(cls: type[Self], config: Mapping[str, Any], **machine: Any) -> Self:
        """Return a new one from Keras' config."""
        value = config.get("value", 0.0)
        if isinstance(value, Mapping) and value.get("class_name") in _ARRAYS:
            inner = value["config"]
            value = np.array(inner["value"], parse_dtype(inner["dtype"], floating=False))
        return cls(value=value, **machine)  # type: ignore[call-arg]


def _is_float(dtype: DType) -> bool:
    return dtype.name in ("bfloat16", "float8_e4m3fn", "float8_e5m2")


def _within(value: Any, dtype: DType) -> DType:
    """`dtype`, if it is no integer one that `value` leaves: there backends differ."""
    if dtype.kind in "iu":
        limits, numbers = np.iinfo(dtype), np.asarray(value).reshape(-1).tolist()
        if not all(limits.min - 1 < number < limits.max + 1 for number in numbers):
            raise ValueError(f"`value` must fit {dtype.name}, got {show(value)}.")
    return dtype


class Identity(Initializer):
    """`gain` on the diagonal of a matrix, 0 elsewhere.

    Args:
        gain: a Python number.  Keras leaves it out of the config, so that a clone, or what
            `deserialize` makes of `serialize`, has a gain of 1; and so it is here.
        backend, arithmetic: as everywhere.

    Raises:
        ValueError: at a call, the shape is not that of a matrix, or the dtype no float.

    Replays Keras 3.15.1: exact, on each backend.

    Example:
        >>> Identity(2.0, backend="jax")((2, 3))
        array([[2., 0., 0.],
               [0., 2., 0.]], dtype=float32)
    """

    def __init__(self, gain: float = 1.0, **machine: Any) -> None:
        super().__init__(**machine)
        self.gain = number("gain", gain)

    def _values(self, shape: tuple[int, ...], dtype: Any, shard: Any) -> Array:
        if len(shape) != 2:
            raise ValueError(
                "Identity matrix initializer can only be used for 2D matrices. "
                f"Received: shape={show(shape)} of rank {len(shape)}."
            )
        backend: Backend = choose(self.backend, self.arithmetic).backend
        found = backend.canonical(float_dtype(dtype, "`keras.initializers.Identity`"))
        return cut(backend.times(self.gain, np.eye(*shape, dtype=found)), shard)
