# SPDX-License-Identifier: Apache-2.0
"""The schema of recipe files: from what JSON or TOML holds to rules, and back.

    version 1   {"pattern", "initializer": {"class_name", "config"} | name | null, "layers",
                "branches"}
    version 2   the options of the initializer stand in the rule itself, and there are variables,
                conditions, gains, blocks and the rest of `Rule`'s arguments

Each version reads what it always read; a later one is refused by name.
"""

import difflib
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from glorot import _check
from glorot._base import Initializer
from glorot._blocks import Blocks
from glorot._registry import _CLASSES, serialize, snake_case
from glorot.recipe._expression import Expression
from glorot.recipe._pattern import REGEX
from glorot.recipe._rule import DEFAULT_BRANCHES, Rule
from glorot.recipe._template import NONE, RULE_KEYS, Template
from glorot.recipe._variables import Variable

FORMAT = "glorot-recipe"
VERSIONS = (1, 2)

_OPTIONS_1 = ("layers", "branches")
_RULE_KEYS = {1: {"pattern", "initializer", *_OPTIONS_1}}
_RECIPE_KEYS = {
    1: {"format", "version", "source", "rules"},
    2: {"format", "version", "source", "variables", "rules"},
}
_SILENT: dict[str, Any] = {"seed": None, "dtype": "float32", "stream": 1}


def parse(content: Any) -> tuple[list[Rule], str, dict[str, Any]]:
    """Return the rules, the source and the variables of what a file holds.

    Raises:
        ValueError: another format or version; an unknown or missing key, anywhere; options that an
            initializer or a rule refuses, with the number of the rule.
    """
    if not isinstance(content, Mapping) or content.get("format") != FORMAT:
        raise ValueError(
            f'a recipe must be an object with "format": "{FORMAT}", "version": {VERSIONS[-1]} '
            'and "rules".'
        )
    version = content.get("version")
    if version not in VERSIONS or isinstance(version, (bool, float)):
        raise ValueError(
            f"the recipe's `version` must be {' or '.join(map(str, VERSIONS))}, got "
            f"{_check.show(version)}. A later one needs a later glorot."
        )
    _check_keys("the recipe", content, version, _RECIPE_KEYS, {"rules"})
    rules = content["rules"]
    if not isinstance(rules, list):
        raise ValueError(f"the recipe's `rules` must be a list, got {_check.show(rules)}.")
    found = [_parse_rule(number, rule, version) for number, rule in enumerate(rules)]
    return found, content.get("source", ""), content.get("variables", {})


def _parse_rule(number: int, content: Any, version: int) -> Rule:
    what = f"rule {number} of the recipe"
    if not isinstance(content, Mapping):
        raise ValueError(f"{what} must be an object, got {_check.show(content)}.")
    _check_keys(what, content, version, _RULE_KEYS, {"pattern", "initializer"})
    options = {k: v for k, v in content.items() if k not in ("pattern", "initializer")}
    pattern, initializer = content["pattern"], content["initializer"]
    try:
        if version == 1:
            if isinstance(pattern, str) and pattern.startswith(REGEX):
                raise ValueError(f"the regular expression {pattern!r} needs version 2.")
            if initializer == NONE:
                raise ValueError("no initializer is called 'none'; version 1 says null.")
        return Rule(pattern, initializer, **options)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what}: {error}") from None


def _check_keys(
    what: str,
    content: Mapping[str, Any],
    version: int,
    known: Mapping[int, set[str]],
    needed: set[str],
) -> None:
    missing = sorted(needed - set(content))
    if missing:
        near = difflib.get_close_matches(missing[0], map(str, content), n=1)
        meant = f" It has {near[0]!r}: is that it, misspelt?" if near else ""
        raise ValueError(f"{what} lacks the key {missing[0]!r}.{meant}")
    if version not in known:
        return
    unknown = sorted(set(content) - known[version])
    if unknown:
        later = version == 1 and unknown[0] in (*RULE_KEYS, "variables")
        raise ValueError(
            f"{what} has the unknown key {unknown[0]!r}. Known are "
            f"{', '.join(sorted(known[version]))}."
            + (f" {unknown[0]!r} needs version 2." if later else "")
        )


def version_of(rules: Sequence[Rule], variables: Mapping[str, Variable]) -> int:
    """Return the first version that can hold the recipe."""
    later = variables or any(
        isinstance(rule.initializer, (Template, Blocks))
        or rule.pattern.startswith(REGEX)
        or set(_extras(rule)) - set(_OPTIONS_1)
        for rule in rules
    )
    return 2 if later else 1


def dump(
    rules: Sequence[Rule], source: str, variables: Mapping[str, Variable], version: int
) -> dict[str, Any]:
    """Return what a file of this version holds, as JSON and TOML can hold it."""
    content: dict[str, Any] = {"format": FORMAT, "version": version}
    if source:
        content["source"] = source
    if variables:
        content["variables"] = {name: variable.config() for name, variable in variables.items()}
    content["rules"] = [full(rule) if version == 1 else short(rule) for rule in rules]
    return content


def full(rule: Rule) -> dict[str, Any]:
    """Return a rule as version 1 writes it, and as fingerprints read it: nothing is left to
    defaults of the initializer."""
    content: dict[str, Any] = {"pattern": rule.pattern, "initializer": None}
    if rule.initializer is not None:
        content["initializer"] = _nested(rule.initializer)
    return content | _extras(rule)


def short(rule: Rule) -> dict[str, Any]:
    """Return a rule as version 2 writes it: a line that people read."""
    content: dict[str, Any] = {"pattern": rule.pattern}
    extras = _extras(rule)
    if "where" in extras:
        content["where"] = extras.pop("where")
    init = rule.initializer
    if init is None:
        content["initializer"] = NONE
        return content | extras
    options = _options(init)
    if isinstance(init, Blocks) or set(options) & {"pattern", "initializer", *RULE_KEYS}:
        content["initializer"] = _nested(init)  # an option has the name of a rule's key
    else:
        nested = _nested(init)
        content["initializer"] = snake_case(nested["class_name"])
        content |= options
    return content | extras


def _nested(init: Initializer | Template) -> dict[str, Any]:
    if isinstance(init, Template):
        return init.config()
    content = serialize(init)
    content["config"].pop("seed", None)  # a rule has none
    return content


def _options(init: Initializer | Template) -> dict[str, Any]:
    """The options that differ from their defaults."""
    content = _nested(init)
    cls = _CLASSES[content["class_name"]]
    silent = _SILENT | {
        name: parameter.default for name, parameter in inspect.signature(cls).parameters.items()
    }
    found = content["config"].items()
    return {k: v for k, v in found if k not in silent or silent[k] != v or _kinds(silent[k], v)}


def _fans_of(rule: Rule) -> str | list[str] | None:
    """One name alone, several as a list."""
    return rule.fans_of[0] if len(rule.fans_of) == 1 else list(rule.fans_of) or None


def _kinds(default: Any, value: Any) -> bool:
    return isinstance(default, bool) != isinstance(value, bool)


def _extras(rule: Rule) -> dict[str, Any]:
    """What a rule says besides pattern and initializer, defaults left out."""
    gain = rule.gain.text if isinstance(rule.gain, Expression) else rule.gain
    found: dict[str, Any] = {
        "where": rule.where.config() if rule.where else None,
        "gain": gain,
        "layers": rule.layers,
        "branches": rule.branches if rule.branches != DEFAULT_BRANCHES else None,
        "mup": rule.mup,
        "blocks": rule.blocks.config() if rule.blocks else None,
        "fans_of": _fans_of(rule),
        "optional": rule.optional or None,
    }
    return {key: value for key, value in found.items() if value is not None}
