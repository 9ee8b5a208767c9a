# SPDX-License-Identifier: Apache-2.0
"""GPT-2's checkpoint to disk, against raw writes of the same blocks by the same threads.

All make a file of the same size, write it with the same calls and sync it; they take turns.  Each
checkpoint that was timed is verified.  TMPDIR picks the disk.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import glorot
from benchmarks._harness import WrongBytesError
from glorot import _kernel
from glorot.checkpoint import _blocks, _files, _layout
from glorot.checkpoint._job import make_job

SHAPES = Path(__file__).parent.parent / "examples" / "gpt2-124m.json"


def raw(folder: Path, recipe: glorot.Recipe, how: str = "") -> float:
    """Seconds to write the blocks of the checkpoint without computing any value; "early" asks the
    system to begin writing at once, "direct" goes past its cache, as the writer does."""
    job = make_job(SHAPES, recipe, 42)
    (file,) = job.files
    jobs = [
        block
        for name, entry in file.tensors.items()
        for block in _blocks.blocks(job.assignments[name], entry, _blocks.DEFAULT_BLOCK_BYTES)
    ]
    size = _blocks.DEFAULT_BLOCK_BYTES + 2 * _blocks.PAGE
    data = np.random.default_rng(0).integers(0, 255, size, np.uint8)
    data = data[-data.ctypes.data % _blocks.PAGE :]
    begin = time.perf_counter()
    fd = os.open(folder / "raw", _files.CREATE)
    try:
        _files.take_space(fd, file.size, 0, file.size)
        _files.write_at(fd, file.start, 0)
        past = _files.Direct(fd, folder / "raw")

        def work(block: _blocks.Block) -> None:
            start = block.offset % _blocks.PAGE
            part = data[start : start + block.nbytes]
            if how == "direct":
                past.write(part, block.offset)
                return
            _files.write_at(fd, part, block.offset)
            if how == "early":
                _files.start_writeback(fd, block.offset, block.nbytes)

        _blocks.on_threads(jobs, work, _kernel.allowed_threads(), lambda _: None)
        past.close()
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


def measure(quick: bool) -> Iterator[dict[str, Any]]:
    """Records of whole checkpoints, synced."""
    recipe = glorot.recipe.load("gpt2")
    kinds = {
        "raw writes": lambda folder: raw(folder, recipe),
        "raw writes, early writeback": lambda folder: raw(folder, recipe, "early"),
        "raw writes, direct": lambda folder: raw(folder, recipe, "direct"),
        "glorot": lambda folder: ours(folder, recipe),
    }
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    with tempfile.TemporaryDirectory() as name:
        for _ in range(1 if quick else 5):
            for kind, run in kinds.items():
                folder = Path(name) / "round"
                folder.mkdir()
                times[kind].append(run(folder))
                if kind == "glorot":
                    size = (folder / "ours" / _layout.SINGLE).stat().st_size
                    report = glorot.checkpoint.verify(folder / "ours", recipe, 42)
                    if not report.equal:
                        raise WrongBytesError(f"the checkpoint is wrong: {report.problems}")
                shutil.rmtree(folder)
                os.sync()  # what the removal leaves to do is nobody's
    for kind, seconds in times.items():
        yield {
            "who": kind,
            "kind": "glorot" if kind == "glorot" else "ceiling",
            "note": "planning included" if kind == "glorot" else "the same blocks and threads",
            "law": "gpt2",
            "dtype": "float32",
            "bytes": size,
            "calls_a_round": 1,
            "rounds": seconds,
        }
