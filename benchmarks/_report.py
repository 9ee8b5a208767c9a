# SPDX-License-Identifier: Apache-2.0
"""Tables on the terminal."""

import statistics
from itertools import groupby
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks._needs import Record, Records, Row, best, speed

STYLES = {"glorot": "bold", "peer": "", "bare": "dim", "ceiling": "dim"}


def _threads(count: int) -> str:
    return "1 thread" if count == 1 else f"{count} threads"


def _size(shape: Any) -> str:
    return " x ".join(map(str, shape))


def _fills(records: list[Record]) -> list[Table]:
    tables = []
    keys = ("threads", "dtype", "law")
    ordered = sorted(records, key=lambda r: [str(r[k]) for k in keys])
    for (threads, dtype, law), group in groupby(ordered, key=lambda r: [r[k] for k in keys]):
        known = Records(list(group))
        shapes = sorted({tuple(r["shape"]) for r in known.records})
        table = Table(
            title=f"fill: {law}, {dtype}, {_threads(threads)}: GB/s, best round (median)",
            title_justify="left",
        )
        table.add_column("", no_wrap=True)
        for shape in shapes:
            table.add_column(_size(shape), justify="right")
        table.add_column("glorot over it", justify="right")
        table.add_column("note", style="dim")
        first = next(r["who"] for r in known.records if r["kind"] == "glorot")
        for who in dict.fromkeys(r["who"] for r in known.records):
            cells, over = [], ""
            for shape in shapes:
                record = known.one(who=who, shape=list(shape))
                if record is None:
                    cells.append("")
                    continue
                median = record["bytes"] / statistics.median(record["rounds"]) / 1e9
                cells.append(f"{speed(record):.3g} ({median:.3g})")
                ours = known.one(who=first, shape=list(shape))
                if shape == shapes[-1] and ours is not None:
                    over = f"{speed(ours) / speed(record):.2f}"
            last = known.where(who=who)[-1]
            table.add_row(who, *cells, over, last["note"], style=STYLES[last["kind"]])
        tables.append(table)
    return tables


def _times(topic: str, records: list[Record]) -> list[Table]:
    tables = []
    keys = ("threads", "dtype", "law", "shape")
    for key, group in groupby(records, key=lambda r: [r.get(k) for k in keys]):
        threads, dtype, law, shape = key
        title = [topic, law, dtype, shape and _size(shape), _threads(threads)]
        table = Table(title=", ".join(filter(None, title)), title_justify="left")
        table.add_column("")
        for name in ("best", "median", "GB/s, best"):
            table.add_column(name, justify="right")
        table.add_column("note")
        for record in group:
            times = (best(record), statistics.median(record["rounds"]))
            cells = [f"{t * 1e6:.2f} us" if t < 1e-3 else f"{t * 1e3:.2f} ms" for t in times]
            rate = f"{speed(record):.2f}" if record["bytes"] else ""
            style = STYLES[record["kind"]]
            table.add_row(record["who"], *cells, rate, record["note"], style=style)
        tables.append(table)
    return tables


def show(console: Console, records: list[Record], rows: list[Row], quick: bool) -> None:
    """Print every table, the design's rows last."""
    for topic in dict.fromkeys(r["topic"] for r in records):
        found = [r for r in records if r["topic"] == topic]
        tables = _fills(found) if topic == "fill" else _times(topic, found)
        for table in tables:
            console.print(table)
    title = "what the design needs" + (" (--quick: sizes too small to judge by)" if quick else "")
    table = Table(title=title, title_justify="left")
    for name in ("", "needs", "measured", "holds"):
        table.add_column(name)
    words = {True: "[green]yes[/]", False: "[red]no[/]", None: "-"}
    for row in rows:
        table.add_row(row.what, row.needs, row.measured, words[row.holds])
    console.print(table)
