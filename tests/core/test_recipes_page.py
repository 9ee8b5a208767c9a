# SPDX-License-Identifier: Apache-2.0
"""docs/recipes.md: its examples run, its lines of TOML are rules, its tables are complete."""

import doctest
import math
import re
from pathlib import Path

import pytest

import glorot
from glorot._activations import ACTIVATIONS, ALIASES, PAIRS
from glorot.recipe._split import PARTS
from glorot.recipe._template import CONDITIONS, RULE_KEYS

PAGE = Path(__file__).parents[2] / "docs" / "recipes.md"
TEXT = PAGE.read_text(encoding="utf-8")
NUMBERS = {"n_head": 4, "n_kv": 2, "n_layer": 12, "d_model": 640, "N": 12, "M": 6, "width_mult": 2}


def section(heading):
    """The text under a heading, to the next one."""
    return re.split(r"\n#+ ", TEXT.split(f"\n{heading}\n")[1])[0]


def rows(heading):
    """The cells of the table under a heading."""
    lines = re.findall(r"^\|([^-].*)\|$", section(heading), re.MULTILINE)
    found = [[cell.strip() for cell in line.split("|")] for line in lines]
    return [row for row, line in zip(found, lines, strict=True) if line.strip("-| ")][1:]


def test_examples_run():
    """Every example in Python prints what it shows."""
    result = doctest.testfile(str(PAGE), module_relative=False, optionflags=doctest.ELLIPSIS)

    assert result.attempted > 15
    assert result.failed == 0


def test_the_first_file_is_a_recipe():
    """It reads, and is the one made in Python below it."""
    text = re.search(r"```toml\n(format.*?)```", TEXT, re.DOTALL)[1]
    recipe = glorot.Recipe.from_toml(text)
    namespace = {}
    code = re.search(r">>> (recipe = .*?)\n>>>", TEXT, re.DOTALL)[1].replace("\n... ", "\n")
    exec(f"import glorot\n{code}", namespace)
    assert namespace["recipe"] == recipe


@pytest.mark.parametrize("line", re.findall(r"^\{ pattern = .*\}$", TEXT, re.MULTILINE))
def test_lines_of_toml_are_rules(line):
    """Each resolves a parameter that it matches."""
    variables = "".join(f"variables.{name} = {value}\n" for name, value in NUMBERS.items())
    head = f'format = "glorot-recipe"\nversion = 2\n{variables}'
    recipe = glorot.Recipe.from_toml(f"{head}rules = [{line}]")
    rule = recipe.rules[0]
    name = rule.pattern.replace("*", "0")
    layout = getattr(rule.initializer, "layout", None)
    shape = {"BIO": (2, 24, 24), None: (24,)}.get(layout, (24, 24))
    spec = {"shape": (24, 24) if rule.where else shape, "type": "Linear"}
    assert recipe.resolve({name: spec})[0].rule is rule


def test_published_scalings_are_rules():
    """Each line of the table is a rule, and its numbers are the papers'."""
    found = {}
    for name, content in rows("## Published scalings"):
        line = content.split("`")[1]
        if "initializer" not in line:
            line = f'initializer = "xavier_normal", {line}'
        variables = "".join(f"variables.{key} = {value}\n" for key, value in NUMBERS.items())
        head = f'format = "glorot-recipe"\nversion = 2\n{variables}'
        recipe = glorot.Recipe.from_toml(f'{head}rules = [{{ pattern = "*", {line} }}]')
        found[name] = recipe.resolve({"w": (64, 64)})[0]
    values = [(a.gain, a.stddev) for a in found.values()]
    xavier = math.sqrt(2 / 128)
    assert values == [
        (pytest.approx(1 / math.sqrt(24)), pytest.approx(xavier / math.sqrt(24))),
        (1.0, 0.0),
        (pytest.approx(96**-0.25), pytest.approx(xavier * 96**-0.25)),
        (
            pytest.approx(0.87 * (12**4 * 6) ** (-1 / 16)),
            pytest.approx(xavier * 0.417916, rel=1e-5),
        ),
        (pytest.approx(72**-0.25), pytest.approx(xavier * 72**-0.25)),
        (1.0, pytest.approx(0.025)),
        (1.0, pytest.approx(2 / (12 * math.sqrt(640)))),
    ]


def test_tables_are_complete():
    """Keys of rules, conditions, orders of blocks and activations: all, and no others."""
    keys = {key for row in rows("## Rules") for key in re.findall(r"`(\w+)`", row[0])}
    assert keys >= {"pattern", "initializer", *RULE_KEYS}
    assert {row[0].strip("`") for row in rows("### Conditions")} == set(CONDITIONS)
    named = {row[0].strip("`"): row[1] for row in rows("## Blocks")}
    assert {k: named[k] for k in PARTS} == {k: ", ".join(v) for k, v in PARTS.items()}
    assert set(PARTS) == set(named) - {"a number", "a list", "a name", "name"} - {
        "{ parts, axis, repeat, change }"
    }
    gains = {row[0].strip("`"): re.findall(r"`(\w+)`", row[2]) for row in rows("## Gains")}
    assert set(gains) == {*ACTIVATIONS, *PAIRS}
    assert {alias: name for name, found in gains.items() for alias in found} == ALIASES
