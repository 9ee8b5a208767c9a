# SPDX-License-Identifier: Apache-2.0
"""Calls of an initializer: seed, name, shape, dtype, `out` and ranges, and what is refused."""

import re

import ml_dtypes
import numpy as np
import pytest
from initializer_cases import RANDOM, shape_for

import glorot


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


def test_unbatched_calls_do_not_share_memory():
    """Each call returns an array of its own, writeable."""
    init = glorot.GlorotUniform(seed=1)
    first, second = init((4,)), init((4,))

    first[:] = 0

    assert second.all()
