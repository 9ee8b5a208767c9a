# SPDX-License-Identifier: Apache-2.0
"""The Hugging Face config that goes beside weights, so that `from_pretrained` loads the folder."""

import json
import os
from pathlib import Path
from typing import Any

from glorot._dtypes import dtype_name, parse_dtype
from glorot.checkpoint import _files
from glorot.recipe._shapes import load_json
from glorot.sources._transformers import NAME

_DTYPES = ("dtype", "torch_dtype")  # transformers 5, and before
# Of the weights that are not there any more, and of code that is not in the folder.
_LEFT_OUT = ("quantization_config", "auto_map")


def beside(config: str, folder: str, dtype: Any = None, *, force: bool = False) -> str:
    """Put a config beside the weights that were written of it, and return one line that says so, or
    why not; whatever has its name there stays.

    Args:
        config: the path of the config that was read.
        folder: where the weights are.
        dtype: that they were written in, where it is not the config's.
        force: the weights took the place of others, whose config gets the name config.json.old.

    Raises:
        ValueError: a config that is no longer one.
        OSError: a file that cannot be read or written.
    """
    there = Path(folder) / NAME
    content = _content(Path(config), dtype)
    moved = ""
    if os.path.lexists(there):
        if _is(there, config, content):
            return f"{there} is there already"
        if not force or there.is_symlink() or not there.is_file():
            return f"{there} is there already, is not the config that was read, and stays as it is"
        old = there.with_name(f"{NAME}.old")
        with _files.naming(there):
            _files.rename(there, old)
        moved = f"; the one that was there is {old.name} now"
    _write(there, json.dumps(content, indent=2) + "\n")
    return (
        f"{there} is written too, of {config}: from_pretrained({folder!r}) loads the model{moved}"
    )


def _content(path: Path, dtype: Any) -> dict[str, Any]:
    content = load_json(path.read_bytes(), NAME)
    if not isinstance(content, dict):
        raise ValueError(f"{path} is no config of Hugging Face any more.")
    kept = {key: value for key, value in content.items() if key not in _LEFT_OUT}
    if dtype is not None:
        name = dtype_name(parse_dtype(dtype))
        said = [key for key in _DTYPES if key in kept]
        if not name.startswith("float8"):
            kept |= dict.fromkeys(said or _DTYPES[-1:], name)
        elif not any(kept[key] for key in said):  # transformers computes in none of 8 bits
            kept |= dict.fromkeys(said or _DTYPES[-1:], "float32")
    return kept


def _is(there: Path, config: str, content: dict[str, Any]) -> bool:
    """Whether a file is the config that was read, or says the same."""
    try:
        if not there.is_file():
            return False
        return there.samefile(config) or _same(load_json(there.read_bytes(), NAME), content)
    except (OSError, ValueError):
        return False


def _same(one: Any, other: Any) -> bool:
    """Whether two contents are one, NaN for NaN."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _write(path: Path, text: str) -> None:
    hidden = _files.partial_path(path)
    fd = _files.open_partial(path)
    try:
        with _files.naming(path):
            os.ftruncate(fd, 0)
            _files.write_at(fd, text.encode(), 0)
            os.fsync(fd)
    except BaseException:
        hidden.unlink(missing_ok=True)
        raise
    finally:
        os.close(fd)
    try:
        _files.rename(hidden, path)
    except FileNotFoundError:  # of several ranks that ended together another was first
        if not path.is_file():
            raise
