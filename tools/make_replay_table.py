# SPDX-License-Identifier: Apache-2.0
"""The table of docs/replay.md, from what glorot.replay.guarantee knows.

    python tools/make_replay_table.py [--check]

A row of the library is a row of the table.  Writes it between the page's two marks; with --check
only compares, and exits with 1 where they differ.
"""

import sys
from pathlib import Path

from glorot.replay._guarantee import Guarantee, rows

PAGE = Path(__file__).resolve().parents[1] / "docs" / "replay.md"
BEGIN, END = "<!-- table: tools/make_replay_table.py -->\n", "<!-- end of table -->\n"
HEADING = (
    "| of | versions | functions | dtypes | exact | arithmetic | a shard alone | compared | note |",
    "|---|---|---|---|---|---|---|---|---|",
)


def cells(row: Guarantee) -> tuple[str, ...]:
    """A guarantee as the cells of one line."""
    return (
        row.framework,
        ", ".join(row.versions),
        " ".join(f"`{name}`" for name in row.functions),
        " ".join(row.dtypes),
        "yes" if row.exact else f"to {row.tolerance}",
        row.arithmetic,
        "yes" if row.seekable else "no",
        f"{row.cases:,}",
        row.note,
    )


def table() -> str:
    """The whole table, in Markdown."""
    lines = [*HEADING, *("| " + " | ".join(cells(row)) + " |" for row in rows())]
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
