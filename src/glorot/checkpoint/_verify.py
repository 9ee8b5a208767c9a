# SPDX-License-Identifier: Apache-2.0
"""Prove that a checkpoint is, or is not, what a recipe and a seed give."""

import dataclasses
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from glorot import _check, _kernel
from glorot._dtypes import ALL
from glorot._stream import STREAM_VERSION, check_seed
from glorot.checkpoint import _files, _header, _layout
from glorot.checkpoint._arguments import Progress, check_progress, read_recipe, read_shapes
from glorot.checkpoint._blocks import (
    DEFAULT_BLOCK_BYTES,
    Array,
    Block,
    Buffers,
    blocks,
    compute,
    on_threads,
)
from glorot.checkpoint._checksum import Checksum
from glorot.checkpoint._file_checks import check_files, find_manifest
from glorot.checkpoint._header import Entry
from glorot.checkpoint._report import TensorCheck, VerifyReport
from glorot.recipe import Assignment, Recipe, TensorSpec, parse_shapes, shapes_from_json


def verify(
    path: str | os.PathLike[str],
    recipe: Recipe | str | os.PathLike[str] | None = None,
    seed: int | None = None,
    *,
    shapes: Mapping[str, Any] | str | os.PathLike[str] | None = None,
    dtype: Any = None,
    progress: Progress | None = None,
    block_size: int = DEFAULT_BLOCK_BYTES,
) -> VerifyReport:
    """Compute every value of a checkpoint again, compare every byte, and return what differs.

    Args:
        path: a .safetensors file, or a folder with model.safetensors or an index.
        recipe, seed: as for `write`. What is not given is taken from the manifest, glorot.json in
            the checkpoint's folder; the files' sizes and checksums are then checked too.
        shapes: what the checkpoint should hold, as for `write`. Without it, what the files say
            was written: `write` puts the names, shapes and dtypes of a file's tensors in that
            file, and a fingerprint of all tensors in every one; the index names the tensors of a
            file that is lost. A checkpoint made by something else says nothing of it: the
            report's `note` then says that a missing tensor would not show.
        dtype: as for `write`: of all floating tensors, in place of what `shapes` says.
        progress, block_size: as for `write`; memory is bounded by 2 x threads x `block_size`.

    Raises:
        ValueError: a file that is no safetensors file, an index or a manifest that is none, no
            manifest where one is needed, other bad arguments.
        OSError: nothing there, or a file that cannot be read.

    Examples:
        >>> import glorot, tempfile
        >>> recipe = glorot.Recipe([glorot.Rule("*", "he_normal")])
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = glorot.checkpoint.write({"w": (4, 3)}, recipe, folder, seed=42)
        ...     report = glorot.checkpoint.verify(folder, recipe, 43)
        >>> report.equal, report.problems[0].status, report.problems[0].index
        (False, 'trained', (0, 0))
    """
    begin = time.perf_counter()
    _kernel.check_environment()
    if seed is not None:
        number = check_seed(seed)
    place = _check.path("path", path)
    block_bytes = _check.count("block_size", block_size)
    check_progress(progress)
    if recipe is not None:
        recipe = read_recipe(recipe)
    expected = None if shapes is None else parse_shapes(read_shapes(shapes))
    source = _layout.find(place)
    manifest = None
    if recipe is None or seed is None:
        manifest = find_manifest(place)
        recipe = manifest.recipe if recipe is None else recipe
        number = manifest.seed if seed is None else number
    found, checks, metadata = _read(source)
    whole, note = True, ""
    if expected is None:
        records = _read_records(metadata)
        whole, note = _compare_fingerprints(found, checks, records, alone=place.is_file())
        assignments = _plan_of_files(recipe, records, dtype, found, checks)
    else:
        assignments = _plan_of_shapes(recipe, expected, dtype, found, checks)
    checksums = None if manifest is None else {path: Checksum() for path in source.files}
    _compare_values(assignments, found, checks, number, block_bytes, progress, checksums)
    files = check_files(place, manifest, source.files, checksums or {}) if manifest else ()
    tensors = tuple(checks[name] for name in sorted(checks))
    return VerifyReport(
        path=str(place),
        seed=number,
        recipe=recipe.fingerprint,
        stream=STREAM_VERSION,
        equal=whole
        and bool(found)
        and all(check.status == "equal" for check in tensors)
        and all(check.status == "equal" for check in files),
        parameters=sum(check.count for check in tensors),
        seconds=time.perf_counter() - begin,
        tensors=tensors,
        note=note,
        files=files,
    )


class _Found(NamedTuple):
    path: Path
    entry: Entry
    file_size: int


class _Records(NamedTuple):
    """What the files say was written."""

    # Of the whole checkpoint, its fingerprint and number of tensors; None from other programs.
    plans: set[tuple[str, str] | None]
    shapes: dict[str, TensorSpec]  # of their own tensors


_Metadata = list[tuple[Path, Mapping[str, str]]]


def _read(source: _layout.Source) -> tuple[dict[str, _Found], dict[str, TensorCheck], _Metadata]:
    """The tensors of all files, what is already known to be wrong (files that are not there,
    tensors in another file than the index says), and each file's metadata."""
    found: dict[str, _Found] = {}
    checks: dict[str, TensorCheck] = {}
    metadata: _Metadata = []
    for path in source.files:
        if not path.is_file():
            continue  # its tensors are missing, below
        size = path.stat().st_size
        header = _header.read(path)
        if size > header.file_size:
            raise ValueError(f"{path} has {size - header.file_size} bytes more than its header.")
        metadata.append((path, header.metadata))
        for name, entry in header.tensors.items():
            if source.weight_map is not None and source.weight_map.get(name) != path.name:
                note = f"{path.name} holds it, and the index does not say so"
                checks[name] = TensorCheck(name, "extra", note)
            else:
                found[name] = _Found(path, entry, size)
    for name, file in (source.weight_map or {}).items():
        if name not in found:
            checks[name] = TensorCheck(name, "missing", f"the index puts it in {file}")
    return found, checks, metadata


def _read_records(files: _Metadata) -> _Records:
    records = _Records(set(), {})
    keys = "glorot.plan", "glorot.tensors", _layout.SHAPES_KEY
    for path, metadata in files:
        if not metadata.keys() >= {*keys}:
            records.plans.add(None)
            continue
        plan, number, shapes = (metadata[key] for key in keys)
        records.plans.add((plan, number))
        try:
            records.shapes.update(shapes_from_json(shapes))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{path}, {_layout.SHAPES_KEY} of its metadata: {error} Give `shapes` (--shapes)."
            ) from None
    return records


def _compare_fingerprints(
    found: dict[str, _Found], checks: dict[str, TensorCheck], records: _Records, *, alone: bool
) -> tuple[bool, str]:
    """Whether the tensors there may be all that were written, and what is to be said of it."""
    if not found:
        return False, "it holds no tensors"
    if records.plans == {None}:
        return True, (
            f"checked only the {len(found)} tensors there; give --shapes to check that none is "
            "missing"
        )
    there = {name: TensorSpec(f.entry.shape, f.entry.dtype) for name, f in found.items()}
    recorded = {name: TensorSpec(s.shape, s.dtype) for name, s in records.shapes.items()}
    if _is_plan(records.plans, there):
        return True, ""
    written = ", ".join(sorted({plan[1] for plan in records.plans if plan is not None}))
    if alone and there == recorded and len(records.plans) == 1:
        return True, (
            f"this file is one of several and holds {len(found)} of the {written} tensors that "
            "were written; give the folder to check them all"
        )
    note = f"the {len(found)} tensors there are not the {written} that were written"
    named = records.shapes.keys() | checks.keys()
    if not _is_plan(records.plans, records.shapes) and str(len(named)) != written:
        note += ", and nothing there names all of those; give --shapes to see which are missing"
    return False, note


def _is_plan(plans: set[tuple[str, str] | None], specs: Mapping[str, TensorSpec]) -> bool:
    have = _layout.plan_metadata(specs)
    return plans == {(have["glorot.plan"], have["glorot.tensors"])}


def _plan_of_shapes(
    recipe: Recipe,
    expected: dict[str, TensorSpec],
    dtype: Any,
    found: dict[str, _Found],
    checks: dict[str, TensorCheck],
) -> dict[str, Assignment]:
    """What each tensor that can be compared should be by the shapes given; `checks` gets the rest.

    A recipe that does not fit them is an error.
    """
    resolved = {a.name: a for a in recipe.resolve(expected, dtype=dtype)}
    for name in found.keys() - resolved.keys():
        note = "the recipe leaves it out" if name in expected else "`shapes` does not name it"
        checks[name] = TensorCheck(name, "extra", note)
    for name in resolved.keys() - found.keys() - checks.keys():
        checks[name] = TensorCheck(name, "missing", "`shapes` names it")
    return _comparable(resolved, expected, dtype, found, checks)


def _plan_of_files(
    recipe: Recipe,
    records: _Records,
    dtype: Any,
    found: dict[str, _Found],
    checks: dict[str, TensorCheck],
) -> dict[str, Assignment]:
    """The same by what the files say was written or, where they say nothing, by what they hold.

    A recipe that does not fit them is one more thing to report.
    """
    specs = {name: TensorSpec(f.entry.shape, f.entry.dtype) for name, f in found.items()}
    for name in records.shapes.keys() - found.keys() - checks.keys():
        checks[name] = TensorCheck(name, "missing", "the file says that it was written")
    if None not in records.plans:
        for name in found.keys() - records.shapes.keys():
            checks[name] = TensorCheck(name, "extra", "the file does not say that it was written")
    specs |= {name: spec for name, spec in records.shapes.items() if name in found}
    # Depth scaling counts the layers of all names, those that are lost among them.
    known = {**records.shapes, **specs}
    everything: dict[str, TensorSpec | None] = {name: known.get(name) for name in (*specs, *checks)}
    matches = recipe._match(everything, dtype)
    for rule in matches.idle:
        note = "the rule with this pattern finds no tensor"
        checks[rule.pattern] = TensorCheck(rule.pattern, "missing", note)
    for name in found:
        if name not in matches.rules:
            checks[name] = TensorCheck(name, "extra", "no rule matches it")
        elif matches.rules[name].initializer is None:
            checks[name] = TensorCheck(name, "extra", "the recipe leaves it out")
    specs = {name: spec for name, spec in specs.items() if name not in checks}
    try:
        resolved = {a.name: a for a in recipe._assign(specs, matches.rules, dtype, known)}
    except ValueError as error:
        if everything.keys() <= known.keys():
            raise
        raise ValueError(f"{error} Of lost tensors the shapes are wanted: --shapes.") from None
    return _comparable(resolved, specs, dtype, found, checks)


def _comparable(
    resolved: dict[str, Assignment],
    specs: Mapping[str, TensorSpec],
    dtype: Any,
    found: dict[str, _Found],
    checks: dict[str, TensorCheck],
) -> dict[str, Assignment]:
    """The tensors that have the shape and dtype they should; the others are noted."""
    comparable = {}
    for name, assignment in resolved.items():
        if name not in found:
            continue
        entry = found[name].entry
        stated = specs[name].dtype if dtype is None else assignment.dtype
        if entry.shape != assignment.shape:
            note = f"shape {entry.shape}, not {assignment.shape}"
            checks[name] = TensorCheck(name, "shape", note)
        elif stated is not None and entry.dtype != stated:
            note = f"dtype {entry.dtype}, not {stated}"
            checks[name] = TensorCheck(name, "dtype", note)
        else:
            comparable[name] = assignment
    return comparable


def _compare_values(
    assignments: dict[str, Assignment],
    found: dict[str, _Found],
    checks: dict[str, TensorCheck],
    seed: int,
    block_bytes: int,
    progress: Progress | None,
    checksums: dict[Path, Checksum] | None,
) -> None:
    threads = _kernel.allowed_threads()
    total = sum(found[name].entry.nbytes for name in assignments)
    largest = max((found[name].entry.nbytes for name in assignments), default=0)
    buffers = Buffers(threads, min(block_bytes, largest), 2)
    done = 0

    def count(nbytes: int) -> None:
        nonlocal done
        done += nbytes
        if progress is not None:
            progress(done, total)

    by_file: dict[Path, list[str]] = {}
    for name in assignments:
        by_file.setdefault(found[name].path, []).append(name)
    for path, names in by_file.items():
        tallies = {name: _Tally() for name in names}
        jobs = (
            block
            for name in names
            for block in blocks(_as_found(assignments[name], found), found[name].entry, block_bytes)
        )
        fd = os.open(path, _files.READ)
        checksum = None if checksums is None else checksums[path]
        try:
            if checksum is not None:
                start = bytearray(min(found[name].entry.offset for name in names))
                checksum.add(0, memoryview(start)[: _files.read_at(fd, start, 0)])

            def work(
                block: Block,
                fd: int = fd,
                tallies: dict[str, _Tally] = tallies,
                checksum: Checksum | None = checksum,
            ) -> None:
                def compare(expected: Array, there: Array) -> tuple[int, _First | None]:
                    differing, first, data = _difference(fd, block, seed, expected, there)
                    if checksum is not None:
                        checksum.add(block.offset, data)
                    return differing, first

                differing, first = buffers.run(block, compare)
                tallies[block.assignment.name].add(differing, first)

            on_threads(jobs, work, threads, count)
        finally:
            os.close(fd)
        for name in names:
            checks[name] = tallies[name].check(name, found[name])


def _as_found(assignment: Assignment, found: dict[str, _Found]) -> Assignment:
    """The assignment with the dtype that is there, where nothing says which it should be."""
    return dataclasses.replace(assignment, dtype=found[assignment.name].entry.dtype)


class _First(NamedTuple):
    at: int  # the place in the flattened tensor
    expected: float
    found: float


def _difference(
    fd: int, block: Block, seed: int, expected: Array, there: Array
) -> tuple[int, _First | None, Array]:
    """(how many elements of the block differ, the first, the bytes there), by their bytes."""
    data = there.view(np.uint8)
    read = _files.read_at(fd, data, block.offset)
    have = read // there.itemsize
    compute(block, seed, expected)
    if np.array_equal(data, expected.view(np.uint8)):
        return (len(there) - have), None, data[:read]
    bits = np.dtype(f"u{there.itemsize}")
    unequal = there[:have].view(bits) != expected[:have].view(bits)
    count = int(np.count_nonzero(unequal))
    if not count:
        return len(there) - have, None, data[:read]
    at = int(unequal.argmax())
    first = _First(block.start + at, float(expected[at]), float(there[at]))
    return count + len(there) - have, first, data[:read]


class _Tally:
    """What the blocks of one tensor add up to."""

    def __init__(self) -> None:
        self.differing = 0
        self.first: _First | None = None
        self._lock = threading.Lock()

    def add(self, differing: int, first: _First | None) -> None:
        """Count one block."""
        with self._lock:
            self.differing += differing
            if first is not None and (self.first is None or first.at < self.first.at):
                self.first = first

    def check(self, name: str, found: _Found) -> TensorCheck:
        """Return the verdict on the tensor."""
        entry = found.entry
        size = ALL[entry.dtype].itemsize
        count = entry.nbytes // size
        lacking = min(entry.nbytes, max(0, entry.offset + entry.nbytes - found.file_size))
        if not self.differing and not lacking:
            return TensorCheck(name, "equal", count=count)
        index = values = None
        note = f"{self.differing} of {count} elements differ"
        if self.first is not None:
            index = tuple(int(i) for i in np.unravel_index(self.first.at, entry.shape))
            values = self.first.expected, self.first.found
            note += f"; first at {list(index)}: {values[0]:.9g} expected, {values[1]:.9g} found"
        status = "trained" if self.differing > count / 2 else "differs"
        if lacking:
            status, note = "truncated", f"the file lacks its last {lacking} bytes; {note}"
        return TensorCheck(name, status, note, count, self.differing, index, *(values or ()))
