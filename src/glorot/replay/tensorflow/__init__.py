# SPDX-License-Identifier: Apache-2.0
"""TensorFlow's own draws on CPU: the kernels behind its stateful and stateless random numbers."""

from glorot.replay.tensorflow._kernels import random_uniform as random_uniform
from glorot.replay.tensorflow._kernels import random_uniform_int as random_uniform_int

__all__ = ["random_uniform", "random_uniform_int"]
