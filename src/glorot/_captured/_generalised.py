# SPDX-License-Identifier: Apache-2.0
"""From one initializer a name to a few rules with patterns: the shortest ends of names that tell
initializers apart."""

import collections
import re
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from glorot._base import Initializer
from glorot.recipe._pattern import REGEX, matcher
from glorot.recipe._rule import Rule

_MANY = 8  # rules for parts with names of their own
_BRACKETS = re.compile(r"([\[*?])")
_NUMBER = re.compile(r"_\d+$")


class Choice(NamedTuple):
    """What a parameter gets: an initializer, by whose fans where not its own, and whether as a
    whole what its layer says is fused; None of an initializer leaves it out."""

    initializer: Initializer | None
    fans_of: str = ""
    whole: bool = False


def rules_of(names: Mapping[str, Choice], optional: Collection[str] = ()) -> list[Rule]:
    """Return rules that give each name its initializer, the narrower first.

    Args:
        names: of all parameters, in the model's order.
        optional: those that may be missing where the rules are used: rules for these alone may
            match nothing.

    Examples:
        >>> import glorot
        >>> normal, ones = Choice(glorot.RandomNormal(stddev=0.02)), Choice(glorot.Ones())
        >>> names = {f"h.{i}.{part}.w": normal for i in range(12) for part in ("up", "down")}
        >>> names |= {f"h.{i}.ln.w": ones for i in range(12)} | {"wte": normal}
        >>> [(rule.pattern, rule.initializer) for rule in rules_of(names)][-2:]
        [('*.ln.w', Ones()), ('wte', RandomNormal(mean=0.0, stddev=0.02))]
    """
    patterns = _patterns(names)
    first = {name: next((p for p in patterns if matcher(p)(name)), None) for name in names}
    wrong = [n for n, p in first.items() if p is None or patterns[p] != names[n]]
    patterns = {_literal(name): names[name] for name in wrong} | patterns
    used: dict[str, list[str]] = {pattern: [] for pattern in patterns}
    for name in names:
        used[next(p for p in patterns if matcher(p)(name))].append(name)
    return [
        Rule(
            pattern,
            patterns[pattern].initializer,
            fans_of=patterns[pattern].fans_of or None,
            blocks=1 if patterns[pattern].whole else None,
            optional=all(name in optional for name in matched),
        )
        for pattern, matched in used.items()
        if matched
    ]


_Rest = list[tuple[tuple[str, ...], str]]  # (what of a name is left before its end, the name)


def _patterns(names: Mapping[str, Choice]) -> dict[str, Choice]:
    """Patterns of ends of names, as short as what all names of the end have is one initializer."""
    found: dict[str, Choice] = {}

    def visit(end: tuple[str, ...], those: _Rest) -> None:
        kinds = {names[name] for _, name in those}
        whole = [name for rest, name in those if not rest]
        # The number of a layer says less than what is numbered.
        numbered = bool(end) and (end[0] == "*" or end[0].isdigit())
        if len(kinds) == 1 and not (numbered and len(whole) < len(those)):
            (kind,) = kinds
            if whole:  # "*.bias" does not match "bias"
                found[".".join(end)] = kind
            if len(whole) < len(those):
                found["*." + ".".join(end) if end else "*"] = kind
            return
        if whole:
            most, _ = collections.Counter(names[name] for name in whole).most_common(1)[0]
            found.update((_literal(name), names[name]) for name in whole if names[name] != most)
            found[".".join(end)] = most
        branches = list(_branches(names, [item for item in those if item[0]]))
        common = None if numbered else _common(names, branches)
        if common is not None:
            found["*." + ".".join(end) if end else "*"] = common
        for last, below in branches:
            if common is None or {names[name] for _, name in below} != {common}:
                visit((last, *end), below)

    visit((), [(tuple(name.split(".")), name) for name in names])
    return dict(sorted(found.items(), key=lambda item: _stars(item[0])))


def _branches(names: Mapping[str, Choice], those: _Rest) -> Iterator[tuple[str, _Rest]]:
    """Those names by their last parts. Numbered ones ("3", "Dense_3") are one, but for numbers
    whose initializer is another."""
    groups: dict[str, dict[str, _Rest]] = {}
    for rest, name in those:
        group = "*" if rest[-1].isdigit() else _NUMBER.sub("_*", _literal(rest[-1]))
        groups.setdefault(group, {}).setdefault(rest[-1], []).append((rest[:-1], name))
    for group, numbers in groups.items():
        kinds = {last: {names[name] for _, name in below} for last, below in numbers.items()}
        if any(len(those) > 1 for those in kinds.values()):
            apart = set() if group == "*" else numbers.keys()
        else:
            (most, _), *_ = collections.Counter(
                next(iter(those)) for those in kinds.values()
            ).most_common(1)
            apart = {last for last, those in kinds.items() if most not in those}
        together = [last for last in numbers if last not in apart]
        for last in numbers:
            if last in apart:
                yield _literal(last), numbers[last]
        if len(together) == 1 and group != "*":
            yield _literal(together[0]), numbers[together[0]]
        elif together:
            yield group, [item for last in together for item in numbers[last]]


def _stars(pattern: str) -> tuple[int, int, int]:
    """A long end comes before a short one, then one name before many."""
    parts = pattern.split(".")
    every, numbered = parts.count("*"), sum(part.endswith("_*") for part in parts)
    return -len(parts), every + numbered, every


def _common(names: Mapping[str, Choice], branches: list[tuple[str, _Rest]]) -> Choice | None:
    """What so many parts have that one rule is for all but the others, as for the kernels of a
    model whose layers all have names of their own."""
    kinds = [{names[name] for _, name in below} for _, below in branches]
    counts = collections.Counter(next(iter(kind)) for kind in kinds if len(kind) == 1)
    most, count = max(counts.items(), key=lambda item: item[1], default=(None, 0))
    return most if count > _MANY else None


def _literal(text: str) -> str:
    escaped = _BRACKETS.sub(r"[\1]", text)
    return f"[{escaped[0]}]{escaped[1:]}" if escaped.startswith(REGEX) else escaped
