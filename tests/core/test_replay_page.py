# SPDX-License-Identifier: Apache-2.0
"""docs/replay.md: its examples run, its table is what the library promises."""

import doctest
import re
import runpy
from pathlib import Path

from glorot.replay._guarantee import PACKAGES, rows

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "replay.md"
TEXT = PAGE.read_text(encoding="utf-8")
TOOL = runpy.run_path(str(ROOT / "tools" / "make_replay_table.py"))


def test_examples_run():
    """Every example prints what it shows, and each package has one."""
    result = doctest.testfile(str(PAGE), module_relative=False, optionflags=doctest.ELLIPSIS)

    assert result.failed == 0
    assert result.attempted > 60
    for package in PACKAGES:
        assert re.search(rf"^>>> (?!from).*\b{package}\.", TEXT, re.MULTILINE), package


def test_the_table_is_fresh():
    """It is what tools/make_replay_table.py would write."""
    assert TOOL["page"](TEXT) == TEXT


def test_the_table_says_all():
    """A line for each row; every function is in it, under one of its spellings."""
    table = TOOL["table"]()
    lines = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(lines) == len(rows())
    for line, row in zip(lines, rows(), strict=True):
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        assert len(cells) == 10
        assert (cells[0], cells[2], cells[8]) == (row.framework, row.distribution, f"{row.cases:,}")
        shown = {
            prefix + name.replace("_", "").lower()
            for part in cells[3].split("; ")
            for prefix, names in [part.split(" ", 1)]
            for name in names.split()
        }
        for name in row.functions:
            prefix, _, last = name.rpartition(".")
            assert f"`{prefix}.`{last.replace('_', '').lower()}" in shown, name
    for number in re.findall(r"\((\d+)\)", table.split("\n\n")[0]):
        assert f"\n{number}. " in table
