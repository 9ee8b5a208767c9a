# SPDX-License-Identifier: Apache-2.0
"""Constants, the identity and its convolution, whole and in parts."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import glorot


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float8_e5m2", "int64", "uint8", "bool"])
def test_constants_take_every_dtype(dtype):
    """Zeros, ones and constants write integers and bools as well as floats."""
    assert glorot.Zeros()((3,), dtype).astype(float).tolist() == [0, 0, 0]
    assert glorot.Ones(dtype)((3,)).astype(float).tolist() == [1, 1, 1]
    assert glorot.Constant(1)((3,), dtype).dtype == glorot.Ones(dtype)((3,)).dtype


def test_constant_takes_numpy_scalars():
    """A NumPy number is the Python number of the same value."""
    assert glorot.Constant(np.float32(0.5)) == glorot.Constant(0.5)
    assert repr(glorot.Constant(np.int8(3))) == "Constant(value=3)"


@pytest.mark.parametrize(
    ("value", "dtype"),
    [
        (1 + 2**-11 + 2**-30, "float16"),
        (1 + 2**-8 + 2**-30, "bfloat16"),
        (-1 - 2**-4 - 2**-30, "float8_e4m3fn"),
        (1.125 + 2**-30, "float8_e5m2"),
    ],
)
def test_narrow_constants_are_the_float32_value_rounded_once(value, dtype):
    """As of every law; rounding these from float64 would give the other neighbour."""
    for init, shape in ((glorot.Constant(value), (1,)), (glorot.Identity(value), (1, 1))):
        narrow = init(shape, dtype)
        assert narrow.tobytes() == init(shape).astype(narrow.dtype).tobytes()


@pytest.mark.parametrize("value", [1e308, -1.7976931348623157e308, 2**1023, -(2**1024 - 2**971)])
def test_float64_holds_its_largest_numbers(value):
    """The last power of two is no limit."""
    assert glorot.Constant(value, "float64")((1,)).tolist() == [float(value)]
    with pytest.raises(ValueError, match="cannot be held in float64"):
        glorot.Constant(2**1024 - 1, "float64")


def test_a_part_of_a_great_identity_costs_its_own_size():
    """The diagonal of the whole would be 2**62 places."""
    part = glorot.Identity(2.0)((2**62, 2), shard=(slice(0, 3), slice(None)))
    assert part.tolist() == [[2, 0], [0, 2], [0, 0]]
    sizes = 2**31, 2**31
    part = glorot.Identity()(sizes, shard=glorot.Shard((7, 6), (9, 9)))
    assert part.tolist() == [[0, 1, 0], [0, 0, 1]]
    part = glorot.Dirac(2, layout="torch.conv")(
        (2**31, 2**30, 1), shard=glorot.Shard((2**30 + 1, 0, 0), (2**30 + 3, 3, 1))
    )
    assert part[:, :, 0].tolist() == [[0, 1, 0], [0, 0, 1]]


def test_zero_has_one_sign():
    """-0.0 equals 0.0 and writes the same bits."""
    assert glorot.Constant(-0.0)((1,)).tobytes() == glorot.Constant(0.0)((1,)).tobytes()


def test_constants_have_no_law_and_no_spread():
    """There is no law to draw from and the expected standard deviation is 0."""
    for init in (
        glorot.Zeros(),
        glorot.Ones(),
        glorot.Constant(3),
        glorot.Identity(),
        glorot.Dirac(),
    ):
        assert init.law((3, 3)) is None
        assert init.expected_stddev((3, 3)) == 0.0


def test_values_that_do_not_fit_are_refused_at_the_call():
    """A dtype given to the call is checked before anything is written."""
    out = np.full(2, 7, np.int8)

    with pytest.raises(ValueError, match="`value`=300 cannot be held in int8"):
        glorot.Constant(300)((2,), out=out)
    assert out.tolist() == [7, 7]


def test_identity_needs_two_axes():
    """An identity of other ranks is refused, with where to go."""
    with pytest.raises(ValueError, match=r"two axes, got \(3, 3, 3\). For a convolution use Dirac"):
        glorot.Identity()((3, 3, 3))


def test_identity_is_eye():
    """Square or not, Identity is gain times the unit matrix."""
    assert (glorot.Identity(2.0)((4, 6)) == 2 * np.eye(4, 6)).all()
    assert glorot.Identity(dtype="int32")((2, 2)).dtype == np.int32


def dirac(shape, groups):
    """PyTorch's rule for (out, in / groups, *k), written with loops."""
    w = np.zeros(shape, np.float32)
    each = shape[0] // groups
    for group in range(groups):
        for channel in range(min(each, shape[1])):
            w[(group * each + channel, channel, *(n // 2 for n in shape[2:]))] = 1
    return w


@pytest.mark.parametrize(
    ("shape", "groups"),
    [((4, 4, 3), 1), ((4, 6, 3, 3), 1), ((6, 2, 3, 4), 1), ((6, 2, 3, 3), 3), ((4, 1, 2, 3, 5), 2),
     ((4, 1, 3), 4), ((4, 0, 3), 2), ((0, 3, 3), 1), ((4, 3), 2)],
)  # fmt: skip
def test_dirac_is_torchs(shape, groups):
    """In torch's layout the values are those of `torch.nn.init.dirac_`; in others, moved axes."""
    expected = dirac(shape, groups)

    assert (glorot.Dirac(groups, layout="torch.conv")(shape) == expected).all()
    keras = np.moveaxis(expected, (1, 0), (-2, -1))
    assert (glorot.Dirac(groups)(keras.shape) == keras).all()


def test_dirac_of_stacked_layers():
    """Each slice of a batch axis is the convolution of its own."""
    stack = glorot.Dirac(layout="BOI*")((3, 4, 4, 3))

    assert (stack == dirac((4, 4, 3), 1)).all()


@pytest.mark.parametrize(
    ("init", "shape", "message"),
    [
        (glorot.Dirac(3), (3, 2, 4), "`groups`=3 must divide the 4 output channels"),
        (glorot.Dirac(), (4,), "Dirac needs one input and one output axis, got shape (4,)"),
        (glorot.Dirac(layout="*GO"), (3, 4, 2), "with roles 'SGO'"),
        (glorot.Dirac(layout="GIO"), (2, 3, 3), "with roles 'GIO'"),
    ],
)
def test_dirac_refuses_what_it_cannot_do(init, shape, message):
    """Weights without one input and one output axis have no Dirac."""
    with pytest.raises(ValueError, match=re.escape(message)):
        init(shape)


@settings(deadline=None, max_examples=80)
@given(st.lists(st.integers(0, 5), min_size=2, max_size=4).map(tuple), st.data())
def test_parts_are_slices_of_the_whole(shape, data):
    """Shards and ranges of identities and Diracs are those of the whole."""
    init = glorot.Dirac(layout="OI*") if len(shape) > 2 else glorot.Identity(3.0)
    whole = init(shape)
    ends = [sorted(data.draw(st.tuples(st.integers(0, n), st.integers(0, n)))) for n in shape]
    start, stop = (tuple(end) for end in zip(*ends, strict=True))
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, whole.size)] * 2)))
    run = np.full(last - first, 7, np.float32)

    part = init(shape, shard=glorot.Shard(start, stop))
    init.fill_range(run, shape, first)

    assert (part == whole[tuple(slice(i, j) for i, j in ends)]).all()
    assert (run == whole.reshape(-1)[first:last]).all()
