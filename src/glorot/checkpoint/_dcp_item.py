# SPDX-License-Identifier: Apache-2.0
"""One item of a torch.distributed.checkpoint file: where in it the values of its tensor lie.

An item is the zip archive that `torch.save` makes of one tensor.  It is untrusted: of its directory
and of the pickle that describes the tensor little is read, and nothing of it is run.
"""

import io
import math
import struct
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from glorot import _check
from glorot._dtypes import ALL
from glorot.checkpoint import _dcp
from glorot.checkpoint._inert import Class, Unpickler

_MOST = 1 << 20  # bytes of a directory, and of what describes one tensor
_DTYPES = {storage: dtype for dtype, storage in _dcp.STORAGES.items()}
_REBUILD = Class("torch._utils", "_rebuild_tensor_v2")
_REBUILD_DTYPE = Class("torch._utils", "_rebuild_tensor_v3")
_UNTYPED = Class("torch.storage", "UntypedStorage")
_HOOKS = Class("collections", "OrderedDict")


class Values(NamedTuple):
    """A tensor's values: where they begin in the file, their dtype, the shape of the tensor, and
    its axes in the order in which they are stored."""

    offset: int
    dtype: str
    shape: tuple[int, ...]
    axes: tuple[int, ...]


def read(file: BinaryIO, path: Path, start: int, length: int) -> Values:
    """Return what the bytes [start, start + length) of a file hold.

    Raises:
        ValueError: no archive of one tensor; a damaged one; values that are not all there.
    """
    try:
        return _read(_Window(file, start, length))
    except (ValueError, zipfile.BadZipFile, struct.error, UnicodeError, EOFError) as error:
        said = str(error).rstrip(".")
    except (NotImplementedError, RuntimeError, LookupError, TypeError, AttributeError) as error:
        said = f"{type(error).__name__}: {error}".rstrip(".")
    raise ValueError(
        f"{path} is no file of torch.distributed.checkpoint: bytes {start} to {start + length} "
        f"hold no tensor that torch saved ({said})."
    )


def _read(window: "_Window") -> Values:
    with zipfile.ZipFile(window) as archive:
        records = {info.filename: info for info in archive.infolist()}
        root = next(iter(records), "").partition("/")[0]
        tensor = _Tensor(_small(archive, records, f"{root}/data.pkl")).load()
        if not isinstance(tensor, _Stored):
            raise ValueError("it describes something else than a tensor")
        order = f"{root}/byteorder"
        if order in records and _small(archive, records, order) != b"little":
            raise ValueError("its values are not little-endian")
        data = records.get(f"{root}/data/{tensor.key}")
        if data is None:
            raise ValueError("it holds no values")
        if data.compress_type != zipfile.ZIP_STORED:
            raise ValueError("its values are compressed")
        if data.file_size != math.prod(tensor.shape) * ALL[tensor.dtype].itemsize:
            raise ValueError(
                f"it holds {data.file_size} bytes for a {tensor.dtype} of shape "
                f"{list(tensor.shape)}"
            )
    header = window.part(data.header_offset, 30)
    if len(header) < 30 or header[:4] != b"PK\3\4":
        raise ValueError("its directory is not that of its records")
    name, extra = struct.unpack("<HH", header[26:])
    begin = data.header_offset + 30 + name + extra
    if begin + data.file_size > window.length:
        raise ValueError("its values end behind it")
    return Values(window.start + begin, tensor.dtype, tensor.shape, tensor.axes)


def _small(archive: zipfile.ZipFile, records: dict[str, zipfile.ZipInfo], name: str) -> bytes:
    """A record other than the values; its CRC-32 is checked."""
    info = records.get(name)
    if info is None or info.compress_type != zipfile.ZIP_STORED or info.file_size > _MOST:
        raise ValueError(f"it has no {_check.show(name)} of a size that is read")
    return archive.read(info)


class _Window(io.RawIOBase):
    """A part of a file, as a file of its own, of which little is read at a time."""

    def __init__(self, file: BinaryIO, start: int, length: int) -> None:
        super().__init__()
        self.file, self.start, self.length = file, start, length
        self.at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Return the place in the part."""
        return self.at

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place in the part."""
        to = offset + (0, self.at, self.length)[whence]
        if to < 0:
            raise ValueError("a place before it")
        self.at = to
        return to

    def read(self, size: int = -1) -> bytes:
        """Read so many bytes, or those that are left."""
        left = max(0, self.length - self.at)
        size = left if size is None or size < 0 else min(size, left)
        data = self.part(self.at, size)
        self.at += len(data)
        return data

    def part(self, at: int, size: int) -> bytes:
        """Return the bytes at a place."""
        if size > _MOST:
            raise ValueError(f"a directory of {size} bytes")
        self.file.seek(self.start + at)
        return self.file.read(max(0, min(size, self.length - at)))


class _Stored(NamedTuple):
    """A tensor as it is described: the key of its storage, what that is of, and its axes."""

    key: str
    dtype: str
    shape: tuple[int, ...]
    axes: tuple[int, ...]


class _Tensor(Unpickler):
    """Reads the description of one dense tensor that is all of its storage."""

    dispatch = Unpickler.dispatch | {ord("Q"): lambda self: self.load_storage()}

    def known(self, found: Class) -> bool:
        """What torch's own code names for a tensor."""
        return (
            found in (_REBUILD, _REBUILD_DTYPE, _UNTYPED, _HOOKS)
            or (found.module == "torch" and (found.name in _DTYPES or found.name in ALL))
        )  # fmt: skip

    def load_storage(self) -> None:
        """The storage of a persistent id: ("storage", class, key, device, number of elements)."""
        said = self.stack.pop()
        if not isinstance(said, tuple) or len(said) != 5 or said[0] != "storage":
            raise ValueError("its storage is none")
        _, cls, key, _, count = said
        if not isinstance(cls, Class) or not isinstance(key, str) or not isinstance(count, int):
            raise ValueError("its storage is none")
        self.stack.append((cls, key, count))

    def made(self, cls: Class, arguments: tuple[Any, ...]) -> Any:
        """A tensor of its arguments, or no hooks."""
        if cls == _HOOKS and not arguments:
            return ()
        if cls not in (_REBUILD, _REBUILD_DTYPE) or len(arguments) < 6 + (cls == _REBUILD_DTYPE):
            raise ValueError(f"it calls {_check.show('.'.join(cls))}; nothing of it was run")
        (storage, key, count), first, shape, strides = arguments[:4]
        named = arguments[6] if cls == _REBUILD_DTYPE else Class("torch", _DTYPES[storage.name])
        if not isinstance(named, Class) or named.name not in ALL:
            raise ValueError("its dtype is none that is read")
        bytes_of = ALL[named.name].itemsize if storage == _UNTYPED else 1
        sizes = (*shape, *strides, first, count)
        if not all(isinstance(n, int) and 0 <= n < 2**63 for n in sizes):
            raise ValueError("its sizes are none")
        if first or count != math.prod(shape) * bytes_of:
            raise ValueError(f"it is a part of a storage of {count} elements")
        return _Stored(key, named.name, shape, _axes(shape, strides))


def _axes(shape: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, ...]:
    """The axes in the order in which a dense tensor of these strides has them in memory."""
    rising = tuple(range(len(shape)))
    if math.prod(shape) == 0:
        return rising
    axes = sorted(rising, key=lambda axis: (-strides[axis] if shape[axis] > 1 else 0, axis))
    wide = [axis for axis in axes if shape[axis] > 1]
    step = 1
    for axis in reversed(wide):
        if strides[axis] != step:
            raise ValueError(f"its strides {list(strides)} leave gaps")
        step *= shape[axis]
    if wide == sorted(wide):  # axes of one element may stand anywhere
        return rising
    return (*wide, *(axis for axis in rising if shape[axis] <= 1))
