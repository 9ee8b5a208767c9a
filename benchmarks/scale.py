# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of many gigabytes: throughput beside raw writes, memory, and what a tensor and a file
cost.  `python -m benchmarks.scale --gigabytes 5 10 20 --folder FOLDER`; docs/scale.md has a run.

Each run is a process of its own: `glorot init` as a user starts it, or the same blocks by as many
threads without computing any value, past the system's cache and through it; and past it while other
threads compute what nobody writes ("busy"): what the disk gives to a machine that computes.  They
take turns, and what they wrote goes before the next begins.  Memory is the most that a process
held, less what an empty interpreter holds.
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RECIPE = {
    "format": "glorot-recipe",
    "version": 2,
    "rules": [
        {"pattern": "*norm.weight", "initializer": "ones", "optional": True},
        {"pattern": "*", "initializer": "normal", "stddev": 0.02},
    ],
}
# Llama 3 8B; a layer has 436 MB.
_LAYER = {
    "self_attn.q_proj": (4096, 4096),
    "self_attn.k_proj": (1024, 4096),
    "self_attn.v_proj": (1024, 4096),
    "self_attn.o_proj": (4096, 4096),
    "mlp.gate_proj": (14336, 4096),
    "mlp.up_proj": (14336, 4096),
    "mlp.down_proj": (4096, 14336),
    "input_layernorm": (4096,),
    "post_attention_layernorm": (4096,),
}
_ENDS = {"model.embed_tokens.weight": (128256, 4096), "model.norm.weight": (4096,),
         "lm_head.weight": (128256, 4096)}  # fmt: skip


def llama(layers: int) -> dict[str, Any]:
    """Shapes of Llama 3 8B with another number of layers; 32 are its own, 16.06 GB in bfloat16."""
    shapes: dict[str, tuple[int, ...]] = dict(_ENDS)
    for i in range(layers):
        shapes |= {f"model.layers.{i}.{name}.weight": size for name, size in _LAYER.items()}
    return {name: {"shape": size, "dtype": "bfloat16"} for name, size in shapes.items()}


# --- what runs in a process of its own ------------------------------------------------------------


def _peak() -> int:
    """The most memory that this process held, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("the system does not say how much memory a process has held.")


def _raw(folder: Path, shapes: str, shard: str, direct: bool) -> None:
    import numpy as np

    from glorot import Recipe, _kernel
    from glorot.checkpoint import _blocks, _files
    from glorot.checkpoint._job import make_job

    job = make_job(shapes, Recipe.from_json(json.dumps(RECIPE)), 0, None, shard)
    size = _blocks.DEFAULT_BLOCK_BYTES
    data = np.random.default_rng(0).integers(0, 255, size + 2 * _blocks.PAGE, np.uint8)
    data = data[-data.ctypes.data % _blocks.PAGE :]
    folder.mkdir()
    for file in job.files:
        fd = os.open(folder / file.name, _files.CREATE)
        _files.take_space(fd, file.size, 0, file.size)
        _files.write_at(fd, file.start, 0)
        past = _files.Direct(fd, folder / file.name)

        def work(block: _blocks.Block, past: _files.Direct = past, fd: int = fd) -> None:
            start = block.offset % _blocks.PAGE
            part = data[start : start + block.nbytes]
            if direct:
                past.write(part, block.offset)
            else:
                _files.write_at(fd, part, block.offset)
                _files.start_writeback(fd, block.offset, block.nbytes)

        jobs = (
            block
            for name, entry in file.tensors.items()
            for block in _blocks.blocks(job.assignments[name], entry, size)
        )
        _blocks.on_threads(jobs, work, _kernel.allowed_threads(), lambda _: None)
        past.close()
        os.fsync(fd)
        os.close(fd)
    _files.sync_folder(folder)


@contextlib.contextmanager
def _busy() -> Iterator[None]:
    """Let as many threads as glorot computes on compute values that nobody writes."""
    from glorot import RandomNormal, _kernel
    from glorot.checkpoint import _blocks

    init = RandomNormal(stddev=0.02, seed=0)

    def loop() -> None:
        out = init((_blocks.DEFAULT_BLOCK_BYTES // 2,), "bfloat16", name="w")
        with _kernel.alone():
            while not done.is_set():
                init(out.shape, name="w", out=out)

    done = threading.Event()
    threads = [threading.Thread(target=loop) for _ in range(_kernel.allowed_threads())]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()


def _worker(kind: str, folder: Path, shapes: str, recipe: str, shard: str, more: str) -> None:
    if kind == "glorot":
        from click.testing import CliRunner

        from glorot.cli._app import app

        line = ["init", shapes, "--recipe", recipe, "--seed", "0", "--out", str(folder), "--json"]
        result = CliRunner().invoke(app, [*line, "--max-shard-size", shard, *more.split()])
        if result.exit_code:
            raise SystemExit(result.stderr)
    elif kind != "empty":
        with _busy() if kind == "raw, busy" else contextlib.nullcontext():
            _raw(folder, shapes, shard, kind != "raw cached")
    print(_peak())


# --- what starts them -----------------------------------------------------------------------------


def run(kind: str, folder: Path, inputs: Path, shard: str, more: str = "") -> tuple[float, int]:
    """Return (seconds, bytes of memory) of one run; what it wrote stays in `folder`."""
    names = [str(folder), str(inputs / "shapes.json"), str(inputs / "recipe.json"), shard, more]
    # Bytecode is cached, as an installation has it, whatever this environment says.
    environment = os.environ | {"PYTHONPYCACHEPREFIX": str(inputs.parent / "bytecode")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    begin = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.scale", "--worker", kind, *names],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    seconds = time.perf_counter() - begin
    if done.returncode:
        raise SystemExit(done.stderr)
    return seconds, int(done.stdout)


def write_inputs(inputs: Path, shapes: dict[str, Any]) -> None:
    inputs.mkdir(parents=True, exist_ok=True)
    (inputs / "shapes.json").write_text(json.dumps(shapes))
    (inputs / "recipe.json").write_text(json.dumps(RECIPE))


def _clean(folder: Path) -> int:
    size = sum(path.stat().st_size for path in folder.iterdir())
    shutil.rmtree(folder)
    os.sync()  # what the removal leaves to do is nobody's
    return size


def measure_sizes(
    root: Path, gigabytes: list[float], rounds: int, shard: str, kinds: tuple[str, ...]
) -> None:
    """Throughput and memory of each size."""
    write_inputs(root / "inputs", {"w": {"shape": [4], "dtype": "float32"}})
    run("glorot", root / "run", root / "inputs", shard)  # compiles the bytecode
    _clean(root / "run")
    empty = run("empty", root / "none", root / "inputs", shard)
    print(f"an empty interpreter: {empty[1] / 1e6:.0f} MB, {empty[0]:.2f} s", flush=True)
    for wanted in gigabytes:
        layers = max(1, round((wanted * 1e9 - 2 * 128256 * 4096 * 2) / 436.2e6))
        write_inputs(root / "inputs", llama(layers))
        times: dict[str, list[float]] = {kind: [] for kind in kinds}
        memory: dict[str, int] = {}
        for _ in range(rounds):
            for kind in kinds:
                seconds, peak = run(kind, root / "run", root / "inputs", shard)
                times[kind].append(seconds)
                memory[kind] = max(memory.get(kind, 0), peak)
                size = _clean(root / "run")
        medians = {kind: statistics.median(found) for kind, found in times.items()}
        best = min(seconds for kind, seconds in medians.items() if kind in kinds[:-2])
        print(f"{size / 1e9:.2f} GB, {layers} layers")
        for kind in kinds:
            listed = ", ".join(f"{seconds:.1f}" for seconds in times[kind])
            print(
                f"  {kind:10}  {size / medians[kind] / 1e9:.2f} GB/s  ({listed} s)  "
                f"{(memory[kind] - empty[1]) / 1e6:.0f} MB more than an empty interpreter"
            )
        for what, seconds in (("best raw", best), ("raw, busy", medians["raw, busy"])):
            print(f"  glorot / {what}: {seconds / medians['glorot']:.2f}", flush=True)


def measure_overhead(root: Path) -> None:
    """What a tensor, and what a file, costs besides its bytes."""
    base = {"w.0": {"shape": [4], "dtype": "float32"}}
    many = {f"w.{i}": base["w.0"] for i in range(20_000)}
    some = {f"w.{i}": base["w.0"] for i in range(500)}
    found = {}
    for name, shapes, shard in (("one", base, "1GB"), ("tensors", many, "1GB"),
                                ("tensors again", some, "1GB"), ("files", some, "16")):  # fmt: skip
        write_inputs(root / "inputs", shapes)
        rounds = [run("glorot", root / "run", root / "inputs", shard) for _ in (1, 2, 3)
                  if not (root / "run").exists() or _clean(root / "run")]  # fmt: skip
        found[name] = statistics.median(seconds for seconds, _ in rounds), rounds[0][1]
        _clean(root / "run")
    each = (found["tensors"][0] - found["one"][0]) / 20_000
    kept = (found["tensors"][1] - found["one"][1]) / 20_000
    file = (found["files"][0] - found["tensors again"][0]) / 500
    print(f"one tensor in one file: {found['one'][0]:.2f} s, the whole of the process")
    print(f"each further tensor: {each * 1e6:.0f} us, {kept / 1e3:.1f} kB of memory")
    print(f"each further file: {file * 1e3:.2f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, nargs="*", default=[5])
    parser.add_argument("--folder", type=Path, default=Path("scale"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--max-shard-size", default="5GB")
    parser.add_argument("--cached", action="store_true", help="raw writes through the cache too")
    parser.add_argument("--worker", nargs=6)
    arguments = parser.parse_args()
    if arguments.worker:
        kind, folder, *rest = arguments.worker
        _worker(kind, Path(folder), *rest)
        return
    arguments.folder.mkdir(parents=True)
    try:
        measure_overhead(arguments.folder)
        kinds = ("raw direct", *["raw cached"] * arguments.cached, "raw, busy", "glorot")
        measure_sizes(
            arguments.folder, arguments.gigabytes, arguments.rounds, arguments.max_shard_size, kinds
        )
    finally:
        shutil.rmtree(arguments.folder)


if __name__ == "__main__":
    main()
