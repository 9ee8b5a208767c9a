# SPDX-License-Identifier: Apache-2.0
"""Which bytes of which files one of several processes writes: equal parts, cut between pages."""

from typing import NamedTuple

from glorot._dtypes import ALL
from glorot.checkpoint._job import Job
from glorot.checkpoint._layout import File

# No page is written by two hosts, of which a network file system might lose one's part; pages have
# up to 64 KiB.
PAGE = 64 << 10


class Share(NamedTuple):
    """Bytes [start, stop) of a file."""

    file: File
    start: int
    stop: int


def whole(job: Job) -> list[Share]:
    """Return all of all files."""
    return [Share(file, 0, file.size) for file in job.files]


def share(job: Job, rank: int, world_size: int) -> list[Share]:
    """Return what this rank writes.  Together the ranks write every byte once."""
    first, last = (_cut(job, job.nbytes * r // world_size) for r in (rank, rank + 1))
    found = []
    for number, file in enumerate(job.files):
        start = first[1] if number == first[0] else 0
        stop = last[1] if number == last[0] else file.size
        if first[0] <= number <= last[0] and start < stop:
            found.append(Share(file, start, stop))
    return found


def _cut(job: Job, at: int) -> tuple[int, int]:
    """(number of a file, offset in it) at or before byte `at` of all files in a row, where two
    ranks may meet."""
    for number, file in enumerate(job.files):
        if at < file.size:
            return number, _cut_in(job, file, at)
        at -= file.size
    return len(job.files), 0


def _cut_in(job: Job, file: File, at: int) -> int:
    """The last page that begins at or before `at` inside of a tensor which can be computed in
    parts; 0, the file's begin, where there is none, and in torch's files, whose archives end with
    the checksums of their values."""
    if file.items is not None:
        return 0
    for name, entry in reversed(file.tensors.items()):
        assignment = job.assignments[name]
        at_once = assignment.initializer._writer(entry.shape, ALL[entry.dtype]).at_once
        cut = min(at, entry.offset + entry.nbytes - 1) // PAGE * PAGE
        if entry.offset <= cut and entry.nbytes and not at_once:
            return cut
        at = min(at, entry.offset)
    return 0
