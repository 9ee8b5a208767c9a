# SPDX-License-Identifier: Apache-2.0
"""Boxes of a tensor: whether they make it up, and what one holds."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import glorot
from glorot._shard import boxes
from glorot._tiling import tiled
from glorot.checkpoint import _box


def test_a_whole_in_another_order_is_not_the_whole_as_it_is():
    """A box of the tensor's shape is all of it in its order only where its axes are."""
    assert _box.Box((0, 0), (3, 3), (0, 1)).whole((3, 3))
    assert not _box.Box((0, 0), (3, 3), (1, 0)).whole((3, 3))
    assert not _box.Box((0, 0), (2, 3), (0, 1)).whole((3, 3))


@given(st.data())
def test_tilings(data):
    """`tiled` is right of random cuts, grids or not, with a piece moved, doubled or left out."""
    shape = (data.draw(st.integers(1, 6)), data.draw(st.integers(1, 6)))

    def split(begin, extent, depth):
        axis = data.draw(st.integers(0, 1))
        if not depth or extent[axis] < 2:
            return [(begin, extent)]
        cut = data.draw(st.integers(1, extent[axis] - 1))
        first = tuple(cut if a == axis else n for a, n in enumerate(extent))
        rest = tuple(n - cut if a == axis else n for a, n in enumerate(extent))
        after = tuple(i + cut if a == axis else i for a, i in enumerate(begin))
        return split(begin, first, depth - 1) + split(after, rest, depth - 1)

    pieces = split((0, 0), shape, 3)
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(pieces) - 1))
        extent = pieces[at][1]
        moved = tuple(data.draw(st.integers(0, n - m)) for n, m in zip(shape, extent, strict=True))
        pieces[at] = (moved, extent)
    if data.draw(st.booleans()):
        pieces.append(((0, 0), (0, 3)))
    pieces = data.draw(st.permutations(pieces))
    times = np.zeros(shape, int)
    for (i, j), (n, m) in pieces:
        times[i : i + n, j : j + m] += 1
    assert tiled(shape, pieces) == bool((times == 1).all())


def test_tilings_of_many_flat_shards():
    """Shares of flat memory, thousands of them and no grid: FSDP's of a weight."""
    rows, columns, ranks = 5000, 77, 3000
    ends = [rows * columns * rank // ranks for rank in range(ranks + 1)]
    pieces = [box for pair in itertools.pairwise(ends) for box in boxes((rows, columns), *pair)]
    assert len(pieces) > 6000
    assert tiled((rows, columns), pieces)
    pieces[7] = pieces[8 + [p[1] for p in pieces[8:]].index(pieces[7][1])]
    assert not tiled((rows, columns), pieces)


def test_boxes_of_any_order():
    """A box fills the elements that it holds, in the order in which they are stored."""
    init, shape = glorot.HeNormal(), (5, 6, 7)
    whole = init(shape, seed=1, name="w")
    for axes in itertools.permutations(range(3)):
        box = _box.Box((1, 2, 3), (3, 4, 2), axes)
        stored = whole[1:4, 2:6, 3:5].transpose(axes).ravel()
        out = np.empty(13, np.float32)
        box.fill(init, shape, out, 8, 1, "w")
        assert (out == stored[8:21]).all()
        assert all(whole[box.place(at)] == stored[at] for at in range(24))
        numbers = np.arange(8, 21)
        assert box.place(int(numbers[box.first(numbers)])) == min(map(box.place, numbers.tolist()))
