# SPDX-License-Identifier: Apache-2.0
"""Files as the writer needs them: positioned reads and writes, space taken early, locks, syncs."""

import contextlib
import errno
import os
import stat
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

_BINARY = getattr(os, "O_BINARY", 0)  # Windows alone has it
PARTIAL = ".partial"
READ = os.O_RDONLY | _BINARY
CREATE = os.O_RDWR | os.O_CREAT | _BINARY
_PAGE = 4096  # that direct writes are made of
_WORTH = 1 << 20  # less is not worth a call of its own
_seek_lock = threading.Lock()  # for systems without pread: the offset of a file is shared

# What a disk, a quota or a file size limit that is used up answers.
FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}


def check_byte_order() -> None:
    """Refuse machines whose memory is not what the formats, all little-endian, say of a file.

    Raises:
        OSError: a big-endian machine.
    """
    if sys.byteorder != "little":
        raise OSError(
            "checkpoints need a little-endian machine, and this one is big-endian: values go "
            "between its memory and files as they lie, and the formats are little-endian. Write "
            "and read the checkpoint elsewhere; arrays are filled right here too."
        )


def partial_path(path: Path) -> Path:
    """Return where the file of this path is written before it is complete."""
    return path.with_name(f".{path.name}{PARTIAL}")


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Let errors of the system name this path, the user's, and not the hidden file beside it."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # our own, whose text says all
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None


def open_partial(path: Path) -> int:
    """Open the hidden file in which the file of this path is begun, and never another one through
    a link that stands there.

    Raises:
        FileExistsError: something else than a plain file of one name is there.
    """
    hidden = partial_path(path)
    refusal = FileExistsError(
        f"{path} cannot be begun: the hidden file {hidden.name} beside it is a link, or no plain "
        "file, and is not written to. Remove that first."
    )
    if hidden.is_symlink():
        raise refusal
    flags = CREATE | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        with naming(path):
            fd = os.open(hidden, flags, 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR):
            raise refusal from None
        raise
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(fd)
        raise refusal
    return fd


@contextlib.contextmanager
def written_beside(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of `path` once all of it is written; after an error, which is of
    `path`, what was there stays."""
    partial = partial_path(path)
    file = os.fdopen(open_partial(path), "wb")
    try:
        with naming(path):
            with file:
                file.truncate(0)
                yield file
                file.flush()
                os.fsync(file.fileno())
            rename(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_at(fd: int, data: Any, offset: int) -> None:
    """Write all of a buffer at an offset of a file, from any thread."""
    view = memoryview(data)
    while view:
        if hasattr(os, "pwrite"):
            done = os.pwrite(fd, view[: 1 << 30], offset)
        else:
            with _seek_lock:
                os.lseek(fd, offset, os.SEEK_SET)
                done = os.write(fd, view[: 1 << 30])
        if not done:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        view = view[done:]
        offset += done


class Direct:
    """Writes past the system's cache, where the file system takes them: fewer copies, and no
    memory but the writer's own.  Pages of the file go so, and what is left at the ends of a piece
    by the file that is open already.
    """

    def __init__(self, fd: int, path: Path) -> None:
        self._fd = fd
        self._direct: int | None = None
        if hasattr(os, "O_DIRECT"):
            with contextlib.suppress(OSError):  # a file system without
                self._direct = os.open(path, os.O_WRONLY | os.O_DIRECT | os.O_NOFOLLOW)

    def write(self, data: Any, offset: int) -> None:
        """Write all of a buffer that lies in memory as it will in the file, from any thread."""
        view = memoryview(data)
        first = min(-offset % _PAGE, len(view))
        last = max(first, first + (len(view) - first) // _PAGE * _PAGE)
        if self._direct is None or last == first:
            write_at(self._fd, view, offset)
            if len(view) >= _WORTH:
                start_writeback(self._fd, offset, len(view))
            return
        try:
            write_at(self._direct, view[first:last], offset + first)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            write_at(self._fd, view[first:last], offset + first)
        write_at(self._fd, view[:first], offset)
        write_at(self._fd, view[last:], offset + last)

    def close(self) -> None:
        """Close the file of the direct writes; the other stays open."""
        if self._direct is not None:
            os.close(self._direct)


def read_at(fd: int, data: Any, offset: int) -> int:
    """Fill a buffer from an offset of a file, from any thread; return how many bytes there were."""
    view = memoryview(data)
    total = 0
    while view:
        if hasattr(os, "preadv"):
            done = os.preadv(fd, [view[: 1 << 30]], offset)
        else:
            with _seek_lock:
                os.lseek(fd, offset, os.SEEK_SET)
                chunk = os.read(fd, min(len(view), 1 << 30))
            done = len(chunk)
            view[:done] = chunk
        if not done:
            break
        view = view[done:]
        offset += done
        total += done
    return total


def take_space(fd: int, size: int, start: int, stop: int) -> None:
    """Give a file its size, and bytes [start, stop) their place on the disk where the system can: a
    full disk shows now, not after hours."""
    if os.fstat(fd).st_size != size:
        os.ftruncate(fd, size)
    if hasattr(os, "posix_fallocate") and start < stop:
        try:
            os.posix_fallocate(fd, start, stop - start)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise


def start_writeback(fd: int, offset: int, size: int) -> None:
    """Let the system start to write what is in its cache, so that the last sync is short."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(fd, offset, size, os.POSIX_FADV_DONTNEED)


def rename(path: Path, to: Path) -> None:
    """Give a file another name in its folder, in place of what has that name."""
    path.replace(to)
    if os.path.lexists(path):  # both were names of one file, and then the system does nothing
        path.unlink()


def remove(path: Path) -> None:
    """Remove a file, if it is there."""
    path.unlink(missing_ok=True)


def link(path: Path, to: Path) -> None:
    """Give a file a second name, in place of what has that name.

    Raises:
        OSError: the file system has no such links.
    """
    to.unlink(missing_ok=True)
    os.link(path, to)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder last; Windows cannot, and needs no such thing."""
    if os.name == "posix":
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def refuse_dangling(folder: Path) -> None:
    """Refuse a folder that is a link, or is behind one, to what is not there.

    Raises:
        FileExistsError: such a link.
    """
    for path in (folder, *folder.parents):
        if path.is_symlink() and not path.exists():
            raise FileExistsError(
                f"{path} is a link to what is not there. Make that folder, or give another as "
                "`out_dir`."
            )


@contextlib.contextmanager
def made(folder: Path) -> Iterator[None]:
    """Make a folder, and those above it, for the block; if it fails, none stays that is empty."""
    missing = []
    above = folder
    while not above.exists() and above != above.parent:
        missing.append(above)
        above = above.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # the first that is not empty
            for path in missing:
                path.rmdir()
        raise


def lock(fd: int, *, shared: bool = False, patience: float = 0.0) -> bool:
    """Lock an open file until it is closed, and return whether the system has such locks.

    Args:
        fd: of the file.
        shared: with others that say so too.
        patience: seconds in which another may give it back, such as one that only looked whether
            it is locked.

    Raises:
        BlockingIOError: another process has it.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return False
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                raise
        except OSError:  # a network file system without locks
            return False
        else:
            return True
        time.sleep(0.001)


@contextlib.contextmanager
def locked(folder: Path, *, shared: bool = False) -> Iterator[None]:
    """Keep a second writer out of a folder, where the system has such locks; with `shared`, only
    one that writes alone.

    Raises:
        FileExistsError: another process is writing there.
    """
    if os.name != "posix":
        yield
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        try:
            lock(fd, shared=shared)
        except BlockingIOError:
            raise FileExistsError(
                f"another process is writing a checkpoint in {folder}. Let it end first."
            ) from None
        yield
    finally:
        os.close(fd)
