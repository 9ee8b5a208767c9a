# SPDX-License-Identifier: Apache-2.0
"""The command `sample`: one array's numbers, and files of them."""

import json

import ml_dtypes
import numpy as np
import pytest
from cli_cases import invoke

import glorot


def test_sample(tmp_path):
    """The array's numbers, its facts and a histogram whose counts are all of them."""
    result = invoke("sample", "glorot_uniform", 784, 256, "--seed", 0)
    assert result.exit_code == 0
    assert "U(-0.07596, 0.07596)" in result.stdout
    assert "expected 0.0438529" in result.stdout
    rows = [line for line in result.stdout.splitlines() if "█" in line]
    assert sum(int(line.split()[-1]) for line in rows) == 784 * 256
    value = glorot.GlorotUniform(seed=0)((784, 256))
    assert f"{value[0, 0]:.8f}" in result.stdout
    edges = np.linspace(value.min(), value.max(), 22)
    assert [float(row.split()[0]) for row in rows] == pytest.approx(
        (edges[1:] + edges[:-1]) / 2, abs=1e-4
    )


def test_sample_options(tmp_path):
    """Name, dtype, layout and --set reach the initializer; --json prints the facts."""
    result = invoke(
        "sample", "he_normal", 6, 4, "--seed", 3, "--name", "w", "--dtype", "float16",
        "--layout", "torch.linear", "--json",
    )  # fmt: skip
    facts = json.loads(result.stdout)
    value = glorot.HeNormal(seed=3, layout="torch.linear")((6, 4), "float16", name="w")
    assert facts["first"] == value.reshape(-1)[:8].astype(float).tolist()
    assert (facts["fan_in"], facts["fan_out"]) == (4.0, 6.0)
    result = invoke("sample", "normal", 9, "--seed", 3, "--set", "stddev=2", "--json")
    assert json.loads(result.stdout)["expected_stddev"] == 2.0
    result = invoke("sample", "sparse", 8, 8, "--seed", 3, "--set", "sparsity=0.5", "--json")
    assert json.loads(result.stdout)["initializer"] == "Sparse(sparsity=0.5, stddev=0.01)"
    result = invoke("sample", "kaiming_normal", 8, "--seed", 3, "--set", "scale=1", "--json")
    assert "untruncated_normal" in json.loads(result.stdout)["initializer"]
    result = invoke("sample", "zeros", 3, "--seed", 0)
    assert (result.exit_code, "█" in result.stdout) == (0, False)
    assert invoke("sample", "zeros", 0, "--seed", 0).exit_code == 0


def test_sample_writes_npy(tmp_path, monkeypatch):
    """--out writes an array that NumPy loads, and nothing more; it is not replaced unasked, and
    what fails leaves nothing."""
    path = tmp_path / "x.npy"
    arguments = ("sample", "he_normal", 6, 4, "--seed", 3, "--out", path)
    (tmp_path / ".x.npy.partial").write_bytes(b"of a write that was cut off" * 99)
    result = invoke(*arguments)
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, f"written to {path}")
    assert path.stat().st_size == 128 + 6 * 4 * 4
    assert np.array_equal(np.load(path), glorot.HeNormal(seed=3)((6, 4)))
    result = invoke(*arguments)
    assert result.exit_code == 1
    assert "--force" in result.stderr
    assert invoke(*arguments, "--force").exit_code == 0
    result = invoke(*arguments, "--force", "--dtype", "bfloat16")
    assert result.exit_code == 1
    assert ".npy files have no bfloat16" in result.stderr
    before = path.read_bytes()
    monkeypatch.setattr(np, "save", lambda file, values: file.write(b"half") and 1 / 0)
    assert isinstance(invoke(*arguments, "--force").exception, ZeroDivisionError)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("x.npy", before)]
    assert ml_dtypes.bfloat16  # the dtype that NumPy alone would write as raw bytes


def test_sample_does_not_write_through_links(tmp_path):
    """A link that stands where the array is begun is refused; what it leads to keeps its bytes."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / ".a.npy.partial").symlink_to(victim)
    result = invoke("sample", "zeros", 3, "--seed", 1, "--out", tmp_path / "a.npy")
    assert result.exit_code == 1
    assert "is a link, or no plain file" in result.stderr
    assert victim.read_bytes() == b"precious"
