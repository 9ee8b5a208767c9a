# SPDX-License-Identifier: Apache-2.0
"""Computes the values of a checkpoint's tensors again, block by block, and compares every byte."""

import dataclasses
import math
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from glorot import _kernel
from glorot.checkpoint import _files
from glorot.checkpoint._arguments import Progress
from glorot.checkpoint._blocks import Array, Block, Buffers, blocks, compute, on_threads
from glorot.checkpoint._box import Box
from glorot.checkpoint._checksum import Checksum
from glorot.checkpoint._found import Found, Piece
from glorot.checkpoint._header import Entry
from glorot.checkpoint._report import TensorCheck
from glorot.recipe import Assignment

_CHUNK = 4 << 20


def compare_values(
    assignments: dict[str, Assignment],
    found: dict[str, Found],
    seed: int,
    block_bytes: int,
    progress: Progress | None,
    checksums: dict[Path, Checksum] | None,
) -> Iterator[TensorCheck]:
    """Yield the verdict on each tensor; `checksums` get what is read of their files."""
    threads = _kernel.allowed_threads()
    total = sum(found[name].nbytes for name in assignments)
    by_file: dict[Path, list[tuple[str, Piece]]] = {}
    largest = 0
    for name in assignments:
        for piece in found[name].pieces:
            if not piece.lost:
                by_file.setdefault(piece.path, []).append((name, piece))
                largest = max(largest, piece.entry.nbytes)
    buffers = Buffers(threads, min(block_bytes, largest), 2)
    tallies = {name: _Tally(found[name]) for name in assignments}
    done = 0

    def count(nbytes: int) -> None:
        nonlocal done
        done += nbytes
        if progress is not None:
            progress(done, total)

    for path, pieces in by_file.items():
        jobs = (
            block
            for name, piece in pieces
            for block in _blocks(assignments[name], piece, block_bytes)
        )
        fd = os.open(path, _files.READ)
        checksum = None if checksums is None else checksums[path]
        try:

            def work(block: Block, fd: int = fd, checksum: Checksum | None = checksum) -> None:
                def compare(expected: Array, there: Array) -> tuple[int, _First | None]:
                    differing, first, data = _difference(fd, block, seed, expected, there)
                    if checksum is not None:
                        checksum.add(block.offset, data)
                    return differing, first

                differing, first = buffers.run(block, compare)
                tallies[block.assignment.name].add(differing, first)

            on_threads(jobs, work, threads, count)
            if checksum is not None:
                _add_between(fd, [piece.entry for _, piece in pieces], checksum)
        finally:
            os.close(fd)
    for name, tally in tallies.items():
        yield tally.check(name)


def _blocks(assignment: Assignment, piece: Piece, block_bytes: int) -> Iterator[Block]:
    # The dtype is the one that is there, where nothing says which it should be.
    stored = dataclasses.replace(assignment, dtype=piece.entry.dtype)
    box = None if piece.box.whole(assignment.shape) else piece.box
    return blocks(stored, piece.entry, block_bytes, box=box)


def _add_between(fd: int, entries: list[Entry], checksum: Checksum) -> None:
    """Read what stands before the values, between and after them."""
    end, room = 0, bytearray(_CHUNK)
    ends = [(entry.offset, entry.offset + entry.nbytes) for entry in entries]
    size = os.fstat(fd).st_size
    for start, stop in [*sorted(ends), (size, size)]:
        while end < start:
            part = memoryview(room)[: min(_CHUNK, start - end)]
            checksum.add(end, part[: _files.read_at(fd, part, end)])
            end += len(part)
        end = max(end, stop)


class _First(NamedTuple):
    place: tuple[int, ...]
    expected: float
    found: float


def _difference(
    fd: int, block: Block, seed: int, expected: Array, there: Array
) -> tuple[int, _First | None, Array]:
    """(how many elements of the block differ, the first, the bytes there), by their bytes."""
    data = there.view(np.uint8)
    read = _files.read_at(fd, data, block.offset)
    have = read // there.itemsize
    compute(block, seed, expected)
    if np.array_equal(data, expected.view(np.uint8)):
        return (len(there) - have), None, data[:read]
    bits = np.dtype(f"u{there.itemsize}")
    unequal = there[:have].view(bits) != expected[:have].view(bits)
    count = int(np.count_nonzero(unequal))
    if not count:
        return len(there) - have, None, data[:read]
    shape = block.assignment.shape
    box = block.box or Box((0,) * len(shape), shape, tuple(range(len(shape))))
    numbers = np.flatnonzero(unequal)
    at = int(numbers[box.first(block.start + numbers)])
    place = box.place(block.start + at)
    first = _First(place, float(expected[at]), float(there[at]))
    return count + len(there) - have, first, data[:read]


class _Tally:
    """What the blocks of one tensor add up to."""

    def __init__(self, found: Found) -> None:
        self.found = found
        self.differing = sum(_count(piece) for piece in found.pieces if piece.lost)
        self.first: _First | None = None
        self._lock = threading.Lock()

    def add(self, differing: int, first: _First | None) -> None:
        """Count one block."""
        with self._lock:
            self.differing += differing
            if first is not None and (self.first is None or first.place < self.first.place):
                self.first = first

    def check(self, name: str) -> TensorCheck:
        """Return the verdict on the tensor."""
        count = sum(map(_count, self.found.pieces))
        lacking = sum(piece.lacking for piece in self.found.pieces)
        if not self.differing and not lacking:
            return TensorCheck(name, "equal", count=count)
        index = values = None
        note = f"{self.differing} of {count} elements differ"
        if self.first is not None:
            index = self.first.place
            values = self.first.expected, self.first.found
            note += f"; first at {list(index)}: {values[0]:.9g} expected, {values[1]:.9g} found"
        status = "trained" if self.differing > count / 2 else "differs"
        if lacking:
            status, note = "truncated", f"the file lacks its last {lacking} bytes; {note}"
        return TensorCheck(name, status, note, count, self.differing, index, *(values or ()))


def _count(piece: Piece) -> int:
    return math.prod(piece.entry.shape)
