# SPDX-License-Identifier: Apache-2.0
"""A source is read in a process of its own where reading it runs other people's code: what
frameworks take of memory ends with that process, and does not stand beside the writer's."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from glorot import _check
from glorot.checkpoint._layout import shapes_text
from glorot.recipe import shapes_from_json
from glorot.sources import _callable, _resolve, _timm, _transformers
from glorot.sources._source import Source

_FRAMEWORKS = ("torch", "jax", "keras")


def read(source: str) -> Source:
    """Return what `glorot.sources.read` returns of a path or name.

    Where a framework is loaded already, nothing is to be had by another process.

    Raises:
        ValueError: what the other process refused, or how it ended; else as `glorot.sources.read`.
    """
    if any(name in sys.modules for name in _FRAMEWORKS) or not runs_code(source):
        return _resolve.read(source)
    done = subprocess.run(
        [sys.executable, "-m", "glorot.sources", source], stdout=subprocess.PIPE, check=False
    )
    try:
        found = json.loads(done.stdout)
    except ValueError:
        raise ValueError(
            f"{source}: the process that read it ended with exit code {done.returncode}."
        ) from None
    if "error" in found:
        raise ValueError(found["error"])
    return from_json(found)


def runs_code(source: str) -> bool:
    """Whether reading this path or name runs code of frameworks, or the user's.

    Examples:
        >>> runs_code("timm:resnet18"), runs_code("mymodel:build"), runs_code("no/shapes.json")
        (True, True, False)
    """
    path = _check.path("source", source, needed="the path or name of a source of shapes")
    if source.startswith(_timm.PREFIX):
        return True
    if path.is_dir():
        return not _resolve.holds_weights(path) and _is_config(path / _transformers.NAME)
    if path.is_file():
        return _is_config(path)
    return _callable.FORM.fullmatch(source) is not None


def _is_config(path: Path) -> bool:
    if path.suffix != ".json" or path.name.endswith(".index.json") or not path.is_file():
        return False
    return _transformers.is_config(_resolve.load_json_file(path))


def as_json(source: Source) -> dict[str, Any]:
    """Return a source as JSON can hold it."""
    return {"shapes": json.loads(shapes_text(source.shapes)), **source.as_dict()}


def from_json(content: dict[str, Any]) -> Source:
    """Return the source that `as_json` wrote."""
    shapes = shapes_from_json(json.dumps(content["shapes"]))
    return Source(**{**content, "shapes": shapes, "notes": tuple(content["notes"])})
