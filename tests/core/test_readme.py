# SPDX-License-Identifier: Apache-2.0
"""The README's examples run and print what the README says."""

import re
import subprocess
import sys
from pathlib import Path

import glorot

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


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


def test_it_counts_what_there_is():
    """The numbers of initializers and presets."""
    plain = {glorot.Initializer, glorot.Blocks}
    classes = [
        found for found in map(glorot.__dict__.get, glorot.__all__) if isinstance(found, type)
    ]
    initializers = [c for c in classes if issubclass(c, glorot.Initializer) and c not in plain]
    assert f"**{len(initializers)} initializers**" in README
    assert f"**{len(glorot.recipe.presets())} presets**" in README
