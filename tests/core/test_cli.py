# SPDX-License-Identifier: Apache-2.0
"""The command line: what it prints, and its exit codes."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from cli_cases import RECIPE, invoke

import glorot

GPT2 = {
    "wte.weight": (50, 8),
    "wpe.weight": (20, 8),
    **{
        f"h.{i}.{name}": shape
        for i in range(3)
        for name, shape in {
            "ln_1.weight": (8,),
            "ln_1.bias": (8,),
            "attn.c_attn.weight": (8, 24),
            "attn.c_attn.bias": (24,),
            "attn.c_proj.weight": (8, 8),
            "attn.c_proj.bias": (8,),
            "ln_2.weight": (8,),
            "ln_2.bias": (8,),
            "mlp.c_fc.weight": (8, 32),
            "mlp.c_fc.bias": (32,),
            "mlp.c_proj.weight": (32, 8),
            "mlp.c_proj.bias": (8,),
        }.items()
    },
    "ln_f.weight": (8,),
    "ln_f.bias": (8,),
}


@pytest.fixture
def shapes(tmp_path):
    """A shapes file of a tiny GPT-2."""
    path = tmp_path / "shapes.json"
    path.write_text(json.dumps({name: {"shape": shape} for name, shape in GPT2.items()}))
    return path


@pytest.fixture
def written(shapes, tmp_path):
    """The folder of its checkpoint."""
    assert invoke("init", shapes, *RECIPE, "--out", tmp_path / "out").exit_code == 0
    return tmp_path / "out"


def test_init_prints_a_table(shapes, tmp_path):
    """One line a rule and shape, with law, fans, expected and measured stddev; no progress bar."""
    result = invoke("init", shapes, *RECIPE, "--out", tmp_path / "out")
    assert result.exit_code == 0
    assert result.stderr == ""
    (line,) = (line for line in result.stdout.splitlines() if "mlp.c_proj.weight" in line)
    for part in ("*h.*.mlp.c_proj.weight", " 3 ", "32 x 8", "float32", "N(0, 0.008165)", "32, 8"):
        assert part in line
    assert "40 tensors" in result.stdout
    assert str(tmp_path / "out") in result.stdout.replace("\n", "")
    assert glorot.checkpoint.verify(tmp_path / "out", "gpt2", 42, shapes=GPT2).equal


def test_the_file_is_to_the_byte_what_the_first_recipes_gave(written):
    """The gpt2 recipe, which is of version 1 of the schema, and what was made of it."""
    data = (written / "model.safetensors").read_bytes()
    recorded = "08ed47f9ff0b6688130088d25cc79a945e781e4d1b1195262c3f92f5a802fb23"
    assert hashlib.sha256(data).hexdigest() == recorded


def test_init_full_names_each_tensor(shapes, tmp_path):
    """--full has one line a tensor."""
    result = invoke("init", shapes, *RECIPE, "--out", tmp_path / "out", "--full")
    assert all(f" {name} " in result.stdout for name in GPT2)


def test_init_json(shapes, tmp_path):
    """--json prints the report, and nothing else, on stdout."""
    result = invoke(
        "init", shapes, *RECIPE, "--out", tmp_path / "out", "--json", "--dtype", "bfloat16"
    )
    report = json.loads(result.stdout)
    assert report["files"] == ["model.safetensors"]
    assert {tensor["dtype"] for tensor in report["tensors"]} == {"bfloat16"}
    assert len(report["tensors"]) == len(GPT2)


def test_init_options(shapes, tmp_path):
    """Shards, resume and force reach the library."""
    out = ("--out", tmp_path / "out")
    assert invoke("init", shapes, *RECIPE, *out, "--max-shard-size", "2kB").exit_code == 0
    assert (tmp_path / "out" / "model.safetensors.index.json").exists()
    result = invoke("init", shapes, *RECIPE, *out)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("glorot: ")
    assert "--force" in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert (
        invoke("init", shapes, *RECIPE, *out, "--max-shard-size", "2kB", "--resume").exit_code == 0
    )
    assert invoke("init", shapes, *RECIPE, *out, "--force").exit_code == 0
    assert not (tmp_path / "out" / "model.safetensors.index.json").exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("init", "none.json", *RECIPE, "--out", "x"), "none.json does not exist"),
        (("init", "none.json", "--recipe", "gpt3", "--seed", "1", "--out", "x"), "Near: gpt2"),
        (("verify", "none", *RECIPE), "none does not exist"),
        (("sample", "glorot_unifrom", "3", "--seed", "0"), "glorot_uniform"),
        (("sample", "ones", "3", "--seed", "-1"), "seed"),
        (("sample", "ones", "3", "--seed", "0", "--set", "x"), "`--set` must be NAME=VALUE"),
        (
            ("sample", "normal", "3", "--seed", "0", "--set", "sd=1"),
            "no option 'sd'. It has batch_axes, equation",
        ),
        (("sample", "normal", "3", "--seed", "0", "--set", "mean=a"), "`mean` must be a number"),
        (
            ("sample", "normal", "3", "--seed", "0", "--set", "mean=" + "[" * 100_000),
            "`mean` must be a number",
        ),
        (("sample", "normal", "3", "--seed", "0", "--set", "seed=1"), "'seed' to --seed"),
        (("sample", "normal", "3", "--seed", "0", "--set", "dtype=int8"), "'dtype' to --dtype"),
        (
            ("sample", "normal", "3", "--seed", "0", "--layout", "N", "--set", "layout=O"),
            "'layout' to --layout",
        ),
        (("sample", "sparse", "3", "--seed", "0"), "Sparse needs sparsity=..."),
        (("sample", "normal", "3", "--seed", "0", "--dtype", "int8"), "Only floating point"),
        (("sample", "normal", "3", "--seed", "0", "--out", "x.npz"), "must end in .npy"),
    ],
)
def test_what_the_user_can_mend_is_one_line(arguments, text, tmp_path, monkeypatch):
    """Exit code 1, one line on stderr, nothing on stdout, nothing written."""
    monkeypatch.chdir(tmp_path)
    result = invoke(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    assert text in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [("init",), ("verify",), ("sample", "ones", "--seed", "0"), ("nothing",),
     ("sample", "ones", "a", "--seed", "0"), ("init", "x", *RECIPE, "--out", "y", "--fast")],
)  # fmt: skip
def test_wrong_usage(arguments):
    """Exit code 2 for what is not a command at all."""
    assert invoke(*arguments).exit_code == 2


def test_debug_shows_the_error():
    """--debug lets the error through."""
    result = invoke("verify", "none", *RECIPE, "--debug")
    assert isinstance(result.exception, FileNotFoundError)


def test_verify(written):
    """Exit code 0 and one line when equal; 1 and the first difference when not."""
    result = invoke("verify", written, *RECIPE)
    assert result.exit_code == 0
    assert result.stdout.startswith("equal: all 40 tensors")
    result = invoke("verify", written, "--recipe", "gpt2", "--seed", "43")
    assert result.exit_code == 1
    assert "NOT equal: 14 of 40 tensors" in result.stdout
    assert "first at [0, 0]: " in result.stdout
    assert "it was trained, or has another seed, recipe or name" in result.stdout
    assert "and 4 more (--full shows all)" in result.stdout
    full = invoke("verify", written, "--recipe", "gpt2", "--seed", "43", "--full")
    assert all(name in full.stdout for name in GPT2)


def test_verify_json_and_shapes(written, shapes, tmp_path):
    """--json prints the report; --shapes says what should be there."""
    result = invoke("verify", written, *RECIPE, "--json", "--shapes", shapes)
    assert json.loads(result.stdout)["equal"] is True
    more = tmp_path / "more.json"
    more.write_text(
        json.dumps({n: {"shape": s} for n, s in GPT2.items()} | {"x.bias": {"shape": [2]}})
    )
    result = invoke("verify", written, *RECIPE, "--json", "--shapes", more)
    assert result.exit_code == 1
    (problem,) = (t for t in json.loads(result.stdout)["tensors"] if t["status"] != "equal")
    assert (problem["name"], problem["status"]) == ("x.bias", "missing")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_verify_json_of_a_model_that_diverged(tmp_path, value):
    """NaN and infinities are no JSON: the numbers are null, and the note has the words."""
    safetensors.numpy.save_file(
        {"w": np.full((3, 2), value, np.float32)}, tmp_path / "model.safetensors"
    )
    line = ("verify", tmp_path, "--recipe", "tensorflow-v1", "--seed", 1, "--json")

    def refuse(constant):
        raise AssertionError(constant)

    found = json.loads(invoke(*line).stdout, parse_constant=refuse)["tensors"][0]
    assert (found["status"], found["found"]) == ("trained", None)
    assert f"{value} found" in found["note"]


def test_version():
    """--version says the stream and the kernel."""
    result = invoke("--version")
    assert (result.exit_code, result.stderr) == (0, "")
    config = glorot.config()
    assert result.stdout.startswith(f"glorot {config['version']} (stream 1, kernel ")
    assert config["target"] in result.stdout


@pytest.mark.parametrize(
    "command", ["init", "verify", "explain", "inspect", "sample", "presets", "presets show"]
)
def test_every_command_has_an_example(command):
    """Each --help shows the command as one would type it."""
    text = invoke(*command.split(), "--help").stdout
    assert f"Example:\n    glorot {command}" in text


def test_module_and_script(tmp_path):
    """`python -m glorot` is the command, and its errors end a process with 1."""
    command = [sys.executable, "-m", "glorot"]
    result = subprocess.run(
        [*command, "sample", "ones", "3", "--seed", "0", "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(result.stdout)["first"] == [1.0, 1.0, 1.0]
    result = subprocess.run(
        [*command, "verify", str(Path(tmp_path, "none")), *RECIPE],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (result.returncode, result.stdout) == (1, "")
    assert "Traceback" not in result.stderr


def test_interrupt(shapes, monkeypatch):
    """An interrupt ends with the shell's own code and one line that says how to go on."""

    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(glorot.checkpoint, "write", interrupted)
    result = invoke("init", shapes, *RECIPE, "--out", "y")
    assert result.exit_code == 130
    assert "interrupted. What `init` had begun, --resume goes on with." in result.stderr
    monkeypatch.setattr(glorot.checkpoint, "verify", interrupted)
    result = invoke("verify", "y", "--recipe", "gpt2", "--seed", 1)
    assert (result.exit_code, result.stderr) == (130, "glorot: interrupted.\n")


@pytest.mark.parametrize(
    ("error", "text"),
    [(MemoryError(), "not enough memory"), (OverflowError("too large\x1b[31m"), "too large\\x1b")],
)
def test_no_traceback(error, text, shapes, tmp_path, monkeypatch):
    """What runs out of memory or range is one line on stderr, without control characters."""

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(glorot.checkpoint, "write", fail)
    result = invoke("init", shapes, *RECIPE, "--out", tmp_path / "out")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert result.stderr.startswith("glorot: ")
    assert text in result.stderr


def test_version_refuses_bad_settings(monkeypatch):
    """A setting that is none is one line on stderr."""
    monkeypatch.setenv("GLOROT_THREADS", "abc")
    result = invoke("--version")
    assert result.exit_code == 1
    assert result.stderr.startswith("glorot: GLOROT_THREADS must be")


@pytest.mark.slow
def test_a_target_that_is_none_is_one_line(shapes, tmp_path):
    """GLOROT_TARGET is read when glorot is imported, and still no command ends in a traceback."""
    for arguments in (
        ["--version"],
        ["sample", "he_normal", "3", "3", "--seed", "0"],
        ["init", shapes, *RECIPE, "--out", tmp_path / "out"],
        ["verify", tmp_path, *RECIPE],
    ):
        result = subprocess.run(
            [sys.executable, "-m", "glorot", *map(str, arguments)],
            env={**os.environ, "GLOROT_TARGET": "foo"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert (result.returncode, result.stdout, result.stderr.count("\n")) == (1, "", 1)
        assert re.match(
            "glorot: GLOROT_TARGET='foo' (cannot run here|needs the comp)", result.stderr
        )
    assert not (tmp_path / "out").exists()
