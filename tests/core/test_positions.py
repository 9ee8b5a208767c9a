# SPDX-License-Identifier: Apache-2.0
"""`SinCosGrid`: the sines and cosines that it promises, in any part and precision."""

import mpmath
import numpy as np
import pytest

import glorot
from glorot import _positions


def exact(rows, columns, width, base=10000):
    """The same from the definition, one value after the other, in 60 digits."""
    quarter, table = width // 4, np.empty((rows * columns, width))
    with mpmath.workdps(60):
        for place in range(rows * columns):
            for number in range(width):
                half, rest = divmod(number, 2 * quarter)
                at = divmod(place, columns)[1 - half]
                frequency = mpmath.mpf(base) ** (-mpmath.mpf(rest % quarter) / quarter)
                table[place, number] = (mpmath.sin, mpmath.cos)[rest // quarter](at * frequency)
    return table


@pytest.mark.parametrize(
    ("grid", "shape", "base"),
    [
        (None, (1, 16, 24), 10000),
        ((2, 5), (10, 8), 10000),
        ((7, 1), (3, 7, 4), 100),
        (None, (1, 4), 2),
    ],
)
def test_is_the_definition(grid, shape, base):
    """Columns come first and run fastest; the sines before the cosines; leading axes repeat."""
    values = glorot.SinCosGrid(grid, base)(shape, dtype="float64")
    side = int(shape[-2] ** 0.5)
    expected = exact(*(grid or (side, side)), shape[-1], base)
    assert np.abs(values - expected).max() < 1e-15
    single = glorot.SinCosGrid(grid, base)(shape)
    assert (single == np.broadcast_to(expected, shape).astype(np.float32)).all()
    if shape[-2] > 1:
        rows_first = np.roll(expected, shape[-1] // 2, axis=1)
        assert np.abs(values - rows_first).max() > 0.5


def test_sines_far_out():
    """Sine and cosine are within 4e-16 for angles up to 2**20, near multiples of pi/2 too."""
    near = np.rint(np.arange(0, 600_000, 997) * np.pi / 2)
    angles = np.concatenate([near, np.linspace(0, 2**20, 3001), np.arange(40) * np.pi / 2])
    sine, cosine = _positions._sin_cos(angles)
    with mpmath.workprec(200):
        true = [(float(mpmath.sin(x)), float(mpmath.cos(x))) for x in angles.tolist()]
    assert np.abs(np.stack([sine, cosine], 1) - true).max() < 4e-16


def test_parts_and_precisions():
    """A shard and a run are those parts of the whole; fewer bits are float32 rounded."""
    init = glorot.SinCosGrid((3, 5))
    whole = init((2, 15, 12))
    part = init((2, 15, 12), shard=(slice(1, 2), slice(4, 11), slice(2, 9)))
    assert (part == whole[1:2, 4:11, 2:9]).all()
    run = np.empty(100, np.float32)
    init.fill_range(run, (2, 15, 12), 77)
    assert (run == whole.ravel()[77:177]).all()
    for dtype in ("bfloat16", "float16"):
        assert (init((2, 15, 12), dtype) == whole.astype(init((2, 15, 12), dtype).dtype)).all()
    assert init((2, 15, 12), shard=(slice(0, 0), slice(0, 15), slice(0, 12))).shape == (0, 15, 12)


def test_known_values():
    """Recorded: these may never change."""
    values = glorot.SinCosGrid()((4, 8), dtype="float64")[3]
    assert [value.hex() for value in values[:4].tolist()] == [
        "0x1.aed548f090ceep-1",
        "0x1.47acae915e807p-7",
        "0x1.14a280fb5068cp-1",
        "0x1.fff9724ad97aap-1",
    ]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: glorot.SinCosGrid(3), ValueError, r"`grid` must be \(rows, columns\).*got 3"),
        (lambda: glorot.SinCosGrid((3, 0)), ValueError, r"positive integers; got \(3, 0\)"),
        (lambda: glorot.SinCosGrid((True, 2)), ValueError, "positive integers"),
        (lambda: glorot.SinCosGrid(base=1), ValueError, "`base` must be above 1, got 1"),
        (lambda: glorot.SinCosGrid(base=0), ValueError, "`base` must be above 0"),
        (lambda: glorot.SinCosGrid()((8,)), ValueError, r"needs a shape .* got \(8,\)"),
        (lambda: glorot.SinCosGrid()((4, 6)), ValueError, "multiple of 4; got"),
        (lambda: glorot.SinCosGrid()((5, 8)), ValueError, "5 places, not those of a square"),
        (lambda: glorot.SinCosGrid((2, 3))((5, 8)), ValueError, r"not those of `grid`=\(2, 3\)"),
        (lambda: glorot.SinCosGrid((2**21, 1))((2**21, 4)), ValueError, "at most 2..20 rows"),
        (lambda: glorot.SinCosGrid()((4, 4), "int32"), ValueError, "no whole numbers.*int32"),
        (lambda: glorot.SinCosGrid().scaled(2), TypeError, "has no spread to scale"),
    ],
)  # fmt: skip
def test_refusals(call, error, text):
    """What makes no sense is refused."""
    with pytest.raises(error, match=text):
        call()
