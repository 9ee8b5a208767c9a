# SPDX-License-Identifier: Apache-2.0
"""Which kind of source a path or name is, and what it says of the model."""

import os
import re
from pathlib import Path
from typing import Any

from glorot import _check
from glorot.checkpoint import _dcp_metadata as _dcp
from glorot.checkpoint import _layout
from glorot.recipe._shapes import load_json
from glorot.sources import _callable, _timm, _transformers
from glorot.sources._models import of_model
from glorot.sources._preset import Choice
from glorot.sources._source import Source

_HUB = re.compile(r"[\w.-]+/[\w.-]+")


def read(source: Any) -> Source:
    """Return the parameters of a model, from whatever says what they are.

    Args:
        source: a path, or a name of one of these forms, or a model itself.

            - a shapes file (`.json`);
            - a checkpoint, of which the headers alone are read: a `.safetensors` file, an index,
              or a folder; a folder of `torch.distributed.checkpoint`, or its `.metadata`;
            - a Hugging Face `config.json`, or a folder that has one and no weights;
            - "timm:resnet50", a model of timm;
            - "package.module:callable": a callable without arguments that returns a model;
            - a torch module, a config of transformers, a Keras model, a flax nnx module, (a linen
              module, its inputs), an Equinox module, or a mapping from names to shapes.

    Raises:
        TypeError: none of these.
        ValueError: malformed; of an unknown type or name; not what its name says.
        ImportError: a framework that this source needs is not installed.
        OSError: a file that is not there, or cannot be read.

    Examples:
        >>> import glorot
        >>> source = glorot.sources.read({"params": {"up": {"kernel": (784, 256)}}})
        >>> source.shapes
        {'params.up.kernel': TensorSpec(shape=(784, 256), dtype=None)}
    """
    if not isinstance(source, (str, os.PathLike)):
        return of_model(source)
    path = _check.path("source", source, needed="the path or name of a source of shapes")
    if isinstance(source, str) and source.startswith(_timm.PREFIX):
        return _timm.read(source.removeprefix(_timm.PREFIX))
    if path.is_dir():
        return _of_folder(path)
    if path.is_file():
        return _of_file(path)
    if isinstance(source, str) and _callable.FORM.fullmatch(source):
        return _callable.read(source)
    if path.exists():
        raise ValueError(f"{path} is neither a file nor a folder. Give the path of one.")
    hub = ""
    if isinstance(source, str) and _HUB.fullmatch(source) and not path.suffix:
        hub = " Nothing is downloaded: give the path of the model's config.json."
    raise FileNotFoundError(f"{path} does not exist.{hub}")


def _of_folder(path: Path) -> Source:
    config = path / _transformers.NAME
    choice = _transformers.choice_of(config) if config.is_file() else Choice("", None, {})
    if _holds_safetensors(path):
        return _with(choice, config, Source(_layout.read_shapes(path), "safetensors"))
    if (path / _dcp.NAME).is_file():
        return _with(choice, config, _of_dcp(path / _dcp.NAME))
    if config.is_file():
        return _of_file(config)
    raise FileNotFoundError(
        f"{path} holds neither {_layout.SINGLE} nor {_layout.INDEX}, nor {_dcp.NAME} of "
        f"torch.distributed.checkpoint, nor {_transformers.NAME}."
    )


def _holds_safetensors(path: Path) -> bool:
    return (path / _layout.INDEX).is_file() or (path / _layout.SINGLE).is_file()


def holds_weights(path: Path) -> bool:
    """Whether a folder is a checkpoint, whose headers say the shapes whatever else is there."""
    return _holds_safetensors(path) or (path / _dcp.NAME).is_file()


def _of_file(path: Path) -> Source:
    if path.name == _dcp.NAME:
        return _of_dcp(path)
    if path.name == _layout.INDEX:
        return Source(_layout.read_shapes(path.parent), "safetensors")
    if path.suffix != ".json" or path.name.endswith(".index.json"):
        return Source(_layout.read_shapes(path), "safetensors")
    content = load_json_file(path)
    if _transformers.is_config(content):
        return _transformers.read(path, content)
    if path.name == _transformers.NAME:
        raise ValueError(
            f"{path} is no config of Hugging Face: it must be a JSON object with `model_type`."
        )
    return Source(_layout.read_shapes(path), "shapes file")


def load_json_file(path: Path) -> Any:
    """Return the JSON of a file.

    Raises:
        ValueError: not JSON.
    """
    try:
        return load_json(path.read_bytes(), "the file")
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _of_dcp(path: Path) -> Source:
    found = _dcp.read(path)
    return Source(found.shapes, "DCP metadata", notes=found.notes)


def _with(choice: Choice, config: Path, source: Source) -> Source:
    return Source(
        source.shapes, source.kind, choice.model, choice.preset, choice.variables,
        notes=(*source.notes, *choice.notes), config=str(config) if choice.model else "",
    )  # fmt: skip
