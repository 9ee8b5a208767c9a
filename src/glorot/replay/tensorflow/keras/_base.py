# SPDX-License-Identifier: Apache-2.0
"""What Keras 2's initializers share: how they are called, described and cut, and their seeds."""

import warnings
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from glorot._shard import parse_shard
from glorot.replay.tensorflow._arguments import as_shape
from glorot.replay.tensorflow._stateless import fold_in
from glorot.replay.tensorflow.keras.utils import next_seed

Array = np.ndarray[Any, np.dtype[Any]]
Self = TypeVar("Self", bound="Initializer")

_OPTIONS = ("partition_shape", "partition_offset", "layout")


class Initializer:
    """What all initializers here share: called with a shape, described by a config."""

    _partitions = True  # whether `partition_shape` and `partition_offset` are taken

    def __call__(self, shape: Any, dtype: Any = None, *, shard: Any = None, **kwargs: Any) -> Array:
        """Return a new array with the initial values.

        Args:
            shape: of the whole weight: a list or tuple of sizes, a TensorShape or an array.
            dtype: of the values; float32 when None.
            shard: the part wanted, a `glorot.Shard` or slices: that part of the whole.
            **kwargs: `partition_shape` and `partition_offset`, which Keras passes for one part of
                a partitioned variable. There a part is a weight of its own: its fans are those of
                its own shape, and its values come from a seed that the offset is folded into.

        Raises:
            TypeError: another keyword; a dtype or shape of another kind.
            ValueError: a dtype that the law has not; no seed; `shard` beside a partition; a
                partition where Keras has none; `layout`, which draws other numbers.
        """
        unknown = [name for name in kwargs if name not in _OPTIONS]
        if unknown:
            raise TypeError(
                f"Unknown keyword arguments: {unknown}. Allowed keyword arguments: "
                f"{[*_OPTIONS, 'shard']}."
            )
        if kwargs.get("layout") is not None:
            raise ValueError(
                "`layout` (DTensor) draws from a stateful generator, which is not replayed. "
                "Ask for a part with `shard`."
            )
        partitioned = "partition_shape" in kwargs or "partition_offset" in kwargs
        if partitioned and not self._partitions:
            raise ValueError(
                f"{type(self).__name__} initializer doesn't support partition-related arguments."
            )
        if partitioned and shard is not None:
            raise ValueError("`shard` and `partition_shape` both say which part; give one.")
        sizes, _ = as_shape(kwargs.get("partition_shape", shape))
        return self._values(sizes, dtype, shard, kwargs.get("partition_offset"))

    def _values(self, shape: tuple[int, ...], dtype: Any, shard: Any, offset: Any) -> Array:
        raise NotImplementedError("Initializer subclasses must implement the `__call__()` method.")

    def get_config(self) -> dict[str, Any]:
        """Return the options as a JSON-serialisable dict."""
        return {}

    @classmethod
    def from_config(cls: type[Self], config: Mapping[str, Any]) -> Self:
        """Return a new initializer from what `get_config` returned; a `dtype` in it is ignored.

        Raises:
            TypeError: `config` holds a key that the class does not know.

        Example:
            >>> from glorot.replay.tensorflow.keras.initializers import RandomUniform
            >>> RandomUniform.from_config({"minval": -1, "maxval": 1, "dtype": "float32"})
            RandomUniform(minval=-1, maxval=1, seed=None)
        """
        return cls(**{name: value for name, value in config.items() if name != "dtype"})

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({options})"


def cut(whole: Array, shard: Any) -> Array:
    """A shard of an array that is there."""
    start, extent = parse_shard(shard, whole.shape)
    return whole[tuple(slice(i, i + n) for i, n in zip(start, extent, strict=True))]


class Random(Initializer):
    """A seed, and the stateless draws made from it."""

    seed: int | None
    _taken: int | None = None  # the seed that Keras gives an unseeded one
    _used = False

    def _pair(self, offset: Any) -> Any:
        """The pair of seeds of a call."""
        seed = self.seed if self.seed is not None else self._taken
        if seed is None:
            seed = self._taken = next_seed()
        if seed is None:
            raise ValueError(
                f"{type(self).__name__} has no `seed`, so Keras draws one of its own and nothing "
                "can be replayed. Pass an integer, or call keras.utils.set_random_seed first."
            )
        if offset is None:
            if self._used and self.seed is None:
                warnings.warn(
                    f"The initializer {type(self).__name__} is unseeded and being called multiple "
                    "times, which will return identical values each time. Provide a seed, or use "
                    "one initializer a weight.",
                    stacklevel=4,
                )
            self._used = True
        if not offset:
            return (seed, 0)
        return fold_in((seed, 0), hash(offset))
