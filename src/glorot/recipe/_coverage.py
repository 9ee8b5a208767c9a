# SPDX-License-Identifier: Apache-2.0
"""What a recipe and a model's names leave over on either side, told with the names nearest."""

import dataclasses
import difflib
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from glorot import _check
from glorot._dtypes import ALL
from glorot.recipe._pattern import REGEX, matcher
from glorot.recipe._rule import Rule
from glorot.recipe._shapes import TensorSpec
from glorot.recipe._weight_norm import Half, by_weight, halves

_KEPT = tuple(name for name, dtype in ALL.items() if dtype.kind in "iub")
_MOST_COMPARED = 1000  # for near names in errors: difflib is slow
_NUMBER = re.compile(r"\d+")


class Matches(NamedTuple):
    """Names to the rules that match them first, and what is left over on both sides."""

    rules: dict[str, Rule]
    unmatched: list[str]  # names that no rule matches
    idle: list[Rule]  # rules that are first for no name, optional ones and those left out excepted


def match(
    rules: Sequence[Rule], specs: Mapping[str, TensorSpec | None], dtype: str | None = None
) -> Matches:
    """Return which rule each name gets; of a spec that is None nothing but the name is known.

    Conditions see the dtype that a parameter will have: `dtype` where it is floating. The halves
    that weight norm keeps of a weight get the rule of the weight, unless one before is for a half
    alone.
    """
    found: dict[str, Rule] = {}
    unmatched = []
    kept = halves(specs)
    read = [(matcher(rule.pattern), rule.where, rule) for rule in rules]
    for name, spec in specs.items():
        seen = spec if dtype is None else _seen(spec, dtype)
        if name in kept:
            weight = _seen(specs[kept[name].direction], dtype)
            half = _rule_of_half(rules, kept[name], weight, name, seen)
            if half is not None:
                found[name] = half
            else:
                unmatched.append(name)
            continue
        for matches, where, rule in read:  # as `Rule.matches` does, which would look both up anew
            if matches(name) and (where is None or (seen is not None and where.holds(seen))):
                found[name] = rule
                break
        else:
            unmatched.append(name)
    used = set(map(id, found.values()))
    idle = [r for r in rules if id(r) not in used and r.initializer is not None and not r.optional]
    return Matches(found, unmatched, idle)


def _rule_of_half(
    rules: Sequence[Rule], half: Half, weight: TensorSpec | None, name: str, spec: TensorSpec | None
) -> Rule | None:
    for rule in rules:
        if by_weight(rule.pattern, half):
            if rule.matches(half.weight, weight):
                return rule
        elif rule.matches(name, spec):
            return rule
    return None


def _seen(spec: TensorSpec | None, dtype: str | None) -> TensorSpec | None:
    """What conditions see of a parameter."""
    if dtype is None or spec is None or spec.dtype in _KEPT:
        return spec
    return dataclasses.replace(spec, dtype=dtype)


def problems(
    found: Matches, rules: Sequence[Rule], specs: Mapping[str, TensorSpec | None]
) -> list[str]:
    """Return one sentence or more for each gap; none where the recipe covers the model."""
    return [*_unmatched(found, rules, specs), *_idle(found, specs)]


def _unmatched(
    found: Matches, rules: Sequence[Rule], specs: Mapping[str, TensorSpec | None]
) -> list[str]:
    if not found.unmatched:
        return []
    first = found.unmatched[0]
    shown = ", ".join(map(repr, found.unmatched[:5]))
    more = len(found.unmatched) - 5
    named = next((rule for rule in rules if matcher(rule.pattern)(first)), None)
    patterns = list(dict.fromkeys(rule.pattern for rule in rules))
    near = f" {_check.near(first, patterns, 'patterns')}"
    but = ""
    if named is not None:
        near = near if near.startswith(" Near") else ""  # its conditions are the matter
        but = f" The rule for {named} matches the name {first!r}, but {_state(specs.get(first))}."
    if named is not None and _asks_for_types(named) and not _said(specs.get(first)):
        but += (
            " Say the types of layers with the shapes, {'shape': ..., 'type': 'Linear', 'layout': "
            "...}, as glorot.sources.read(model) does."
        )
    return [
        f"no rule matches {shown}{f' and {more} more' if more > 0 else ''}.{but} Add a rule, or "
        f"Rule({first!r}, None) to leave it out.{near}"
    ]


def _asks_for_types(rule: Rule) -> bool:
    return rule.where is not None and bool(rule.where.type)


def _said(spec: TensorSpec | None) -> bool:
    return spec is not None and bool(spec.type)


def _state(spec: TensorSpec | None) -> str:
    if spec is None:
        return "nothing but the name is known of it"
    said = [f"shape={spec.shape}", f"dtype={spec.dtype or 'float32'!r}"]
    said += [f"type={spec.type!r}"] if spec.type else ["no type is said"]
    said += [f"tags={spec.tags!r}"] if spec.tags else []
    return f"it has {', '.join(said)}"


def _idle(found: Matches, specs: Mapping[str, TensorSpec | None]) -> list[str]:
    names = list(specs)
    # Of layers that differ in their number alone, the first: comparing takes long.
    kinds: dict[str, str] = {}
    for name in names:
        kinds.setdefault(_NUMBER.sub("*", name), name)
    compared = list(kinds.values())[:_MOST_COMPARED]
    said = []
    lost = []
    patterns = []
    for rule in found.idle:
        taken = next((name for name in found.rules if rule.matches(name, specs[name])), None)
        named = next((name for name in names if matcher(rule.pattern)(name)), None)
        near = difflib.get_close_matches(rule.pattern, compared, n=3, cutoff=0.5)
        if taken is not None:
            said.append(
                f"the rule for {rule} is never used: earlier rules take all that it "
                f"matches, {found.rules[taken].pattern!r} takes {taken!r}. Put the narrower first."
            )
        elif rule.where is not None and named is not None:
            said.append(
                f"the rule for {rule} matches names, {named!r} among them, but its conditions "
                f"hold for none: of that one, {_state(specs[named])}."
            )
        elif near:
            said.append(
                f"the rule for {rule} matches no parameter.{_meant(rule.pattern)} Near: "
                f"{', '.join(near)}."
            )
        else:
            lost.append(str(rule))
            patterns.append(rule.pattern)
    if lost:
        shown = ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")
        said.append(
            f"no parameter is matched by the {'rule' if len(lost) == 1 else 'rules'} for "
            f"{', '.join(lost)}; the names are {shown}."
            f"{''.join(dict.fromkeys(map(_meant, patterns)))} Mend the patterns, remove the rules, "
            "or say `optional`."
        )
    return said


def _meant(pattern: str) -> str:
    """What is to be said of a glob that looks like something else."""
    if pattern.startswith(REGEX):
        return ""
    if re.search(r"\{[^{}]*,[^{}]*\}", pattern):
        return (
            f" {{ and }} stand for themselves in a glob: {pattern!r} needs a rule for each choice, "
            "or 're:...(a|b)...'."
        )
    if re.search(r"\\[.dwsS]|\.\+|\(.*\|.*\)|^\^|\$$", pattern):
        return f" A regular expression begins with re:, as in {REGEX + pattern!r}."
    return ""
