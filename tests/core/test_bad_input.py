# SPDX-License-Identifier: Apache-2.0
"""Bad recipes, headers, indices and shapes given to the command: one clear line, exit code 1, and
the checkpoint that they were to replace is there as it was."""

import json
import sys

import numpy as np
import pytest
import safetensors.numpy
from cli_cases import invoke

import glorot
from glorot import Recipe, Rule

HEAD = 'format = "glorot-recipe"\nversion = 2\n'
RECIPES = {
    "an unknown key": (
        HEAD + 'x = 1\nrules = [{ pattern = "*", initializer = "ones" }]', "unknown key 'x'"),
    "an unknown key of a rule": (
        HEAD + 'rules = [{ pattern = "*", initializer = "normal", sd = 1 }]', "no option 'sd'"),
    "a bad glob": (
        HEAD + 'rules = [{ pattern = "a[bc", initializer = "ones" }]', "pattern"),
    "a bad regular expression": (
        HEAD + 'rules = [{ pattern = "re:a(b", initializer = "ones" }]', "a(b"),
    "a pattern that looks ahead": (
        HEAD + 'rules = [{ pattern = "re:a(?=b)", initializer = "ones" }]', "re:a(?=b)"),
    "a circle of variables": (
        HEAD + 'variables.a = "b + 1"\nvariables.b = "2 * a"\n'
        'rules = [{ pattern = "*", initializer = "normal", stddev = "a" }]', "a"),
    "a division by zero": (
        HEAD + "variables.n = 0\n"
        'rules = [{ pattern = "*", initializer = "normal", stddev = "1 / n" }]', "zero"),
    "code": (
        HEAD + 'rules = [{ pattern = "*", initializer = "normal", stddev = "open(1)" }]', "open"),
    "no TOML": ("rules = [", "cannot be read as TOML"),
}  # fmt: skip


def header(**tensors):
    """A file of these entries, and zeros after it."""
    content = {
        name: {"dtype": "F32", "shape": shape, "data_offsets": offsets}
        for name, (shape, offsets) in tensors.items()
    }
    text = json.dumps(content).encode()
    return len(text).to_bytes(8, "little") + text + b"\0" * 64


def index(file):
    """An index that puts a tensor in this file."""
    return json.dumps({"metadata": {}, "weight_map": {"w": file}}).encode()


FILES = {
    "a size beyond 64 bits": (
        "x.safetensors", header(w=([2**62, 2**62], [0, 8])), "x.safetensors is not"),
    "a size that is not the shape's": (
        "x.safetensors", header(w=([2], [0, 2**40])), "takes 8 bytes"),
    "a header longer than its file": (
        "x.safetensors", (2**62).to_bytes(8, "little") + b"{}", "do not hold a header of"),
    "tensors that overlap": (
        "x.safetensors", header(a=([2], [0, 8]), w=([2], [4, 12])), "neither overlap"),
    "an index that leaves its folder": (
        "model.safetensors.index.json", index("../x.safetensors"), "in the same folder"),
    "an index with an absolute path": (
        "model.safetensors.index.json", index("/etc/passwd.safetensors"), "in the same folder"),
    "a shape that overflows 64 bits": (
        "shapes.json", b'{"w": {"shape": [1099511627776, 1099511627776]}}', "2**63"),
    "a text that is called safetensors": (
        "x.safetensors", b"not a tensor in it, and longer than a header's length", "is not"),
    "an archive of arrays called shapes": ("shapes.json", b"PK\x03\x04\xff\xfe", "shapes.json"),
    "a picture called a config": ("config.json", b"\x89PNG\r\n\x1a\n", "config.json"),
    "random bytes called metadata": (".metadata", b"\x80\x02}q\x00(X\xff",
        "cannot be unpickled (struct.error). It is damaged, or another file"),
}  # fmt: skip


@pytest.fixture
def old(tmp_path):
    """(its folder, what is in it): the checkpoint that was there."""
    glorot.checkpoint.write({"w": (3, 4)}, Recipe([Rule("*", "ones")]), tmp_path / "out", seed=1)
    return tmp_path / "out", {f.name: f.read_bytes() for f in (tmp_path / "out").iterdir()}


def check(arguments, words, old):
    """The command says it in a line, and the old checkpoint is as it was."""
    folder, before = old
    found = invoke(*arguments, "--seed", "1", "--out", folder, "--force")
    assert (found.exit_code, found.stdout) == (1, ""), found.stdout
    (line,) = found.stderr.splitlines()
    assert line.startswith("glorot: ")
    assert words in line
    assert {f.name: f.read_bytes() for f in folder.iterdir()} == before


@pytest.mark.parametrize("what", RECIPES)
def test_bad_recipes(what, tmp_path, old):
    """Each is refused in the words of what is wrong with it."""
    text, words = RECIPES[what]
    recipe, shapes = tmp_path / "recipe.toml", tmp_path / "shapes.json"
    recipe.write_text(text)
    shapes.write_text('{"w": {"shape": [3, 4]}}')
    check(["init", shapes, "--recipe", recipe], words, old)


@pytest.mark.parametrize("what", FILES)
def test_bad_files(what, tmp_path, old):
    """Given as the source of shapes, by itself or in its folder."""
    name, data, words = FILES[what]
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / name).write_bytes(data)
    recipe = tmp_path / "recipe.json"
    recipe.write_text(Recipe([Rule("*", "ones")]).to_json())
    whole = name in (".metadata", "config.json", "model.safetensors.index.json")
    check(["init", folder if whole else folder / name, "--recipe", recipe], words, old)


@pytest.mark.parametrize("what", [what for what in FILES if "shape" not in what])
def test_bad_checkpoints_are_inspected_and_verified_in_a_line(what, tmp_path):
    """What reads values says the same, and ends with 1."""
    name, data, _ = FILES[what]
    folder = tmp_path / "source"
    folder.mkdir()
    safetensors.numpy.save_file({"w": np.ones(2, np.float32)}, tmp_path / "x.safetensors")
    (folder / name).write_bytes(data)
    recipe = tmp_path / "recipe.json"
    recipe.write_text(Recipe([Rule("*", "ones")]).to_json())
    given = folder / name if name == "x.safetensors" else folder
    for command in (["inspect"], ["verify", "--seed", "1"]):
        found = invoke(*command, given, "--recipe", recipe)
        assert (found.exit_code, found.stdout) == (1, ""), (command, found.stdout)
        assert len(found.stderr.splitlines()) == 1
        assert found.stderr.startswith("glorot: ")


def test_a_big_endian_machine(tmp_path, monkeypatch, old):
    """Its memory is not what the formats say: no command reads or writes values there."""
    (tmp_path / "recipe.json").write_text(Recipe([Rule("*", "ones")]).to_json())
    (tmp_path / "shapes.json").write_text('{"w": {"shape": [3, 4]}}')
    options = ["--recipe", str(tmp_path / "recipe.json")]
    monkeypatch.setattr(sys, "byteorder", "big")
    words = "checkpoints need a little-endian machine"
    check(["init", tmp_path / "shapes.json", *options], words, old)
    for command in (["inspect"], ["verify", "--seed", "1"]):
        found = invoke(*command, old[0], *options)
        assert (found.exit_code, found.stdout) == (1, "")
        assert found.stderr.startswith(f"glorot: {words}")
