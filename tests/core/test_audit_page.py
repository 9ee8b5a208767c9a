# SPDX-License-Identifier: Apache-2.0
"""docs/audit.md: its examples and its session are what the library does, its table is complete."""

import doctest
import re
from pathlib import Path

from click.testing import CliRunner

from glorot._audit._report import KINDS
from glorot.cli._app import app

PAGE = Path(__file__).parents[2] / "docs" / "audit.md"
TEXT = PAGE.read_text(encoding="utf-8")


def plain(text):
    """Lines without times and the blanks at their ends."""
    text = re.sub(r"in \d+\.\d\d s", "in 0.00 s", text)
    return [line.rstrip() for line in text.strip("\n").splitlines() if line.strip()]


def test_the_page_is_so(tmp_path, monkeypatch):
    """The examples in Python run, then the session prints what the page shows."""
    monkeypatch.chdir(tmp_path)
    result = doctest.testfile(str(PAGE), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert result.failed == 0
    assert result.attempted > 15
    sessions = re.findall(r"```console\n\$ glorot (.*?)\n(.*?)```", TEXT, re.DOTALL)
    assert len(sessions) == 2
    codes = []
    for command, shown in sessions:
        done = CliRunner().invoke(app, command.split())
        codes.append(done.exit_code)
        assert plain(done.stdout) == plain(shown)
    assert codes == [1, 0]


def test_the_table_has_every_kind():
    """In the order of the problems, the worst first."""
    assert tuple(re.findall(r"^\| `([a-z ]+)` \|", TEXT, re.MULTILINE)) == KINDS
