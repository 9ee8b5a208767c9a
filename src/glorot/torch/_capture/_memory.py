# SPDX-License-Identifier: Apache-2.0
"""Which elements of which storage were written, with what, in which order."""

import math
from typing import Any, NamedTuple

import torch

from glorot._captured._drawn import Drawn, Fixed, Unknown

NOTHING = Unknown("memory that nothing wrote")


class Region(NamedTuple):
    """Which elements of a storage a tensor is."""

    offset: int
    sizes: tuple[int, ...]
    strides: tuple[int, ...]

    @classmethod
    def of(cls, tensor: torch.Tensor) -> "Region":
        """The region of a tensor, axes of size 1 left out."""
        axes = [(n, s) for n, s in zip(tensor.shape, tensor.stride(), strict=True) if n != 1]
        axes.sort(key=lambda axis: -axis[1])
        return cls(tensor.storage_offset(), tuple(n for n, _ in axes), tuple(s for _, s in axes))

    @property
    def last(self) -> int:
        """The place of its last element."""
        axes = zip(self.sizes, self.strides, strict=True)
        return self.offset + sum((n - 1) * s for n, s in axes)

    @property
    def dense(self) -> bool:
        """Whether it is all from its first element to its last."""
        return self.last - self.offset + 1 == math.prod(self.sizes)

    @property
    def repeats(self) -> bool:
        """Whether it holds an element more than once."""
        return 0 in self.strides or self.last - self.offset + 1 < math.prod(self.sizes)

    def covers(self, other: "Region") -> bool:
        """Whether it surely holds every element of another."""
        if self == other:
            return True
        return self.dense and self.offset <= other.offset and other.last <= self.last

    def apart(self, other: "Region") -> bool:
        """Whether it surely holds no element of another."""
        return self.last < other.offset or other.last < self.offset


class Memory:
    """A storage, kept so that its address is not given again: what was written, in order, and of
    the meta device the numbers that it would hold."""

    __slots__ = ("dtype", "numbers", "storage", "writes")

    def __init__(self, storage: Any, dtype: torch.dtype) -> None:
        self.storage = storage
        self.dtype = dtype  # of the tensor that was seen first
        self.writes: list[tuple[Region, Drawn]] = []
        self.numbers: torch.Tensor | None = None

    def write(self, region: Region, value: Drawn) -> None:
        """Note a write: what it covers is gone."""
        if region.dense:  # as `covers`, quick where thousands of rows are written one by one
            begin, last = region.offset, region.last
            self.writes = [w for w in self.writes if w[0].offset < begin or w[0].last > last]
        else:
            self.writes = [w for w in self.writes if w[0] != region]
        self.writes.append((region, value))

    def read(self, region: Region) -> Drawn | None:
        """What is there, if it is one thing; None where nothing was seen to be written."""
        there: list[Drawn] = []
        for written, value in reversed(self.writes):
            if written.covers(region):
                there.append(value)
                break
            if not written.apart(region):
                there.append(value)
        if len(there) < 2:
            return there[0] if there else None
        if all(isinstance(value, Fixed) or value == NOTHING for value in there):
            return Fixed()
        return Unknown("several parts, written apart")


def all_of(tensor: torch.Tensor) -> Region:
    """All of a tensor's storage."""
    count = len(tensor.untyped_storage()) // max(tensor.element_size(), 1)
    return Region(0, (count,), (1,))
