# SPDX-License-Identifier: Apache-2.0
"""glorot.tensorflow in graphs of v1: partitioners, names, constants, what the graph holds."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_init_cases import EACH, HE, RECIPE, SEED, v1, whole

import glorot
import glorot.tensorflow

pytestmark = pytest.mark.frameworks


def get_whole(partitioner, how, shape=(7, 4)):
    """The parts of m/w, joined, in a graph."""
    with tf.Graph().as_default(), v1.Session() as session:
        with v1.variable_scope("m", partitioner=partitioner, **how):
            variable = v1.get_variable("w", shape, **({} if how else {"initializer": EACH}))
        session.run(v1.global_variables_initializer())
        return session.run(list(variable))


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("way", ["initializer", "custom_getter"])
def test_partitions_are_slices_of_the_whole(way, axis):
    """TensorFlow's own parts are copies of each other; ours are the whole's, computed alone."""
    partitioner = v1.fixed_size_partitioner(3, axis=axis)
    getter = glorot.tensorflow.custom_getter(HE, seed=SEED)
    how = {"custom_getter": getter} if way == "custom_getter" else {}
    parts = get_whole(partitioner, how)
    theirs = get_whole(partitioner, {"initializer": v1.glorot_uniform_initializer(seed=SEED)})

    assert (np.concatenate(parts, axis) == whole((7, 4), "m/w")).all()
    assert (np.take(theirs[1], 0, axis) == np.take(theirs[0], 0, axis)).all() or axis == 1
    assert not (np.take(parts[1], 0, axis) == np.take(parts[0], 0, axis)).any()


def test_equal_parts_of_tensorflows_repeat():
    """The fault that is not ours: two equal halves of one seed are one block twice."""
    partitioner = v1.fixed_size_partitioner(2)
    init = v1.glorot_uniform_initializer(seed=SEED)
    theirs = get_whole(partitioner, {"initializer": init}, (8, 4))
    ours = get_whole(partitioner, {}, (8, 4))

    assert (theirs[0] == theirs[1]).all()
    assert not (ours[0] == ours[1]).any()


def test_names_are_the_variables():
    """A recipe sees full names; reuse gives the same variable; state keeps its initializer."""
    getter = glorot.tensorflow.custom_getter(RECIPE, seed=SEED)
    with tf.Graph().as_default(), v1.Session() as session:
        with v1.variable_scope("enc", custom_getter=getter):
            with v1.variable_scope("0"):
                w = v1.get_variable("kernel", (4, 3))
                b = v1.get_variable("bias", (3,), initializer=v1.ones_initializer())
                n = v1.get_variable("n", (2,), initializer=v1.ones_initializer(), trainable=False)
                c = v1.get_variable("c", initializer=tf.constant([[1.0, 2.0]]))
            with v1.variable_scope("0", reuse=True):
                assert v1.get_variable("kernel", (4, 3)) is w
        session.run(v1.global_variables_initializer())
        found = session.run([w, b, n, c])
    report = getter.report()

    assert (found[0] == whole((4, 3), "enc/0/kernel")).all()
    assert found[1].tolist() == [0.0] * 3
    assert found[2].tolist() == [1.0] * 2
    assert (found[3] == whole((1, 2), "enc/0/c")).all()
    assert [p.name for p in report.parameters] == ["enc/0/kernel", "enc/0/bias", "enc/0/c"]
    assert report.buffers == ("enc/0/n",)


def test_constants_give_shape_and_dtype():
    """`get_variable` takes a number, a list, an array or a tensor in place of an initializer: a
    rule replaces or keeps it, as any other, and the graph gets no constant for it."""
    rules = glorot.Recipe([glorot.Rule("kept*", None), glorot.Rule("*", HE)])
    getter = glorot.tensorflow.custom_getter(rules, seed=SEED)
    given = {"kept": 0.5, "kept/ints": [1, 2], "list": [[0.0, 1.0]], "array": np.ones((2, 3)),
             "tensor": None}  # fmt: skip
    with tf.Graph().as_default() as graph, v1.Session() as session:
        given["tensor"] = tf.ones((2, 3), tf.float16)
        with v1.variable_scope("", custom_getter=getter):
            made = {name: v1.get_variable(name, initializer=value) for name, value in given.items()}
        session.run(v1.global_variables_initializer())
        found = session.run(made)
        kept = {op.name for op in graph.get_operations() if op.type == "Const"}

    assert found["kept"] == np.float32(0.5)
    assert found["kept/ints"].tolist() == [1, 2]
    assert found["kept/ints"].dtype == np.int32
    for name, dtype in (("list", "float32"), ("array", "float64"), ("tensor", "float16")):
        wanted = HE(found[name].shape, dtype, seed=SEED, name=name)
        assert found[name].tobytes() == wanted.tobytes()
    assert not any("list" in name or "array" in name for name in kept)


def test_the_graph_does_not_hold_the_weight():
    """A weight 2**16 times larger makes no larger graph; a constant would."""

    def size(initializer, shape):
        with tf.Graph().as_default() as graph:
            v1.get_variable("w", shape, initializer=initializer)
            return graph.as_graph_def().ByteSize()

    ours = [size(EACH, (n, n)) for n in (4, 1024)]
    constants = [size(glorot.HeNormal(seed=SEED), (n, n)) for n in (4, 1024)]

    assert abs(ours[1] - ours[0]) < 64
    assert constants[1] - constants[0] > 4_000_000


def test_values_are_computed_when_the_variable_is_initialised():
    """Not when the graph is built: a weight that would not fit costs nothing there."""
    with tf.Graph().as_default():
        variable = v1.get_variable("w", (2**20, 2**20), initializer=EACH)
        assert variable.shape == (2**20, 2**20)


def test_an_initializer_that_cannot_be_is_refused_as_the_graph_is_built():
    """Checks do not wait for the session."""
    with tf.Graph().as_default(), pytest.raises(TypeError, match="Only floating point types"):
        v1.get_variable("w", (2, 2), dtype=tf.int32, initializer=EACH)


def test_eager_parts_of_v1():
    """Variables that v1's partitioner made eagerly say themselves which part they are."""
    with v1.variable_scope("m", partitioner=v1.fixed_size_partitioner(3)):
        parts = list(v1.get_variable("w", (7, 4), use_resource=True))
    glorot.tensorflow.init(parts, HE, seed=SEED)

    assert (np.concatenate([p.numpy() for p in parts]) == whole((7, 4), "m/w")).all()
