# SPDX-License-Identifier: Apache-2.0
"""SeedGenerator, and the seeds Keras takes where none is given.

A seed becomes two integers, a seed and a counter, of the backend's own dtype: (seed, 0) for an
integer, and for a SeedGenerator its state, whose counter goes up by one a draw.
"""

import itertools
import random
import threading
from typing import Any

import numpy as np

from glorot._check import show
from glorot.replay.keras import config
from glorot.replay.keras._backend import Array, Backend, check_backend, load_backend
from glorot.replay.keras._choice import choose

_names = itertools.count()
_lock = threading.RLock()
_process: dict[str, Any] = {"random": None, "global": None}


class SeedGenerator:
    """A seed and a counter, which goes up with each draw: `keras.random.SeedGenerator`.

    Args:
        seed: an int that the backend takes; None takes the next of `utils.set_random_seed`.
        name: any; Keras' own numbering where None.
        backend: "tensorflow", "jax", "torch" or "numpy"; where None, that of `config.set_backend`,
            and where none is set, that of the first draw.

    A generator serves one backend: the state is an array of the backend's own dtype, and wraps and
    refuses as that does.

    Raises:
        ValueError: `seed` is no integer, or none that the backend takes; no seed is there.
        OverflowError: `seed` is no uint32, on jax and numpy.

    Replays Keras 3.15.1: exact, on each backend.

    Source: keras 3.15.1, src/random/seed_generator.py.

    Example:
        >>> g = SeedGenerator(42, backend="tensorflow")
        >>> g.next(), g.next()
        (array([42,  0]), array([42,  1]))
    """

    def __init__(
        self, seed: int | None = None, name: str | None = None, *, backend: str | None = None
    ) -> None:
        self._initial_seed = seed
        if seed is None:
            seed = next_seed()
            if seed is None:
                raise ValueError(
                    "SeedGenerator has no `seed`, so Keras draws one of its own and nothing can be "
                    "replayed. Pass an integer, or call keras.utils.set_random_seed first."
                )
        if not isinstance(seed, int):
            raise ValueError(f"Argument `seed` must be an integer. Received: seed={show(seed)}.")
        self.name = _auto_name() if name is None else name
        self.backend: str | None = None
        self._seed = seed
        self._state: Array | None = None
        found = config.backend() if backend is None else check_backend(backend)
        if found is not None:
            self.bind(found)

    def bind(self, backend: str) -> None:
        """Make it a generator of this backend, if it is not one of another.

        Raises:
            ValueError: it is; or its seed is none of this backend.
        """
        if self._state is None:
            self._state = load_backend(backend, "fma").seed_state(self._seed, True)
            self.backend = backend
        elif self.backend != backend:
            raise ValueError(
                f"This SeedGenerator draws for {self.backend}, not for `backend`={backend!r}. "
                "Make one for each."
            )

    @property
    def state(self) -> Array:
        """The seed and counter of the next draw."""
        if self._state is None:
            self.bind(choose(None, None).name)
        state: Array = np.array(self._state)
        return state

    def next(self, ordered: bool = True) -> Array:
        """Return the state, and go on to the next.

        Args:
            ordered: add one to the counter; else mix both, as Keras' global generator does.
        """
        with _lock:
            found = self.state
            with np.errstate(over="ignore"):
                self._state = (
                    found + np.array([0, 1], found.dtype) if ordered else self._mixed(found)
                )
            return found

    def _mixed(self, state: Array) -> Array:
        """The seed and counter by which Keras' global generator goes on."""
        kind = state.dtype
        if self.backend == "jax" and config.floatx() == "bfloat16":  # `state + 1` is a float there
            from glorot.replay.jax import enable_x64

            kind = np.dtype(np.float64 if enable_x64.value else np.float32)
        number = kind.type
        mixed: Array = (state.astype(kind) + number(1)) * number(5387) % number(933199)
        return mixed.astype(state.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return {"seed", "name"}, of the seed it began with."""
        return {"seed": self._initial_seed, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SeedGenerator":
        """Return a new one that begins anew."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"SeedGenerator(seed={self._seed}, name={self.name!r}, backend={self.backend!r})"


def _auto_name() -> str:
    number = next(_names)
    return f"seed_generator_{number}" if number else "seed_generator"


def draw_seed(seed: Any, backend: str | None = None) -> Array:
    """Return the two integers that Keras draws with for a seed: `keras.random`'s own helper.

    Args:
        seed: an int; a SeedGenerator, which goes on; None for Keras' global generator.
        backend: as everywhere.

    Raises:
        ValueError: `seed` is something else (a NumPy integer too, as in Keras); or as
            `SeedGenerator`.
        OverflowError: `seed` is no uint32, on jax and numpy.

    Replays Keras 3.15.1: exact, on each backend.

    Example:
        >>> draw_seed(-1, backend="torch")
        array([-1,  0], dtype=int32)
    """
    chosen = choose(of_seed(seed, backend), None)
    return state_of(seed, chosen.name, chosen.backend)


def of_seed(seed: Any, backend: str | None) -> str | None:
    """The backend given, or else the one that the seed is of."""
    return seed.backend if backend is None and isinstance(seed, SeedGenerator) else backend


def state_of(seed: Any, name: str, backend: Backend) -> Array:
    """The state that the draw of a seed uses."""
    if isinstance(seed, SeedGenerator):
        seed.bind(name)
        return seed.next()
    if isinstance(seed, int):
        return backend.seed_state(seed, False)
    if seed is None:
        generator = _global_generator()
        generator.bind(name)
        return generator.next(ordered=False)
    raise ValueError(
        "Argument `seed` must be either an integer or an instance of `SeedGenerator`. Received: "
        f"seed={show(seed)} (of type {type(seed)})."
    )


def _global_generator() -> SeedGenerator:
    with _lock:
        if _process["global"] is None:
            if _process["random"] is None:
                raise ValueError(
                    "`seed` is None, so Keras draws from a generator that nobody seeded. Pass a "
                    "seed, or call keras.utils.set_random_seed first."
                )
            _process["global"] = SeedGenerator()
        found: SeedGenerator = _process["global"]
        return found


def set_random_seed(seed: int | None) -> None:
    """What `utils.set_random_seed` does."""
    with _lock:
        _process["random"] = None if seed is None else random.Random(seed)
        _process["global"] = None


def next_seed() -> int | None:
    """The seed that the next unseeded object takes; None where nothing was set."""
    with _lock:
        source: random.Random | None = _process["random"]
        return None if source is None else source.randint(1, 10**9)
