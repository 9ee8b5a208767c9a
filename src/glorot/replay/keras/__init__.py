# SPDX-License-Identifier: Apache-2.0
"""Keras 3's own initializers and random numbers, bit for bit and without Keras.

The names are Keras', so that `keras.` replaced by `glorot.replay.keras.` is the whole change, but
for one thing: Keras draws from the framework beneath it, so the same seed gives other numbers on
each backend.  Say which one the run had, once and for all as Keras 3 does, or call by call:

    from glorot.replay import keras
    keras.config.set_backend("jax")
    keras.initializers.GlorotUniform(seed=42)((784, 256))
    keras.initializers.GlorotUniform(seed=42, backend="torch")((784, 256))

There is no default: Keras' own comes from a file and the environment of the machine it ran on.
Keras 2 is `glorot.replay.tensorflow.keras`.
"""

from glorot.replay.keras import config as config
from glorot.replay.keras import initializers as initializers
from glorot.replay.keras import random as random
from glorot.replay.keras import utils as utils
from glorot.replay.keras._base import Initializer as Initializer

__all__ = ["Initializer", "config", "initializers", "random", "utils"]
