# SPDX-License-Identifier: Apache-2.0
"""Values as tensors: at once where TensorFlow runs eagerly, else by an op that computes them.

A constant would put the weight into the graph, which cannot hold 2 GB; the op holds nothing and
runs when the variable is initialised.
"""

from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import numpy as np
import tensorflow as tf

from glorot import _base, _shard
from glorot._base import Initializer
from glorot._batch import Batch
from glorot._dtypes import ALL, dtype_name, parse_dtype
from glorot._memory import aligned
from glorot._stream import check_name

Array = np.ndarray[Any, np.dtype[Any]]
_TOGETHER = 1 << 26  # bytes that wait to be assigned


def known_dtype(dtype: Any) -> str | None:
    """The name of a variable's dtype, None of one that no initializer writes."""
    try:
        return dtype_name(parse_dtype(getattr(dtype, "base_dtype", dtype), floating=False))
    except TypeError:
        return None


def refuse_dtype(name: str, dtype: Any) -> NoReturn:
    """Say that a rule takes a variable of a dtype that no initializer writes."""
    raise TypeError(
        f"the variable {name!r}: `dtype` must be one of {', '.join(ALL)}; got "
        f"{getattr(dtype, 'name', dtype)}. Put Rule({name!r}, None) first, and it stays as it is."
    )


@tf.autograph.experimental.do_not_convert
def compute(
    initializer: Initializer,
    shape: tuple[int, ...],
    dtype: Any,
    seed: int | Callable[[], int],
    name: str,
    shard: Any,
) -> Any:
    """The part `shard` of a weight (None: the whole) of this shape and NumPy dtype; checks come
    first, also where the values come later.  A seed that is a function is asked at each run."""
    check_name(name)
    start, extent = (None, shape) if shard is None else _shard.parse_shard(shard, shape)
    writer = _base._prepared(initializer, shape, dtype)

    def values() -> Array:
        array = aligned(extent, dtype)
        writer.part(array, start, seed() if callable(seed) else seed, name)
        return array

    if tf.executing_eagerly():
        return to_tensor(values())
    made = tf.numpy_function(values, [], tf.dtypes.as_dtype(dtype_name(dtype)), stateful=True)
    made.set_shape(extent)
    return made


def to_tensor(array: Array) -> Any:
    """A tensor of the memory itself of an `aligned` array, which is TensorFlow's from then on.

    It is a copy of types that NumPy does not have itself, in graphs, and where there are other
    devices than one CPU, of which TensorFlow then chooses one.
    """
    plain = array.dtype.isbuiltin == 1 and tf.executing_eagerly()
    if plain and len(tf.config.list_logical_devices()) == 1:
        return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
    return tf.constant(array)


def assign_all(values: Iterable[tuple[Any, Array]], batch: Batch | None = None) -> None:
    """Give each variable its value, an `aligned` array that may be computed as it is asked for, or
    by the time that the batch has run.

    Many are computed, then many are assigned: a processor that goes to and fro between the two
    takes half as long again, since its caches hold the instructions of one of them.
    """
    waiting: list[tuple[Any, Array]] = []
    size = 0
    for variable, array in values:
        waiting.append((variable, array))
        size += array.nbytes
        if size > _TOGETHER:
            _assign(waiting, batch)
            waiting, size = [], 0
    _assign(waiting, batch)


def _assign(values: Iterable[tuple[Any, Array]], batch: Batch | None) -> None:
    if batch is not None:
        batch.run()
    for variable, array in values:
        if variable.__class__.__name__ == "ResourceVariable":  # not one that a strategy spreads
            # One operation, a third of what `assign` costs.
            tf.raw_ops.AssignVariableOp(resource=variable.handle, value=to_tensor(array))
        else:
            variable.assign(array)
