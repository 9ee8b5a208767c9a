# SPDX-License-Identifier: Apache-2.0
"""`initializer`: one of glorot's initializers with the signature of `jax.nn.initializers`."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from glorot import _base, _check, _registry
from glorot._base import Initializer
from glorot._dtypes import ALL
from glorot.jax._keys import stream_of_key
from glorot.jax._traced import Array
from glorot.jax._values import compute, parse_jax_dtype


@dataclass(frozen=True)
class KeyedInitializer:
    """(key, shape, dtype, out_sharding) -> array, as the functions of `jax.nn.initializers`.

    Made by `initializer`; compares and hashes by the initializer in it.
    """

    initializer: Initializer

    def __call__(self, key: Any, shape: Any, dtype: Any = None, out_sharding: Any = None) -> Array:
        """Return the initial value that `key` gives.

        Args:
            key: one key, typed or raw, traced or not. Equal keys give equal random words, whatever
                the shape: frameworks split one for each weight.
            shape: of the whole weight.
            dtype: of the result, in place of the initializer's own.
            out_sharding: as for `values`.
        """
        whole = _check.parse_shape(shape)
        wanted = parse_jax_dtype(
            ALL[self.initializer.dtype] if dtype is None else dtype, self.initializer
        )
        writer = _base._prepared(self.initializer, whole, wanted)
        pair = tuple(jnp.stack(halves) for halves in stream_of_key(key))
        return compute(writer, wanted, (pair[0], pair[1]), None, out_sharding, None)


def initializer(identifier: Any) -> KeyedInitializer:
    """Return a drop-in for the functions of `jax.nn.initializers`.

    The key says the seed and the name (docs/jax.md): `jax.random.key(42)` is seed 42 and name "".
    Results are equal over meshes, devices, key kinds of JAX and versions of JAX; they know no name,
    so they depend on how the framework splits its keys: `init` does not.

    Args:
        identifier: one of glorot's initializers without a seed, or what `glorot.get` reads.

    Raises:
        ValueError: an initializer with a seed of its own, which the key would not heed.

    Examples:
        >>> import glorot, glorot.jax, jax
        >>> init = glorot.jax.initializer(glorot.GlorotUniform())
        >>> w = init(jax.random.key(42), (3, 4))
        >>> bool((w == glorot.GlorotUniform()((3, 4), seed=42)).all())
        True
    """
    found = _registry.get_ours(identifier, "identifier")
    if found.seed is not None:
        raise ValueError(
            f"`identifier` must have no seed, got {found!r}: the key gives it. Use "
            "glorot.jax.values where the seed should stay."
        )
    return KeyedInitializer(found)
