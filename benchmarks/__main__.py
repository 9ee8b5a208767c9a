# SPDX-License-Identifier: Apache-2.0
"""The command: run topics in fresh processes, one a thread setting, and print the tables."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import _machine, _needs, _report

TOPICS = (
    "fill",
    "small",
    "canonical",
    "shard",
    "torch",
    "jax",
    "keras",
    "tensorflow",
    "import",
    "checkpoint",
    "replay_jax",
    "replay_tensorflow",
    "replay_torch",
)
ONCE = ("import", "checkpoint")  # of no interest on one core: run on the last thread setting alone


def _environment(threads: int) -> dict[str, str]:
    """Where libraries look for how many threads to use, and for how much to print."""
    count = str(threads)
    flags = "--xla_cpu_multi_thread_eigen=false" if threads == 1 else ""
    return os.environ | {
        "GLOROT_THREADS": count,
        "OMP_NUM_THREADS": count,
        "MKL_NUM_THREADS": count,
        "OPENBLAS_NUM_THREADS": count,
        "TF_NUM_INTRAOP_THREADS": count,
        "TF_NUM_INTEROP_THREADS": count,
        "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip(),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "JAX_PLATFORMS": "cpu",
        "CUDA_VISIBLE_DEVICES": "",
    }


def _run(task: dict[str, Any], console: Console) -> list[_needs.Record]:
    """The records of one worker."""
    command = [sys.executable, "-m", "benchmarks._worker", json.dumps(task)]
    records = []
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command,
            env=_environment(len(task["cpus"])),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as worker,
        console.status("starting") as status,
    ):
        assert worker.stdout is not None
        for line in worker.stdout:
            record = json.loads(line)
            records.append(record)
            shown = ("topic", "law", "dtype", "shape", "threads")
            status.update(" ".join(f"{key}={record[key]}" for key in shown if key in record))
        if worker.wait():
            errors.seek(0)
            sys.exit(f"{errors.read()}\nbenchmarks: {task} failed")
    return records


def _threads(text: str) -> list[int]:
    most = len(_machine.cpus())
    counts = [most if part == "all" else int(part) for part in text.split(",")]
    if not all(1 <= count <= most for count in counts):
        raise argparse.ArgumentTypeError(f"each of {text} must be `all` or 1 to {most}")
    return sorted(set(counts))


def _topics(text: str) -> list[str]:
    wanted = text.split(",")
    unknown = sorted(set(wanted) - set(TOPICS))
    if unknown:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: choose from {', '.join(TOPICS)}")
    return [topic for topic in TOPICS if topic in wanted]


def _to_json(machine: dict[str, Any], rows: list[_needs.Row], records: list[_needs.Record]) -> str:
    """One line for the machine, a row or a record, so that two files can be compared."""
    lists = {"rows": [asdict(row) for row in rows], "records": records}
    parts = [f'"machine": {json.dumps(machine)}']
    for key, values in lists.items():
        parts.append(f'"{key}": [\n' + ",\n".join(map(json.dumps, values)) + "\n]")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main() -> None:
    """Parse, run, print, and write the JSON file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke test of a few seconds")
    parser.add_argument("--only", type=_topics, default=list(TOPICS), help=",".join(TOPICS))
    parser.add_argument("--threads", type=_threads, help="such as 1,all; --quick: 1", metavar="N,N")
    parser.add_argument("--json", type=Path, help="write every round here", metavar="FILE")
    arguments = parser.parse_args()
    settings = arguments.threads or _threads("1" if arguments.quick else "1,all")
    console = Console()
    machine = _machine.describe()
    records: list[_needs.Record] = []
    for threads in settings:
        topics = [t for t in arguments.only if t not in ONCE or threads == settings[-1]]
        # The last CPUs: the first one serves most interrupts.
        task = {"topics": topics, "quick": arguments.quick, "cpus": _machine.cpus()[-threads:]}
        records += _run(task, console)
    rows = _needs.rows(records, judge=not arguments.quick)
    machine["load after"] = _machine.load()
    if arguments.json:
        arguments.json.write_text(_to_json(machine, rows, records))
    _report.show(console, records, rows, arguments.quick)
    glorot, cpu = machine["glorot"], machine["cpu"].get("model name", "")
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    console.print(
        f"{machine['date']}, {cpu}, {machine['cpus']} CPUs, glorot {glorot['version']} "
        f"({glorot['target']}), {versions}; load {machine['load before']} before, "
        f"{machine['load after']} after",
        highlight=False,
    )


if __name__ == "__main__":
    main()
