# SPDX-License-Identifier: Apache-2.0
"""glorot.tensorflow.init: modules and Keras 2 models, filled by paths."""

import gc
import json
import re
import warnings
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_init_cases import HE, RECIPE, SEED, Dense, Net, v1, whole

import glorot
import glorot.tensorflow
from glorot.tensorflow import _collect

pytestmark = pytest.mark.frameworks


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


def test_a_variable_of_dtensor_is_refused():
    """Its values are DTensors: nothing is changed, and what to do is said."""
    dtensor = tf.experimental.dtensor
    mesh = dtensor.create_mesh([("x", 1)], device_type="CPU")
    layout = dtensor.Layout.replicated(mesh, rank=2)
    zeros = dtensor.call_with_layout(tf.zeros, layout, shape=(4, 4))
    plain = tf.Variable(tf.zeros((4, 4)))
    with pytest.raises(TypeError, match=r"'w' is a DVariable of tf.experimental.dtensor"):
        glorot.tensorflow.init({"a": plain, "w": dtensor.DVariable(zeros)}, HE, seed=SEED)
    assert not plain.numpy().any()
