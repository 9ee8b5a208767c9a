# SPDX-License-Identifier: Apache-2.0
"""What is in the folder before a write, and whether it may be touched."""

import contextlib
from pathlib import Path
from typing import NamedTuple

from glorot.checkpoint import _files, _layout, _manifest
from glorot.checkpoint._dcp import METADATA
from glorot.checkpoint._files import partial_path
from glorot.checkpoint._job import Job
from glorot.checkpoint._layout import INDEX, SINGLE, File, aside_path
from glorot.checkpoint._manifest import MANIFEST


class Places(NamedTuple):
    """What a write will do with a folder."""

    todo: list[File]  # to write beside their final paths
    finished: list[File]  # there already, to be compared and left
    obsolete: list[Path]  # that other writes have begun, to go first
    replaced: list[Path]  # of the old checkpoint, to go when the new one is complete
    resume: bool


def find_places(
    folder: Path,
    job: Job,
    *,
    force: bool,
    resume: bool,
    together: bool = False,
    restore: bool = True,
) -> Places:
    """Return what to do with `folder`, or refuse to touch what is there.

    Where a write was cut off while the old files stood aside, `force` puts them back first: they
    stay until the new ones are complete.

    Args:
        together: several processes write, and what is unfinished may be of the others.
        restore: put back what stands aside; without it nothing is touched.

    Raises:
        FileExistsError: a checkpoint that may not be replaced, or the rest of a write.
    """
    files = job.files
    names = {file.name for file in files}
    known = sorted({*names, SINGLE, INDEX, MANIFEST, METADATA})
    for name in known:
        path = folder / name
        if path.is_dir():
            raise FileExistsError(f"{path} is a folder where a file goes. Move it away first.")
        for hidden in (partial_path(path), aside_path(path)):
            if hidden.is_dir():
                raise FileExistsError(
                    f"{path} cannot be written: {hidden.name} beside it is a folder where a hidden "
                    "file goes. Move that away first."
                )
    left = _layout.leftovers(folder)
    if any(left) and not (force or resume or together):
        raise cut_off(folder)
    if (force or resume) and restore:
        _settle(folder, left, force=force)
    there = [folder / name for name in known if (folder / name).exists()]
    if there and not (force or resume):
        raise FileExistsError(
            f"{there[0]} is there already. Give `force` (--force) to replace the checkpoint, or "
            "another folder."
        )
    obsolete = [path for path in left.partial if path.name not in {*names, *job.texts, MANIFEST}]
    if force:
        return Places(files, [], obsolete, _old(folder, names), resume)
    finished = [file for file in files if (folder / file.name).exists()]
    for path in there:
        both = path.name in names and partial_path(path).exists()
        if both or not _is_of(path, job):
            raise FileExistsError(
                f"{path} belongs to another checkpoint{_which(path, job)}. Give another folder, or "
                "`force` (--force) too, to replace it."
            )
    todo = [file for file in files if file not in finished]
    return Places(todo, finished, obsolete, [], resume)


def _settle(folder: Path, left: _layout.Leftovers, *, force: bool) -> None:
    """End what a write that was cut off has begun with files that stand aside: where the new ones
    have all their names, the manifest's the last, the old go; else, with `force`, they come back.
    """
    manifest = folder / MANIFEST
    unnamed = manifest in left.partial and manifest not in left.aside
    if manifest.exists() and not unnamed:
        for path in left.aside:
            with _files.naming(path):
                _files.remove(aside_path(path))
    elif force:
        named = not any(path.suffix == ".safetensors" for path in left.partial)
        if named and folder / SINGLE in left.aside and folder / INDEX not in left.aside:
            _remove_named(folder / INDEX)  # of the new, which would be read in place of the old
        for path in left.aside:
            with _files.naming(path):
                _files.rename(aside_path(path), path)


def _remove_named(index: Path) -> None:
    """Remove an index and the shards that it names; none of them was there before."""
    if not index.is_file():
        return
    with contextlib.suppress(ValueError):
        for name in set(_layout.read_index(index).values()):
            if _layout.is_shard(name):
                _files.remove(index.parent / name)
    _files.remove(index)


def _is_of(path: Path, job: Job) -> bool:
    """Whether the file of this name, as far as can be told without reading data, is the job's."""
    if path.name == MANIFEST:
        try:
            return _manifest.read(path).says(job.recipe, job.seed, job.sizes)
        except ValueError:
            return False
    if path.name in (INDEX, METADATA):
        return job.texts.get(path.name) == path.read_bytes()
    return path.name in job.sizes


def _which(path: Path, job: Job) -> str:
    """In which way a manifest is not the job's, as far as it says."""
    try:
        there = _manifest.read(path) if path.name == MANIFEST else None
    except (ValueError, OSError):
        there = None
    if there is None:
        return ""
    mine, its = job.recipe.fingerprint, there.recipe.fingerprint
    if there.seed != job.seed:
        return f", of seed {there.seed} and not {job.seed}"
    if its != mine:
        return f", of recipe {its[:8]} and not {mine[:8]}"
    return ", of the same recipe and seed, but other shapes, dtype, shard size or format"


def _old(folder: Path, names: set[str]) -> list[Path]:
    """The files of the old checkpoint that the new one does not write over.

    Its shards are those that its index, or for torch's files its manifest, names, never what merely
    looks like one.
    """
    old = [folder / SINGLE] if SINGLE not in names else []
    if (folder / INDEX).is_file():
        try:
            named = set(_layout.read_index(folder / INDEX).values())
        except ValueError:
            named = set()
        old += [folder / name for name in sorted(named - names) if _layout.is_shard(name)]
        old.append(folder / INDEX)
    if (folder / METADATA).is_file():
        try:
            named = set(_manifest.read(folder / MANIFEST).files)
        except (ValueError, FileNotFoundError):
            named = set()
        old += [folder / name for name in sorted(named - names) if _layout.is_dcp(name)]
        old += [folder / METADATA] if METADATA not in named else []
    return old


def another(path: Path, what: str) -> FileExistsError:
    """Return the error for a file that is there and may not be changed."""
    return FileExistsError(
        f"{path} is there and is not what this recipe and seed give: {what} differs. Give another "
        "folder, or `force` (--force) to replace it."
    )


def cut_off(folder: Path) -> FileExistsError:
    """Return the error for what a write that did not end has left."""
    return FileExistsError(
        f"{folder} holds the rest of a write that did not end. Give `resume` (--resume) to go on "
        "with it, or `force` (--force) to begin anew."
    )
