# SPDX-License-Identifier: Apache-2.0
"""Eight devices: the cases of jax_mesh_cases.py, in a process of their own, and the example."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.frameworks

HERE = Path(__file__).parent
EXAMPLE = HERE.parents[1] / "examples" / "jax_mesh_init.py"


def run(*command, devices=8):
    """What a command prints where JAX finds so many CPU devices."""
    flags = f"--xla_force_host_platform_device_count={devices}"
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_eight_devices():
    """All cases on meshes pass."""
    said = run("-m", "pytest", "-q", "-p", "no:cacheprovider", HERE / "jax_mesh_cases.py")

    assert re.search(r"\d+ passed", said)
    assert not re.search(r"failed|error|skipped|xfail", said)


def torch_fingerprint():
    """Of the example's model in PyTorch, its recipe read for (out, in) weights."""
    import torch
    from torch import nn

    import glorot
    import glorot.torch

    example = runpy.run_path(str(EXAMPLE))
    vocabulary, width = example["VOCABULARY"], example["WIDTH"]

    def layer():
        """Attention and feed-forward."""
        parts = {name: nn.Linear(width, width) for name in ("q", "k", "v", "out")}
        return nn.ModuleDict(
            {
                "norm1": nn.LayerNorm(width),
                "attn": nn.ModuleDict(parts),
                "norm2": nn.LayerNorm(width),
                "up": nn.Linear(width, example["HIDDEN"]),
                "down": nn.Linear(example["HIDDEN"], width),
            }
        )

    model = nn.ModuleDict(
        {
            "embed": nn.Embedding(vocabulary, width),
            "layers": nn.ModuleList(layer() for _ in range(example["LAYERS"])),
            "norm": nn.LayerNorm(width),
            "head": nn.Linear(width, vocabulary, bias=False),
        }
    )
    recipe = example["RECIPE"].to_json().replace('"IO"', '"torch.linear"')
    with torch.no_grad():
        glorot.torch.init_(model, glorot.Recipe.from_json(recipe), seed=example["SEED"])
    return glorot.torch.fingerprint(model)


def test_the_example_prints_one_fingerprint_on_any_number_of_devices():
    """1, 2 and 8 devices and PyTorch: the same model, its kernels transposed."""
    said = {run(EXAMPLE, devices=count).splitlines()[-1] for count in (1, 2, 8)}

    assert said == {torch_fingerprint()}
