# SPDX-License-Identifier: Apache-2.0
"""`initializer`: one of glorot's initializers by all of TensorFlow's contracts for initializers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from glorot import _check, _registry, _shard
from glorot._base import Initializer
from glorot._check import parse_shape
from glorot._dtypes import ALL, parse_dtype
from glorot._shard import Shard
from glorot._stream import check_name
from glorot.tensorflow._values import compute


@dataclass(frozen=True)
class VariableInitializer:
    """(shape, dtype, ...) -> tensor, whole or a part. Made by `initializer`.

    Attributes:
        initializer: glorot's.
        seed: of the value; 0 where nothing is random.
        name: of the weight.
    """

    initializer: Initializer
    seed: int
    name: str

    def __call__(
        self,
        shape: Any,
        dtype: Any = None,
        partition_info: Any = None,
        partition_shape: Any = None,
        partition_offset: Any = None,
        shard_info: Any = None,
        **_: Any,
    ) -> Any:
        """Return the value of the weight, or of the part of it that is asked for.

        Args:
            shape: of the whole weight; with `partition_info` of the part.
            dtype: of the result, in place of the initializer's own.
            partition_info: as `tf.compat.v1.get_variable` passes it under a partitioner.
            partition_shape, partition_offset: as `ParameterServerStrategy` passes them.
            shard_info: both in one object with `shape` and `offset`.

        Raises:
            TypeError: a dtype that the initializer does not have; a part said twice, or half.
            ValueError: a part that leaves the whole; a shape that the initializer refuses.
        """
        placed = (partition_info, partition_shape, partition_offset, shard_info)
        return self._value(shape, dtype, *placed)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `initializer` as a dict that JSON can hold: tf.keras asks for it
        when a model is saved, and loads with custom_objects={"VariableInitializer": ...}."""
        config = {"seed": self.seed, "name": self.name}
        return {"identifier": _registry.serialize(self.initializer)} | config

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "VariableInitializer":
        """Return the initializer that `get_config` described."""
        return initializer(**config)

    @tf.autograph.experimental.do_not_convert  # it would warn in a tf.function, and gain nothing
    def _value(
        self,
        shape: Any,
        dtype: Any,
        partition_info: Any,
        partition_shape: Any,
        partition_offset: Any,
        shard_info: Any,
    ) -> Any:
        init = self.initializer
        wanted = (
            ALL[init.dtype] if dtype is None else parse_dtype(_base(dtype), floating=init.random)
        )
        whole = extent = parse_shape(shape)
        start = None
        placed = partition_shape is not None or partition_offset is not None
        ways = (partition_info is not None, placed, shard_info is not None)
        if sum(ways) > 1:
            raise TypeError(
                "`partition_info`, `partition_shape` with `partition_offset`, and `shard_info` all "
                "say which part; give one."
            )
        if partition_info is not None:
            start, whole = _shard.parse_partition(partition_info, extent)
        elif shard_info is not None:
            start, extent = _integers(shard_info.offset), parse_shape(shard_info.shape)
        elif placed:
            if partition_shape is None or partition_offset is None:
                raise TypeError(
                    "`partition_shape` and `partition_offset` say together which part; got "
                    f"partition_shape={_check.show(partition_shape)}, "
                    f"partition_offset={_check.show(partition_offset)}."
                )
            start, extent = _integers(partition_offset), parse_shape(partition_shape)
        shard = None
        if start is not None:
            if len(start) != len(extent):
                raise ValueError(
                    f"the part of shape {extent} has the offset {start}: one integer an axis is "
                    "needed."
                )
            shard = Shard(start, [i + n for i, n in zip(start, extent, strict=True)])
        return compute(init, whole, wanted, self.seed, self.name, shard)


def initializer(identifier: Any, *, seed: int | None = None, name: str = "") -> VariableInitializer:
    """Return one of glorot's initializers as TensorFlow calls them.

    It serves `tf.compat.v1.get_variable(initializer=...)`, with partitioners too, and
    `tf.Variable(functools.partial(init, shape, dtype=dtype), shape=shape, dtype=dtype)` under
    `ParameterServerStrategy`: each part is computed alone, and is that slice of the whole.  Where
    TensorFlow builds a graph the value is an op's, computed when the variable is initialised.

    TensorFlow tells an initializer no name, so two variables that must differ need two names here;
    `custom_getter` and `variable_creator` see to that.

    Args:
        identifier: one of glorot's initializers, or what `glorot.get` makes one of.
        seed: in place of the initializer's own.
        name: of the weight.

    Raises:
        ValueError: no seed anywhere.

    Examples:
        >>> import glorot, glorot.tensorflow
        >>> init = glorot.tensorflow.initializer("glorot_uniform", seed=42, name="up/kernel")
        >>> whole = init((7, 4))
        >>> part = init((7, 4), partition_shape=(3, 4), partition_offset=(2, 0))
        >>> bool((part.numpy() == whole.numpy()[2:5]).all())
        True
    """
    found = _registry.get_ours(identifier, "identifier")
    return VariableInitializer(found, found._seed(seed), check_name(name))


def _base(dtype: Any) -> Any:
    """Without the mark of a reference, which v1 variables' dtypes have."""
    return getattr(dtype, "base_dtype", dtype)


def _integers(offset: Any) -> tuple[int, ...]:
    """An offset's integers, which may be `Dimension`s of TensorFlow."""
    return tuple(int(place) for place in offset)
