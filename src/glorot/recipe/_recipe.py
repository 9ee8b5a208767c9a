# SPDX-License-Identifier: Apache-2.0
"""Recipes: ordered rules that give every parameter of a model its initializer, or say why not."""

import difflib
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from glorot import _check
from glorot._base import Initializer
from glorot._dtypes import ALL, dtype_name, parse_dtype
from glorot._registry import deserialize, serialize
from glorot.recipe._rule import DEFAULT_BRANCHES, Rule
from glorot.recipe._shapes import TensorSpec, load_json, parse_shapes

FORMAT = "glorot-recipe"
VERSION = 1

_RULE_KEYS = {"pattern", "initializer", "layers", "branches"}
_RECIPE_KEYS = {"format", "version", "source", "rules"}
_NAMES_SEARCHED = 10_000  # for near names in errors: difflib is slow


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a recipe gives one parameter.

    Attributes:
        name, shape, dtype: of the parameter; `dtype` is a name such as "float32".
        rule: the rule that matched first.
        initializer: the rule's, depth scaling included.
        fans: (fan_in, fan_out) as the initializer counts them.
        stddev: what the values' standard deviation should be, before rounding to the dtype.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    rule: Rule
    initializer: Initializer
    fans: tuple[float, float]
    stddev: float

    @property
    def law(self) -> str:
        """The law in a few characters: "N(0, 0.02)", "U(-0.1, 0.1)", "Zeros"."""
        return describe_law(self.initializer, self.shape)


class Matches(NamedTuple):
    """Names to the rules that match them first, and what is left over on both sides."""

    rules: dict[str, Rule]
    unmatched: list[str]  # names that no rule matches
    idle: list[Rule]  # rules that are first for no name, those that leave out excepted


@dataclass(frozen=True, slots=True)
class Recipe:
    """Ordered rules; the first whose pattern matches a parameter's name gives its initializer.

    Args:
        rules: at least one, no pattern twice.
        source: where the recipe was published, for people.

    Raises:
        TypeError: something in `rules` that is no `Rule`.
        ValueError: no rules; a pattern twice.

    Examples:
        >>> import glorot
        >>> recipe = glorot.Recipe([
        ...     glorot.Rule("*.bias", "zeros"),
        ...     glorot.Rule("*", "he_normal"),
        ... ])
        >>> [(a.name, a.law) for a in recipe.resolve({"up.weight": (8, 2), "up.bias": (2,)})]
        [('up.weight', 'TN(0, 0.5684, ±2)'), ('up.bias', 'Zeros')]
        >>> glorot.Recipe.from_json(recipe.to_json()) == recipe
        True
    """

    rules: tuple[Rule, ...]
    source: str = ""

    def __init__(self, rules: Iterable[Rule], *, source: str = "") -> None:
        kept = tuple(rules)
        for rule in kept:
            if not isinstance(rule, Rule):
                raise TypeError(f"`rules` must hold glorot.Rule, got {rule!r}.")
        if not kept:
            raise ValueError("`rules` must hold at least one rule, got none.")
        patterns = [rule.pattern for rule in kept]
        for number, pattern in enumerate(patterns):
            if pattern in patterns[:number]:
                raise ValueError(
                    f"`rules` has the pattern {pattern!r} twice; the second would never be used. "
                    "Remove one."
                )
        if not isinstance(source, str):
            raise TypeError(f"`source` must be a string, got {source!r}.")
        object.__setattr__(self, "rules", kept)
        object.__setattr__(self, "source", source)

    def match(self, names: Iterable[str]) -> Matches:
        """Return which rule each name gets, the names without a rule and the rules without a name.

        Examples:
            >>> import glorot
            >>> found = glorot.recipe.load("gpt2").match(["wte.weight", "head.kernel"])
            >>> found.rules["wte.weight"].pattern, found.unmatched
            ('*wte.weight', ['head.kernel'])
        """
        rules: dict[str, Rule] = {}
        unmatched = []
        for name in names:
            rule = next((rule for rule in self.rules if rule.matches(name)), None)
            if rule is None:
                unmatched.append(name)
            else:
                rules[name] = rule
        used = {rule.pattern for rule in rules.values()}
        idle = [r for r in self.rules if r.pattern not in used and r.initializer is not None]
        return Matches(rules, unmatched, idle)

    def resolve(self, shapes: Mapping[str, Any], *, dtype: Any = None) -> list[Assignment]:
        """Return one `Assignment` a parameter, in the order of `shapes`, left out ones excepted.

        Args:
            shapes: names to shapes (see `glorot.recipe.parse_shapes`).
            dtype: of all floating parameters, in place of what `shapes` says. A parameter of
                which neither says anything has its initializer's.

        Raises:
            ValueError: a parameter that no rule matches, a rule that matches none, with the names
                nearest to them; a shape or dtype that the initializer refuses; nothing left.
        """
        specs = parse_shapes(shapes)
        found = self.match(specs)
        problems = [*_unmatched(found, self.rules), *_idle(found, list(specs))]
        if problems:
            raise ValueError(" ".join(problems))
        assignments = self._assign(specs, found.rules, dtype)
        if not assignments:
            raise ValueError("the recipe leaves out every parameter: nothing is to be written.")
        return assignments

    def _assign(
        self, specs: Mapping[str, TensorSpec], rules: Mapping[str, Rule], dtype: Any
    ) -> list[Assignment]:
        """What `rules` (for all names of the model) give those of which the shapes are known."""
        wanted = None if dtype is None else dtype_name(parse_dtype(dtype))
        scaled = {rule: rule.scaled(rules) for rule in {rules[name] for name in specs}}
        assignments = []
        for name, spec in specs.items():
            rule = rules[name]
            initializer = scaled[rule]
            if initializer is None:
                continue
            own = spec.dtype or initializer.dtype
            chosen = wanted if wanted and ALL[own].kind not in "iub" else own
            assignments.append(_assign(name, spec.shape, chosen, rule, initializer))
        return assignments

    def to_json(self) -> str:
        """Return the recipe as JSON text that `from_json` reads back to an equal recipe.

        Examples:
            >>> import glorot
            >>> print(glorot.Recipe([glorot.Rule("*", "zeros")]).to_json())
            {
              "format": "glorot-recipe",
              "version": 1,
              "rules": [
                {
                  "pattern": "*",
                  "initializer": {
                    "class_name": "Zeros",
                    "config": {
                      "dtype": "float32"
                    }
                  }
                }
              ]
            }
        """
        content: dict[str, Any] = {"format": FORMAT, "version": VERSION}
        if self.source:
            content["source"] = self.source
        content["rules"] = [_rule_config(rule) for rule in self.rules]
        return json.dumps(content, indent=2, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Recipe":
        """Return the recipe that JSON text holds. It is data: nothing in it is executed.

        Raises:
            ValueError: not JSON; another format or version; an unknown or missing key, anywhere;
                options that an initializer or a rule refuses, with the number of the rule.
        """
        content = load_json(text, "the recipe")
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise ValueError(
                f'a recipe must be a JSON object with "format": "{FORMAT}", "version": {VERSION} '
                'and "rules".'
            )
        if content.get("version") != VERSION or isinstance(content["version"], bool):
            raise ValueError(
                f"the recipe's `version` must be {VERSION}, the only one so far, got "
                f"{content.get('version')!r}. A later one needs a later glorot."
            )
        _check_keys("the recipe", content, _RECIPE_KEYS, {"rules"})
        if not isinstance(content["rules"], list):
            raise ValueError(f"the recipe's `rules` must be a list, got {content['rules']!r}.")
        rules = [_parse_rule(number, rule) for number, rule in enumerate(content["rules"])]
        return cls(rules, source=content.get("source", ""))

    @property
    def fingerprint(self) -> str:
        """32 hexadecimal digits that are equal for equal rules; `source` does not count."""
        rules = [_rule_config(rule) for rule in self.rules]
        text = json.dumps(rules, sort_keys=True, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=16, person=b"glorot.recipe").hexdigest()


def describe_law(initializer: Initializer, shape: tuple[int, ...]) -> str:
    """The law of a weight in a few characters.

    Examples:
        >>> import glorot
        >>> describe_law(glorot.GlorotUniform(), (300, 300)), describe_law(glorot.Ones(), (3,))
        ('U(-0.1, 0.1)', 'Ones')
    """
    law = initializer.law(shape)
    if law is None:
        return repr(initializer.replace(dtype="float32")).removesuffix("()")
    if law.kind == "uniform":
        return f"U({law.mean - law.scale:.4g}, {law.mean + law.scale:.4g})"
    if law.kind == "normal":
        return f"N({law.mean:.4g}, {law.scale:.4g})"
    lower, upper = getattr(law, "lower", -2.0), getattr(law, "upper", 2.0)
    cuts = f"±{upper:g}" if lower == -upper else f"{lower:g}, {upper:g}"
    return f"TN({law.mean:.4g}, {law.scale:.4g}, {cuts})"


def _assign(
    name: str, shape: tuple[int, ...], dtype: str, rule: Rule, initializer: Initializer
) -> Assignment:
    try:
        initializer._writer(shape, parse_dtype(dtype, floating=initializer.random))
        fans, stddev = initializer.fans(shape), initializer.expected_stddev(shape)
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"{name!r} of shape {shape} cannot be initialised by the rule for {rule.pattern!r}: "
            f"{error}"
        ) from None
    return Assignment(name, shape, dtype, rule, initializer, fans, stddev)


def _unmatched(found: Matches, rules: Sequence[Rule]) -> list[str]:
    if not found.unmatched:
        return []
    shown = ", ".join(map(repr, found.unmatched[:5]))
    more = len(found.unmatched) - 5
    near = _check.near(found.unmatched[0], [rule.pattern for rule in rules])
    return [
        f"no rule matches {shown}{f' and {more} more' if more > 0 else ''}. Add a rule, or "
        f"Rule({found.unmatched[0]!r}, None) to leave it out. Patterns: {near}"
    ]


def _idle(found: Matches, names: list[str]) -> list[str]:
    problems = []
    lost = []
    for rule in found.idle:
        taken = next((name for name in found.rules if rule.matches(name)), None)
        near = difflib.get_close_matches(rule.pattern, names[:_NAMES_SEARCHED], n=3, cutoff=0.5)
        if taken is not None:
            problems.append(
                f"the rule for {rule.pattern!r} is never used: earlier rules take all that it "
                f"matches, {found.rules[taken].pattern!r} takes {taken!r}. Put the narrower first."
            )
        elif near:
            problems.append(
                f"the rule for {rule.pattern!r} matches no parameter. Near: {', '.join(near)}."
            )
        else:
            lost.append(repr(rule.pattern))
    if lost:
        shown = ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")
        problems.append(
            f"no parameter is matched by the {'rule' if len(lost) == 1 else 'rules'} for "
            f"{', '.join(lost)}; the names are {shown}. Mend the patterns or remove the rules."
        )
    return problems


def _rule_config(rule: Rule) -> dict[str, Any]:
    content: dict[str, Any] = {"pattern": rule.pattern, "initializer": None}
    if rule.initializer is not None:
        content["initializer"] = serialize(rule.initializer)
        content["initializer"]["config"].pop("seed", None)  # a rule has none
    if rule.layers is not None:
        content["layers"] = rule.layers
        if rule.branches != DEFAULT_BRANCHES:
            content["branches"] = rule.branches
    return content


def _parse_rule(number: int, content: Any) -> Rule:
    if not isinstance(content, dict):
        raise ValueError(f"rule {number} of the recipe must be an object, got {content!r}.")
    _check_keys(f"rule {number} of the recipe", content, _RULE_KEYS, {"pattern", "initializer"})
    options = {key: content[key] for key in ("layers", "branches") if key in content}
    try:
        initializer = content["initializer"]
        if isinstance(initializer, dict):
            allowed = {"class_name", "config"}
            _check_keys("`initializer`", initializer, allowed, {"class_name"})
            initializer = deserialize(initializer)
        return Rule(content["pattern"], initializer, **options)
    except (TypeError, ValueError) as error:
        raise ValueError(f"rule {number} of the recipe: {error}") from None


def _check_keys(what: str, content: dict[str, Any], known: set[str], needed: set[str]) -> None:
    unknown = sorted(set(content) - known)
    if unknown:
        raise ValueError(
            f"{what} has the unknown key {unknown[0]!r}. Known are {', '.join(sorted(known))}."
        )
    missing = sorted(needed - set(content))
    if missing:
        raise ValueError(f"{what} lacks the key {missing[0]!r}.")
