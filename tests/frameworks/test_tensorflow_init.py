# SPDX-License-Identifier: Apache-2.0
"""glorot.tensorflow: partitioners, shards, creators, graphs, modules, and what each refuses."""

import doctest
import functools
import gc
import importlib
import json
import logging
import os
import pkgutil
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf

import glorot
import glorot.tensorflow
from glorot.tensorflow import _collect

pytestmark = pytest.mark.frameworks
v1 = tf.compat.v1

SEED = 42
HE = glorot.HeNormal()
RECIPE = glorot.Recipe([glorot.Rule("*bias", "zeros"), glorot.Rule("*", HE)])
PAGE = Path(__file__).parents[2] / "docs" / "tensorflow.md"


def whole(shape, name, dtype="float32"):
    """What NumPy has."""
    return HE(shape, dtype, seed=SEED, name=name)


# --- v1 -------------------------------------------------------------------------------------------


def get_whole(partitioner, how, shape=(7, 4)):
    """The parts of m/w, joined, in a graph."""
    with tf.Graph().as_default(), v1.Session() as session:
        with v1.variable_scope("m", partitioner=partitioner, **how):
            variable = v1.get_variable("w", shape, **({} if how else {"initializer": EACH}))
        session.run(v1.global_variables_initializer())
        return session.run(list(variable))


EACH = glorot.tensorflow.initializer(HE, seed=SEED, name="m/w")


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


# --- v2 -------------------------------------------------------------------------------------------


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
        "made [True, True]", "filled [True, True]", "there device:CPU:1 True",
    ]  # fmt: skip


# --- modules --------------------------------------------------------------------------------------


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


def test_modules_are_filled_by_paths():
    """Names are the way to a variable; a shared one is filled once; state is left."""
    net = Net()
    variables = [id(v) for v in net.variables]
    report = glorot.tensorflow.init(net, RECIPE, seed=SEED)

    assert [p.name for p in report.parameters] == [
        "again.bias", "again.kernel", "heads.a.bias", "heads.a.kernel",
        "layers.1.bias", "layers.1.kernel",
    ]  # fmt: skip
    assert report.parameters[1].names == ("again.kernel", "layers.0.kernel")
    assert (net.layers[0].kernel.numpy() == whole((4, 3), "again.kernel")).all()
    assert (net.heads["a"].kernel.numpy() == whole((3, 2), "heads.a.kernel")).all()
    assert net.layers[1].bias.numpy().tolist() == [0.0] * 3
    assert net.steps.numpy() == 5
    assert report.buffers == ("steps",)
    assert [id(v) for v in net.variables] == variables
    arrays = {p.name: p.initializer(p.shape, seed=SEED, name=p.name) for p in report.parameters}
    assert glorot.tensorflow.fingerprint(net) == glorot.fingerprint(arrays)


class Pair(NamedTuple):
    """A structure with names of its own."""

    first: tf.Variable
    second: Dense


class Held(tf.Module):
    """All that an attribute can be: structures in structures, circles, what is no variable."""

    _TF_MODULE_IGNORED_PROPERTIES = frozenset((*tf.Module._TF_MODULE_IGNORED_PROPERTIES, "ignored"))

    def __init__(self):
        super().__init__()
        self.ignored = tf.Variable(1.0)
        self.z = tf.Variable(1.0)
        self.a = [Dense(2, 2), (tf.Variable(1.0), {"y": Dense(1, 1), "x": tf.Variable(2.0)})]
        self.pair = Pair(tf.Variable(1.0), Dense(1, 2))
        self.by_number = {10: tf.Variable(1.0), 9: [tf.Variable(1.0)]}
        self.others = [None, "text", 3, {1, 2}, np.ones(3), tf.ones(3), len, [], {}, ()]
        self.text, self.nothing, self.bare = "text", None, object()
        self.again = self.a[0]
        self.itself = self
        self.a[0].outer = [self]
        self.ragged = tf.ragged.constant([[1.0], [2.0, 3.0]])


def test_modules_are_walked_as_tensorflow_does():
    """The paths are those of `tf.Module`'s own walk, in its order, on which names depend."""
    for module in (Held(), Net(), Dense(1, 1)):
        known = module._flatten(predicate=lambda v: isinstance(v, tf.Variable), with_path=True)
        found = _collect._walk(module)
        assert [(path, id(v)) for path, v, _ in found] == [(path, id(v)) for path, v in known]
    owners = {path: type(owner) for path, _, owner in _collect._walk(Held())}
    assert owners["pair", "second", "kernel"] is Dense
    assert owners["pair", "first"] is owners["a", 1, 1, "x"] is Held


def test_a_structure_without_an_order_is_refused():
    """As TensorFlow refuses it, by the attribute that holds it."""
    net = Net()
    net.mixed = {1: tf.Variable(1.0), "a": tf.Variable(1.0)}
    said = "Error processing property 'mixed' of DictWrapper({1: <tf.Variable"
    with pytest.raises(ValueError, match=re.escape(said)) as ours:
        glorot.tensorflow.init(net, RECIPE, seed=SEED)
    with pytest.raises(ValueError, match=re.escape(said)) as theirs:
        _ = net.variables
    assert str(ours.value) == str(theirs.value)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "float8_e5m2"])
@pytest.mark.parametrize("shape", [(), (0, 3), (5, 7), (300, 300)])
def test_each_value_has_memory_of_its_own(shape, dtype):
    """TensorFlow takes over the memory that was filled: what is changed in place is that variable
    alone, and not another of the same value, nor what was read before."""
    variables = [tf.Variable(tf.cast(tf.zeros(shape), dtype)) for _ in range(2)]
    for variable in variables:
        glorot.tensorflow.init({"w": variable}, HE, seed=SEED)
    changed, kept = variables
    init = glorot.tensorflow.initializer(HE, seed=SEED, name="w")
    others = [init(shape, dtype) for _ in range(2)]
    read = changed.read_value()
    if dtype == "float8_e5m2":  # which TensorFlow does not add
        changed.assign(tf.cast(tf.ones(shape), dtype))
    else:
        changed.assign_add(tf.ones(shape, dtype))
    gc.collect()
    wanted = whole(shape, "w", dtype).tobytes()
    for value in (kept, read, *others):
        assert value.numpy().tobytes() == wanted
    assert (changed.numpy().tobytes() != wanted) == bool(wanted)


def test_rules_may_ask_for_the_module():
    """`type` is the class of the module that holds the variable."""
    rules = glorot.Recipe(
        [glorot.Rule("*", "ones", where={"type": "Dense", "ndim": 2}), glorot.Rule("*", "zeros")]
    )
    net = Net()
    net.own = tf.Variable(tf.ones((2, 2)))
    glorot.tensorflow.init(net, rules, seed=SEED)

    assert net.layers[1].kernel.numpy().min() == 1
    assert net.own.numpy().max() == 0


def test_lists_mappings_and_other_names():
    """A list's variables have their own names, a mapping's its keys; `names` changes either."""
    kernel = tf.Variable(tf.zeros((4, 3)), name="up/kernel")
    for target, names, name in (
        ([kernel], None, "up/kernel"),
        (kernel, None, "up/kernel"),
        ({"w": kernel}, None, "w"),
        ([kernel], {"up/kernel": "x"}, "x"),
        ([kernel], lambda n: n.replace("/", "."), "up.kernel"),
    ):
        glorot.tensorflow.init(target, HE, seed=SEED, names=names)
        assert (kernel.numpy() == whole((4, 3), name)).all()


def test_eager_parts_of_v1():
    """Variables that v1's partitioner made eagerly say themselves which part they are."""
    with v1.variable_scope("m", partitioner=v1.fixed_size_partitioner(3)):
        parts = list(v1.get_variable("w", (7, 4), use_resource=True))
    glorot.tensorflow.init(parts, HE, seed=SEED)

    assert (np.concatenate([p.numpy() for p in parts]) == whole((7, 4), "m/w")).all()


def test_a_keras_2_model():
    """tf.keras names its weights apart, and so they are called."""
    import tf_keras

    model = tf_keras.Sequential(
        [
            tf_keras.layers.Dense(3, name="up", input_shape=(4,)),
            tf_keras.layers.BatchNormalization(),
        ]
    )
    rules = glorot.Recipe([glorot.Rule("*/kernel", HE), glorot.Rule("*", "zeros")])
    report = glorot.tensorflow.init(model, rules, seed=SEED)

    assert (model.layers[0].kernel.numpy() == whole((4, 3), "up/kernel")).all()
    assert len(report.buffers) == 2


# --- refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["keras", "h5"])
def test_a_keras_2_model_with_an_initializer_saves(tmp_path, ending):
    """It has a config, as TensorFlow's own have, and comes back by its class."""
    import tf_keras

    init = glorot.tensorflow.initializer(HE, seed=SEED, name="up")
    layer = tf_keras.layers.Dense(3, kernel_initializer=init, input_shape=(4,))
    path = tmp_path / f"model.{ending}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the class, which is not Keras'; of the format
        tf_keras.Sequential([layer]).save(path)
        known = {"VariableInitializer": glorot.tensorflow.VariableInitializer}
        back = tf_keras.models.load_model(path, custom_objects=known)
    assert back.layers[0].kernel_initializer == init
    assert json.loads(json.dumps(init.get_config())) == init.get_config()
    assert (back.layers[0].kernel.numpy() == HE((4, 3), seed=SEED, name="up")).all()


def test_refused_before_anything_is_changed():
    """Each error says what to do, and no variable has changed."""
    rule = glorot.Rule
    kernel, twin = (tf.Variable(tf.ones((4, 3)), name="w") for _ in range(2))
    number = tf.Variable([1, 2], name="steps")
    for error, text, target, recipe, options in (
        (ValueError, "two variables are called 'w'.*tf.Module", [kernel, twin], HE, {}),
        (ValueError, "no rule matches 'w'", [kernel], glorot.Recipe([rule("x*", HE)]), {}),
        (ValueError, "no parameter is matched by.*'q'", [kernel],
         glorot.Recipe([rule("q", HE), rule("*", HE)]), {}),
        (TypeError, "'steps'.*Only floating point types", [kernel, number], HE, {}),
        (TypeError, "`target` must be a tf.Module.*glorot.keras.init", 3, HE, {}),
        (TypeError, "`target` must hold variables, got 3", [kernel, 3], HE, {}),
        (TypeError, "`names` must be a mapping", [kernel], HE, {"names": 3}),
        (TypeError, "`seed` must be an integer", [kernel], HE, {"seed": "1"}),
        (ValueError, "`recipe` must be.*'he_norml'", [kernel], "he_norml", {}),
        (ValueError, "no trainable variables", [], HE, {}),
        (TypeError, "'c'.*`dtype` must be one of", {"c": tf.Variable([1j])}, HE, {}),
    ):  # fmt: skip
        with pytest.raises(error, match=text):
            glorot.tensorflow.init(target, recipe, **({"seed": SEED} | options))
        assert kernel.numpy().min() == 1
    with tf.Graph().as_default():
        held = v1.get_variable("w", (2, 2))
        with pytest.raises(ValueError, match=r"'w' is a graph's.*custom_getter"):
            glorot.tensorflow.init([held], HE, seed=SEED)


def test_shapes_are_those_that_init_sees():
    """Whole shapes, names as the report has them; text is no weight."""
    target = [tf.Variable(tf.zeros((4, 3)), name="w"), tf.Variable(tf.zeros((3,)), name="b")]
    found = glorot.tensorflow.shapes(target, names={"b": "c"})
    with pytest.raises(ValueError, match=r"`names` has 'bias', .* called. There are: w, b"):
        glorot.tensorflow.init(target, "ones", seed=SEED, names={"bias": "c"})
    report = glorot.tensorflow.init(target, "ones", seed=SEED, names={"b": "c"})
    assert {name: (spec.shape, spec.dtype) for name, spec in found.items()} == {
        p.name: (p.shape, p.dtype) for p in report.parameters
    }
    with pytest.raises(TypeError, match=r"'t'.*got string"):
        glorot.tensorflow.shapes([tf.Variable("text", name="t")])


def test_explain_says_what_init_does():
    """Rule, law and fans of each variable are those of the report after; nothing is filled."""
    variables = {
        "a.kernel": tf.Variable(tf.zeros((4, 3))),
        "a.bias": tf.Variable(tf.zeros((3,))),
        "b": tf.Variable(tf.zeros((2,))),
    }
    rule = glorot.Rule
    rules = glorot.Recipe([rule("*kernel", HE), rule("c", None), rule("*", "ones")])
    found = glorot.tensorflow.explain(variables, rules, names={"b": "c"})
    assert [(a.name, a.fans) for a in found] == [("a.kernel", (4, 3)), ("a.bias", (3, 3))]
    assert all((variable.numpy() == 0).all() for variable in variables.values())
    report = glorot.tensorflow.init(variables, rules, seed=SEED, names={"b": "c"})
    assert [(a.name, a.rule.pattern, a.initializer, a.shape) for a in found] == [
        (p.name, p.pattern, p.initializer, p.shape) for p in report.parameters
    ]
    with pytest.raises(ValueError, match=r"no rule matches 'a\.bias', 'b'"):
        glorot.tensorflow.explain(variables, glorot.Recipe([rule("*kernel", HE)]))


def test_a_dtype_without_initializers_can_be_left_out():
    """Text and complex numbers are no reason to refuse the variables beside them."""
    recipe = glorot.Recipe([glorot.Rule("[ct]", None), glorot.Rule("*", HE)])
    complex_, text, kernel = (
        tf.Variable(value, name=name)
        for name, value in (("c", [1j]), ("t", "text"), ("w", tf.zeros((4, 3))))
    )
    report = glorot.tensorflow.init([complex_, text, kernel], recipe, seed=SEED)
    assert report.left_out == ("c", "t")
    assert (complex_.numpy(), text.numpy()) == ([1j], b"text")
    wanted = HE((4, 3), seed=SEED, name="w")
    assert (kernel.numpy() == wanted).all()

    creator = glorot.tensorflow.variable_creator(recipe, seed=SEED)
    with tf.variable_creator_scope(creator):
        complex_, text = tf.Variable([1j], name="c"), tf.Variable("text", name="t")
        kernel = tf.Variable(tf.zeros((4, 3)), name="w")
        with pytest.raises(TypeError, match=r"'s'.*got string. Put Rule\('s', None\) first"):
            tf.Variable("text", name="s")
    assert creator.report().left_out == ("c", "t")
    assert (complex_.numpy(), text.numpy()) == ([1j], b"text")
    assert (kernel.numpy() == wanted).all()


def test_a_variable_of_a_shape_that_may_change():
    """It is filled as it is, and stays one whose shape may change."""
    wanted = HE((4, 3), seed=SEED, name="w")
    for shape in (tf.TensorShape([None, 3]), tf.TensorShape(None)):
        made = tf.Variable(tf.zeros((4, 3)), shape=shape, name="w")
        glorot.tensorflow.init([made], HE, seed=SEED)
        with tf.variable_creator_scope(glorot.tensorflow.variable_creator(HE, seed=SEED)):
            created = tf.Variable(tf.zeros((4, 3)), shape=shape, dtype=tf.float32, name="w")
        for variable in (made, created):
            assert (variable.numpy() == wanted).all()
            variable.assign(tf.zeros((2, 3)))


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


# --- docs -----------------------------------------------------------------------------------------

MODULES = ["glorot.tensorflow"] + [
    found.name for found in pkgutil.walk_packages(glorot.tensorflow.__path__, "glorot.tensorflow.")
]


@pytest.mark.parametrize("module", MODULES)
def test_docstring_examples_run(module):
    """Every example in a docstring prints what it shows."""
    result = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)

    assert result.failed == 0


def test_the_page_runs():
    """docs/tensorflow.md prints what it shows."""
    result = doctest.testfile(str(PAGE), module_relative=False, optionflags=doctest.ELLIPSIS)

    assert result.attempted > 10
    assert result.failed == 0
