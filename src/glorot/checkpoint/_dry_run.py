# SPDX-License-Identifier: Apache-2.0
"""What `write` would do: files, sizes, free space and time, without writing anything."""

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from glorot import _check, _kernel
from glorot._dtypes import ALL
from glorot._stream import STREAM_VERSION
from glorot.checkpoint import _files
from glorot.checkpoint._blocks import blocks, compute
from glorot.checkpoint._job import Job, make_job
from glorot.checkpoint._places import find_places
from glorot.checkpoint._ranks import check_ranks
from glorot.checkpoint._records import begun_path
from glorot.checkpoint._report import PlannedFile, PlanReport
from glorot.checkpoint._together import Rank, begun_before, may_begin
from glorot.recipe import Recipe

_SAMPLE_BYTES = 2 << 20
_MOST_SAMPLES = 16  # kinds of tensors that are timed, the largest first


def plan(
    shapes: Mapping[str, Any] | str | os.PathLike[str],
    recipe: Recipe | str | os.PathLike[str],
    out_dir: str | os.PathLike[str],
    *,
    seed: int,
    dtype: Any = None,
    max_shard_size: int | str | None = None,
    format: str = "safetensors",
    force: bool = False,
    resume: bool = False,
    rank: int | None = None,
    world_size: int | None = None,
) -> PlanReport:
    """Return what `write` would do with these arguments; nothing is written, not even the folder.

    The time is that of computing the values, from a measurement of some of them here.  How fast
    the disk is cannot be known without writing: a slower one decides. Sizes and time are of the
    whole checkpoint, of which each of several ranks has its share.

    Args:
        shapes, recipe, out_dir, seed, dtype, max_shard_size, format, force, resume, rank,
            world_size: as for `write`.

    Raises:
        ValueError, TypeError, FileExistsError, OSError: as `write`, before it writes anything; but
            what does not fit on the disk is told by the report's `fits`.

    Examples:
        >>> import glorot, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = glorot.checkpoint.plan({"w": (1000, 1000)}, glorot.Recipe(
        ...         [glorot.Rule("*", "he_normal")]), folder, seed=42)
        >>> [(file.name, file.tensors) for file in report.files], report.parameters
        ([('model.safetensors', 1)], 1000000)
        >>> report.fits, report.seconds > 0
        (True, True)
    """
    _kernel.check_environment()
    folder = _check.path("out_dir", out_dir, needed="the path of a folder")
    force, resume = _check.flag("force", force), _check.flag("resume", resume)
    number, size = check_ranks(rank, world_size)
    job = make_job(shapes, recipe, seed, dtype, max_shard_size, format)
    _files.refuse_dangling(folder)
    above = _existing(folder)
    if not os.access(above, os.W_OK | os.X_OK):
        raise PermissionError(f"{above} cannot be written to. Give another folder as `out_dir`.")
    if folder.exists():
        me = Rank(number, size, force, resume)
        if size == 1:
            find_places(folder, job, force=force, resume=resume, restore=False)
        elif begun_path(folder, number, size).exists() and not resume:
            raise begun_before(folder, me)
        else:
            may_begin(folder, job, me)
    seconds, unmeasured = estimate(job)
    return PlanReport(
        directory=str(folder),
        seed=job.seed,
        recipe=job.recipe.fingerprint,
        stream=STREAM_VERSION,
        files=tuple(PlannedFile(f.name, f.size, len(f.tensors)) for f in job.files),
        tensors=len(job.assignments),
        parameters=job.parameters,
        nbytes=job.nbytes,
        free=shutil.disk_usage(above).free,
        needed=job.nbytes - min(job.nbytes, taken(folder, job) if resume else 0),
        threads=_kernel.allowed_threads(),
        seconds=seconds,
        unmeasured=unmeasured,
    )


def taken(folder: Path, job: Job) -> int:
    """The bytes on the disk that files of this job have already, begun or finished."""
    total = 0
    for file in job.files:
        path = folder / file.name
        found = path if path.exists() else _files.partial_path(path)
        if found.is_file():
            total += min(getattr(found.stat(), "st_blocks", 0) * 512, file.size)
    return total


def estimate(job: Job) -> tuple[float, tuple[str, ...]]:
    """Seconds to compute the values on all threads, and the tensors that it leaves out: those that
    are computed whole, whose time does not grow as their size does."""
    kinds: dict[tuple[type, str, int], list[tuple[str, int]]] = {}
    entries = {name: entry for file in job.files for name, entry in file.tensors.items()}
    unmeasured = []
    for name, assignment in job.assignments.items():
        if assignment.initializer._writer(assignment.shape, ALL[assignment.dtype]).at_once:
            unmeasured.append(name)
        elif entries[name].nbytes:
            key = type(assignment.initializer), assignment.dtype, len(assignment.shape)
            kinds.setdefault(key, []).append((name, entries[name].nbytes))
    largest = sorted(kinds.values(), key=lambda kind: -sum(size for _, size in kind))
    timed = seconds = 0.0
    for kind in largest[:_MOST_SAMPLES]:
        name, _ = max(kind, key=lambda item: item[1])
        size = sum(size for _, size in kind)
        seconds += size * _seconds_per_byte(job, name, entries[name])
        timed += size
    rest = sum(size for kind in largest[_MOST_SAMPLES:] for _, size in kind)
    seconds *= 1 + rest / timed if timed else 1.0
    return seconds / _kernel.allowed_threads(), tuple(unmeasured)


def _seconds_per_byte(job: Job, name: str, entry: Any) -> float:
    """The best of three blocks of one tensor, as a thread of the writer computes them."""
    block = next(blocks(job.assignments[name], entry, _SAMPLE_BYTES))
    out = np.empty(block.count, ALL[entry.dtype])
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        compute(block, job.seed, out)
        times.append(time.perf_counter() - begin)
    return min(times) / block.nbytes


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that there is.

    Raises:
        FileExistsError: that is a file.
    """
    above = folder.absolute()
    while not above.exists() and above != above.parent:
        above = above.parent
    if not above.is_dir():
        raise FileExistsError(f"{above} is a file; `out_dir` must be a folder.")
    return above
