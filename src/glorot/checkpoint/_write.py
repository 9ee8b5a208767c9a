# SPDX-License-Identifier: Apache-2.0
"""Write a model's initial values to disk as safetensors, in bounded memory and all or nothing."""

import os
import time
from collections.abc import Mapping
from typing import Any

from glorot import _check, _kernel
from glorot._stream import STREAM_VERSION
from glorot.checkpoint import _files
from glorot.checkpoint._arguments import Progress, check_progress
from glorot.checkpoint._blocks import DEFAULT_BLOCK_BYTES
from glorot.checkpoint._in_place import put_in_place
from glorot.checkpoint._job import make_job
from glorot.checkpoint._layout import leftovers
from glorot.checkpoint._manifest import MANIFEST
from glorot.checkpoint._places import Places, find_places
from glorot.checkpoint._ranks import check_ranks
from glorot.checkpoint._report import WriteReport
from glorot.checkpoint._share import share, whole
from glorot.checkpoint._texts import write_texts
from glorot.checkpoint._together import Outcome, Rank, write_share
from glorot.checkpoint._work import Work, check_space, remove_partials
from glorot.recipe import Recipe


def write(
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
    progress: Progress | None = None,
    block_size: int = DEFAULT_BLOCK_BYTES,
) -> WriteReport:
    """Write the initial checkpoint of a model and return what was written.

    The bytes depend on `shapes`, `recipe`, `seed`, `dtype`, `max_shard_size` and `format` alone.
    Memory is bounded by (threads + 8) x `block_size`, twice that with `resume`, however large the
    model; an initializer that needs the whole matrix (`Orthogonal`) takes that matrix more. Files
    are written beside their final paths and renamed when all of them are complete and on the disk,
    the index and the manifest last.

    Args:
        shapes: names to shapes (see `glorot.recipe.parse_shapes`), or the path or name of a source
            of them: a shapes file, a checkpoint's headers, ... (see `glorot.sources.read`).
        recipe: a `Recipe`, the name of a built-in one, or the path of a recipe file.
        out_dir: the folder; it is made where it is missing. It gets model.safetensors or, when
            `max_shard_size` asks for more than one file, Hugging Face's names and index; and
            glorot.json, the manifest: recipe, seed, and each file's size and CRC-32.
        seed: 0 <= seed < 2**64.
        dtype: of all floating tensors, in place of what `shapes` says.
        max_shard_size: bytes of tensors in a file, as a number or as "500MB" or "2GiB"; a tensor
            larger than that has a file of its own. None: one file.
        format: "safetensors"; or "dcp", a directory that torch.distributed.checkpoint loads:
            __0_0.distcp and so on, and .metadata, which torch makes and must be there for.
        force: replace a checkpoint that is there. It goes only when the new one is complete, and
            comes back where that cannot take its place.
        resume: go on after a write that was cut off. Nothing there is trusted: every block is
            computed, compared, and written where it differs.
        rank, world_size: of several processes, on any hosts that share the folder, which one this
            is, 0 <= rank < world_size. Each writes its share of the bytes, and the last to end
            gives the files their names; the bytes do not depend on how many there are. They need
            nothing else of each other. One that was cut off is run again with `resume`, and so can
            all be, with any world size. `ranks_from_environment` reads a launcher's variables.
        progress: called as progress(bytes done, bytes in all), from any thread, one at a time.
        block_size: bytes computed and written at a time; the bytes of the file do not depend on it.

    Raises:
        ValueError, TypeError: arguments or recipe that do not fit, before anything is written.
        FileExistsError: a checkpoint or the rest of a cut off write is there, and neither `force`
            nor `resume` was given; another process is writing there.
        OSError: the disk is full (nothing is left, nor a folder that was made for it) or fails
            (`resume` can go on).  Of several ranks none removes what others may still write.

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
    _files.check_byte_order()
    folder = _check.path("out_dir", out_dir, needed="the path of a folder")
    block_bytes = _check.count("block_size", block_size)
    force, resume = _check.flag("force", force), _check.flag("resume", resume)
    check_progress(progress)
    number, size = check_ranks(rank, world_size)
    job = make_job(shapes, recipe, seed, dtype, max_shard_size, format)
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"{folder} is a file; `out_dir` must be a folder.")
    _files.refuse_dangling(folder)
    with _files.made(folder), _files.locked(folder, shared=size > 1):
        shares = whole(job) if size == 1 else share(job, number, size)
        work = Work(folder, shares, job, block_bytes, progress)
        if size == 1:
            _run(work, find_places(folder, job, force=force, resume=resume))
            outcome = Outcome(complete=True)
        else:
            outcome = write_share(work, Rank(number, size, force, resume))
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
        tensors=work.reports(),
        rank=number,
        world_size=size,
        complete=outcome.complete,
        waiting=outcome.waiting,
    )


def _run(work: Work, places: Places) -> None:
    """Write what is not finished, compare what is, then put everything in its place."""
    folder, job = work.folder, work.job
    texts = [folder / name for name in (*job.texts, MANIFEST)]
    new = [folder / file.name for file in places.todo] + texts
    remove_partials(places.obsolete if places.resume else [*places.obsolete, *new])
    try:
        check_space(folder, places.todo)
        work.run(places)
        write_texts(folder, job, places, work.checksums)
    except OSError as error:
        if error.errno not in _files.FULL:
            raise
        remove_partials(new)
        why = error.strerror or "disk full"
        raise OSError(
            error.errno,
            f"{why}: the checkpoint needs {job.nbytes} bytes in {folder}. Nothing was left there; "
            "make room or choose another folder.",
        ) from None
    put_in_place(folder, new, places.replaced)
    for path in leftovers(folder).ranks:  # of a write of several, which this one has completed
        path.unlink(missing_ok=True)
