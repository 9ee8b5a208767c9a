# SPDX-License-Identifier: Apache-2.0
"""Files of torch.distributed.checkpoint: each tensor as `torch.save` writes it, one after another.

    __0_0.distcp     item, item, ...    one a tensor; where each is stands in .metadata
    .metadata        torch's pickled `Metadata`, written last

An item is a zip archive: small records, then the values (stored, not compressed, on a page of the
file), then their CRC-32 and the directory.  What comes before the values does not depend on them.
Format: torch 2.13, serialization.py (_save, "zipfile") and distributed/checkpoint/filesystem.py.
"""

import importlib.util
import struct
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from glorot._dtypes import ALL
from glorot.checkpoint._checksum import crc32
from glorot.checkpoint._header import Entry
from glorot.recipe import TensorSpec

METADATA = ".metadata"
_PAGE = 4096
STORAGES = {
    "float64": "DoubleStorage",
    "float32": "FloatStorage",
    "float16": "HalfStorage",
    "bfloat16": "BFloat16Storage",
    "int64": "LongStorage",
    "int32": "IntStorage",
    "int16": "ShortStorage",
    "int8": "CharStorage",
    "uint8": "ByteStorage",
    "bool": "BoolStorage",
}
_DATA = b"archive/data/0"
_SMALL = ((b"archive/byteorder", b"little"), (b"archive/version", b"3\n"))
_LONG = 0xFFFFFFFF
_NO_TORCH = "`format`='dcp' needs torch, which is not installed: pip install 'glorot[torch]'."
_HEADER = 30 + len(_DATA) + 4  # of the values, without what pads it


class Item(NamedTuple):
    """One tensor of a file: its archive is bytes [start, stop), its values begin at the entry's
    offset."""

    entry: Entry
    start: int
    stop: int

    @property
    def head(self) -> bytes:
        """The archive up to the values."""
        small = b"".join(_local(*record) for record in _small_records(self.entry))
        pad = self.entry.offset - self.start - len(small) - _HEADER
        return small + _local_header(_DATA, 0, None, pad)

    def tail(self, crc: int) -> bytes:
        """Return what comes after the values: their CRC-32 and the directory of the archive."""
        size = self.entry.nbytes
        long = size >= _LONG
        descriptor = struct.pack("<4sI" + ("QQ" if long else "II"), b"PK\7\10", crc, size, size)
        records = list(_small_records(self.entry))
        rows, at = b"", 0
        for name, data in records:
            rows += _directory_row(name, crc32(data), len(data), at)
            at += len(_local(name, data))
        rows += _directory_row(_DATA, crc, size, at)
        begin = self.entry.offset - self.start + size + len(descriptor)
        count = len(records) + 1
        end = begin + len(rows)
        return (
            descriptor
            + rows
            + struct.pack(
                "<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, len(rows), begin
            )
            + struct.pack("<4sIQI", b"PK\6\7", 0, end, 1)
            + struct.pack(
                "<4sHHHHIIH", b"PK\5\6", 0, 0, count, count, len(rows), min(begin, _LONG), 0
            )
        )


def file_name(number: int) -> str:
    """Return the name of a data file, from 0 on, as torch gives it to rank 0."""
    return f"__0_{number}.distcp"


def check(name: str, spec: TensorSpec) -> None:
    """Refuse a dtype for which `torch.save` has no storage of its own."""
    if spec.dtype not in STORAGES:
        raise ValueError(
            f"{name!r} has the dtype {spec.dtype}, which the format dcp does not take; it takes "
            f"{', '.join(STORAGES)}."
        )


def items(tensors: Mapping[str, TensorSpec]) -> dict[str, Item]:
    """Return the items of one file, in the order given."""
    found = {}
    at = 0
    for name, spec in tensors.items():
        check(name, spec)
        entry = Entry(spec.shape, spec.dtype or "", 0)
        small = sum(len(_local(*record)) for record in _small_records(entry))
        begin = at + small + _HEADER
        placed = entry._replace(offset=begin + -begin % _PAGE)
        item = Item(placed, at, 0)
        stop = placed.offset + placed.nbytes + len(item.tail(0))
        if stop >= 2**63:
            raise ValueError(
                f"{name!r} of shape {list(spec.shape)} ends at or after byte 2**63 of its file. "
                "Make it smaller, or give `max_shard_size`."
            )
        found[name] = item._replace(stop=stop)
        at = stop
    return found


def _small_records(entry: Entry) -> Iterator[tuple[bytes, bytes]]:
    yield b"archive/data.pkl", _pickle(entry)
    yield from _SMALL


def _local(name: bytes, data: bytes) -> bytes:
    return _local_header(name, crc32(data), len(data), 0) + data


def _local_header(name: bytes, crc: int, size: int | None, pad: int) -> bytes:
    """The header before a record; without a size, that and the CRC-32 come after the data."""
    extra = struct.pack("<2sH", b"FB", pad) + b"Z" * pad if size is None else b""
    flags = 0x808 if size is None else 0x800
    return (
        struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 45, flags, 0, 0, 33, crc, size or 0, size or 0,
                    len(name), len(extra))
        + name + extra
    )  # fmt: skip


def _directory_row(name: bytes, crc: int, size: int, at: int) -> bytes:
    extra, shown = b"", size
    if size >= _LONG:
        extra, shown = struct.pack("<HHQQ", 1, 16, size, size), _LONG
    flags = 0x808 if name == _DATA else 0x800
    return (
        struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 45, 45, flags, 0, 0, 33, crc, shown, shown,
                    len(name), len(extra), 0, 0, 0, 0, at)
        + name + extra
    )  # fmt: skip


def _pickle(entry: Entry) -> bytes:
    """torch._utils._rebuild_tensor_v2(storage, 0, size, stride, requires_grad, hooks) in protocol
    2, the storage by a persistent id."""
    strides = []
    step = 1
    for size in reversed(entry.shape):
        strides.append(step)
        step *= max(1, size)
    count = entry.nbytes // ALL[entry.dtype].itemsize
    storage = (
        b"(" + _text("storage") + f"ctorch\n{STORAGES[entry.dtype]}\n".encode()
        + _text("0") + _text("cpu") + _whole(count) + b"tQ"
    )  # fmt: skip
    return (
        b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n("
        + storage + b"K\0" + _tuple(entry.shape) + _tuple(reversed(strides)) + b"\x89"
        + b"ccollections\nOrderedDict\n)R" + b"tR."
    )  # fmt: skip


def _text(text: str) -> bytes:
    return b"X" + struct.pack("<I", len(text)) + text.encode()


def _whole(number: int) -> bytes:
    data = number.to_bytes(9, "little").rstrip(b"\0")
    if not data or data[-1] & 0x80:  # its sign
        data += b"\0"
    return b"\x8a" + bytes([len(data)]) + data


def _tuple(numbers: Any) -> bytes:
    return b"(" + b"".join(map(_whole, numbers)) + b"t"


def check_torch() -> None:
    """Raise what `metadata` would, without importing torch.

    Raises:
        ValueError: torch is not installed.
    """
    if importlib.util.find_spec("torch") is None:
        raise ValueError(_NO_TORCH)


def metadata(files: Mapping[str, Mapping[str, Item]]) -> bytes:
    """Return .metadata for the items of all files, by torch.

    Raises:
        ValueError: torch is not installed.
    """
    import pickle

    try:
        import torch
        from torch.distributed.checkpoint import filesystem as fs
        from torch.distributed.checkpoint import metadata as md
    except ImportError:
        raise ValueError(_NO_TORCH) from None
    state: dict[str, Any] = {}
    storage = {}
    for file, found in files.items():
        for name, item in found.items():
            size, zeros = torch.Size(item.entry.shape), torch.Size([0] * len(item.entry.shape))
            state[name] = md.TensorStorageMetadata(
                md.TensorProperties(dtype=getattr(torch, item.entry.dtype)),
                size,
                [md.ChunkStorageMetadata(zeros, size)],
            )
            info = fs._StorageInfo(file, item.start, item.stop - item.start)
            storage[md.MetadataIndex(name, zeros)] = info
    content = md.Metadata(
        state_dict_metadata=state,
        planner_data={name: (name,) for name in state},
        storage_data=storage,
        storage_meta=md.StorageMeta(),
        version="1.0.0",
    )
    return pickle.dumps(content, protocol=4)
