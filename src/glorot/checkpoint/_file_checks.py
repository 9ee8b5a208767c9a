# SPDX-License-Identifier: Apache-2.0
"""The files of a checkpoint against its manifest: which are there, their sizes, their checksums."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from glorot import _check
from glorot.checkpoint import _manifest
from glorot.checkpoint._checksum import Checksum, crc32
from glorot.checkpoint._manifest import MANIFEST, FileSum, Manifest
from glorot.checkpoint._report import FileCheck
from glorot.recipe import Recipe, TensorSpec

_CHUNK = 4 << 20


def has_manifest(path: str | os.PathLike[str]) -> bool:
    """Return whether glorot.json lies in a checkpoint's folder, or beside one of its files."""
    return beside(_check.path("path", path)).is_file()


def beside(place: Path) -> Path:
    """Return where the manifest of a checkpoint's folder, or of one of its files, lies."""
    return (place if place.is_dir() else place.parent) / MANIFEST


def find_manifest(place: Path) -> Manifest:
    """Return the manifest of a checkpoint's folder, or of one of its files.

    Raises:
        ValueError: there is none, or one that is none, or that does not name the file.
    """
    path = beside(place)
    if not path.is_file():
        raise ValueError(
            f"{path.parent} holds no {MANIFEST}, which would say by which recipe and seed it was "
            "written: give `recipe` (--recipe) and `seed` (--seed)."
        )
    manifest = _manifest.read(path)
    if place.is_file() and place.name not in manifest.files:
        raise ValueError(
            f"{path} does not name {place.name}: give `recipe` (--recipe) and `seed` (--seed)."
        )
    return manifest


def readable_manifest(place: Path) -> Manifest | None:
    """Return the same, or None where there is none that can be read."""
    try:
        return find_manifest(place)
    except (ValueError, OSError):
        return None


def told_shapes(place: Path, recipe: Recipe) -> dict[str, TensorSpec] | None:
    """Return the whole model's shapes, where a manifest of this recipe says what the files do
    not."""
    manifest = readable_manifest(place)
    if manifest is None or manifest.recipe.fingerprint != recipe.fingerprint:
        return None
    return manifest.shapes


def check_files(
    place: Path, manifest: Manifest, files: Iterable[Path], read: Mapping[Path, Checksum]
) -> tuple[FileCheck, ...]:
    """Return a check of each file that the manifest names, and of each that it should name.

    Args:
        place: the folder, or the one file that is checked.
        files: those that the checkpoint's index names.
        read: what has been read of files, so that none is read twice.
    """
    if place.is_file():
        return (_compare(place, manifest.files[place.name], read.get(place)),)
    names = {path.name for path in files}
    checks = [
        _compare(place / name, said, read.get(place / name))
        for name, said in manifest.files.items()
    ]
    for name in sorted(names - manifest.files.keys()):
        checks.append(FileCheck(name, "extra", "the manifest does not name it"))
    return tuple(checks)


def _compare(path: Path, said: FileSum, read: Checksum | None) -> FileCheck:
    if not path.is_file():
        return FileCheck(path.name, "missing", "the manifest names it")
    size = path.stat().st_size
    if size != said.nbytes:
        return FileCheck(path.name, "size", f"{size} bytes, and the manifest says {said.nbytes}")
    crc = None if read is None else read.of(size)
    if crc is None:
        crc = _read(path)
    if crc != said.crc:
        note = f"its CRC-32 is {crc:08x}, and the manifest says {said.crc:08x}"
        return FileCheck(path.name, "checksum", note)
    return FileCheck(path.name, "equal")


def _read(path: Path) -> int:
    crc = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            crc = crc32(chunk, crc)
    return crc
