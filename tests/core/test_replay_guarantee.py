# SPDX-License-Identifier: Apache-2.0
"""`glorot.replay.guarantee`: every row names functions that exist, and every one can be asked."""

import importlib
import inspect
import re

import pytest

import glorot.replay
from glorot.replay._guarantee import rows

NAMED = [(row, name) for row in rows() for name in row.functions]


def found(name):
    """The function of a dotted name below glorot.replay, or from compat.v1 on."""
    root = "glorot" if name.startswith("compat.") else "glorot.replay"
    *path, last = f"{root}.{name}".split(".")
    for cut in range(len(path), 0, -1):
        try:
            value = importlib.import_module(".".join(path[:cut]))
        except ModuleNotFoundError:
            continue
        for part in [*path[cut:], last]:
            value = getattr(value, part)
        return value
    raise AssertionError(name)


@pytest.mark.parametrize(("row", "name"), NAMED, ids=[name for _, name in NAMED])
def test_every_row_is_of_a_function_and_is_found(row, name):
    """A row's functions exist, and asking for one in each of the row's dtypes gives the row."""
    assert callable(found(name))
    for dtype in row.dtypes:
        assert glorot.replay.guarantee(name, dtype, backend=row.backend) == row


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.functions[0])
def test_docstrings_say_whose_numbers(row):
    """Each names the versions, and says whether the values are exact or near."""
    for name in row.functions:
        text = inspect.getdoc(found(name))
        said = r"\b[Ee]xact" if row.exact else r"\b[Nn]ear|[Nn]ot exact"
        assert re.search(said, text), name
        for version in row.versions:
            assert re.match(r"\d+\.\d+", version)[0] in text, name


def test_rows_say_what_they_must():
    """A row has a distribution, versions and cases, and a tolerance where it is not exact."""
    for row in rows():
        assert row.distribution, row
        assert row.versions, row
        assert row.dtypes, row
        assert row.cases > 0, row
        assert row.exact == (not row.tolerance), row


def test_a_function_itself_can_be_asked():
    """The object does as well as its name."""
    function = glorot.replay.tensorflow.random_uniform

    assert glorot.replay.guarantee(function) == glorot.replay.guarantee("tensorflow.random_uniform")
    init = glorot.compat.v1.keras.initializers.he_normal  # defined in another module, as HeNormal
    row = glorot.replay.guarantee(init, "float64")
    assert row == glorot.replay.guarantee("compat.v1.initializers.he_normal", "float64")
    assert (row.exact, row.arithmetic) == (True, "FMA")


@pytest.mark.parametrize(
    ("function", "dtype", "error", "message"),
    [
        ("tensorflow.random_unifrom", "float32", ValueError, "docs/replay.md lists them"),
        ("tensorflow.random_uniform", "int8", ValueError, "not of int8"),
        (len, "float32", ValueError, "builtins.len"),
        ("keras.random.uniform", "float32", ValueError, "must be tensorflow, jax, torch, numpy"),
        (7, "float32", TypeError, "got 7"),
    ],
)
def test_what_is_not_promised_is_refused(function, dtype, error, message):
    """Unknown functions and dtypes are named in the refusal."""
    with pytest.raises(error, match=message):
        glorot.replay.guarantee(function, dtype)


def test_float16_on_jax_says_on_which_processors():
    """JAX on one with AVX512-FP16 has other last bits wherever XLA multiplies and adds."""
    drawn = [
        row
        for row in rows()
        if row.framework.startswith(("JAX", "flax", "Keras 3 on JAX"))
        and row.arithmetic == "FMA"
        and "float16" in row.dtypes
    ]
    assert len(drawn) == 6
    for row in drawn:
        assert "no AVX512-FP16" in row.note, row.functions
        assert "float16_fma" in row.note, row.functions
