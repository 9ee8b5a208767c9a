# SPDX-License-Identifier: Apache-2.0
"""glorot in JAX: the same bits under `jit`, `vmap`, `shard_map` and on any mesh."""

try:
    import jax as _jax
except ModuleNotFoundError as error:
    if error.name != "jax":  # of what it needs
        raise
    raise ModuleNotFoundError(
        "glorot.jax needs JAX, which is not installed: pip install 'glorot[jax]'.",
        name=error.name,
    ) from None

from glorot.jax._capture._capture import capture
from glorot.jax._fingerprint import fingerprint
from glorot.jax._init import explain, init, shapes
from glorot.jax._keyed import KeyedInitializer, initializer
from glorot.jax._processes import check_processes
from glorot.jax._values import name_words, seed_words, values

del _jax

__all__ = [
    "KeyedInitializer",
    "capture",
    "check_processes",
    "explain",
    "fingerprint",
    "init",
    "initializer",
    "name_words",
    "seed_words",
    "shapes",
    "values",
]
