# SPDX-License-Identifier: Apache-2.0
"""What the tests of glorot.tensorflow share."""

import tensorflow as tf

import glorot
import glorot.tensorflow

v1 = tf.compat.v1
SEED = 42
HE = glorot.HeNormal()
RECIPE = glorot.Recipe([glorot.Rule("*bias", "zeros"), glorot.Rule("*", HE)])


def whole(shape, name, dtype="float32"):
    """What NumPy has."""
    return HE(shape, dtype, seed=SEED, name=name)


EACH = glorot.tensorflow.initializer(HE, seed=SEED, name="m/w")


class Dense(tf.Module):
    """A layer that calls its variables as all others do."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.kernel = tf.Variable(tf.zeros((inputs, outputs)), name="w")
        self.bias = tf.Variable(tf.ones((outputs,)), name="b")


class Net(tf.Module):
    """Layers in a list and a dict, one in two places, a counter."""

    def __init__(self):
        super().__init__()
        self.layers = [Dense(4, 3), Dense(3, 3)]
        self.heads = {"a": Dense(3, 2)}
        self.again = self.layers[0]
        self.steps = tf.Variable(5, trainable=False)
