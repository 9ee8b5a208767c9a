# SPDX-License-Identifier: Apache-2.0
"""Slices of one weight that hold another's values are found wherever they are, and only those."""

import ml_dtypes
import numpy as np
import pytest

import glorot
from glorot import Recipe, Rule
from glorot._audit import _measure
from glorot._audit._slices import _FACTORS, BEGIN, FirstAxis, _sums
from glorot._audit._sources import parameter

RECIPE = Recipe([Rule("*", "normal", stddev=0.02)])


def drawn(shape, dtype="float32"):
    """A weight as it should be."""
    return glorot.RandomNormal(stddev=0.02)(shape, dtype, seed=1, name="w")


def copied(value, axis, first, second, number):
    """The same, in which some slices along an axis are copies of others."""
    value = value.copy()
    part = np.take(value, range(first, first + number), axis)
    place = [slice(None)] * value.ndim
    place[axis] = slice(second, second + number)
    value[tuple(place)] = part
    return value


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "float8_e4m3fn"])
@pytest.mark.parametrize(
    ("shape", "axis", "first", "second", "number"),
    [
        ((64, 192), 1, 64, 128, 64),  # the values of a fused qkv are the keys
        ((192, 64), 0, 64, 128, 64),
        ((8, 40, 60), 0, 5, 6, 1),  # one expert copied
        ((8, 40, 60), 1, 30, 39, 1),
        ((8, 40, 60), 2, 3, 50, 4),
        ((30, 20, 3, 3), 1, 4, 9, 2),  # an input channel, of which 9 values lie together
        ((500, 48), 0, 499, 200, 1),
    ],
)
def test_copies_are_found(shape, axis, first, second, number, dtype, monkeypatch):
    """Whichever slices they are; runs that end within a slice are no hindrance."""
    monkeypatch.setattr(_measure, "RUN", 1000)
    value = copied(drawn(shape, dtype), axis, first, second, number)
    problems = glorot.audit({"w": value}, RECIPE).problems
    assert problems[0].kind == "repeated"
    low, high = sorted((first, second))
    assert problems[0].text.startswith(
        f"{number} of {shape[axis]} slices along axis {axis} hold the values of an earlier one "
        f"(the first: {high} those of {low}): copied, "
    )
    assert glorot.audit({"w": drawn(shape, dtype)}, RECIPE).ok


def test_a_grown_table():
    """Rows that are the mean of the others, as a vocabulary is grown by."""
    value = drawn((600, 64))
    value[580:] = value[:580].mean(axis=0)
    (problem,) = glorot.audit({"wte.weight": value}, RECIPE).problems
    assert problem.text.startswith("19 of 600 slices along axis 0 hold the values of an earlier")
    assert problem.text.endswith("or a table grown by one row?")
    value[200:] = value[0]
    (problem, *_) = glorot.audit({"wte.weight": value}, RECIPE).problems
    assert problem.text.startswith("64 or more of 600 slices")


@pytest.mark.parametrize("rows", [1, 100, 1000])
def test_constant_slices_are_no_copies(rows):
    """Blocks of zeros and ones beside drawn ones; a sparse weight."""
    blocks = glorot.Blocks(["he_normal", "zeros", "ones"], sizes=[40, 60, rows], axis=0)
    for init in (blocks, glorot.Sparse(0.9, 0.05), glorot.Orthogonal()):
        report = glorot.audit({"w": init((100 + rows, 64), seed=0, name="w")}, init)
        assert report.ok, str(report)


@pytest.mark.parametrize("run", [7, 32, 100, 4096])
@pytest.mark.parametrize("shape", [(40, 32), (9, 5, 13), (70, 33), (3, 2, 4, 5), (4, 31), (200,)])
def test_sums_are_of_what_lies_at_the_beginning(shape, run):
    """As the whole tells them, of any runs; of every axis."""
    value = drawn(shape)
    first = FirstAxis(shape)
    for start in range(0, value.size, run):
        first.see(start, value.reshape(-1)[start : start + run])
    held = parameter("w", value)
    for axis, length in enumerate(shape):
        if value.size // length < BEGIN:
            continue
        slices = np.moveaxis(value, axis, 0).reshape(length, -1)[:, :BEGIN]
        bits = np.ascontiguousarray(slices).view(np.uint32).astype(np.uint64)
        wanted = (bits * _FACTORS).sum(axis=1, dtype=np.uint64)
        np.testing.assert_array_equal(_sums(held, axis), wanted)
        if axis == 0:
            np.testing.assert_array_equal(first.sums, wanted)


def test_few_values_in_few_bits_are_no_copies():
    """Rows of one byte each that come again by chance."""
    init = glorot.RandomNormal(stddev=0.02)
    for shape in ((2000, 4), (300, 32), (5000, 40)):
        for dtype in ("float8_e5m2", ml_dtypes.bfloat16):
            assert glorot.audit({"w": init(shape, dtype, seed=3, name="w")}, init).ok
