# SPDX-License-Identifier: Apache-2.0
"""Initializers work as `initializer=` of TensorFlow's get_variable, partitioned too."""

import functools

import numpy as np
import pytest
import tensorflow as tf

import glorot

pytestmark = pytest.mark.frameworks
v1 = tf.compat.v1

INITIALIZERS = [
    glorot.GlorotUniform(seed=1),
    glorot.RandomNormal(seed=1),
    glorot.Orthogonal(seed=1),
    glorot.Ones(),
]


@pytest.mark.parametrize("init", INITIALIZERS, ids=lambda init: type(init).__name__)
def test_partitions_join_into_the_whole_in_a_graph(init):
    """The parts of a partitioned variable, read in a session, join into the whole weight."""
    with tf.Graph().as_default():
        variable = v1.get_variable(
            "w", shape=(8, 5), initializer=init, partitioner=v1.fixed_size_partitioner(3)
        )
        parts = list(variable)
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            values = session.run(parts)

    assert [len(value) for value in values] == [3, 3, 2]
    assert (np.concatenate(values) == init((8, 5))).all()


@pytest.mark.parametrize("init", INITIALIZERS, ids=lambda init: type(init).__name__)
def test_partitions_join_into_the_whole_eagerly(init):
    """The same outside of a graph, column partitions and float64 included."""
    with v1.variable_scope("eager", reuse=v1.AUTO_REUSE):
        variable = v1.get_variable(
            "w", shape=(4, 8), dtype=tf.float64, initializer=init, use_resource=True,
            partitioner=v1.fixed_size_partitioner(3, axis=1),
        )  # fmt: skip
    values = [part.numpy() for part in variable]

    assert [value.shape for value in values] == [(4, 3), (4, 3), (4, 2)]
    assert (np.concatenate(values, axis=1) == init((4, 8), "float64")).all()


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16, tf.float32, tf.float64])
def test_whole_variables_in_every_dtype(dtype):
    """TensorFlow's dtype objects and shapes are understood."""
    init = glorot.GlorotUniform(seed=1)
    with tf.Graph().as_default(), v1.Session() as session:
        variable = v1.get_variable("w", shape=tf.TensorShape([4, 3]), dtype=dtype, initializer=init)
        session.run(variable.initializer)
        value = session.run(variable)

    assert value.tobytes() == init((4, 3), dtype).tobytes()
    assert init(tf.TensorShape([4, 3])).shape == (4, 3)


def test_scale_is_that_of_the_whole():
    """Parts are scaled by the whole weight's fans, which Keras 2's own partitions are not."""
    init = glorot.GlorotUniform(seed=1)

    with tf.Graph().as_default(), v1.Session() as session:
        variable = v1.get_variable(
            "w", shape=(64, 64), initializer=init, partitioner=v1.fixed_size_partitioner(16)
        )
        session.run(v1.global_variables_initializer())
        values = session.run(list(variable))

    assert max(abs(value).max() for value in values) < (6 / 128) ** 0.5 < (6 / 68) ** 0.5


def test_names_can_be_bound():
    """Two variables of one seed hold equal words unless each is given its name."""
    init = glorot.GlorotUniform(seed=1)
    values = {}
    with tf.Graph().as_default(), v1.Session() as session:
        for name in ("a", "b"):
            values[name] = v1.get_variable(
                name, shape=(4, 3), initializer=functools.partial(init, name=name)
            )
        session.run(v1.global_variables_initializer())
        found = session.run(values)

    assert (found["a"] == init((4, 3), name="a")).all()
    assert not (found["a"] == found["b"]).any()
