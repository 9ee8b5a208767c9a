# SPDX-License-Identifier: Apache-2.0
"""The header of a safetensors file: written as the safetensors library does, read with distrust.

A file is the length N of the header (8 bytes, little-endian), N bytes of JSON, then the data:
    {"__metadata__": {"key": "text"}, "name": {"dtype": "F32", "shape": [2, 3],
     "data_offsets": [0, 24]}, ...}            offsets from the first byte after the header
"""

import itertools
import json
import math
import operator
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from glorot._dtypes import ALL
from glorot.recipe._shapes import METADATA_KEY, TensorSpec, check_parameter_name, load_json

MAX_HEADER_BYTES = 100_000_000  # the library's own limit
MOST_AXES = 64
_ALIGNMENT = 8

# In the order of the library's `Dtype`: it places tensors by this, last first, then by name, so
# that wide elements come first and each is aligned.
_CODES = {
    "bool": "BOOL",
    "uint8": "U8",
    "int8": "I8",
    "float8_e5m2": "F8_E5M2",
    "float8_e4m3fn": "F8_E4M3",
    "int16": "I16",
    "uint16": "U16",
    "float16": "F16",
    "bfloat16": "BF16",
    "int32": "I32",
    "uint32": "U32",
    "float32": "F32",
    "float64": "F64",
    "int64": "I64",
    "uint64": "U64",
}
_RANK = {dtype: rank for rank, dtype in enumerate(_CODES)}
_DTYPE_OF = {code: dtype for dtype, code in _CODES.items()}


class Entry(NamedTuple):
    """One tensor of a file: `offset` is from the first byte of the file."""

    shape: tuple[int, ...]
    dtype: str
    offset: int

    @property
    def nbytes(self) -> int:
        """How many bytes the tensor takes."""
        return math.prod(self.shape) * ALL[self.dtype].itemsize


class Header(NamedTuple):
    """What stands in a file: its metadata, its tensors and how many bytes it should have."""

    metadata: dict[str, str]
    tensors: dict[str, Entry]
    file_size: int


def encode(
    tensors: Mapping[str, TensorSpec], metadata: Mapping[str, str]
) -> tuple[bytes, dict[str, Entry]]:
    """Return the first bytes of a file of these tensors, and where each of them goes."""
    names = sorted(tensors, key=lambda name: (-_RANK[tensors[name].dtype or ""], name.encode()))
    content: dict[str, Any] = {METADATA_KEY: dict(metadata)} if metadata else {}
    relative = {}
    offset = 0
    for name in names:
        shape, dtype = tensors[name].shape, tensors[name].dtype
        entry = Entry(shape, dtype or "", offset)
        _check_product(name, shape)
        if offset + entry.nbytes >= 2**63:
            raise ValueError(
                f"{name!r} of shape {list(shape)} ends at or after byte 2**63 of its file. Make it "
                "smaller, or give `max_shard_size`."
            )
        relative[name] = entry
        offsets = [offset, offset + entry.nbytes]
        content[name] = {
            "dtype": _CODES[entry.dtype], "shape": list(shape), "data_offsets": offsets
        }  # fmt: skip
        offset = offsets[1]
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGNMENT)
    if len(text) > MAX_HEADER_BYTES:
        raise ValueError(
            f"the header would have {len(text)} bytes, and readers allow {MAX_HEADER_BYTES}. "
            "Write fewer tensors in a file: give `max_shard_size`."
        )
    start = 8 + len(text)
    placed = {name: entry._replace(offset=start + entry.offset) for name, entry in relative.items()}
    return len(text).to_bytes(8, "little") + text, placed


def read(path: Path) -> Header:
    """Return the header of a file, reading nothing else; it may promise more than the file holds.

    Raises:
        ValueError: not a safetensors file: the length, JSON, an entry, an unknown dtype, sizes that
            do not fit the shape, tensors that overlap, or bytes that belong to none.
        OSError: the file cannot be read.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not a file.")
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(8)
        length = int.from_bytes(start, "little")
        if len(start) < 8 or length > min(MAX_HEADER_BYTES, size - 8):
            raise ValueError(
                f"{path} is not a safetensors file: its {size} bytes do not hold a header of "
                f"{length} bytes (at most {MAX_HEADER_BYTES})."
            )
        text = file.read(length)
    try:
        return _parse(load_json(text, "the header"), 8 + length)
    except ValueError as error:
        raise ValueError(f"{path} is not a safetensors file: {error}") from None


def _parse(content: Any, start: int) -> Header:
    if not isinstance(content, dict):
        raise ValueError("the header must be a JSON object.")
    metadata = content.pop(METADATA_KEY, None)
    if metadata is None:  # the library takes null for none
        metadata = {}
    if not isinstance(metadata, dict) or not all(map(_is_text, (*metadata, *metadata.values()))):
        raise ValueError(f"{METADATA_KEY} must map strings to strings that UTF-8 can encode.")
    tensors = {check_parameter_name(name): _parse_entry(name, e) for name, e in content.items()}
    end = 0
    for name, entry in sorted(tensors.items(), key=lambda item: (item[1].offset, item[1].nbytes)):
        if entry.offset != end:
            raise ValueError(
                f"{name!r} begins at byte {entry.offset} of the data where {end} is expected: "
                "tensors must neither overlap nor leave gaps."
            )
        end += entry.nbytes
    placed = {name: entry._replace(offset=start + entry.offset) for name, entry in tensors.items()}
    return Header(metadata, placed, start + end)


def _is_text(value: object) -> bool:
    try:
        return isinstance(value, str) and value.encode() is not None
    except UnicodeEncodeError:  # JSON can spell half a surrogate pair
        return False


def _check_product(name: str, shape: Sequence[int]) -> None:
    """Refuse sizes that leave 64 bits when readers multiply them from the first on: a 0 behind them
    is too late."""
    if any(product >= 2**63 for product in itertools.accumulate(shape, operator.mul)):
        raise ValueError(f"{name!r} has the shape {list(shape)}, whose product leaves 64 bits.")


def _parse_entry(name: str, content: Any) -> Entry:
    if not isinstance(content, dict) or set(content) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{name!r} must have dtype, shape and data_offsets, and nothing else.")
    dtype, shape, offsets = content["dtype"], content["shape"], content["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPE_OF:
        known = ", ".join(_DTYPE_OF)
        raise ValueError(f"{name!r} has the dtype {dtype!r}, which is none of {known}.")
    for what, sizes in (("shape", shape), ("data_offsets", offsets)):
        if not isinstance(sizes, list) or not all(type(n) is int and 0 <= n < 2**63 for n in sizes):
            raise ValueError(f"{name!r} has the {what} {sizes!r}; sizes of 0 or more are needed.")
    if len(shape) > MOST_AXES:
        raise ValueError(f"{name!r} has {len(shape)} axes; at most {MOST_AXES} are allowed.")
    _check_product(name, shape)
    entry = Entry(tuple(shape), _DTYPE_OF[dtype], offsets[0] if offsets else 0)
    if len(offsets) != 2 or offsets[1] - offsets[0] != entry.nbytes:
        raise ValueError(
            f"{name!r} of shape {shape} and dtype {dtype} takes {entry.nbytes} bytes, and its "
            f"data_offsets are {offsets}."
        )
    return entry
