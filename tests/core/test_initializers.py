# SPDX-License-Identifier: Apache-2.0
"""What every initializer is: a frozen value, called with a shape."""

import copy
import inspect
import json
import math
import pickle
import re
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest

import glorot
from glorot._registry import _CLASSES

# One of each class with options that are not the default, shown as its repr.
EXAMPLES = [
    glorot.Zeros("int32"),
    glorot.Ones("bfloat16"),
    glorot.Constant(3),
    glorot.Identity(2.0),
    glorot.Dirac(2, layout="torch.conv"),
    glorot.RandomUniform(-1.0, 2.0, seed=1),
    glorot.RandomNormal(0.5, 0.1, seed=2, dtype="float16"),
    glorot.TruncatedNormal(stddev=0.02, lower=-3.0, upper=3.0),
    glorot.VarianceScaling(2.0, "fan_geo_avg", "untruncated_normal", seed=np.uint64(2**64 - 1)),
    glorot.GlorotUniform(seed=1, layout="torch.conv", groups=4, order="canonical", gain=2),
    glorot.GlorotNormal(equation="bd,df->bf"),
    glorot.HeUniform(input_axes=[0, 1], output_axes=2, batch_axes=3),
    glorot.HeNormal(fan_in=3, fan_out=4.5),
    glorot.LecunUniform(),
    glorot.LecunNormal(dtype=np.float64),
    glorot.Orthogonal(2.0, seed=3, layout="torch.linear"),
    glorot.DeltaOrthogonal(seed=3, layout="torch.conv"),
    glorot.Sparse(0.5, seed=3, order="canonical", layout="OI"),
    glorot.LogArange(0),
    glorot.SinCosGrid((4, 2), base=100.0),
    glorot.Sinusoids(100.0, endpoint=True, interleaved=True, first=2),
    glorot.LogOfUniform(0.01, 16.0, seed=5),
    glorot.TimeStep(0.002, 0.5, seed=5),
    glorot.Blocks(["zeros", glorot.HeNormal(layout="torch.linear")], [1, 3], repeat=2, seed=4),
]


def shape_for(init):
    """A shape that the example's axes options fit."""
    dense = (glorot.GlorotNormal, glorot.Orthogonal, glorot.Sparse, glorot.Identity, glorot.Blocks,
             glorot.SinCosGrid, glorot.Sinusoids)  # fmt: skip
    return (8, 4) if isinstance(init, dense) else (8, 4, 3, 3)


B = "got an integer of 1329 bits"  # 10**400
RANDOM = [init for init in EXAMPLES if init.random]


def test_examples_hold_every_class():
    """The tests below see every class there is."""
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


def test_first_value_of_the_stream():
    """The values of the README: they may never change."""
    w = glorot.GlorotUniform(seed=42)((2, 2), name="w")

    assert w.tolist() == [
        [-0.7239217758178711, 1.1547690629959106],
        [-0.9075005054473877, -1.0743486881256104],
    ]


def test_equal_seed_and_name_give_equal_words():
    """Whatever the shape or the initializer, seed and name decide the random words."""
    wide = glorot.RandomUniform(-1.0, 1.0, seed=5)((100,), name="w")
    tall = glorot.RandomUniform(-1.0, 1.0)((10, 10), seed=5, name="w")
    normal = glorot.RandomNormal(seed=5)((100,), name="w")

    assert (tall.ravel() == wide).all()
    assert (np.sign(normal) == np.sign(wide)).all()
    assert (np.argsort(normal) == np.argsort(wide)).all()


def test_names_and_seeds_change_all_values():
    """Another name or another seed gives other values; the call's seed wins."""
    init = glorot.GlorotUniform(seed=1)
    base = init((8, 8), name="w")

    assert not (init((8, 8), name="v") == base).any()
    assert not (init((8, 8), name="w", seed=2) == base).any()
    assert (glorot.GlorotUniform(seed=2)((8, 8), name="w", seed=1) == base).all()
    assert (init((8, 8), name="w") == base).all()


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (None, np.float32),
        ("float64", np.float64),
        (np.float16, np.float16),
        (np.dtype(">f4"), np.float32),
        (float, np.float32),
        (ml_dtypes.bfloat16, ml_dtypes.bfloat16),
        ("float8_e4m3fn", ml_dtypes.float8_e4m3fn),
    ],
)
def test_dtypes_of_the_call(dtype, expected):
    """The call's dtype wins over the constructor's; every spelling works."""
    assert glorot.HeNormal(seed=1)((2,), dtype).dtype == expected


@pytest.mark.parametrize("init", RANDOM, ids=lambda init: type(init).__name__)
def test_narrow_dtypes_round_the_float32_value_once(init):
    """A weight in 16 bits is the float32 weight rounded, whatever the class."""
    init = init.replace(seed=7)
    shape = shape_for(init)
    single = init(shape, "float32", name="w")

    for dtype in ("bfloat16", "float16"):
        half = init(shape, dtype, name="w")
        assert half.tobytes() == single.astype(half.dtype).tobytes()


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), [2, 3], np.array([2, 3]), (np.int32(2), 3)])
def test_shapes_of_every_kind(shape):
    """A shape is any sequence of sizes, 0 and no axes at all included."""
    assert glorot.GlorotUniform(seed=1)(shape).shape == tuple(int(n) for n in shape)


@pytest.mark.parametrize(
    ("shape", "error", "message"),
    [
        (5, TypeError, "`shape` must be a sequence of integers, got 5. For one axis pass (5,)."),
        (np.int64(5), TypeError, f". For one axis pass ({np.int64(5)!r},)."),
        ("ab", TypeError, "`shape` must be a sequence of integers, got 'ab'"),
        ((2, None), TypeError, "`shape` must hold integers, got None"),
        ((2, 1.0), TypeError, "`shape` must hold integers, got 1.0"),
        ((2, True), TypeError, "`shape` must hold integers, got True"),
        ((2, -1), ValueError, "`shape` must hold sizes of 0 or more, got -1"),
        ((2**32, 2**32), ValueError, "has more than 2**63 elements"),
        ({2, 3}, TypeError, "`shape` must be a sequence of integers, got {2, 3}"),
        (frozenset([2]), TypeError, "`shape` must be a sequence of integers, got frozenset({2})"),
        ({2: 3}, TypeError, "`shape` must be a sequence of integers, got {2: 3}"),
        (b"ab", TypeError, "`shape` must be a sequence of integers, got b'ab'"),
        (np.array(2), TypeError, "`shape` must be a sequence of integers, got array(2)"),
        (np.ones((2, 2), int), TypeError, "`shape` must hold integers, got array([1, 1])"),
        ((1,) * 65, ValueError, "`shape` must have at most 64 axes, got 65"),
        ([1] * 65, ValueError, "`shape` must have at most 64 axes, got 65"),
        ((2, 10**999), ValueError, "`shape` (2, an integer of 3319 bits) has more than 2**63"),
        (10**999, TypeError, "got an integer of 3319 bits. For one axis pass"),
        ((2, -(10**999)), ValueError, "0 or more, got an integer of 3319 bits in (2, an"),
        ((2**40, 0, 2**40), ValueError, "has more than 2**63 elements, zeros left out"),
        ((2**40, 0, 2**22), ValueError, "of float32 is more than an array can hold. Ask for a"),
        ((2**62,), ValueError, "`shape` (4611686018427387904,) of float32 is more than an array"),
    ],
)
def test_bad_shapes_are_refused(shape, error, message):
    """A shape that is none is refused."""
    with pytest.raises(error, match=re.escape(message)):
        glorot.GlorotUniform(seed=1)(shape)


def test_a_truth_value_is_no_size_either():
    """The hint for one number must be one that would be taken."""
    with pytest.raises(TypeError, match=r"got True\.$"):
        glorot.GlorotUniform(seed=1)(True)


@pytest.mark.parametrize("init", RANDOM, ids=lambda init: type(init).__name__)
def test_a_seed_is_needed(init):
    """Nothing is random by accident: no seed anywhere is an error that says how to give one."""
    with pytest.raises(ValueError, match=r"`seed` is missing: give one to the call"):
        init.replace(seed=None)(shape_for(init))


def test_constants_need_no_seed():
    """Constants take a seed and do without one."""
    assert glorot.Zeros()((2,)).tolist() == glorot.Zeros()((2,), seed=1).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        ({"seed": -1}, ValueError, "`seed` must lie in [0, 2**64), got -1"),
        ({"seed": 1.5}, TypeError, "`seed` must be an integer"),
        ({"name": None}, TypeError, "`name` must be a string, got None"),
        ({"dtype": "int32"}, TypeError, "Only floating point types are supported"),
        ({"dtype": "float31"}, TypeError, "`dtype` must be one of float32, "),
        ({"out": [0.0]}, TypeError, "`out` must be a NumPy array, got list"),
        ({"out": np.zeros(3, np.float32)}, ValueError, "`out` must have the result's shape (2,)"),
        ({"out": np.zeros(2, np.int32)}, TypeError, "`out.dtype` must be one of float32, "),
        ({"out": np.zeros(2, ">f4")}, TypeError, "`out` must have the machine's byte order"),
        ({"out": np.zeros(2), "dtype": "float32"}, TypeError, "and `out` of float64 disagree"),
    ],
)
def test_bad_calls_are_refused(call, error, message):
    """Arguments that do not fit are refused, each with what to do."""
    with pytest.raises(error, match=re.escape(message)):
        glorot.GlorotUniform(seed=1)((2,), **call)


def test_read_only_out_is_refused():
    """Memory that cannot be written is refused by constants and laws alike."""
    out = np.zeros(2, np.float32)
    out.flags.writeable = False
    for init in (glorot.Ones(), glorot.GlorotUniform(seed=1)):
        with pytest.raises(ValueError, match="`out` must be writeable, got a read-only array"):
            init((2,), out=out)


@pytest.mark.parametrize(
    ("shape", "strides"),
    [((3, 4), (0, 4)), ((3, 4), (16, 0)), ((3, 4), (4, 4)), ((5,), (2,)), ((3, 4), (-4, 8))],
)
@pytest.mark.parametrize("init", [glorot.Ones(), glorot.GlorotUniform(seed=1)])
def test_out_that_overlaps_itself_is_refused(init, shape, strides):
    """Elements that share memory cannot all be right: refused, and nothing is written."""
    memory = np.full(64, 7, np.float32)
    out = np.lib.stride_tricks.as_strided(memory[16:], shape, strides)

    with pytest.raises(ValueError, match="`out` must hold each element in memory of its own"):
        init(shape, out=out)
    assert (memory == 7).all()


def test_out_without_overlap_is_taken():
    """Axes of one element may have any stride; transposed, reversed and stepped memory is fine."""
    base = np.zeros((4, 1, 6), np.float32)
    broadcast = np.lib.stride_tricks.as_strided(base, (4, 1), (24, 0))

    for out in (base.T, base[::-1, :, ::-2], base[:, :, 1:3], broadcast):
        assert (glorot.Ones()(out.shape, out=out) == 1).all()


def test_overflowing_laws_are_refused_before_writing():
    """A law whose values leave the dtype is refused and `out` stays as it was."""
    out = np.full(4, 7, np.float16)

    with pytest.raises(ValueError, match="overflows float16"):
        glorot.RandomNormal(stddev=1e5, seed=1)((4,), out=out)
    assert (out == 7).all()


@pytest.mark.parametrize(
    ("out", "start", "error", "message"),
    [
        (np.zeros((2, 2), np.float32), 0, TypeError, "`out` must be a 1-D NumPy array"),
        (np.zeros(3, np.float32), 2, ValueError, "[2, 5) leaves the 4 elements of shape (2, 2)"),
        (np.zeros(3, np.float32), -1, ValueError, "[-1, 2) leaves the 4 elements"),
        (np.zeros(3, np.float32), 1.0, TypeError, "`start` must be an integer, got 1.0 of float"),
        (np.zeros((3, 1), np.float32), 0, TypeError, "must be a 1-D NumPy array, got shape (3, 1)"),
        (np.zeros(3, np.float32), 10**999, ValueError, "[an integer of 3319 bits, an integer"),
    ],
)
def test_bad_ranges_are_refused(out, start, error, message):
    """`fill_range` stays inside of the whole."""
    with pytest.raises(error, match=re.escape(message)):
        glorot.GlorotUniform(seed=1).fill_range(out, (2, 2), start)


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
             glorot.TimeStep, glorot.SinCosGrid, glorot.Sinusoids)  # fmt: skip
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


def test_unbatched_calls_do_not_share_memory():
    """Each call returns an array of its own, writeable."""
    init = glorot.GlorotUniform(seed=1)
    first, second = init((4,)), init((4,))

    first[:] = 0

    assert second.all()


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
