# SPDX-License-Identifier: Apache-2.0
"""What the command line prints on: pipes, narrow terminals, full devices, and text as it is."""

import io
import json
import os
import re
import subprocess
import sys

import pytest
from rich.console import Console

import glorot
from glorot.cli import _show


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
        "('torch', 'jax', 'tensorflow', 'keras', 'rich', 'click', 'safetensors')])"
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


@pytest.mark.slow
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
