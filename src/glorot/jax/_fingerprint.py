# SPDX-License-Identifier: Apache-2.0
"""The fingerprint of a tree of arrays, made from the blocks where they are."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from glorot._fingerprint import Fingerprint
from glorot.jax import _names


def fingerprint(tree: Any, *, names: Mapping[str, str] | None = None) -> str:
    """Return the fingerprint of a tree's arrays, `glorot.fingerprint` of their whole values.

    It is the same however the arrays are sharded, and in another framework with the same names and
    shapes.  Leaves that are no arrays do not count, nor do JAX's keys, as in nnx's state.

    Args:
        tree: arrays, all of whose parts are on this process's devices.
        names: as for `init`.

    Raises:
        TypeError: a leaf without values, as `jax.eval_shape` makes them.
        ValueError: replicas that differ; parts on other processes (add what each has to a
            `glorot.Fingerprint` and merge those).

    Examples:
        >>> import glorot, glorot.jax, jax
        >>> tree = {"w": jax.ShapeDtypeStruct((4, 6), "float32")}
        >>> params = glorot.jax.init(tree, "he_normal", seed=42)
        >>> w = glorot.HeNormal()((4, 6), seed=42, name="w")
        >>> glorot.jax.fingerprint(params) == glorot.fingerprint({"w": w})
        True
    """
    leaves = _names.leaves(tree)
    if names:
        leaves = _names.rename(leaves, names)
    found = Fingerprint()
    for name, array in leaves:
        if name is None or jax.dtypes.issubdtype(array.dtype, jax.dtypes.prng_key):
            continue
        if isinstance(array, jax.ShapeDtypeStruct):
            raise TypeError(f"{name!r} in `tree` has no values. Fill it first: glorot.jax.init.")
        if not isinstance(array, jax.Array):
            found.add(name, array)
            continue
        for part in array.addressable_shards:
            found.add(name, np.asarray(part.data), shape=array.shape, shard=part.index)
    return found.hexdigest()
