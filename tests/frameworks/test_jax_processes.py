# SPDX-License-Identifier: Apache-2.0
"""Several processes of JAX: each computes its blocks once, and all can see that they agree."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.frameworks

WORLD = 2


@pytest.fixture(scope="module")
def found():
    """What each process prints, of two devices each."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    flags = "--xla_force_host_platform_device_count=2"
    running = [
        subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("jax_processes.py")),
             str(rank), str(WORLD), str(port)],
            env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(WORLD)
    ]  # fmt: skip
    answers = [each.communicate(timeout=120) for each in running]
    assert all(each.returncode == 0 for each in running), answers
    return [json.loads(said.splitlines()[-1]) for said, _ in answers]  # gloo prints before


@pytest.mark.parametrize(
    ("case", "text"),
    [
        ("seeds", r"disagree on the seed: 0 on process 0; 1 on process 1\. Give every process"),
        ("recipes", r"disagree on the recipe: \w+ on process 0; \w+ on process 1"),
        ("trees", "disagree on the names, shapes and dtypes of the model: "),
        ("some", "dtypes of the model: none given on process 0; "),
    ],
)
def test_processes_that_disagree(found, case, text):
    """Every process raises the same."""
    first, *others = (each[case] for each in found)

    assert re.search(text, first), first
    assert all(other == first for other in others)


def test_processes_that_agree(found):
    """Nothing is raised, for a seed of 64 bits too."""
    assert [each["agreed"] for each in found] == [None] * WORLD


def test_each_process_computes_its_blocks_once(found):
    """Half of the weight each, once for two devices that hold the same; NumPy's bytes."""
    for rank, each in enumerate(found):
        assert each["computed"] == [8 * 12 // WORLD]
        assert each["rows"] == [rank * 4]
        assert each["equal"] == [True, True]
