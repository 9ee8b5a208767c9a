# SPDX-License-Identifier: Apache-2.0
"""Eight devices, in a process of their own: jax_mesh_weights.py and jax_mesh_trees.py."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from flax import nnx

import glorot
import glorot.jax
import glorot.torch

pytestmark = pytest.mark.frameworks

HERE = Path(__file__).parent


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
    files = [HERE / f"jax_mesh_{what}.py" for what in ("weights", "trees")]
    said = run("-m", "pytest", "-q", "-p", "no:cacheprovider", *files)

    assert re.search(r"\d+ passed", said)
    assert not re.search(r"failed|error|skipped|xfail", said)


@pytest.mark.parametrize("init", ["glorot_uniform", "he_normal", "orthogonal"])
def test_a_kernel_is_the_transpose_of_torch_s_weight(init):
    """One name and order="canonical": flax's (in, out) and PyTorch's (out, in) are computed equal,
    not copied; the QR of either layout is of the same matrix without it."""
    order = {} if init == "orthogonal" else {"order": "canonical"}
    flax = {"class_name": init, "config": order}
    theirs = {"class_name": init, "config": order | {"layout": "torch.linear"}}
    linear = torch.nn.Linear(24, 40, bias=False)
    glorot.torch.init_(linear, glorot.get(theirs), seed=1)
    model = nnx.eval_shape(lambda: nnx.Linear(24, 40, use_bias=False, rngs=nnx.Rngs(0)))

    state = glorot.jax.init(nnx.state(model), glorot.get(flax), seed=1, names={"kernel": "weight"})

    assert np.asarray(state["kernel"][...]).T.tobytes() == linear.weight.detach().numpy().tobytes()
