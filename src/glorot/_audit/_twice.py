# SPDX-License-Identifier: Apache-2.0
"""What should be different and is not, and what should be the same and is not: shards, tensors,
draws, ties."""

import math
from collections.abc import Iterable

from glorot._audit import _repeats
from glorot._audit._facts import Finding
from glorot._audit._plan import Plan
from glorot._audit._report import Problem
from glorot._audit._rows import Row
from glorot._audit._slices import find_copies
from glorot._audit._verdict import without_zeros

_USED_TWICE = "one seeded initializer, seed or key used more than once?"
_ENDS = ("emb", "wte", "head", "shared", "decoder.weight", "output")


class Doubles:
    """What was found twice.

    Attributes:
        findings: with the rows they are of; problems: of several parameters; notes: of ties.
        tests: how many comparisons could have been wrong by chance.
    """

    def __init__(self, rows: Iterable[Row], plan: Plan, tests: int, false_alarms: float) -> None:
        self.findings: list[tuple[Row, Finding]] = []
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        firsts: dict[str, Row] = {}
        for row in rows:
            firsts.setdefault(row.parameter.name, row)
        self.random = {name: row for name, row in firsts.items() if _is_random(row)}
        shapes = (row.parameter.spec.shape for row in self.random.values())
        self.tests = sum(map(_repeats.divisions, shapes)) + len(self.random)
        self.tests += sum(
            len(row.parameter.spec.shape) for row in self.random.values() if row.begins
        )
        log_p = math.log(false_alarms / max(1, tests + self.tests))
        unsure = [row for row in self.random.values() if not row.sure]
        for row in unsure:
            self._shards(row, log_p)
        measures = {name: row.whole for name, row in self.random.items()}
        parameters = [row.parameter for row in self.random.values() if _tells(row, log_p)]
        equal = [[p.name for p in g] for g in _repeats.equal_tensors(parameters, measures)]
        for names in equal:
            self._equal(names, plan)
        self._draws(unsure, {name: names[0] for names in equal for name in names})
        self.notes += [f"tied: {', '.join(names)}" for names in plan.tied]
        same = {name for names in equal for name in names}
        for name in sorted(plan.left_out.keys() - same):
            self._untied(name, plan)

    def _shards(self, row: Row, log_p: float) -> None:
        equal = _repeats.coincidence(without_zeros(row.whole), row.bits)
        repeat = _repeats.find_repeat(row.parameter, equal, log_p)
        if repeat is None:
            self._copies(row, equal, log_p)
            return
        what, cause = (
            f"shards of {repeat.size}",
            "each rank drew its shard from the same seed (DTensor, FSDP)?",
        )
        if repeat.size == 1:
            what, cause = "slices", "one was drawn and copied?"
        text = (
            f"{repeat.equal} of {repeat.shards} {what} along axis {repeat.axis} hold the same "
            f"values: {cause}"
        )
        group = repeat.axis, repeat.shards, repeat.equal
        self.findings.append((row, Finding("repeated", group, text, -math.inf)))

    def _copies(self, row: Row, equal: float, log_p: float) -> None:
        copies = find_copies(row.parameter, row.begins, equal, log_p) if row.begins else None
        if copies is None:
            return
        length = row.parameter.spec.shape[copies.axis]
        text = (
            f"{copies.number}{' or more' * copies.more} of {length:,} slices along axis "
            f"{copies.axis} hold the values of an earlier one (the first: {copies.second} those of "
            f"{copies.first}): copied, drawn twice from one seed, or a table grown by one row?"
        )
        group = copies.axis, copies.first, copies.second
        self.findings.append((row, Finding("repeated", group, text, -math.inf)))

    def _equal(self, names: list[str], plan: Plan) -> None:
        promised = [name for name in names if name in plan.promises]
        ends = not plan.promises and all(any(w in n.lower() for w in _ENDS) for n in names)
        if ends or (plan.promises and len(promised) < 2):
            self.notes.append(f"equal, so probably tied: {', '.join(names)}")
            return
        text = f"hold equal values: {_USED_TWICE} Or a copied layer (deepcopy)?"
        self.problems.append(Problem("repeated", tuple(names), text))

    def _draws(self, rows: list[Row], known: dict[str, str]) -> None:
        """Tensors of other shapes or scales that begin with the same draws."""
        heads: dict[bytes, list[str]] = {}
        for row in rows:
            head = _repeats.head(row.parameter, row.segment.mean if row.segment else 0.0)
            if head is not None:
                heads.setdefault(head, []).append(row.parameter.name)
        for names in heads.values():
            if len({known.get(name, name) for name in names}) > 1:
                text = f"begin with the same draws, in another scale or shape: {_USED_TWICE}"
                self.problems.append(Problem("repeated", tuple(names), text))

    def _untied(self, name: str, plan: Plan) -> None:
        row = self.random.get(name)
        if row is None or len(row.parameter.spec.shape) < 2:
            return
        shape = row.parameter.spec.shape
        for left, rule in plan.left_out.items():  # more than a head: what is trained, for example
            if rule is plan.left_out[name] and left in self.random:
                beside = self.random[left].parameter.spec.shape
                if len(beside) > 1 and beside not in (shape, shape[::-1]):
                    return
        for other, promise in plan.promises.items():
            if other not in self.random or not _may_be_tied(row, self.random[other]):
                continue
            if promise.assignment.shape in (shape, shape[::-1]):
                text = (
                    f"the recipe leaves it out, and it holds values of its own (stddev "
                    f"{row.found.stddev:.4g}), not those of {other!r}, of its shape: an untied "
                    "head?"
                )
                self.problems.append(Problem("untied", (name,), text))
                return


def _may_be_tied(row: Row, other: Row) -> bool:
    """Whether one of two weights is an embedding, as far as their layers say what they are."""
    types = row.parameter.spec.type, other.parameter.spec.type
    return not all(types) or any("embed" in each.lower() for each in types)


def _tells(row: Row, log_p: float) -> bool:
    """Whether it has so many values that another tensor is not equal to it by chance."""
    found = without_zeros(row.whole)
    equal = _repeats.coincidence(found, row.bits)
    return equal < 1 and found.finite * math.log(equal) < 2 * log_p


def _is_random(row: Row) -> bool:
    found = row.whole
    if not found.patterns.size or found.nans or found.smallest == found.largest:
        return False
    if row.promise is None:
        return not _repeats.is_sequence(row.parameter)
    return row.promise.assignment.initializer.random
