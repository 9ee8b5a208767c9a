# SPDX-License-Identifier: Apache-2.0
"""What a write would do, told without writing: sizes, files, refusals, free space."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from cli_cases import invoke

from glorot import Recipe, Rule
from glorot.checkpoint import _dry_run, plan, write

RECIPE = Recipe([Rule("*.bias", "zeros"), Rule("out", "orthogonal"), Rule("*", "he_normal")])
SHAPES = {f"{i}.{part}": (40, 30 + i) for i in range(6) for part in ("weight", "bias")}
SHAPES |= {"out": (30, 20), "none": (0, 5)}


@pytest.mark.parametrize("options", [{}, {"max_shard_size": 20_000}, {"dtype": "bfloat16"}])
def test_the_plan_is_what_is_written(tmp_path, options):
    """Names, sizes, counts and bytes needed are those of the files that `write` then makes."""
    planned = plan(SHAPES, RECIPE, tmp_path / "out", seed=1, **options)
    assert list(tmp_path.iterdir()) == []
    report = write(SHAPES, RECIPE, tmp_path / "out", seed=1, **options)
    assert tuple(file.name for file in planned.files) == report.files
    for file in planned.files:
        assert (tmp_path / "out" / file.name).stat().st_size == file.nbytes
    assert sum(file.tensors for file in planned.files) == planned.tensors == len(SHAPES)
    assert (planned.nbytes, planned.parameters) == (report.nbytes, report.parameters)
    assert planned.needed == planned.nbytes
    assert planned.recipe == report.recipe
    assert planned.unmeasured == ("out",)
    assert planned.seconds > 0
    assert planned.fits


def test_a_trillion_parameters(tmp_path):
    """However large the model, the plan is there at once, in no memory, and says what lacks."""
    shapes = {f"h.{i}.w": {"shape": (100_000, 100_000), "dtype": "bfloat16"} for i in range(100)}
    planned = plan(
        shapes, Recipe([Rule("*", "he_normal")]), tmp_path, seed=1, max_shard_size="20GB"
    )
    assert planned.parameters == 10**12
    assert planned.needed > 2 * 10**12
    assert len(planned.files) == 100
    assert planned.fits == (planned.needed <= planned.free)
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_counts(tmp_path, monkeypatch):
    """Refusals are those of `write`, and leave all as it is; what `resume` finds needs no room."""
    planned = plan(SHAPES, RECIPE, tmp_path, seed=1)
    write(SHAPES, RECIPE, tmp_path, seed=1)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(FileExistsError, match=r"is there already. Give `force`"):
        plan(SHAPES, RECIPE, tmp_path, seed=1)
    assert plan(SHAPES, RECIPE, tmp_path, seed=1, force=True).needed == planned.needed
    resumed = plan(SHAPES, RECIPE, tmp_path, seed=1, resume=True)
    assert resumed.needed < planned.needed or not hasattr(os.stat_result, "st_blocks")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    (tmp_path / "file").write_text("kept")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(FileExistsError, match=r"file is a file; `out_dir` must be a folder"):
            plan(SHAPES, RECIPE, folder, seed=1)
    monkeypatch.setattr(_dry_run.os, "access", lambda *_: False)
    with pytest.raises(PermissionError, match=r"cannot be written to. Give another folder"):
        plan(SHAPES, RECIPE, tmp_path / "new", seed=1)


def test_the_command(tmp_path, monkeypatch):
    """--dry-run prints the plan, as text and as JSON; exit code 1 where there is no room."""
    (tmp_path / "shapes.json").write_text(json.dumps({n: {"shape": s} for n, s in SHAPES.items()}))
    (tmp_path / "recipe.json").write_text(RECIPE.to_json())
    before = sorted(tmp_path.iterdir())
    arguments = ["init", str(tmp_path / "shapes.json"), "--recipe", str(tmp_path / "recipe.json")]
    arguments += ["--seed", "1", "--out", str(tmp_path / "out"), "--dry-run"]
    result = invoke(*arguments, "--max-shard-size", "20kB")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "would write 14 tensors, 16,200 parameters, " in result.stdout
    assert "model-00001-of-00004.safetensors" in result.stdout
    assert "and 1 tensor that is computed whole; a slower disk decides" in result.stdout
    for ranks, text in (
        (["--rank", "4", "--world-size", "4"], "below `world_size`=4"),
        (["--rank", "0"], "`world_size` is missing"),
    ):
        result = invoke(*arguments, *ranks)  # as the command itself refuses
        assert (result.exit_code, result.stdout) == (1, "")
        assert text in result.stderr
    report = json.loads(invoke(*arguments, "--json").stdout)
    assert report["nbytes"] == plan(SHAPES, RECIPE, tmp_path / "out", seed=1).nbytes
    assert report["fits"] is True
    usage = type("usage", (), {"free": 1000})
    monkeypatch.setattr(_dry_run.shutil, "disk_usage", lambda path: usage)
    result = invoke(*arguments)
    assert result.exit_code == 1
    assert "NOT enough room: " in result.stdout
    assert "1e+03 B free" not in result.stdout
    many = invoke(*arguments, "--max-shard-size", "1")
    assert "and 4 more files (--full shows all)" in many.stdout
    assert sorted(tmp_path.iterdir()) == before


def test_without_torch_there_is_no_dcp(tmp_path, monkeypatch):
    """What only torch can make is refused by the plan too, and by the write before anything."""
    monkeypatch.setitem(sys.modules, "torch", None)
    for ask in (plan, write):
        with pytest.raises(ValueError, match=r"needs torch, .* pip install 'glorot\[torch\]'"):
            ask(SHAPES, RECIPE, tmp_path / "out", seed=1, format="dcp")
    assert list(tmp_path.iterdir()) == []


if os.name == "posix":

    @pytest.mark.slow
    @pytest.mark.parametrize("dry", [True, False])
    def test_a_folder_without_permission(tmp_path, dry):
        """A folder that this user may not write to: exit code 1, one line, nothing made."""
        code = (
            "import os, sys\n"
            "from click.testing import CliRunner\n"
            "from glorot.cli._app import app\n"
            "folder, *options = sys.argv[1:]\n"
            "files = [f'{folder}/shapes.json', '--recipe', f'{folder}/recipe.json']\n"
            "def run(out):\n"
            "    line = ['init', *files, '--seed', '1', '--out', out, *options]\n"
            "    return CliRunner().invoke(app, line)\n"
            "assert run(f'{folder}/ok').exit_code == 0\n"  # and nothing is left to import
            "os.chmod(folder, 0o555)\n"
            "if os.geteuid() == 0:\n"
            "    os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            "for out in (folder, folder + '/new'):\n"
            "    result = run(out)\n"
            "    print(result.exit_code, repr(result.stdout), result.stderr, end='')\n"
            "print(sorted(os.listdir(folder)))\n"
        )
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "shapes.json").write_text('{"w": {"shape": [4]}}')
            (Path(folder) / "recipe.json").write_text(Recipe([Rule("*", "ones")]).to_json())
            Path(folder, "ok").mkdir()
            arguments = [sys.executable, "-c", code, folder, *(["--dry-run"] if dry else [])]
            done = subprocess.run(arguments, capture_output=True, text=True, check=False)
        lines = done.stdout.splitlines()
        assert len(lines) == 3, done.stderr
        for line, out in zip(lines, (folder, f"{folder}/new"), strict=False):
            assert line.startswith("1 '' glorot: ")
            assert folder in line, out
            assert "cannot be written to" in line or "Permission denied" in line
        assert lines[2] == "['ok', 'recipe.json', 'shapes.json']"


def test_shapes_that_overflow(tmp_path):
    """More bytes than 64 bits count: refused by name, before anything is written."""
    for call in (plan, write):
        for shapes, text in (
            ({"w": (2**40, 2**40)}, r"'w' in `shapes`: .* more than 2\*\*63 elements"),
            ({"w": (2**62,)}, r"'w' of shape .* ends at or after byte 2\*\*63"),
            ({"a": (2**60,), "b": (2**60,)}, r"'b' of shape .* or give `max_shard_size`"),
        ):
            with pytest.raises(ValueError, match=text):
                call(shapes, Recipe([Rule("*", "ones")]), tmp_path, seed=1)
        assert list(tmp_path.iterdir()) == []


def test_a_link_to_nowhere_is_refused_as_the_write_does(tmp_path):
    """The plan said that there was room, and the write that the file exists."""
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    for run in (plan, write):
        for folder in (link, link / "below"):
            with pytest.raises(FileExistsError, match=r"link is a link to what is not there\."):
                run({"w": (2,)}, Recipe([Rule("*", "ones")]), folder, seed=1)
    (tmp_path / "nowhere").mkdir()
    assert plan({"w": (2,)}, Recipe([Rule("*", "ones")]), link, seed=1).fits
