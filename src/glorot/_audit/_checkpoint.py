# SPDX-License-Identifier: Apache-2.0
"""Parameters of a checkpoint, read from its files a run at a time, in whatever pieces."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from glorot._audit._parameter import Parameter
from glorot._dtypes import ALL
from glorot._shard import boxes
from glorot.checkpoint import _files, _found, _layout
from glorot.checkpoint._dcp import METADATA
from glorot.checkpoint._found import Piece
from glorot.recipe import TensorSpec

Array = np.ndarray[Any, np.dtype[Any]]


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
    fd = os.open(path, _files.READ)
    try:
        data = values.view(np.uint8)
        if _files.read_at(fd, data, offset + start * dtype.itemsize) < data.size:
            raise OSError(f"{path} has become shorter while it was read.")
    finally:
        os.close(fd)
    return values


def _copy(piece: Piece, dtype: np.dtype[Any], at: tuple[int, ...], room: Array) -> None:
    """Fill what of `room`, whose first element is the tensor's at `at`, lies in a piece."""
    box = piece.box
    low = [max(i, j) for i, j in zip(at, box.begin, strict=True)]
    ends = zip(at, room.shape, box.begin, box.shape, strict=True)
    high = [min(i + n, j + m) for i, n, j, m in ends]
    if any(i >= j for i, j in zip(low, high, strict=True)):
        return
    # Mapped for this call alone, so that no more of the file counts as this process's memory.
    stored = np.memmap(piece.path, dtype, "r", piece.entry.offset, piece.entry.shape)
    values = stored.transpose(np.argsort(box.axes))
    room[_slices(low, high, at)] = values[_slices(low, high, box.begin)]


def _slices(low: list[int], high: list[int], begin: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(i - k, j - k) for i, j, k in zip(low, high, begin, strict=True))
