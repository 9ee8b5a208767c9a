# SPDX-License-Identifier: Apache-2.0
"""What is there of a checkpoint: its tensors, in which files the pieces of each lie, and what is
already known to be wrong before any value is read."""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from glorot.checkpoint import _dcp_item, _dcp_metadata, _files, _header, _layout
from glorot.checkpoint._box import Box
from glorot.checkpoint._dcp import METADATA
from glorot.checkpoint._header import Entry
from glorot.checkpoint._report import TensorCheck
from glorot.recipe import TensorSpec

Metadata = list[tuple[Path, Mapping[str, str]]]


class Piece(NamedTuple):
    """One rectangle of a tensor that lies in one file: `entry` is as it is stored.

    Of a file that ends before the piece, `lacking` bytes are not there; where not even the start of
    the values is known, the piece is `lost`.
    """

    path: Path
    entry: Entry
    box: Box
    lacking: int = 0
    lost: bool = False


class Found(NamedTuple):
    """One tensor, and the pieces that make it up."""

    shape: tuple[int, ...]
    dtype: str
    pieces: tuple[Piece, ...]

    @property
    def nbytes(self) -> int:
        """How many bytes its values take."""
        return Entry(self.shape, self.dtype, 0).nbytes


class Contents(NamedTuple):
    """What a checkpoint holds.

    Attributes:
        files: that hold values, whether they are there or not.
        found: its tensors.
        checks: what is already known to be wrong: tensors that are not there, or elsewhere than the
            index says.
        metadata: what each safetensors file says of itself.
        lost: what is known of tensors that are not there.
        notes: what else is to be said.
    """

    files: list[Path]
    found: dict[str, Found]
    checks: dict[str, TensorCheck]
    metadata: Metadata
    lost: dict[str, TensorSpec]
    notes: tuple[str, ...] = ()


def read(path: Path) -> Contents:
    """Return what the checkpoint at `path` holds: a safetensors file, or a folder of safetensors or
    of torch.distributed.checkpoint.

    Raises:
        ValueError: a malformed header, index, metadata or archive.
        OSError: nothing there, or a file that cannot be read; a big-endian machine.
    """
    _files.check_byte_order()
    if _layout.holds_dcp(path):
        return _of_dcp(path)
    source = _layout.find(path)
    found: dict[str, Found] = {}
    checks: dict[str, TensorCheck] = {}
    metadata: Metadata = []
    for file in source.files:
        if not file.is_file():
            continue  # its tensors are missing, below
        size = file.stat().st_size
        header = _header.read(file)
        if size > header.file_size:
            raise ValueError(f"{file} has {size - header.file_size} bytes more than its header.")
        metadata.append((file, header.metadata))
        for name, entry in header.tensors.items():
            if source.weight_map is not None and source.weight_map.get(name) != file.name:
                note = f"{file.name} holds it, and the index does not say so"
                checks[name] = TensorCheck(name, "extra", note)
            else:
                found[name] = _whole(file, entry, size)
    for name, place in (source.weight_map or {}).items():
        if name not in found:
            checks[name] = TensorCheck(name, "missing", f"the index puts it in {place}")
    return Contents(source.files, found, checks, metadata, {})


def _whole(path: Path, entry: Entry, size: int) -> Found:
    axes = tuple(range(len(entry.shape)))
    lacking = min(entry.nbytes, max(0, entry.offset + entry.nbytes - size))
    piece = Piece(path, entry, Box((0,) * len(axes), entry.shape, axes), lacking)
    return Found(entry.shape, entry.dtype, (piece,))


def _of_dcp(folder: Path) -> Contents:
    said = _dcp_metadata.read(folder / METADATA, places=True)
    by_file: dict[str, list[tuple[str, _dcp_metadata.Place]]] = {}
    for name, places in said.places.items():
        for place in places:
            by_file.setdefault(place.file, []).append((name, place))
    pieces: dict[str, list[Piece]] = {name: [] for name in said.shapes}
    checks: dict[str, TensorCheck] = {}
    for file, rows in sorted(by_file.items()):
        path = folder / file
        if not path.is_file():
            for name, _ in rows:
                checks[name] = TensorCheck(name, "missing", f"{METADATA} puts it in {file}")
            continue
        _refuse_overlaps(path, rows)
        with path.open("rb") as opened:
            size = path.stat().st_size
            for name, place in rows:
                lacking = max(0, place.start + place.length - size)
                if lacking:
                    pieces[name].append(_lost(path, place, said.shapes[name], lacking))
                else:
                    values = _dcp_item.read(opened, path, place.start, place.length)
                    pieces[name].append(_piece(path, place, name, said.shapes[name], values))
    found = {
        name: Found(spec.shape, spec.dtype or "", tuple(pieces[name]))
        for name, spec in said.shapes.items()
        if name not in checks
    }
    lost = {name: spec for name, spec in said.shapes.items() if name in checks}
    return Contents(sorted(folder / f for f in by_file), found, checks, [], lost, said.notes)


def _refuse_overlaps(path: Path, rows: list[tuple[str, _dcp_metadata.Place]]) -> None:
    rows.sort(key=lambda row: (row[1].start, row[1].length))
    for (name, one), (other, two) in itertools.pairwise(rows):
        if one.start + one.length > two.start:
            raise ValueError(
                f"{path.parent / METADATA}: {name!r} and {other!r} lie over one another in "
                f"{path.name}."
            )


def _lost(path: Path, place: _dcp_metadata.Place, spec: TensorSpec, lacking: int) -> Piece:
    entry = Entry(place.shape, spec.dtype or "", place.start)
    box = Box(place.begin, place.shape, tuple(range(len(place.shape))))
    return Piece(path, entry, box, lacking, lost=True)


def _piece(
    path: Path,
    place: _dcp_metadata.Place,
    name: str,
    spec: TensorSpec,
    values: _dcp_item.Values,
) -> Piece:
    if (values.shape, values.dtype) != (place.shape, spec.dtype):
        raise ValueError(
            f"{path} holds a {values.dtype} of shape {list(values.shape)} where {METADATA} says "
            f"that {name!r} is, a {spec.dtype} of shape {list(place.shape)}."
        )
    stored = tuple(values.shape[axis] for axis in values.axes)
    box = Box(place.begin, place.shape, values.axes)
    return Piece(path, Entry(stored, values.dtype, values.offset), box)
