# SPDX-License-Identifier: Apache-2.0
"""`import glorot` stays light: no framework, and no part that the first array does not need."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import glorot

CODE = """
import sys
import ml_dtypes, numpy
before = set(sys.modules)
import glorot
glorot.GlorotUniform(seed=42)((64, 64), name="w")
found = sorted(set(sys.modules) - before)
import json
print(json.dumps(found))
"""


def test_import_and_first_array_load_nothing_heavy():
    """No framework, no command line, no lazy part, and nothing slow of the standard library."""
    source = str(Path(glorot.__file__).parents[1])
    path = os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    modules = set(json.loads(done.stdout))

    frameworks = {"torch", "tensorflow", "jax", "keras", "transformers", "safetensors"}
    lazy = {f"glorot.{name}" for name in ("checkpoint", "cli", "compat", "recipe", "replay")}
    slow = {"click", "rich", "importlib.metadata", "typing_extensions", "difflib", "pathlib"}
    slow |= {"hashlib", "_hashlib"}
    assert "glorot._kernel" in modules
    assert not modules & (frameworks | lazy | slow)


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["torch", "jax", "keras", "tensorflow"])
def test_an_adapter_whose_framework_is_not_there(framework, tmp_path):
    """It says what to install; but of a framework that lacks something itself (as Keras does its
    backend) it says what that lacks."""
    (tmp_path / f"{framework}.py").write_text("import its_own_need")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    block = f"sys.modules[{framework!r}] = None\n"
    for before, text in (
        (code + block, f"which is not installed: pip install 'glorot[{framework}]'."),
        (code, "ModuleNotFoundError: No module named 'its_own_need'"),
    ):
        command = [sys.executable, "-c", f"{before}import glorot.{framework}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stderr.splitlines()[-1].endswith(text)


def test_a_name_that_is_not_there_brings_the_near_one():
    """Python itself says what was meant, names that are loaded late among them."""
    for wrong, right in (("GlorotUnifrom", "GlorotUniform"), ("recpie", "recipe")):
        code = f"import glorot; glorot.{wrong}"
        run = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert f"has no attribute {wrong!r}. Did you mean: {right!r}?" in run.stderr
