# SPDX-License-Identifier: Apache-2.0
"""Many processes write one checkpoint, each its share; the last one gives the files their names.

They share a file system and nothing else.  Each rank writes its bytes of the hidden files, lets
them last, and leaves a record with their checksums.  Whoever then finds the records of all ranks
finishes.  A record that stood before this rank began may be of a run that was cut off: what it says
is read back from the disk before it is believed.
"""

import contextlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from glorot import _kernel
from glorot.checkpoint import _files, _finisher, _manifest, _records
from glorot.checkpoint._checksum import Checksum, Piece, combine, crc32
from glorot.checkpoint._files import partial_path
from glorot.checkpoint._finisher import Marker
from glorot.checkpoint._in_place import put_in_place
from glorot.checkpoint._job import Job
from glorot.checkpoint._layout import leftovers
from glorot.checkpoint._manifest import MANIFEST
from glorot.checkpoint._places import Places, cut_off, find_places
from glorot.checkpoint._records import Record, begun_path, done_path
from glorot.checkpoint._texts import write_texts
from glorot.checkpoint._work import Work, check_space, remove_partials

_CHUNK = 16 << 20


class Rank(NamedTuple):
    """One of several processes, and what it may do with what is there."""

    rank: int
    world_size: int
    force: bool
    resume: bool

    def __str__(self) -> str:
        return f"rank {self.rank} of {self.world_size}"


class Outcome(NamedTuple):
    """What came of it: the checkpoint stands, or these ranks are waited for."""

    complete: bool
    waiting: tuple[int, ...] = ()


def write_share(work: Work, me: Rank) -> Outcome:
    """Write this rank's share, and finish the checkpoint if it was the last.

    Raises:
        FileExistsError: as `write`; another process is this rank.
        ValueError: ranks that do not agree on what they write.
        OSError: the disk is full or fails; what was written stays for `resume`.
    """
    folder, job = work.folder, work.job
    marker = begun_path(folder, me.rank, me.world_size)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(_records.marked(marker, job, again=me.resume))
        except (BlockingIOError, FileExistsError) as error:
            if isinstance(error, BlockingIOError) or _records.is_held(marker):
                text = f"another process is writing as {me} in {folder}. Give each its own rank."
                raise FileExistsError(text) from None
            raise begun_before(folder, me) from None
        try:
            places, old, fallen = _begin(folder, job, me)
        except BaseException:
            marker.unlink(missing_ok=True)
            raise
        try:
            _work(work, places, me)
        except BaseException:
            if not places.todo:  # nothing was begun
                marker.unlink(missing_ok=True)
            raise
        if not places.todo and all((folder / name).exists() for name in (*job.texts, MANIFEST)):
            marker.unlink(missing_ok=True)  # it was complete, and is what it should be
            if _finisher.newest(folder) == fallen:  # which was cut off behind the names
                _finisher.remove(folder)
            return Outcome(complete=True)
        pieces = {name: list(found) for name, found in work.checksums.items() if list(found)}
        record = Record(job.identity, _records.new_token(), pieces)
        _records.write_record(done_path(folder, me.rank, me.world_size), record)
        return _finish(folder, job, me, old, fallen)


def begun_before(folder: Path, me: Rank) -> FileExistsError:
    """Return the error for a rank of which a marker is there."""
    return FileExistsError(
        f"{me} has begun in {folder} before and did not end. Give `resume` (--resume) to go on "
        "with it."
    )


def _begin(folder: Path, job: Job, me: Rank) -> tuple[Places, dict[int, str], Marker | None]:
    """What to do; the tokens of the records that are there already; the marker of a rank that fell
    while it gave the files their names."""
    done_path(folder, me.rank, me.world_size).unlink(missing_ok=True)
    # Behind that: whoever is about to finish finds the record gone, or this rank its marker.
    fallen = _finisher.await_end(folder) if me.resume else _finisher.newest(folder)
    places = may_begin(folder, job, me)
    check_space(folder, places.todo)
    found = ((rank, _read(folder, rank, me)) for rank in range(me.world_size))
    tokens = {rank: record.token for rank, record in found if record is not None}
    return places, tokens, fallen


def may_begin(folder: Path, job: Job, me: Rank) -> Places:
    """Return what to do of the files, by what is there and what other ranks have begun; nothing is
    touched.

    Raises:
        FileExistsError, ValueError: as `write_share`, before it writes.
    """
    if not me.resume and _finisher.newest(folder) is not None:
        raise FileExistsError(
            f"another rank gives the checkpoint in {folder} its names, or was cut off doing so. "
            "Let it end; then `resume` (--resume) goes on."
        )
    left = leftovers(folder)
    # A rank makes its marker before its first file: who made what was there a moment ago is known.
    others = _records.others(folder, me.rank, me.world_size)
    if (left.partial or left.aside) and not (others or me.force or me.resume):
        raise cut_off(folder)
    for marker, rank, size in others:
        if me.resume and not _records.is_held(marker):
            continue  # of a run that was cut off; what it left is compared
        if size != me.world_size:
            raise ValueError(
                f"{me} begins in {folder} where rank {rank} of {size} has begun: they must agree "
                "on `world_size`. Give `resume` (--resume) if that run has ended."
            )
        theirs = _records.read_identity(marker)
        if words := _records.differing(job.identity, theirs or job.identity):
            raise _disagree(me, rank, words)
    # Another rank may have completed the write that `resume` goes on with, of what this one left.
    force = me.force and not (me.resume and _is_complete(folder, job))
    return find_places(folder, job, force=force, resume=me.resume, together=True, restore=False)


def _is_complete(folder: Path, job: Job) -> bool:
    """Whether this job's checkpoint stands there, as far as names and sizes tell."""
    try:
        manifest = _manifest.read(folder / MANIFEST)
        sizes = {name: (folder / name).stat().st_size for name in job.sizes}
    except (OSError, ValueError):
        return False
    said = manifest.says(job.recipe, job.seed, job.sizes)
    return said and sizes == job.sizes and not leftovers(folder).partial


def _read(folder: Path, rank: int, me: Rank) -> Record | None:
    try:
        return _records.read_record(done_path(folder, rank, me.world_size))
    except ValueError as error:
        raise ValueError(f"{error} Run rank {rank} again with `resume` (--resume).") from None


def _disagree(me: Rank, rank: int, words: str) -> ValueError:
    return ValueError(
        f"{me} writes another {words} than rank {rank}. Nothing got its name; give all ranks the "
        "same arguments, and `resume` (--resume) to those that have begun."
    )


def _work(work: Work, places: Places, me: Rank) -> None:
    try:
        work.run(places)
    except OSError as error:
        if error.errno not in _files.FULL:
            raise
        raise OSError(
            error.errno,
            f"{error.strerror or 'disk full'}: the checkpoint needs {work.job.nbytes} bytes in "
            f"{work.folder}. What was written is left, without a name; make room and run {me} "
            "again with `resume` (--resume).",
        ) from None


def _finish(
    folder: Path, job: Job, me: Rank, old: Mapping[int, str], fallen: Marker | None
) -> Outcome:
    """Put everything in its place if all ranks have written their shares."""
    records = {rank: _read(folder, rank, me) for rank in range(me.world_size)}
    if records[me.rank] is None:
        return Outcome(complete=False)  # another rank found all, and has finished
    waiting = tuple(rank for rank, record in records.items() if record is None)
    if waiting:
        return Outcome(complete=False, waiting=waiting)
    there = {rank: record for rank, record in records.items() if record is not None}
    for rank, record in there.items():
        if words := _records.differing(job.identity, record.identity):
            raise _disagree(me, rank, words)
    checksums = _join(folder, job, there)
    waiting = tuple(
        rank
        for rank, record in there.items()
        if rank != me.rank and old.get(rank) == record.token and not _is_true(folder, record)
    )
    if waiting:
        return Outcome(complete=False, waiting=waiting)
    with _finisher.only_one(folder, fallen) as marker:
        if marker is None:
            return Outcome(complete=False)  # another rank finishes
        for rank, record in there.items():
            now = _read(folder, rank, me)
            if now is None or now.token != record.token:  # it has begun again
                marker.unlink()
                return Outcome(complete=False, waiting=(rank,))
        _name(folder, job, me, checksums)
    return Outcome(complete=True)


def _name(folder: Path, job: Job, me: Rank, checksums: Mapping[str, Checksum]) -> None:
    places = find_places(folder, job, force=me.force, resume=True, together=True)
    write_texts(folder, job, places, checksums)
    new = [folder / file.name for file in places.todo]
    new += [folder / name for name in (*job.texts, MANIFEST)]
    put_in_place(folder, new, places.replaced)
    remove_partials(places.obsolete)
    for path in leftovers(folder).ranks:
        if not _finisher.is_finisher(path.name):
            path.unlink(missing_ok=True)
    _finisher.remove(folder)


def _join(folder: Path, job: Job, records: Mapping[int, Record]) -> dict[str, Checksum]:
    """The checksum of each file from those of its parts."""
    checksums = {file.name: Checksum() for file in job.files}
    try:
        for record in records.values():
            for name, pieces in record.pieces.items():
                for piece in pieces:
                    checksums[name].join(piece)
        lacking = [file.name for file in job.files if checksums[file.name].of(file.size) is None]
    except (ValueError, KeyError):
        lacking = ["the checkpoint"]
    if lacking:
        raise ValueError(
            f"the records of the ranks in {folder} do not make up {lacking[0]}. Run all ranks "
            "again with `resume` (--resume)."
        )
    return checksums


def _is_true(folder: Path, record: Record) -> bool:
    """Whether the disk holds what a record says; if not, its rank must run again."""
    for name, pieces in record.pieces.items():
        path = partial_path(folder / name)
        try:
            with (path if path.exists() else folder / name).open("rb") as file:
                if any(_crc(file.fileno(), piece) != piece.crc for piece in pieces):
                    return False
        except FileNotFoundError:
            return False
    return True


def _crc(fd: int, piece: Piece) -> int:
    """The CRC-32 of bytes of a file, read on all threads."""

    def read(start: int) -> tuple[int, int]:
        data = bytearray(min(_CHUNK, piece.stop - start))
        _files.read_at(fd, data, start)
        return crc32(data), len(data)

    crc = 0
    with ThreadPoolExecutor(_kernel.allowed_threads()) as pool:
        for found, length in pool.map(read, range(piece.start, piece.stop, _CHUNK)):
            crc = combine(crc, found, length)
    return crc
