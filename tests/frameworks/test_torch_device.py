# SPDX-License-Identifier: Apache-2.0
"""Devices other than the CPU: the CUDA kernel in Triton's interpreter, and the way by the host."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import glorot
from glorot._base import _prepared
from glorot.torch import _memory

pytestmark = pytest.mark.frameworks


def test_the_cuda_kernel_is_the_cpus_to_the_byte():
    """Every law, float32, float16 and bfloat16, runs, shards, views and orders, small and large
    seeds and indices: interpreted, the Triton kernel writes the CPU kernel's bytes."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("triton_interpreted.py"))],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["wrong"] == []
    assert found["compared"] == 7 * 3 * 11 + 2


def test_the_cuda_kernel_compiles_and_nothing_is_fused(tmp_path):
    """For an H100, without one: each law's kernel compiles to machine code, and in its assembly no
    product is fused into a sum and nothing is flushed to zero."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("triton_compiled.py"))],
        env={**os.environ, "TRITON_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == 12
    for kernel, (compiled, fused, flushed, products) in found.items():
        assert compiled, kernel
        assert (fused, flushed) == (0, 0), kernel
        assert products > 0, kernel


def test_only_laws_go_to_the_kernel():
    """What is computed in float64 from a law, or is none, is the host's on every device."""
    target = torch.zeros(6, 4)
    for init in (
        glorot.TimeStep(), glorot.LogArange(), glorot.LogOfUniform(),
        glorot.Blocks([glorot.TimeStep()], 1),
    ):  # fmt: skip
        writer = _prepared(init, (6, 4), np.dtype(np.float32))
        assert not _memory.filled_on_device(target, writer, None, 42, "w")


@pytest.mark.parametrize("start", [None, (2, 1)])
def test_staged_fills_are_the_wholes(monkeypatch, start):
    """What a device without a kernel is given, some rows at a time, is the same."""
    init = glorot.RandomNormal()
    writer = _prepared(init, (9, 8), np.dtype(np.float32))
    wanted = init((9, 8), seed=42, name="w")
    shape = (9, 8)
    if start is not None:
        wanted, shape = wanted[2:9, 1:5], (7, 4)
    for staged in (1, 10, 10**6):
        monkeypatch.setattr(_memory, "_STAGED", staged)
        target = torch.zeros(shape)
        _memory._staged(target, writer, start, 42, "w")
        assert (target.numpy() == wanted).all()
    number = torch.zeros(())
    _memory._staged(number, _prepared(init, (), np.dtype(np.float32)), None, 42, "w")
    assert number.item() == init((), seed=42, name="w")
