# SPDX-License-Identifier: Apache-2.0
"""Parameters of a checkpoint, read from its files a run at a time, in whatever pieces."""

import contextlib
import operator
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from glorot._audit._parameter import Parameter
from glorot._dtypes import ALL
from glorot._memory import row_major
from glorot._shard import boxes
from glorot.checkpoint import _files, _found, _layout
from glorot.checkpoint._dcp import METADATA
from glorot.checkpoint._found import Piece
from glorot.recipe import TensorSpec

Array = np.ndarray[Any, np.dtype[Any]]
_Read = Callable[[Array, int], None]  # fills an array with the bytes at an offset
_PAGE, _SPAN = 1 << 12, 1 << 20  # bytes: rows not further apart are read at once, so many


def read_checkpoint(path: Path) -> tuple[list[Parameter], tuple[str, ...]]:
    """Return the parameters of the checkpoint at `path`, and notes on what else it holds.

    Raises:
        ValueError: a malformed header, index, metadata or archive.
        OSError: nothing there, or a file that cannot be read.
    """
    if path.name == METADATA and path.is_file():
        path = path.parent
    contents = _found.read(path)
    said: dict[str, dict[str, Any]] = {}
    for _, texts in contents.metadata:
        said |= _layout._said(texts)
    parameters = []
    for name, found in contents.found.items():
        spec = TensorSpec(found.shape, found.dtype, **said.get(name, {}))
        broken = ", ".join(
            f"{piece.path.name} lacks its last {piece.lacking} bytes"
            for piece in found.pieces
            if piece.lacking
        )
        parameters.append(Parameter(name, spec, _reader(found), broken=broken))
    for check in contents.checks.values():
        parameters.append(Parameter(check.name, TensorSpec((0,)), _nothing, broken=check.note))
    return parameters, contents.notes


def _nothing(start: int, stop: int) -> Array:
    raise AssertionError(f"a parameter that is not there was read, {start} to {stop}")


def _reader(found: _found.Found) -> Callable[[int, int], Array]:
    dtype = ALL[found.dtype]
    first = found.pieces[0] if found.pieces else None
    if first is not None and first.box.whole(found.shape):
        return lambda start, stop: _run(first.path, first.entry.offset, dtype, start, stop)

    def read(start: int, stop: int) -> Array:
        values = np.empty(stop - start, dtype)
        done = 0
        for at, extent in boxes(found.shape, start, stop):
            size = int(np.prod(extent, dtype=np.int64))
            room = values[done : done + size].reshape(extent)
            for piece in found.pieces:
                _copy(piece, dtype, at, room)
            done += size
        return values

    return read


def _run(path: Path, offset: int, dtype: np.dtype[Any], start: int, stop: int) -> Array:
    """Elements [start, stop) of those that begin at an offset of a file."""
    values = np.empty(stop - start, dtype)
    with _opened(path) as read:
        read(values, offset + start * dtype.itemsize)
    return values


def _copy(piece: Piece, dtype: np.dtype[Any], at: tuple[int, ...], room: Array) -> None:
    """Fill what of `room`, whose first element is the tensor's at `at`, lies in a piece."""
    box = piece.box
    low = [max(i, j) for i, j in zip(at, box.begin, strict=True)]
    ends = zip(at, room.shape, box.begin, box.shape, strict=True)
    high = [min(i + n, j + m) for i, n, j, m in ends]
    if any(i >= j for i, j in zip(low, high, strict=True)):
        return
    values = np.empty([high[axis] - low[axis] for axis in box.axes], dtype)
    steps = [step * dtype.itemsize for step in row_major(piece.entry.shape)]
    inside = [low[axis] - box.begin[axis] for axis in box.axes]
    offset = piece.entry.offset + sum(map(operator.mul, inside, steps))
    with _opened(piece.path) as read:
        _rectangle(read, values, steps, offset)
    room[_slices(low, high, at)] = values.transpose(np.argsort(box.axes))


def _rectangle(read: _Read, values: Array, steps: list[int], offset: int) -> None:
    """Read a rectangle of what is stored, whose first element is at an offset of the file and whose
    next along each axis is so many bytes further."""
    ends = ((n - 1) * step for n, step in zip(values.shape, steps, strict=True))
    span = sum(ends) + values.itemsize
    if span == values.nbytes:
        read(values, offset)
    elif span <= _SPAN and steps[0] <= _PAGE:  # what lies between is read too
        data = np.empty(span, np.uint8)
        read(data, offset)
        values[...] = np.ndarray(values.shape, values.dtype, data, 0, steps)
    elif steps[0] <= _PAGE:
        rows = _SPAN // steps[0]
        for i in range(0, len(values), rows):
            _rectangle(read, values[i : i + rows], steps, offset + i * steps[0])
    else:
        for i, row in enumerate(values):
            _rectangle(read, row, steps[1:], offset + i * steps[0])


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[_Read]:
    """What fills an array with the bytes at an offset of a file.

    Nothing is mapped: of a mapped file that becomes shorter, the system kills who reads on.
    """

    def read(values: Array, offset: int) -> None:
        if _files.read_at(fd, values.reshape(-1).view(np.uint8), offset) < values.nbytes:
            raise OSError(f"{path} has become shorter while it was read.")

    fd = os.open(path, _files.READ)
    try:
        yield read
    finally:
        os.close(fd)


def _slices(low: list[int], high: list[int], begin: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(i - k, j - k) for i, j, k in zip(low, high, begin, strict=True))
