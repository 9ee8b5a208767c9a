# SPDX-License-Identifier: Apache-2.0
"""glorot inspect: the table, the problems, the exit codes, the picture that cannot be drawn."""

import json
import sys

import numpy as np
import pytest
import safetensors.numpy
from cli_cases import invoke

import glorot
from glorot import Recipe, Rule

RECIPE = Recipe(
    [
        Rule("*.bias", "zeros"),
        Rule("*.qkv", "glorot_uniform", layout="torch.linear", blocks="qkv"),
        Rule("*", "normal", stddev="0.1 / n"),
    ],
    variables={"n": 1},
)
SHAPES = {
    f"h.{i}.{name}": shape
    for i in range(4)
    for name, shape in {"qkv": (96, 32), "up": (32, 50), "up.bias": (50,)}.items()
}


def inspect(*arguments):
    """Run the command in this process."""
    return invoke("inspect", *arguments)


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """(recipe file, right checkpoint, wrong checkpoint)."""
    folder = tmp_path_factory.mktemp("inspect")
    (folder / "recipe.toml").write_text(RECIPE.to_toml())
    glorot.checkpoint.write(SHAPES, RECIPE, folder / "right", seed=7)
    arrays = safetensors.numpy.load_file(folder / "right" / "model.safetensors")
    arrays["h.2.up"] = arrays["h.2.up"] * np.float32(2)
    arrays["h.3.qkv"][64:] = np.nan
    safetensors.numpy.save_file(arrays, folder / "wrong.safetensors")
    return folder / "recipe.toml", folder / "right", folder / "wrong.safetensors"


def test_right(places):
    """Exit code 0, a line a rule and shape, a block each of a fused weight, the bytes' verdict."""
    recipe, right, _ = places
    result = inspect(right, "--recipe", recipe, "--seed", 7)
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    (line,) = (line for line in lines if line.lstrip().startswith("*.qkv[k] (4)"))
    for part in ("32 x 32", "float32", "U(-0.3062, 0.3062)", "0.1768", "equal"):
        assert part in line
    assert any(line.lstrip().startswith("* (4) ") for line in lines)
    assert "nothing wrong: 12 parameters" in lines[-1]
    assert f"recipe {RECIPE.fingerprint[:8]}" in lines[-1]
    assert inspect(right).exit_code == 0


def test_the_recipe_of_the_manifest(places, tmp_path):
    """A checkpoint that says its recipe is held to it: variables that were set, and axes that the
    shapes said, included. A file that the manifest does not name is held to nothing."""
    _, right, wrong = places
    result = inspect(right)
    assert result.exit_code == 0
    assert "that of" in result.stderr
    assert "glorot.json; --recipe overrides it" in result.stderr
    assert f"recipe {RECIPE.fingerprint[:8]}" in result.stdout
    assert inspect(right / "model.safetensors").stdout.count(RECIPE.fingerprint[:8]) == 1
    assert f"recipe {RECIPE.fingerprint[:8]}" not in inspect(wrong).stdout
    (tmp_path / "other").mkdir()
    for name in ("glorot.json", "model.safetensors"):
        (tmp_path / "other" / name).write_bytes((right / name).read_bytes())
    renamed = (tmp_path / "other" / "model.safetensors").rename(
        tmp_path / "other" / "x.safetensors"
    )
    result = inspect(renamed)
    assert (result.stderr, RECIPE.fingerprint[:8] in result.stdout) == ("", False)
    glorot.checkpoint.write({"w": (5, 5)}, Recipe([Rule("*", "zeros")]), tmp_path / "0", seed=1)
    (tmp_path / "0" / "glorot.json").unlink()
    assert "\nall 0, which a recipe may mean or not: w\n" in inspect(tmp_path / "0").stdout
    shapes = {"up": {"shape": [96, 400], "layout": "torch.linear", "type": "Linear"}}
    set_ = Recipe(
        [Rule("*", "lecun_normal", gain="g", where={"type": "Linear"})], variables={"g": 1}
    )
    glorot.checkpoint.write(shapes, set_.set(g=3), tmp_path / "other" / "a", seed=7)
    assert inspect(tmp_path / "other" / "a").exit_code == 0
    (tmp_path / "other" / "a" / "glorot.json").write_text("{")
    result = inspect(tmp_path / "other" / "a")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)


def test_wrong(places):
    """Exit code 1, a line a problem, the worst first, and the row furthest from its promise."""
    recipe, _, wrong = places
    result = inspect(wrong, "--recipe", recipe)
    assert (result.exit_code, result.stderr) == (1, "")
    lines = result.stdout.splitlines()
    assert lines[-3].startswith("h.3.qkv[v]: 1,024 NaN of 1,024 values")
    assert lines[-2].startswith("h.2.up: stddev is 2")
    assert lines[-1].startswith("2 problems: ")
    assert "1,024 no number" in result.stdout
    assert inspect(wrong).exit_code == 1


def test_set_and_full(places):
    """Variables reach the recipe; --full has a line a parameter and block."""
    recipe, right, _ = places
    result = inspect(right, "--recipe", recipe, "--set", "n=2", "--full")
    assert result.exit_code == 1
    assert "h.0.up, " not in result.stdout
    assert "times too large (0.1" in result.stdout
    for name in ("h.0.up ", "h.3.up ", "h.0.qkv[q] ", "h.2.up.bias "):
        assert f" {name}" in result.stdout


def test_json(places):
    """The report and nothing else on stdout; the exit code is the same."""
    recipe, right, wrong = places
    report = json.loads(inspect(right, "--recipe", recipe, "--json").stdout)
    assert report["ok"]
    assert len(report["parameters"]) == 4 * 5
    result = inspect(wrong, "--recipe", recipe, "--json")
    assert result.exit_code == 1
    assert [problem["kind"] for problem in json.loads(result.stdout)["problems"]] == [
        "not finite", "stddev",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["no/such/folder"], "no/such/folder does not exist"),
        (["{wrong}", "--seed", "1"], "`seed` says nothing without `recipe`"),
        (["{right}", "--set", "n=2"], "`--set` changes a recipe: give --recipe too"),
        (["{right}", "--recipe", "gpt3"], "no built-in recipe is called 'gpt3'"),
        (["{right}", "--plot", "x.txt"], "`--plot` must end in .png, .pdf, .svg"),
        (["{right}", "--plot", "no/x.png"], "the folder of `--plot`, no, does not exist"),
        (["{recipe}"], "is not a safetensors file"),
    ],
)
def test_bad_input(places, arguments, text):
    """One line on stderr, exit code 1."""
    recipe, right, wrong = places
    result = inspect(*(a.format(right=right, recipe=recipe, wrong=wrong) for a in arguments))
    assert result.exit_code == 1
    assert text in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


def test_files_without_values(tmp_path):
    """A shapes file, and an index given in place of its folder: what to give is said."""
    for name in ("shapes.json", "model.safetensors.index.json"):
        file = tmp_path / name
        file.write_text("{}")
        result = inspect(file)
        assert (result.exit_code, result.stdout) == (1, "")
        (line,) = result.stderr.splitlines()
        assert f"{file} is JSON and holds no values. Give the checkpoint's folder" in line


def test_without_matplotlib(places, monkeypatch, tmp_path):
    """The extra is named before anything is read."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = inspect(places[1], "--plot", tmp_path / "x.png")
    assert result.exit_code == 1
    assert "draws with matplotlib, which is not installed: pip install 'glorot[plot]'" in (
        result.stderr
    )


@pytest.mark.parametrize("case", ["counted", "sized"])
def test_what_was_left_out_counts(tmp_path, case):
    """A recipe may count or measure what no file holds: the manifest says it, and the audit goes by
    it."""
    if case == "counted":
        recipe = Recipe([Rule("*.mask", None), Rule("*.w", "normal", layers="h.*.")])
        shapes = {"h.0.w": (160, 160), "h.1.w": (160, 160), "h.2.mask": (4, 4)}
    else:
        rules = [Rule("head.weight", None), Rule("*", "normal", stddev="1 / d")]
        recipe = Recipe(rules, variables={"d": {"size": "head.weight", "axis": 1}})
        shapes = {"w": (64, 64), "head.weight": (4, 64)}
    glorot.checkpoint.write(shapes, recipe, tmp_path, seed=1)
    for arguments in ((recipe,), (recipe, 1)):
        report = glorot.audit(tmp_path, *arguments)
        assert report.ok, report.problems
    assert inspect(tmp_path).exit_code == 0
    (tmp_path / "glorot.json").unlink()
    assert not glorot.audit(tmp_path, recipe).ok
