# SPDX-License-Identifier: Apache-2.0
"""glorot.tensorflow as variables are made: shards, creators, strategies, and what each refuses."""

import functools
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_init_cases import EACH, HE, RECIPE, SEED, v1, whole

import glorot
import glorot.tensorflow

pytestmark = pytest.mark.frameworks


@pytest.fixture(scope="module")
def strategy():
    """Two parameter servers and a worker in this process."""
    import socket

    ports = []
    sockets = [socket.socket() for _ in range(3)]
    for each in sockets:
        each.bind(("localhost", 0))
        ports.append(each.getsockname()[1])
    for each in sockets:
        each.close()
    cluster = {"ps": [f"localhost:{p}" for p in ports[:2]], "worker": [f"localhost:{ports[2]}"]}
    servers = [
        tf.distribute.Server(cluster, job_name=job, task_index=i, protocol="grpc", start=True)
        for job, i in (("ps", 0), ("ps", 1), ("worker", 0))
    ]
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(cluster), rpc_layer="grpc"
    )
    partitioner = tf.distribute.experimental.partitioners.FixedShardsPartitioner(3)
    yield tf.distribute.ParameterServerStrategy(resolver, variable_partitioner=partitioner)
    del servers


class Watched:
    """An initializer that notes what it is asked for."""

    def __init__(self, inner):
        self.inner = inner
        self.asked = []

    def __call__(self, shape, dtype=None, partition_shape=None, partition_offset=None):
        """Pass it on."""
        self.asked.append((tuple(shape), tuple(partition_shape), tuple(map(int, partition_offset))))
        return self.inner(
            shape, dtype, partition_shape=partition_shape, partition_offset=partition_offset
        )


def test_parameter_servers(strategy):
    """Sharded variables: by an initializer, by a creator, and filled; each shard computed alone."""
    watched = Watched(glorot.tensorflow.initializer(HE, seed=SEED, name="w"))
    creator = glorot.tensorflow.variable_creator(HE, seed=SEED)
    zeros = functools.partial(tf.zeros, (7, 4))
    with strategy.scope():
        given = functools.partial(watched, (7, 4), dtype=tf.float32)
        one = tf.Variable(given, shape=(7, 4), dtype=tf.float32, name="one")
        with tf.variable_creator_scope(creator):
            two = tf.Variable(zeros, shape=(7, 4), dtype=tf.float32, name="w")
        three = tf.Variable(zeros, shape=(7, 4), dtype=tf.float32, name="three")
    holder = tf.Module()
    holder.w = three
    report = glorot.tensorflow.init(holder, HE, seed=SEED)

    assert [a[1:] for a in watched.asked] == [((3, 4), (0, 0)), ((2, 4), (3, 0)), ((2, 4), (5, 0))]
    for variable in (one, two, three):
        assert [part.shape[0] for part in variable.variables] == [3, 2, 2]
        parts = [part.numpy() for part in variable.variables]
        assert (np.concatenate(parts) == whole((7, 4), "w")).all()
    assert [shard.start for shard in report.parameters[0].shards] == [(0, 0), (3, 0), (5, 0)]
    assert glorot.tensorflow.fingerprint(holder) == glorot.fingerprint({"w": whole((7, 4), "w")})


def test_shard_info():
    """The third contract: one object with the part's shape and offset."""

    class ShardInfo:
        """As TensorFlow's."""

        shape = tf.TensorShape((2, 4))
        offset = (5, 0)

    init = glorot.tensorflow.initializer(HE, seed=SEED, name="w")
    assert (init((7, 4), shard_info=ShardInfo()).numpy() == whole((7, 4), "w")[5:]).all()


def test_in_a_tf_function():
    """The value is an op's, and AutoGraph has nothing to warn of."""
    said = []
    handler = logging.Handler()
    handler.emit = said.append
    logger = tf.get_logger()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING)
    try:
        found = tf.function(lambda: EACH((4, 3)))()
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    assert (found.numpy() == EACH((4, 3)).numpy()).all()
    assert [record.getMessage() for record in said] == []


def test_creators_see_scopes():
    """A variable's name is that with the scopes around it; what it held gives way."""
    creator = glorot.tensorflow.variable_creator(RECIPE, seed=SEED)
    with tf.variable_creator_scope(creator):
        with tf.name_scope("up"):
            kernel = tf.Variable(tf.ones((4, 3)), name="kernel")
            bias = tf.Variable(tf.ones((3,)), name="bias")
            state = tf.Variable([7.0], trainable=False, name="state")
        half = tf.Variable(lambda: tf.ones((4, 3), tf.bfloat16), name="half")

    assert (kernel.numpy() == whole((4, 3), "up/kernel")).all()
    assert bias.numpy().tolist() == [0.0] * 3
    assert state.numpy().tolist() == [7.0]
    assert half.numpy().tobytes() == whole((4, 3), "half", "bfloat16").tobytes()
    report = creator.report()
    assert [p.name for p in report.parameters] == ["up/kernel", "up/bias", "half"]
    assert report.buffers == ("up/state",)
    assert report.recipe == RECIPE.fingerprint
    json.dumps(report.as_dict())


def test_a_restored_variable_is_left_to_its_checkpoint(tmp_path):
    """A value that a checkpoint gives as a variable is made wins."""
    path = tf.train.Checkpoint(w=tf.Variable([[1.0, 2.0]])).write(str(tmp_path / "c"))
    holder = tf.Module()
    status = tf.train.Checkpoint(root=holder).restore(path)
    with tf.variable_creator_scope(glorot.tensorflow.variable_creator(HE, seed=SEED)):
        made = [
            holder._add_variable_with_custom_getter(
                name, (1, 2), initializer=tf.zeros, getter=_made, overwrite=True
            )
            for name in ("w", "v")
        ]
    del status

    assert made[0].numpy().tolist() == [[1.0, 2.0]]
    assert (made[1].numpy() == whole((1, 2), "v")).all()


def _made(name, shape, dtype, initializer, **_):
    """As TensorFlow's own layers make a variable."""
    if not hasattr(initializer, "checkpoint_position"):
        initializer = functools.partial(initializer, shape, dtype)
    return tf.Variable(initializer, shape=shape, dtype=dtype, name=name)


def test_replicas_agree():
    """Under MirroredStrategy both replicas have the value, made so or filled after; a tensor lies
    on the device that is asked for."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("tensorflow_replicas.py"))],
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "made [True, True]", "filled [True, True]", "turned [True, True]", "report ['turned']",
        "there device:CPU:1 True",
    ]  # fmt: skip


def test_initializers_refuse():
    """No seed, no part said twice, no part outside."""
    init = glorot.tensorflow.initializer(HE, seed=SEED)

    class Info:
        """A partition."""

        full_shape, var_offset = [7, 4], [0, 0]

    for error, text, call in (
        (ValueError, "`seed` is missing", lambda: glorot.tensorflow.initializer(HE)),
        (TypeError, "`identifier` must be", lambda: glorot.tensorflow.initializer(len, seed=1)),
        (TypeError, "`name` must be", lambda: glorot.tensorflow.initializer(HE, seed=1, name=2)),
        (TypeError, "all say which part; give one",
         lambda: init((3, 4), partition_info=Info(), partition_shape=(3, 4))),
        (TypeError, "say together which part", lambda: init((7, 4), partition_shape=(3, 4))),
        (ValueError, "`shard` must lie inside",
         lambda: init((7, 4), partition_shape=(3, 4), partition_offset=(5, 0))),
        (ValueError, "one integer an axis",
         lambda: init((7, 4), partition_shape=(3, 4), partition_offset=(5,))),
        (TypeError, "Only floating point types", lambda: init((7, 4), tf.int32)),
    ):  # fmt: skip
        with pytest.raises(error, match=text):
            call()


def test_counters_without_a_name_are_left_alone():
    """Keras 2 makes some with each model; a named one is the recipe's to leave out."""
    import tf_keras

    recipe = glorot.Recipe([glorot.Rule("*bias", "zeros"), glorot.Rule("*", HE)])
    creator = glorot.tensorflow.variable_creator(recipe, seed=SEED)
    with tf.variable_creator_scope(creator):
        model = tf_keras.Sequential([tf_keras.layers.Dense(3, name="up")])
        model.build((None, 4))
        counter, state = tf.Variable(7), tf.Variable([0.5], trainable=False)
        with pytest.raises(TypeError, match=r"'steps'.*Only floating point types"):
            tf.Variable(0, name="steps")

    assert (model.layers[0].kernel.numpy() == HE((4, 3), seed=SEED, name="up/kernel")).all()
    assert (counter.numpy(), state.numpy()) == (7, [0.5])
    assert [p.name for p in creator.report().parameters] == ["up/kernel", "up/bias"]


def test_creators_refuse():
    """Names that are missing, twice, or of a part; rules that need the whole model."""
    rule = glorot.Rule

    def making(recipe=HE, **options):
        creator = glorot.tensorflow.variable_creator(recipe, seed=SEED)
        with tf.variable_creator_scope(creator):
            return tf.Variable(tf.zeros((2, 2)), **options), creator

    with pytest.raises(ValueError, match=r"a variable has no name.*name='kernel'"):
        making()
    with pytest.raises(ValueError, match=r"'w/part_0' is a part.*custom_getter"):
        making(name="w/part_0")
    with pytest.raises(ValueError, match="no rule matches 'w'"):
        making(glorot.Recipe([rule("x", HE)]), name="w")
    _, creator = making(name="w")
    with (
        tf.variable_creator_scope(creator),
        pytest.raises(ValueError, match="a second variable is called 'w'"),
    ):
        tf.Variable(tf.zeros((2, 2)), name="w")
    _, creator = making(glorot.Recipe([rule("q", HE), rule("*", HE)]), name="w")
    with pytest.raises(ValueError, match=r"no parameter is matched by.*'q'"):
        creator.report()
    counted = glorot.Recipe([rule("*", "normal", stddev="n")], variables={"n": {"count": "h.*."}})
    with pytest.raises(ValueError, match=r"'n' is counted over all.*recipe.set\(n=...\)"):
        glorot.tensorflow.variable_creator(counted, seed=SEED)
    deep = glorot.Recipe([rule("*", HE, layers="h.*.")])
    with pytest.raises(ValueError, match=r"counts layers by 'h.\*.'"):
        glorot.tensorflow.custom_getter(deep, seed=SEED)
    getter = glorot.tensorflow.custom_getter(HE, seed=SEED)
    with tf.Graph().as_default(), v1.variable_scope("", custom_getter=getter):
        with pytest.raises(ValueError, match="must be given its `shape`"):
            v1.get_variable("w", initializer=lambda: tf.zeros((2, 2)))
        with pytest.raises(TypeError, match="the variable 'c': `dtype` must be one of"):
            v1.get_variable("c", (2, 2), tf.complex64)
        v1.get_variable("v", (2, 2))
        with pytest.raises(ValueError, match="'v' is asked for as float32 of shape"):
            getter.initializer("v", (3, 2), tf.float32)
