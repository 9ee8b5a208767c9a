# SPDX-License-Identifier: Apache-2.0
"""The metadata of a `torch.distributed.checkpoint` directory, read without torch: which tensors
there are, and where the pieces of each lie."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from glorot import _check
from glorot._tiling import tiled
from glorot._words import counted
from glorot.checkpoint._inert import Class, Record, Unpickler
from glorot.recipe import TensorSpec, parse_shapes

NAME = ".metadata"
MOST_BYTES = 2**28  # reading takes some twenty times as much memory
_METADATA = "torch.distributed.checkpoint.metadata"
_FILESYSTEM = "torch.distributed.checkpoint.filesystem"
_OLD = "torch.distributed._shard.sharded_tensor.metadata"
_RECORDS = {
    *((_METADATA, name) for name in (
        "Metadata", "TensorStorageMetadata", "TensorProperties", "ChunkStorageMetadata",
        "BytesStorageMetadata", "MetadataIndex", "StorageMeta", "_MEM_FORMAT_ENCODING",
    )),
    *((_FILESYSTEM, name) for name in ("_StorageInfo", "_StoragePrefix")),
    *((_OLD, name) for name in ("TensorProperties", "MEM_FORMAT_ENCODING")),
    ("torch.serialization", "_get_layout"),
    *((module, name) for module in ("pathlib", "pathlib._local") for name in (
        "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath",
    )),
}  # fmt: skip
# What there are as many of as shards, and what is kept of each where the places are wanted.
_PLACED = {
    "ChunkStorageMetadata": ("offsets", "sizes"),
    "MetadataIndex": ("fqn", "offset"),
    "_StorageInfo": ("relative_path", "offset", "length", "transform_descriptors"),
}
_UNREAD = {name: Record(name) for name in (*_PLACED, "BytesStorageMetadata")}


class Place(NamedTuple):
    """One rectangle of a tensor: where it begins, its size, and the bytes [start, start + length)
    of the file that it is in."""

    begin: tuple[int, ...]
    shape: tuple[int, ...]
    file: str
    start: int
    length: int


class _Metadata(Unpickler):
    """Reads what torch writes; without `places`, nothing is kept that is there once a shard."""

    def __init__(self, data: bytes, *, places: bool) -> None:
        super().__init__(data)
        self.places = places

    def known(self, found: Class) -> bool:
        """Size and dtypes, and the classes above."""
        return found in _RECORDS or found.module == "torch"

    def made(self, cls: Class, arguments: tuple[Any, ...]) -> Any:
        """A size, or a record: dtypes cannot be called."""
        if cls == ("torch", "Size"):
            return arguments[0] if arguments and isinstance(arguments[0], tuple) else ()
        if cls not in _RECORDS:
            raise ValueError(f"it calls {_check.show('.'.join(cls))}; nothing of it was run")
        if cls.name in _UNREAD and not self.places:
            return _UNREAD[cls.name]
        return Record(cls.name)

    def built(self, record: Record, state: Any) -> None:
        """Of what there are many the pickle's memo keeps each: little is left of them."""
        if record.name not in _UNREAD:
            record.state = state
        elif isinstance(state, dict):
            if self.places and record.name in _PLACED:
                record.state = tuple(state.get(key) for key in _PLACED[record.name])
            state.clear()


class Found(NamedTuple):
    """The tensors of the checkpoint by name, what was left out of it or done to its names, and,
    where they are wanted, the places of each tensor, which make it up."""

    shapes: dict[str, TensorSpec]
    notes: tuple[str, ...]
    places: dict[str, list[Place]]


def read(path: Path, *, places: bool = False) -> Found:
    """Return the tensors of a DCP directory's `.metadata`.

    The state of optimizers is left out, and so are entries that are no tensors.  Where all tensors
    stand under one key of the saved dict, {"model": model.state_dict()}, their names are those of
    the inner dict, as the model's are.

    Raises:
        ValueError: no metadata of a checkpoint; one that asks for anything else than torch's
            classes; no tensors in it; places that are no part of their tensor, or leave the folder.
        OSError: a file that cannot be read.
    """
    if (size := path.stat().st_size) > MOST_BYTES:
        raise ValueError(
            f"{path} has {size} bytes; at most {MOST_BYTES} are read. Give a shapes file in its "
            "place."
        )
    return parse(str(path), path.read_bytes(), places=places)


def parse(path: str, data: bytes, *, places: bool = False) -> Found:
    """Return the tensors of the metadata in `data`, which was read from `path`."""
    try:
        content = _Metadata(data, places=places).load()
        entries, paths = _entries(content)
    except ValueError as error:
        raise ValueError(f"{path} is not the metadata of a DCP checkpoint: {error}.") from None
    except Exception as error:  # what a broken pickle leads to is anything at all
        what = f"{type(error).__module__}.{type(error).__name__}".removeprefix("builtins.")
        raise ValueError(
            f"{path} is not the metadata of a DCP checkpoint: it cannot be unpickled ({what}). It "
            "is damaged, or another file."
        ) from None
    tensors, others = {}, 0
    for name, record in entries.items():
        if record.name == "TensorStorageMetadata":
            tensors[name] = record
        else:
            others += 1
    kept, optimizers = _without_optimizers(tensors, entries)
    notes = [
        f"left out: {counted(n, 'tensor')} of the optimizer {key!r}"
        for key, n in optimizers.items()
    ]
    notes += [f"left out: {others} entries that are no tensors"] if others else []
    if not kept:
        raise ValueError(f"{path} holds no tensors of a model ({'; '.join(notes) or 'none'}).")
    names, container = _inner_names(kept, paths)
    notes += [f"names are those in {container!r}"] if container else []
    try:
        shapes = parse_shapes({names[name]: _spec(name, kept[name]) for name in kept})
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None
    if not places:
        return Found(shapes, tuple(notes), {})
    try:
        stored = _stored(content)
        found = {
            names[name]: _places(name, kept[name], shapes[names[name]], stored) for name in kept
        }
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return Found(shapes, tuple(notes), found)


def _entries(content: Any) -> tuple[dict[str, Record], Mapping[Any, Any]]:
    """The entries of the checkpoint, and the path of each in the dict that was saved."""
    if not isinstance(content, Record) or content.name != "Metadata":
        raise ValueError("it holds something else")
    entries, paths = content.get("state_dict_metadata"), content.get("planner_data")
    known = ("TensorStorageMetadata", "BytesStorageMetadata")
    if not isinstance(entries, dict):
        raise ValueError("it has no `state_dict_metadata`")
    for name, record in entries.items():
        if not isinstance(name, str) or not isinstance(record, Record) or record.name not in known:
            raise ValueError(f"its entry {_check.show(name)} is neither a tensor nor bytes")
    return entries, paths if isinstance(paths, dict) else {}


def _spec(name: str, record: Record) -> dict[str, Any]:
    size, properties = record.get("size"), record.get("properties")
    state = properties.state if isinstance(properties, Record) else None
    dtype = state[0] if isinstance(state, tuple) and state else None
    if dtype is None and isinstance(properties, Record):
        dtype = properties.get("dtype")
    if not isinstance(size, tuple) or not isinstance(dtype, Class) or dtype.module != "torch":
        raise ValueError(f"the tensor {name!r} has no size and dtype.")
    return {"shape": size, "dtype": dtype.name}


def _without_optimizers(
    tensors: dict[str, Record], entries: Mapping[str, Record]
) -> tuple[dict[str, Record], dict[str, int]]:
    """The tensors but those of optimizers, which have both `state` and `param_groups` under a key,
    and how many each of those has."""
    heads = {name.partition(".param_groups")[0] for name in entries if ".param_groups" in name}
    found = {head: sum(n.startswith(f"{head}.state.") for n in tensors) for head in heads}
    found = {head: number for head, number in sorted(found.items()) if number}
    begins = tuple(f"{head}.state." for head in found) + tuple(f"{h}.param_groups" for h in heads)
    kept = {name: record for name, record in tensors.items() if not name.startswith(begins)}
    return kept, found


def _inner_names(
    kept: Mapping[str, Record], paths: Mapping[Any, Any]
) -> tuple[dict[str, str], str]:
    """The names without the key that all tensors stand under, and that key ("" for none)."""
    same = {name: name for name in kept}
    found = [paths.get(name) for name in kept]
    inner = [path for path in found if isinstance(path, tuple) and len(path) > 1]
    head = inner[0][0] if inner else None
    if len(inner) < len(found) or any(path[0] != head for path in inner):
        return same, ""
    if not isinstance(head, str) or not all(name.startswith(f"{head}.") for name in kept):
        return same, ""
    return {name: name.removeprefix(f"{head}.") for name in kept}, head


def _stored(content: Record) -> dict[tuple[str, tuple[int, ...]], tuple[Any, ...]]:
    """What `storage_data` says: (name, where a piece begins) to its _StorageInfo's content."""
    data = content.get("storage_data")
    if not isinstance(data, dict):
        raise ValueError("it has no `storage_data`, which says where tensors are.")
    found = {}
    for index, info in data.items():
        if not isinstance(index, Record) or not isinstance(info, Record):
            raise ValueError("its `storage_data` holds something else.")
        key, where = index.state, info.state
        if not isinstance(key, tuple) or len(key) != 2 or not isinstance(where, tuple):
            raise ValueError("its `storage_data` holds something else.")
        name, begin = key
        if isinstance(name, str) and (begin is None or _sizes(begin)):
            found[name, begin or ()] = where
    return found


def _sizes(value: Any) -> bool:
    return isinstance(value, tuple) and all(
        isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 2**63 for n in value
    )


def _places(
    name: str,
    record: Record,
    spec: TensorSpec,
    stored: Mapping[tuple[str, tuple[int, ...]], tuple[Any, ...]],
) -> list[Place]:
    """The places of a tensor, which must make up all of it."""
    chunks = record.get("chunks")
    found = []
    for chunk in chunks if isinstance(chunks, list) else ():
        state = chunk.state if isinstance(chunk, Record) else None
        if not isinstance(state, tuple) or len(state) != 2 or not all(map(_sizes, state)):
            raise ValueError(f"a piece of {name!r} has no place in it and no size.")
        begin, shape = state
        inside = len(begin) == len(shape) == len(spec.shape) and all(
            i + n <= size for i, n, size in zip(begin, shape, spec.shape, strict=True)
        )
        if not inside:
            raise ValueError(
                f"a piece of {name!r} at {list(begin)} of shape {list(shape)} is no part of a "
                f"tensor of shape {list(spec.shape)}."
            )
        if (name, begin) not in stored:
            raise ValueError(f"it says of no file that holds {name!r} at {list(begin)}.")
        found.append(Place(begin, shape, *_file(name, stored[name, begin])))
    if not tiled(spec.shape, [(place.begin, place.shape) for place in found]):
        raise ValueError(
            f"the pieces of {name!r} do not make up shape {list(spec.shape)}: some of it is in "
            "none, or in two."
        )
    return found


def _file(name: str, where: tuple[Any, ...]) -> tuple[str, int, int]:
    file, start, length, transforms = where
    if transforms:
        raise ValueError(
            f"{name!r} is stored by {_check.show(transforms)}, which is not read here."
        )
    plain = isinstance(file, str) and file and not set(file) & set("/\\:\0")
    if not plain or file in (".", ".."):
        raise ValueError(
            f"it puts {name!r} in {_check.show(file)}; the name of a file in the same folder is "
            "needed."
        )
    if not _sizes((start, length)) or start + length >= 2**63:
        raise ValueError(
            f"it puts {name!r} at byte {_check.show(start)} of {file}, {_check.show(length)} bytes "
            "long; files end before byte 2**63."
        )
    return file, start, length
