# SPDX-License-Identifier: Apache-2.0
"""Compare every adapter with NumPy, law by law and dtype by dtype, and print the matrix.

    python tests/frameworks/contract_matrix.py [--only NAME,...] [--markdown FILE]

A cell is `equal` if the whole weight, every part of it and every form that the adapter has (other
memory, traced, in variables) hold NumPy's bytes; `refused` if the framework lacks the dtype and the
adapter says so; else `UNEQUAL`, with the first way that differs below the table. The exit status is
1 if any cell is. Each adapter runs in a process of its own: Keras has one backend in each.
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import contract
from rich.console import Console
from rich.table import Table

from glorot._dtypes import FLOATS

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "contract.md"


class Source(NamedTuple):
    """Where an adapter is: its module and class, and what the process must have set."""

    module: str
    adapter: str
    environment: dict[str, str]


ADAPTERS = {
    "torch": Source("test_torch_contract", "TorchCPU", {}),
    "triton": Source("triton_contract", "InterpretedAdapter", {"TRITON_INTERPRET": "1"}),
    "jax": Source("test_jax_contract", "JaxAdapter", {}),
    **{
        f"keras-{backend}": Source("keras_contract", "KerasAdapter", {"KERAS_BACKEND": backend})
        for backend in ("jax", "tensorflow", "torch")
    },
    "tensorflow": Source("test_tensorflow_contract", "TensorFlowAdapter", {}),
}


class Row(NamedTuple):
    """One cell: the adapter's name, law and dtype, what was found, and where it differs."""

    adapter: str
    law: str
    dtype: str
    outcome: str
    where: str = ""


def rows(adapter) -> Iterator[Row]:
    """Every law and dtype of an adapter."""
    for law, initializer, shape in contract.cases():
        for dtype in FLOATS:
            outcome, where = compare(adapter, law, initializer, shape, dtype)
            yield Row(adapter.name, law, dtype, outcome, where)


def compare(adapter, law, initializer, shape, dtype) -> tuple[str, str]:
    """(outcome, where it differs) of a law in a dtype."""
    options = {"seed": contract.SEED, "name": contract.NAME}
    if dtype not in adapter.dtypes:
        try:
            adapter.whole(initializer, shape, dtype, **options)
        except (TypeError, ValueError):
            return "refused", ""
        return "UNEQUAL", "not refused"
    wanted = contract.expected(initializer, shape, dtype)
    tolerance = adapter.tolerance if law in contract.QR else 0.0
    ways = {"whole": (adapter.whole, (), ...)}
    if law in contract.LAWS:  # all of one shape
        for place, index in contract.PARTS.items():
            ways[f"part, {place}"] = (adapter.part, (contract.part_of(place),), index)
    else:
        shard, index = contract.inner(shape)
        ways["part, inner"] = (adapter.part, (shard,), index)
    ways |= {f"form, {form}": (how, (), ...) for form, how in adapter.forms().items()}
    for way, (how, more, index) in ways.items():
        try:
            found = how(initializer, shape, dtype, *more, **options)
        except Exception as error:  # whatever it is, the cell is not equal
            return "UNEQUAL", f"{way}: {type(error).__name__}: {error}".splitlines()[0]
        if not contract.same(found, wanted[index], tolerance):
            return "UNEQUAL", way
    return "equal", ""


def run(source: Source) -> list[Row]:
    """The rows of an adapter, from a process of its own."""
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_USE_LEGACY_KERAS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, "--rows", f"{source.module}:{source.adapter}"],
        env=os.environ | quiet | source.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{done.stderr}\n{source.module}:{source.adapter} failed")
    lines = (line for line in done.stdout.splitlines() if line.startswith("["))
    return [Row(*json.loads(line)) for line in lines]


def print_rows(name: str) -> None:
    """Be the process of an adapter, "module:class"."""
    warnings.simplefilter("ignore")  # the frameworks' own
    module, cls = name.split(":")
    for row in rows(getattr(importlib.import_module(module), cls)()):
        print(json.dumps(row), flush=True)


def show(console: Console, found: list[Row]) -> None:
    """One adapter's table, and where its unequal cells differ."""
    table = Table("law", *FLOATS, title=found[0].adapter)
    cells = {(row.law, row.dtype): row.outcome for row in found}
    for law in dict.fromkeys(row.law for row in found):
        table.add_row(law, *(cells[law, dtype] for dtype in FLOATS))
    console.print(table)
    for row in found:
        if row.where:
            console.print(f"{row.adapter}: {row.law}, {row.dtype}: {row.where}", highlight=False)


def markdown(found: Iterable[Row]) -> str:
    """A table of laws and adapters; where the dtypes of a cell differ, each outcome names its."""
    cells: dict[tuple[str, str], dict[str, list[str]]] = {}
    for row in found:
        outcomes = cells.setdefault((row.law, row.adapter), {})
        outcomes.setdefault(row.outcome, []).append(row.dtype)
    laws, adapters = (list(dict.fromkeys(key[i] for key in cells)) for i in (0, 1))
    lines = ["| law | " + " | ".join(adapters) + " |", "|---" * (len(adapters) + 1) + "|"]
    for law in laws:
        texts = []
        for outcomes in (cells[law, adapter] for adapter in adapters):
            alone = len(outcomes) == 1
            parts = (o if alone else f"{o} ({', '.join(d)})" for o, d in outcomes.items())
            texts.append("; ".join(parts))
        lines.append(f"| `{law}` | " + " | ".join(texts) + " |")
    return "\n".join(lines) + "\n"


def page(found: Iterable[Row]) -> str:
    """docs/contract.md with this table."""
    head, _, _ = PAGE.read_text("utf-8").partition("| law |")
    return head + markdown(found)


def main() -> None:
    """Run the adapters, print their tables, write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", help=f"some of {', '.join(ADAPTERS)}; or module:class")
    parser.add_argument("--markdown", action="store_true", help=f"write {PAGE.name}'s table")
    parser.add_argument("--rows", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.rows:
        print_rows(arguments.rows)
        return
    console = Console(width=110)  # also in a file: whole names
    found: list[Row] = []
    for name in arguments.only.split(",") if arguments.only else ADAPTERS:
        source = Source(*name.split(":"), {}) if ":" in name else ADAPTERS.get(name)
        if source is None:
            parser.error(f"no adapter is called {name!r}: choose from {', '.join(ADAPTERS)}")
        mine = run(source)
        show(console, mine)
        found += mine
    if arguments.markdown:
        PAGE.write_text(page(found), "utf-8")
    wrong = sum(row.outcome == "UNEQUAL" for row in found)
    console.print(f"{len(found)} cells, {wrong} unequal", highlight=False)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
