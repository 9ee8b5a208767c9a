# SPDX-License-Identifier: Apache-2.0
"""The metadata of a `torch.distributed.checkpoint` directory, read without torch.

`.metadata` is a pickle, and a pickle is a program.  Here it may only build what torch writes there:
of its instructions those that make numbers, text, tuples, lists and dicts, and of the classes the
ones named below, in whose place inert records are made.  Whatever else it asks for is refused, and
no code that it names is ever imported or called.
"""

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from glorot import _check
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
_OPCODES = (
    "PROTO STOP FRAME MARK POP NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG1 BINFLOAT "
    "BINUNICODE SHORT_BINUNICODE SHORT_BINBYTES EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST "
    "APPEND APPENDS EMPTY_DICT SETITEM SETITEMS BINPUT LONG_BINPUT MEMOIZE BINGET LONG_BINGET "
    "GLOBAL STACK_GLOBAL"
)


class _Record:
    """What stands in for an object of torch: the name of its class, and its state."""

    __slots__ = ("name", "state")

    def __init__(self, name: str) -> None:
        self.name = name
        self.state: Any = None

    def get(self, key: str) -> Any:
        """An attribute as the object's state has it."""
        return self.state.get(key) if isinstance(self.state, Mapping) else None


_UNREAD = {
    name: _Record(name)
    for name in ("ChunkStorageMetadata", "MetadataIndex", "_StorageInfo", "BytesStorageMetadata")
}  # whose content says nothing of shapes


class _Class(NamedTuple):
    """A class that the pickle names: "Size" and records can be made, dtypes cannot."""

    module: str
    name: str


class _Unpickler(pickle._Unpickler):
    """Python's unpickler, written in Python, with the instructions above and no others."""

    stack: list[Any]
    dispatch: ClassVar[dict[int, Any]] = {
        getattr(pickle, name)[0]: pickle._Unpickler.dispatch[getattr(pickle, name)[0]]
        for name in _OPCODES.split()
    }

    def find_class(self, module_name: str, global_name: str) -> Any:
        """Return the stand-in for a class that torch's metadata holds."""
        found = _Class(module_name, global_name)
        if found in _RECORDS or module_name == "torch":  # Size, and dtypes
            return found
        raise ValueError(
            f"it asks for {_check.show(f'{module_name}.{global_name}')}, which the metadata of a "
            "checkpoint does not hold; nothing of it was run"
        )

    def load_reduce(self) -> None:
        """Make what a class is called to make."""
        arguments = self.stack.pop()
        self.stack[-1] = _made(self.stack[-1], arguments)

    def load_build(self) -> None:
        """Give a record its state."""
        state = self.stack.pop()
        record = self.stack[-1]
        if not isinstance(record, _Record):
            raise ValueError("it gives a state to what has none")
        if record.name not in _UNREAD:
            record.state = state
        elif isinstance(state, dict):
            state.clear()  # there are as many as shards, and the pickle's memo keeps each

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.NEWOBJ[0]] = load_reduce
    dispatch[pickle.BUILD[0]] = load_build


def _made(cls: Any, arguments: Any) -> Any:
    if not isinstance(cls, _Class) or not isinstance(arguments, tuple):
        raise ValueError("it makes something of what is no class")
    if cls == ("torch", "Size"):
        return arguments[0] if arguments and isinstance(arguments[0], tuple) else ()
    if cls not in _RECORDS:
        raise ValueError(f"it calls {_check.show('.'.join(cls))}; nothing of it was run")
    return _UNREAD.get(cls.name) or _Record(cls.name)


class Found(NamedTuple):
    """The tensors of the checkpoint by name, and what was left out of it or done to its names."""

    shapes: dict[str, TensorSpec]
    notes: tuple[str, ...]


def read(path: Path) -> Found:
    """Return the tensors of a DCP directory's `.metadata`.

    The state of optimizers is left out, and so are entries that are no tensors.  Where all tensors
    stand under one key of the saved dict, {"model": model.state_dict()}, their names are those of
    the inner dict, as the model's are.

    Raises:
        ValueError: no metadata of a checkpoint; one that asks for anything else than torch's
            classes; no tensors in it.
        OSError: a file that cannot be read.
    """
    if (size := path.stat().st_size) > MOST_BYTES:
        raise ValueError(
            f"{path} has {size} bytes; at most {MOST_BYTES} are read. Give a shapes file in its "
            "place."
        )
    return parse(str(path), path.read_bytes())


def parse(path: str, data: bytes) -> Found:
    """Return the tensors of the metadata in `data`, which was read from `path`."""
    try:
        content = _Unpickler(io.BytesIO(data)).load()
        entries, paths = _entries(content)
    except ValueError as error:
        raise ValueError(f"{path} is not the metadata of a DCP checkpoint: {error}.") from None
    except Exception as error:  # what a broken pickle leads to is anything at all
        raise ValueError(
            f"{path} is not the metadata of a DCP checkpoint: it cannot be unpickled "
            f"({type(error).__name__})."
        ) from None
    tensors, others = {}, 0
    for name, record in entries.items():
        if record.name == "TensorStorageMetadata":
            tensors[name] = record
        else:
            others += 1
    kept, optimizers = _without_optimizers(tensors, entries)
    notes = [f"left out: {n} tensors of the optimizer {key!r}" for key, n in optimizers.items()]
    notes += [f"left out: {others} entries that are no tensors"] if others else []
    if not kept:
        raise ValueError(f"{path} holds no tensors of a model ({'; '.join(notes) or 'none'}).")
    names, container = _inner_names(kept, paths)
    notes += [f"names are those in {container!r}"] if container else []
    try:
        shapes = parse_shapes({names[name]: _spec(name, kept[name]) for name in kept})
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None
    return Found(shapes, tuple(notes))


def _entries(content: Any) -> tuple[dict[str, _Record], Mapping[Any, Any]]:
    """The entries of the checkpoint, and the path of each in the dict that was saved."""
    if not isinstance(content, _Record) or content.name != "Metadata":
        raise ValueError("it holds something else")
    entries, paths = content.get("state_dict_metadata"), content.get("planner_data")
    known = ("TensorStorageMetadata", "BytesStorageMetadata")
    if not isinstance(entries, dict):
        raise ValueError("it has no `state_dict_metadata`")
    for name, record in entries.items():
        if not isinstance(name, str) or not isinstance(record, _Record) or record.name not in known:
            raise ValueError(f"its entry {_check.show(name)} is neither a tensor nor bytes")
    return entries, paths if isinstance(paths, dict) else {}


def _spec(name: str, record: _Record) -> dict[str, Any]:
    size, properties = record.get("size"), record.get("properties")
    state = properties.state if isinstance(properties, _Record) else None
    dtype = state[0] if isinstance(state, tuple) and state else None
    if dtype is None and isinstance(properties, _Record):
        dtype = properties.get("dtype")
    if not isinstance(size, tuple) or not isinstance(dtype, _Class) or dtype.module != "torch":
        raise ValueError(f"the tensor {name!r} has no size and dtype.")
    return {"shape": size, "dtype": dtype.name}


def _without_optimizers(
    tensors: dict[str, _Record], entries: Mapping[str, _Record]
) -> tuple[dict[str, _Record], dict[str, int]]:
    """The tensors but those of optimizers, which have both `state` and `param_groups` under a key,
    and how many each of those has."""
    heads = {name.partition(".param_groups")[0] for name in entries if ".param_groups" in name}
    found = {head: sum(n.startswith(f"{head}.state.") for n in tensors) for head in heads}
    found = {head: number for head, number in sorted(found.items()) if number}
    begins = tuple(f"{head}.state." for head in found) + tuple(f"{h}.param_groups" for h in heads)
    kept = {name: record for name, record in tensors.items() if not name.startswith(begins)}
    return kept, found


def _inner_names(
    kept: Mapping[str, _Record], paths: Mapping[Any, Any]
) -> tuple[dict[str, str], str]:
    """The names without the key that all tensors stand under, and that key ("" for none)."""
    same = {name: name for name in kept}
    found = [paths.get(name) for name in kept]
    heads = {path[0] for path in found if isinstance(path, tuple) and len(path) > 1}
    if len(heads) != 1 or not all(isinstance(p, tuple) and len(p) > 1 for p in found):
        return same, ""
    head = heads.pop()
    if not isinstance(head, str) or not all(name.startswith(f"{head}.") for name in kept):
        return same, ""
    return {name: name.removeprefix(f"{head}.") for name in kept}, head
