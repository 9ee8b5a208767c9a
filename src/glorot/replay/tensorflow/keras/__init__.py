# SPDX-License-Identifier: Apache-2.0
"""Keras 2, which was `tf.keras` up to TensorFlow 2.15 and is the package `tf_keras` since."""

from glorot.replay.tensorflow.keras import initializers as initializers
from glorot.replay.tensorflow.keras import utils as utils
