# SPDX-License-Identifier: Apache-2.0
"""glorot.replay.keras equals the installed Keras 3 on each backend, byte for byte.

Keras takes its backend when it is imported, so each runs in a process of its own, which does what
keras_session.py says.
"""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SESSION = Path(__file__).with_name("keras_session.py")
IN_FLOAT32 = runpy.run_path(str(SESSION.parents[1] / "oracle" / "jax_cpu.py"))["IN_FLOAT32"]
CHECKS = [
    line[4:].split("(")[0]
    for line in SESSION.read_text(encoding="utf-8").splitlines()
    if line.startswith("def check_")
]

pytestmark = pytest.mark.frameworks


@pytest.mark.parametrize(
    ("backend", "cases", "x64"),
    [
        ("tensorflow", 600, "0"),
        ("torch", 600, "0"),
        ("jax", 80, "0"),
        ("jax", 40, "1"),
        ("numpy", 600, "0"),
    ],
)
def test_keras_on_a_backend(backend, cases, x64):
    """Random sessions, recorded rows, names, arguments, small numbers, configs, a model, large
    tensors."""
    assert len(CHECKS) == 8
    done = subprocess.run(
        [sys.executable, str(SESSION), str(cases)],
        env={**os.environ, **IN_FLOAT32, "KERAS_BACKEND": backend, "JAX_ENABLE_X64": x64},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == CHECKS
