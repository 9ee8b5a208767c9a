# SPDX-License-Identifier: Apache-2.0
"""glorot.keras' initializers: seeds, dtypes, configs, the arguments of Keras' own.

Run by test_keras.py on each backend.
"""

import inspect
import json

import keras
import numpy as np
import pytest
from keras import layers
from keras.src.initializers import ALL_OBJECTS_DICT
from keras_init_cases import MARKS, bits, built, values

import glorot
import glorot.keras
from glorot.keras._tensors import to_numpy

pytestmark = MARKS


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
