# SPDX-License-Identifier: Apache-2.0
"""What Keras 3's initializers share: how they are called and described, and whose numbers."""

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from glorot._check import parse_shape, show
from glorot._shard import parse_shard
from glorot.replay.keras._backend import Array, check_backend, load_backend
from glorot.replay.keras._seed import SeedGenerator, next_seed

Self = TypeVar("Self", bound="Initializer")


class Initializer:
    """What all initializers here share: called with a shape, described by Keras' config.

    Args:
        backend: "tensorflow", "jax", "torch" or "numpy"; where None, the seed generator's, then
            that of `config.set_backend` at the call.
        arithmetic: of the machine the run had; see `random.normal`.

    Neither is part of the config, which is Keras' own; `clone` keeps both.
    """

    def __init__(self, *, backend: str | None = None, arithmetic: str | None = None) -> None:
        if backend is not None:
            load_backend(check_backend(backend), "fma" if arithmetic is None else arithmetic)
        self.backend, self.arithmetic = backend, arithmetic

    def __call__(self, shape: Any, dtype: Any = None, *, shard: Any = None) -> Array:
        """Return a new array with the initial values.

        Args:
            shape: of the whole weight: a sequence of sizes.
            dtype: of the values; `config.floatx()` where None.
            shard: the part wanted, a `glorot.Shard` or slices: that part of the whole.

        Raises:
            TypeError, ValueError, OverflowError: as `random.uniform`.
        """
        return self._values(parse_shape(shape), dtype, shard)

    def _values(self, shape: tuple[int, ...], dtype: Any, shard: Any) -> Array:
        raise NotImplementedError("Initializer subclasses must implement the `__call__()` method.")

    def get_config(self) -> dict[str, Any]:
        """Return Keras' config, a JSON-serialisable dict."""
        return {}

    @classmethod
    def from_config(
        cls: type[Self],
        config: Mapping[str, Any],
        *,
        backend: str | None = None,
        arithmetic: str | None = None,
    ) -> Self:
        """Return a new initializer from Keras' config.

        Raises:
            TypeError: `config` holds a key that the class does not know.

        Example:
            >>> from glorot.replay.keras.initializers import RandomUniform
            >>> RandomUniform.from_config({"minval": -1, "maxval": 1, "seed": 7}, backend="jax")
            RandomUniform(seed=7, minval=-1, maxval=1, backend='jax')
        """
        return cls(**config, backend=backend, arithmetic=arithmetic)

    def clone(self: Self) -> Self:
        """Return a new one of the same config; one without a seed takes another, as in Keras."""
        return self.from_config(self.get_config(), backend=self.backend, arithmetic=self.arithmetic)

    def __repr__(self) -> str:
        machine = {"backend": self.backend, "arithmetic": self.arithmetic}
        given = {name: value for name, value in machine.items() if value is not None}
        options = ", ".join(
            f"{name}={value!r}" for name, value in (self.get_config() | given).items()
        )
        return f"{type(self).__name__}({options})"


def cut(whole: Array, shard: Any) -> Array:
    """A shard of an array that is there; all of it for None."""
    if shard is None:
        return whole
    start, extent = parse_shard(shard, whole.shape)
    return np.array(whole[tuple(slice(i, i + n) for i, n in zip(start, extent, strict=True))])


class Random(Initializer):
    """A seed.

    Attributes:
        seed: an int or a SeedGenerator; None where it was given none, and none was there to take.
    """

    seed: int | SeedGenerator | None

    def __init__(self, seed: Any = None, **machine: Any) -> None:
        super().__init__(**machine)
        self._init_seed = seed
        if seed is None:
            seed = next_seed()
        elif isinstance(seed, Mapping):
            seed = _deserialized(seed)
        elif not isinstance(seed, int | SeedGenerator):
            raise ValueError(
                "`seed` argument should be an instance of `keras.random.SeedGenerator()` or an "
                f"integer. Received: seed={show(seed)}."
            )
        self.seed = seed

    def _options(self) -> dict[str, Any]:
        """What a function of `random` is told besides its law."""
        if self.seed is None:
            raise ValueError(
                f"{type(self).__name__} has no `seed`, so Keras draws one of its own and nothing "
                "can be replayed. Pass an integer, or call keras.utils.set_random_seed before it "
                "is made."
            )
        return {"seed": self.seed, "backend": self.backend, "arithmetic": self.arithmetic}

    def get_config(self) -> dict[str, Any]:
        """Return {"seed"}: what was given, a SeedGenerator as Keras serialises it."""
        seed = self._init_seed
        return {"seed": _serialized(seed) if isinstance(seed, SeedGenerator) else seed}


def _serialized(generator: SeedGenerator) -> dict[str, Any]:
    return {
        "module": "keras.random",
        "class_name": "SeedGenerator",
        "config": generator.get_config(),
        "registered_name": None,
    }


def _deserialized(seed: Mapping[str, Any]) -> SeedGenerator:
    if seed.get("class_name") != "SeedGenerator" or not isinstance(seed.get("config"), Mapping):
        raise ValueError(
            "`seed`, as a dict, must be a serialised SeedGenerator, with 'class_name' and "
            f"'config', got {show(seed)}."
        )
    return SeedGenerator.from_config(dict(seed["config"]))
