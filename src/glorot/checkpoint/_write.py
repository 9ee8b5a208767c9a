# SPDX-License-Identifier: Apache-2.0
"""Write a model's initial values to disk as safetensors, in bounded memory and all or nothing."""

import contextlib
import errno
import itertools
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from glorot import _check, _kernel
from glorot import recipe as recipes
from glorot._stream import STREAM_VERSION, check_seed
from glorot.checkpoint import _files, _layout
from glorot.checkpoint._blocks import (
    DEFAULT_BLOCK_BYTES,
    Array,
    Block,
    Buffers,
    blocks,
    compute,
    on_threads,
)
from glorot.checkpoint._layout import File, partial_path
from glorot.checkpoint._places import Places, find_places
from glorot.checkpoint._report import TensorReport, WriteReport
from glorot.recipe import Assignment, Recipe, TensorSpec

Progress = Callable[[int, int], None]


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
    renamed when all of them are complete and on the disk, the index last.

    Args:
        shapes: names to shapes (see `glorot.recipe.parse_shapes`), or the path of a shapes file or
            of a checkpoint, of which the headers alone are read.
        recipe: a `Recipe`, the name of a built-in one, or the path of a recipe file.
        out_dir: the folder; it is made where it is missing. It gets model.safetensors or, when
            `max_shard_size` asks for more than one file, Hugging Face's names and index.
        seed: 0 <= seed < 2**64.
        dtype: of all floating tensors, in place of what `shapes` says.
        max_shard_size: bytes of tensors in a file, as a number or as "500MB" or "2GiB"; a tensor
            larger than that has a file of its own. None: one file.
        force: replace a checkpoint that is there. It goes only when the new one is complete.
        resume: go on after a write that was cut off. Nothing there is trusted: every block is
            computed, compared, and written where it differs.
        progress: called as progress(bytes done, bytes in all), from any thread, one at a time.
        block_size: bytes computed and written at a time; the bytes of the file do not depend on it.

    Raises:
        ValueError, TypeError: arguments or recipe that do not fit, before anything is written.
        FileExistsError: a checkpoint or the rest of a cut off write is there, and neither `force`
            nor `resume` was given; another process is writing there.
        OSError: the disk is full (nothing is left) or fails (`resume` can go on).

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
    number = check_seed(seed)
    if not os.fspath(out_dir):
        raise ValueError(
            "`out_dir` must be the path of a folder, got an empty one. Give '.' for this one."
        )
    block_bytes = _check.count("block_size", block_size)
    limit = _layout.parse_size(max_shard_size)
    if not isinstance(recipe, Recipe):
        recipe = recipes.load(recipe)
    if not isinstance(shapes, Mapping):
        shapes = _layout.read_shapes(Path(shapes))
    assignments = {a.name: a for a in recipe.resolve(shapes, dtype=dtype)}
    specs = {name: TensorSpec(a.shape, a.dtype) for name, a in assignments.items()}
    files = _layout.plan(specs, metadata(recipe, number) | _layout.plan_metadata(specs), limit)

    folder = Path(out_dir)
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file; `out_dir` must be a folder.")
    folder.mkdir(parents=True, exist_ok=True)
    with _files.locked(folder):
        places = find_places(folder, files, force=force, resume=resume)
        job = _Write(folder, files, assignments, number, block_bytes, progress)
        job.run(places)
    return WriteReport(
        directory=str(folder),
        seed=number,
        recipe=recipe.fingerprint,
        stream=STREAM_VERSION,
        files=tuple(file.name for file in files),
        parameters=sum(math.prod(a.shape) for a in assignments.values()),
        nbytes=sum(file.size for file in files),
        written=job.written,
        seconds=time.perf_counter() - begin,
        tensors=tuple(
            job.report(file.name, assignments[name]) for file in files for name in file.tensors
        ),
    )


def metadata(recipe: Recipe, seed: int) -> dict[str, str]:
    """Return what the header says of where the values come from; "pt" is what transformers asks."""
    return {
        "format": "pt",
        "glorot.recipe": recipe.fingerprint,
        "glorot.seed": str(seed),
        "glorot.stream": str(STREAM_VERSION),
    }


class _Write:
    """One run of the writer: its plan, its memory and what it has counted."""

    def __init__(
        self,
        folder: Path,
        files: list[File],
        assignments: dict[str, Assignment],
        seed: int,
        block_bytes: int,
        progress: Progress | None,
    ) -> None:
        self.folder = folder
        self.files = files
        self.assignments = assignments
        self.seed = seed
        self.block_bytes = block_bytes
        self.progress = progress
        self.threads = _kernel.allowed_threads()
        self.total = sum(e.nbytes for file in files for e in file.tensors.values())
        self.done = 0
        self.written = 0
        self.sums: dict[str, list[tuple[int, float, float]]] = {name: [] for name in assignments}
        largest = max((e.nbytes for f in files for e in f.tensors.values()), default=0)
        self.memory = min(block_bytes, largest)

    def run(self, places: Places) -> None:
        """Write what is not finished, compare what is, then put everything in its place."""
        partials = [partial_path(self.folder, file.name) for file in places.todo]
        index = partial_path(self.folder, _layout.INDEX)
        if not places.resume:
            for path in partials:
                path.unlink(missing_ok=True)
        for path in places.obsolete:
            path.unlink(missing_ok=True)
        try:
            self._check_space(places.todo)
            for file, path in zip(places.todo, partials, strict=True):
                with _opened(path, repair=True) as fd:
                    _files.take_space(fd, file.size)
            for file in places.finished:
                self._file(file, self.folder / file.name, compare=True, repair=False)
            for file, path in zip(places.todo, partials, strict=True):
                self._file(file, path, compare=places.resume, repair=True)
            if len(self.files) > 1:
                index.unlink(missing_ok=True)
                with _opened(index, repair=True) as fd:
                    _files.write_at(fd, _layout.index_text(self.files), 0)
                    os.fsync(fd)
        except OSError as error:
            if error.errno not in _files.FULL:
                raise
            for path in (*partials, index):
                path.unlink(missing_ok=True)
            raise OSError(error.errno, self._no_space(error.strerror or "disk full")) from None
        self._put_in_place(places, partials, index)

    def _put_in_place(self, places: Places, partials: list[Path], index: Path) -> None:
        """Take the old checkpoint away and rename the new one, its index last."""
        for path in places.replaced:
            path.unlink(missing_ok=True)
        for file, path in zip(places.todo, partials, strict=True):
            path.replace(self.folder / file.name)
        _files.sync_folder(self.folder)
        if len(self.files) > 1:
            index.replace(self.folder / _layout.INDEX)
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
                status = partial_path(self.folder, file.name).stat()
                needed -= min(getattr(status, "st_blocks", 0) * 512, file.size)
        free = shutil.disk_usage(self.folder).free
        if needed > free:
            raise OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)} ({free} bytes are free)")

    def _file(self, file: File, path: Path, *, compare: bool, repair: bool) -> None:
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
        sums = compute(block, self.seed, out)
        data = out.view(np.uint8)
        self.sums[block.assignment.name].append((block.start, *sums))
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
        count = math.prod(assignment.shape)
        sums = sorted(self.sums[assignment.name])  # in one order, whichever thread came first
        mean = stddev = None
        if count:
            mean = math.fsum(total for _, total, _ in sums) / count
            square = math.fsum(squares for _, _, squares in sums) / count
            stddev = math.sqrt(max(0.0, square - mean * mean))
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
    fd = _files.open_partial(path) if repair else os.open(path, _files.READ)
    try:
        yield fd
    finally:
        os.close(fd)


def _another(path: Path, what: str) -> FileExistsError:
    return FileExistsError(
        f"{path} is there and is not what this recipe and seed give: {what} differs. Give another "
        "folder, or `force` (--force) to replace it."
    )
