# SPDX-License-Identifier: Apache-2.0
"""Which of many ranks gives the files their names: one, and no other begins beside it.

Each that finds the records of all makes the next marker, .glorot.finish, or .glorot.finish-1 where
one that fell has left that; the file system lets one of them make it.  Whether a marker's rank is
at work is known by its lock.  Where nothing locks, as on many file systems that hosts share, it is
at work while the marker changes, which it does every second.
"""

import contextlib
import os
import re
import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from glorot.checkpoint import _files

FINISH = ".glorot.finish"
_NAME = re.compile(rf"{re.escape(FINISH)}(?:-([1-9]\d{{0,8}}))?")
_POLL = 0.05  # seconds
_SIGN = 1.0  # between two signs of a rank at work
_SILENT = 30.0  # without one, and the rank has fallen


class Marker(NamedTuple):
    """A marker that was there, as no other is: its number, and what its rank wrote into it."""

    number: int
    token: bytes


def is_finisher(name: str) -> bool:
    """Return whether this is the name of such a marker."""
    return _NAME.fullmatch(name) is not None


def newest(folder: Path) -> Marker | None:
    """Return the last marker that was made, if any is there."""
    found = _look(folder)
    return None if found is None else found[0]


def await_end(folder: Path) -> Marker | None:
    """Wait while a rank is at work, and return the marker of one that fell, if any is there."""
    seen: tuple[Marker, int] | None = None
    since = time.monotonic()
    while (found := _look(folder)) is not None:
        marker, changed, held = found
        if held is False:
            return marker
        if held or (marker, changed) != seen:
            seen, since = (marker, changed), time.monotonic()
        elif time.monotonic() - since >= _SILENT:
            return marker
        time.sleep(_POLL)
    return None


@contextlib.contextmanager
def only_one(folder: Path, fallen: Marker | None) -> Iterator[Path | None]:
    """The marker of this rank, at work for the block; None where another is the one.

    Args:
        folder: of the checkpoint.
        fallen: the marker that `await_end` found before this rank began its share. Any other is
            of a rank that is at work now.
    """
    if newest(folder) != fallen:
        yield None
        return
    path = _path(folder, 0 if fallen is None else fallen.number + 1)
    try:
        fd = os.open(path, _files.CREATE | os.O_EXCL, 0o666)
    except FileExistsError:
        yield None
        return
    with contextlib.ExitStack() as opened:
        opened.callback(os.close, fd)
        locked = _files.lock(fd, patience=_SILENT)  # who else has it only looks
        _files.write_at(fd, secrets.token_hex(16).encode(), 0)
        if not locked:
            opened.close()  # Windows removes no file that is open
            opened.enter_context(_signs(path))
        yield path


def remove(folder: Path) -> None:
    """Remove all markers, the last one last: until then no other rank takes itself for the one."""
    for number in _numbers(folder):
        _path(folder, number).unlink(missing_ok=True)


def _path(folder: Path, number: int) -> Path:
    return folder / (f"{FINISH}-{number}" if number else FINISH)


def _numbers(folder: Path) -> list[int]:
    matches = (_NAME.fullmatch(path.name) for path in folder.iterdir())
    return sorted(int(match[1] or 0) for match in matches if match)


def _look(folder: Path) -> tuple[Marker, int, bool | None] | None:
    """(the last marker, when it changed, whether it is locked; None where nothing locks)."""
    numbers = _numbers(folder)
    if not numbers:
        return None
    try:
        fd = os.open(_path(folder, numbers[-1]), _files.READ)
    except FileNotFoundError:  # it went just now
        return _look(folder)
    try:
        data = bytearray(64)
        marker = Marker(numbers[-1], bytes(data[: _files.read_at(fd, data, 0)]))
        try:
            held = False if _files.lock(fd, shared=True) else None
        except BlockingIOError:
            held = True
        return marker, os.fstat(fd).st_mtime_ns, held
    finally:
        os.close(fd)


@contextlib.contextmanager
def _signs(path: Path) -> Iterator[None]:
    """Change the file's time every second, from a thread."""
    ended = threading.Event()

    def signs() -> None:
        while not ended.wait(_SIGN):
            with contextlib.suppress(OSError):
                os.utime(path)

    thread = threading.Thread(target=signs, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
