# SPDX-License-Identifier: Apache-2.0
"""TensorFlow's own draws on CPU, bit for bit and without TensorFlow.

`random` and `keras.initializers` have the names of `tf.random` and `tf.keras.initializers`, so
that `tf.` replaced by `glorot.replay.tensorflow.` is the whole change.  `random_uniform`,
`random_normal` and `truncated_normal` are the kernels beneath, given their pair of seeds; the
functions of those names with TensorFlow's global seed and state are `glorot.compat.v1`'s.
"""

from glorot.replay.tensorflow import keras as keras
from glorot.replay.tensorflow import random as random
from glorot.replay.tensorflow._arguments import FLOAT_DTYPES, INTEGER_DTYPES
from glorot.replay.tensorflow._kernels import random_normal as random_normal
from glorot.replay.tensorflow._kernels import random_uniform as random_uniform
from glorot.replay.tensorflow._kernels import truncated_normal as truncated_normal
from glorot.replay.tensorflow._stateless import stateless_normal as stateless_normal
from glorot.replay.tensorflow._stateless import (
    stateless_truncated_normal as stateless_truncated_normal,
)
from glorot.replay.tensorflow._stateless import stateless_uniform as stateless_uniform

half = float16 = FLOAT_DTYPES["float16"]
bfloat16 = FLOAT_DTYPES["bfloat16"]
float32 = FLOAT_DTYPES["float32"]
double = float64 = FLOAT_DTYPES["float64"]
int32, int64 = INTEGER_DTYPES["int32"], INTEGER_DTYPES["int64"]

__all__ = [
    "bfloat16",
    "double",
    "float16",
    "float32",
    "float64",
    "half",
    "int32",
    "int64",
    "keras",
    "random",
    "random_normal",
    "random_uniform",
    "stateless_normal",
    "stateless_truncated_normal",
    "stateless_uniform",
    "truncated_normal",
]
