# SPDX-License-Identifier: Apache-2.0
"""The examples of glorot.jax run and print what they show."""

import pytest
from docs_cases import check_module, check_page, modules

import glorot.jax

pytestmark = pytest.mark.frameworks


@pytest.mark.parametrize("module", modules(glorot.jax))
def test_docstring_examples_run(module):
    """Every example in a docstring prints what it shows."""
    check_module(module)


def test_page_examples_run():
    """Every example in docs/jax.md prints what it shows."""
    check_page("jax.md", more_than=15)
