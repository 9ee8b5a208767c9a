# SPDX-License-Identifier: Apache-2.0
"""The blocks of a checkpoint's tensors, and the memory that the threads take."""

import itertools
import zlib
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import glorot
from glorot import Recipe, Rule, _kernel
from glorot._dtypes import ALL
from glorot.checkpoint import _blocks
from glorot.checkpoint._box import Box
from glorot.checkpoint._header import Entry


@given(
    dtype=st.sampled_from(["float8_e5m2", "bfloat16", "float32", "float64"]),
    law=st.sampled_from(["glorot_normal", "orthogonal"]),
    shape=st.sampled_from([(0, 3), (1, 1), (1, 7), (90, 101)]),
    before=st.sampled_from([0, 8, 4088, 4096, 12344]),
    block_bytes=st.sampled_from([7, 700, 8191, 8192, 9000, 1 << 20]),
    cuts=st.lists(st.integers(0, 20), max_size=3),
)
@example(  # not a whole number of pages
    dtype="float32", law="glorot_normal", shape=(90, 101), before=8, block_bytes=9000, cuts=[]
)  # fmt: skip
@settings(deadline=None, max_examples=40)
def test_blocks_are_every_element_once(dtype, law, shape, before, block_bytes, cuts):
    """Whoever writes which bytes; each begins on a page, where pages fit, and is small enough."""
    (assignment,) = Recipe([Rule("w", law)]).resolve({"w": shape}, dtype=dtype)
    size, entry = ALL[dtype].itemsize, Entry(shape, dtype, before)
    end = before + entry.nbytes
    # Between those who write the tensor, and some that only write what is before or after it.
    ends = sorted({0, before, end, end + 4096, *(before // 8 * 8 + 4096 * cut for cut in cuts)})
    if law == "orthogonal":  # which nobody cuts
        ends = [cut for cut in ends if not before < cut < end]
    found, seen = [], 0
    for first, last in [*itertools.pairwise(ends), (ends[-1], None)]:
        mine = list(_blocks.blocks(assignment, entry, block_bytes, first, last))
        for number, block in enumerate(mine):
            assert block.count >= 1
            assert (block.start, block.offset) == (seen, before + seen * size)
            assert block.offset >= first
            assert last is None or block.offset + block.nbytes <= last
            assert block.whole == (law == "orthogonal")
            assert block.whole or block.nbytes <= max(block_bytes, size)
            if number and block_bytes >= 2 * _blocks.PAGE:
                assert block.offset % _blocks.PAGE == 0
            seen += block.count
        found += mine
    assert seen * size == entry.nbytes
    everything = list(_blocks.blocks(assignment, entry, block_bytes))
    assert sum(block.nbytes for block in everything) == entry.nbytes
    if law == "orthogonal":
        assert len(found) == len(everything) == (seen > 0)


LAWS = [
    lambda: glorot.HeNormal(layout="torch.linear"),
    glorot.Zeros,
    lambda: glorot.Orthogonal(layout="torch.linear"),
]


@pytest.mark.parametrize("dtype", ["float8_e5m2", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize(
    "box", [None, Box((3, 1), (20, 11), (1, 0)), Box((3, 1), (20, 11), (0, 1))]
)
@pytest.mark.parametrize("law", LAWS)
def test_a_block_is_measured_in_pieces(monkeypatch, law, box, dtype):
    """Of a layout whose index is not row-major as stored, or of a box: the same values, and their
    checksum and moments, as of the whole."""
    monkeypatch.setattr(_blocks, "_PIECE_BYTES", 64)
    init = law()
    (assignment,) = Recipe([Rule("w", init)]).resolve({"w": (30, 14)}, dtype=dtype)
    whole = init((30, 14), seed=5, name="w", dtype=dtype)
    stored = whole if box is None else whole[3:23, 1:12].transpose(box.axes)
    flat = np.ascontiguousarray(stored).reshape(-1)
    entry = Entry(stored.shape, dtype, 8)
    for block in _blocks.blocks(assignment, entry, 300, box=box):
        expected = flat[block.start : block.start + block.count]
        out = np.zeros(block.count, ALL[dtype])
        total, squares, crc = _blocks.measure(block, 5, out)
        assert out.tobytes() == expected.tobytes()
        assert crc == zlib.crc32(expected.tobytes())
        wide = expected.astype(np.float64)
        assert total == pytest.approx(wide.sum(), rel=1e-6, abs=1e-6)
        assert squares == pytest.approx(np.square(wide).sum(), rel=1e-6)


def test_buffers_are_made_when_they_are_needed(monkeypatch):
    """Threads that never run take no memory, and those beyond the CPUs share 1 GiB."""
    monkeypatch.setattr(_kernel, "usable_cpus", lambda: 2)

    def shapes(buffers):
        return [buffers._free.get_nowait() for _ in range(buffers._free.qsize())]

    assert shapes(_blocks.Buffers(1024, 8 << 20, 2)) == [None] * 64
    assert shapes(_blocks.Buffers(1024, 4 << 30, 1)) == [None] * 2  # one a CPU, however large
    assert shapes(_blocks.Buffers(3, 8 << 20, 1)) == [None] * 3
    buffers = _blocks.Buffers(1024, 16, 1)
    assert len(shapes(buffers)) == 1024

    buffers = _blocks.Buffers(5, 16, 2)
    assignment = SimpleNamespace(dtype="float32")
    for _ in range(9):  # one after the other: a single buffer serves all
        buffers.run(SimpleNamespace(assignment=assignment, nbytes=8, offset=0), lambda *_: None)
    (made, *rest) = shapes(buffers)
    assert rest == [None] * 4
    assert len(made) == 2
    for memory in made:  # on a page, with room for a block that does not begin on one
        assert memory.ctypes.data % _blocks.PAGE == 0
        assert memory.nbytes >= 16 + _blocks.PAGE
