# SPDX-License-Identifier: Apache-2.0
"""Dtypes are found under their names, their NumPy and ml_dtypes types, and refused otherwise."""

import re

import ml_dtypes
import numpy as np
import pytest

from glorot import _dtypes
from glorot._dtypes import ALL, FLOATS, dtype_name, parse_dtype


def test_the_floats_are_the_six_that_laws_know():
    """The supported floats and their order, which native code numbers, are these."""
    names = ["float32", "float64", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"]

    assert list(FLOATS) == names


@pytest.mark.parametrize("name", FLOATS)
def test_a_float_is_found_in_every_spelling(name):
    """Its name, dtype and scalar type mean one dtype, whose name is the name."""
    dtype = FLOATS[name]

    assert parse_dtype(name) is dtype
    assert parse_dtype(dtype) == dtype
    assert parse_dtype(dtype.type) == dtype
    assert dtype_name(parse_dtype(dtype.type)) == name


@pytest.mark.parametrize("name", ALL)
def test_constants_take_every_dtype(name):
    """With `floating=False` integers and bool are found too, by name, dtype and scalar type."""
    dtype = ALL[name]

    assert parse_dtype(name, floating=False) == dtype
    assert parse_dtype(dtype, floating=False) == dtype
    assert parse_dtype(dtype.type, floating=False) == dtype
    assert dtype_name(dtype) == name


def test_python_s_float_is_float32():
    """`float` means the frameworks' default, not NumPy's float64."""
    assert parse_dtype(float) == np.float32
    assert parse_dtype(np.float64) == np.float64


def test_a_foreign_byte_order_means_the_same_type():
    """Big-endian dtypes name the type; memory of that order is another matter."""
    assert parse_dtype(np.dtype(">f4")) == np.dtype("f4")
    assert parse_dtype(np.dtype(">f4")).isnative


def test_ml_dtypes_are_found_by_type():
    """The scalar types of ml_dtypes are known without their names."""
    assert parse_dtype(ml_dtypes.bfloat16) == FLOATS["bfloat16"]
    assert parse_dtype(ml_dtypes.float8_e5m2) == FLOATS["float8_e5m2"]


class Foreign:
    """A dtype of some other library: it only prints like one."""

    def __init__(self, text, **attributes):
        self.text = text
        vars(self).update(attributes)

    def __repr__(self):
        return self.text


def test_frameworks_dtypes_are_known_without_their_frameworks():
    """What prints `torch.float32`, wraps a NumPy type or carries a `dtype` is understood."""
    assert parse_dtype(Foreign("torch.bfloat16")) == FLOATS["bfloat16"]
    assert parse_dtype(Foreign("<dtype>", as_numpy_dtype=np.float16)) == np.float16
    assert parse_dtype(Foreign("<maker>", dtype=np.dtype("f8"))) == np.float64


@pytest.mark.parametrize(
    "dtype",
    [
        *("int32", "complex64", "float8", "Float32", "torch.float32", "f4", "", "bool"),
        *(np.int64, np.dtype("int8"), np.complex128, np.longdouble, ml_dtypes.int4),
        *(ml_dtypes.float8_e4m3b11fnuz, int, bool, None, 32, object, [], ml_dtypes),
        *(np.array(1.0), np.ones(2, np.float32), np.float32(1.0)),
        *(np.floating, np.inexact, np.number, np.generic, np.integer, np.character),
        *(np.dtype([("x", "f4")]), Foreign("torch.int32"), Foreign("other.float32")),
    ],
    ids=str,
)
def test_what_is_no_supported_float_is_refused(dtype):
    """Integers, unknown names and strangers are refused, naming what came and all choices."""
    choices = ", ".join(FLOATS)
    text = f"`dtype` must be one of {choices}; got {dtype!r}. Only floating point types are"
    with pytest.raises(TypeError, match=re.escape(text)):
        parse_dtype(dtype)


def test_what_is_no_dtype_at_all_is_refused():
    """Without `floating` the choices include the integers, and nothing is said of floats."""
    with pytest.raises(TypeError, match=r"float8_e5m2, bool, int8.*uint64; got 'quarter'\.$"):
        parse_dtype("quarter", floating=False)


@pytest.mark.parametrize(
    ("said", "name"), [("bf16", "bfloat16"), ("half", "float16"), ("e5m2", "float8_e5m2")]
)
def test_other_names_are_refused_with_ours(said, name):
    """One dtype has one name in files and fingerprints; the error says it for what others say."""
    with pytest.raises(TypeError, match=rf"got '{said}'\. Only .* supported\. Write '{name}'\."):
        parse_dtype(said)


def test_names_are_unique():
    """No two names mean one dtype, so a name survives a round trip."""
    assert len({_dtypes.dtype_name(dtype) for dtype in ALL.values()}) == len(ALL)
