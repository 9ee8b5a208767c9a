# SPDX-License-Identifier: Apache-2.0
"""What a rule says of fused weights: the blocks, in order, and what some have of their own."""

import json
import numbers
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from glorot import _check
from glorot._base import Initializer
from glorot._registry import get, serialize
from glorot.recipe._expression import Expression
from glorot.recipe._gains import parse_gain
from glorot.recipe._template import NONE, Lookup, Template, make, parse_option, plain, whole

_LSTM = ("input", "forget", "cell", "output")
_GRU = ("reset", "update", "new")

# Who stores what in which order. Sources: torch 2.13 nn/modules/rnn.py (W_ii|W_if|W_ig|W_io,
# W_ir|W_iz|W_in); Keras 3.15 layers/rnn/lstm.py (i f c o), gru.py (z r h); TensorFlow 2.21
# python/keras/layers/legacy_rnn/rnn_cell_impl.py, LSTMCell (i j f o), GRUCell (r u); haiku 0.0.17
# _src/recurrent.py, LSTM (i g f o), GRU (z r a).
PARTS: dict[str, tuple[str, ...]] = {
    "qkv": ("q", "k", "v"),
    "kv": ("k", "v"),
    "gate_up": ("gate", "up"),
    "torch.lstm": _LSTM,
    "torch.gru": _GRU,
    "keras.lstm": _LSTM,
    "keras.gru": ("update", "reset", "new"),
    "tensorflow.lstm": ("input", "cell", "forget", "output"),
    "tensorflow.gru_gates": ("reset", "update"),
    "haiku.lstm": ("input", "cell", "forget", "output"),
    "haiku.gru": ("update", "reset", "new"),
}
_KEYS = ("parts", "axis", "repeat", "change")


@dataclass(frozen=True, slots=True)
class Part:
    """One block: `initializer` in place of the rule's, or `options` that change the rule's."""

    name: str
    size: int | Expression = 1
    initializer: Initializer | Template | None = None
    options: tuple[tuple[str, Any], ...] = ()
    gain: float | Expression | None = None


class Cut(NamedTuple):
    """The blocks that are there, and their proportions in one of `repeat` periods."""

    axis: int | None
    parts: tuple[Part, ...]
    sizes: tuple[int, ...]
    repeat: int

    @property
    def whole(self) -> bool:
        """Whether it is one block with nothing of its own: the weight is not cut."""
        one = self.parts[0]
        alone = len(self.parts) == self.repeat == 1
        return alone and one.initializer is None and not one.options and one.gain is None


@dataclass(frozen=True, slots=True)
class Split:
    """How a fused weight is cut.

    Attributes:
        text: JSON of what the rule says; two of equal text are equal.
        parts: the blocks, in order; sizes are proportions.
        axis: the one that is cut; None: the output axis.
        repeat: how many times the parts follow one another.
    """

    text: str
    parts: tuple[Part, ...] = field(compare=False)
    axis: int | None = field(compare=False, default=None)
    repeat: int | Expression = field(compare=False, default=1)

    @property
    def whole(self) -> bool:
        """Whether it is `blocks = 1`: the weight is not cut, whatever its layer says."""
        return self.text == "1"

    def config(self) -> Any:
        """Return what the rule says, as JSON can hold it."""
        return json.loads(self.text)

    @property
    def formulas(self) -> dict[str, Expression]:
        """All formulas, by where they are."""
        found: dict[str, Any] = {"repeat": self.repeat}
        for part in self.parts:
            found[f"size of {part.name}"] = part.size
            found[f"gain of {part.name}"] = part.gain
            found |= {f"{key} of {part.name}": value for key, value in part.options}
            if isinstance(part.initializer, Template):
                named = part.initializer.formulas.items()
                found |= {f"{key} of {part.name}": value for key, value in named}
        return {k: v for k, v in found.items() if isinstance(v, Expression)}

    def cut(self, lookup: Lookup) -> Cut:
        """Return the blocks with numbers for formulas; one whose size is 0 is not there.

        Raises:
            ValueError: a size or number of repeats that is no whole number; no block is there.
        """
        sizes = [_number(f"size of {part.name}", part.size, lookup, least=0) for part in self.parts]
        found = [(part, size) for part, size in zip(self.parts, sizes, strict=True) if size]
        if not found:
            raise ValueError("`blocks`: there must be at least one, and all are of size 0.")
        parts, kept = zip(*found, strict=True)
        return Cut(self.axis, parts, kept, _number("repeat", self.repeat, lookup))


def _number(argument: str, value: int | Expression, lookup: Lookup, least: int = 1) -> int:
    if not isinstance(value, Expression):
        return value
    try:
        return whole(argument, value.text, value.value(lookup), least)
    except ValueError as error:
        raise ValueError(f"`blocks`: {error}") from None


def parse_split(blocks: Any) -> Split | None:
    """Return what `blocks` of a rule means: None, a number of equal blocks, a named order of them,
    a list, or a dict of `parts`, `axis`, `repeat` and `change`.

    Raises:
        TypeError, ValueError: none of these; unknown keys; blocks to change that are not there.
    """
    if blocks is None or isinstance(blocks, Split):
        return blocks
    try:
        content: dict[str, Any] = dict(blocks) if isinstance(blocks, Mapping) else {"parts": blocks}
        content = {key: value for key, value in content.items() if value is not None}
        unknown = [key for key in content if key not in _KEYS]
        if unknown:
            raise ValueError(
                f"it has the unknown key {_check.show(unknown[0])}. Known are {', '.join(_KEYS)}."
            )
        if "parts" not in content:
            raise ValueError("it lacks the key 'parts'.")
        content["parts"], parts = _parse_parts(content["parts"])
        if "change" in content:
            content["change"], parts = _change(content["change"], parts)
        axis, repeat = content.get("axis"), _parse_size(content.get("repeat", 1))
        if isinstance(axis, bool) or not isinstance(axis, (numbers.Integral, type(None))):
            raise TypeError(f"`axis` must be an integer, got {_check.show(axis)}.")
        said = plain(content if set(content) > {"parts"} else content["parts"])
        text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise type(error)(f"`blocks`: {error}") from None
    return Split(text, tuple(parts), None if axis is None else int(axis), repeat)


def _parse_parts(given: Any) -> tuple[Any, list[Part]]:
    """What is said of the parts, as JSON can hold it, and the parts."""
    if isinstance(given, str):
        if given not in PARTS:
            raise ValueError(
                f"no order of blocks is called {given!r}. {_check.near(given, tuple(PARTS))}"
            )
        return given, [Part(name) for name in PARTS[given]]
    if isinstance(given, (list, tuple)):
        if not given:
            raise ValueError("there must be at least one, got [].")
        rows = [_parse_part(number, part) for number, part in enumerate(given)]
        names = [part.name for _, part in rows]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"two blocks are called {twice[0]!r}.")
        return [said for said, _ in rows], [part for _, part in rows]
    count = _check.count("parts", given)
    if count > _MOST_PARTS:
        raise ValueError(f"`parts` must be at most {_MOST_PARTS}, got {count}.")
    return count, [Part(str(number)) for number in range(count)]


_MOST_PARTS = 1024


def _parse_size(size: Any) -> int | Expression:
    return Expression(size) if isinstance(size, str) else _check.count("size", size)


def _parse_part(number: int, given: Any) -> tuple[Any, Part]:
    if not isinstance(given, Mapping):
        return given, Part(str(number), _parse_size(given))
    content = dict(given)
    name, size = content.pop("name", str(number)), content.pop("size", 1)
    if not isinstance(name, str) or not name:
        raise TypeError(f"`name` of block {number} must be a string, got {_check.show(name)}.")
    said, part = _parse_own(Part(name, _parse_size(size)), content)
    kept = {key: given[key] for key in ("name", "size") if key in given}
    return kept | said, part


def _parse_own(part: Part, content: dict[str, Any]) -> tuple[dict[str, Any], Part]:
    """A part with what it has of its own: an initializer, options, a gain."""
    options = dict(content)
    gain = parse_gain(options.pop("gain", None))
    named = options.pop("initializer", None)
    if "initializer" in content and named in (None, NONE):
        raise ValueError(f"block {part.name!r} cannot be left out alone; give it an initializer.")
    found = None
    said = {key: value for key, value in content.items() if value is not None}
    if named is not None:
        found = make(named, options)
        said["initializer"] = _said(named)
        options = {}
    own = tuple((key, parse_option(key, value)) for key, value in options.items())
    return said, Part(part.name, part.size, found, own, gain)


def _said(named: Any) -> Any:
    """An initializer as JSON and TOML can hold it. TOML has no null: an option that is None is left
    out, which means the same."""
    if isinstance(named, (Initializer, type)):
        named = serialize(get(named))
    if isinstance(named, Mapping):
        config = named.get("config") or {}
        return {**named, "config": {key: v for key, v in config.items() if v is not None}}
    return named


def _change(given: Any, parts: list[Part]) -> tuple[dict[str, Any], list[Part]]:
    if not isinstance(given, Mapping):
        raise TypeError(
            "`change` must be a dict such as {'forget': 'ones'} from blocks to what they have of "
            f"their own, got {_check.show(given)}."
        )
    said, changed = {}, {part.name: part for part in parts}
    for name, content in given.items():
        if name not in changed:
            raise ValueError(
                f"`change` names {_check.show(name)}, and the blocks are {', '.join(changed)}."
            )
        alone = not isinstance(content, Mapping) or "class_name" in content
        own = {"initializer": content} if alone else dict(content)
        kept, changed[name] = _parse_own(changed[name], own)
        said[name] = kept["initializer"] if alone else kept
    return said, list(changed.values())
