# SPDX-License-Identifier: Apache-2.0
"""Shards: any split of any shape gives the bytes of the whole."""

import itertools
import math
import pickle
import re
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import glorot
from glorot._dtypes import FLOATS
from glorot._shard import boxes

INITIALIZERS = [
    glorot.GlorotUniform(seed=1),
    glorot.GlorotUniform(seed=1, batch_axes=0, order="canonical"),
    glorot.RandomUniform(-1.0, 3.0, seed=2),
    glorot.RandomNormal(0.5, 2.0, seed=3),
    glorot.TruncatedNormal(seed=4),
    glorot.HeNormal(seed=5),
    glorot.Constant(2.5),
    glorot.Zeros(),
]
shapes = st.lists(st.integers(0, 6), min_size=1, max_size=4).map(tuple)
dtypes = st.sampled_from(sorted(FLOATS))


def layouts_of(shape):
    """An initializer in canonical order whose roles move every axis."""
    letters = {1: "N", 2: "OI", 3: "OIL", 4: "OBIL"}[len(shape)]
    return glorot.GlorotNormal(seed=6, layout=letters, order="canonical")


@st.composite
def splits(draw):
    """A shape and a split of it into rectangles, in any order."""
    shape = draw(shapes)
    cuts = [sorted({0, size, *draw(st.lists(st.integers(0, size), max_size=2))}) for size in shape]
    pieces = [()]
    for edges in cuts:
        ends = list(itertools.pairwise(edges)) or [(0, 0)]
        pieces = [(*piece, end) for piece in pieces for end in ends]
    return shape, draw(st.permutations(pieces))


@settings(deadline=None, max_examples=150)
@given(splits(), st.integers(0, len(INITIALIZERS)), dtypes)
def test_any_split_gives_the_bytes_of_the_whole(split, which, dtype):
    """Shards computed alone, in any order, join into exactly the whole; every dtype and order."""
    shape, pieces = split
    init = INITIALIZERS[which] if which < len(INITIALIZERS) else layouts_of(shape)
    if which == 1 and len(shape) < 2:
        init = init.replace(batch_axes=())
    whole = init(shape, dtype, name="w")
    joined = np.full(shape, 99, whole.dtype)

    for piece in pieces:
        start, stop = tuple(a for a, _ in piece), tuple(b for _, b in piece)
        at = tuple(slice(a, b) for a, b in piece)
        joined[at] = init(shape, dtype, name="w", shard=glorot.Shard(start, stop))

    assert joined.tobytes() == whole.tobytes()


@settings(deadline=None, max_examples=12)
@given(
    st.lists(st.integers(0, 1300), max_size=2),
    st.lists(st.integers(0, 900), max_size=2),
    st.integers(1, 5),
    st.integers(1, 3),
    st.randoms(use_true_random=False),
    st.sampled_from(["float32", "bfloat16", "float64"]),
    st.sampled_from(["stored", "canonical"]),
)
def test_large_splits_on_any_threads(rows, columns, threads, callers, random, dtype, order):
    """Shards that are themselves split over threads, in any order, from one thread of Python or
    several at a time: the bytes of the whole, computed on one."""
    shape = (1300, 900)
    init = glorot.GlorotUniform(seed=1, layout="torch.linear", order=order)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLOROT_THREADS", "1")
        whole = init(shape, dtype, name="w")
        patch.setenv("GLOROT_THREADS", str(threads))
        joined = np.full(shape, 99, whole.dtype)
        pieces = [
            (slice(*row), slice(*column))
            for row in itertools.pairwise(sorted({0, 1300, *rows}))
            for column in itertools.pairwise(sorted({0, 900, *columns}))
        ]
        random.shuffle(pieces)

        def fill(at):
            joined[at] = init(shape, dtype, name="w", shard=at)

        with ThreadPoolExecutor(callers) as pool:
            list(pool.map(fill, pieces))

    assert joined.tobytes() == whole.tobytes()


@settings(deadline=None, max_examples=60)
@given(shapes, st.data(), dtypes)
def test_ranges_give_the_bytes_of_the_whole(shape, data, dtype):
    """`fill_range` writes any run of the flattened whole, in stored and canonical order."""
    size = math.prod(shape)
    first = data.draw(st.integers(0, size))
    stop = data.draw(st.integers(first, size))
    for init in (INITIALIZERS[0], layouts_of(shape)):
        whole = init(shape, dtype, name="w").reshape(-1)
        part = np.full(stop - first, 99, whole.dtype)

        init.fill_range(part, shape, first, name="w")

        assert part.tobytes() == whole[first:stop].tobytes()


@settings(deadline=None, max_examples=100)
@given(shapes, st.data())
def test_boxes_cover_the_range_in_order(shape, data):
    """`boxes` lists the elements of the range once each, in order, in few rectangles."""
    size = math.prod(shape)
    first = data.draw(st.integers(0, size))
    stop = data.draw(st.integers(first, size))
    index = np.arange(size).reshape(shape)
    found = []

    pieces = list(boxes(shape, first, stop))
    for start, extent in pieces:
        found += (
            index[tuple(slice(i, i + n) for i, n in zip(start, extent, strict=True))]
            .ravel()
            .tolist()
        )

    assert found == list(range(first, stop))
    assert len(pieces) <= 2 * len(shape) + 1


@settings(deadline=None, max_examples=60)
@given(st.sampled_from(INITIALIZERS[2:]), dtypes, st.data())
def test_out_with_any_strides(init, dtype, data):
    """`out` may be reversed, stepped, transposed or misaligned: the values are those of the whole,
    and nothing around them is written."""
    memory = np.full(4096, 77, np.uint8)
    steps = [data.draw(st.sampled_from([-2, -1, 1, 2, 3])) for _ in range(2)]
    item = FLOATS[dtype].itemsize
    base = np.ndarray(
        (9, 9), FLOATS[dtype], memory.data, offset=data.draw(st.sampled_from([0, 1, 3])) + 64
    )
    out = base[:: steps[0], :: steps[1]]
    if data.draw(st.booleans()):
        out = out.T
    whole = init(out.shape, dtype, name="w")

    returned = init(out.shape, name="w", out=out)

    touched = np.zeros(memory.shape, bool)
    address = out.__array_interface__["data"][0] - memory.__array_interface__["data"][0]
    for place in np.ndindex(out.shape):
        begin = address + sum(i * s for i, s in zip(place, out.strides, strict=True))
        touched[begin : begin + item] = True
    assert returned is out
    assert np.ascontiguousarray(out).tobytes() == whole.tobytes()
    assert (memory[~touched] == 77).all()


W = glorot.GlorotUniform(seed=1)((6, 5), name="w")


@pytest.mark.parametrize(
    "shard",
    [
        np.s_[...],
        np.s_[2:],
        np.s_[-3:-1],
        np.s_[:, 1:3],
        np.s_[..., 1:3],
        np.s_[1:2, ..., :],
        np.s_[4:2],
        np.s_[:100],
        (),
    ],
)
def test_slices_mean_what_they_mean_in_indexing(shard):
    """A shard given as slices is the whole indexed by them."""
    part = glorot.GlorotUniform(seed=1)((6, 5), name="w", shard=shard)

    assert part.shape == W[shard].shape
    assert (part == W[shard]).all()


def test_any_object_with_start_and_stop_is_a_shard():
    """Objects of other libraries are shards as long as they have `start` and `stop`."""
    place = SimpleNamespace(start=[np.int64(1), 2], stop=[4, 5])

    part = glorot.GlorotUniform(seed=1)((6, 5), name="w", shard=place)

    assert (part == W[1:4, 2:5]).all()


def test_scalar_has_one_shard():
    """A weight of no axes is its own only shard."""
    init = glorot.RandomNormal(seed=1)
    run = np.empty(1, np.float32)

    glorot.Constant(3.0).fill_range(run, (), 0)

    assert run[0] == 3.0
    assert init((), shard=glorot.Shard((), ())) == init(()) == init((), shard=...)


def test_partition_info_gives_that_part_of_the_whole():
    """With TensorFlow's partition info, `shape` is the part and the result that slice."""
    info = SimpleNamespace(full_shape=[6, 5], var_offset=[2, 0])

    part = glorot.GlorotUniform(seed=1)([3, 5], None, info, name="w")

    assert (part == W[2:5]).all()


def test_shard_of_a_huge_weight_is_computed_alone():
    """A shard of a weight that no memory could hold costs the shard."""
    init = glorot.GlorotUniform(seed=1)
    huge = (2**31, 2**31)

    corner = init(huge, shard=glorot.Shard((2**31 - 2, 2**31 - 3), huge))
    tail = np.empty(3, np.float32)
    init.fill_range(tail, huge, 2**62 - 3)

    assert corner.shape == (2, 3)
    assert (corner[1] == tail).all()


@pytest.mark.parametrize(
    ("shard", "error", "message"),
    [
        (3, TypeError, "`shard` must be a glorot.Shard(start, stop)"),
        (SimpleNamespace(stop=(4, 6)), TypeError, "`shard` must be a glorot.Shard(start, stop)"),
        (SimpleNamespace(start=(0, 0)), TypeError, "`shard` must be a glorot.Shard(start, stop)"),
        ((1, slice(None)), TypeError, "`shard` must hold slices and keep every axis, got 1"),
        (np.s_[::2], ValueError, "`shard` slices must have step 1"),
        (np.s_[1.0:2], TypeError, "`shard` slices must have integers or None, got slice(1.0, 2"),
        (np.s_[:, :, :], ValueError, "at most one slice for each of the 2 axes"),
        ((..., ...), ValueError, "and one Ellipsis"),
        (glorot.Shard((0,), (1,)), ValueError, "one start and one stop for each of the 2 axes"),
        (glorot.Shard((0, 0), (7, 5)), ValueError, "must lie inside of shape (6, 5)"),
        (SimpleNamespace(start=(3, 0), stop=(2, 5)), ValueError, "0 <= start <= stop <= size"),
        (SimpleNamespace(start=(-1, 0), stop=(2, 5)), ValueError, "got start=(-1, 0)"),
        (SimpleNamespace(start=0.5, stop=1), TypeError, "one integer an axis, or slices as in"),
        (glorot.Shard((0, 0), (10**999, 5)), ValueError, "stop=(an integer of 3319 bits, 5)"),
    ],
)
def test_bad_shards_are_refused(shard, error, message):
    """A shard that is no rectangle inside of the whole is refused before anything is written."""
    out = np.full((6, 5), 7, np.float32)
    with pytest.raises(error, match=re.escape(message)):
        glorot.GlorotUniform(seed=1)((6, 5), shard=shard, out=out)

    assert (out == 7).all()


@pytest.mark.parametrize(
    ("start", "stop", "error", "message"),
    [
        (0.5, (1,), TypeError, "with one integer an axis, or slices as in indexing; got start=0.5"),
        ((0.5,), (1,), TypeError, "got start=(0.5,), stop=(1,)"),
        ("ab", (1, 2), TypeError, "got start='ab'"),
        ((2,), (1,), ValueError, "with 0 <= start <= stop; got start=(2,), stop=(1,)"),
        ((-1,), (1,), ValueError, "got start=(-1,)"),
        ((0, 0), (1,), ValueError, "one start and one stop an axis"),
    ],
)
def test_bad_shards_are_refused_at_construction(start, stop, error, message):
    """A shard that lies in no tensor at all is never made."""
    with pytest.raises(error, match=re.escape(message)):
        glorot.Shard(start, stop)


def test_shards_are_plain_values():
    """A shard holds tuples of ints, whatever it was made of; it compares, prints and pickles."""
    shard = glorot.Shard([np.int64(1), 0], stop=np.array([2, 3]))

    assert shard == glorot.Shard((1, 0), (2, 3)) == pickle.loads(pickle.dumps(shard))
    assert repr(shard) == "Shard(start=(1, 0), stop=(2, 3))"
    assert type(shard.start[0]) is type(shard.stop[0]) is int


@pytest.mark.parametrize(
    ("info", "error", "message"),
    [
        ({"full_shape": (6, 5)}, TypeError, "must have `full_shape` and `var_offset`"),
        (SimpleNamespace(full_shape=(6,), var_offset=(0,)), ValueError, "must place the part"),
        (SimpleNamespace(full_shape=(6, 5), var_offset=(4, 0)), ValueError, "var_offset=(4, 0)"),
    ],
)
def test_bad_partition_info_is_refused(info, error, message):
    """Partition info that does not place the part inside of the whole is refused."""
    with pytest.raises(error, match=re.escape(message)):
        glorot.GlorotUniform(seed=1)((3, 5), None, info)


def test_shard_and_partition_info_together_are_refused():
    """Only one of the two may say which part is meant."""
    info = SimpleNamespace(full_shape=(6, 5), var_offset=(0, 0))

    with pytest.raises(TypeError, match="`shard` and `partition_info` both say which part"):
        glorot.GlorotUniform(seed=1)((6, 5), None, info, shard=...)
