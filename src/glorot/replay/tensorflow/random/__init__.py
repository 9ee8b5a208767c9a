# SPDX-License-Identifier: Apache-2.0
"""`tf.random`'s stateless functions.  `glorot.compat.v1` has the stateful ones, with the state."""

from glorot.replay.tensorflow._stateless import (
    fold_in,
    split,
    stateless_normal,
    stateless_truncated_normal,
    stateless_uniform,
)
from glorot.replay.tensorflow.random import experimental as experimental

__all__ = [
    "experimental",
    "fold_in",
    "split",
    "stateless_normal",
    "stateless_truncated_normal",
    "stateless_uniform",
]
