# SPDX-License-Identifier: Apache-2.0
"""The tables of docs/benchmarks.md from a run's JSON file: python -m benchmarks.markdown FILE."""

import json
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Record = dict[str, Any]
LAWS = ("uniform", "normal", "truncated")
DTYPES = ("float32", "bfloat16")
HOLDS = {True: "yes", False: "**no**", None: "-"}


def _rate(record: Record) -> str:
    """GB/s of the best round, and of the median one."""
    size, rounds = record["bytes"] / 1e9, record["rounds"]
    return f"{size / min(rounds):.3g} ({size / statistics.median(rounds):.3g})"


def _machine(machine: Record) -> str:
    cpu = machine["cpu"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    return (
        f"{cpu['model name']}, family {cpu['cpu family']} model {cpu['model']}, "
        f"{machine['cpus']} cores, Python {machine['python']}, {versions}. Load averages "
        f"{machine['load before']} before and {machine['load after']} after."
    )


def _law(records: list[Record], law: str) -> Iterator[str]:
    fills = [r for r in records if r["topic"] == "fill" and r["law"] == law]
    fills = [r for r in fills if r["shape"] == [8192, 8192]]
    columns = [(d, t) for d in DTYPES for t in sorted({r["threads"] for r in fills})]
    yield f"| {law} | " + " | ".join(f"{d}, {t} thr." for d, t in columns) + " |"
    yield "|---|" + "---:|" * len(columns)
    for who in dict.fromkeys(r["who"] for r in fills):
        cells = []
        for dtype, threads in columns:
            found = [
                r for r in fills if (r["who"], r["dtype"], r["threads"]) == (who, dtype, threads)
            ]
            cells.append(_rate(found[0]) if found else "")
        yield f"| {who} | " + " | ".join(cells) + " |"


def tables(run: Record) -> Iterator[str]:
    """The lines of the dated section."""
    yield f"## A run of {run['machine']['date'][:10]}\n"
    yield _machine(run["machine"]) + "\n"
    yield "| | needs | measured | holds |\n|---|---|---|---|"
    for row in run["rows"]:
        yield f"| {row['what']} | {row['needs']} | {row['measured']} | {HOLDS[row['holds']]} |"
    yield "\n8192 x 8192, GB/s of the best round (of the median one):"
    for law in LAWS:
        yield ""
        yield from _law(run["records"], law)


if __name__ == "__main__":
    print("\n".join(tables(json.loads(Path(sys.argv[1]).read_text()))))
