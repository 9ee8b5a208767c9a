# SPDX-License-Identifier: Apache-2.0
"""The examples of glorot.tensorflow and of its page run."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import glorot
import glorot.tensorflow

pytestmark = pytest.mark.frameworks

PAGE = Path(__file__).parents[2] / "docs" / "tensorflow.md"
MODULES = ["glorot.tensorflow"] + [
    found.name for found in pkgutil.walk_packages(glorot.tensorflow.__path__, "glorot.tensorflow.")
]


@pytest.mark.parametrize("module", MODULES)
def test_docstring_examples_run(module):
    """Every example in a docstring prints what it shows."""
    result = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)

    assert result.failed == 0


def test_the_page_runs():
    """docs/tensorflow.md prints what it shows."""
    result = doctest.testfile(str(PAGE), module_relative=False, optionflags=doctest.ELLIPSIS)

    assert result.attempted > 10
    assert result.failed == 0
