# SPDX-License-Identifier: Apache-2.0
"""What the replay of TensorFlow promises."""

from glorot.replay._guarantee import Guarantee

VERSIONS = ("2.4.4", "2.21.0")

ROWS = (
    Guarantee(
        "TensorFlow",
        VERSIONS,
        ("tensorflow.random_uniform", "tensorflow.random_normal", "tensorflow.truncated_normal"),
        ("float16", "bfloat16", "float32", "float64"),
        cases=4000,
    ),
    Guarantee(
        "TensorFlow", VERSIONS, ("tensorflow.random_uniform",), ("int32", "int64"), cases=400
    ),
)
