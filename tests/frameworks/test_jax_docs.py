# SPDX-License-Identifier: Apache-2.0
"""The examples of glorot.jax run and print what they show."""

import doctest
import importlib
import pkgutil

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
