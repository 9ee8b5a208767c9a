# SPDX-License-Identifier: Apache-2.0
"""The contract on the Keras backend of this process; run by test_keras.py for each."""

import contextlib

import contract
import keras
import pytest

import glorot.keras
from glorot.keras._tensors import to_numpy

pytestmark = [
    pytest.mark.frameworks,
    # Keras 3.15's own variables on torch, whose __array__ NumPy 2 finds old.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning"),
]
BACKEND = keras.backend.backend()


def wide(dtype):
    """Where float64 is asked for, JAX's 64-bit types are on."""
    if BACKEND == "jax" and dtype == "float64":
        import jax

        return jax.enable_x64(True)
    return contextlib.nullcontext()


def called(initializer, shape, dtype, *, seed, name):
    """An initializer with its seed and name, called as Keras calls it."""
    with wide(dtype):
        return to_numpy(glorot.keras.wrap(initializer, seed=seed, name=name)(shape, dtype=dtype))


def restored(initializer, shape, dtype, *, seed, name):
    """The same after a trip through Keras' configs."""
    made = glorot.keras.wrap(initializer, seed=seed, name=name)
    config = keras.initializers.serialize(made)
    with wide(dtype):
        return to_numpy(keras.initializers.get(config)(shape, dtype=dtype))


def a_variable(initializer, shape, dtype, *, seed, name):
    """A `keras.Variable` that takes its first value from the initializer."""
    made = glorot.keras.wrap(initializer, seed=seed, name=name)
    with wide(dtype):
        return to_numpy(keras.Variable(made, shape=shape, dtype=dtype)._value)


class Holder(keras.Layer):
    """A layer of one weight."""

    def __init__(self, shape, dtype, name):
        super().__init__()
        zeros = glorot.keras.Zeros()  # Keras' own has no float8 on TensorFlow
        self.weight = self.add_weight(shape=shape, dtype=dtype, initializer=zeros, name=name)
        self.built = True


def filled(initializer, shape, dtype, *, seed, name):
    """`glorot.keras.init` of a layer of one weight."""
    with wide(dtype):
        layer = Holder(shape, dtype, name)
        glorot.keras.init(layer, initializer, seed=seed)
        return to_numpy(layer.weight._value)


class KerasAdapter(contract.Adapter):
    """Initializers, and layers filled by name."""

    name = f"keras {BACKEND} cpu"

    def whole(self, initializer, shape, dtype, *, seed, name):
        """By an initializer."""
        return called(initializer, shape, dtype, seed=seed, name=name)

    def part(self, initializer, shape, dtype, shard, *, seed, name):
        """By an initializer that is asked for a part."""
        with wide(dtype):
            made = glorot.keras.wrap(initializer, seed=seed, name=name)
            return to_numpy(made(shape, dtype=dtype, shard=shard))

    def forms(self):
        """Configs, variables and layers."""
        return {each.__name__: each for each in (restored, a_variable, filled)}


class TestKeras(contract.Contract):
    """`contract.Contract` on Keras."""

    adapter = KerasAdapter()
