# SPDX-License-Identifier: Apache-2.0
"""What an audit found, as a table and one line a problem; and its picture."""

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glorot._audit import AuditReport, ParameterReport
from glorot._words import counted
from glorot.cli._show import console, make_table, plain, print_table

_RIGHT = ("mean", "stddev", "expected", "z mean", "z stddev", "zeros")
# What is not needed to see what is wrong, on a terminal that is too narrow for all.
_SPARE = ("singular values", "dtype", "extremes", "mean", "expected", "z mean", "shape", "law")
_NUMBER = re.compile(r"(?<![^./])\d+(?![^./])")  # of a layer, in a name


def show(report: AuditReport, *, full: bool) -> None:
    """Print the table, what is wrong, what else is to be known, and the verdict."""
    out = console()
    columns = ["parameter" if full else "parameters", "shape", "dtype"]
    if report.recipe is None:
        columns += ["mean", "stddev", "extremes", "zeros", "singular values"]
    else:
        columns += ["law", "stddev", "expected", "z mean", "z stddev", "extremes"]
        columns += ["singular values"] + ["bytes"] * (report.seed is not None)
    table = make_table(*columns, right=_RIGHT)
    groups: dict[Any, list[ParameterReport]] = {}
    for number, row in enumerate(report.parameters):
        name = row.pattern or _NUMBER.sub("*", row.name)
        key = (name, row.block, row.shape, row.dtype, row.law)
        groups.setdefault(number if full else key, []).append(row)
    lost = {
        name for problem in report.problems if problem.kind == "coverage" for name in problem.names
    }
    for rows in groups.values():
        cells = _cells(rows)
        if not cells["law"]:
            cells["law"] = "no rule" if rows[0].name in lost else "left out"
        table.add_row(*(cells[column] for column in columns))
    print_table(out, table, _SPARE)
    for problem in report.problems:
        out.print(plain(str(problem)), soft_wrap=True)
    for note in report.notes:
        out.print(plain(note), soft_wrap=True)
    names = {row.name for row in report.parameters}
    recipe = f", recipe {report.recipe[:8]}" if report.recipe else ""
    verdict = "nothing wrong" if report.ok else counted(len(report.problems), "problem")
    out.print(
        f"{verdict}: {counted(len(names), 'parameter')}, {counted(report.count, 'element')}, "
        f"{counted(report.tests, 'test')} in {report.seconds:.2f} s "
        f"(one false alarm in {1 / report.false_alarms:,.0f} correct models"
        f"{recipe})",
        soft_wrap=True,
    )


def _cells(rows: Sequence[ParameterReport]) -> dict[str, str]:
    """One line, by column; of several parameters, the row furthest from what is promised."""
    row = max(rows, key=lambda r: (max(abs(r.z_mean or 0), abs(r.z_variance or 0)), r.stddev or 0))
    title = row.title
    if len(rows) > 1:
        block = f"[{row.block}]" if row.block else ""
        title = f"{row.pattern or _NUMBER.sub('*', row.name)}{block} ({len(rows)})"
    bad = sum(r.nans + r.infinities for r in rows)
    zeros = sum(r.zeros for r in rows)
    differ = sum(r.differing or 0 for r in rows)
    extremes = f"{_number(row.smallest, '.3g')} .. {_number(row.largest, '.3g')}"
    singular = ""
    if row.singular is not None:
        about = "" if row.exact_singular else "about "
        singular = f"{about}{row.singular[0]:.3g} .. {row.singular[1]:.3g}"
    return {
        "parameter": plain(title),
        "parameters": plain(title),
        "shape": " x ".join(map(str, row.shape)) or "scalar",
        "dtype": row.dtype,
        "law": plain(row.law),
        "mean": _number(row.mean, ".3g"),
        "stddev": _number(row.stddev, ".4g"),
        "expected": _number(row.expected_stddev, ".4g"),
        "z mean": _number(row.z_mean, "+.1f"),
        "z stddev": _number(row.z_variance, "+.1f"),
        "extremes": f"{extremes}, {bad:,} no number" if bad else extremes,
        "zeros": f"{zeros:,}" if zeros else "",
        "singular values": singular,
        "bytes": f"{differ:,} differ" if differ else "equal" if row.differing == 0 else "",
    }


def _number(value: float | None, form: str) -> str:
    if value is None or not math.isfinite(value):
        return ""
    text = format(value, form)
    return text if float(text) else text.replace("-", "+" if "+" in form else "")


def check_plot(path: Path, *, force: bool) -> None:
    """Refuse, before anything is read, a picture that could not be drawn.

    Raises:
        ValueError: matplotlib is missing; a suffix that it does not draw.
        FileExistsError: the file is there and `force` is not given.
        FileNotFoundError: its folder is not there.
    """
    from glorot._audit import _plot

    _plot.check(path)
    if path.exists() and not force:
        raise FileExistsError(f"{path} is there already. Give --force to replace it.")


def draw(report: AuditReport, path: Path) -> None:
    """Draw the picture of a report."""
    from glorot._audit import _plot

    _plot.draw(report, path)
