# SPDX-License-Identifier: Apache-2.0
"""Writers: the prepared work of one (initializer, shape, dtype), which writes any part of it."""

import math
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from glorot import _kernel, _memory
from glorot._batch import Batch
from glorot._kernel import Measured
from glorot._laws import Law
from glorot._shard import boxes
from glorot._stream import INDEX_BITS, Name, stream

Array = np.ndarray[Any, np.dtype[Any]]


class Place(NamedTuple):
    """Where a block stands in the weight that it is a part of.

    The axis that is split has two axes here, (repeats, size of the block), so that a block whose
    rows alternate with others' is one rectangle too.
    """

    shape: tuple[int, ...]
    strides: tuple[int, ...]  # of the index, which is that of the whole weight
    first: int  # the index of the block's first element
    draws: int  # the first index for what needs a matrix of its own


class Writer:
    """Writes parts of a whole weight of shape `shape`."""

    __slots__ = ("shape",)
    at_once = False  # any part costs the whole

    def __init__(self, shape: tuple[int, ...]) -> None:
        if math.prod(shape) > 1 << INDEX_BITS:
            raise ValueError(f"`shape` {shape} has more than 2**63 elements.")
        self.shape = shape

    def part(self, out: Array, start: tuple[int, ...] | None, seed: int, name: Name) -> None:
        """Write the rectangle that begins at `start` and has the shape of `out`; None: all."""
        raise NotImplementedError

    def part_of(
        self, batch: Batch, out: Array, start: tuple[int, ...] | None, seed: int, name: Name
    ) -> None:
        """The same, by the time that the batch has run."""
        batch.before(out)
        self.part(out, start, seed, name)

    def whole_at(
        self,
        begin: int,
        dtype: np.dtype[Any],
        seed: int,
        name: Name,
        batch: Batch,
        held: object,
    ) -> bool:
        """Write the whole, row-major, into the memory at the address `begin` that `held` keeps, by
        the time that the batch has run; False, and nothing written, where it takes an array."""
        return False

    def run(self, out: Array, first: int, seed: int, name: Name) -> None:
        """Write len(out) elements of the whole flattened row-major, from `first` on."""
        done = 0
        for start, extent in boxes(self.shape, first, first + out.size):
            size = math.prod(extent)
            self.part(out[done : done + size].reshape(extent), start, seed, name)
            done += size

    def run_measured(self, out: Array, first: int, seed: int, name: Name) -> Measured | None:
        """Like `run` for a contiguous array, on this thread alone, and measure what is written;
        None, and nothing written, where the kernel does not do both in one."""
        return None


class LawWriter(Writer):
    """Each element follows `law` on its own; `order` holds the index strides where they are not
    row-major as stored, `first` the index of the first element."""

    __slots__ = ("count", "first", "law", "order", "strides")

    def __init__(
        self, shape: tuple[int, ...], law: Law, order: tuple[int, ...] | None, first: int = 0
    ) -> None:
        super().__init__(shape)
        self.count = math.prod(shape)
        self.law = law
        self.order = order
        self.strides = order or _memory.row_major(shape)
        self.first = first

    def part(self, out: Array, start: tuple[int, ...] | None, seed: int, name: Name) -> None:
        """Fill by the kernel, strided where it is a shard."""
        self._fill(out, start, seed, name, None)

    def part_of(
        self, batch: Batch, out: Array, start: tuple[int, ...] | None, seed: int, name: Name
    ) -> None:
        """Let the kernel fill it with others."""
        self._fill(out, start, seed, name, batch)

    def _fill(
        self,
        out: Array,
        start: tuple[int, ...] | None,
        seed: int,
        name: Name,
        batch: Batch | None,
    ) -> None:
        first, strides = self.first, self.order
        if start is not None:
            first += sum(map(operator.mul, start, self.strides))
            strides = self.strides
        _kernel.fill(out, self.law, stream(seed, name), first, strides, batch=batch)

    def whole_at(
        self,
        begin: int,
        dtype: np.dtype[Any],
        seed: int,
        name: Name,
        batch: Batch,
        held: object,
    ) -> bool:
        """By the kernel, where the index is row-major as stored."""
        return self.order is None and _kernel.fill_straight(
            begin, dtype, self.count, self.law, stream(seed, name), self.first, None, batch, held
        )

    def run(self, out: Array, first: int, seed: int, name: Name) -> None:
        """Fill by the kernel, in one go where the index is row-major as stored."""
        if self.order is None:
            _kernel.fill(out, self.law, stream(seed, name), self.first + first)
        else:
            super().run(out, first, seed, name)

    def run_measured(self, out: Array, first: int, seed: int, name: Name) -> Measured | None:
        """By the kernel, where the index is row-major as stored."""
        if self.order is not None:
            return None
        return _kernel.fill_measured(out, self.law, stream(seed, name), self.first + first)


class WholeWriter(Writer):
    """`whole(seed, name)` must be computed for any part of it; `by` is the initializer whose weight
    it is."""

    __slots__ = ("by", "whole")
    at_once = True

    def __init__(
        self, shape: tuple[int, ...], whole: Callable[[int, Name], Array], by: Any
    ) -> None:
        super().__init__(shape)
        self.whole = whole
        self.by = by

    def part(self, out: Array, start: tuple[int, ...] | None, seed: int, name: Name) -> None:
        """Compute the whole, copy the part."""
        if out.size:
            begin = start or (0,) * out.ndim
            part = tuple(slice(i, i + n) for i, n in zip(begin, out.shape, strict=True))
            out[...] = self.whole(seed, name)[part]

    def run(self, out: Array, first: int, seed: int, name: Name) -> None:
        """Compute the whole, copy the range."""
        if out.size:
            out[...] = self.whole(seed, name).reshape(-1)[first : first + out.size]
