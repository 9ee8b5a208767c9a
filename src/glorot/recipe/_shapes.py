# SPDX-License-Identifier: Apache-2.0
"""What a model's parameters are called and how large they are, before they have values."""

import dataclasses
import functools
import json
from collections.abc import Iterable, Mapping
from typing import Any

from glorot import _check
from glorot._check import parse_shape
from glorot._dtypes import dtype_name, parse_dtype
from glorot._layouts import parse_layout
from glorot._stream import check_name
from glorot.recipe._split import PARTS

METADATA_KEY = "__metadata__"  # what a safetensors header keeps for itself
_FIELDS = {"shape", "dtype", "type", "tags", "layout", "groups", "blocks"}


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class TensorSpec:
    """What is known of a parameter before it has values.

    Args:
        shape: of the whole parameter.
        dtype: its name, or None where none is said.
        type: of the module or layer that the parameter is in, such as "Linear"; rules can ask for
            it, and for `tags`, any words.
        tags: any words.
        layout, groups: what the axes are, for initializers whose rule does not say it.
        blocks: what the layer calls the gates along the last axis, such as "keras.lstm", for rules
            that do not say it.

    Examples:
        >>> TensorSpec((768, 2304), "bfloat16")
        TensorSpec(shape=(768, 2304), dtype='bfloat16')
        >>> TensorSpec((8, 4, 3), type="Conv1d", layout="torch.conv")
        TensorSpec(shape=(8, 4, 3), dtype=None, type='Conv1d', layout='torch.conv')
    """

    shape: tuple[int, ...]
    dtype: str | None = None
    type: str = ""
    tags: tuple[str, ...] = ()
    layout: str | None = None
    groups: int = 1
    blocks: str | None = None

    def __repr__(self) -> str:
        said = (f", {key}={value!r}" for key, value in self.extras().items())
        return f"TensorSpec(shape={self.shape}, dtype={self.dtype!r}{''.join(said)})"

    def extras(self) -> dict[str, Any]:
        """What is said besides shape and dtype."""
        names = ("type", "tags", "layout", "groups", "blocks")
        found = {name: getattr(self, name) for name in names}
        return {name: value for name, value in found.items() if value not in ("", (), None, 1)}


@functools.lru_cache(maxsize=4096)
def known_spec(shape: tuple[int, ...], dtype: str | None, **extras: Any) -> TensorSpec:
    """The `TensorSpec`, made once: a model has thousands of parameters of few kinds."""
    return TensorSpec(shape, dtype, **extras)


def parse_shapes(shapes: Mapping[str, Any]) -> dict[str, TensorSpec]:
    """Return a `TensorSpec` for each name, in the order given.

    Args:
        shapes: from a name to a shape, to a `TensorSpec`, to a dict of its fields such as
            {"shape": [...], "dtype": "..."}, or to anything with `shape` and `dtype`: arrays of
            every framework, meta tensors, `jax.ShapeDtypeStruct`. Nothing but these two is read
            from it.

    Raises:
        TypeError: not a mapping from strings; a shape or dtype that is none.
        ValueError: no entries; an unknown key; a negative size; a name that cannot be kept.

    Examples:
        >>> parse_shapes({"w": (3, 4), "b": {"shape": [4], "dtype": "float16"}})
        {'w': TensorSpec(shape=(3, 4), dtype=None), 'b': TensorSpec(shape=(4,), dtype='float16')}
    """
    if not isinstance(shapes, Mapping):
        raise TypeError(
            "`shapes` must be a mapping from names to shapes, such as {'w': (3, 4)}; got "
            f"{type(shapes).__name__}."
        )
    if not shapes:
        raise ValueError("`shapes` must name at least one parameter, got none.")
    return {check_parameter_name(name): _parse_spec(name, spec) for name, spec in shapes.items()}


def said_of(specs: Any, argument: str, own: Mapping[str, Any]) -> dict[str, TensorSpec]:
    """Return the arrays of `own`, the argument of this name, of which `specs` says something, with
    what it says. It may know more.

    Raises:
        ValueError: none of them is known; one has another shape.
    """
    every = parse_shapes(specs)
    if every.keys().isdisjoint(own):
        raise ValueError(
            f"`specs` knows no array of `{argument}`: {next(iter(every))!r} is one of its names, "
            f"and {next(iter(own))!r} one of `{argument}`. Both must be of one model, and begin at "
            "the same place: of a flax.linen module at all that `init` returns."
        )
    said = parse_shapes({name: value for name, value in own.items() if name in every})
    for name, spec in said.items():
        if every[name].shape != spec.shape:
            raise ValueError(
                f"`specs` says that {name!r} has the shape {every[name].shape}, and in "
                f"`{argument}` it has {spec.shape}. Both must be of one model."
            )
        said[name] = dataclasses.replace(spec, **every[name].extras())
    return said


def check_parameter_name(name: object) -> str:
    """Return `name` if it can stand for a parameter in a checkpoint."""
    text = check_name(name)
    if text in ("", METADATA_KEY):
        raise ValueError(f"a parameter cannot be called {text!r}; give it another name.")
    return text


def _parse_spec(name: str, spec: Any) -> TensorSpec:
    dtype: Any = None
    extras: dict[str, Any] = {}
    if isinstance(spec, TensorSpec):
        shape, dtype, extras = spec.shape, spec.dtype, spec.extras()
    elif isinstance(spec, Mapping):
        unknown = sorted(map(repr, set(spec) - _FIELDS))
        if unknown or "shape" not in spec:
            raise ValueError(
                f"{name!r} in `shapes` must have 'shape' and may have 'dtype', 'type', 'tags', "
                "'layout', 'groups' and 'blocks'; "
                + (f"got also {', '.join(unknown)}." if unknown else "'shape' is missing.")
            )
        shape, dtype = spec["shape"], spec.get("dtype")
        extras = {key: spec[key] for key in spec if key not in ("shape", "dtype")}
    elif hasattr(spec, "shape"):
        shape, dtype = spec.shape, getattr(spec, "dtype", None)
    else:
        shape = spec
    try:
        known = None if dtype is None else dtype_name(parse_dtype(dtype, floating=False))
        return known_spec(parse_shape(shape), known, **(_parse_extras(**extras) if extras else {}))
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name!r} in `shapes`: {error}") from None


def _parse_extras(
    type: Any = "", tags: Any = (), layout: Any = None, groups: Any = 1, blocks: Any = None
) -> dict[str, Any]:
    if not isinstance(type, str):
        raise TypeError(f"`type` must be a string, got {_check.show(type)}.")
    words = [tags] if isinstance(tags, str) or not isinstance(tags, Iterable) else list(tags)
    if not all(isinstance(word, str) for word in words):
        raise TypeError(f"`tags` must be strings, got {_check.show(tags)}.")
    if layout is not None:
        parse_layout(layout)
    groups = _check.count("groups", groups)
    if blocks is not None:
        _check.choice("blocks", blocks, tuple(PARTS))
    return {
        "type": type, "tags": tuple(words), "layout": layout, "groups": groups, "blocks": blocks
    }  # fmt: skip


def shapes_from_json(text: str | bytes) -> dict[str, TensorSpec]:
    """Return the parameters that a shapes file holds: {name: {"shape": [...], "dtype": "..."}}.

    Each may also have "type", "tags", "layout", "groups" and "blocks", the fields of `TensorSpec`.

    Raises:
        ValueError: not JSON, not that form, or a name written twice.

    Examples:
        >>> shapes_from_json('{"w": {"shape": [3, 4], "dtype": "float32"}}')
        {'w': TensorSpec(shape=(3, 4), dtype='float32')}
    """
    content = load_json(text, "the shapes file")
    if not isinstance(content, dict):
        raise ValueError(
            'a shapes file must hold {"name": {"shape": [...], "dtype": "float32"}, ...}, got '
            f"{type(content).__name__}."
        )
    return parse_shapes(content)


def shapes_content(tensors: Mapping[str, TensorSpec]) -> dict[str, Any]:
    """Return what a shapes file of these tensors holds."""
    return {
        name: {"shape": list(spec.shape), "dtype": spec.dtype, **spec.extras()}
        for name, spec in tensors.items()
    }


def load_json(text: str | bytes, what: str) -> Any:
    """Return what JSON text holds, refusing keys written twice, which would hide one another.

    Bytes must be UTF-8 without a byte order mark: Python's own reader would guess UTF-16 and
    UTF-32 too, which no reader of safetensors files takes.
    """
    content = decode(text, what)
    try:
        return json.loads(content, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError(f"{what} is nested too deeply to be one.") from None
    except ValueError as error:
        raise ValueError(f"{what} cannot be read as JSON: {error}.") from None


def decode(text: str | bytes, what: str) -> str:
    """Return text that is, or is written in, UTF-8 without a byte order mark."""
    try:
        content = text.decode("utf-8") if isinstance(text, bytes) else text
    except UnicodeDecodeError:
        raise ValueError(f"{what} must be UTF-8 text, and is not.") from None
    if content.startswith("\ufeff"):
        raise ValueError(f"{what} must begin without a byte order mark. Save it as plain UTF-8.")
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} is there twice")
    return found
