# SPDX-License-Identifier: Apache-2.0
"""What safetensors files say was written, so that a tensor which is lost shows."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from glorot._words import counted
from glorot.checkpoint import _layout
from glorot.checkpoint._found import Contents, Metadata
from glorot.checkpoint._manifest import Manifest
from glorot.recipe import TensorSpec, shapes_from_json

_FINGERPRINT = re.compile(r"[0-9a-f]{32}")
_SEED = re.compile(r"[0-9]{1,20}")


class Written(NamedTuple):
    """What the files say was written.

    Attributes:
        plans: of the whole checkpoint, its fingerprint and number of tensors, as each file says;
            None of a file of another program.
        shapes: of the files' own tensors.
    """

    plans: set[tuple[str, str] | None]
    shapes: dict[str, TensorSpec]


def read_written(files: Metadata) -> Written:
    """Return what the metadata of safetensors files says.

    Raises:
        ValueError: shapes that are none.
    """
    said = Written(set(), {})
    keys = "glorot.plan", "glorot.tensors", _layout.SHAPES_KEY
    for path, metadata in files:
        if not metadata.keys() >= {*keys}:
            said.plans.add(None)
            continue
        plan, number, shapes = (metadata[key] for key in keys)
        said.plans.add((plan, number))
        try:
            said.shapes.update(shapes_from_json(shapes))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"{path}, {_layout.SHAPES_KEY} of its metadata: {error} Give `shapes` (--shapes)."
            ) from None
    return said


def said_otherwise(files: Metadata, manifest: Manifest | None, recipe: str, seed: int) -> str:
    """Return what the files, or else their manifest, say of another recipe or seed than these, of
    which the recipe is given by its fingerprint; "" where they say the same, or nothing."""
    said = [(m.get("glorot.recipe", ""), m.get("glorot.seed", "")) for _, m in files]
    if manifest is not None and not files:
        said = [(manifest.recipe.fingerprint, str(manifest.seed))]
    for other, number in said:
        if not (_FINGERPRINT.fullmatch(other) and _SEED.fullmatch(number)):
            continue  # of another program, or no truth
        differs = [f"seed {number}, not {seed}"] if number != str(seed) else []
        differs += [f"recipe {other[:8]}, not {recipe[:8]}"] if other != recipe else []
        if differs:
            return f"it says that it was written with {', and '.join(differs)}"
    return ""


def compare_plans(contents: Contents, written: Written, *, alone: bool) -> tuple[bool, str]:
    """Return whether the tensors there may be all that were written, and what is to be said."""
    found, checks = contents.found, contents.checks
    if not found:
        return False, "it holds no tensors"
    if written.plans == {None}:
        return True, (
            f"checked only the {counted(len(found), 'tensor')} there; "
            "give --shapes to check that none is missing"
        )
    there = {name: TensorSpec(f.shape, f.dtype) for name, f in found.items()}
    recorded = {name: TensorSpec(s.shape, s.dtype) for name, s in written.shapes.items()}
    if _is_plan(written.plans, there):
        return True, ""
    if None in written.plans:
        return False, (
            "some of its files say what was written and others, of another program, do not; give "
            "--shapes to check all tensors"
        )
    number = ", ".join(sorted({plan[1] for plan in written.plans if plan is not None}))
    if alone and there == recorded and len(written.plans) == 1:
        return True, (
            f"this file is one of several and holds {len(found)} of the {number} tensors that "
            "were written; give the folder to check them all"
        )
    note = f"the {len(found)} tensors there are not the {number} that were written"
    named = written.shapes.keys() | checks.keys()
    if not _is_plan(written.plans, written.shapes) and str(len(named)) != number:
        note += ", and nothing there names all of those; give --shapes to see which are missing"
    return False, note


def _is_plan(plans: set[tuple[str, str] | None], specs: Mapping[str, TensorSpec]) -> bool:
    have = _layout.plan_metadata(specs)
    return plans == {(have["glorot.plan"], have["glorot.tensors"])}
