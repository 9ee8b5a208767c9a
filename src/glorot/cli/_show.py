# SPDX-License-Identifier: Apache-2.0
"""Reports as tables, and progress: a bar on a terminal, plain lines elsewhere."""

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.table import Table

from glorot._words import counted
from glorot.checkpoint import PlanReport, TensorCheck, TensorReport, VerifyReport, WriteReport

_SECONDS_BETWEEN_LINES = 10.0
_WIDTH_PIPED = 1000  # where there is no terminal to fit: no column is cut
_MOST_SHOWN = 10


@contextlib.contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function of (bytes done, bytes in all) that shows them on stderr."""
    console = Console(stderr=True)
    if not console.is_terminal:
        last = time.monotonic()

        def line(done: int, total: int) -> None:
            nonlocal last
            if time.monotonic() - last >= _SECONDS_BETWEEN_LINES and done < total:
                last = time.monotonic()
                print(f"{what}: {readable(done)} of {readable(total)}", file=sys.stderr, flush=True)

        yield line
        return
    columns = (TextColumn(what), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def readable(nbytes: float) -> str:
    """498 MB, 1.2 GB: decimal units, as disks are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if nbytes < 1000:
            return f"{nbytes:.3g} {unit}"
        nbytes /= 1000
    return f"{nbytes:.3g} TB"


def console() -> Console:
    """Return the console of stdout; what is piped is wide enough for the tables."""
    found = Console(highlight=False, markup=False, emoji=False)
    return (
        found
        if found.is_terminal
        else Console(
            width=max(found.width, _WIDTH_PIPED), highlight=False, markup=False, emoji=False
        )
    )


def plain(text: str) -> str:
    """Return text for a terminal: what it might obey, such as an escape, is spelled out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def make_table(*columns: str, right: Sequence[str] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", no_wrap=True)
    return table


def print_table(out: Console, table: Table, spare: Sequence[str]) -> None:
    """Print a table with no number cut: where it is wider than the terminal, the columns of `spare`
    go, in that order, and then the texts of the first are folded. What went is said."""
    gone = []
    wide = out.options.update(width=_WIDTH_PIPED)
    for name in spare:
        if Measurement.get(out, wide, table).maximum <= out.width:
            break
        if any(column.header == name for column in table.columns):
            table = _without(table, name)
            gone.append(name)
    if Measurement.get(out, wide, table).maximum > out.width:
        table.columns[0].no_wrap, table.columns[0].overflow = False, "fold"
    out.print(table)
    if gone:
        out.print(f"no room here for {', '.join(gone)}: a wider terminal or a pipe has all")


def _without(table: Table, name: str) -> Table:
    kept = [column for column in table.columns if column.header != name]
    right = [str(column.header) for column in kept if column.justify == "right"]
    found = make_table(*(str(column.header) for column in kept), right=right)
    for cells in zip(*(column.cells for column in kept), strict=True):
        found.add_row(*cells)
    return found


_RIGHT = ("tensors", "fans", "expected stddev", "measured")
_SPARE = ("fans", "expected stddev", "rule", "dtype", "law")  # of `full` the rule's name too


def written(report: WriteReport, *, full: bool) -> None:
    """Print the table of what was written; tensors of one rule, shape and law share a line."""
    groups: dict[tuple[object, ...], list[TensorReport]] = {}
    for tensor in report.tensors:
        key = (
            tensor.name if full else None,
            tensor.pattern,
            tensor.shape,
            tensor.dtype,
            tensor.law,
        )
        groups.setdefault(key, []).append(tensor)
    first = ("tensor", "rule") if full else ("rule", "tensors")
    table = make_table(*first, "shape", "dtype", "law", "fans", "expected stddev", "measured",
                   right=_RIGHT)  # fmt: skip
    patterns = list(dict.fromkeys(tensor.pattern for tensor in report.tensors))
    order = (lambda g: g[0].name) if full else (lambda g: f"{patterns.index(g[0].pattern):06}")
    for tensors in sorted(groups.values(), key=order):
        tensor = tensors[0]
        measured = _pooled(tensors)
        table.add_row(
            *map(
                plain,
                (tensor.name, tensor.pattern) if full else (tensor.pattern, str(len(tensors))),
            ),
            " x ".join(map(str, tensor.shape)) or "scalar",
            tensor.dtype,
            plain(tensor.law),
            f"{tensor.fan_in:g}, {tensor.fan_out:g}",
            f"{tensor.expected_stddev:.6g}",
            "" if measured is None else f"{measured:.6g}",
        )
    out = console()
    print_table(out, table, _SPARE if full else [name for name in _SPARE if name != "rule"])
    out.print(
        f"{counted(len(report.tensors), 'tensor')}, {counted(report.parameters, 'parameter')}, "
        f"{readable(report.nbytes)} in {counted(len(report.files), 'file')} in "
        f"{report.seconds:.2f} s (seed {report.seed}, recipe {report.recipe[:8]}, "
        f"stream {report.stream})"
    )
    if report.world_size > 1:
        out.print(_of_rank(report))
    out.print(plain(report.directory), soft_wrap=True)


def _of_rank(report: WriteReport) -> str:
    """What one of several processes did, and what is still to come."""
    what = f"rank {report.rank} of {report.world_size} wrote {readable(report.written)}"
    if report.complete:
        return f"{what}; the checkpoint is complete"
    if not report.waiting:
        return f"{what}; another rank completes the checkpoint"
    first = ", ".join(map(str, report.waiting[:_MOST_SHOWN]))
    more = ", ..." if len(report.waiting) > _MOST_SHOWN else ""
    return f"{what}; the last to end completes the checkpoint (not there yet: {first}{more})"


def planned(report: PlanReport, *, full: bool) -> None:
    """Print the files that would be written, their sizes, the free space and the time."""
    table = make_table("file", "tensors", "size", "bytes", right=("tensors", "size", "bytes"))
    shown = report.files if full else report.files[:_MOST_SHOWN]
    for file in shown:
        table.add_row(file.name, str(file.tensors), readable(file.nbytes), f"{file.nbytes:,}")
    out = console()
    out.print(table)
    if len(shown) < len(report.files):
        more = counted(len(report.files) - len(shown), "more file")
        out.print(f"and {more} (--full shows all)")
    out.print(
        f"would write {counted(report.tensors, 'tensor')}, "
        f"{counted(report.parameters, 'parameter')}, {readable(report.nbytes)} in "
        f"{counted(len(report.files), 'file')} (seed {report.seed}, recipe "
        f"{report.recipe[:8]}, stream {report.stream})"
    )
    number = len(report.unmeasured)
    slow = f", and {counted(number, 'tensor')} that {'is' if number == 1 else 'are'} computed whole"
    out.print(
        f"about {report.seconds:.3g} s to compute on {counted(report.threads, 'thread')}"
        f"{slow if number else ''}; "
        "a slower disk decides"
    )
    room = "" if report.fits else "NOT enough room: "
    out.print(f"{room}{readable(report.needed)} needed, {readable(report.free)} free")
    out.print(plain(report.directory), soft_wrap=True)


def _pooled(tensors: Sequence[TensorReport]) -> float | None:
    """The standard deviation of all the tensors' elements around each tensor's own mean."""
    count = sum(tensor.count for tensor in tensors)
    if not count:
        return None
    return math.sqrt(sum(t.count * t.stddev**2 for t in tensors if t.stddev is not None) / count)


def verified(report: VerifyReport, *, full: bool) -> None:
    """Print what differs, and the verdict."""
    shown: Sequence[TensorCheck] = report.tensors if full else report.problems
    out = console()
    if shown:
        table = make_table("tensor", "status")
        table.add_column("what", overflow="fold")
        for check in shown if full else shown[:_MOST_SHOWN]:
            table.add_row(plain(check.name), check.status, plain(check.note))
        out.print(table)
    if len(shown) > _MOST_SHOWN and not full:
        out.print(f"and {len(shown) - _MOST_SHOWN} more (--full shows all)")
    for file in report.files:
        if file.status != "equal":
            out.print(plain(f"{file.name}: {file.status}: {file.note}"), soft_wrap=True)
    if report.equal:
        every = counted(len(report.tensors), "tensor")
        what = f"the {every} there" if report.note else f"all {every}"
        out.print(
            f"equal: {what}, {counted(report.parameters, 'parameter')}, are what "
            f"this recipe and seed {report.seed} give ({report.seconds:.2f} s)"
        )
        if report.files:
            count = len(report.files)
            whose = f"checksums of {count} files are" if count > 1 else "checksum of the file is"
            out.print(f"the {whose} {'those' if count > 1 else 'that'} of the manifest")
        if report.note:
            out.print(report.note)
    else:
        if report.note:
            out.print(report.note)
        out.print(
            f"NOT equal: {len(report.problems)} of {len(report.tensors)} tensors are not what this "
            f"recipe and seed {report.seed} give"
        )
        if any(check.status == "trained" for check in report.problems):
            out.print(
                "trained: most elements differ; it was trained, or has another seed, recipe or "
                "name than it was filled under"
            )
