# SPDX-License-Identifier: Apache-2.0
"""The command `explain`, and `--set` of every command."""

import json

import pytest
from cli_cases import invoke

import glorot

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
