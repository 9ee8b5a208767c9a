# SPDX-License-Identifier: Apache-2.0
"""Initializers of rules, of which some options may be formulas until a model is at hand."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glorot import _check
from glorot._base import Initializer
from glorot._fans import Axes
from glorot._registry import _CLASSES, _find, class_name, construct, get, option_names
from glorot.recipe._expression import FANS, Expression
from glorot.recipe._gains import activation

# What a rule says besides its pattern and its initializer's options.
RULE_KEYS = ("where", "gain", "layers", "branches", "mup", "blocks", "fans_of", "optional")
CONDITIONS = ("ndim", "shape", "dtype", "type", "tag")  # what its `where` says
NONE = "none"  # what a file says for None: these parameters are left out
# The options that are numbers; a text in their place is a formula.
_WHOLE = {"groups": 1, "first": 0}  # and the least
_NUMBERS = {
    *_WHOLE,
    *("mean", "stddev", "minval", "maxval", "lower", "upper", "scale", "gain", "fan_in", "fan_out"),
    *("sparsity", "value"),
}
_SILENT: dict[str, Any] = {"seed": None, "dtype": "float32", "stream": 1}
_OPEN = ("inf", "-inf")  # the open sides of TruncatedNormal
_WAYS = ("layout", "equation", "input_axes", "output_axes", "batch_axes")
Lookup = Callable[[str], float]


@dataclass(frozen=True, slots=True)
class Template:
    """A class and its options, at least one of which is a formula.

    Attributes:
        class_name: such as "RandomNormal".
        options: pairs in alphabetical order.
    """

    class_name: str
    options: tuple[tuple[str, Any], ...]

    @property
    def formulas(self) -> dict[str, Expression]:
        """The options that are formulas."""
        return {key: value for key, value in self.options if isinstance(value, Expression)}

    def config(self) -> dict[str, Any]:
        """Return it as `glorot.serialize` does, with the text of formulas."""
        said = {
            key: value.text
            if isinstance(value, Expression)
            else list(value)
            if isinstance(value, tuple)
            else value
            for key, value in self.options
        }
        return {"class_name": self.class_name, "config": said}

    def build(
        self, lookup: Lookup, shape: tuple[int, ...], extras: Mapping[str, Any]
    ) -> Initializer:
        """Return the initializer of a weight of this shape; `extras` are further axes options,
        which count for the fans in formulas where the class has no axes."""
        cls = _CLASSES[self.class_name]
        options = dict(self.options) | dict(extras)
        axes = {
            key: _compute(key, options[key], lookup)
            for key in (*cls.axes_options, *extras)
            if key in options
        }
        fans: list[float] = []

        def with_fans(name: str) -> float:
            if name not in FANS:
                return lookup(name)
            if not fans:
                fans.extend(Axes(**axes).fans(shape))
            return fans[name == "fan_out"]

        others = {
            key: _compute(key, value, with_fans)
            for key, value in options.items()
            if key not in axes
        }
        return cls(**{key: axes[key] for key in axes if key in cls.axes_options}, **others)


def _compute(key: str, value: Any, lookup: Lookup) -> Any:
    if not isinstance(value, Expression):
        return value
    try:
        number = value.value(lookup, activation)
    except ValueError as error:
        raise ValueError(f"`{key}`: {error}") from None
    return whole(key, value.text, number, _WHOLE[key]) if key in _WHOLE else number


def whole(argument: str, text: str, number: float, least: int = 1) -> int:
    """Return a formula's result as the whole number, `least` or more, that it must be."""
    if number != int(number) or number < least:
        raise ValueError(
            f"`{argument}`={text!r} must be a whole number, {least} or more, and it is {number!r}."
        )
    return int(number)


def make(initializer: Any, options: Mapping[str, Any]) -> Initializer | Template | None:
    """Return what a rule's initializer and its options mean.

    Args:
        initializer: None or "none", an initializer, its class, name or config, a template.
        options: of the initializer; text in the place of a number is a formula.

    Raises:
        TypeError, ValueError: no initializer, unknown options, values that it refuses, a seed.
    """
    if initializer is None or initializer == NONE:
        if options:
            raise ValueError(
                f"`{next(iter(options))}` changes nothing: the parameters are left out."
            )
        return None
    name, given = _read(initializer)
    known = option_names(_CLASSES[name])
    for key in options:
        if key not in known:
            near = _check.near(key, (*known, *RULE_KEYS))
            if key in CONDITIONS:
                near = f"A condition stands in `where`: where={{{key!r}: ...}}."
            raise ValueError(
                f"{name} has no option {key!r}, and a rule no key of that name. {near}"
            )
    merged = {k: parse_option(k, v) for k, v in {**given, **options}.items()}
    if merged.get("seed") is not None:
        raise ValueError(
            f"`initializer` must have no seed, got {_check.show(merged['seed'])}: the seed is "
            "given when the recipe is used, and each parameter's name makes it differ."
        )
    if not any(isinstance(value, Expression) for value in merged.values()):
        if isinstance(initializer, Initializer) and not options:
            return initializer
        return construct(name, merged)
    # What is no number is checked now, by the class, and kept as the class keeps it; numbers are
    # checked when all are known. What is a default is left out, as it is where nobody says it.
    others = {key: value for key, value in merged.items() if key not in _NUMBERS}
    kept = construct(name, others | ({"sparsity": 0.5} if "sparsity" in merged else {}))._config
    kept = {key: kept[key] for key in others if key in kept}
    kept |= {key: _number(key, value) for key, value in merged.items() if key in _NUMBERS}
    said = {key: value for key, value in kept.items() if not _is_default(name, key, value)}
    return Template(name, tuple(sorted((key, _frozen(key, said[key])) for key in said)))


def plain(value: Any) -> Any:
    """What is said in a rule as files can hold it: numbers are Python's own, an open side is text,
    and so in lists and dicts."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    value = value.item() if isinstance(value, np.generic) else value
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def _number(key: str, value: Any) -> Any:
    """A number as the class keeps it: a float, where it need not be whole."""
    value = plain(value)
    whole = key in _WHOLE or key == "value" or isinstance(value, bool)
    return float(value) if isinstance(value, int) and not whole else value


def _is_default(class_name: str, key: str, value: Any) -> bool:
    """Whether an option has the value that it has where nobody says it."""
    defaults = _defaults(class_name)
    if key not in defaults or isinstance(defaults[key], bool) != isinstance(value, bool):
        return False
    return bool(defaults[key] == value)


@functools.cache
def _defaults(class_name: str) -> dict[str, Any]:
    import inspect  # slow to load, and formulas alone need it

    found = dict(_SILENT)
    for of in (Axes, _CLASSES[class_name]):
        parameters = inspect.signature(of).parameters.values()
        found |= {p.name: p.default for p in parameters if p.default is not p.empty}
    return found


def _frozen(key: str, value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        value = tuple(value)
    try:
        hash(value)
    except TypeError:
        raise TypeError(f"`{key}` cannot be {_check.show(value)}.") from None
    return value


def _read(initializer: Any) -> tuple[str, dict[str, Any]]:
    """The class and options that a rule's initializer names, with no defaults filled in."""
    if isinstance(initializer, Template):
        return initializer.class_name, dict(initializer.options)
    if isinstance(initializer, str):
        name, options = _find(initializer)
        return name, dict(options)
    if isinstance(initializer, Mapping):
        unknown = sorted(map(repr, set(initializer) - {"class_name", "config"}))
        if unknown or not isinstance(initializer.get("class_name"), str):
            raise ValueError(
                f"`initializer` has the unknown key {unknown[0]}. Known are class_name, config."
                if unknown
                else "`initializer` lacks the key 'class_name'."
            )
        name, options = _find(initializer["class_name"])
        config = initializer.get("config")
        config = {} if config is None else config
        if not isinstance(config, Mapping) or not all(isinstance(key, str) for key in config):
            raise TypeError(
                f"`config` of {name} must be a dict of its options, got {_check.show(config)}."
            )
        known = option_names(_CLASSES[name])
        for key in config:
            if key not in known:
                raise ValueError(f"{name} has no option {key!r}. {_check.near(key, known)}")
        return name, {**options, **config}
    found = get(initializer) if isinstance(initializer, (Initializer, type)) else None
    if not isinstance(found, Initializer):
        raise TypeError(
            "`initializer` must be an initializer, its name or its config; got "
            f"{_check.show(initializer)}."
        )
    return class_name(found), dict(found._config)


def parse_option(key: str, value: Any) -> Any:
    """Return a formula where text stands in the place of a number, else the value."""
    if key not in _NUMBERS or not isinstance(value, str) or value in _OPEN:
        return value
    try:
        return Expression(value)
    except ValueError as error:
        raise ValueError(f"`{key}`: {error}") from None


def says_axes(initializer: Initializer | Template) -> bool:
    """Return whether a rule's initializer says what the axes of its weights are."""
    if isinstance(initializer, Template):
        return any(key in _WAYS for key, _ in initializer.options)
    return any(key in _WAYS for key in initializer._axes.changed)


def takes(initializer: Initializer | Template, option: str) -> bool:
    """Return whether a rule's initializer has this axes option."""
    if isinstance(initializer, Template):
        return option in _CLASSES[initializer.class_name].axes_options
    return option in initializer.axes_options


def asks_fans(initializer: Initializer | Template) -> bool:
    """Return whether a formula of the initializer's names a fan of the weight."""
    formulas = initializer.formulas.values() if isinstance(initializer, Template) else ()
    return any(name in FANS for formula in formulas for name in formula.names)


def build(
    initializer: Initializer | Template,
    lookup: Lookup,
    shape: Sequence[int],
    extras: Mapping[str, Any],
) -> Initializer:
    """Return the initializer of a weight of this shape, with those of these further axes options
    that its class has."""
    if isinstance(initializer, Template):
        return initializer.build(lookup, tuple(shape), extras)
    known = {key: value for key, value in extras.items() if takes(initializer, key)}
    return initializer.replace(**known) if known else initializer
