# SPDX-License-Identifier: Apache-2.0
"""Mean and standard deviation of what was written, from the sums of its blocks."""

import math
import threading
from collections.abc import Iterable

from glorot.checkpoint._blocks import Block


class Moments:
    """The sums of each tensor's blocks, added in one order, whichever thread came first.

    Of a tensor that is complete two numbers stay, so that memory does not grow with the model.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._sums: dict[str, list[tuple[int, int, float, float]]] = {name: [] for name in names}
        self._left: dict[str, int] = {}  # elements that are still to come
        self._known: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def add(self, block: Block, total: float, squares: float) -> None:
        """Take the sum and the sum of squares of a block."""
        assignment, name = block.assignment, block.assignment.name
        with self._lock:
            self._sums[name].append((block.start, block.count, total, squares))
            left = self._left.pop(name, math.prod(assignment.shape)) - block.count
            if left:
                self._left[name] = left
            else:
                self._known[name] = _moments(self._sums.pop(name))

    def of(self, name: str) -> tuple[float, float] | tuple[None, None]:
        """Return (mean, standard deviation) of a tensor's blocks; None and None where it has
        none."""
        if name in self._known:
            return self._known[name]
        return _moments(self._sums[name]) if self._sums[name] else (None, None)


def _moments(sums: list[tuple[int, int, float, float]]) -> tuple[float, float]:
    ordered = sorted(sums)
    count = sum(count for _, count, _, _ in ordered)
    mean = math.fsum(total for _, _, total, _ in ordered) / count
    square = math.fsum(squares for _, _, _, squares in ordered) / count
    return mean, math.sqrt(max(0.0, square - mean * mean))
