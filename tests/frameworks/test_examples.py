# SPDX-License-Identifier: Apache-2.0
"""The examples print one fingerprint: PyTorch on any number of processes, JAX on any number of
devices, and NumPy."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import glorot

pytestmark = pytest.mark.frameworks

EXAMPLES = Path(__file__).parents[2] / "examples"
FINGERPRINT = "4da37b8ac6501a64d4f4d9fb45b9a8b5"  # of NumPy's arrays, as the first test says


def printed(*command, **environment):
    """[fingerprint, layout] of each line that a command prints."""
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "JAX_PLATFORMS": "cpu"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [line.split(maxsplit=1) for line in done.stdout.splitlines()]


def test_the_fingerprint_is_numpys():
    """The model's recipe, names and shapes, filled without any framework."""
    example = runpy.run_path(str(EXAMPLES / "jax_mesh_init.py"))
    width, hidden = example["WIDTH"], example["HIDDEN"]
    norm = {"weight": (width,), "bias": (width,)}
    shapes = {"embed.weight": (example["VOCABULARY"], width)}
    shapes |= {f"norm.{key}": shape for key, shape in norm.items()}
    for layer in range(example["LAYERS"]):
        shapes |= {f"layers.{layer}.norm.{key}": shape for key, shape in norm.items()}
        shapes |= {f"layers.{layer}.up.weight": (hidden, width)}
        shapes |= {f"layers.{layer}.down.weight": (width, hidden)}
    weights = {
        a.name: a.initializer(a.shape, seed=example["SEED"], name=a.name)
        for a in example["RECIPE"].resolve(shapes)
    }

    assert glorot.fingerprint(weights) == FINGERPRINT


@pytest.mark.parametrize("world", [1, 2, 3, 4])
def test_fsdp2_init(world):
    """FSDP2, HSDP and FSDP2 with tensor parallelism, under torchrun."""
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", world)
    said = printed(*torchrun, EXAMPLES / "fsdp2_init.py", GLOO_SOCKET_IFNAME="lo")

    assert said == [
        [FINGERPRINT, f"{layout} on {world} processes"] for layout in ("fsdp", "hsdp", "fsdp+tp")
    ]


def test_fsdp2_init_in_one_process():
    """Without any sharding."""
    assert printed(EXAMPLES / "fsdp2_init.py") == [[FINGERPRINT, "one process"]]


@pytest.mark.parametrize(
    ("devices", "mesh"),
    [(1, "1 data x 1 model"), (2, "1 data x 2 model"), (8, "4 data x 2 model")],
)
def test_jax_mesh_init(devices, mesh):
    """JAX on so many CPU devices."""
    flags = f"--xla_force_host_platform_device_count={devices}"

    assert printed(EXAMPLES / "jax_mesh_init.py", XLA_FLAGS=flags) == [[FINGERPRINT, mesh]]
