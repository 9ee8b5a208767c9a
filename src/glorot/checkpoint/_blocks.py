# SPDX-License-Identifier: Apache-2.0
"""Blocks: the pieces of tensors that threads compute, each into its own memory."""

import itertools
import math
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from glorot import _base, _kernel
from glorot._dtypes import ALL, FLOATS
from glorot._kernel import Measured
from glorot.checkpoint._box import Box
from glorot.checkpoint._checksum import crc32
from glorot.checkpoint._header import Entry
from glorot.recipe import Assignment

Array = np.ndarray[Any, np.dtype[Any]]

DEFAULT_BLOCK_BYTES = 8 << 20
PAGE = 4096
_EXTRA_BYTES = 1 << 30
_PIECE_BYTES = 1 << 20  # what stays in a core's cache until it is measured


@dataclass(frozen=True, slots=True)
class Block:
    """Elements [start, start + count) of one tensor, or of one box of it that is stored by itself,
    and where they are in their file."""

    assignment: Assignment
    start: int
    count: int
    offset: int
    whole: bool  # cannot be computed in pieces
    box: Box | None = None  # of which the elements are, in place of the tensor

    @property
    def nbytes(self) -> int:
        """How many bytes the block takes."""
        return self.count * ALL[self.assignment.dtype].itemsize


def blocks(
    assignment: Assignment,
    entry: Entry,
    block_bytes: int,
    first: int = 0,
    last: int | None = None,
    box: Box | None = None,
) -> Iterator[Block]:
    """Yield the blocks of a tensor, or of what is in bytes [first, last) of the file; where
    `block_bytes` are two pages or more, all but the first begin on a page of the file.

    An initializer that must compute the whole tensor for any part of it gets a single block.
    """
    dtype = ALL[entry.dtype]
    total = math.prod(entry.shape)
    whole = assignment.initializer._writer(assignment.shape, dtype).at_once
    start = max(0, first - entry.offset) // dtype.itemsize
    if last is not None:
        total = min(total, max(0, last - entry.offset) // dtype.itemsize)
    while start < total:
        offset = entry.offset + start * dtype.itemsize
        over = (offset + block_bytes) % PAGE if block_bytes >= 2 * PAGE else 0
        room = block_bytes - over
        count = total if whole else min(total - start, max(1, room // dtype.itemsize))
        yield Block(assignment, start, count, offset, whole, box)
        start += count


def compute(block: Block, seed: int, out: Array, at: int = 0) -> None:
    """Write a block's values from the one numbered `at` on into `out`."""
    init, name, shape = block.assignment.initializer, block.assignment.name, block.assignment.shape
    with _kernel.alone():  # the other threads are busy with blocks of their own
        if block.box is None:
            init.fill_range(out, shape, block.start + at, seed=seed, name=name)
        else:
            block.box.fill(init, shape, out, block.start + at, seed, name)


def measure(block: Block, seed: int, out: Array) -> Measured:
    """Write a block's values into `out`, and measure each piece while it is in the cache."""
    assignment = block.assignment
    if block.box is None:
        writer = _base._prepared(assignment.initializer, assignment.shape, out.dtype)
        found = writer.run_measured(out, block.start, seed, assignment.name)
        if found is not None:
            return found
    piece = block.count if block.whole else _PIECE_BYTES // out.itemsize
    total = squares = 0.0
    crc = 0
    for at in range(0, block.count, piece):
        part = out[at : at + piece]
        compute(block, seed, part, at)
        more, more_squares = moments(part)
        total, squares = total + more, squares + more_squares
        crc = crc32(part.view(np.uint8), crc)
    return Measured(total, squares, crc)


def moments(values: Array) -> tuple[float, float]:
    """The sum and the sum of squares of an array, in float64."""
    if values.dtype in FLOATS.values():
        return _kernel.moments(values)
    wide = values.astype(np.float64)
    return float(wide.sum()), float(np.square(wide).sum())


class Buffers:
    """The memory of the threads: `ways` arrays of `nbytes` for each that works at the time.

    A thread for each CPU always gets its own. More threads, which GLOROT_THREADS can ask for, get
    theirs while all fit in 1 GiB, and otherwise wait their turn: with more than enough threads to
    keep the disk busy, more memory buys nothing.

    A block lies in memory as it does in its file: what begins on a page there begins on one here,
    as direct writes ask.
    """

    def __init__(self, threads: int, nbytes: int, ways: int) -> None:
        self._ways = ways
        self._nbytes = nbytes
        fit = _EXTRA_BYTES // max(1, ways * nbytes)
        # Last in, first out: what is made was needed, and what was used last is still in cache.
        self._free: queue.LifoQueue[list[Array] | None] = queue.LifoQueue()
        for _ in range(min(threads, max(fit, _kernel.usable_cpus()))):
            self._free.put(None)  # made when it is taken

    def run(self, block: Block, work: Callable[..., Any]) -> Any:
        """Call work(array, ...) with arrays of the block's dtype and count."""
        memory = self._free.get()
        try:
            if memory is None:
                memory = self._make(self._nbytes)
            room = memory
            if block.nbytes > self._nbytes:  # a whole tensor
                room = self._make(block.nbytes)
            dtype = ALL[block.assignment.dtype]
            start = block.offset % PAGE
            return work(*(way[start : start + block.nbytes].view(dtype) for way in room))
        finally:
            self._free.put(memory)

    def _make(self, nbytes: int) -> list[Array]:
        """Arrays that begin on a page, with a page more than is asked."""
        found = []
        for _ in range(self._ways):
            memory = np.empty(nbytes + 2 * PAGE, np.uint8)
            found.append(memory[-memory.ctypes.data % PAGE :])
        return found


def on_threads(
    jobs: Iterable[Block], work: Callable[[Block], None], threads: int, done: Callable[[int], None]
) -> None:
    """Do all jobs on so many threads, in any order; done(bytes) after each, one at a time.

    The first error stops the rest and is raised.
    """
    waiting = iter(jobs)
    first = list(itertools.islice(waiting, threads))
    threads = max(1, len(first))  # no more threads than blocks
    waiting = itertools.chain(first, waiting)
    lock = threading.Lock()
    stopped = threading.Event()

    def loop() -> None:
        try:
            while not stopped.is_set():
                with lock:
                    block = next(waiting, None)
                if block is None:
                    return
                work(block)
                with lock:
                    done(block.nbytes)
        except BaseException:
            stopped.set()
            raise

    with ThreadPoolExecutor(threads, thread_name_prefix="glorot") as pool:
        futures = [pool.submit(loop) for _ in range(threads)]
        try:
            for future in futures:
                future.result()
        finally:
            stopped.set()
