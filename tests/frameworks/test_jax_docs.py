# SPDX-License-Identifier: Apache-2.0
"""The examples of glorot.jax run and print what they show."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import glorot.jax

MODULES = ["glorot.jax"] + [
    found.name for found in pkgutil.walk_packages(glorot.jax.__path__, "glorot.jax.")
]


@pytest.mark.parametrize("module", MODULES)
def test_docstring_examples_run(module):
    """Every example in a docstring prints what it shows."""
    result = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)

    assert result.failed == 0


def test_page_examples_run():
    """Every example in docs/jax.md prints what it shows."""
    page = Path(__file__).parents[2] / "docs" / "jax.md"
    result = doctest.testfile(str(page), module_relative=False, optionflags=doctest.ELLIPSIS)

    assert result.attempted > 15
    assert result.failed == 0
