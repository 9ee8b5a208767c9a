# SPDX-License-Identifier: Apache-2.0
"""The tables of the normal law are what their generator computes, whole and in any precision."""

import runpy
from pathlib import Path

import numpy as np
import pytest
from mpmath import mp, mpf

from glorot import _laws

ROOT = Path(__file__).resolve().parents[2]
MAKE = runpy.run_path(str(ROOT / "tools" / "make_normal_tables.py"))


@pytest.mark.slow
@pytest.mark.parametrize("bits", [32, 64])
def test_the_file_is_what_the_generator_computes(bits):
    """Every row of the file in the package, recomputed in 60-digit arithmetic, is the same text."""
    path = ROOT / "src" / "glorot" / "tables" / f"normal{bits}.inc"

    assert path.read_text() == MAKE["table"](bits)


@pytest.mark.parametrize("bits", [32, 64])
def test_the_table_in_use_is_the_file_s(bits):
    """The array the laws use has a row for each segment, holding the generator's integers."""
    segments, degree, fraction = MAKE["SHAPES"][bits]
    table = _laws.normal_table(bits)

    assert table.dtype == np.dtype(f"uint{bits}")
    assert table.shape == (bits * segments, degree + 1)
    assert segments == 1 << _laws.SEGMENT_BITS[bits]
    assert fraction == _laws.NORMAL_FRACTION[bits]
    with mp.workdps(MAKE["DIGITS"]):
        for octave, segment in ((0, 0), (7, 1), (bits - 1, segments - 1)):
            row = table[octave * segments + segment].tolist()
            assert row == MAKE["row"](bits, octave, segment)


def test_more_digits_change_no_coefficient():
    """60 digits are enough: 90 give the same integers where the table is hardest, at its ends."""
    for octave in (0, 31, 63):
        with mp.workdps(MAKE["DIGITS"]):
            row = MAKE["row"](64, octave, 0)
        with mp.workdps(90):
            assert row == MAKE["row"](64, octave, 0)


@pytest.mark.parametrize("tail", ["0.5", "0.25", "0.0227501319481792072", "1e-19"])
def test_the_generator_s_quantile_inverts_the_distribution(tail):
    """Phi(-z) gives the tail back to 55 digits."""
    with mp.workdps(60):
        z = MAKE["quantile"](mpf(tail))
        assert abs(mp.erfc(z / mp.sqrt(2)) / 2 / mpf(tail) - 1) < mpf(10) ** -55


def test_the_reference_points_of_the_normal():
    """The middle, the quartile and two stddevs are where textbooks have them."""
    with mp.workdps(30):
        assert abs(MAKE["quantile"](mpf("0.25")) - mpf("0.674489750196081743202")) < 1e-20
        assert abs(MAKE["quantile"](mpf("0.022750131948179207200")) - 2) < 1e-18
        assert MAKE["quantile"](mpf("0.5")) == 0
