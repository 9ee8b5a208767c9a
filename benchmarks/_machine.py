# SPDX-License-Identifier: Apache-2.0
"""What a result depends on: CPU, versions, load."""

import datetime
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import glorot

PACKAGES = (
    "numpy",
    "ml_dtypes",
    "torch",
    "tensorflow",
    "tensorflow-cpu",
    "keras",
    "tf_keras",
    "jax",
    "jaxlib",
)


def cpus() -> list[int]:
    """The CPUs that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def load() -> list[float]:
    """The load averages of 1, 5 and 15 minutes; empty where the system has none."""
    return [round(x, 2) for x in os.getloadavg()] if hasattr(os, "getloadavg") else []


def _cpu() -> dict[str, str]:
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return {"model name": platform.processor(), "flags": ""}
    lines = (line.partition(":") for line in path.read_text().split("\n\n")[0].splitlines())
    fields = {key.strip(): value.strip() for key, _, value in lines}
    wanted = ("vendor_id", "cpu family", "model", "model name", "cpu MHz", "cache size", "flags")
    return {key: fields[key] for key in wanted if key in fields}


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def describe() -> dict[str, Any]:
    """The machine and the software, as the JSON file keeps them."""
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "cpu": _cpu(),
        "cpus": len(cpus()),
        "glorot": glorot.config(),
        "versions": _versions(),
        "load before": load(),
    }
