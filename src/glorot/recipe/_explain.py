# SPDX-License-Identifier: Apache-2.0
"""What each parameter gets and why, as text and numbers that JSON can hold."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from glorot import _check
from glorot._layouts import BATCH, BOTH, GROUP, INPUT, OUTPUT, SPATIAL
from glorot.recipe._assignment import Assignment, BlockPlan
from glorot.recipe._pattern import matcher, parse_pattern
from glorot.recipe._rule import Rule
from glorot.recipe._shapes import TensorSpec

_FEW = 2
ROLES = {
    BATCH: "batch",
    SPATIAL: "field",
    GROUP: "group",
    INPUT: "in",
    BOTH: "in and out",
    OUTPUT: "out",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """What one parameter gets, and why.

    Attributes:
        rule: the number of the rule, the first is 0; pattern: its pattern.
        roles: of the axes: "batch", "field", "group", "in", "out", "in and out".
        fans: (fan_in, fan_out), of the largest block where there are some; None if left out.
        gain: what the rule multiplies the standard deviation with, in all.
        law: such as "N(0, 0.02)", those of the blocks joined by |; "left out".
        mean, stddev: what is promised of the values, before rounding to the dtype.
        blocks: name, shape, fans, law, stddev and gain of each block of a fused parameter.
        why: in words.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str | None
    rule: int
    pattern: str
    roles: tuple[str, ...]
    fans: tuple[float, float] | None
    gain: float | None
    law: str
    mean: float | None
    stddev: float | None
    blocks: tuple[BlockPlan, ...]
    why: str

    def as_dict(self) -> dict[str, Any]:
        """Return it as what JSON can hold."""
        return dataclasses.asdict(self)


def explain(
    rules: Sequence[Rule],
    specs: Mapping[str, TensorSpec],
    matched: Mapping[str, Rule],
    assignments: Iterable[Assignment],
    pattern: str,
) -> list[Explanation]:
    """Return the explanations of the parameters whose names match `pattern`."""
    wanted = matcher(parse_pattern(pattern))
    names = [name for name in specs if wanted(name)]
    if not names:
        raise ValueError(
            f"`pattern` {pattern!r} matches no parameter. {_check.near(pattern, tuple(specs))}"
        )
    assigned = {assignment.name: assignment for assignment in assignments}
    numbers = {rule: number for number, rule in reversed(list(enumerate(rules)))}
    return [
        _explain(name, specs[name], rules, numbers[matched[name]], assigned.get(name))
        for name in names
    ]


def _explain(
    name: str,
    spec: TensorSpec,
    rules: Sequence[Rule],
    number: int,
    found: Assignment | None,
) -> Explanation:
    rule = rules[number]
    passed = _passed(name, rules[:number])
    held = [f"it has {rule.where}"] if rule.where else []
    if found is None:
        why = [*held, "the rule leaves it out", *passed]
        return Explanation(name, spec.shape, spec.dtype, number, rule.pattern, (), None, None,
                           "left out", None, None, (), "; ".join(why))  # fmt: skip
    init = found.initializer
    return Explanation(
        name, spec.shape, found.dtype, number, rule.pattern,
        tuple(ROLES[role] for role in found.roles), found.fans, found.gain, found.law,
        init.expected_mean(spec.shape), found.stddev, found.blocks,
        "; ".join((*held, *found.why, *passed)) or "by the rule",
    )  # fmt: skip


def _passed(name: str, earlier: Sequence[Rule]) -> list[str]:
    """The rules before its own that name it too: a few with what they ask for, many by number."""
    found = [(i, rule) for i, rule in enumerate(earlier) if matcher(rule.pattern)(name)]
    if len(found) > _FEW:
        numbers = ", ".join(str(i) for i, _ in found)
        return [f"rules {numbers} name it and ask for something else"]
    return [f"rule {i} names it and asks for {rule.where}" for i, rule in found]
