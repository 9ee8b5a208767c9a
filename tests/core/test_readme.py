# SPDX-License-Identifier: Apache-2.0
"""The README's examples run and print what the README says."""

import math
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import glorot

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_examples_print_the_values_they_show():
    """Each comment after a print is what that print gives, and the assertions hold."""
    first, frameworks, replay = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert "print(" not in frameworks  # tests/frameworks/test_readme.py runs it
    assert (first.count("assert "), first.count("print("), replay.count("print(")) == (2, 2, 3)
    for code in (first, replay):
        shown = re.findall(r"^print\(.*\)\n# (.*)$", code, re.MULTILINE)
        assert len(shown) == code.count("print(")
        # In a fresh interpreter: TensorFlow's numbers depend on the calls before.
        result = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert result.stdout.splitlines() == shown


def test_the_session_is_of_this_library():
    """The table's rules, shapes, laws, fans and promised stddevs, and what is counted, are those of
    the recipe; measured values are within 5 standard errors of what is promised."""
    recipe = glorot.recipe.load("gpt2")
    shapes = glorot.checkpoint.read_shapes(ROOT / "examples" / "gpt2-124m.json")
    expected = Counter(
        (
            a.rule.pattern, " x ".join(map(str, a.shape)), a.dtype, a.law,
            ", ".join(f"{fan:g}" for fan in a.fans), f"{a.stddev:.6g}",
        )
        for a in recipe.resolve(shapes)
    )  # fmt: skip
    session = README.split("$ glorot init examples/gpt2-124m.json")[1].split("```")[0]
    table = [line for line in session.splitlines() if line.startswith(" *")]
    shown = [re.split(r" {2,}", line.strip()) for line in table]
    assert {(row[0], *row[2:7]): int(row[1]) for row in shown} == expected
    for row in shown:
        values = math.prod(map(int, row[2].split(" x "))) * int(row[1])
        error = float(row[6]) / math.sqrt(2 * values)
        assert abs(float(row[7]) - float(row[6])) <= 5 * error + 1e-8
    count = sum(math.prod(spec.shape) for spec in shapes.values())
    assert f"{len(shapes)} tensors, {count:,} parameters, 498 MB in 1 file" in session
    assert f"(seed 42, recipe {recipe.fingerprint[:8]}, stream 1)" in session
    assert f"equal: all {len(shapes)} tensors, {count:,} parameters, are what this" in session


def test_it_counts_what_there_is():
    """The numbers of initializers and presets."""
    plain = {glorot.Initializer, glorot.Blocks}
    classes = [
        found for found in map(glorot.__dict__.get, glorot.__all__) if isinstance(found, type)
    ]
    initializers = [c for c in classes if issubclass(c, glorot.Initializer) and c not in plain]
    assert f"**{len(initializers)} initializers**" in README
    assert f"**{len(glorot.recipe.presets())} presets**" in README


def test_it_names_the_environment_variables():
    """Those that the library reads of its own, and what may be in them."""
    kernel = (ROOT / "src" / "glorot" / "_kernel.py").read_text(encoding="utf-8")
    assert set(re.findall(r"environ\.get\(\"(\w+)\"", kernel)) == set(
        re.findall(r"`(GLOROT_\w+)`", README)
    )
