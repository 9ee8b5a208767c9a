# SPDX-License-Identifier: Apache-2.0
"""What Keras asks of the framework beneath it, and which module here gives it.

Each backend is a module `_on_NAME` with the functions of the protocol below; they are imported when
first needed.
"""

import importlib
from typing import Any, NamedTuple, Protocol, cast

import numpy as np

from glorot._check import show

Array = np.ndarray[Any, np.dtype[Any]]
DType = np.dtype[Any]

BACKENDS = ("tensorflow", "jax", "torch", "numpy")


class Draw(NamedTuple):
    """All of a draw but its law."""

    shape: tuple[int, ...]
    dtype: DType
    state: Array  # two integers of the backend's seed dtype: a seed and a counter
    shard: Any
    arithmetic: str


class Backend(Protocol):
    """Keras' arithmetic on one framework.  Numbers given are Python's, and finite."""

    SEED_DTYPE: DType  # of a SeedGenerator's state
    ARITHMETICS: tuple[str, ...]  # the first is the default

    def seed_state(self, seed: int, generator: bool) -> Array:
        """The state that an integer seed stands for, alone or as a SeedGenerator's first.

        Raises ValueError or OverflowError for one that the framework does not take.
        """

    def uniform(self, draw: Draw, minval: float, maxval: float) -> Array:
        """keras.random.uniform."""

    def normal(self, draw: Draw, mean: float, stddev: float) -> Array:
        """keras.random.normal."""

    def truncated_normal(self, draw: Draw, mean: float, stddev: float) -> Array:
        """keras.random.truncated_normal."""

    def randint(self, draw: Draw, minval: int, maxval: int) -> Array:
        """keras.random.randint."""

    def canonical(self, dtype: DType) -> DType:
        """The dtype an array gets where this one is asked for."""

    def cast(self, value: Any, dtype: DType) -> Array:
        """keras.ops.cast of Python numbers or a NumPy array."""

    def flushed(self, array: Array) -> Array:
        """What a product with ones makes of an array: in places subnormal numbers become 0."""

    def times(self, number: float, array: Array) -> Array:
        """A Python number times a tensor of floats."""

    def check_qr(self, dtype: DType) -> None:
        """Refuse, with TypeError, a dtype of which the framework has no QR."""


def uint32_state(seed: int, generator: bool) -> Array:
    """`seed_state` of the backends that take any uint32."""
    if not 0 <= seed < 2**32:
        raise OverflowError(
            f"`seed` must lie in [0, 2**32), got {show(seed)}: Python integer out of bounds for "
            "uint32, in which Keras keeps it."
        )
    return np.array([seed, 0], np.uint32)


def check_backend(backend: object) -> str:
    """`backend` if it is the name of one."""
    if not isinstance(backend, str) or backend not in BACKENDS:
        raise ValueError(
            f"`backend` must be one of {', '.join(BACKENDS)}, got {show(backend)}."
            + (" Its numbers are not replayed." if backend == "openvino" else "")
        )
    return backend


def load_backend(name: str, arithmetic: str) -> Backend:
    """The module of a backend, which must have that arithmetic."""
    found = cast(Backend, importlib.import_module(f"glorot.replay.keras._on_{name}"))
    if arithmetic not in found.ARITHMETICS:
        raise ValueError(
            f"`arithmetic` must be one of {', '.join(found.ARITHMETICS)} on {name}, got "
            f"{show(arithmetic)}."
        )
    return found
