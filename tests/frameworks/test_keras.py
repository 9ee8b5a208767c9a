# SPDX-License-Identifier: Apache-2.0
"""glorot.keras on Keras' three backends, each in a process of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.frameworks

HERE = Path(__file__).parent
BACKENDS = ("jax", "tensorflow", "torch")


def run(backend, *command, check=True):
    """What a command prints where Keras has this backend; JAX finds four devices."""
    settings = {
        "KERAS_BACKEND": backend,
        "XLA_FLAGS": "--xla_force_host_platform_device_count=4",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    done = subprocess.run(
        [sys.executable, *map(str, command)],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("cases", ["keras_contract.py", "keras_backend_*.py"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend(backend, cases):
    """The contract, and what is Keras' own, on each backend."""
    files = sorted(HERE.glob(cases))
    assert files
    said = run(backend, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files)

    assert re.search(r"\d+ passed", said)
    assert not re.search(r"failed|error|skipped|xfail", said)


def test_one_fingerprint_on_all_backends():
    """An application model, and a model of every kind of layer, hold the same bytes everywhere."""
    found = {backend: run(backend, HERE / "keras_models.py").split() for backend in BACKENDS}

    assert len(found["jax"]) == 3
    assert len(set(found["jax"])) == 3
    assert found["jax"] == found["tensorflow"] == found["torch"]
