# SPDX-License-Identifier: Apache-2.0
"""One rectangle of a tensor, stored by itself: the place of each of its elements in the whole."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from glorot._base import Initializer
from glorot._shard import Shard, boxes

Array = np.ndarray[Any, np.dtype[Any]]


class Box(NamedTuple):
    """Where it begins in the tensor, its size, and its axes in the order in which it is stored."""

    begin: tuple[int, ...]
    shape: tuple[int, ...]
    axes: tuple[int, ...]

    def whole(self, shape: tuple[int, ...]) -> bool:
        """Whether it is all of the tensor, row-major."""
        return self.shape == shape and self.rising

    @property
    def rising(self) -> bool:
        """Whether its elements are stored in the order that they have in the tensor."""
        return self.axes == tuple(range(len(self.axes)))

    def place(self, at: int) -> tuple[int, ...]:
        """Where in the tensor the element is that is stored as number `at`.

        Examples:
            >>> Box((2, 0), (2, 3), (0, 1)).place(4), Box((2, 0), (2, 3), (1, 0)).place(4)
            ((3, 1), (2, 2))
        """
        found = np.unravel_index(at, [self.shape[axis] for axis in self.axes])
        inside = dict(zip(self.axes, map(int, found), strict=True))
        return tuple(start + inside[axis] for axis, start in enumerate(self.begin))

    def first(self, numbers: Array) -> int:
        """Which of the elements stored as these numbers, rising, comes first in the tensor."""
        if self.rising:
            return 0
        stored = np.unravel_index(numbers, [self.shape[axis] for axis in self.axes])
        last_first = [stored[self.axes.index(axis)] for axis in reversed(range(len(self.axes)))]
        return int(np.lexsort(last_first)[0])

    def fill(
        self, init: Initializer, shape: tuple[int, ...], out: Array, first: int, seed: int,
        name: str,
    ) -> None:  # fmt: skip
        """Write the elements stored as [first, first + len(out)) into the 1-D array `out`."""
        done = 0
        stored = [self.shape[axis] for axis in self.axes]
        for at, extent in boxes(stored, first, first + out.size):
            size = math.prod(extent)
            view = out[done : done + size].reshape(extent).transpose(_inverse(self.axes))
            begin = [self.begin[axis] for axis in self.axes]
            low = _back([i + j for i, j in zip(begin, at, strict=True)], self.axes)
            high = [i + n for i, n in zip(low, view.shape, strict=True)]
            init(shape, seed=seed, name=name, shard=Shard(low, high), out=view)
            done += size


def _inverse(axes: Sequence[int]) -> list[int]:
    return sorted(range(len(axes)), key=axes.__getitem__)


def _back(stored: Sequence[int], axes: Sequence[int]) -> list[int]:
    """Numbers of stored axes in the tensor's own order."""
    return [stored[place] for place in _inverse(axes)]
