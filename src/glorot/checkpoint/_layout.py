# SPDX-License-Identifier: Apache-2.0
"""How a checkpoint is spread over files: Hugging Face's names, index and shards."""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from glorot import _check
from glorot.checkpoint import _dcp, _header
from glorot.checkpoint._dcp import METADATA, Item
from glorot.checkpoint._header import Entry
from glorot.recipe._shapes import TensorSpec, load_json, shapes_content, shapes_from_json

SINGLE = "model.safetensors"
SHAPES_KEY = "glorot.shapes"
INDEX = "model.safetensors.index.json"
ASIDE = ".old"
MOST_FILES = 99_999  # five digits number them
_SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
_DCP = re.compile(r"__0_\d{1,5}\.distcp")
_NAME = r"model(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?|glorot\.json|\.metadata"
_HIDDEN = re.compile(rf"\.({_NAME}|{_DCP.pattern})\.(partial|old)")
RANK = re.compile(
    r"\.glorot\.(finish(?:-[1-9]\d{0,8})?|rank-(\d{5})-of-(\d{5})\.(begun|done)(\.partial)?)"
)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]i?)?b?", re.IGNORECASE)
_FACTORS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_FACTORS |= {"ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


class File(NamedTuple):
    """One data file to write: its name, its first bytes, its tensors and its size.

    A file of torch.distributed.checkpoint begins with no bytes of its own, and has `items`.
    """

    name: str
    start: bytes
    tensors: dict[str, Entry]
    size: int
    items: dict[str, Item] | None = None

    def fixed(self) -> Iterator[tuple[int, bytes]]:
        """The bytes besides the values that do not depend on these, and where they go."""
        if self.items is None:
            yield 0, self.start
        for item in (self.items or {}).values():
            yield item.start, item.head

    def tails(self, crcs: Mapping[int, int]) -> Iterator[tuple[int, bytes]]:
        """The bytes that depend on the values, by the CRC-32 of those that begin at each offset."""
        for item in (self.items or {}).values():
            crc = crcs[item.entry.offset] if item.entry.nbytes else 0
            yield item.entry.offset + item.entry.nbytes, item.tail(crc)


def parse_size(size: int | str | None) -> int | None:
    """Return bytes: of a whole number, or of text such as "500MB" (10**6) or "2GiB" (2**30).

    Examples:
        >>> parse_size("500MB"), parse_size("2GiB"), parse_size(1000)
        (500000000, 2147483648, 1000)
    """
    if size is None:
        return None
    match = _SIZE.fullmatch(str(size).strip())
    if match is None or isinstance(size, bool) or not isinstance(size, (int, str)):
        raise ValueError(
            f"`max_shard_size` must be bytes, or text such as '500MB' or '2GiB'; got {size!r}."
        )
    number, unit = match.groups()
    if "." in number and not unit:
        raise ValueError(
            f"`max_shard_size` of {size!r} bytes is no whole number: is a unit missing?"
        )
    wanted = float(number) * _FACTORS[(unit or "").lower()]
    if wanted >= 2**63:
        raise ValueError("`max_shard_size` must be below 2**63 bytes. Leave it out for one file.")
    value = int(wanted)
    if value < 1:
        raise ValueError(f"`max_shard_size` must be at least 1 byte, got {size!r}.")
    return value


def plan_metadata(tensors: Mapping[str, TensorSpec]) -> dict[str, str]:
    """Return what every file says of the whole checkpoint, so that a lost tensor shows: how many
    tensors there are, and a fingerprint of their names, shapes and dtypes.

    Of its own tensors a file also keeps the shapes, as a shapes file (`plan`), so that a lost one
    can be named; the index names those of a lost file.
    """
    rows = sorted([name, list(spec.shape), spec.dtype] for name, spec in tensors.items())
    text = json.dumps(rows, separators=(",", ":"))
    return {
        "glorot.plan": hashlib.sha256(text.encode()).hexdigest(),
        "glorot.tensors": str(len(rows)),
    }


def plan(
    tensors: Mapping[str, TensorSpec], metadata: Mapping[str, str], max_shard_size: int | None
) -> list[File]:
    """Return the files: tensors in the order given fill a shard until the next does not fit; one
    that is larger than a shard has its own."""
    files = []
    groups = _groups(tensors, max_shard_size)
    count = len(groups)
    for number, group in enumerate(groups, 1):
        name = SINGLE if count == 1 else f"model-{number:05d}-of-{count:05d}.safetensors"
        start, placed = _header.encode(group, {**metadata, SHAPES_KEY: shapes_text(group)})
        size = len(start) + sum(entry.nbytes for entry in placed.values())
        files.append(File(name, start, placed, size))
    return files


def plan_dcp(tensors: Mapping[str, TensorSpec], max_shard_size: int | None) -> list[File]:
    """Return the files of a checkpoint for torch.distributed.checkpoint, filled in the same way."""
    files = []
    for number, group in enumerate(_groups(tensors, max_shard_size)):
        items = _dcp.items(group)
        placed = {name: item.entry for name, item in items.items()}
        size = max(item.stop for item in items.values())
        files.append(File(_dcp.file_name(number), b"", placed, size, items))
    return files


def _groups(
    tensors: Mapping[str, TensorSpec], max_shard_size: int | None
) -> list[dict[str, TensorSpec]]:
    groups: list[dict[str, TensorSpec]] = [{}]
    held = 0
    for name, spec in tensors.items():
        size = Entry(spec.shape, spec.dtype or "", 0).nbytes
        if max_shard_size is not None and groups[-1] and held + size > max_shard_size:
            groups.append({})
            held = 0
        groups[-1][name] = spec
        held += size
    count = len(groups)
    if count > MOST_FILES:
        raise ValueError(
            f"`max_shard_size`={max_shard_size} would make {count} files; at most {MOST_FILES} "
            "have names. Give a larger one."
        )
    return groups


def shapes_text(tensors: Mapping[str, TensorSpec]) -> str:
    """Return a shapes file of these tensors, as short as it can be."""
    return json.dumps(shapes_content(tensors), ensure_ascii=False, separators=(",", ":"))


def index_text(files: Iterable[File]) -> bytes:
    """Return the index of a sharded checkpoint."""
    weight_map = {name: file.name for file in files for name in file.tensors}
    total = sum(entry.nbytes for file in files for entry in file.tensors.values())
    content = {"metadata": {"total_size": total}, "weight_map": weight_map}
    return (json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def aside_path(path: Path) -> Path:
    """Return where a file of the old checkpoint stands while the new one takes its place."""
    return path.with_name(f".{path.name}{ASIDE}")


class Leftovers(NamedTuple):
    """The paths of the files that a write which did not end has left unfinished, or aside; and of
    what its ranks left for each other."""

    partial: list[Path]
    aside: list[Path]
    ranks: list[Path]


def leftovers(folder: Path) -> Leftovers:
    """Return what a write which did not end has left in a folder, by the files' final paths."""
    found = Leftovers([], [], [])
    for path in sorted(folder.iterdir()):
        if match := _HIDDEN.fullmatch(path.name):
            (found.aside if path.suffix == ASIDE else found.partial).append(folder / match[1])
        elif RANK.fullmatch(path.name):
            found.ranks.append(path)
    return found


def is_shard(name: str) -> bool:
    """Return whether this is the name of one file of a sharded checkpoint."""
    return _SHARD.fullmatch(name) is not None


def is_dcp(name: str) -> bool:
    """Return whether this is the name of one file that is written for torch."""
    return name == METADATA or _DCP.fullmatch(name) is not None


def read_index(path: Path) -> dict[str, str]:
    """Return {tensor name: file name} of an index, which is untrusted.

    Raises:
        ValueError: not an index, or a file name that leaves the folder.
    """
    if path.stat().st_size > _header.MAX_HEADER_BYTES:
        raise ValueError(f"{path} is too large for an index: {path.stat().st_size} bytes.")
    try:
        content = load_json(path.read_bytes(), "the index")
        weight_map: Any = content.get("weight_map") if isinstance(content, dict) else None
        if not isinstance(weight_map, dict):
            raise ValueError("an index must be a JSON object with a `weight_map`.")
        for name, file in weight_map.items():
            plain = isinstance(file, str) and file and not set(file) & set("/\\:\0")
            if not plain or file in (".", "..") or not file.endswith(".safetensors"):
                raise ValueError(
                    f"`weight_map` puts {name!r} in {file!r}; the name of a .safetensors file in "
                    "the same folder is needed."
                )
    except ValueError as error:
        raise ValueError(f"{path} cannot be used: {error}") from None
    return dict(weight_map)


class Source(NamedTuple):
    """The files of an existing checkpoint, and where its index, if any, says each tensor is."""

    files: list[Path]
    weight_map: dict[str, str] | None


def holds_dcp(path: Path) -> bool:
    """Return whether this is a directory of torch.distributed.checkpoint, and of nothing else."""
    others = (path / INDEX).is_file() or (path / SINGLE).is_file()
    return (path / METADATA).is_file() and not others


def find(path: Path) -> Source:
    """Return the files of the checkpoint at `path`: a .safetensors file, or a folder.

    Raises:
        FileNotFoundError: nothing there, or a folder without a checkpoint.
        ValueError: an index that is none; a file of shapes, or other JSON.
    """
    if path.is_dir():
        if (path / INDEX).is_file():
            weight_map = read_index(path / INDEX)
            return Source([path / name for name in sorted(set(weight_map.values()))], weight_map)
        if (path / SINGLE).is_file():
            return Source([path / SINGLE], None)
        if (path / METADATA).is_file():
            raise ValueError(
                f"{path} is a directory of torch.distributed.checkpoint, and safetensors are "
                "wanted. `glorot verify` compares such a directory with a recipe and a seed."
            )
        cut_off = ""
        if any(file.suffix == ".distcp" for file in path.iterdir()):
            cut_off = (
                f" It holds files of torch.distributed.checkpoint and no {METADATA}, which torch "
                "writes last: was the save cut off?"
            )
        raise FileNotFoundError(f"{path} holds neither {SINGLE} nor {INDEX}.{cut_off}")
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist.")
    if path.suffix == ".json":
        raise ValueError(
            f"{path} is JSON and holds no values. Give the checkpoint's folder or a .safetensors "
            "file; `glorot explain` takes a file of shapes."
        )
    return Source([path], None)


def _said(metadata: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The types, tags and layouts that `write` kept in a file, by parameter."""
    if SHAPES_KEY not in metadata:
        return {}
    try:
        specs = shapes_from_json(metadata[SHAPES_KEY])
    except (TypeError, ValueError):
        return {}  # the tensors themselves say their shapes
    return {name: spec.extras() for name, spec in specs.items()}


def read_shapes(path: str | os.PathLike[str]) -> dict[str, TensorSpec]:
    """Return the shapes and dtypes in a shapes file or, from its headers alone, in a checkpoint.

    Args:
        path: of a shapes file (`.json`), a .safetensors file, or a checkpoint's folder.

    Raises:
        TypeError: something else than a path.
        ValueError: a file or header that is malformed, or a tensor that two files hold.
        OSError: a file that cannot be read.

    Examples:
        >>> import glorot, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = glorot.checkpoint.write({"w": (4, 3)}, glorot.Recipe(
        ...         [glorot.Rule("*", "ones")]), folder, seed=42)
        ...     glorot.checkpoint.read_shapes(folder)
        {'w': TensorSpec(shape=(4, 3), dtype='float32')}
    """
    path = _check.path("path", path)
    if path.is_file() and path.name.endswith(".index.json"):
        raise ValueError(f"{path} is an index; give the folder that it is in.")
    if path.is_file() and path.suffix == ".json":
        try:
            return shapes_from_json(path.read_bytes())
        except (TypeError, ValueError) as error:
            raise type(error)(f"{path}: {error}") from None
    shapes: dict[str, TensorSpec] = {}
    places: dict[str, str] = {}
    source = find(path)
    for file in source.files:
        header = _header.read(file)
        said = _said(header.metadata)
        for name, entry in header.tensors.items():
            if name in shapes:
                raise ValueError(f"{file} holds {name!r}, which an earlier file holds too.")
            shapes[name] = TensorSpec(entry.shape, entry.dtype, **said.get(name, {}))
            places[name] = file.name
    for name, where in (source.weight_map or {}).items():
        if places.get(name) != where:
            raise ValueError(f"{where} does not hold {name!r}, which the index puts there.")
    if not shapes:
        raise ValueError(f"{path} holds no tensors.")
    return shapes
