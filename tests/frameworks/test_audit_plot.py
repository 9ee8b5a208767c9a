# SPDX-License-Identifier: Apache-2.0
"""glorot inspect --plot draws with matplotlib what the report holds."""

import struct

import numpy as np
import pytest
from click.testing import CliRunner

import glorot
from glorot import Recipe, Rule
from glorot._audit import _plot
from glorot.cli._app import app

pytestmark = pytest.mark.frameworks

RECIPE = Recipe([Rule("*.bias", "zeros"), Rule("*", "he_normal")])
SHAPES = {f"h.{i}.{name}": (40, 30) for i in range(30) for name in ("a", "b")} | {"o.bias": (3,)}


def model(dtype="float32", factor=1.0):
    """A model of which the parameters "b" are `factor` times too large."""
    return {
        a.name: a.initializer(a.shape, dtype, seed=0, name=a.name)
        * np.asarray(factor if a.name.endswith("b") else 1, dtype)
        for a in RECIPE.resolve(SHAPES)
    }


@pytest.mark.parametrize("suffix", ["png", "pdf", "svg"])
def test_the_command_draws(tmp_path, suffix):
    """A picture beside the table; one that is there is kept without --force."""
    glorot.checkpoint.write(SHAPES, RECIPE, tmp_path / "out", seed=0)
    (tmp_path / "recipe.toml").write_text(RECIPE.to_toml())
    path = tmp_path / f"picture.{suffix}"
    command = ["inspect", tmp_path / "out", "--recipe", tmp_path / "recipe.toml", "--plot", path]
    command = [str(part) for part in command]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.stderr
    data = path.read_bytes()
    assert data.startswith({"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}[suffix])
    if suffix == "png":
        width, height = struct.unpack(">II", data[16:24])
        assert width == 1440
        assert height > 500
    again = CliRunner().invoke(app, command)
    assert again.exit_code == 1
    assert "is there already. Give --force" in again.stderr
    assert CliRunner().invoke(app, [*command, "--force"]).exit_code == 0


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_what_is_drawn(dtype, monkeypatch, tmp_path):
    """Measured and promised standard deviations, the wrong ones apart, constants left out; six
    histograms, the worst first, whose bars add up to 1."""
    drawn = []
    report = glorot.audit(model(dtype, 2.0), RECIPE)
    from matplotlib.axes import Axes

    plot, stairs = Axes.plot, Axes.stairs
    monkeypatch.setattr(
        Axes, "plot", lambda self, *a, **k: (drawn.append((k["label"], *a)), plot(self, *a, **k))[1]
    )
    bars = []
    monkeypatch.setattr(
        Axes, "stairs", lambda self, *a, **k: (bars.append(a), stairs(self, *a, **k))[1]
    )
    _plot.draw(report, tmp_path / "x.png")
    labels = {label: values for label, _, values, *_ in drawn}
    assert {label: len(values) for label, values in labels.items()} == {
        "measured": 30, "wrong": 30, "promised": 60,
    }  # fmt: skip
    assert np.mean(labels["wrong"]) > 1.9 * np.mean(labels["measured"])
    assert len(bars) == 12
    for share, edges in bars:
        assert share.sum() == pytest.approx(1.0, abs=0.02)
        assert len(edges) == len(share) + 1
    for measured, promised in zip(bars[::2], bars[1::2], strict=True):
        assert measured[0].max() < 0.75 * promised[0].max()


def test_without_a_recipe(tmp_path):
    """Nothing is promised, and the picture is drawn all the same."""
    _plot.draw(glorot.audit(model()), tmp_path / "x.svg")
    assert (tmp_path / "x.svg").stat().st_size > 10_000
