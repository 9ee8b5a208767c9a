# SPDX-License-Identifier: Apache-2.0
"""One array on the terminal: its first numbers and a histogram; or in a .npy file."""

from pathlib import Path
from typing import Any

import numpy as np

from glorot._base import Initializer
from glorot._dtypes import dtype_name
from glorot.checkpoint._files import written_beside
from glorot.cli._show import console, plain
from glorot.recipe import describe_law

Array = np.ndarray[Any, np.dtype[Any]]
_BINS = 21
_WIDTH = 50


def save(path: Path, values: Array, *, force: bool) -> None:
    """Write a .npy file, beside its path first.

    Raises:
        ValueError: another suffix; a dtype that .npy files do not have.
        FileExistsError: the file is there and `force` is not given.
    """
    if path.suffix != ".npy":
        raise ValueError(f"`--out` must end in .npy, got {str(path)!r}.")
    if values.dtype.kind == "V" or values.dtype.char not in np.typecodes["All"]:
        raise ValueError(
            f".npy files have no {dtype_name(values.dtype)}. Use float16, float32 or float64, or "
            "`glorot init`, whose files have it."
        )
    if path.exists() and not force:
        raise FileExistsError(f"{path} is there already. Give --force to replace it.")
    with written_beside(path) as file:
        np.save(file, values)


def facts(init: Initializer, values: Array) -> dict[str, Any]:
    """Return what is known of the array, for people and for JSON."""
    flat = values.reshape(-1).astype(np.float64)
    fan_in, fan_out = init.fans(values.shape)
    return {
        "initializer": repr(init),
        "shape": list(values.shape),
        "dtype": dtype_name(values.dtype),
        "law": describe_law(init, values.shape),
        "fan_in": fan_in,
        "fan_out": fan_out,
        "expected_stddev": init.expected_stddev(values.shape),
        "mean": float(flat.mean()) if flat.size else None,
        "stddev": float(flat.std()) if flat.size else None,
        "min": float(flat.min()) if flat.size else None,
        "max": float(flat.max()) if flat.size else None,
        "first": flat[:8].tolist(),
    }


def show(init: Initializer, values: Array, found: dict[str, Any], out: str | None) -> None:
    """Print the first numbers, the facts and the histogram."""
    terminal = console()
    with np.printoptions(threshold=60, edgeitems=3):
        terminal.print(str(values), markup=False)
    terminal.print(
        f"{found['initializer']}: {found['law']}, {found['dtype']} {tuple(values.shape)}, "
        f"fans {found['fan_in']:g}, {found['fan_out']:g}",
        markup=False,
    )
    if values.size:
        terminal.print(
            f"mean {found['mean']:.6g}, stddev {found['stddev']:.6g} (expected "
            f"{found['expected_stddev']:.6g}), from {found['min']:.6g} to {found['max']:.6g}"
        )
        if found["min"] < found["max"]:
            _histogram(values.reshape(-1).astype(np.float64), terminal)
    if out is not None:
        terminal.print(f"written to {plain(out)}", markup=False)


def _histogram(flat: Array, terminal: Any) -> None:
    counts, edges = np.histogram(flat, bins=_BINS)
    block = "#" if terminal.options.ascii_only else "█"  # a code page may lack the latter
    for count, left, right in zip(counts, edges, edges[1:], strict=False):
        bar = block * round(_WIDTH * count / counts.max())
        terminal.print(f"{(left + right) / 2:>10.4g} {bar} {count}", markup=False)
