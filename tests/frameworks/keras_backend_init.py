# SPDX-License-Identifier: Apache-2.0
"""glorot.keras.init: what it fills, what it leaves, what it refuses.

Run by test_keras.py on each backend.
"""

import json

import keras
import keras_models
import numpy as np
import pytest
from keras import layers
from keras_init_cases import MARKS, RECIPE, SEED, bits, built, only_on, tower, values

import glorot
import glorot.keras
from glorot.testing import assert_initialized

pytestmark = MARKS


@only_on("torch")
def test_torch_refuses_a_keras_layer():
    """It is a torch module there too, with names that count the layers of the process."""
    import torch

    import glorot.torch

    layer = built(layers.Dense(3), 4)
    before = bits(layer)
    for module in (layer, torch.nn.Sequential(layer)):
        with pytest.raises(
            ValueError, match=r"is a Keras layer, .*Fill it with glorot\.keras\.init"
        ):
            glorot.torch.init_(module, "ones", seed=SEED)
    assert bits(layer) == before


def test_every_weight_has_numpys_bytes():
    """All weights of a model of many layers, from the report alone."""
    model = keras_models.everything()
    report = glorot.keras.init(model, RECIPE, seed=SEED)
    places = glorot.keras._names.collect(model).parameters
    found = {place.names[0]: place.variable for place in places}

    for each in report.parameters:
        wanted = each.initializer(each.shape, each.dtype, seed=SEED, name=each.name)
        assert values(found[each.name]).tobytes() == wanted.tobytes(), each.name
    assert len(report.parameters) == len(model.trainable_weights)
    assert report.recipe == RECIPE.fingerprint
    assert (report.seed, report.stream, report.left_out) == (SEED, 1, ())
    assert (
        json.loads(json.dumps(report.as_dict()))["parameters"][0]["name"]
        == report.parameters[0].name
    )
    assert all(each.count == np.prod(each.shape) for each in report.parameters)


def test_frozen_weights_are_filled_and_state_is_not():
    """Moving averages, counters and seeds stay; what a user froze is a weight still."""
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(3), layers.BatchNormalization(), layers.Dropout(0.5),
         layers.Normalization()]
    )  # fmt: skip
    model.trainable = False
    norm = model.layers[1]
    norm.moving_mean.assign(np.array([1.0, 2.0, 3.0], "float32"))
    state = [values(v).tobytes() for v in model.variables if v.name in STATE]
    report = glorot.keras.init(model, glorot.Constant(0.5), seed=0)

    assert len(state) == 6
    assert [values(v).tobytes() for v in model.variables if v.name in STATE] == state
    assert [p.name for p in report.parameters] == [
        "dense.kernel", "dense.bias", "batch_normalization.gamma", "batch_normalization.beta"
    ]  # fmt: skip
    assert set(report.buffers) >= {
        "batch_normalization.moving_mean", "dropout.seed_generator_state", "normalization.count"
    }  # fmt: skip
    assert not model.trainable_weights


STATE = {"moving_mean", "moving_variance", "seed_generator_state", "mean", "variance", "count"}


def test_inside_of_a_layer_of_lower_precision():
    """A mixed policy has variables look like its compute dtype while a layer is called; the values
    are those of what they hold."""

    class Filling(keras.Layer):
        def call(self, inputs):
            glorot.keras.init(inner, "he_normal", seed=SEED)
            return inputs

    inner = built(layers.Dense(5, use_bias=False), 6)
    Filling(dtype="mixed_float16")(np.ones((1, 6), "float32"))
    wanted = glorot.HeNormal()((6, 5), seed=SEED, name="kernel")
    assert values(inner.kernel).tobytes() == wanted.tobytes()


def test_training_goes_on():
    """A filled model computes, and its weights are the same variables."""
    model = tower()
    before = [id(w) for w in model.weights]
    glorot.keras.init(model, "glorot_uniform", seed=SEED)
    x = np.ones((2, 4), "float32")
    first = keras.ops.convert_to_numpy(model(x))
    model.compile("sgd", "mse")
    model.fit(x, np.ones((2, 2), "float32"), verbose=0)

    assert [id(w) for w in model.weights] == before
    assert np.isfinite(first).all()
    assert not (keras.ops.convert_to_numpy(model(x)) == first).all()


def test_left_out():
    """A rule of None leaves a weight as it is, and the report says so."""
    layer = built(layers.Dense(3), 4)
    before = values(layer.kernel).tobytes()
    rules = glorot.Recipe([glorot.Rule("kernel", None), glorot.Rule("*", "ones")])
    report = glorot.keras.init(layer, rules, seed=SEED)

    assert report.left_out == ("kernel",)
    assert values(layer.kernel).tobytes() == before
    assert values(layer.bias).tolist() == [1.0, 1.0, 1.0]


class Counted(keras.Layer):
    """A trainable weight of integers."""

    def build(self, shape):
        """One weight of each kind."""
        self.kernel = self.add_weight(shape=(2, 2), name="kernel")
        self.steps = self.add_weight(shape=(2,), dtype="int32", initializer="zeros", name="steps")


class Twice(keras.Layer):
    """Two layers of one name."""

    def __init__(self):
        super().__init__()
        self.a, self.b = layers.Dense(2, name="fc"), layers.Dense(2, name="fc")

    def build(self, shape):
        """Both."""
        self.a.build(shape)
        self.b.build(shape)


def test_audits_and_sources_have_the_names_of_init():
    """On torch a Keras model is a torch module too, and is still read as Keras' own."""
    layer = keras.Sequential([keras.Input((8,)), layers.Dense(4), layers.BatchNormalization()])
    glorot.keras.init(layer, "keras", seed=SEED)
    names = ["dense.kernel", "dense.bias", "batch_normalization.gamma", "batch_normalization.beta"]
    audited = assert_initialized(layer, "keras", seed=SEED)

    assert [row.name for row in audited.parameters] == names
    assert [row.name for row in glorot.audit(layer).parameters] == names
    assert list(glorot.sources.read(layer).shapes) == names


def test_refused_before_anything_is_changed():
    """Each error says what to do, and no weight has changed."""
    dense, twice = built(layers.Dense(3), 4), built(Twice(), 3)
    unbuilt = keras.Sequential([layers.Dense(3)])
    rule = glorot.Rule
    for error, text, target, recipe, options in (
        (ValueError, r"layers without weights yet.*Call model.build\(input_shape\)",
         unbuilt, "he_normal", {}),
        (ValueError, "no rule matches 'bias'", dense, glorot.Recipe([rule("kernel", "ones")]), {}),
        (ValueError, "'kernle' matches no parameter|no parameter is matched by.*'kernle'", dense,
         glorot.Recipe([rule("kernle", "ones"), rule("*", "ones")]), {}),
        (ValueError, "two weights of `model` are called 'fc.kernel'", twice, "he_normal", {}),
        (ValueError, "two weights of `model` are called 'w'", dense, "he_normal",
         {"names": lambda name: "w"}),
        (TypeError, "`names` must be a mapping", dense, "he_normal", {"names": 3}),
        (TypeError, "`model` must be a keras.Model or a", 3, "he_normal", {}),
        (ValueError, "`recipe` must be.*is called 'he_norml'", dense, "he_norml", {}),
        (TypeError, "`recipe` must be a glorot.Recipe", dense, 3, {}),
        (ValueError, "`recipe` as one initializer must have no seed", dense,
         glorot.keras.HeNormal(seed=1), {}),
        (ValueError, "Orthogonal|no matrix", dense, "orthogonal", {}),
        (TypeError, "`seed` must be an integer", dense, "he_normal", {"seed": None}),
        (ValueError, "has no weights", built(layers.Flatten(), 4), "he_normal", {}),
    ):  # fmt: skip
        before = bits(target) if hasattr(target, "variables") else None
        with pytest.raises(error, match=text):
            glorot.keras.init(target, recipe, **({"seed": SEED} | options))
        assert before is None or bits(target) == before


def test_a_stateless_scope_is_refused():
    """It keeps new values of variables to itself, on some backends; so nothing is changed."""
    layer = built(layers.Dense(3), 4)
    before = bits(layer)
    with keras.StatelessScope() as scope:
        with pytest.raises(ValueError, match=r"Call it outside of the scope"):
            glorot.keras.init(layer, "ones", seed=SEED)
        assert all(scope.get_current_value(each) is None for each in layer.weights)
    assert bits(layer) == before


def test_quantized_layers_are_refused():
    """Their kernels are integers and scales, which would be passed by, filled or looked at."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="fc"), layers.Dense(2)])
    model.layers[0].quantize("int8")
    before = bits(model)
    with pytest.raises(ValueError, match=r"'fc\.\w+' of `model` is of a quantized layer \(int8\)"):
        glorot.keras.init(model, "he_normal", seed=SEED)
    assert bits(model) == before
    for look in (
        glorot.keras.shapes, glorot.keras.fingerprint, glorot.sources.read, glorot.audit,
        lambda model: assert_initialized(model, "keras"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"quantized layer \(int8\).*audit.*then quantize"):
            look(model)


def test_the_scales_of_float8_stay():
    """Keras calls them trainable so that its optimizer writes them; they are no weights, and no
    rule need match them."""
    narrow = built(layers.Dense(3), 4)
    narrow.quantize("float8")
    rules = glorot.Recipe([glorot.Rule("kernel", "he_normal"), glorot.Rule("bias", "zeros")])
    report = glorot.keras.init(narrow, rules, seed=SEED)

    assert [p.name for p in report.parameters] == ["kernel", "bias"]
    assert {"inputs_scale", "kernel_amax_history", "outputs_grad_scale"} <= set(report.buffers)
    assert (values(narrow.kernel) == glorot.HeNormal()((4, 3), seed=SEED, name="kernel")).all()
    assert values(narrow.kernel_scale) == 1.0
    assert not values(narrow.inputs_amax_history).any()
    assert assert_initialized(narrow, rules, seed=SEED).ok


@only_on("jax", "tensorflow")
def test_trainable_integers():
    """Only constants fill them; torch has no such parameters."""
    counted = built(Counted(), 3)
    before = bits(counted)
    with pytest.raises(TypeError, match=r"'steps'.*Only floating point types"):
        glorot.keras.init(counted, "he_normal", seed=SEED)
    assert bits(counted) == before
    rules = glorot.Recipe([glorot.Rule("steps", "ones"), glorot.Rule("*", "he_normal")])
    glorot.keras.init(counted, rules, seed=SEED)
    assert values(counted.steps).tolist() == [1, 1]


def test_three_frameworks_hold_one_matrix():
    """A Dense, a torch Linear and a JAX kernel of one name in canonical order: one is the other's
    transpose, computed and not copied."""
    import jax
    import torch

    import glorot.jax
    import glorot.torch

    rules = glorot.Recipe([glorot.Rule("*", "glorot_uniform", order="canonical")])
    dense = built(layers.Dense(5, use_bias=False), 7)
    glorot.keras.init(dense, rules, seed=SEED, names={"kernel": "up"})
    kernel = values(dense.kernel)
    linear = torch.empty(5, 7)
    init = glorot.GlorotUniform(order="canonical")
    glorot.torch.init_(linear, init.replace(layout="torch.linear"), seed=SEED, name="up")
    traced = jax.jit(lambda: glorot.jax.values(init, (7, 5), seed=SEED, name="up", native=False))()

    assert (kernel == linear.numpy().T).all()
    assert (kernel == np.asarray(traced)).all()
    assert not (kernel == linear.numpy().reshape(7, 5)).all()
