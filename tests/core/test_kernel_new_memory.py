# SPDX-License-Identifier: Apache-2.0
"""Memory that nobody has written yet: the kernel asks the system for huge pages of it."""

import mmap
from pathlib import Path

import numpy as np
import pytest

from glorot import _kernel, _laws, _stream
from glorot._batch import Batch
from glorot._memory import address

LAW = _laws.Uniform(0.3)
PAGE = 2 << 20
pytestmark = pytest.mark.skipif(
    _kernel.target() == "reference"
    or not Path("/sys/kernel/mm/transparent_hugepage/enabled").exists(),
    reason="Linux with huge pages, and the compiled kernel, are what this is about",
)


def new(nbytes):
    """Memory of its own mapping, from the middle of a page on."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    array = np.frombuffer(mmap.mmap(-1, nbytes + 2 * PAGE, flags=flags), np.uint8)
    begin = -address(array) % PAGE + PAGE // 2
    return array[begin : begin + nbytes]


def asked(at):
    """Whether huge pages are asked for ("hg") where this address is."""
    within = False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        first, *rest = line.split()
        if "-" in first and not first.endswith(":"):
            begin, end = (int(bound, 16) for bound in first.split("-"))
            within = begin <= at < end
        elif within and first == "VmFlags:":
            return "hg" in rest
    raise AssertionError(f"no mapping holds {at:#x}")


def test_no_page_is_asked_for_before():
    """Else the tests below could not fail."""
    assert not asked(address(new(4 * PAGE)) + PAGE)


@pytest.mark.parametrize("how", ["run", "batch", "turned", "rows"])
def test_huge_pages_are_asked_for_what_is_written_whole(how):
    """And not for what is around it: not even a part of a page."""
    memory = new(4 * PAGE)
    out = memory.view(np.float32).reshape(-1, 1024)
    stream = _stream.stream(1, "new")
    if how == "run":
        _kernel.fill(out, LAW, stream)
    elif how == "batch":
        batch = Batch()
        _kernel.fill(out, LAW, stream, batch=batch)
        batch.run()
    elif how == "turned":
        _kernel.fill(out, LAW, stream, strides=(1, out.shape[0]))
    else:
        _kernel.fill(out, LAW, stream, strides=(4096, 1))
    begin = address(memory) + PAGE // 2
    assert [asked(at) for at in (begin, begin + 2 * PAGE, begin + 3 * PAGE - 1)] == [True] * 3
    assert [asked(at) for at in (begin - 1, begin + 3 * PAGE)] == [False] * 2


@pytest.mark.parametrize("how", ["small", "gaps"])
def test_they_are_not_asked_for_little_nor_for_gaps(how):
    """Of memory with gaps a huge page would take what nobody writes."""
    memory = new(4 * PAGE)
    out = memory.view(np.float32).reshape(-1, 1024)
    part = out[:512] if how == "small" else out[:, :1000]
    _kernel.fill(part, LAW, _stream.stream(1, "new"))
    assert not asked(address(memory) + PAGE)
