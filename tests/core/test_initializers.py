# SPDX-License-Identifier: Apache-2.0
"""What every initializer is: a frozen value, whose options are checked when it is made."""

import copy
import inspect
import json
import math
import pickle
import re
from fractions import Fraction

import pytest
from initializer_cases import EXAMPLES, shape_for

import glorot
from glorot._registry import _CLASSES

B = "got an integer of 1329 bits"  # 10**400


def test_examples_hold_every_class():
    """The tests that take them see every class there is."""
    assert {type(init) for init in EXAMPLES} == set(_CLASSES.values())


@pytest.mark.parametrize("init", EXAMPLES, ids=lambda init: type(init).__name__)
def test_values_round_trip(init):
    """repr, config, JSON, pickle, deepcopy and serialize give back an equal value."""
    config = init.get_config()
    before = copy.deepcopy(config)

    assert eval(repr(init), vars(glorot)) == init
    assert type(init).from_config(config) == init
    assert type(init).from_config(json.loads(json.dumps(config))) == init
    assert config == before
    assert pickle.loads(pickle.dumps(init)) == init
    assert copy.deepcopy(init) == init
    assert glorot.deserialize(json.loads(json.dumps(glorot.serialize(init)))) == init
    assert hash(pickle.loads(pickle.dumps(init))) == hash(init)
    assert init.replace() == init


def test_values_differ_by_class_and_options():
    """Initializers are equal only if class and all options are."""
    same = glorot.GlorotUniform(seed=1, batch_axes=[0])

    assert same == glorot.GlorotUniform(1, "float32", batch_axes=(0,))
    assert same != glorot.GlorotUniform(seed=1)
    assert same != glorot.GlorotUniform(seed=2, batch_axes=[0])
    assert glorot.GlorotUniform(seed=1) != glorot.HeUniform(seed=1)
    assert glorot.GlorotUniform(seed=1) != 1
    assert len({*EXAMPLES, *EXAMPLES}) == len(EXAMPLES)


def test_values_cannot_be_changed():
    """Attributes can neither be set nor deleted."""
    init = glorot.GlorotUniform(seed=1)

    with pytest.raises(AttributeError, match=r"use .replace\(seed=...\)"):
        init.seed = 2
    with pytest.raises(AttributeError, match="GlorotUniform cannot be changed"):
        del init.seed
    assert init.replace(seed=2).seed == 2


def test_options_can_be_read():
    """Options, defaults included, are attributes."""
    init = glorot.GlorotUniform(seed=1, layout="torch.conv")

    assert (init.scale, init.mode, init.distribution) == (1.0, "fan_avg", "uniform")
    assert (init.layout, init.groups, init.gain, init.order) == ("torch.conv", 1, 1.0, "stored")
    assert isinstance(init, glorot.VarianceScaling)


def test_repr_shows_what_was_chosen():
    """A repr is short: a missing seed and float32 are left out."""
    assert repr(glorot.GlorotUniform()) == "GlorotUniform()"
    assert repr(glorot.RandomNormal(stddev=0.02, seed=1, dtype="float64")) == (
        "RandomNormal(mean=0.0, stddev=0.02, seed=1, dtype='float64')"
    )


def test_the_signatures_are_the_pages():
    """GlorotUniform is a VarianceScaling made by (seed, dtype) and called by (shape, dtype,
    partition_info), as on TensorFlow's page; all else comes by keyword."""

    def split(function):
        found = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
        by_place = [(p.name, p.default) for p in found if p.kind is p.POSITIONAL_OR_KEYWORD]
        return by_place, {p.name: p.default for p in found if p.kind is p.KEYWORD_ONLY}

    assert issubclass(glorot.GlorotUniform, glorot.VarianceScaling)
    init = glorot.GlorotUniform()
    assert (init.scale, init.mode, init.distribution) == (1.0, "fan_avg", "uniform")
    assert split(glorot.GlorotUniform)[0] == [("seed", None), ("dtype", "float32")]
    for cls in _CLASSES.values():
        by_place, by_keyword = split(cls.__call__)
        assert by_place == [
            ("shape", inspect.Parameter.empty), ("dtype", None), ("partition_info", None)
        ]  # fmt: skip
        assert by_keyword == {"seed": None, "name": "", "shard": None, "out": None}, cls


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: glorot.GlorotUniform(stream=2), ValueError, "`stream` must be 1, the only"),
        (lambda: glorot.GlorotUniform(seed=True), TypeError, "`seed` must be an integer"),
        (lambda: glorot.GlorotUniform(dtype="int8"), TypeError, "Only floating point types"),
        (lambda: glorot.GlorotUniform(gain=0), ValueError, "`gain` must be above 0, got 0"),
        (lambda: glorot.VarianceScaling(0), ValueError, "`scale` must be above 0, got 0"),
        (lambda: glorot.VarianceScaling(scale="2"), TypeError, "`scale` must be a number, got '2'"),
        (lambda: glorot.VarianceScaling(mode="fan"), ValueError,
         "`mode` must be one of fan_in, fan_out, fan_avg, fan_geo_avg; got 'fan'"),
        (lambda: glorot.VarianceScaling(distribution="normal"), ValueError,
         "`distribution` must be one of uniform, truncated_normal, untruncated_normal; got"),
        (lambda: glorot.RandomUniform(1, 1), ValueError, "`minval` must be below `maxval`"),
        (lambda: glorot.RandomUniform(-1.7e308, 1.7e308), ValueError, "`minval` and `maxval` must"),
        (lambda: glorot.RandomUniform(1e308, 1.5e308), ValueError, "got minval=1e+308, maxval=1."),
        (lambda: glorot.RandomNormal(stddev=-1), ValueError, "`stddev` must not be negative"),
        (lambda: glorot.RandomNormal(mean=True), TypeError, "`mean` must be a number, got True"),
        (lambda: glorot.TruncatedNormal(lower=3), ValueError, "`lower` must be below `upper`"),
        (lambda: glorot.Sparse(1.5), ValueError, "`sparsity` must lie in [0, 1], got 1.5"),
        (lambda: glorot.Orthogonal(groups=2), TypeError, "Orthogonal has no option 'groups'"),
        (lambda: glorot.Constant("a"), TypeError, "`value` must be one number, got 'a' of str"),
        (lambda: glorot.Constant(math.inf), ValueError, "`value` must be finite, got inf"),
        (lambda: glorot.Constant(0.5, "int8"), ValueError, "`value`=0.5 cannot be held in int8"),
        (lambda: glorot.Constant(300, "int8"), ValueError, "`value`=300 cannot be held in int8"),
        (lambda: glorot.Constant(10**400), ValueError, "cannot be held in float32"),
        (lambda: glorot.Constant(-1, "uint8"), ValueError, "cannot be held in uint8"),
        (lambda: glorot.Constant(2, "bool"), ValueError, "cannot be held in bool"),
        (lambda: glorot.Constant(500, "float8_e4m3fn"), ValueError, "cannot be held in float8"),
        (lambda: glorot.Identity(1e9, "float16"), ValueError, "cannot be held in float16"),
        (lambda: glorot.Dirac(0), ValueError, "`groups` must be at least 1"),
        (lambda: glorot.VarianceScaling(10**400), ValueError, "`scale` must be below 1.8e308"),
        (lambda: glorot.RandomNormal(0, 10**400), ValueError, "`stddev` must be below 1.8e308"),
        (lambda: glorot.RandomNormal(Fraction(10**5000)), ValueError, "got a long Fraction"),
        (lambda: glorot.Dirac(10**400), ValueError, f"`groups` must be below 2**63, {B}"),
        (lambda: glorot.Dirac(-(10**400)), ValueError, f"`groups` must be at least 1, {B}"),
        (lambda: glorot.HeNormal(10**400), ValueError, f"`seed` must lie in [0, 2**64), {B}"),
        (lambda: glorot.HeNormal(10**5000), ValueError, "2**64), got an integer of 16610 bits"),
        (lambda: glorot.HeNormal(stream=10**400), ValueError, "the only version so far, " + B),
        (lambda: glorot.HeNormal(batch_axes=10**400), ValueError, f"lie in [-64, 64), {B}"),
        (lambda: glorot.HeNormal(batch_axes=(10**400,)), ValueError, "got (an integer of 1329 "),
        (lambda: glorot.HeNormal(batch_axes=[10**400, 1.5]), TypeError, "1329 bits, 1.5]"),
        (lambda: glorot.Constant(10**5000), ValueError, "`value`=an integer of 16610 bits cannot"),
    ],
)  # fmt: skip
def test_bad_options_are_refused_at_construction(make, error, message):
    """An initializer that exists is one that can be called."""
    with pytest.raises(error, match=re.escape(message)):
        make()


@pytest.mark.parametrize("init", EXAMPLES, ids=lambda init: type(init).__name__)
def test_scaled_multiplies_the_standard_deviation(init):
    """`scaled` keeps the law and multiplies its spread; constants but zeros, logarithms
    and time steps, refuse."""
    fixed = (glorot.Ones, glorot.Constant, glorot.Dirac, glorot.LogArange, glorot.LogOfUniform,
             glorot.TimeStep, glorot.SamplingOffsets, glorot.SinCosGrid,
             glorot.Sinusoids)  # fmt: skip
    if isinstance(init, fixed):
        with pytest.raises(TypeError, match="has no spread to scale"):
            init.scaled(0.5)
        return
    shape = shape_for(init)
    half = init.scaled(0.5)

    assert type(half) is type(init)
    assert half.expected_stddev(shape) == pytest.approx(
        0.5 * init.expected_stddev(shape), rel=1e-12
    )
    with pytest.raises(ValueError, match="`factor` must be above 0, got 0"):
        init.scaled(0)


def test_factors_that_leave_nothing_are_refused():
    """A factor that takes a spread to 0 in float64 makes no initializer of zeros."""
    for init in (glorot.RandomNormal(stddev=1e-20), glorot.Sparse(0.5, 1e-20)):
        with pytest.raises(ValueError, match="`factor`=1e-305 times 1e-20 is 0 in float64"):
            init.scaled(1e-305)
    assert glorot.RandomNormal(stddev=0.0).scaled(0.5).stddev == 0.0


@pytest.mark.parametrize(
    "call",
    [
        lambda big: glorot.HeNormal(dtype=big),
        lambda big: glorot.HeNormal(layout=big),
        lambda big: glorot.HeNormal(equation=big),
        lambda big: glorot.HeNormal(seed=1)((2,), name=big),
        lambda big: glorot.HeNormal(seed=1)((2,), shard=(big,)),
        lambda big: glorot.HeNormal(seed=1)((2,), shard=big),
        glorot.get,
        glorot.serialize,
        lambda big: glorot.deserialize({"class_name": big}),
        glorot.deserialize,
    ],
)
def test_numbers_too_long_to_print_are_shown_by_their_bits(call):
    """Where a number of thousands of digits is out of place, the message is still ours."""
    with pytest.raises((TypeError, ValueError), match=r"^[`i].*(16610 bits|a long dict)"):
        call(10**5000)


def test_config_of_the_installation():
    """`glorot.config()` says versions, kernel and threads."""
    config = glorot.config()

    assert config["stream"] == 1
    assert config["threads"] >= 1
    assert config["version"] == glorot.__version__


def test_public_names_exist_and_are_sorted():
    """`__all__` is sorted and all of its names in this file's part of the library exist."""
    lazy = {"checkpoint", "compat", "recipe", "replay", "Recipe", "Rule", "gain"}

    assert glorot.__all__ == sorted(glorot.__all__)
    assert all(hasattr(glorot, name) for name in glorot.__all__ if name not in lazy)
    assert set(dir(glorot)) >= {*glorot.__all__, "__version__"}
    with pytest.raises(AttributeError, match="module 'glorot' has no attribute 'nothing'"):
        _ = glorot.nothing
