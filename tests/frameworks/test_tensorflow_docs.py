# SPDX-License-Identifier: Apache-2.0
"""The examples of glorot.tensorflow and of its page run."""

import pytest
from docs_cases import check_module, check_page, modules

import glorot.tensorflow

pytestmark = pytest.mark.frameworks


@pytest.mark.parametrize("module", modules(glorot.tensorflow))
def test_docstring_examples_run(module):
    """Every example in a docstring prints what it shows."""
    check_module(module)


def test_the_page_runs():
    """docs/tensorflow.md prints what it shows."""
    check_page("tensorflow.md", more_than=10)
