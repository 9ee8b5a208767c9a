# SPDX-License-Identifier: Apache-2.0
"""What the documents say is so: docstring examples run, and the tables of names are complete."""

import doctest
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import glorot
from glorot._dtypes import FLOATS
from glorot._layouts import LAYOUTS, LETTERS
from glorot._registry import _CLASSES, ALIASES
from glorot.replay.torch import _generator

# Adapters import their framework; their examples run where it is installed.
ADAPTERS = {"glorot.torch", "glorot.jax", "glorot.keras", "glorot.tensorflow"}


def modules(package):
    """The names of a package and all below it (`walk_packages` would import the adapters)."""
    yield package.__name__
    for found in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        if found.name in ADAPTERS or found.name.endswith(("._native", ".__main__")):
            continue
        if found.ispkg:
            yield from modules(importlib.import_module(found.name))
        else:
            yield found.name


MODULES = list(modules(glorot))
PAGE = Path(__file__).parents[2] / "docs" / "initializers.md"


@pytest.mark.parametrize("module", MODULES)
def test_docstring_examples_run(module, monkeypatch):
    """Every example in a docstring prints what it shows, whatever ran before."""
    monkeypatch.setattr(_generator, "_default", _generator._DefaultGenerator())
    result = doctest.testmod(importlib.import_module(module), optionflags=doctest.ELLIPSIS)

    assert result.failed == 0


def test_page_examples_run():
    """Every example in docs/initializers.md prints what it shows."""
    result = doctest.testfile(str(PAGE), module_relative=False, optionflags=doctest.ELLIPSIS)

    assert result.attempted > 0
    assert result.failed == 0


def rows(heading):
    """The backquoted first cells of the table under a heading, by the row's second cell."""
    section = PAGE.read_text(encoding="utf-8").split(f"## {heading}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `([^`]+)` \| ([^|]+?) \|", section, re.MULTILINE))


def test_the_class_table_is_complete():
    """docs/initializers.md lists every class."""
    assert set(rows("Classes")) == set(_CLASSES)


def test_the_alias_table_is_the_registrys():
    """docs/initializers.md lists every alias with what it means."""
    assert {
        alias: eval(meant.strip("`"), vars(glorot)) for alias, meant in rows("Names").items()
    } == {alias: glorot.get(alias) for alias in ALIASES}


def test_the_layout_tables_are_the_librarys():
    """docs/initializers.md lists every named layout with its letters, and every letter."""
    assert {name: letters.strip("`") for name, letters in rows("Layouts").items()} == LAYOUTS
    assert set(rows("Letters")) == set(LETTERS)


def test_the_page_names_every_dtype_and_who_takes_which_axes_option():
    """docs/initializers.md lists the floats, and the classes that take some options or all."""
    text = " ".join(PAGE.read_text(encoding="utf-8").split())
    floats = list(FLOATS)
    assert f"`dtype` is {', '.join(floats[:-1])} or {floats[-1]}; " in text
    some = {name: cls.axes_options for name, cls in _CLASSES.items()}
    orthogonal = some["Orthogonal"]
    assert f"those that name axes ({', '.join(f'`{option}`' for option in orthogonal)})" in text
    assert some["DeltaOrthogonal"] == orthogonal
    assert some["Sparse"] == (*orthogonal, "order")
    assert some["Dirac"] == ("layout",)
    whole = {name for name, options in some.items() if "fan_in" in options}
    assert whole > {"RandomUniform", "RandomNormal", "TruncatedNormal", "VarianceScaling"}
    none = {name for name, options in some.items() if not options}
    assert whole | none == set(some) - {"Orthogonal", "DeltaOrthogonal", "Sparse", "Dirac"}
