# SPDX-License-Identifier: Apache-2.0
"""The printed matrix shows what differs, and docs/contract.md is it."""

import re
import subprocess
import sys
from pathlib import Path

import contract
import contract_matrix
import pytest
import wrong_adapters

from glorot._dtypes import FLOATS

pytestmark = pytest.mark.frameworks

COUNT = len(list(contract.cases())) * len(FLOATS)


def run(adapter):
    """(exit status, what it printed) of the command on an adapter of wrong_adapters."""
    done = subprocess.run(
        [sys.executable, contract_matrix.__file__, "--only", f"wrong_adapters:{adapter}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.stderr
    return done.returncode, done.stdout


def test_the_command_succeeds_where_all_is_equal():
    """A table of every law and dtype, and status 0."""
    status, said = run("Right")

    assert status == 0
    assert said.count(" equal ") == COUNT
    assert said.splitlines()[-1] == f"{COUNT} cells, 0 unequal"


def test_one_wrong_bit_fails_the_command():
    """In one form, law and dtype: its cell says so, the way is named, and the status is 1."""
    status, said = run("OneBit")

    assert status == 1
    assert said.count(" equal ") == COUNT - 1
    assert said.count(" UNEQUAL ") == 1
    assert "one bit: normal, bfloat16: form, in a list" in said
    assert said.splitlines()[-1] == f"{COUNT} cells, 1 unequal"


@pytest.mark.parametrize(
    ("adapter", "law", "dtype", "outcome", "where"),
    [
        (wrong_adapters.Shards, "uniform", "float32", "UNEQUAL", "part, rows"),
        (wrong_adapters.Shards, "zeros", "float32", "equal", ""),
        (wrong_adapters.Narrow, "uniform", "float64", "refused", ""),
        (wrong_adapters.Narrow, "uniform", "float32", "equal", ""),
        (wrong_adapters.Silent, "uniform", "float64", "UNEQUAL", "not refused"),
        (wrong_adapters.Raises, "time_step", "float16", "UNEQUAL",
         "whole: NotImplementedError: no time steps here"),
    ],
)  # fmt: skip
def test_what_a_cell_says(adapter, law, dtype, outcome, where):
    """Parts that are not slices, a dtype that is refused or is silently another, an error."""
    found = contract_matrix.compare(adapter(), law, contract.LAWS[law], contract.SHAPE, dtype)

    assert found == (outcome, where)


def test_the_page_is_the_matrix():
    """docs/contract.md has a column for each adapter and a row for each law, and says what the
    contract's tests beside this one prove: equal, everywhere."""
    names = []
    for key, source in contract_matrix.ADAPTERS.items():
        text = (Path(__file__).parent / f"{source.module}.py").read_text("utf-8")
        (name,) = re.findall(r'^    name = f?"(.+)"$', text, re.MULTILINE)
        names.append(name.replace("{BACKEND}", key.removeprefix("keras-")))
    rows = [
        contract_matrix.Row(name, law, dtype, "equal")
        for name in names
        for law, _, _ in contract.cases()
        for dtype in FLOATS
    ]

    assert len(names) == len(set(names)) == len(contract_matrix.ADAPTERS)
    assert contract_matrix.PAGE.read_text("utf-8") == contract_matrix.page(rows)
