# SPDX-License-Identifier: Apache-2.0
"""What is captured of sources, in Python and by the command."""

import os
import subprocess
import sys

import pytest
from cli_cases import invoke

import glorot

pytestmark = pytest.mark.frameworks


def test_sources(tmp_path, monkeypatch):
    """A config, a model of timm and the user's own callable; and what has no code."""
    (tmp_path / "config.json").write_text(
        '{"model_type": "openai-gpt", "n_layer": 1, "n_embd": 32, "n_head": 4, "vocab_size": 100}'
    )
    recipe = glorot.sources.capture(tmp_path)
    source = glorot.sources.read(tmp_path)
    assert source.preset is None
    found = {a.name: a.law for a in recipe.resolve(source.shapes)}
    assert found["transformer.tokens_embed.weight"] == "N(0, 0.02)"
    timm = glorot.sources.capture("timm:test_vit")
    assert timm.resolve(glorot.sources.read("timm:test_vit").shapes)
    (tmp_path / "mine.py").write_text(
        "import torch\n\ndef build():\n    return torch.nn.Linear(2, 2)\n"
    )
    monkeypatch.chdir(tmp_path)
    assert len(glorot.sources.capture("mine:build").rules) == 2
    (tmp_path / "shapes.json").write_text('{"w": {"shape": [2]}}')
    with pytest.raises(ValueError, match="has no code to watch"):
        glorot.sources.capture(tmp_path / "shapes.json")
    with pytest.raises(ValueError, match=r"timm .* has no model 'no-such'"):
        glorot.sources.capture("timm:no-such")


MODELS = """
import {loads}

def linen():
    import flax.linen as nn
    import jax.numpy as jnp
    return nn.Dense(3), jnp.ones((2, 4))

def tree():
    import jax
    return {{"w": jax.random.normal(jax.random.key(0), (3, 3))}}

def torchs():
    import torch
    return torch.nn.Linear(5, 3)

def number():
    return 3
"""


@pytest.mark.parametrize("loads", ["jax", "jax, torch"])
def test_other_frameworks(tmp_path, monkeypatch, loads):
    """What the callable returns is captured by its framework, whatever else is loaded."""
    name = f"of_{loads.replace(', ', '_')}"
    (tmp_path / f"{name}.py").write_text(MODELS.format(loads=loads))
    monkeypatch.chdir(tmp_path)
    found = {
        each: [rule.initializer for rule in glorot.sources.capture(f"{name}:{each}").rules]
        for each in ("linen", "tree", "torchs")
    }
    lecun = glorot.VarianceScaling(1.0, "fan_in", "truncated_normal", layout="flax.dense")
    assert found["linen"] == [glorot.Zeros(), lecun]
    assert found["tree"] == [glorot.RandomNormal(stddev=1.0)]
    assert [init.distribution for init in found["torchs"]] == ["uniform", "uniform"]
    with pytest.raises(TypeError, match=rf"{name}:number must return a torch module, .* got 3 of"):
        glorot.sources.capture(f"{name}:number")


KERAS = """
import keras

def build():
    layer = keras.layers.Dense(32, kernel_initializer="he_normal")
    layer.build((None, 64))
    return layer

def number():
    return 3
"""


def test_keras(tmp_path):
    """Whatever its backend has loaded."""
    (tmp_path / "of_keras.py").write_text(KERAS)
    environ = os.environ | {"KERAS_BACKEND": "jax"}
    found, refused = (
        subprocess.run(
            [sys.executable, "-m", "glorot", "capture", f"of_keras:{name}"],
            cwd=tmp_path, env=environ, capture_output=True, text=True, check=False,
        )
        for name in ("build", "number")
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    assert [str(r.initializer) for r in glorot.Recipe.from_toml(found.stdout).rules] == [
        "HeNormal()", "Zeros()"
    ]  # fmt: skip
    assert refused.returncode == 1
    assert "of_keras:number must return a torch module, a Keras model" in refused.stderr


def test_a_framework_that_the_callable_imports(tmp_path):
    """Another one is loaded before, and it alone."""
    (tmp_path / "lazily.py").write_text(MODELS.format(loads="jax"))
    done = subprocess.run(
        [sys.executable, "-m", "glorot", "capture", "lazily:torchs"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(glorot.Recipe.from_toml(done.stdout).rules) == 2


CODE = """
import torch

def build():
    return torch.nn.Sequential(torch.nn.Linear(3, 2))

def strange():
    net = build()
    net.w = torch.nn.Parameter(torch.empty(3))
    return net

def broken():
    return torch.nn.Linear(int(b"\\xff".decode()), 2)
"""


def test_the_command(tmp_path, monkeypatch):
    """It prints the recipe or writes it, and says in a line what is wrong."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "captured.py").write_text(CODE)
    printed = invoke("capture", "captured:build")
    assert printed.exit_code == 0, printed.output
    assert glorot.Recipe.from_toml(printed.output) == glorot.sources.capture("captured:build")
    assert invoke("capture", "captured:build", "--out", "r.toml").exit_code == 0
    assert (tmp_path / "r.toml").read_text().rstrip() == printed.output.rstrip()
    written = invoke("init", "captured:build", "--recipe", "r.toml", "--seed", 1, "--out", "first")
    assert written.exit_code == 0, written.output
    rule = glorot.Rule("w", "random_normal", stddev="width**-0.5")
    own = glorot.Recipe([rule], variables={"width": {"size": "0.weight", "axis": 1}})
    (tmp_path / "own.toml").write_text(own.to_toml())
    assert "--leave-out" in invoke("capture", "captured:strange").stderr
    for option in (["--leave-out"], ["--rules", "own.toml"]):
        done = invoke("capture", "captured:strange", *option)
        assert done.exit_code == 0
    captured = glorot.Recipe.from_toml(done.output)  # whose first rule keeps its variable
    assert captured.variables == own.variables
    found = captured.resolve(glorot.torch.shapes(sys.modules["captured"].strange()))
    assert {a.name: a.stddev for a in found}["w"] == 3**-0.5
    for arguments, text in (
        (["captured:build", "--out", "r.toml"], "r.toml is there already"),
        (["captured:build", "--out", "r.json"], "must end in .toml"),
        (["captured:nothing"], "there is no 'nothing'"),
        (["captured:broken"], "'utf-8' codec can't decode"),
        (["nowhere.json"], "does not exist"),
        (["captured:build", "--out", "no/folder/r.toml"], "No such file or directory"),
    ):
        found = invoke("capture", *arguments)
        assert (found.exit_code, text in found.stderr) == (1, True), found.output
    assert not list(tmp_path.glob("*.partial"))
    assert not (tmp_path / "no").exists()
