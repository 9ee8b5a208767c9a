# SPDX-License-Identifier: Apache-2.0
"""The Hugging Face config that goes beside weights, so that `from_pretrained` loads the folder."""

import json
from pathlib import Path
from typing import Any

from glorot._dtypes import dtype_name, parse_dtype
from glorot.checkpoint import _files
from glorot.recipe._shapes import load_json
from glorot.sources._transformers import NAME

_DTYPES = ("dtype", "torch_dtype")  # transformers 5, and before
# Of the weights that are not there any more, and of code that is not in the folder.
_LEFT_OUT = ("quantization_config", "auto_map")


def beside(config: str, folder: str, dtype: Any = None) -> str:
    """Put a config beside the weights that were written of it, and return one line that says so, or
    why not; a config that is there stays.

    Args:
        config: the path of the config that was read.
        folder: where the weights are.
        dtype: that they were written in, where it is not the config's.

    Raises:
        OSError: a file that cannot be read or written.
    """
    there = Path(folder) / NAME
    text = _text(Path(config), dtype)
    if there.exists():
        if there.read_text(encoding="utf-8") == text or there.samefile(config):
            return f"{there} is there already"
        return f"{there} is there already, is not the config that was read, and stays as it is"
    hidden = _files.partial_path(there)
    try:
        hidden.write_text(text, encoding="utf-8")
        _files.rename(hidden, there)
    finally:
        hidden.unlink(missing_ok=True)
    return f"{there} is written too, of {config}: from_pretrained({folder!r}) loads the model"


def _text(path: Path, dtype: Any) -> str:
    content = load_json(path.read_bytes(), NAME)
    kept = {key: value for key, value in content.items() if key not in _LEFT_OUT}
    if dtype is not None:
        said = [key for key in _DTYPES if key in kept] or [_DTYPES[-1]]
        kept |= dict.fromkeys(said, dtype_name(parse_dtype(dtype)))
    return json.dumps(kept, indent=2) + "\n"
