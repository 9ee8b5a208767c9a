# SPDX-License-Identifier: Apache-2.0
"""Computing a share of a checkpoint, block by block, into files beside their final paths."""

import contextlib
import errno
import itertools
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from glorot import _kernel
from glorot.checkpoint import _files
from glorot.checkpoint._arguments import Progress
from glorot.checkpoint._blocks import Array, Block, Buffers, blocks, measure, on_threads
from glorot.checkpoint._checksum import Checksum, Piece
from glorot.checkpoint._files import partial_path
from glorot.checkpoint._header import Entry
from glorot.checkpoint._job import Job
from glorot.checkpoint._layout import File
from glorot.checkpoint._moments import Moments
from glorot.checkpoint._places import Places, another
from glorot.checkpoint._report import TensorReport
from glorot.checkpoint._share import Share

_WAITING = 8  # threads besides those that may compute


class Work:
    """One run of the writer: its share, its memory and what it has counted."""

    def __init__(
        self,
        folder: Path,
        shares: list[Share],
        job: Job,
        block_bytes: int,
        progress: Progress | None,
    ) -> None:
        self.folder = folder
        self.shares = shares
        self.job = job
        self.block_bytes = block_bytes
        self.progress = progress
        # While these compute, others wait for the disk, which direct writes make them do.
        self._computing = threading.Semaphore(_kernel.allowed_threads())
        self.threads = _kernel.allowed_threads() + _WAITING
        self.total = sum(
            _overlap(share, e) for share in shares for e in share.file.tensors.values()
        )
        self.done = 0
        self.written = 0
        self.moments = Moments(job.assignments)
        self.checksums = {file.name: Checksum() for file in job.files}
        largest = max((e.nbytes for f in job.files for e in f.tensors.values()), default=0)
        self.memory = min(block_bytes, largest)
        self._lock = threading.Lock()

    def run(self, places: Places) -> None:
        """Write what is not finished, and compare what is."""
        todo = {file.name for file in places.todo}
        for share in self.shares:
            if share.file.name in todo:
                with opened(self.folder / share.file.name, repair=True) as fd:
                    _files.take_space(fd, share.file.size, share.start, share.stop)
        for share in sorted(self.shares, key=lambda share: share.file.name in todo):
            if share.file.name in todo:
                self._share(share, compare=places.resume, repair=True)
            else:
                self._share(share, compare=True, repair=False)

    def _share(self, share: Share, *, compare: bool, repair: bool) -> None:
        """Compute a part of a file, in its partial one where it is to be written (`repair`)."""
        file = share.file
        path = self.folder / file.name
        with opened(path, repair=repair) as fd:
            if not repair and os.fstat(fd).st_size != file.size:
                raise another(path, "its size")
            for at in _fixed(share):
                self._put(fd, *at, path, compare=compare, repair=repair)
            buffers = Buffers(self.threads, self.memory, 1 + compare)

            direct = _files.Direct(fd, partial_path(path)) if repair else None

            def work(block: Block) -> None:
                buffers.run(block, lambda *arrays: self._block(fd, direct, block, path, *arrays))

            try:
                on_threads(self._blocks(share), work, self.threads, self._count)
            finally:
                if direct is not None:
                    direct.close()
            values = {piece.start: piece.crc for piece in self.checksums[file.name]}
            for at in file.tails(values):
                self._put(fd, *at, path, compare=compare, repair=repair)
                self.checksums[file.name].add(*at)
            for at in _fixed(share):  # which came first, and would be one with the values
                self.checksums[file.name].add(*at)
            if repair:
                os.fsync(fd)

    def _put(
        self, fd: int, offset: int, data: bytes, path: Path, *, compare: bool, repair: bool
    ) -> None:
        """Write a few bytes that are no values, or compare them."""
        there = bytearray(len(data))
        if compare and _files.read_at(fd, there, offset) == len(data) and there == data:
            return
        if not repair:
            raise another(path, "its header")
        _files.write_at(fd, data, offset)

    def _blocks(self, share: Share) -> Iterator[Block]:
        pieces = (
            blocks(self.job.assignments[n], e, self.block_bytes, share.start, share.stop)
            for n, e in share.file.tensors.items()
        )
        return itertools.chain.from_iterable(pieces)

    def _block(
        self,
        fd: int,
        direct: _files.Direct | None,
        block: Block,
        path: Path,
        out: Array,
        there: Array | None = None,
    ) -> None:
        data = out.view(np.uint8)
        with self._computing:
            found = measure(block, self.job.seed, out)
        self.moments.add(block, found.total, found.squares)
        self.checksums[path.name].join(Piece(block.offset, block.offset + block.nbytes, found.crc))
        if there is not None:
            old = there.view(np.uint8)
            if _files.read_at(fd, old, block.offset) == len(old) and np.array_equal(old, data):
                return
        if direct is None:
            raise another(path, f"{block.assignment.name!r}")
        direct.write(data, block.offset)
        with self._lock:
            self.written += block.nbytes

    def _count(self, nbytes: int) -> None:
        self.done += nbytes
        if self.progress is not None:
            self.progress(self.done, self.total)

    def reports(self) -> tuple[TensorReport, ...]:
        """Return what was promised, and what was measured here, of each tensor of the share."""
        found = []
        for share in self.shares:
            for name, entry in share.file.tensors.items():
                if share.start <= entry.offset <= share.stop or _overlap(share, entry):
                    found.append(self._report(share.file.name, name))
        return tuple(found)

    def _report(self, file: str, name: str) -> TensorReport:
        assignment = self.job.assignments[name]
        mean, stddev = self.moments.of(name)
        return TensorReport(
            name,
            assignment.shape,
            assignment.dtype,
            file,
            assignment.rule.pattern,
            assignment.law,
            *assignment.fans,
            assignment.stddev,
            mean,
            stddev,
        )


def _fixed(share: Share) -> Iterator[tuple[int, bytes]]:
    """What of a share does not depend on values."""
    return (at for at in share.file.fixed() if share.start <= at[0] < share.stop)


def _overlap(share: Share, entry: Entry) -> int:
    """How many bytes of a tensor are in a share of its file."""
    return max(0, min(share.stop, entry.offset + entry.nbytes) - max(share.start, entry.offset))


def check_space(folder: Path, todo: list[File]) -> None:
    """Refuse before the first byte what cannot fit."""
    needed = sum(file.size for file in todo)
    for file in todo:
        with contextlib.suppress(OSError):
            status = partial_path(folder / file.name).stat()
            needed -= min(getattr(status, "st_blocks", 0) * 512, file.size)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)} ({free} bytes are free)")


@contextlib.contextmanager
def opened(path: Path, *, repair: bool) -> Iterator[int]:
    """The file of this path, or the one in which it is begun."""
    fd = _files.open_partial(path) if repair else os.open(path, _files.READ)
    try:
        with _files.naming(path):
            yield fd
    finally:
        os.close(fd)


def remove_partials(paths: Iterable[Path]) -> None:
    """Remove what was begun of these files."""
    for path in paths:
        with _files.naming(path):
            partial_path(path).unlink(missing_ok=True)
