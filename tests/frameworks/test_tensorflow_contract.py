# SPDX-License-Identifier: Apache-2.0
"""TensorFlow on the CPU keeps the contract: eagerly, in graphs, in functions, in variables."""

import contract
import numpy as np
import pytest
import tensorflow as tf

import glorot.tensorflow
from glorot._dtypes import FLOATS

pytestmark = pytest.mark.frameworks
v1 = tf.compat.v1


def called(initializer, shape, dtype, *, seed, name):
    """Eagerly."""
    init = glorot.tensorflow.initializer(initializer, seed=seed, name=name)
    return np.asarray(init(shape, dtype=dtype).numpy())


def in_a_function(initializer, shape, dtype, *, seed, name):
    """Inside of `tf.function`."""
    init = glorot.tensorflow.initializer(initializer, seed=seed, name=name)
    return np.asarray(tf.function(lambda: init(shape, dtype=dtype))().numpy())


def in_a_session(initializer, shape, dtype, *, seed, name):
    """A v1 variable in a graph, its name the weight's."""
    getter = glorot.tensorflow.custom_getter(initializer, seed=seed)
    with tf.Graph().as_default(), v1.Session() as session:
        with v1.variable_scope("", custom_getter=getter):
            variable = v1.get_variable(name, shape=shape, dtype=dtype)
        session.run(variable.initializer)
        return np.asarray(session.run(variable))


def as_it_is_made(initializer, shape, dtype, *, seed, name):
    """A v2 variable made under a creator."""
    creator = glorot.tensorflow.variable_creator(initializer, seed=seed)
    with tf.variable_creator_scope(creator):
        variable = tf.Variable(np.zeros(shape, FLOATS[dtype]), name=name)
    return np.asarray(variable.numpy())


def filled(initializer, shape, dtype, *, seed, name):
    """A v2 variable that was there already."""
    variable = tf.Variable(np.zeros(shape, FLOATS[dtype]), name="other")
    glorot.tensorflow.init({name: variable}, initializer, seed=seed)
    return np.asarray(variable.numpy())


class TensorFlowAdapter(contract.Adapter):
    """Tensors and variables."""

    name = "tensorflow cpu"

    def whole(self, initializer, shape, dtype, *, seed, name):
        """A tensor."""
        return called(initializer, shape, dtype, seed=seed, name=name)

    def part(self, initializer, shape, dtype, shard, *, seed, name):
        """A part by the contract of ParameterServerStrategy."""
        init = glorot.tensorflow.initializer(initializer, seed=seed, name=name)
        extent = [j - i for i, j in zip(shard.start, shard.stop, strict=True)]
        part = init(shape, dtype=dtype, partition_shape=extent, partition_offset=shard.start)
        return np.asarray(part.numpy())

    def forms(self):
        """Variables of all kinds."""
        ways = (in_a_function, in_a_session, as_it_is_made, filled)
        return {way.__name__: way for way in ways}


class TestTensorFlow(contract.Contract):
    """`contract.Contract` on TensorFlow."""

    adapter = TensorFlowAdapter()
