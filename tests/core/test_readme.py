# SPDX-License-Identifier: Apache-2.0
"""The README's example runs and prints what the README says."""

import re
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_example_prints_the_values_it_shows():
    """Each comment after a print is what that print gives, and the assertions hold."""
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    shown = re.findall(r"^print\(.*\)\n# (.*)$", code, re.MULTILINE)
    assert len(shown) == code.count("print(") == 2
    # In a fresh interpreter: TensorFlow's numbers depend on the calls before.
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines() == shown
    assert code.count("assert ") == 2
