# SPDX-License-Identifier: Apache-2.0
"""What flax's modules draw for their parameters, bit for bit, without flax and JAX.

The names are flax's: `linen` modules have `init(rngs, x)`, `nnx` modules take `rngs=`; they hold
parameters and compute nothing else.  A package beside `glorot.replay.jax`, not inside it, because
replacing `flax.` by `glorot.replay.flax.` is then the whole change.

Examples:
    >>> from glorot.replay import flax, jax
    >>> params = flax.linen.Dense(2).init(jax.random.key(0), (1, 3))
    >>> params["params"]["kernel"].shape
    (3, 2)
"""

from glorot.replay.flax import linen as linen
from glorot.replay.flax import nnx as nnx
from glorot.replay.flax._config import config as config

__all__ = ["config", "linen", "nnx"]
