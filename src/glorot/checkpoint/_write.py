# SPDX-License-Identifier: Apache-2.0
"""Write a model's initial values to disk as safetensors, in bounded memory and all or nothing."""

import contextlib
import errno
import itertools
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from glorot import _check, _kernel
from glorot._stream import STREAM_VERSION
from glorot.checkpoint import _files, _layout, _manifest
from glorot.checkpoint._arguments import Progress, check_progress
from glorot.checkpoint._blocks import (
    DEFAULT_BLOCK_BYTES,
    Array,
    Block,
    Buffers,
    blocks,
    compute,
    on_threads,
)
from glorot.checkpoint._checksum import Checksum, crc32
from glorot.checkpoint._files import partial_path
from glorot.checkpoint._job import Job, make_job
from glorot.checkpoint._layout import File, aside_path
from glorot.checkpoint._manifest import MANIFEST, FileSum
from glorot.checkpoint._moments import Moments
from glorot.checkpoint._places import Places, find_places
from glorot.checkpoint._report import TensorReport, WriteReport
from glorot.recipe import Assignment, Recipe


def write(
    shapes: Mapping[str, Any] | str | os.PathLike[str],
    recipe: Recipe | str | os.PathLike[str],
    out_dir: str | os.PathLike[str],
    *,
    seed: int,
    dtype: Any = None,
    max_shard_size: int | str | None = None,
    force: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
    block_size: int = DEFAULT_BLOCK_BYTES,
) -> WriteReport:
    """Write the initial checkpoint of a model and return what was written.

    The bytes depend on `shapes`, `recipe`, `seed`, `dtype` and `max_shard_size` alone. Memory is
    bounded by threads x `block_size`, however large the model; an initializer that needs the whole
    matrix (`Orthogonal`) takes that matrix more. Files are written beside their final paths and
    renamed when all of them are complete and on the disk, the index and the manifest last.

    Args:
        shapes: names to shapes (see `glorot.recipe.parse_shapes`), or the path of a shapes file or
            of a checkpoint, of which the headers alone are read.
        recipe: a `Recipe`, the name of a built-in one, or the path of a recipe file.
        out_dir: the folder; it is made where it is missing. It gets model.safetensors or, when
            `max_shard_size` asks for more than one file, Hugging Face's names and index; and
            glorot.json, the manifest: recipe, seed, and each file's size and CRC-32.
        seed: 0 <= seed < 2**64.
        dtype: of all floating tensors, in place of what `shapes` says.
        max_shard_size: bytes of tensors in a file, as a number or as "500MB" or "2GiB"; a tensor
            larger than that has a file of its own. None: one file.
        force: replace a checkpoint that is there. It goes only when the new one is complete, and
            comes back where that cannot take its place.
        resume: go on after a write that was cut off. Nothing there is trusted: every block is
            computed, compared, and written where it differs.
        progress: called as progress(bytes done, bytes in all), from any thread, one at a time.
        block_size: bytes computed and written at a time; the bytes of the file do not depend on it.

    Raises:
        ValueError, TypeError: arguments or recipe that do not fit, before anything is written.
        FileExistsError: a checkpoint or the rest of a cut off write is there, and neither `force`
            nor `resume` was given; another process is writing there.
        OSError: the disk is full (nothing is left, nor a folder that was made for it) or fails
            (`resume` can go on).

    Examples:
        >>> import glorot, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = glorot.checkpoint.write({"w": (4, 3)}, glorot.Recipe(
        ...         [glorot.Rule("*", "glorot_uniform")]), folder, seed=42)
        ...     glorot.checkpoint.verify(folder, glorot.Recipe(
        ...         [glorot.Rule("*", "glorot_uniform")]), 42).equal
        True
        >>> report.files, report.parameters
        (('model.safetensors',), 12)
    """
    begin = time.perf_counter()
    _kernel.check_environment()
    folder = _check.path("out_dir", out_dir, needed="the path of a folder")
    block_bytes = _check.count("block_size", block_size)
    force, resume = _check.flag("force", force), _check.flag("resume", resume)
    check_progress(progress)
    job = make_job(shapes, recipe, seed, dtype, max_shard_size)
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file; `out_dir` must be a folder.")
    with _files.made(folder), _files.locked(folder):
        places = find_places(folder, job, force=force, resume=resume)
        work = _Write(folder, job, block_bytes, progress)
        work.run(places)
    return WriteReport(
        directory=str(folder),
        seed=job.seed,
        recipe=job.recipe.fingerprint,
        stream=STREAM_VERSION,
        files=tuple(file.name for file in job.files),
        parameters=job.parameters,
        nbytes=job.nbytes,
        written=work.written,
        seconds=time.perf_counter() - begin,
        tensors=tuple(
            work.report(file.name, job.assignments[name])
            for file in job.files
            for name in file.tensors
        ),
    )


class _Write:
    """One run of the writer: its plan, its memory and what it has counted."""

    def __init__(
        self,
        folder: Path,
        job: Job,
        block_bytes: int,
        progress: Progress | None,
    ) -> None:
        self.folder = folder
        self.job = job
        self.files = files = job.files
        self.assignments = job.assignments
        self.seed = job.seed
        self.block_bytes = block_bytes
        self.progress = progress
        self.threads = _kernel.allowed_threads()
        self.total = sum(e.nbytes for file in files for e in file.tensors.values())
        self.done = 0
        self.written = 0
        self.moments = Moments(self.assignments)
        self.checksums = {file.name: Checksum() for file in files}
        largest = max((e.nbytes for f in files for e in f.tensors.values()), default=0)
        self.memory = min(block_bytes, largest)

    def run(self, places: Places) -> None:
        """Write what is not finished, compare what is, then put everything in its place."""
        texts = [self.folder / name for name in (*self.job.texts, MANIFEST)]
        new = [self.folder / file.name for file in places.todo] + texts
        _remove_partials(places.obsolete if places.resume else [*places.obsolete, *new])
        try:
            self._check_space(places.todo)
            for file in places.todo:
                with _opened(self.folder / file.name, repair=True) as fd:
                    _files.take_space(fd, file.size)
            for file in places.finished:
                self._file(file, compare=True, repair=False)
            for file in places.todo:
                self._file(file, compare=places.resume, repair=True)
            for name, text in {**self.job.texts, MANIFEST: self._manifest(places)}.items():
                _remove_partials([self.folder / name])
                with _opened(self.folder / name, repair=True) as fd:
                    _files.write_at(fd, text, 0)
                    os.fsync(fd)
        except OSError as error:
            if error.errno not in _files.FULL:
                raise
            _remove_partials(new)
            raise OSError(error.errno, self._no_space(error.strerror or "disk full")) from None
        self._put_in_place(new, places.replaced)

    def _manifest(self, places: Places) -> bytes:
        """The manifest; one that is there already must say the same and stays as it is."""
        sums = {name: FileSum(len(text), crc32(text)) for name, text in self.job.texts.items()}
        for file in self.files:
            crc = self.checksums[file.name].of(file.size)
            if crc is None:
                raise RuntimeError(f"not all of {file.name} was computed.")
            sums[file.name] = FileSum(file.size, crc)
        made = _manifest.make(self.job.recipe, self.seed, sums)
        path = self.folder / MANIFEST
        if places.todo or not path.exists():
            return made.text()
        there = _manifest.read(path)
        if there.files != made.files:
            raise _another(path, "a checksum")
        return path.read_bytes()

    def _put_in_place(self, new: list[Path], replaced: list[Path]) -> None:
        """Let the new checkpoint take the names of the old one; only names change here.

        The old stand aside until all of the new have their names, and come back if one cannot have
        it.  Where model.safetensors takes the place of another it does so in a single step of the
        system, if that has hard links: a reader finds the one or the other.
        """
        old = [path for path in dict.fromkeys((*replaced, *new)) if path.exists()]
        # The index goes last: while it stands, the files that it names are known to be the old.
        old.sort(key=lambda path: path.name == _layout.INDEX)
        single = self.folder / _layout.SINGLE
        done = []
        if single in new and single in old and _layout.INDEX not in {path.name for path in old}:
            with contextlib.suppress(OSError):
                _files.link(single, aside_path(single))
                old.remove(single)
                done.append((single, aside_path(single)))
        moves = [(path, aside_path(path)) for path in old]
        moves += [(partial_path(path), path) for path in new]
        try:
            for source, target in moves:
                with _files.naming(target if target in new else source):
                    _files.rename(source, target)
                done.append((source, target))
            _files.sync_folder(self.folder)
        except BaseException:
            for source, target in reversed(done):
                with contextlib.suppress(OSError):
                    _files.rename(target, source)
            raise
        for path in _layout.leftovers(self.folder).aside:
            with _files.naming(path):
                aside_path(path).unlink(missing_ok=True)
        _files.sync_folder(self.folder)

    def _no_space(self, why: str) -> str:
        size = sum(file.size for file in self.files)
        return (
            f"{why}: the checkpoint needs {size} bytes in {self.folder}. Nothing was left there; "
            "make room or choose another folder."
        )

    def _check_space(self, todo: list[File]) -> None:
        """Refuse before the first byte what cannot fit."""
        needed = sum(file.size for file in todo)
        for file in todo:
            with contextlib.suppress(OSError):
                status = partial_path(self.folder / file.name).stat()
                needed -= min(getattr(status, "st_blocks", 0) * 512, file.size)
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)} ({free} bytes are free)")

    def _file(self, file: File, *, compare: bool, repair: bool) -> None:
        """Compute a file, in its partial one where it is to be written (`repair`)."""
        path = self.folder / file.name
        self.checksums[file.name].add(0, file.start)
        with _opened(path, repair=repair) as fd:
            start = bytearray(len(file.start))
            if not repair and os.fstat(fd).st_size != file.size:
                raise _another(path, "its size")
            if not compare or _files.read_at(fd, start, 0) < len(start) or start != file.start:
                if not repair:
                    raise _another(path, "its header")
                _files.write_at(fd, file.start, 0)
            buffers = Buffers(self.threads, self.memory, 1 + compare)

            def work(block: Block) -> None:
                buffers.run(block, lambda *arrays: self._block(fd, block, repair, path, *arrays))

            on_threads(self._blocks(file), work, self.threads, self._count)
            if repair:
                os.fsync(fd)

    def _blocks(self, file: File) -> Iterator[Block]:
        pieces = (blocks(self.assignments[n], e, self.block_bytes) for n, e in file.tensors.items())
        return itertools.chain.from_iterable(pieces)

    def _block(
        self,
        fd: int,
        block: Block,
        repair: bool,
        path: Path,
        out: Array,
        there: Array | None = None,
    ) -> None:
        self.moments.add(block, *compute(block, self.seed, out))
        data = out.view(np.uint8)
        self.checksums[path.name].add(block.offset, data)
        if there is not None:
            old = there.view(np.uint8)
            if _files.read_at(fd, old, block.offset) == len(old) and np.array_equal(old, data):
                return
            if not repair:
                raise _another(path, f"{block.assignment.name!r}")
        _files.write_at(fd, data, block.offset)
        _files.start_writeback(fd, block.offset, block.nbytes)
        self.written += block.nbytes

    def _count(self, nbytes: int) -> None:
        self.done += nbytes
        if self.progress is not None:
            self.progress(self.done, self.total)

    def report(self, file: str, assignment: Assignment) -> TensorReport:
        """Return what was promised and what was measured of one tensor."""
        mean, stddev = self.moments.of(assignment.name)
        return TensorReport(
            assignment.name,
            assignment.shape,
            assignment.dtype,
            file,
            assignment.rule.pattern,
            assignment.law,
            *assignment.fans,
            assignment.stddev,
            mean,
            stddev,
        )


@contextlib.contextmanager
def _opened(path: Path, *, repair: bool) -> Iterator[int]:
    """The file of this path, or the one in which it is begun."""
    fd = _files.open_partial(path) if repair else os.open(path, _files.READ)
    try:
        with _files.naming(path):
            yield fd
    finally:
        os.close(fd)


def _remove_partials(paths: Iterable[Path]) -> None:
    for path in paths:
        with _files.naming(path):
            partial_path(path).unlink(missing_ok=True)


def _another(path: Path, what: str) -> FileExistsError:
    return FileExistsError(
        f"{path} is there and is not what this recipe and seed give: {what} differs. Give another "
        "folder, or `force` (--force) to replace it."
    )
