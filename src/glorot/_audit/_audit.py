# SPDX-License-Identifier: Apache-2.0
"""`audit`: read a model once, and say what is wrong with its first values."""

import collections
import math
import time
from collections.abc import Mapping
from typing import Any

from glorot._audit import _pooled
from glorot._audit._facts import Facts, Finding
from glorot._audit._plan import Plan, make_plan
from glorot._audit._promise import SPARSE
from glorot._audit._report import KINDS, MOST_NAMES, AuditReport, Problem
from glorot._audit._rows import Row, read_rows
from glorot._audit._rows import report as report_row
from glorot._audit._sources import read_model, shapes_beside
from glorot._audit._twice import Doubles
from glorot._audit._verdict import judge, judge_alone
from glorot._dtypes import ALL
from glorot._stream import check_seed
from glorot.checkpoint._arguments import Progress, check_progress
from glorot.recipe._argument import read_recipe

FALSE_ALARMS = 1e-6
MOST_CAUSES = 2


def audit(
    model: Any,
    recipe: Any = None,
    seed: int | None = None,
    *,
    specs: Mapping[str, Any] | None = None,
    singular_values: bool | None = None,
    progress: Progress | None = None,
) -> AuditReport:
    """Read every parameter of a model once and return what it is, and what is wrong with it.

    Without a recipe: values that are no numbers, equal shards, equal tensors, draws used twice.
    With one: also each parameter's law, its mean, stddev and distribution, exactly as its dtype
    rounds them; constants; parameters that nothing initialised; ties. With a seed: also every
    byte. All tests together call a correct model wrong once in a million times, at most, by bounds
    that hold for any number of elements.

    Args:
        model: the path of a checkpoint (a .safetensors file, a folder with one or an index, or a
            directory of torch.distributed.checkpoint in whatever pieces; read 2**18 elements at a
            time); a mapping, nested or not, from names to arrays of any
            framework; a torch, flax.nnx or TensorFlow module; a Keras model; a JAX tree. A DTensor
            is gathered, so that all ranks must call.
        recipe: a `glorot.Recipe`, the name of a built-in one, the path of a file, or one
            initializer for all parameters, as for `init` of the adapters; or None.
        seed: that the recipe was used with: 0 <= seed < 2**64; or None, for statistics alone.
        specs: what layers say of types and axes, which a mapping or a JAX tree does not, as for
            `glorot.jax.init`: `glorot.sources.read(module).shapes`.
        singular_values: of all matrices, of none, or (None) of those up to 2**22 elements.
        progress: called with (bytes done, bytes in all).

    Raises:
        TypeError: nothing that holds parameters, an unsupported dtype, a seed without a recipe.
        ValueError: no parameters, some without values, or two of one name; a malformed file or
            recipe; specs of another model.
        OSError: a file that cannot be read.

    Examples:
        >>> import glorot
        >>> recipe = glorot.Recipe([glorot.Rule("*", "he_normal", layout="torch.linear")])
        >>> weight = glorot.HeNormal(seed=0)((512, 128), name="up")  # as (in, out), by mistake
        >>> report = glorot.audit({"up": weight}, recipe)
        >>> report.ok, report.problems[0].kind, report.parameters[0].fans
        (False, 'stddev', (128.0, 512.0))
        >>> print(report.problems[0].text.partition(":")[0])
        stddev is 2 times too small (0.06251, 0.125 promised, z -164)
    """
    begin = time.perf_counter()
    check_progress(progress)
    number = None if seed is None else check_seed(seed)
    if recipe is None and seed is not None:
        raise TypeError("`seed` says nothing without `recipe`: give the recipe it was used with.")
    known = None if recipe is None else read_recipe(recipe)
    found = read_model(model, specs)
    said = {} if known is None else shapes_beside(model, known)
    plan = make_plan(found.parameters, known, said)
    sizes = [math.prod(p.spec.shape) * ALL[p.spec.dtype or ""].itemsize for p in plan.parameters]
    rows: list[Row] = []
    done = 0
    for parameter, size in zip(plan.parameters, sizes, strict=True):
        promise = plan.promises.get(parameter.name)
        rows += read_rows(parameter, promise, number, singular_values)
        done += size
        if progress is not None:
            progress(done, sum(sizes))
    problems, notes, tests = _judge(rows, plan, number)
    order = {kind: rank for rank, kind in enumerate(KINDS)}
    return AuditReport(
        problems=tuple(sorted(problems, key=lambda p: (order[p.kind], p.log_p))),
        notes=(*found.notes, *notes),
        parameters=tuple(map(report_row, rows)),
        tests=tests,
        false_alarms=FALSE_ALARMS,
        limit=FALSE_ALARMS / max(1, tests),
        recipe=None if known is None else known.fingerprint,
        seed=number,
        seconds=time.perf_counter() - begin,
        histograms={row.title: (row.found, row.law) for row in rows},
    )


def _judge(rows: list[Row], plan: Plan, seed: int | None) -> tuple[list[Problem], list[str], int]:
    """What is wrong, what else is to be said, and how many tests were made."""
    pools = _pooled.pools(
        (row.tested, row.law, row.dtype.name)
        for row in rows
        if row.law is not None and row.outcomes and row.segment and row.segment.kind != SPARSE
    )
    tests = sum(len(row.outcomes) for row in rows) + 2 * len(pools)
    doubles = Doubles(rows, plan, tests, FALSE_ALARMS)
    tests += doubles.tests
    limit = math.log(FALSE_ALARMS / max(1, tests))
    findings = list(doubles.findings)
    repeated = {row.title for row, _ in findings}
    for row in rows:
        finding = None if row.sure else _judge_row(row, limit)
        if finding is not None and not (finding.kind == "shape" and row.title in repeated):
            findings.append((row, finding))
        if finding is None and (differs := _differs(row, seed)) is not None:
            findings.append((row, differs))
    problems = plan.problems + doubles.problems + _join(findings)
    if all(finding.kind == "seed" for _, finding in findings):
        problems += [problem for pool in pools if (problem := _pooled.judge(pool, limit))]
    notes = list(doubles.notes)
    coarse: dict[str, list[str]] = {}
    for row in rows:
        if row.law and row.dtype.name != row.parameter.spec.dtype and row.found.patterns.size > 2:
            coarse.setdefault(row.dtype.name, []).append(row.title)
    notes += [
        f"float32 that holds {name} values, and is judged as such: {_few(titles)}"
        for name, titles in coarse.items()
    ]
    notes += [
        f"row {row.padding:,} of {row.title} is all 0 and is not judged: its layer's padding_idx?"
        for row in rows
        if row.padding is not None
    ]
    zeros = [row.title for row in rows if row.promise is None and _all_zero(row)]
    if zeros:
        notes.append(f"all 0, which a recipe may mean or not: {_few(zeros)}")
    if plan.left_out:
        notes.append(f"left out by the recipe: {', '.join(sorted(plan.left_out))}")
    return problems, notes, tests


def _all_zero(row: Row) -> bool:
    """Of a matrix: biases often are."""
    matrix = len(row.parameter.spec.shape) > 1 and row.found.count > 1
    return matrix and row.found.zeros == row.found.count


def _few(names: list[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}"


def _judge_row(row: Row, limit: float) -> Finding | None:
    if row.promise is None or row.segment is None:
        return judge_alone(row.found)
    found = row.found if row.padding is None else row.tested
    facts = Facts(
        row.promise, row.segment, found, row.law, row.outcomes, row.spectrum, row.dtype, row.taps
    )
    return judge(facts, limit)


def _differs(row: Row, seed: int | None) -> Finding | None:
    """What the bytes say where statistics find nothing wrong."""
    if not row.differing or row.promise is None:
        return None
    count = f"{row.differing:,} of {math.prod(row.parameter.spec.shape):,} values"
    if not row.promise.assignment.initializer.random:
        text = f"{count} are not what the rule fixes{row.first}"
        return Finding("constant", ("fixed",), text, -math.inf)
    text = (
        f"{count} are not those of seed {seed}{row.first}; their law fits: another seed or name, "
        "or not drawn by glorot?"
    )
    return Finding("seed", (), text, -math.inf)


def _explained(findings: list[tuple[Row, Finding]]) -> list[tuple[Row, Finding]]:
    """The findings with their causes in words: first that which most of them share, and of these
    the more specific."""
    shared = collections.Counter(cause for _, finding in findings for cause in finding.causes)
    found = []
    for row, finding in findings:
        causes = sorted(finding.causes, key=lambda cause: -shared[cause])[:MOST_CAUSES]
        words = f"{finding.text}: {' Or: '.join(causes)}"
        told = finding._replace(group=("cause", causes[0]), text=words) if causes else finding
        found.append((row, told))
    return found


def _join(findings: list[tuple[Row, Finding]]) -> list[Problem]:
    """One problem for the findings of one kind and cause, of one rule unless the cause is known."""
    groups: dict[object, list[tuple[Row, Finding]]] = {}
    for row, finding in _explained(findings):
        pattern = row.promise.assignment.rule.pattern if row.promise else ""
        known = finding.group[:1] in (("cause",), ("ratio",))
        shared = known or finding.kind in ("seed", "not finite")
        key = finding.kind, "" if shared else pattern, finding.group
        groups.setdefault(key, []).append((row, finding))
    problems = []
    for members in groups.values():
        row, worst = min(members, key=lambda member: member[1].log_p)
        names = list(dict.fromkeys(member.title for member, _ in members))
        if len(names) > MOST_NAMES:  # the line shows one, whose numbers it says
            names = [row.title, *(name for name in names if name != row.title)]
        problems.append(Problem(worst.kind, tuple(names), worst.text, worst.log_p))
    return problems
