# SPDX-License-Identifier: Apache-2.0
"""The manifest beside the weights: what they are, by which recipe and seed, and their checksums.

    {"format": "glorot-checkpoint", "version": 1, "glorot": "1.0.0", "stream": 1, "seed": 42,
     "fingerprint": "...", "files": {"model.safetensors": {"bytes": 9, "crc32": "00c0ffee"}},
     "recipe": {...}}

Where the files do not say all that the recipe goes by, "shapes" has the whole model's.
It is a function of what was written and the library's version: no time, no machine.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import glorot
from glorot import _check
from glorot._stream import STREAM_VERSION, check_seed
from glorot.recipe import Recipe, TensorSpec, parse_shapes
from glorot.recipe._shapes import load_json, shapes_content

MANIFEST = "glorot.json"
FORMAT = "glorot-checkpoint"
VERSION = 1
_KEYS = ("format", "version", "glorot", "stream", "seed", "fingerprint", "files", "recipe")
_SHAPES = "shapes"
_MOST_BYTES = 100_000_000
_CRC = re.compile(r"[0-9a-f]{8}")


class FileSum(NamedTuple):
    """How many bytes a file has, and their CRC-32."""

    nbytes: int
    crc: int


class Manifest(NamedTuple):
    """What a manifest says."""

    recipe: Recipe
    seed: int
    files: dict[str, FileSum]
    glorot: str  # the version that wrote it
    shapes: dict[str, TensorSpec] | None = None  # of the whole model, where the files lack some

    def text(self) -> bytes:
        """Return the file."""
        files = {
            name: {"bytes": found.nbytes, "crc32": f"{found.crc:08x}"}
            for name, found in sorted(self.files.items())
        }
        content = {
            "format": FORMAT,
            "version": VERSION,
            "glorot": self.glorot,
            "stream": STREAM_VERSION,
            "seed": self.seed,
            "fingerprint": self.recipe.fingerprint_of(self.seed),
            "files": files,
            "recipe": json.loads(self.recipe.to_json()),
        }
        if self.shapes is not None:
            content[_SHAPES] = shapes_content(self.shapes)
        return (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode()

    def says(self, recipe: Recipe, seed: int, sizes: Mapping[str, int]) -> bool:
        """Return whether it is of this recipe and seed, and of files of these sizes."""
        mine = {name: found.nbytes for name, found in self.files.items()}
        same = (self.recipe.fingerprint, self.seed) == (recipe.fingerprint, seed)
        return same and mine == dict(sizes)


def make(
    recipe: Recipe,
    seed: int,
    files: Mapping[str, FileSum],
    shapes: dict[str, TensorSpec] | None = None,
) -> Manifest:
    """Return the manifest of these files as this version of the library writes it."""
    return Manifest(recipe, seed, dict(files), glorot.__version__, shapes)


def read(path: Path) -> Manifest:
    """Return what the manifest at `path` says, which is untrusted.

    Raises:
        ValueError: no manifest, or one that contradicts itself.
        OSError: it cannot be read.
    """
    if path.stat().st_size > _MOST_BYTES:
        raise ValueError(f"{path} is too large for a manifest: {path.stat().st_size} bytes.")
    try:
        return parse(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} cannot be used: {error}") from None


def parse(text: bytes) -> Manifest:
    """Return what a manifest says.

    Raises:
        ValueError: not JSON; another format or version; an unknown or missing key; a file name that
            leaves the folder; a fingerprint that is not that of its recipe and seed.
    """
    content = load_json(text, "the manifest")
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ValueError(f'a manifest must be a JSON object with "format": "{FORMAT}".')
    for key, supported in (("version", VERSION), ("stream", STREAM_VERSION)):
        if type(content.get(key)) is not int or content[key] != supported:
            raise ValueError(
                f"its {key} is {_check.show(content.get(key))}; this version of glorot reads "
                f"{supported} alone."
            )
    lacking = sorted(set(_KEYS) - set(content))
    unknown = sorted(set(content) - {*_KEYS, _SHAPES})
    if lacking or unknown:
        what = f"it lacks {lacking[0]!r}" if lacking else f"it has the unknown key {unknown[0]!r}"
        raise ValueError(f"{what}; a manifest has {', '.join(_KEYS)}.")
    if not isinstance(content["glorot"], str):
        raise ValueError(f"`glorot` must be a version, got {_check.show(content['glorot'])}.")
    try:
        seed = check_seed(content["seed"])
        recipe = Recipe._from(content["recipe"])
        shapes = parse_shapes(content[_SHAPES]) if _SHAPES in content else None
    except TypeError as error:
        raise ValueError(str(error)) from None
    if content["fingerprint"] != recipe.fingerprint_of(seed):
        raise ValueError(
            "it contradicts itself: its fingerprint is not that of its recipe and seed."
        )
    return Manifest(recipe, seed, _parse_files(content["files"]), content["glorot"], shapes)


def _parse_files(content: Any) -> dict[str, FileSum]:
    if not isinstance(content, dict) or not content:
        raise ValueError("`files` must be an object that names at least one file.")
    found = {}
    for name, said in content.items():
        if not name or name in (".", "..") or set(name) & set("/\\:\0"):
            raise ValueError(f"`files` names {_check.show(name)}, which is not in its folder.")
        if not isinstance(said, dict) or set(said) != {"bytes", "crc32"}:
            raise ValueError(f"{_check.show(name)} in `files` must have bytes and crc32 alone.")
        nbytes, crc = said["bytes"], said["crc32"]
        if type(nbytes) is not int or not 0 <= nbytes < 2**63:
            raise ValueError(
                f"{_check.show(name)} in `files` has the size {_check.show(nbytes)}; bytes are "
                "wanted, 0 or more."
            )
        if not isinstance(crc, str) or not _CRC.fullmatch(crc):
            raise ValueError(
                f"{_check.show(name)} in `files` has the crc32 {_check.show(crc)}; eight "
                "hexadecimal digits are wanted."
            )
        found[name] = FileSum(nbytes, int(crc, 16))
    return found
