# SPDX-License-Identifier: Apache-2.0
"""What the cases of glorot.keras share."""

import keras
import keras_models
import pytest
from keras import layers

from glorot.keras._tensors import to_numpy

MARKS = [
    pytest.mark.frameworks,
    # Keras 3.15's own variables on torch, whose __array__ NumPy 2 finds old.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning"),
]
BACKEND = keras.backend.backend()
SEED = 42
RECIPE = keras_models.RECIPE


def values(variable):
    """A variable's values."""
    return to_numpy(variable._value)


def built(layer, *shape):
    """The layer with weights for inputs of this shape."""
    layer.build((None, *shape))
    return layer


def bits(model):
    """The bytes of all that a model has, seeds and moving averages among them."""
    return [values(variable).tobytes() for variable in model.variables]


def only_on(*backends):
    """A test of some backends alone: on others it states nothing, and passes."""

    def decorate(test):
        return test if BACKEND in backends else None

    return decorate


def tower(name=None):
    """A model in a model."""
    return keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, name="fc"), layers.Dense(2), layers.Dense(2)], name=name
    )
