# SPDX-License-Identifier: Apache-2.0
"""A fresh process held to some CPUs and threads: it runs topics and prints a JSON line a record.

The environment must already say how many threads each library may use, since most of them read
it once, when they are imported.
"""

import importlib
import json
import os
import sys


def main() -> None:
    """Run what the JSON argument asks for."""
    task = json.loads(sys.argv[1])
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, task["cpus"])
    # Whatever a library prints goes to stderr: stdout carries records alone.
    records = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    for topic in task["topics"]:
        module = importlib.import_module(f"benchmarks.bench_{topic}")
        for record in module.measure(task["quick"]):
            labels = {"topic": topic, "threads": len(task["cpus"])}
            records.write(json.dumps(labels | record) + "\n")


if __name__ == "__main__":
    main()
