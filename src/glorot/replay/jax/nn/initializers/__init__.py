# SPDX-License-Identifier: Apache-2.0
"""`jax.nn.initializers`: functions of (key, shape, dtype), and makers of such functions.

Each takes `shard=` besides JAX's arguments: a `glorot.Shard` or slices, with `shape` the whole; the
result is that part of the whole.
"""

from glorot.replay.jax.nn.initializers._constants import constant as constant
from glorot.replay.jax.nn.initializers._constants import ones as ones
from glorot.replay.jax.nn.initializers._constants import zeros as zeros
from glorot.replay.jax.nn.initializers._orthogonal import delta_orthogonal as delta_orthogonal
from glorot.replay.jax.nn.initializers._orthogonal import orthogonal as orthogonal
from glorot.replay.jax.nn.initializers._protocol import Initializer as Initializer
from glorot.replay.jax.nn.initializers._random import normal as normal
from glorot.replay.jax.nn.initializers._random import truncated_normal as truncated_normal
from glorot.replay.jax.nn.initializers._random import uniform as uniform
from glorot.replay.jax.nn.initializers._variance import glorot_normal as glorot_normal
from glorot.replay.jax.nn.initializers._variance import glorot_uniform as glorot_uniform
from glorot.replay.jax.nn.initializers._variance import he_normal as he_normal
from glorot.replay.jax.nn.initializers._variance import he_uniform as he_uniform
from glorot.replay.jax.nn.initializers._variance import lecun_normal as lecun_normal
from glorot.replay.jax.nn.initializers._variance import lecun_uniform as lecun_uniform
from glorot.replay.jax.nn.initializers._variance import variance_scaling as variance_scaling

xavier_normal, xavier_uniform = glorot_normal, glorot_uniform
kaiming_normal, kaiming_uniform = he_normal, he_uniform

__all__ = [
    "Initializer",
    "constant",
    "delta_orthogonal",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "kaiming_normal",
    "kaiming_uniform",
    "lecun_normal",
    "lecun_uniform",
    "normal",
    "ones",
    "orthogonal",
    "truncated_normal",
    "uniform",
    "variance_scaling",
    "xavier_normal",
    "xavier_uniform",
    "zeros",
]
