# SPDX-License-Identifier: Apache-2.0
"""Fingerprints: of every byte, place, name and dtype, and the same from parts."""

import itertools
import pickle

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import glorot
from glorot import _fingerprint
from glorot._shard import boxes

INIT = glorot.RandomNormal(seed=42)
W, B = INIT((5, 7), name="w"), INIT((7,), name="b")


def definition(array, index):
    """One element's hash, in Python's integers: the sentence at the head of the file."""
    mask = 2**64 - 1
    z = int.from_bytes(array.tobytes(), "little") ^ (index * 0x9E3779B97F4A7C15 & mask)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z = (z ^ z >> shift) * factor & mask
    return z ^ z >> 31


@pytest.mark.parametrize("dtype", ["f4", "f8", "f2", ml_dtypes.bfloat16, "i8", "u1", "?"])
def test_the_sum_is_the_definitions(dtype):
    """A tensor's sum is that of its elements' hashes, one by one."""
    array = INIT((3, 4, 5), name="w").astype(dtype)
    wanted = sum(definition(v, i) for i, v in enumerate(array.reshape(-1))) % 2**64
    assert _fingerprint._sum(array, (0, 0, 0), (20, 5, 1)) == wanted


def test_known_answers():
    """Fingerprints are compared across versions and machines, so they never change."""
    assert glorot.fingerprint({}) == "7c85945f13a1d6cf1a6482cc5990a285"
    assert (
        glorot.fingerprint({"w": np.arange(6, dtype="f4").reshape(2, 3)})
        == "975c598db466eff3f004c48708fcfc35"
    )


def test_what_it_depends_on():
    """A value, a sign of zero, a place, a name, a dtype, a shape, a tensor more or less."""
    zero = np.zeros((5, 7), "f4")
    models = [
        {"w": W, "b": B},
        {"w": W},
        {"w": B, "b": W},
        {"w": W, "c": B},
        {"w": W[::-1], "b": B},
        {"w": W[:, ::-1], "b": B},
        {"w": W.T, "b": B},
        {"w": W.reshape(7, 5), "b": B},
        {"w": W.astype("f8"), "b": B},
        {"w": W.view("i4"), "b": B},
        {"w": W, "b": B, "e": B[:0]},
        {"w": W, "b": B, "e": B[:0].reshape(0, 3)},
        {"w": zero},
        {"w": -zero},
        {"w": zero.astype("f2")},
        {"w": np.float32(1.0)},
        {"w": np.ones(1, "f4")},
    ]
    wrong = W.copy()
    wrong.view("u4")[2, 3] ^= 1
    models.append({"w": wrong, "b": B})
    found = [glorot.fingerprint(model) for model in models]
    assert len(set(found)) == len(models)
    assert glorot.fingerprint({"b": B, "w": W}) == found[0]
    assert glorot.fingerprint({"w": np.asfortranarray(W), "b": list(B) and B[:]}) == found[0]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_parts_in_any_order_give_the_wholes(data):
    """Cut a tensor along its axes in any way, add the parts in any order over any processes, some
    twice: the fingerprint is the whole's."""
    shape = data.draw(st.lists(st.integers(1, 7), min_size=0, max_size=3).map(tuple))
    whole = INIT(shape, name="w")
    axes = []
    for size in shape:
        cuts = sorted(data.draw(st.sets(st.integers(1, size), max_size=2)) | {0, size})
        axes.append(list(itertools.pairwise(cuts)))
    parts = [tuple(slice(*run) for run in part) for part in itertools.product(*axes)]
    parts = data.draw(st.permutations(parts + parts[:2]))
    processes = [glorot.Fingerprint() for _ in range(3)]
    for part in parts:
        process = data.draw(st.sampled_from(processes))
        process.add("w", whole[part], shape=shape, shard=part)
    joined = glorot.Fingerprint()
    for process in processes:
        joined.merge(pickle.loads(pickle.dumps(process)))
    assert joined.hexdigest() == glorot.fingerprint({"w": whole})


def test_large_tensors_are_summed_in_pieces(monkeypatch):
    """The pieces that are summed at a time change nothing."""
    whole = INIT((37, 11, 5), name="w")
    found = glorot.fingerprint({"w": whole})
    for chunk in (1, 7, 55, 10**6):
        monkeypatch.setattr(_fingerprint, "_CHUNK", chunk)
        assert glorot.fingerprint({"w": whole}) == found
    assert len(list(boxes((37, 11, 5), 0, 7))) > 1


def test_parts_of_more_than_2_to_the_32():
    """Indices beyond 32 bits, and beyond 64 bits once multiplied, count."""
    shape = (2**20, 2**20)
    sums = []
    for row in (0, 2**12, 2**19):
        shard = (slice(row, row + 1), slice(0, 3))
        found = glorot.Fingerprint()
        found.add("w", W[:1, :3], shape=shape, shard=shard)
        sums.append(next(iter(found._parts["w"].values())))
        wanted = sum(definition(W[0, i], row * 2**20 + i) for i in range(3)) % 2**64
        assert sums[-1] == wanted
    assert len(set(sums)) == 3


def test_the_order_of_a_value_s_bytes_does_not_count():
    """Big-endian arrays, such as old files hold, have the fingerprint of their values."""
    for array in (W, W.astype("f2"), np.arange(-3, 5, dtype="i8"), np.array([True, False])):
        swapped = array.astype(array.dtype.newbyteorder(">"))
        assert glorot.fingerprint({"w": swapped}) == glorot.fingerprint({"w": array})
    for dtype in (ml_dtypes.bfloat16, ml_dtypes.float8_e5m2):
        narrow = W.astype(dtype)
        assert (
            _fingerprint._sum(narrow, (0, 0), (7, 1))
            == sum(definition(v, i) for i, v in enumerate(narrow.reshape(-1))) % 2**64
        )
        found = glorot.Fingerprint()
        found.add("w", narrow)
        assert list(found._parts["w"].values()) == [_fingerprint._sum(narrow, (0, 0), (7, 1))]


def test_parts_that_hide_a_gap_are_refused():
    """Rows 0-1 and 1-2 of four rows have as many elements as the whole, and row 3 is missing."""
    found = glorot.Fingerprint()
    for first in (0, 1):
        shard = (slice(first, first + 2),)
        found.add("w", W[first : first + 2], shape=(4, 7), shard=shard)
    with pytest.raises(ValueError, match=r"parts of 'w' lie over one another.*once, or as equal"):
        found.hexdigest()


def test_refused():
    """What is missing, overlaps or disagrees is named."""
    found = glorot.Fingerprint()
    found.add("w", W[:2], shape=(5, 7), shard=(slice(0, 2),))
    with pytest.raises(ValueError, match=r"the parts of 'w' have 14 of its 35 elements. Add"):
        found.hexdigest()
    with pytest.raises(ValueError, match="two replicas of 'w' differ in Shard"):
        found.add("w", W[1:3], shape=(5, 7), shard=(slice(0, 2),))
    with pytest.raises(ValueError, match=r"'w' is float32 of shape \(5, 7\) in one part and float"):
        found.add("w", W.astype("f8"))
    with pytest.raises(ValueError, match=r"must have the shape of the shard, \(2, 7\)"):
        found.add("w", W, shape=(5, 7), shard=(slice(0, 2),))
    with pytest.raises(TypeError, match="give both or neither"):
        found.add("w", W, shape=(5, 7))
    with pytest.raises(TypeError, match=r"must be numbers of 1, 2, 4 or 8 bytes, got complex"):
        found.add("c", W.astype("c8"))
    with pytest.raises(TypeError, match="`arrays` must be a mapping"):
        glorot.fingerprint([W])
    found.add("w", W, shape=(5, 7), shard=(slice(0, 5),))
    with pytest.raises(ValueError, match="have 49 of its 35"):
        found.hexdigest()
