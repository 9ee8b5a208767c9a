# SPDX-License-Identifier: Apache-2.0
"""The table of docs/replay.md, from what glorot.replay.guarantee knows.

    python tools/make_replay_table.py [--check]

A row of the library is a row of the table.  Writes it between the page's two marks; with --check
only compares, and exits with 1 where they differ.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

from glorot.replay._guarantee import Guarantee, rows

PAGE = Path(__file__).resolve().parents[1] / "docs" / "replay.md"
BEGIN, END = "<!-- table: tools/make_replay_table.py -->\n", "<!-- end of table -->\n"
HEADING = (
    "| framework | version | distribution | functions | dtype | exact | needs | a shard alone | "
    "cases compared | note |",
    "|---|---|---|---|---|---|---|---|---|---|",
)


def spelled_once(names: Iterable[str]) -> list[str]:
    """Dotted names by what is before the last dot, of two spellings the first alone."""
    found: dict[str, dict[str, str]] = {}
    for name in names:
        prefix, _, last = name.rpartition(".")
        found.setdefault(prefix, {}).setdefault(last.replace("_", "").lower(), last)
    return [f"`{prefix}.` {' '.join(lasts.values())}" for prefix, lasts in found.items()]


def cells(row: Guarantee, remarks: list[str]) -> tuple[str, ...]:
    """A guarantee as the cells of one line; what is long becomes a numbered remark."""
    numbers = []
    for remark in (row.tolerance, row.note):
        if remark and remark not in remarks:
            remarks.append(remark)
        numbers.append(f"({remarks.index(remark) + 1})" if remark else "")
    near, note = numbers
    return (
        row.framework,
        ", ".join(row.versions),
        row.distribution,
        "; ".join(spelled_once(row.functions)),
        ", ".join(row.dtypes),
        "yes" if row.exact else f"near {near}",
        row.arithmetic,
        "yes" if row.seekable else "no",
        f"{row.cases:,}",
        note,
    )


def table() -> str:
    """The whole table, in Markdown, and its remarks."""
    remarks: list[str] = []
    lines = [*HEADING, *("| " + " | ".join(cells(row, remarks)) + " |" for row in rows()), ""]
    lines += [f"{number}. {remark}" for number, remark in enumerate(remarks, 1)]
    return "".join(line + "\n" for line in lines)


def page(text: str) -> str:
    """The page's text with the table in its place."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + table() + END + after


def main() -> int:
    """Write the table, or with --check compare it."""
    old = PAGE.read_text(encoding="utf-8")
    new = page(old)
    if "--check" in sys.argv[1:]:
        if old != new:
            print(f"{PAGE} has another table; run tools/make_replay_table.py")
        return int(old != new)
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
