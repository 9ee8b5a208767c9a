# SPDX-License-Identifier: Apache-2.0
"""Fills of many arrays that wait for one another, so that threads share all of them."""

import bisect
from typing import Any

import numpy as np

from glorot import _kernel
from glorot._memory import span

Array = np.ndarray[Any, np.dtype[Any]]


class Batch:
    """Fills that wait until `run`, so that threads share all of them whatever their sizes.

    What has less than `least` bytes, or is not one run of consecutive indices, does not wait, nor
    does anything where there is no compiled kernel.  No more waits than `most` bytes, so that
    Ctrl-C is heard in between.  Of fills of the same memory, as of two views of a tensor, the last
    one stands: what waits for it is done before it is written again.
    """

    def __init__(self, most: int = 1 << 30, least: int = 1 << 16) -> None:
        self._most = most
        self._least = least  # so little takes hardly longer to do than to write down
        self.threads = _kernel.threads_for(None)
        self._forget()

    def _forget(self) -> None:
        self._bytes = 0
        self._tasks: list[tuple[Any, ...]] = []
        self._held: list[object] = []  # whose memory is written
        # Where the memory of each begins and ends, rising: no two overlap.
        self._begins: list[int] = []
        self._ends: list[int] = []

    def add(self, task: tuple[Any, ...], nbytes: int, held: object) -> bool:
        """Have a task of `_kernel.fill_together` wait; False where it is too small for that, and
        nothing waits for its memory any more. `held` keeps the memory until it has run."""
        begin = task[0]
        if nbytes < self._least:
            if self._tasks:
                self._clear(begin, begin + nbytes)
            return False
        at = self._clear(begin, begin + nbytes)
        self._begins.insert(at, begin)
        self._ends.insert(at, begin + nbytes)
        self._tasks.append(task)
        self._held.append(held)
        self._bytes += nbytes
        if self._bytes > self._most:
            self.run()
        return True

    def _clear(self, begin: int, end: int) -> int:
        """Have nothing wait for this memory, and return its place among what does."""
        at = bisect.bisect_left(self._begins, end)
        if at and self._ends[at - 1] > begin:
            self.run()
            return 0
        return at

    def before(self, out: Array) -> None:
        """Do what waits for memory that is now written otherwise."""
        if self._tasks and out.size:
            self._clear(*span(out))

    def run(self) -> None:
        """Do what waits."""
        if self._tasks:
            _kernel.fill_together(self._tasks, self.threads)
            self._forget()
