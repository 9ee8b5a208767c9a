# SPDX-License-Identifier: Apache-2.0
"""The kernel's work in NumPy: the same bytes, slower.  It runs where nothing was compiled, and is
what the compiled kernel is compared with."""

import functools
import math
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from glorot import _laws, _stream
from glorot._memory import row_major
from glorot._stream import Stream

Array = np.ndarray[Any, np.dtype[Any]]

_CHUNK = 1 << 16  # elements at a time, so that temporaries stay in cache


class BlockLaw(Protocol):
    """A law of another framework's stream: values come in blocks of four, each computed alone.

    Block b holds the elements 4 b .. 4 b + 3, whatever their dtype.
    """

    code: int  # its Kind in native/laws.h

    def native(self) -> tuple[Sequence[float], Sequence[int]]:
        """At most 6 real and 5 unsigned 64-bit constants, in the order of native/laws.h's Law."""

    def blocks(self, dtype: np.dtype[Any], stream: Stream, block: Array) -> Array:
        """The NumPy reference: the values of n listed blocks (uint64), of shape (n, 4)."""


def is_block_law(law: Any) -> bool:
    return hasattr(law, "blocks")


def words(stream: Stream, index: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    """The words at uint64 indices (1-D)."""
    lo = index.astype(np.uint32)
    hi = (index >> np.uint64(32)).astype(np.uint32)
    result: np.ndarray[Any, Any] = _stream.words(np, stream, lo, hi)
    return result


def block_words(stream: Stream, block: Array) -> Array:
    """The words of n blocks (uint64), of shape (n, 4)."""
    lo, hi = block.astype(np.uint32), (block >> np.uint64(32)).astype(np.uint32)
    counter = _stream.add_block(np, _stream.digits(np, stream.counter, 4), lo, hi)
    outputs = _stream.philox4x32(np, counter, _stream.digits(np, stream.key, 2))
    return np.stack(outputs, axis=-1)


def _run_blocks(start: int, count: int) -> Array:
    return np.arange(start // 4, (start + count - 1) // 4 + 1, dtype=np.uint64)


def _run_words(stream: Stream, start: int, count: int) -> Array:
    """The words of `count` consecutive indices, a block computed once for its four words."""
    found = block_words(stream, _run_blocks(start, count)).reshape(-1)
    return found[start % 4 :][:count]


def _lane(stream: Stream, lane: int) -> Stream:
    return Stream(stream.key, stream.counter | lane << _stream.LANE_SHIFT)


def _law_values(law: Any, dtype: np.dtype[Any], stream: Stream, draw: Any) -> Any:
    """Values from `draw(stream)`, which gives the words of some fixed indices."""
    if law is None:
        return draw(stream)
    return _laws.values(np, law, dtype, *(draw(_lane(stream, lane)) for lane in _laws.lanes(dtype)))


def _run_values(law: Any, dtype: np.dtype[Any], stream: Stream, start: int, count: int) -> Any:
    if is_block_law(law):
        values = law.blocks(dtype, stream, _run_blocks(start, count))
        return values.reshape(-1)[start % 4 :][:count]
    return _law_values(law, dtype, stream, functools.partial(_run_words, start=start, count=count))


def _values_at(law: Any, dtype: np.dtype[Any], stream: Stream, index: Array) -> Any:
    if is_block_law(law):
        block, place = np.unique(index >> np.uint64(2), return_inverse=True)
        return law.blocks(dtype, stream, block)[place, index & np.uint64(3)]
    return _law_values(law, dtype, stream, functools.partial(words, index=index))


def fill(
    out: "np.ndarray[Any, Any]", law: Any, stream: Stream, start: int, steps: Sequence[int]
) -> None:
    if out.flags.c_contiguous and tuple(steps) == row_major(out.shape):  # no axes: always
        _fill_row(out.reshape(-1), law, stream, start)
    elif steps[-1] == 1 and out.shape[-1] >= 16:
        for place in np.ndindex(out.shape[:-1]):
            first = start + sum(i * step for i, step in zip(place, steps[:-1], strict=True))
            _fill_row(out[place], law, stream, first)
    else:
        for view, index in _index_chunks(out, start, steps):
            values = _values_at(law, out.dtype, stream, index.reshape(-1))
            view[...] = values.reshape(view.shape)


def _fill_row(row: Array, law: Any, stream: Stream, start: int) -> None:
    for begin in range(0, row.size, _CHUNK):
        part = row[begin : begin + _CHUNK]
        part[...] = _run_values(law, row.dtype, stream, start + begin, part.size)


def _index_chunks(
    out: "np.ndarray[Any, Any]", start: int, steps: Sequence[int]
) -> Iterator[tuple[Any, Any]]:
    """(view, uint64 indices) pieces of `out` along its first axis, about _CHUNK elements each."""
    rows = max(1, _CHUNK // max(1, math.prod(out.shape[1:])))
    for begin in range(0, out.shape[0], rows):
        view = out[begin : begin + rows]
        index = np.full(view.shape, start + begin * steps[0], dtype=np.uint64)
        for axis, step in enumerate(steps):
            shape = [1] * out.ndim
            shape[axis] = -1
            index += np.arange(view.shape[axis], dtype=np.uint64).reshape(shape) * np.uint64(step)
        yield view, index
