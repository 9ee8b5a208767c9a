# SPDX-License-Identifier: Apache-2.0
"""GPT-2's checkpoint to disk, against raw writes of the same blocks by the same threads.

Both make the same files of the same size, write them with the same calls and sync them; they take
turns.  Prints the medians and their ratio, and writes JSON with --json FILE.  The file timed is
verified at the end.  Usage: python benchmarks/bench_checkpoint.py [--folder DIR] [--rounds 5]
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import glorot
from glorot import _kernel
from glorot.checkpoint import _blocks, _files, _layout
from glorot.checkpoint._write import metadata

SHAPES = Path(__file__).parent.parent / "examples" / "gpt2-124m.json"
TARGET = 0.9


def raw(folder: Path, recipe: glorot.Recipe, *, early: bool = False) -> float:
    """Seconds to write the blocks of the checkpoint without computing any value; `early` asks the
    system to begin writing at once, as the writer does."""
    assignments = {a.name: a for a in recipe.resolve(glorot.checkpoint.read_shapes(SHAPES))}
    specs = {n: glorot.recipe.TensorSpec(a.shape, a.dtype) for n, a in assignments.items()}
    (file,) = _layout.plan(specs, metadata(recipe, 42), None)
    jobs = [
        block
        for name, entry in file.tensors.items()
        for block in _blocks.blocks(assignments[name], entry, _blocks.DEFAULT_BLOCK_BYTES)
    ]
    data = np.random.default_rng(0).integers(0, 255, _blocks.DEFAULT_BLOCK_BYTES, np.uint8)
    begin = time.perf_counter()
    fd = os.open(folder / "raw", _files.CREATE)
    try:
        _files.take_space(fd, file.size)
        _files.write_at(fd, file.start, 0)

        def work(block: _blocks.Block) -> None:
            _files.write_at(fd, data[: block.nbytes], block.offset)
            if early:
                _files.start_writeback(fd, block.offset, block.nbytes)

        _blocks.on_threads(jobs, work, _kernel.allowed_threads(), lambda _: None)
        os.fsync(fd)
    finally:
        os.close(fd)
    _files.sync_folder(folder)
    return time.perf_counter() - begin


def ours(folder: Path, recipe: glorot.Recipe) -> float:
    """Seconds of the whole of `glorot.checkpoint.write`, its planning included."""
    begin = time.perf_counter()
    glorot.checkpoint.write(SHAPES, recipe, folder / "ours", seed=42)
    return time.perf_counter() - begin


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="on the disk to measure")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    recipe = glorot.recipe.load("gpt2")
    kinds = {
        "raw": lambda folder: raw(folder, recipe),
        "raw, early writeback": lambda folder: raw(folder, recipe, early=True),
        "glorot": lambda folder: ours(folder, recipe),
    }
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        for _ in range(arguments.rounds):
            for kind, run in kinds.items():
                folder = Path(name) / "round"
                folder.mkdir()
                times[kind].append(run(folder))
                if kind == "glorot":
                    size = (folder / "ours" / _layout.SINGLE).stat().st_size
                    report = glorot.checkpoint.verify(folder / "ours", recipe, 42)
                    assert report.equal, report.problems
                shutil.rmtree(folder)
                os.sync()  # what the removal leaves to do is nobody's
    medians = {kind: statistics.median(values) for kind, values in times.items()}
    fastest = min(medians["raw"], medians["raw, early writeback"])
    ratio = fastest / medians["glorot"]
    for kind, seconds in medians.items():
        print(f"{kind:22} {seconds:6.3f} s  {size / seconds / 1e9:5.2f} GB/s")
    verdict = "met" if ratio >= TARGET else "MISSED"
    print(f"glorot / faster raw    {ratio:6.2f}x  (must reach {TARGET}x: {verdict})")
    result = {
        "seconds": times,
        "bytes": size,
        "ratio": ratio,
        "target": TARGET,
        "config": glorot.config(),
        "machine": platform.processor() or platform.machine(),
        "system": platform.platform(),
    }
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
