# SPDX-License-Identifier: Apache-2.0
"""What the ranks of one write leave for each other in its folder, under hidden names.

.glorot.rank-00001-of-00004.begun   made before the rank's first byte, locked while it runs
.glorot.rank-00001-of-00004.done    its record: what it wrote, on the disk, with checksums
"""

import contextlib
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from glorot import _check
from glorot.checkpoint import _files, _layout
from glorot.checkpoint._checksum import Piece
from glorot.checkpoint._job import Job
from glorot.recipe._shapes import load_json

_PATIENCE = 0.5  # seconds, for those that only look whether a marker is locked
_MOST_BYTES = 100_000_000
# What ranks of one write agree on, and what each is called in an error.
_SAID = {
    "recipe": "recipe",
    "seed": "seed",
    "stream": "stream version",
    "plan": "names, shapes or dtypes",
    "format": "format",
    "files": "max_shard_size",
}


class Record(NamedTuple):
    """What one rank wrote."""

    identity: dict[str, Any]
    token: str  # of this run of the rank, so that an old record is told from a new one
    pieces: dict[str, list[Piece]]


def begun_path(folder: Path, rank: int, world_size: int) -> Path:
    """Return the marker of a rank that has begun."""
    return folder / f".glorot.rank-{rank:05d}-of-{world_size:05d}.begun"


def done_path(folder: Path, rank: int, world_size: int) -> Path:
    """Return the record of a rank that has done its share."""
    return folder / f".glorot.rank-{rank:05d}-of-{world_size:05d}.done"


def others(folder: Path, rank: int, world_size: int) -> list[tuple[Path, int, int]]:
    """Return (marker, rank, world size) of the other ranks that have begun."""
    found = []
    for path in _layout.leftovers(folder).ranks:
        match = _layout.RANK.fullmatch(path.name)
        if match and match[4] == "begun":
            found.append((path, int(match[2]), int(match[3])))
    return [item for item in found if item[1:] != (rank, world_size)]


def differing(mine: dict[str, Any], theirs: dict[str, Any]) -> str:
    """Return what two ranks do not agree on, in words; "" where they do."""
    found = [key for key in _SAID if mine.get(key) != theirs.get(key)]
    if len(found) > 1:
        found = [key for key in found if key != "files"]  # which follow from the names
    return ", ".join(_SAID[key] for key in found)


def read_identity(marker: Path) -> dict[str, Any] | None:
    """Return what a rank that has begun writes; None where the marker does not say."""
    try:
        content = load_json(marker.read_bytes(), "the marker")
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None


@contextlib.contextmanager
def marked(path: Path, job: Job, *, again: bool) -> Iterator[None]:
    """Hold the marker of a rank; it stays after the block.

    Args:
        again: take over one that a process which has ended left.

    Raises:
        FileExistsError: it is there, and its process runs or nobody said that it has ended.
    """
    flags = _files.CREATE | getattr(os, "O_NOFOLLOW", 0)
    try:
        fd = os.open(path, flags | os.O_EXCL, 0o666)
    except FileExistsError:
        if not again:
            raise
        fd = os.open(path, flags, 0o666)
    with contextlib.ExitStack() as opened:
        opened.callback(os.close, fd)
        locked = _files.lock(fd, patience=_PATIENCE)
        os.ftruncate(fd, 0)
        _files.write_at(fd, json.dumps(job.identity).encode(), 0)
        if not locked:  # nothing is held by it, and Windows removes no file that is open
            opened.close()
        yield


def is_held(path: Path) -> bool:
    """Return whether the process of a marker runs, as far as the file system knows."""
    try:
        fd = os.open(path, _files.READ)
    except OSError:
        return False
    try:
        _files.lock(fd, shared=True)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(fd)


def new_token() -> str:
    """Return what no other run of a rank has."""
    return secrets.token_hex(16)


def write_record(path: Path, record: Record) -> None:
    """Leave a record, complete or not at all, on the disk."""
    pieces = {name: [list(piece) for piece in found] for name, found in record.pieces.items()}
    content = {"identity": record.identity, "token": record.token, "pieces": pieces}
    partial = path.with_name(path.name + _files.PARTIAL)
    partial.unlink(missing_ok=True)
    fd = os.open(partial, _files.CREATE | os.O_EXCL, 0o666)
    try:
        _files.write_at(fd, json.dumps(content).encode(), 0)
        os.fsync(fd)
    finally:
        os.close(fd)
    _files.rename(partial, path)
    _files.sync_folder(path.parent)


def read_record(path: Path) -> Record | None:
    """Return a rank's record, which is untrusted, or None where there is none.

    Raises:
        ValueError: it is no record.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ValueError(f"{path} is too large for a record.")
        content = load_json(path.read_bytes(), "the record")
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ValueError(f"{path} is no record: {error}") from None
    try:
        identity, token = content["identity"], content["token"]
        pieces = {name: [_piece(*p) for p in found] for name, found in content["pieces"].items()}
        if not isinstance(identity, dict) or not isinstance(token, str):
            raise TypeError
    except (TypeError, KeyError, AttributeError):
        raise ValueError(f"{path} is no record: {_check.show(content)}") from None
    return Record(identity, token, pieces)


def _piece(start: Any, stop: Any, crc: Any) -> Piece:
    if not all(type(n) is int for n in (start, stop, crc)):
        raise TypeError
    if not (0 <= start < stop < 2**63 and 0 <= crc < 2**32):
        raise TypeError
    return Piece(start, stop, crc)
