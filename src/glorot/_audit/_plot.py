# SPDX-License-Identifier: Apache-2.0
"""One picture of an audit: each parameter's stddev beside what is promised, and the histograms of
those furthest from it.  Needs matplotlib, the extra `plot`."""

import math
from pathlib import Path
from typing import Any

import numpy as np

from glorot._audit._distribution import Distribution
from glorot._audit._measure import Array, Measure, pattern_values
from glorot._audit._report import AuditReport, ParameterReport
from glorot._dtypes import ALL
from glorot._words import counted

_HISTOGRAMS = 6
_BINS = 61
_SUFFIXES = (".png", ".pdf", ".svg")


def check(path: Path) -> None:
    """Refuse a picture that cannot be drawn.

    Raises:
        ValueError: a suffix that is none of a picture's, or no matplotlib.
        FileNotFoundError: its folder is not there.
    """
    if path.suffix not in _SUFFIXES:
        raise ValueError(f"`--plot` must end in {', '.join(_SUFFIXES)}; got {str(path)!r}.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"the folder of `--plot`, {path.parent}, does not exist. Make it.")
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ValueError(
            "`--plot` draws with matplotlib, which is not installed: pip install 'glorot[plot]'."
        ) from None


def draw(report: AuditReport, path: Path) -> None:
    """Draw the picture of a report into a file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [row for row in report.parameters if row.stddev or row.expected_stddev]
    worst = _worst(report, rows)
    figure = Figure(figsize=(12, 4 + 2.6 * math.ceil(len(worst) / 3)), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(1 + math.ceil(len(worst) / 3), 3)
    _stddevs(figure.add_subplot(grid[0, :]), report, rows)
    for number, row in enumerate(worst):
        panel = figure.add_subplot(grid[1 + number // 3, number % 3])
        _histogram(panel, row, *report.histograms[row.title])
    figure.savefig(path, dpi=120)


def _worst(report: AuditReport, rows: list[ParameterReport]) -> list[ParameterReport]:
    """The parameters of problems first, then those with the largest z-scores."""
    named = {name for problem in report.problems for name in problem.names}

    def badness(row: ParameterReport) -> tuple[bool, float]:
        wrong = row.title in named or row.name in named
        return wrong, max(abs(row.z_mean or 0.0), abs(row.z_variance or 0.0))

    drawn = [row for row in rows if row.title in report.histograms and row.stddev]
    drawn.sort(key=badness, reverse=True)
    kinds: dict[object, ParameterReport] = {}  # the worst of each rule first
    for row in drawn:
        kinds.setdefault((row.pattern or row.name, row.block), row)
    first = list(kinds.values())
    titles = {row.title for row in first}
    return [*first, *(row for row in drawn if row.title not in titles)][:_HISTOGRAMS]


def _stddevs(panel: Any, report: AuditReport, rows: list[ParameterReport]) -> None:
    named = {name for problem in report.problems for name in problem.names}
    bad = [i for i, row in enumerate(rows) if row.title in named or row.name in named]
    good = [i for i in range(len(rows)) if i not in bad]
    expected = [(i, row.expected_stddev) for i, row in enumerate(rows) if row.expected_stddev]
    for places, color, label in ((good, "tab:blue", "measured"), (bad, "tab:red", "wrong")):
        shown = [i for i in places if rows[i].stddev]
        if shown:
            panel.plot(shown, [rows[i].stddev for i in shown], "o", ms=4, color=color, label=label)
    if expected:
        panel.plot(
            *zip(*expected, strict=True), "_", ms=9, mew=1.5, color="black", label="promised"
        )
    if any(row.stddev for row in rows):
        panel.set_yscale("log")
        panel.legend()
    count = len(report.problems)
    verdict = counted(count, "problem") if count else "nothing wrong"
    panel.set(title=f"standard deviation of each parameter: {verdict}", xlabel="parameter")
    if len(rows) <= 40:
        panel.set_xticks(range(len(rows)), [row.title for row in rows], rotation=90, fontsize=6)


def _histogram(panel: Any, row: ParameterReport, found: Measure, law: Distribution | None) -> None:
    """Counts of values by size, and what the law gives of them."""
    values, counts = _points(found, found.held or row.dtype)
    if not values.size:
        return
    low, high = float(values.min()), float(values.max())
    if law is not None:
        reach = 4.5 * math.sqrt(law.variance)
        low, high = min(low, law.mean - reach), max(high, law.mean + reach)
    edges = np.linspace(low, high, _BINS)
    share, _ = np.histogram(values, edges, weights=counts / counts.sum())
    panel.stairs(share, edges, fill=True, color="tab:blue", alpha=0.5)
    if law is not None:
        ends = np.where(np.isfinite(law.table.low), law.table.low, 0.0)
        middles = (ends + np.where(np.isfinite(law.table.high), law.table.high, 0.0)) / 2
        promised, _ = np.histogram(middles, edges, weights=law.table.probability)
        panel.stairs(promised, edges, color="black")
    panel.set_title(f"{row.title}\n{row.law}", fontsize=8)
    panel.set_yticks([])


def _points(found: Measure, dtype: str) -> tuple[Array, Array]:
    values = pattern_values(ALL[dtype])
    if ALL[dtype].itemsize > 2:  # the middle of each bin
        values = values * (1 + 2.0**-8)
    known = np.isfinite(values[found.patterns])
    return values[found.patterns][known], found.counts[known]
