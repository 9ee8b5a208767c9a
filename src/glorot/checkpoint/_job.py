# SPDX-License-Identifier: Apache-2.0
"""What is to be written: a recipe's values for a model's shapes, spread over files."""

import hashlib
import json
import math
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from glorot import _check
from glorot._stream import STREAM_VERSION, check_seed
from glorot.checkpoint import _dcp, _layout
from glorot.checkpoint._arguments import read_recipe, read_shapes
from glorot.checkpoint._dcp import METADATA
from glorot.checkpoint._layout import File
from glorot.recipe import Assignment, Recipe, TensorSpec, parse_shapes

FORMATS = ("safetensors", "dcp")


class Job(NamedTuple):
    """The whole of a checkpoint before its first byte; equal jobs write equal bytes.

    Attributes:
        shapes: of the whole model, where the files do not say all that the recipe goes by: what it
            leaves out, which formulas may count, and of torch's files what layers are.
    """

    recipe: Recipe
    seed: int
    assignments: dict[str, Assignment]
    files: list[File]
    format: str = "safetensors"
    shapes: dict[str, TensorSpec] | None = None

    @property
    def parameters(self) -> int:
        """How many elements there are."""
        return sum(math.prod(a.shape) for a in self.assignments.values())

    @property
    def identity(self) -> dict[str, Any]:
        """What processes that write one checkpoint together agree on."""
        names = {a.name: (a.shape, a.dtype, a.spec.extras()) for a in self.assignments.values()}
        left = [(name, spec.shape, spec.dtype) for name, spec in (self.shapes or {}).items()]
        return {
            "recipe": self.recipe.fingerprint,
            "seed": self.seed,
            "stream": STREAM_VERSION,
            "plan": _digest([sorted(names.items()), sorted(left)]),
            "format": self.format,
            "files": _digest([(f.name, list(f.tensors)) for f in self.files]),
        }

    @property
    def texts(self) -> dict[str, bytes]:
        """The files beside the data and before the manifest: torch's metadata, or the index where
        there is one."""
        if self.format == "dcp":
            return {METADATA: _dcp.metadata({f.name: f.items or {} for f in self.files})}
        return {_layout.INDEX: _layout.index_text(self.files)} if len(self.files) > 1 else {}

    @property
    def sizes(self) -> dict[str, int]:
        """How many bytes each file has that the manifest names."""
        data = {file.name: file.size for file in self.files}
        return data | {name: len(text) for name, text in self.texts.items()}

    @property
    def nbytes(self) -> int:
        """The size of the data files together."""
        return sum(file.size for file in self.files)


def _check_encodes(recipe: Recipe) -> None:
    """Refuse, before anything is written, a recipe that the manifest could not hold."""
    try:
        recipe.to_json().encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            "the recipe must be encodable as UTF-8, and holds a lone surrogate, "
            f"{error.object[error.start]!r}."
        ) from None


def make_job(
    shapes: Mapping[str, Any] | str | os.PathLike[str],
    recipe: Recipe | str | os.PathLike[str],
    seed: int,
    dtype: Any = None,
    max_shard_size: int | str | None = None,
    format: str = "safetensors",
) -> Job:
    """Return what these arguments of `write` ask for.

    Raises:
        ValueError, TypeError, OSError: arguments or recipe that do not fit.
    """
    number = check_seed(seed)
    if _check.choice("format", format, FORMATS) == "dcp":
        _dcp.check_torch()
    limit = _layout.parse_size(max_shard_size)
    loaded = read_recipe(recipe)
    _check_encodes(loaded)
    given = parse_shapes(read_shapes(shapes))
    assignments = {a.name: a for a in loaded.resolve(given, dtype=dtype)}
    specs = {
        name: TensorSpec(a.shape, a.dtype, **a.spec.extras()) for name, a in assignments.items()
    }
    if format == "dcp":
        files = _layout.plan_dcp(specs, limit)
    else:
        said = metadata(loaded, number) | _layout.plan_metadata(specs)
        files = _layout.plan(specs, said, limit)
    told = format == "dcp" and any(spec.extras() for spec in specs.values())
    whole = {**given, **specs} if told or given.keys() != specs.keys() else None
    return Job(loaded, number, assignments, files, format, whole)


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def metadata(recipe: Recipe, seed: int) -> dict[str, str]:
    """Return what the header says of where the values come from; "pt" is what transformers asks."""
    return {
        "format": "pt",
        "glorot.recipe": recipe.fingerprint,
        "glorot.seed": str(seed),
        "glorot.stream": str(STREAM_VERSION),
    }
