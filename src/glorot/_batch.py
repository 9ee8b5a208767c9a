# SPDX-License-Identifier: Apache-2.0
"""Fills of many arrays that threads share, while the next ones are prepared."""

import bisect
from types import TracebackType
from typing import Any

import numpy as np

from glorot import _kernel
from glorot._memory import span

Array = np.ndarray[Any, np.dtype[Any]]

_AHEAD = 16 << 20  # bytes that take longer to fill than threads to start
_LONG = 0.1  # seconds after which Ctrl-C is heard


class Batch:
    """Fills of which threads share all, whatever their sizes, and which are done after `run`.

    What has less than `least` bytes, or is not one run of consecutive indices, does not wait, nor
    does anything where there is no compiled kernel.  From `ahead` bytes on other threads, where
    there may be any, begin at once: else the fills wait, and what prepares them stays in the
    processor's caches.  No more wait than `most` bytes, so that Ctrl-C is heard in between.  Of
    fills of the same memory, as of two views of a tensor, the last one stands: what waits for it is
    done before it is written again.

    As a context it runs at the end, or stops where an error leaves it: nothing is written behind.
    """

    def __init__(self, most: int = 1 << 30, least: int = 1 << 16, ahead: int = _AHEAD) -> None:
        self._most = most
        self._least = least  # so little takes hardly longer to do than to write down
        self.threads = _kernel.threads_for(None)
        self._ahead = ahead if self.threads > 1 else most
        self._fills: Any = None
        self._forget()

    def _forget(self) -> None:
        self._bytes = 0  # of all that is not known to be done
        # Where the memory of each begins and ends, rising: no two overlap.
        self._begins: list[int] = []
        self._ends: list[int] = []
        self._keep()

    def _keep(self) -> None:
        self._kept = 0  # bytes of the tasks that no thread knows
        self._tasks: list[tuple[Any, ...]] = []
        self._held: list[object] = []  # whose memory is written

    def __enter__(self) -> "Batch":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.run()
        else:
            self._stop()

    def add(self, task: tuple[Any, ...], nbytes: int, held: object) -> bool:
        """Have a task of `_kernel.together` wait; False where it is too small for that, and
        nothing waits for its memory any more. `held` keeps the memory until it has run."""
        begin = task[0]
        if nbytes < self._least:
            if self._bytes:
                self._clear(begin, begin + nbytes)
            return False
        at = self._clear(begin, begin + nbytes)
        self._begins.insert(at, begin)
        self._ends.insert(at, begin + nbytes)
        self._tasks.append(task)
        self._held.append(held)
        self._bytes += nbytes
        self._kept += nbytes
        if self._bytes > self._most:
            self.run()
        elif self._kept >= self._ahead:
            self._hand_over()
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
        if self._bytes and out.size:
            self._clear(*span(out))

    def _hand_over(self) -> None:
        if self._fills is None:
            self._fills = _kernel.together(self.threads)
        self._fills.add(self._tasks, self._held)
        self._keep()

    def run(self) -> None:
        """Do what waits."""
        if not self._bytes:
            return
        try:
            if self._tasks:
                self._hand_over()
            while not self._fills.wait(_LONG):
                pass
        except BaseException:
            self._stop()
            raise
        self._forget()

    def _stop(self) -> None:
        if self._fills is not None:
            self._fills.stop()
        self._forget()
