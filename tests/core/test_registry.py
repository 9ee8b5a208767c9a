# SPDX-License-Identifier: Apache-2.0
"""Names and configs lead to initializers, other libraries' names included."""

import re

import pytest

import glorot
from glorot._registry import _CLASSES, ALIASES, snake_case


@pytest.mark.parametrize("name", sorted(_CLASSES))
def test_classes_go_by_two_names(name):
    """CamelCase and snake_case both name a class."""
    lacking = {"Sparse": "sparsity=...", "Blocks": "initializers=..., sizes=..."}.get(name)
    if lacking is not None:
        text = f"^{name} needs {lacking}, which has no default.$"
        with pytest.raises(TypeError, match=text):
            glorot.get(name)
        with pytest.raises(TypeError, match=text):
            glorot.deserialize({"class_name": name})
        return

    assert glorot.get(name) == glorot.get(snake_case(name)) == _CLASSES[name]()
    assert getattr(glorot, name) is _CLASSES[name]


def test_snake_case():
    """Words are split where a capital follows a small letter."""
    assert snake_case("DeltaOrthogonal") == "delta_orthogonal"


@pytest.mark.parametrize(
    ("alias", "meant"),
    [
        ("xavier_uniform", glorot.GlorotUniform()),
        ("XavierUniform", glorot.GlorotUniform()),
        ("xavier_normal", glorot.VarianceScaling(1.0, "fan_avg", "untruncated_normal")),
        ("kaiming_uniform", glorot.HeUniform()),
        ("kaiming_normal", glorot.VarianceScaling(2.0, "fan_in", "untruncated_normal")),
        ("uniform", glorot.RandomUniform()),
        ("normal", glorot.RandomNormal()),
        ("trunc_normal", glorot.TruncatedNormal()),
        ("zero", glorot.Zeros()),
        ("one", glorot.Ones()),
        ("eye", glorot.Identity()),
        ("orthogonal_initializer", glorot.Orthogonal()),
        ("identity_initializer", glorot.Identity()),
    ],
)
def test_aliases(alias, meant):
    """Other libraries' names give their law; torch's normals are not truncated."""
    assert glorot.get(alias) == meant


def test_every_alias_is_tested():
    """The table above is the whole alias table."""
    aliases = {alias for mark in test_aliases.pytestmark for alias, _ in mark.args[1]}

    assert aliases - {"XavierUniform"} == set(ALIASES)


def test_what_is_an_initializer_already():
    """None, instances, classes, dicts and callables are all identifiers."""
    init = glorot.HeNormal(seed=1)

    assert glorot.get(None) is None
    assert glorot.get(init) is init
    assert glorot.get(glorot.HeNormal) == glorot.HeNormal()
    assert glorot.get(glorot.serialize(init)) == init
    assert glorot.get(len) is len


def test_keras_dicts_are_read():
    """What Keras serialises names the same law."""
    keras = {
        "module": "keras.initializers",
        "class_name": "GlorotUniform",
        "config": {"seed": 1, "input_axes": None, "output_axes": None},
        "registered_name": None,
    }

    assert glorot.deserialize(keras) == glorot.GlorotUniform(seed=1)
    older = keras | {"class_name": "OrthogonalInitializer", "config": {"gain": 2.0, "seed": 1}}
    assert glorot.deserialize(older) == glorot.Orthogonal(2.0, seed=1)  # as Keras 3.3 writes it


@pytest.mark.parametrize(
    ("identifier", "error", "message"),
    [
        ("glorot_unifrom", ValueError, "no initializer is called 'glorot_unifrom'. Near: glorot_"),
        ("zzz", ValueError, "no initializer is called 'zzz'. There are: zeros"),
        (3, TypeError, "`identifier` must be None, an initializer or its class"),
        ({"class": "Zeros"}, ValueError, "must be a dict of `class_name` and `config`"),
        ({"class_name": "HeNormal", "config": 5}, TypeError, "`config` of HeNormal must be a dict"),
        ({"class_name": "HeNormal", "config": []}, TypeError, "a dict of its options, got []"),
        ({"class_name": "HeNormal", "config": {1: 2}}, TypeError, "of its options, got {1: 2}"),
        ({"class_name": "Zeroes"}, ValueError, "no initializer is called 'Zeroes'. Near: zero"),
        ({"class_name": "HeNormal", "config": {"stream": 2}}, ValueError, "`stream` must be 1"),
    ],
)
def test_unknown_identifiers_are_refused(identifier, error, message):
    """What names no initializer is an error with near names."""
    with pytest.raises(error, match=re.escape(message)):
        glorot.get(identifier)


@pytest.mark.parametrize("config", [5, "x", [], None])
def test_what_is_no_dict_is_not_deserialised(config):
    """`deserialize` reads dicts alone, and shows what came."""
    text = f"`config` must be a dict of `class_name` and `config`, got {config!r} of"

    with pytest.raises(TypeError, match=re.escape(text)):
        glorot.deserialize(config)


@pytest.mark.parametrize(
    "name",
    [
        *("xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "trunc_normal"),
        *("uniform", "normal", "orthogonal", "dirac", "zeros", "ones", "constant", "eye"),
    ],
)
def test_torch_s_names_keep_their_underscore(name):
    """PyTorch's functions end in an underscore: with it a name means the same."""
    assert glorot.get(f"{name}_") == glorot.get(name)


def test_only_initializers_are_serialised():
    """A callable of someone else's has no config."""
    with pytest.raises(TypeError, match="`initializer` must be one of glorot's"):
        glorot.serialize(len)


def test_a_subclass_is_not_written_as_its_base():
    """A name and options would make another initializer of it, perhaps of the same name."""

    class Mine(glorot.GlorotUniform):
        """Another class."""

    same = type("GlorotUniform", (glorot.GlorotUniform,), {})
    for cls in (Mine, same):
        text = r"got \w+\(\) of a subclass of GlorotUniform, which nothing could read back"
        for ask in (
            glorot.serialize,
            lambda init: glorot.Rule("*", init),
            lambda init: glorot.Rule("*", type(init)),
            lambda init: glorot.Blocks(init, 2).get_config(),
        ):
            with pytest.raises(TypeError, match=text):
                ask(cls())
        assert (cls(seed=1)((3, 4)) == glorot.GlorotUniform(seed=1)((3, 4))).all()
