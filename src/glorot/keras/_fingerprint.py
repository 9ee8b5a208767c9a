# SPDX-License-Identifier: Apache-2.0
"""The fingerprint of a Keras model: the same on every backend."""

from typing import Any

import keras

from glorot._fingerprint import Fingerprint
from glorot._renaming import Names
from glorot.keras import _private
from glorot.keras._names import collect
from glorot.keras._tensors import to_numpy


def fingerprint(model: Any, *, names: Names = None) -> str:
    """Return the fingerprint of a model's weights, `glorot.fingerprint` of their whole values.

    It is the same on every backend, sharded or not, and in another framework with the same names
    and shapes.  A shared weight counts once, under the first of its names; moving averages,
    counters and seeds do not count.

    Args:
        model: a built `keras.Model` or `keras.Layer`.
        names: as for `init`.

    Examples:
        >>> import glorot, glorot.keras, keras
        >>> layer = keras.layers.Dense(2, use_bias=False)
        >>> layer.build((None, 3))
        >>> report = glorot.keras.init(layer, "he_normal", seed=42)
        >>> kernel = glorot.HeNormal()((3, 2), seed=42, name="kernel")
        >>> glorot.keras.fingerprint(layer) == glorot.fingerprint({"kernel": kernel})
        True
    """
    found = Fingerprint()
    for place in collect(model, names).parameters:
        name, value = place.names[0], _private.value_of(place.variable)
        if keras.backend.backend() == "jax":
            for part in value.addressable_shards:
                found.add(name, to_numpy(part.data), shape=value.shape, shard=part.index)
        else:
            found.add(name, to_numpy(value))
    return found.hexdigest()
