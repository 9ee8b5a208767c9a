# SPDX-License-Identifier: Apache-2.0
"""`jax.random`: keys, and the samplers that initializers use."""

from glorot.replay.jax.random._keys import PRNGKey as PRNGKey
from glorot.replay.jax.random._keys import clone as clone
from glorot.replay.jax.random._keys import fold_in as fold_in
from glorot.replay.jax.random._keys import key as key
from glorot.replay.jax.random._keys import key_data as key_data
from glorot.replay.jax.random._keys import key_dtype as key_dtype
from glorot.replay.jax.random._keys import key_impl as key_impl
from glorot.replay.jax.random._keys import split as split
from glorot.replay.jax.random._keys import wrap_key_data as wrap_key_data
from glorot.replay.jax.random._samplers import bits as bits
from glorot.replay.jax.random._samplers import normal as normal
from glorot.replay.jax.random._samplers import truncated_normal as truncated_normal
from glorot.replay.jax.random._samplers import uniform as uniform

__all__ = [
    "PRNGKey",
    "bits",
    "clone",
    "fold_in",
    "key",
    "key_data",
    "key_dtype",
    "key_impl",
    "normal",
    "split",
    "truncated_normal",
    "uniform",
    "wrap_key_data",
]
