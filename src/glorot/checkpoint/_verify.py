# SPDX-License-Identifier: Apache-2.0
"""Prove that a checkpoint is, or is not, what a recipe and a seed give."""

import os
import time
from collections.abc import Mapping
from typing import Any

from glorot import _check, _kernel
from glorot._stream import STREAM_VERSION, check_seed
from glorot.checkpoint import _expected, _found
from glorot.checkpoint._arguments import Progress, check_progress, read_recipe, read_shapes
from glorot.checkpoint._blocks import DEFAULT_BLOCK_BYTES
from glorot.checkpoint._checksum import Checksum
from glorot.checkpoint._compare import compare_values
from glorot.checkpoint._dcp import METADATA
from glorot.checkpoint._file_checks import (
    check_files,
    find_manifest,
    readable_manifest,
    told_shapes,
)
from glorot.checkpoint._manifest import MANIFEST
from glorot.checkpoint._report import VerifyReport
from glorot.checkpoint._written import Written, compare_plans, read_written, said_otherwise
from glorot.recipe import Recipe, parse_shapes


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
        path: a .safetensors file, or a folder with model.safetensors or an index, or a directory of
            torch.distributed.checkpoint, by whatever ranks and sharding it was written.
        recipe, seed: as for `write`. What is not given is taken from the manifest, glorot.json in
            the checkpoint's folder; the files' sizes and checksums are then checked too.
        shapes: what the checkpoint should hold, as for `write`. Without it, what the files say
            was written: `write` puts the names, shapes and dtypes of a file's tensors in that
            file, and a fingerprint of all tensors in every one; the index names the tensors of a
            file that is lost; the manifest says what else its recipe goes by. A checkpoint made by
            something else says nothing of it: the report's `note` then says that a missing tensor
            would not show. Of torch's directories
            the metadata says what they hold, but for what optimizers and other entries hold, and a
            key that the whole model is under is left off the names.
        dtype: as for `write`: of all floating tensors, in place of what `shapes` says.
        progress, block_size: as for `write`; memory is bounded by 2 x threads x `block_size`.

    Raises:
        ValueError: a file that is no safetensors file; an index, a manifest, or metadata or an
            archive of torch that is none; no manifest where one is needed; other bad arguments.
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
    if place.name == METADATA and place.is_file():
        place = place.parent
    block_bytes = _check.count("block_size", block_size)
    check_progress(progress)
    if recipe is not None:
        recipe = read_recipe(recipe)
    expected = None if shapes is None else parse_shapes(read_shapes(shapes))
    contents = _found.read(place)
    found, checks = contents.found, contents.checks
    manifest = None
    if recipe is None or seed is None:
        manifest = find_manifest(place)
        recipe = manifest.recipe if recipe is None else recipe
        number = manifest.seed if seed is None else number
    whole, note, source = True, "", "`shapes`"
    if expected is None and not place.is_file():  # what the files do not say themselves
        expected, source = told_shapes(place, recipe), MANIFEST
    if expected is None:
        written = read_written(contents.metadata)
        if contents.lost or not contents.metadata:  # other formats say nothing of themselves
            written = Written({None}, contents.lost)
        whole, note = compare_plans(contents, written, alone=place.is_file())
        assignments = _expected.by_files(recipe, written, dtype, found, checks)
    else:
        assignments = _expected.by_shapes(recipe, expected, dtype, found, checks, source)
    checksums = None if manifest is None else {path: Checksum() for path in contents.files}
    for check in compare_values(assignments, found, number, block_bytes, progress, checksums):
        checks[check.name] = check
    files = check_files(place, manifest, contents.files, checksums or {}) if manifest else ()
    tensors = tuple(checks[name] for name in sorted(checks))
    equal = (
        whole
        and bool(found)
        and all(check.status == "equal" for check in tensors)
        and all(check.status == "equal" for check in files)
    )
    other = ""
    if not equal:
        beside = manifest or readable_manifest(place)
        other = said_otherwise(contents.metadata, beside, recipe.fingerprint, number)
    return VerifyReport(
        path=str(place),
        seed=number,
        recipe=recipe.fingerprint,
        stream=STREAM_VERSION,
        equal=equal,
        parameters=sum(check.count for check in tensors),
        seconds=time.perf_counter() - begin,
        tensors=tensors,
        note="; ".join(filter(None, (note, other, *contents.notes))),
        files=files,
    )
