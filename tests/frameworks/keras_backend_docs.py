# SPDX-License-Identifier: Apache-2.0
"""The examples of glorot.keras and of its page run.

Run by test_keras.py on each backend.
"""

import pytest
from docs_cases import check_module, check_page, modules
from keras_init_cases import MARKS

import glorot.keras

pytestmark = MARKS


@pytest.mark.parametrize("module", modules(glorot.keras))
def test_docstring_examples_run(module):
    """Every example in a docstring prints what it shows."""
    check_module(module)


def test_the_page_runs():
    """docs/keras.md prints what it shows."""
    check_page("keras.md", more_than=10)
