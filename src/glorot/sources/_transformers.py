# SPDX-License-Identifier: Apache-2.0
"""A Hugging Face `config.json`: the model that transformers builds of it, without memory.

The config is data.  Its class and the model's are transformers' own; code that a config names
(`auto_map`) is never run, and nothing is downloaded.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from glorot import _check
from glorot.recipe._shapes import load_json
from glorot.sources._frameworks import broken, building, meta, require, said
from glorot.sources._preset import Choice, choose
from glorot.sources._source import Source
from glorot.sources._torch import of_module

NAME = "config.json"
KIND = "transformers config"
# Which head a model has that nobody names: the first of these that its type has.  An encoder with
# its decoder comes before the decoder alone, and images with text before the text alone.
_HEADS = (
    "AutoModelForPreTraining",
    "AutoModelForSeq2SeqLM",
    "AutoModelForSpeechSeq2Seq",
    "AutoModelForImageTextToText",
    "AutoModelForCausalLM",
    "AutoModelForMaskedLM",
    "AutoModelForZeroShotImageClassification",
    "AutoModelForImageClassification",
    "AutoModel",
)


def is_config(content: Any) -> bool:
    """Whether JSON is the config of a Hugging Face model, and no shapes file.

    Examples:
        >>> is_config({"model_type": "llama"}), is_config({"model_type": {"shape": [2]}})
        (True, False)
    """
    if not isinstance(content, dict):
        return False
    return isinstance(content.get("model_type"), str) or bool(_architectures(content))


def choice_of(path: Path) -> Choice:
    """Return the preset for the model of a config; none where the config says nothing of use."""
    try:
        content = load_json(path.read_bytes(), NAME)
    except (OSError, ValueError):
        return Choice("", None, {})
    model = content.get("model_type") if isinstance(content, dict) else None
    return choose(model, content) if isinstance(model, str) and model else Choice("", None, {})


def read(path: Path, content: dict[str, Any]) -> Source:
    """Return the parameters of the model that a config describes.

    The class is the first of `architectures` or, where there is none, the one of `_HEADS`.

    Raises:
        ImportError: transformers or torch is not installed.
        ValueError: a type or class that transformers does not have; a config that it refuses.
    """
    return dataclasses.replace(_of_content(content, str(path)), config=str(path))


def of_config(config: Any) -> Source:
    """Return the parameters of the model that a config of transformers, the object, describes.

    Raises:
        ImportError, ValueError: as `read`.
    """
    return _of_content(config.to_dict(), type(config).__name__)


def builder(path: Path) -> Callable[[], Any]:
    """Return a function that builds the model of a config, on torch's device of the moment.

    Raises:
        ImportError, ValueError: as `read`.
    """
    with _told(str(path)):
        content = load_json(path.read_bytes(), NAME)
        cls, config, _ = _found(content)
    return lambda: _built(cls, config)


def _of_content(content: dict[str, Any], called: str) -> Source:
    with _told(called):
        cls, config, note = _found(content)
        try:
            with building(), meta():
                module = _built(cls, config)
        except Exception as error:
            raise ValueError(
                f"transformers cannot build {cls.__name__} of it ({said(error)})."
            ) from None
        return of_module(module, KIND, notes=(note,) if note else ())


def _found(content: dict[str, Any]) -> tuple[Any, Any, str]:
    """The model's class, its config, and what is to be said of the choice."""
    require("torch", KIND, "transformers")
    transformers = require("transformers", KIND)
    config = _config(transformers, content)
    cls, note = _class(transformers, config, content)
    if not isinstance(config, cls.config_class):
        config = config.get_text_config()
    if not isinstance(config, cls.config_class):
        raise ValueError(
            f"{cls.__name__}, which `architectures` names, is no model of the type "
            f"{content.get('model_type')!r}."
        )
    return cls, config, note


def _built(cls: Any, config: Any) -> Any:
    # Other kernels for attention may be missing here, or be fetched from the hub.
    return cls._from_config(config, attn_implementation="eager")


@contextlib.contextmanager
def _told(called: str) -> Iterator[None]:
    """Errors that say which config they are of."""
    try:
        yield
    except ImportError as error:  # classes are imported when they are first asked for
        raise broken("transformers", KIND, error.__cause__ or error) from None
    except (ValueError, TypeError) as error:
        raise type(error)(f"{called}: {error}") from None


def _architectures(content: dict[str, Any]) -> list[str]:
    found = content.get("architectures")
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def _config(transformers: Any, content: dict[str, Any]) -> Any:
    """The config as an object of transformers' class for its type."""
    known = transformers.CONFIG_MAPPING
    model_type = content.get("model_type")
    if not isinstance(model_type, str):  # configs of old had none
        names = _architectures(content)
        cls = next((_model_class(transformers, n) for n in names), None)
        if cls is None:
            raise ValueError(
                f"it has no `model_type`, and transformers {transformers.__version__} has no "
                f"model called {' or '.join(map(repr, names))}."
            )
        made = cls.config_class
    elif model_type not in known:
        elsewhere = " It names code of its own (`auto_map`), which is never run." * (
            "auto_map" in content
        )
        raise ValueError(
            f"transformers {transformers.__version__} has no model type {model_type!r}."
            f"{elsewhere} {_near(model_type, list(known))}A shapes file can be given in its place."
        )
    else:
        made = known[model_type]
    # What the model is of counts, not how its weights were packed or where a part came from.
    wanted = {
        key: _special_floats(value)
        for key, value in content.items()
        if key not in ("auto_map", "quantization_config")
    }
    if "use_pretrained_backbone" in wanted:
        wanted["use_pretrained_backbone"] = False
    try:
        with building():
            return made.from_dict(wanted)
    except Exception as error:
        raise ValueError(f"transformers refuses it ({said(error)}).") from None


def _special_floats(value: Any) -> Any:
    """A config's value with the floats that transformers 5 writes as {"__float__": "Infinity"}."""
    if isinstance(value, list):
        return [_special_floats(item) for item in value]
    if not isinstance(value, dict):
        return value
    if list(value) == ["__float__"] and value["__float__"] in ("Infinity", "-Infinity", "NaN"):
        return float(value["__float__"])
    return {key: _special_floats(item) for key, item in value.items()}


def _model_class(transformers: Any, name: str) -> Any:
    """transformers' own model of this name, or None."""
    found = getattr(transformers, name, None) if name.isidentifier() else None
    base = transformers.PreTrainedModel
    if isinstance(found, type) and issubclass(found, base) and hasattr(found, "config_class"):
        return found if found.config_class is not None else None
    return None


def _class(transformers: Any, config: Any, content: dict[str, Any]) -> tuple[Any, str]:
    """The model's class, and what is to be said of the choice."""
    names = _architectures(content)
    if names:
        found = _model_class(transformers, names[0])
        if found is None:
            raise ValueError(
                f"`architectures` names {names[0]!r}, which transformers "
                f"{transformers.__version__} does not have, and code of others is never run. "
                f"{_near(names[0], [n for n in dir(transformers) if '_' not in n])}"
            )
        return found, ""
    for auto in _HEADS:
        mapping = getattr(transformers, auto)._model_mapping
        if type(config) in mapping:
            found = mapping[type(config)]
            found = found[0] if isinstance(found, (tuple, list)) else found
            return found, f"the config names no architecture: {found.__name__} is taken"
    raise ValueError(f"it has no `architectures`, and {type(config).__name__} has no model.")


def _near(word: str, choices: list[str]) -> str:
    """`_check.near`, but nothing in place of hundreds of choices."""
    text = _check.near(word, choices)
    return f"{text} " if text.startswith("Near") else ""
