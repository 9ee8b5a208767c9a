# SPDX-License-Identifier: Apache-2.0
"""The memory that the threads of a checkpoint take."""

from types import SimpleNamespace

from glorot import _kernel
from glorot.checkpoint import _blocks


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
