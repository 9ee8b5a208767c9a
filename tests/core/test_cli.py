# SPDX-License-Identifier: Apache-2.0
"""The command line: what it prints, where, and its exit codes."""

import hashlib
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from rich.console import Console
from typer.testing import CliRunner

import glorot
from glorot.cli import _show
from glorot.cli._app import app

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
RECIPE = ("--recipe", "gpt2", "--seed", "42")


def invoke(*arguments):
    """Run the command in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


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
            "no option 'sd'. It has batch_axes, dtype",
        ),
        (("sample", "normal", "3", "--seed", "0", "--set", "mean=a"), "`mean` must be a number"),
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


def test_version():
    """--version says the stream and the kernel."""
    result = invoke("--version")
    assert (result.exit_code, result.stderr) == (0, "")
    config = glorot.config()
    assert result.stdout.startswith(f"glorot {config['version']} (stream 1, kernel ")
    assert config["target"] in result.stdout


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no full device")
@pytest.mark.parametrize("arguments", [["--version"], ["presets"], ["presets", "--json"]])
def test_an_output_that_is_full(arguments):
    """It is one line and exit code 1, as every error of the system."""
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "glorot", *arguments], stdout=full, stderr=subprocess.PIPE,
            text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "glorot: No space left on device\n")


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


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["ascii:surrogateescape", "cp1252"])
def test_a_pipe_whose_encoding_lacks_a_character(encoding, tmp_path):
    """It gets that character spelled out, as on Windows, and no error."""
    path, recipe = tmp_path / "shapes.json", tmp_path / "recipe.json"
    path.write_text(json.dumps({"schicht.ж": [3, 4]}))
    recipe.write_text(glorot.Recipe([glorot.Rule("*", "lecun_normal")]).to_json())
    for arguments, text in (
        (["sample", "lecun_normal", "64", "64", "--seed", "1"], "#####"),
        (["explain", str(path), "--recipe", str(recipe)], "schicht.\\u0436"),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "glorot", *arguments],
            env={**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"},
            capture_output=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, b"")
        assert text in done.stdout.decode(encoding.partition(":")[0])


def test_no_framework_and_no_rich_unasked():
    """Importing glorot and its checkpoints loads neither frameworks nor the command line's own."""
    code = (
        "import sys, glorot; glorot.checkpoint, glorot.Recipe; "
        "print([m for m in sys.modules if m in "
        "('torch', 'jax', 'tensorflow', 'keras', 'rich', 'typer', 'safetensors')])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_progress(monkeypatch, capsys):
    """A bar on a terminal; elsewhere a plain line every ten seconds."""
    clock = iter([0.0, 5.0, 11.0, 11.0, 12.0, 30.0])
    monkeypatch.setattr(_show.time, "monotonic", lambda: next(clock))
    with _show.progress("writing") as step:
        step(1_000_000, 4_000_000)
        step(2_000_000, 4_000_000)
        step(3_000_000, 4_000_000)
        step(4_000_000, 4_000_000)
    assert capsys.readouterr().err == "writing: 2 MB of 4 MB\n"
    monkeypatch.undo()
    monkeypatch.setattr(
        _show, "Console", lambda stderr=False: Console(force_terminal=True, stderr=stderr, width=80)
    )
    with _show.progress("writing") as step:
        step(2_000_000, 4_000_000)
    assert "2.0/4.0 MB" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("nbytes", "text"), [(5, "5 B"), (498e6, "498 MB"), (2.5e9, "2.5 GB"), (7e15, "7e+03 TB")]
)
def test_readable_sizes(nbytes, text):
    """Sizes are in decimal units."""
    assert _show.readable(nbytes) == text


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


def test_the_console_takes_text_as_it_is(capsys, monkeypatch):
    """On a terminal and in a pipe: what looks like markup or an emoji's name is neither."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    for terminal in (False, True):
        if terminal:
            monkeypatch.setenv("FORCE_COLOR", "1")
        out = _show.console()
        assert out.is_terminal == terminal
        out.print("w[bold] :smile: 12 'x'")
        assert capsys.readouterr().out == "w[bold] :smile: 12 'x'\n"


def test_sample_does_not_write_through_links(tmp_path):
    """A link that stands where the array is begun is refused; what it leads to keeps its bytes."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (tmp_path / ".a.npy.partial").symlink_to(victim)
    result = invoke("sample", "zeros", 3, "--seed", 1, "--out", tmp_path / "a.npy")
    assert result.exit_code == 1
    assert "is a link, or no plain file" in result.stderr
    assert victim.read_bytes() == b"precious"


@pytest.mark.parametrize("width", [50, 60, 80, 100, 120, 1000])
def test_no_number_is_cut_on_a_narrow_terminal(tmp_path, monkeypatch, width):
    """Columns that a reader can do without go first, and it is said which; long names fold."""
    from glorot.cli import _inspect

    long = "h.0.a_layer_with_a_name_that_is_as_long_as_names_are.self_attn.q_proj.weight"
    recipe = glorot.Recipe(
        [glorot.Rule("h.*", "normal", stddev=0.0123456), glorot.Rule("*", "ones")]
    )
    shapes = {long: (100, 200), "b": (7,)}
    report = glorot.checkpoint.write(shapes, recipe, tmp_path, seed=1)
    audit = glorot.audit(tmp_path, recipe)
    bare = glorot.audit(tmp_path)
    for show in (
        lambda: _show.written(report, full=False),
        lambda: _show.written(report, full=True),
        lambda: _inspect.show(audit, full=True),
        lambda: _inspect.show(bare, full=False),
    ):
        file = io.StringIO()
        out = Console(file=file, width=width, highlight=False, markup=False, emoji=False)
        for module in (_show, _inspect):
            monkeypatch.setattr(module, "console", lambda out=out: out)
        show()
        seen = file.getvalue()
        assert "\u2026" not in seen
        assert ("no room here for" in seen) or width >= 80
        (rule,) = (line for line in seen.splitlines() if "\u2500" in line)
        assert len(rule) <= width  # it is as wide as the table
        assert re.search(r"0\.0123\d*", seen)  # the standard deviation, as it was measured
        if width == 1000:
            assert "fans" in seen or "singular values" in seen


def test_names_are_shown_as_they_are(tmp_path, monkeypatch, capsys):
    """Names, patterns and paths that look like markup or hold control characters are shown, not
    obeyed."""
    monkeypatch.chdir(tmp_path)
    names = ["red[/bold]\nx", "[ab].w", "\x1b[31m"]
    recipe = glorot.Recipe([glorot.Rule("[ab].w", "ones"), glorot.Rule("*", "zeros")])
    report = glorot.checkpoint.write(
        dict.fromkeys([*names, "a.w"], (2,)), recipe, "[red]dir", seed=1
    )
    _show.written(report, full=True)
    seen = capsys.readouterr().out
    for text in ("red[/bold]\\nx", "[ab].w", "\\x1b[31m", "[red]dir"):
        assert text in seen
    assert "\x1b" not in seen
    check = glorot.checkpoint.verify("[red]dir", recipe, 1)
    _show.verified(check, full=True)
    seen = capsys.readouterr().out
    assert "red[/bold]\\nx" in seen
    assert "\x1b" not in seen


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


RULES = """
format = "glorot-recipe"
version = 2
variables.n_layer = { count = "h.*." }
variables.n_kv = { about = "key heads" }
rules = [
  { pattern = "*.qkv", initializer = "glorot_normal", layout = "OI", blocks = [2, "n_kv"] },
  { pattern = "*.b", initializer = "zeros" },
  { pattern = "tied", initializer = "none" },
  { pattern = "*", initializer = "normal", stddev = 0.02, gain = "1 / n_layer" },
]
"""


@pytest.fixture
def rules(tmp_path):
    """A shapes file and a recipe file with variables and blocks."""
    shapes = {"tied": [2], **{f"h.{i}.qkv": [12, 4] for i in range(2)}, "h.0.b": [12], "w": [3, 5]}
    (tmp_path / "shapes.json").write_text(json.dumps({n: {"shape": s} for n, s in shapes.items()}))
    (tmp_path / "recipe.toml").write_text(RULES)
    return tmp_path / "shapes.json", "--recipe", tmp_path / "recipe.toml", "--set", "n_kv=1"


def test_explain(rules):
    """A paragraph for parameters that get the same: axes, rule, law, stddev, fans, gain, blocks,
    and why."""
    result = invoke("explain", *rules)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "tied: 2",
        "  rule 2: tied",
        "  left out",
        "  why: the rule leaves it out",
        "h.0.qkv and 1 more: 12 x 4 (out, in), float32",
        "  rule 0: *.qkv",
        "  TN(0, 0.4641, ±2) | TN(0, 0.5684, ±2), stddev 0.440959, fans 4, 8, gain 1",
        "    0: 8 x 4, TN(0, 0.4641, ±2), stddev 0.408248, fans 4, 8, gain 1",
        "    1: 4 x 4, TN(0, 0.5684, ±2), stddev 0.5, fans 4, 4, gain 1",
        "  why: axes by the rule; axis 0 is cut into blocks 2 : 1",
        "h.0.b: 12 (in and out), float32",
        "  rule 1: *.b",
        "  Zeros, stddev 0, fans 12, 12, gain 1",
        "  why: by the rule",
        "w: 3 x 5 (in, out), float32",
        "  rule 3: *",
        "  N(0, 0.01), stddev 0.01, fans 3, 5, gain 0.5",
        "  why: axes taken as (..., in, out), since nobody says; gain 0.5 = 1 / n_layer, "
        "n_layer = 2 counted by 'h.*.'",
        result.stdout.splitlines()[-1],
    ]
    assert result.stdout.splitlines()[-1].startswith("5 parameters, 4 rules (recipe ")


def test_explain_some_and_all(rules):
    """A pattern or --full gives each parameter its own paragraph."""
    named = invoke("explain", *rules, "h.*.qkv").stdout
    assert "h.0.qkv: 12 x 4" in named
    assert "h.1.qkv: 12 x 4" in named
    assert "w: 3 x 5" not in named
    assert invoke("explain", *rules, "--full").stdout.count("\n  why: ") == 5


def test_explain_takes_the_recipe_that_a_checkpoint_was_written_by(rules, tmp_path):
    """With the variables that were set, and the axes; --recipe overrides it."""
    assert invoke("init", *rules, "--seed", "1", "--out", tmp_path / "out").exit_code == 0
    result = invoke("explain", tmp_path / "out", "h.0.qkv")
    assert "glorot.json; --recipe overrides it" in result.stderr
    assert (
        result.stdout.splitlines()[:-1]
        == invoke("explain", *rules, "h.0.qkv").stdout.splitlines()[:-1]
    )
    set_ = glorot.recipe.load(rules[2]).set(n_kv=1)
    assert f"(recipe {set_.fingerprint[:8]})" in result.stdout
    given = invoke("explain", tmp_path / "out", "h.0.qkv", "--recipe", "gpt2")
    assert "glorot.json" not in given.stderr


def test_explain_json(rules):
    """--json gives what `explain` gives from Python."""
    found = json.loads(invoke("explain", *rules, "--json", "--dtype", "bfloat16").stdout)
    recipe = glorot.recipe.load(rules[2]).set(n_kv=1)
    expected = recipe.explain(glorot.checkpoint.read_shapes(rules[0]), dtype="bfloat16")
    assert found == json.loads(json.dumps([explanation.as_dict() for explanation in expected]))
    assert found[1]["dtype"] == "bfloat16"
    assert found[1]["blocks"][1]["fans"] == [4.0, 4.0]


def test_variables_are_set_for_every_command(rules, tmp_path):
    """--set counts for init and verify too, and a value that differs is another recipe."""
    shapes, *options = rules
    out = tmp_path / "out"
    assert invoke("init", shapes, *options, "--seed", "1", "--out", out).exit_code == 0
    assert invoke("verify", out, *options, "--seed", "1").exit_code == 0
    assert invoke("verify", out, *options[:-1], "n_kv=2 * 2", "--seed", "1").exit_code == 1
    unset = invoke("verify", out, *options[:2], "--seed", "1")
    assert (unset.exit_code, unset.stdout) == (1, "")
    assert "'n_kv' (key heads) has no value. Set it" in unset.stderr


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--set", "n_layers=3"), "the recipe has no variable 'n_layers'. Near: n_layer"),
        (("--set", "n_kv"), "`--set` must be NAME=VALUE, such as stddev=0.02; got 'n_kv'"),
        (("--set", "n_kv=1 +"), "variable 'n_kv': '1 +' is no formula"),
        (("--set", "self=1"), "the recipe has no variable 'self'"),
        (("--set", "n_kv=5"), "cannot be cut in the proportions 2 : 5"),
        (("nothing*",), "`pattern` 'nothing*' matches no parameter"),
        (("re:(",), "`pattern` 're:(' cannot be read: a missing )"),
        (("--dtype", "int8"), "Only floating point types are supported"),
    ],
)
def test_explain_refusals(rules, arguments, text):
    """One line on stderr and exit code 1."""
    result = invoke("explain", *rules, *arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    assert text in result.stderr
