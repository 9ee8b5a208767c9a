# SPDX-License-Identifier: Apache-2.0
"""JAX's own draws on CPU, bit for bit, without JAX.

The names are JAX's, so that replacing `jax.` by `glorot.replay.jax.` is the whole change; arrays
are NumPy's.  Every draw is seekable: with `shard=` only that part is computed.

Normals, and uniforms with other limits than (0, 1) and (-1, 1), are those of a CPU with FMA
instructions, which is any of this decade; they are tied to jaxlib 0.10, whose compiler decides
where it fuses.  `jax_enable_x64` and `jax_threefry_partitionable` are options here as there;
`float16_fma` is one of this replay, for float16 as a CPU that computes in that dtype draws it.

Examples:
    >>> from glorot.replay import jax
    >>> key = jax.random.key(42)
    >>> jax.random.uniform(key, (3,))
    array([0.48870957, 0.6797972 , 0.6162715 ], dtype=float32)
    >>> with jax.threefry_partitionable(False):
    ...     jax.random.uniform(key, (3,))
    array([0.57414436, 0.10015821, 0.05946112], dtype=float32)
"""

from glorot.replay.jax import nn as nn
from glorot.replay.jax import random as random
from glorot.replay.jax._config import config as config
from glorot.replay.jax._config import enable_x64 as enable_x64
from glorot.replay.jax._config import float16_fma as float16_fma
from glorot.replay.jax._config import threefry_partitionable as threefry_partitionable

__all__ = ["config", "enable_x64", "float16_fma", "nn", "random", "threefry_partitionable"]
