# SPDX-License-Identifier: Apache-2.0
"""Kill `glorot init` at random moments again and again; what --resume ends with must be the bytes
of a run that nothing disturbed, and no final path may ever hold anything else.

    python tests/oracle/kill_and_resume.py --kills 20 --gigabytes 16 --folder FOLDER
    python tests/oracle/kill_and_resume.py --kills 20 --gigabytes 2 --ranks 3 --folder FOLDER

With ranks, several processes write together, and each time one of them is killed.  With --hosts
each is as on a host of its own (process numbers, host name, network, shared memory: Linux,
`unshare`), on a file system without locks, as many shared ones are.  Digests are SHA-256 of whole
files; the checksums of glorot.json are compared with them by `glorot verify`.
"""

import argparse
import hashlib
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from benchmarks.scale import llama, write_inputs

HOST = ["unshare", "--map-root-user", "--uts", "--pid", "--net", "--ipc", "--mount-proc", "--fork",
        "--kill-child"]  # fmt: skip
LOCKLESS = """
import errno, fcntl, os, runpy, socket, sys
def flock(fd, operation):
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
fcntl.flock = flock
socket.sethostname(sys.argv[1])
assert os.getpid() == 1
del sys.argv[1]
runpy.run_module("glorot", run_name="__main__", alter_sys=True)
"""


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256 of each file that has its final name."""
    found = {}
    for path in sorted(folder.glob("*")):
        if not path.name.startswith("."):
            digest = hashlib.sha256()
            with path.open("rb") as file:
                while chunk := file.read(1 << 24):
                    digest.update(chunk)
            found[path.name] = digest.hexdigest()
    return found


def start(
    root: Path, out: Path, rank: int, ranks: int, hosts: bool, *more: str
) -> subprocess.Popen[str]:
    """One process of the command."""
    line = [sys.executable, "-m", "glorot"]
    if hosts:
        line = [*HOST, sys.executable, "-c", LOCKLESS, f"host{rank}"]
    line += ["init", str(root / "shapes.json"), "--seed", "0"]
    line += ["--recipe", str(root / "recipe.json"), "--out", str(out), "--max-shard-size", "1GB"]
    if ranks > 1:
        line += ["--rank", str(rank), "--world-size", str(ranks)]
    return subprocess.Popen(
        [*line, *more], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def finish(processes: list[subprocess.Popen[str]]) -> None:
    """Wait for processes, which must end well."""
    for process in processes:
        _, errors = process.communicate()
        if process.returncode:
            raise SystemExit(errors)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--ranks", type=int, default=1)
    parser.add_argument("--hosts", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("killed"))
    arguments = parser.parse_args()
    root, ranks, hosts = arguments.folder, arguments.ranks, arguments.hosts
    layers = max(0, round((arguments.gigabytes * 1e9 - 2 * 128256 * 4096 * 2) / 436.2e6))

    write_inputs(root, llama(layers))
    rng = random.Random(arguments.seed)
    try:
        begin = time.monotonic()
        finish([start(root, root / "calm", 0, 1, False)])
        seconds = time.monotonic() - begin
        calm = digests(root / "calm")
        shutil.rmtree(root / "calm")
        out, killed = root / "out", 0
        for number in range(arguments.kills):
            processes = [start(root, out, rank, ranks, hosts, "--resume") for rank in range(ranks)]
            victim = rng.choice(processes)
            time.sleep(rng.uniform(0.3, 0.95 * seconds))
            victim.kill()
            killed += victim.wait() != 0
            for process in processes:
                process.communicate()
            final = digests(out) if out.exists() else {}
            if not final.items() <= calm.items():
                raise SystemExit(f"after {number + 1} kills a final path holds other bytes")
            if final.keys() == calm.keys():  # completed before it was killed: begin anew
                shutil.rmtree(out)
        finish([start(root, out, rank, ranks, hosts, "--resume") for rank in range(ranks)])
        if digests(out) != calm:
            raise SystemExit("the bytes differ from those of a run that nothing disturbed")
        left = [path.name for path in out.iterdir() if path.name.startswith(".")]
        if left:
            raise SystemExit(f"left behind: {left}")
        print(f"{killed} processes killed, {len(calm)} files, the same bytes")
    finally:
        shutil.rmtree(root, ignore_errors=True)


if __name__ == "__main__":
    main()
