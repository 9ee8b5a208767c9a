# SPDX-License-Identifier: Apache-2.0
"""What is Keras' own, on the backend of this process; run by test_keras.py for each."""

import contextlib
import doctest
import functools
import importlib
import inspect
import json
import pkgutil
import threading
from pathlib import Path

import keras
import keras_models
import numpy as np
import pytest
from keras import layers
from keras.src.initializers import ALL_OBJECTS_DICT

import glorot
import glorot.keras
from glorot.keras import _tensors
from glorot.keras._tensors import to_numpy
from glorot.testing import assert_initialized

pytestmark = [
    pytest.mark.frameworks,
    # Keras 3.15's own variables on torch, whose __array__ NumPy 2 finds old.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning"),
]
BACKEND = keras.backend.backend()
SEED = 42
RECIPE = keras_models.RECIPE


def values(variable):
    """A variable's values."""
    return to_numpy(variable._value)


def built(layer, *shape):
    """The layer with weights for inputs of this shape."""
    layer.build((None, *shape))
    return layer


def bits(model):
    """The bytes of all that a model has, seeds and moving averages among them."""
    return [values(variable).tobytes() for variable in model.variables]


def only_on(*backends):
    """A test of some backends alone: on others it states nothing, and passes."""

    def decorate(test):
        return test if BACKEND in backends else None

    return decorate


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


# --- initializers ---------------------------------------------------------------------------------


def test_a_name_a_class_and_an_object_say_the_same():
    """The registered name, the class and an object work as `kernel_initializer`."""
    for given in ("glorot>HeNormal", glorot.keras.HeNormal, glorot.keras.HeNormal()):
        keras.utils.set_random_seed(3)
        layer = built(layers.Dense(5, kernel_initializer=given), 4)
        kernel = values(layer.kernel)
        keras.utils.set_random_seed(3)
        again = to_numpy(glorot.keras.HeNormal()((4, 5)))

        assert isinstance(layer.kernel_initializer, glorot.keras.HeNormal)
        assert (kernel == again).all()


def test_each_call_without_a_seed_takes_a_new_one():
    """No two weights match by accident, and all repeat after `keras.utils.set_random_seed`."""
    runs = []
    for _ in range(2):
        keras.utils.set_random_seed(7)
        init = glorot.keras.RandomNormal()
        runs.append([to_numpy(init((4,))).tobytes() for _ in range(500)])
        keras.random.normal((2,))  # Keras' own draws move the generator
        runs[-1] += [to_numpy(init((4,))).tobytes() for _ in range(500)]

    assert len(set(runs[0])) == 1000
    assert runs[0] == runs[1]


def test_the_seeds_are_those_of_the_generator():
    """The n-th call has the seed that docs/keras.md says: the state's first word and 2**32 n."""
    keras.utils.set_random_seed(7)
    start = int(to_numpy(keras.random.SeedGenerator().state._value)[0])
    keras.utils.set_random_seed(7)
    init = glorot.keras.GlorotUniform()

    for call in range(3):
        wanted = glorot.GlorotUniform()((3, 4), seed=start + call * 2**32)
        assert (to_numpy(init((3, 4))) == wanted).all()


def test_keras_own_draws_cannot_bring_a_seed_back():
    """A state that comes round again is passed over."""
    generator = keras.random.SeedGenerator(5)
    init = glorot.keras.RandomNormal(seed=generator)
    first = to_numpy(init((4,)))
    generator.state.assign(
        generator.state - np.array([0, 1], "int32").astype(generator.state.dtype)
    )

    assert not (to_numpy(init((4,))) == first).any()


def test_a_seed_repeats():
    """One seed and name are one weight, for one object and for two."""
    init = glorot.keras.GlorotUniform(seed=1)
    first = to_numpy(init((3, 4)))

    assert (to_numpy(init((3, 4))) == first).all()
    assert (to_numpy(glorot.keras.GlorotUniform(seed=1)((3, 4))) == first).all()
    assert not (to_numpy(glorot.keras.GlorotUniform(seed=1, name="b")((3, 4))) == first).any()


def test_attention_copies_its_initializer():
    """With a seed query and key are equal, as with Keras' own; without one they differ."""
    for seed, equal in ((1, True), (None, False)):
        init = glorot.keras.GlorotUniform(seed=seed)
        layer = layers.MultiHeadAttention(2, 4, kernel_initializer=init)
        layer.build((None, 3, 6), (None, 3, 6))
        query, key = (values(part.kernel) for part in (layer._query_dense, layer._key_dense))

        assert (query == key).all() == equal


def test_the_dtype_is_the_calls_then_the_objects_then_keras():
    """Keras passes a dtype; without one it is `keras.config.floatx()`."""
    init = glorot.keras.Ones()
    given = glorot.keras.Ones(dtype="bfloat16")
    before = keras.config.floatx()
    try:
        keras.config.set_floatx("float16")
        found = [to_numpy(each).dtype.name for each in (init((2,)), given((2,)))]
    finally:
        keras.config.set_floatx(before)

    assert found == ["float16", "bfloat16"]
    assert to_numpy(given((2,), "float32")).dtype == np.float32


@pytest.mark.parametrize("name", sorted(set(glorot.keras._classes._CLASSES) - {"Sparse", "Blocks"}))
def test_every_initializer_is_there_and_saves(name):
    """Class, signature, config and registration are those of the class in glorot."""
    cls, other = getattr(glorot.keras, name), getattr(glorot, name)
    init = cls(dtype="float16", **({"seed": 2**63, "name": "w"} if other.random else {}))
    config = keras.initializers.serialize(init)
    again = keras.initializers.deserialize(json.loads(json.dumps(config)))

    assert issubclass(cls, keras.initializers.Initializer)
    assert config["registered_name"] == f"glorot>{name}"
    assert type(again) is cls
    assert again.get_config() == init.get_config()
    assert again.initializer == other(dtype="float16")
    assert repr(again).startswith(f"{name}(")


def test_no_initializer_is_missing():
    """Every class of glorot has one here, exported and registered."""
    known = set(glorot.keras._classes._CLASSES)

    assert known == {cls for cls in vars(glorot) if _is_initializer(getattr(glorot, cls))}
    assert known <= set(glorot.keras.__all__)


def _is_initializer(value):
    """A class of glorot's that can be made."""
    return (
        isinstance(value, type)
        and issubclass(value, glorot.Initializer)
        and value is not glorot.Initializer
    )


def test_names_arguments_and_defaults_are_keras_own():
    """Each of Keras' classes is here and in glorot, STFT apart; its arguments come first, in its
    order and with its defaults, and `seed` and axes are called the same. Every name that Keras
    reads, glorot reads."""

    def arguments(cls):
        found = inspect.signature(cls).parameters.values()
        return [(p.name, p.default) for p in found if not p.name.endswith("_axes")]

    theirs = {name: cls for name, cls in vars(keras.initializers).items() if isinstance(cls, type)}
    known = set(theirs) & set(glorot.keras._classes._CLASSES)
    assert {cls.__name__ for cls in theirs.values()} - {
        name for cls in known for name in (cls, f"{cls}Initializer")
    } == {"Initializer", "STFT"}
    assert len(known) == 15
    for name in known:
        wanted = arguments(theirs[name])
        for ours in (getattr(glorot, name), getattr(glorot.keras, name)):
            assert arguments(ours)[: len(wanted)] == wanted, ours
        if "input_axes" in inspect.signature(theirs[name]).parameters:
            axes = {"input_axes": 0, "output_axes": (1, 2)}
            made = getattr(glorot, name)(**axes), theirs[name](**axes)
            assert made[0].fans((3, 4, 5)) == (3.0, 20.0)
            assert made[1].get_config()["input_axes"] == 0
    for name, cls in ALL_OBJECTS_DICT.items():
        if cls.__name__ not in {"Initializer", "STFT"}:
            assert type(glorot.get(name)).__name__ == cls.__name__.removesuffix("Initializer")


def test_sparse_and_blocks_save():
    """The two that need arguments; blocks may be this module's own."""
    forget = glorot.keras.Blocks(
        [glorot.keras.Zeros(), glorot.keras.Ones(), "zeros", "zeros"], [1, 1, 1, 1]
    )
    for init in (forget, glorot.keras.Sparse(0.5, seed=1), glorot.keras.Blocks("he_normal", 4)):
        again = keras.initializers.get(keras.initializers.serialize(init))
        assert again.get_config() == init.get_config()
    assert to_numpy(forget((8,))).tolist() == [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]


def test_a_model_with_our_initializers_reloads(tmp_path):
    """A `.keras` file holds configs and weights; both come back."""
    generator = keras.random.SeedGenerator(9)
    model = keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            layers.Conv2D(4, 3, kernel_initializer="glorot>HeNormal"),
            layers.Flatten(),
            layers.Dense(3, kernel_initializer=glorot.keras.Orthogonal(seed=1, name="head")),
            layers.Dense(2, kernel_initializer=glorot.keras.HeUniform(seed=generator)),
        ]
    )
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")

    assert bits(again) == bits(model)
    assert glorot.keras.fingerprint(again) == glorot.keras.fingerprint(model)
    assert again.layers[2].kernel_initializer.get_config() == {
        "gain": 1.0, "seed": 1, "stream": 1, "name": "head"
    }  # fmt: skip
    assert isinstance(again.layers[3].kernel_initializer.seed, keras.random.SeedGenerator)


def test_einsum_layers_tell_the_axes():
    """Keras' own protocol: input and output axes; the rest are batches, as the equation says."""
    init = glorot.HeNormal(seed=1)
    cases = {
        "abc,cde->abde": ((None, 4, 6), "IOO", (6, 4, 6)),
        "abcd,cde->abe": ((None, 4, 2, 3), "IIO", (2, 3, 5)),
        "bed,edf->bef": ((4, 5), "BIO", (4, 5, 6)),
    }
    for equation, (shape, letters, kernel_shape) in cases.items():
        output = {"abde": (None, 4, 6), "abe": (None, 5), "bef": (4, 6)}[equation[-4:].strip(">-")]
        layer = layers.EinsumDense(
            equation, output, kernel_initializer=glorot.keras.HeNormal(seed=1)
        )
        layer.build((None, *shape[1:]) if shape[0] is None else (None, *shape))
        wanted = init.replace(layout=letters)(kernel_shape)

        assert (values(layer._kernel) == wanted).all(), equation
        assert layer.kernel_initializer.input_axes is None  # the layer's own is not changed


def test_axes_of_the_user_win():
    """Layers ask only where nobody said anything, and configs keep who said it."""
    said = [
        glorot.keras.HeNormal(seed=1, layout="IOO"),
        glorot.keras.HeNormal(seed=1, input_axes=0, output_axes=2),
        glorot.keras.HeNormal(seed=1, equation="btd,dhk->bthk"),
    ]
    for init in said:
        again = keras.initializers.get(keras.initializers.serialize(init))
        layer = layers.EinsumDense("abc,cde->abde", (None, 4, 6), kernel_initializer=again)
        layer.build((None, 3, 6))

        assert (values(layer._kernel) == init.initializer((6, 4, 6), seed=1)).all()
    assert isinstance(said[0], keras.initializers.VarianceScaling)
    assert (said[0].scale, said[0].mode, said[0].distribution) == (
        2.0,
        "fan_in",
        "truncated_normal",
    )


class Called(keras.Model):
    """Layers in a list, without a `build` of its own."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, x):
        """One after the other."""
        for layer in self.inner:
            x = layer(x)
        return x


def test_a_model_that_is_built_by_a_call_gets_the_same():
    """Keras first finds out shapes without values, which takes no seeds and draws nothing."""
    found = []
    for called in (True, False):
        keras.utils.set_random_seed(5)
        made = [layers.Dense(4, kernel_initializer="glorot>HeNormal") for _ in range(2)]
        if called:
            Called(made)(np.ones((2, 3), "float32"))
        else:
            built(made[0], 3)
            built(made[1], 4)
        found.append([values(layer.kernel).tobytes() for layer in made])

    assert found[0] == found[1]


def test_initializers_refuse():
    """Wrong seeds, names and options are errors when the object is made."""
    for error, text, make in (
        (TypeError, "`seed` must be an integer, a keras.random.SeedGenerator",
         lambda: glorot.keras.HeNormal(seed=1.5)),
        (TypeError, "`seed` must be an integer", lambda: glorot.keras.HeNormal(seed=True)),
        (ValueError, r"Pass `seed % 2\*\*64`", lambda: glorot.keras.HeNormal(seed=-1)),
        (TypeError, "`name` must be a string", lambda: glorot.keras.HeNormal(seed=1, name=1)),
        (TypeError, "HeNormal has no option 'gains'", lambda: glorot.keras.HeNormal(gains=2)),
        (TypeError, "unexpected keyword argument 'seed'", lambda: glorot.keras.Zeros(seed=1)),
        (ValueError, "a block must have no seed and no name",
         lambda: glorot.keras.Blocks(glorot.keras.HeNormal(seed=1), 2)),
        (TypeError, "`initializer` must be one of glorot's", lambda: glorot.keras.wrap(len)),
        (TypeError, "Only floating point types are supported",
         lambda: glorot.keras.HeNormal(seed=1)((2, 2), "int32")),
        (ValueError, "`shape`", lambda: glorot.keras.HeNormal(seed=1)((-2, 2))),
    ):  # fmt: skip
        with pytest.raises(error, match=text):
            make()


# --- names ----------------------------------------------------------------------------------------


def tower(name=None):
    """A model in a model."""
    return keras.Sequential(
        [keras.Input((4,)), layers.Dense(3, name="fc"), layers.Dense(2), layers.Dense(2)], name=name
    )


def test_names_are_paths_without_the_models_own():
    """They do not depend on what else was made in this process."""
    names = []
    for _ in range(2):
        given = keras.Input((4,))
        both = layers.Concatenate()([tower("a")(given), tower("b")(given)])
        model = keras.Model(given, layers.Dense(2)(both))
        names.append(list(glorot.keras.shapes(model)))

    inner = ["fc.kernel", "fc.bias", "dense.kernel", "dense.bias", "dense_1.kernel", "dense_1.bias"]
    assert names[0] == names[1]
    assert names[0] == [f"{t}.{n}" for t in "ab" for n in inner] + ["dense.kernel", "dense.bias"]


def test_a_name_that_counts_is_kept_in_order():
    """Numbers follow the order in which the layers were made, not that of the call."""
    first, second = layers.Dense(2), layers.Dense(2)
    model = keras.Sequential([keras.Input((2,)), second, first, layers.Dense(3, name="dense_x")])
    specs = glorot.keras.shapes(model)

    assert list(specs)[::2] == ["dense_1.kernel", "dense.kernel", "dense_x.kernel"]


def test_weights_without_a_name():
    """Keras calls them by a class that has another name on each backend."""

    class Mine(keras.Layer):
        """Two weights."""

        def build(self, shape):
            """Nameless."""
            self.one = self.add_weight(shape=(2,))
            self.two = self.add_weight(shape=(2,))

    assert list(glorot.keras.shapes(built(Mine(), 3))) == ["variable", "variable_1"]


def shares():
    """Two models around one layer."""
    inner = layers.Dense(4, name="inner")
    a = keras.Sequential([keras.Input((4,)), inner], name="a")
    b = keras.Sequential([keras.Input((4,)), inner], name="b")
    given = keras.Input((4,))
    return keras.Model(given, b(a(given))), inner


def test_a_shared_weight_is_filled_once():
    """Under the first of its names to which the recipe gives an initializer."""
    model, inner = shares()
    report = glorot.keras.init(model, "he_normal", seed=SEED)

    assert report.parameters[0].names == ("a.inner.kernel", "b.inner.kernel")
    assert (
        values(inner.kernel) == glorot.HeNormal()((4, 4), seed=SEED, name="a.inner.kernel")
    ).all()
    rules = glorot.Recipe([glorot.Rule("a.*", None), glorot.Rule("b.*", "he_normal")])
    glorot.keras.init(model, rules, seed=SEED)
    assert (
        values(inner.kernel) == glorot.HeNormal()((4, 4), seed=SEED, name="b.inner.kernel")
    ).all()


def test_other_names():
    """A mapping or a function; the values are those of the new names."""
    layer = built(layers.Dense(3, use_bias=False), 4)
    for names in ({"kernel": "up.weight"}, lambda name: name.replace("kernel", "up.weight")):
        report = glorot.keras.init(layer, "he_normal", seed=SEED, names=names)
        wanted = glorot.HeNormal()((4, 3), seed=SEED, name="up.weight")

        assert report.parameters[0].name == "up.weight"
        assert (values(layer.kernel) == wanted).all()
        assert glorot.keras.fingerprint(layer, names=names) == glorot.fingerprint(
            {"up.weight": wanted}
        )
    for verb in (glorot.keras.explain, functools.partial(glorot.keras.init, seed=SEED)):
        with pytest.raises(ValueError, match=r"`names` has 'kernal', .* called. Near: kernel"):
            verb(layer, "he_normal", names={"kernal": "up.weight"})


# --- axes -----------------------------------------------------------------------------------------

# (layer, input shapes, {variable: (fan_in, fan_out)}), counted by hand from what each layer sums.
FANS = [
    (lambda: layers.Dense(3), [(4,)], {"kernel": (4, 3), "bias": (3, 3)}),
    (lambda: layers.Conv1D(8, 5), [(9, 4)], {"kernel": (20, 40)}),
    (lambda: layers.Conv2D(8, 3, groups=2), [(9, 9, 4)], {"kernel": (18, 36)}),
    (lambda: layers.Conv3D(2, (1, 2, 3)), [(4, 4, 4, 5)], {"kernel": (30, 12)}),
    (lambda: layers.Conv1DTranspose(8, 5), [(9, 4)], {"kernel": (20, 40)}),
    (lambda: layers.Conv2DTranspose(8, 3), [(9, 9, 4)], {"kernel": (36, 72)}),
    (lambda: layers.Conv3DTranspose(2, (1, 2, 3)), [(4, 4, 4, 5)], {"kernel": (30, 12)}),
    (lambda: layers.DepthwiseConv1D(5, depth_multiplier=2), [(9, 4)], {"kernel": (5, 10)}),
    (lambda: layers.DepthwiseConv2D(3, depth_multiplier=2), [(9, 9, 4)], {"kernel": (9, 18)}),
    (
        lambda: layers.SeparableConv2D(8, 3, depth_multiplier=2),
        [(9, 9, 4)],
        {"depthwise_kernel": (9, 18), "pointwise_kernel": (8, 8)},
    ),
    (
        lambda: layers.SeparableConv1D(8, 3),
        [(9, 4)],
        {"depthwise_kernel": (3, 3), "pointwise_kernel": (4, 8)},
    ),
    (
        lambda: layers.EinsumDense("abc,cde->abde", (None, 7, 6), bias_axes="de"),
        [(3, 5)],
        {"kernel": (5, 42), "bias": (42, 42)},
    ),
    (lambda: layers.EinsumDense("...x,xy->...y", 6), [(3, 5)], {"kernel": (5, 6)}),
    (lambda: layers.EinsumDense("bed,edf->bef", (4, 6)), [(4, 5)], {"kernel": (5, 6)}),
    (
        lambda: layers.MultiHeadAttention(2, 4, value_dim=3),
        [(5, 6), (5, 6)],
        {
            "query.kernel": (6, 8),
            "key.kernel": (6, 8),
            "value.kernel": (6, 6),
            "attention_output.kernel": (6, 6),
        },
    ),
    (
        lambda: layers.GroupQueryAttention(3, 4, 2),
        [(5, 6), (5, 6)],
        {"query.kernel": (6, 12), "key.kernel": (6, 6), "attention_output.kernel": (12, 6)},
    ),
    (lambda: layers.Embedding(100, 8), [(5,)], {"embeddings": (8, 8)}),
    (
        lambda: layers.SimpleRNN(3),
        [(5, 6)],
        {"simple_rnn_cell.kernel": (6, 3), "simple_rnn_cell.recurrent_kernel": (3, 3)},
    ),
    (
        lambda: layers.LSTM(3),
        [(5, 6)],
        {
            "lstm_cell.kernel": (6, 3),
            "lstm_cell.recurrent_kernel": (3, 3),
            "lstm_cell.bias": (3, 3),
        },
    ),
    (
        lambda: layers.GRU(3),
        [(5, 6)],
        {"gru_cell.kernel": (6, 3), "gru_cell.recurrent_kernel": (3, 3), "gru_cell.bias": (3, 3)},
    ),
    (lambda: layers.GRU(3, reset_after=False), [(5, 6)], {"gru_cell.bias": (3, 3)}),
    (
        lambda: layers.ConvLSTM1D(3, 2),
        [(5, 7, 6)],
        {"conv_lstm_cell.kernel": (12, 6), "conv_lstm_cell.recurrent_kernel": (6, 6)},
    ),
    (lambda: layers.TimeDistributed(layers.Dense(3)), [(5, 4)], {"dense.kernel": (4, 3)}),
    (layers.LayerNormalization, [(4,)], {"gamma": (4, 4), "beta": (4, 4)}),
]


@pytest.mark.parametrize(("make", "shapes", "fans"), FANS)
def test_fans_of_every_layer(make, shapes, fans):
    """Each weight's fans are what its layer sums over, and the law is scaled by them."""
    layer = make()
    layer.build(*((None, *shape) for shape in shapes))
    for mode, side in (("fan_in", 0), ("fan_out", 1)):
        init = glorot.VarianceScaling(1.0, mode, "untruncated_normal")
        found = {a.name: a for a in glorot.keras.explain(layer, init)}
        for name, wanted in fans.items():
            assert found[name].fans == wanted, name
            assert found[name].stddev == pytest.approx(wanted[side] ** -0.5), name


def test_a_wrapper_that_holds_the_kernel_too_did_not_make_it():
    """Class and axes are those of the layer inside, whichever name counts."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.SpectralNormalization(keras.layers.Conv2DTranspose(6, 3, name="up")),
        ]
    )
    kernel = glorot.keras.shapes(model)["spectral_normalization.kernel"]
    assert (kernel.type, kernel.layout) == ("Conv2DTranspose", "keras.conv_transpose")
    assert kernel.tags == ("Sequential", "SpectralNormalization")
    found = glorot.keras.explain(model, "glorot_uniform")[0]
    assert found.fans == (27, 54)


def test_fans_by_the_shape_alone_would_be_wrong():
    """The table tells them apart from Keras' own rule, which sees no layer."""
    shapes = {
        5: (3, 3, 8, 4),  # a transposed convolution as a plain one
        2: (3, 3, 2, 8),  # groups
        8: (3, 3, 4, 2),  # a depthwise convolution
        14: (6, 2, 4),  # heads
        18: (6, 12),  # gates
    }
    for place, shape in shapes.items():
        assert next(iter(FANS[place][2].values())) != glorot.HeNormal().fans(shape)


def test_gates_are_blocks():
    """An orthogonal matrix a gate; the law of a gate alone, on the index of the whole weight."""
    layer = built(layers.LSTM(4), 5, 6)
    report = glorot.keras.init(
        layer,
        glorot.Recipe(
            [glorot.Rule("*.recurrent_kernel", "orthogonal"), glorot.Rule("*", "he_normal")]
        ),
        seed=SEED,
    )
    kernel, recurrent = values(layer.cell.kernel), values(layer.cell.recurrent_kernel)
    wanted = glorot.HeNormal()((6, 16), seed=SEED, name="lstm_cell.kernel")

    assert (kernel == wanted).all()
    for gate in np.split(recurrent, 4, axis=1):
        np.testing.assert_allclose(gate @ gate.T, np.eye(4), atol=1e-6)
    assert isinstance(report.parameters[0].initializer, glorot.Blocks)


def test_a_rule_says_how_gates_are_cut():
    """`blocks` of a rule wins: one block is the whole, and a forget bias of ones is a change."""
    layer = built(layers.LSTM(4), 5, 6)
    rules = glorot.Recipe(
        [
            glorot.Rule(
                "*.bias", "zeros", blocks={"parts": "keras.lstm", "change": {"forget": "ones"}}
            ),
            glorot.Rule("*", "glorot_uniform", blocks=1),
        ]
    )
    glorot.keras.init(layer, rules, seed=SEED)
    whole = glorot.GlorotUniform()((6, 16), seed=SEED, name="lstm_cell.kernel")

    assert (values(layer.cell.kernel) == whole).all()
    assert values(layer.cell.bias).tolist() == [0.0] * 4 + [1.0] * 4 + [0.0] * 8


def test_rules_may_ask_for_the_layer():
    """`type` is the layer's class, `tag` a class of one around it."""
    model = keras_models.everything()
    rules = glorot.Recipe(
        [
            glorot.Rule("*", "ones", where={"tag": "MultiHeadAttention"}),
            glorot.Rule("*", "zeros", where={"type": ["LSTMCell", "GRUCell"]}),
            glorot.Rule("*", "he_normal"),
        ]
    )
    found = {p.name: p.law for p in glorot.keras.init(model, rules, seed=SEED).parameters}

    assert found["multi_head_attention.query.kernel"] == "Ones"
    assert found["bidirectional.forward_lstm.lstm_cell.kernel"] == "Zeros"
    assert found["dense.kernel"].startswith("TN(")


# --- init -----------------------------------------------------------------------------------------


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


# --- JAX ------------------------------------------------------------------------------------------


# What each class is made of and called with, where it is not nothing and (6, 4).
ARGUMENTS = {"Sparse": (0.5,), "Blocks": ("he_normal", 2), "SinCosGrid": ((3, 2),)}
CONVOLUTIONS = {"Dirac", "DeltaOrthogonal"}


@only_on("jax")
@pytest.mark.parametrize("name", sorted(glorot.keras._classes._CLASSES))
def test_traced(name):
    """Under `jax.jit`, and as Keras jits an initializer whose result is sharded: every class."""
    import jax

    cls = getattr(glorot.keras, name)
    options = {"seed": SEED, "name": "w"} if cls.of.random else {}
    made = cls(*ARGUMENTS.get(name, ()), **options)
    shape = (3, 3, 4, 6) if name in CONVOLUTIONS else (6, 4)
    wanted = to_numpy(made(shape))
    jitted = jax.jit(made.__call__, static_argnames=["shape", "dtype"])

    assert to_numpy(jax.jit(lambda: made(shape))()).tobytes() == wanted.tobytes()
    assert to_numpy(jitted(shape=shape, dtype="float32")).tobytes() == wanted.tobytes()


@only_on("jax")
def test_what_is_traced_is_seen():
    """As JAX says it by a computation, inside of each transformation, out of it, on a thread."""
    import jax
    import jax.numpy as jnp

    found = {}

    def look(where, value=0.0):
        traced = isinstance(jnp.zeros(()), jax.core.Tracer)
        assert _tensors._tracing() == traced, where
        found[where] = traced
        return value

    def inside(value):
        with jax.ensure_compile_time_eval():
            look("known as it is compiled")
        return look("jit", value)

    look("nothing")
    jax.jit(inside)(1.0)
    jax.eval_shape(lambda: look("eval_shape"))
    jax.vmap(lambda value: look("vmap", value))(jnp.ones(2))
    jax.grad(lambda value: look("grad", value))(1.0)
    jax.jit(jax.vmap(lambda value: look("vmap in jit", value)))(jnp.ones(2))
    jax.lax.fori_loop(0, 2, lambda _, value: look("loop", value), 1.0)
    with jax.disable_jit():
        jax.jit(lambda: look("jit that is off"))()
    thread = threading.Thread(target=look, args=("thread",))
    thread.start()
    thread.join()
    look("nothing again")

    assert {where for where, traced in found.items() if traced} == {
        *("jit", "eval_shape", "vmap in jit", "loop"),
    }
    assert len(found) == 11


@only_on("tensorflow")
def test_values_are_tensorflows_own():
    """A tensor takes over the memory that was filled, which no other has; in a graph and of a
    narrow type it is a copy."""
    import tensorflow as tf

    init = glorot.keras.HeNormal(seed=SEED, name="w")
    for dtype in ("float32", "float64", "float16", "bfloat16"):
        wanted = glorot.HeNormal()((6, 4), dtype, seed=SEED, name="w").tobytes()
        eager = [init((6, 4), dtype) for _ in range(2)]
        graph = tf.function(lambda dtype=dtype: init((6, 4), dtype))
        changed = keras.Variable(eager[0])
        changed.assign(changed + 1)
        made = [*eager, graph(), init((6, 4), dtype)]
        assert [to_numpy(value).tobytes() == wanted for value in made] == [True] * 4, dtype
        assert [value.dtype for value in made] == [tf.dtypes.as_dtype(dtype)] * 4
        assert to_numpy(changed.value).tobytes() != wanted


@only_on("jax")
def test_tracing_needs_a_seed():
    """The global generator would be asked once for all runs; one that is passed is traced."""
    import jax

    with pytest.raises(ValueError, match="tracing"):
        jax.jit(lambda: glorot.keras.HeNormal()((2, 2)))()


@only_on("tensorflow")
def test_in_a_tf_function():
    """Each run takes the next seed; with one the value is that of everywhere."""
    import tensorflow as tf

    def runs(seed, wrap):
        keras.utils.set_random_seed(3)
        init = glorot.keras.HeNormal(seed=seed and keras.random.SeedGenerator(seed))
        init((2, 2))  # or TensorFlow traces anew, for the global generator that Keras makes
        call = wrap(lambda: init((2, 2)))
        return [call().numpy().tobytes() for _ in range(3)]

    for seed in (None, 3):
        assert len(set(runs(seed, tf.function))) == 3
        assert runs(seed, tf.function) == runs(seed, lambda call: call)
    found = tf.function(lambda: glorot.keras.HeNormal(seed=SEED)((2, 2)))()
    assert (found.numpy() == glorot.HeNormal()((2, 2), seed=SEED)).all()


@only_on("tensorflow")
def test_a_graph_of_tensorflow_1_needs_a_seed():
    """Nothing is eager around it, so there is no next seed."""
    import tensorflow as tf

    with tf.Graph().as_default(), pytest.raises(ValueError, match=r"tf\.Graph\. Give it `seed`"):
        glorot.keras.HeNormal()((2, 2))


@pytest.mark.parametrize("jit_compile", [False] if BACKEND == "torch" else [False, True])
def test_layers_that_fit_builds(jit_compile):
    """A Sequential model without an Input is built by its first batch, inside of the train step's
    graph on TensorFlow: it has the weights of one that was built before."""

    def make(build):
        keras.utils.set_random_seed(3)
        ours = {"kernel_initializer": glorot.keras.HeNormal()}
        model = keras.Sequential([layers.Dense(5, **ours), layers.Dense(3, **ours)])
        model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=jit_compile)
        build(model)
        return glorot.keras.fingerprint(model)

    x, y = np.ones((6, 4), "float32"), np.ones((6, 3), "float32")
    fitted = make(lambda model: model.fit(x, y, batch_size=2, verbose=0))
    assert fitted == make(lambda model: model.build((None, 4)))


@contextlib.contextmanager
def four_devices():
    """Kernels split by columns over four devices: of dense layers and of 1 x 1 convolutions."""
    devices = keras.distribution.list_devices()
    assert len(devices) == 4
    layout = keras.distribution.LayoutMap(keras.distribution.DeviceMesh((4,), ["model"], devices))
    layout["dense.*kernel"] = (None, "model")
    layout["conv_pw.*kernel"] = (None, None, None, "model")
    with keras.distribution.ModelParallel(layout_map=layout, batch_dim_name="model").scope():
        yield


@only_on("jax")
def test_each_device_has_its_part():
    """Under ModelParallel the values are those without it, by the initializer and by `init`."""
    init = glorot.keras.GlorotUniform(seed=SEED, name="w")
    wanted = glorot.GlorotUniform()((6, 8), seed=SEED, name="w")
    with four_devices():
        layer = built(layers.Dense(8, name="dense", kernel_initializer=init), 6)
        free = built(layers.Dense(8, name="dense_1", kernel_initializer="glorot>HeNormal"), 6)
    array = layer.kernel._value

    assert len(array.sharding.device_set) == 4
    assert {part.data.shape for part in array.addressable_shards} == {(6, 2)}
    assert (values(layer.kernel) == wanted).all()
    assert len(set(values(free.kernel).ravel().tolist())) > 40

    report = glorot.keras.init(layer, "he_normal", seed=SEED)
    array = layer.kernel._value
    assert (values(layer.kernel) == glorot.HeNormal()((6, 8), seed=SEED, name="kernel")).all()
    assert {part.data.shape for part in array.addressable_shards} == {(6, 2)}
    assert [shard.start for shard in report.parameters[0].shards] == [
        (0, 0),
        (0, 2),
        (0, 4),
        (0, 6),
    ]
    assert report.parameters[1].count == 8  # replicated: computed once
    assert glorot.keras.fingerprint(layer) == glorot.fingerprint(
        {"kernel": values(layer.kernel), "bias": values(layer.bias)}
    )


@only_on("jax")
def test_weights_stay_on_their_device():
    """One that was made on another device than JAX's first is filled there, and may be moved still:
    the weights of a model made on the host do not go to the accelerator."""
    import jax

    with keras.device("cpu:2"):
        model = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(2)])
    model.layers[0].bias.assign(jax.device_put(np.ones(3, "float32"), jax.devices()[1]))

    def places():
        return [(*w._value.devices(), w._value.committed) for w in model.weights]

    before = places()
    glorot.keras.init(model, RECIPE, seed=SEED)
    devices = jax.devices()
    assert before == [(devices[2], False), (devices[1], True), *[(devices[2], False)] * 2]
    assert places() == before
    assert assert_initialized(model, RECIPE, seed=SEED).ok


@only_on("jax")
def test_an_application_model_sharded_is_whole():
    """Every weight of MobileNet over four devices has NumPy's bytes, its 1 x 1 kernels in four
    parts."""
    with four_devices():
        model = keras_models.application()
    report = glorot.keras.init(model, RECIPE, seed=SEED)
    found = {p.names[0]: p.variable for p in glorot.keras._names.collect(model).parameters}

    assert len(report.parameters) == len(found) == len(model.trainable_weights)
    cut = 0
    for each in report.parameters:
        wanted = each.initializer(each.shape, each.dtype, seed=SEED, name=each.name)
        assert values(found[each.name]).tobytes() == wanted.tobytes(), each.name
        parts = {part.data.shape for part in found[each.name]._value.addressable_shards}
        cut += parts == {(*each.shape[:-1], each.shape[-1] // 4)}
    assert cut == 13


@only_on("jax")
def test_no_64_bit_types():
    """What JAX would narrow in silence is refused."""
    with pytest.raises(TypeError, match="float64 needs JAX's 64-bit types"):
        glorot.keras.HeNormal(seed=1)((2, 2), "float64")


# --- docs -----------------------------------------------------------------------------------------

MODULES = ["glorot.keras"] + [
    found.name for found in pkgutil.walk_packages(glorot.keras.__path__, "glorot.keras.")
]


@pytest.mark.parametrize("module", MODULES)
def test_docstring_examples_run(module):
    """Every example in a docstring prints what it shows."""
    result = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)

    assert result.failed == 0


def test_the_page_runs():
    """docs/keras.md prints what it shows."""
    page = Path(__file__).parents[2] / "docs" / "keras.md"
    result = doctest.testfile(str(page), module_relative=False, optionflags=doctest.ELLIPSIS)

    assert result.attempted > 10
    assert result.failed == 0
