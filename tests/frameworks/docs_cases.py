# SPDX-License-Identifier: Apache-2.0
"""What the tests of an adapter's examples share."""

import doctest
import importlib
import pkgutil
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def modules(package):
    """The names of a package and of all below it."""
    below = pkgutil.walk_packages(package.__path__, package.__name__ + ".")
    return [package.__name__, *(found.name for found in below)]


def check_module(module):
    """Every example in the docstrings of a module prints what it shows."""
    result = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)
    assert result.failed == 0


def check_page(name, more_than):
    """So does every example of a page, of which there are more than so many."""
    page = str(DOCS / name)
    result = doctest.testfile(page, module_relative=False, optionflags=doctest.ELLIPSIS)
    assert result.attempted > more_than
    assert result.failed == 0
