# SPDX-License-Identifier: Apache-2.0
"""Values as tensors: at once where TensorFlow runs eagerly, else by an op that computes them.

A constant would put the weight into the graph, which cannot hold 2 GB; the op holds nothing and
runs when the variable is initialised.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from glorot import _base, _shard
from glorot._base import Initializer
from glorot._dtypes import dtype_name
from glorot._stream import check_name

Array = np.ndarray[Any, np.dtype[Any]]


@tf.autograph.experimental.do_not_convert
def compute(
    initializer: Initializer, shape: tuple[int, ...], dtype: Any, seed: int, name: str, shard: Any
) -> Any:
    """The part `shard` of a weight (None: the whole) of this shape and NumPy dtype; checks come
    first, also where the values come later."""
    check_name(name)
    start, extent = (None, shape) if shard is None else _shard.parse_shard(shard, shape)
    writer = _base._prepared(initializer, shape, dtype)

    def values() -> Array:
        array = np.empty(extent, dtype)
        writer.part(array, start, seed, name)
        return array

    if tf.executing_eagerly():
        return tf.convert_to_tensor(values())
    made = tf.numpy_function(values, [], tf.dtypes.as_dtype(dtype_name(dtype)), stateful=True)
    made.set_shape(extent)
    return made


def assign(variable: Any, array: Array) -> None:
    """Give a variable its value; of a plain one in one operation, which costs a third."""
    if variable.__class__.__name__ == "ResourceVariable":  # not one that a strategy spreads
        tf.raw_ops.AssignVariableOp(resource=variable.handle, value=tf.constant(array))
    else:
        variable.assign(array)
