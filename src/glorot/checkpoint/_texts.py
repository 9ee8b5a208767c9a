# SPDX-License-Identifier: Apache-2.0
"""The small files beside the data, written when that is complete: the index and the manifest."""

import os
from collections.abc import Mapping
from pathlib import Path

from glorot.checkpoint import _files, _manifest
from glorot.checkpoint._checksum import Checksum, crc32
from glorot.checkpoint._job import Job
from glorot.checkpoint._manifest import MANIFEST, FileSum
from glorot.checkpoint._places import Places, another
from glorot.checkpoint._work import opened, remove_partials


def write_texts(folder: Path, job: Job, places: Places, checksums: Mapping[str, Checksum]) -> None:
    """Write them beside their final paths, and let them last."""
    for name, text in {
        **job.texts,
        MANIFEST: _manifest_text(folder, job, places, checksums),
    }.items():
        remove_partials([folder / name])
        with opened(folder / name, repair=True) as fd:
            _files.write_at(fd, text, 0)
            os.fsync(fd)


def _manifest_text(
    folder: Path, job: Job, places: Places, checksums: Mapping[str, Checksum]
) -> bytes:
    """The manifest; of a finished checkpoint that is there it must say the same, and stays."""
    sums = {name: FileSum(len(text), crc32(text)) for name, text in job.texts.items()}
    for file in job.files:
        crc = checksums[file.name].of(file.size)
        if crc is None:
            raise RuntimeError(f"not all of {file.name} was computed.")
        sums[file.name] = FileSum(file.size, crc)
    made = _manifest.make(job.recipe, job.seed, sums, job.shapes)
    path = folder / MANIFEST
    if places.todo or not path.exists():
        return made.text()
    if _manifest.read(path).files != made.files:
        raise another(path, "a checksum")
    return path.read_bytes()
