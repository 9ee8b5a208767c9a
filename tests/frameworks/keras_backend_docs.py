# SPDX-License-Identifier: Apache-2.0
"""The examples of glorot.keras and of its page run.

Run by test_keras.py on each backend.
"""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest
from keras_init_cases import MARKS

import glorot
import glorot.keras

pytestmark = MARKS

MODULES = ["glorot.keras"] + [
    found.name for found in pkgutil.walk_packages(glorot.keras.__path__, "glorot.keras.")
]


@pytest.mark.parametrize("module", MODULES)
def test_docstring_examples_run(module):
    """Every example in a docstring prints what it shows."""
    result = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)

    assert result.failed == 0


def test_the_page_runs():
    """docs/keras.md prints what it shows."""
    page = Path(__file__).parents[2] / "docs" / "keras.md"
    result = doctest.testfile(str(page), module_relative=False, optionflags=doctest.ELLIPSIS)

    assert result.attempted > 10
    assert result.failed == 0
