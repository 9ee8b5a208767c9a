# SPDX-License-Identifier: Apache-2.0
"""`SinCosGrid` and `Sinusoids`: the sines that they promise, in any part and precision."""

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


def exact_line(places, width, base=10000, endpoint=False, interleaved=False):
    """`Sinusoids` from the definition, as lists of sines and cosines, in 60 digits."""
    table = np.empty((places, width))
    with mpmath.workdps(60):
        over = mpmath.mpf(width - 2 if endpoint else width) / 2
        for place in range(places):
            angles = [place * mpmath.mpf(base) ** (-i / over) for i in range((width + 1) // 2)]
            sines = [mpmath.sin(x) for x in angles]
            cosines = [mpmath.cos(x) for x in angles][: width // 2]
            if interleaved:
                table[place, 0::2], table[place, 1::2] = sines, cosines
            else:
                table[place] = sines + cosines
    return table


LINES = [
    ((30, 12), {}),
    ((30, 12), {"endpoint": True}),
    ((30, 12), {"interleaved": True}),
    ((2, 9, 8), {"base": 50.0, "endpoint": True, "interleaved": True}),
    ((9, 7), {}),
    ((9, 7), {"interleaved": True}),
    ((5, 1), {}),
    ((1, 4), {"endpoint": True}),
]


@pytest.mark.parametrize(("shape", "options"), LINES)
def test_sequence_is_the_definition(shape, options):
    """Sines, then cosines, or each beside the other; an odd width has one sine more; leading axes
    repeat. Tables with the halves exchanged or other frequencies are others."""
    values = glorot.Sinusoids(**options)(shape, dtype="float64")
    expected = exact_line(*shape[-2:], **options)
    assert np.abs(values - expected).max() < 1e-14  # half a unit of angles up to 29
    single = glorot.Sinusoids(**options)(shape)
    assert (single == np.broadcast_to(expected, shape).astype(np.float32)).all()
    if shape[-2] > 1 and shape[-1] == 12:
        for option in ("endpoint", "interleaved"):
            other = {**options, option: not options.get(option, False)}
            assert np.abs(values - exact_line(*shape, **other)).max() > 0.1
        assert np.abs(values - np.roll(expected, 6, axis=1)).max() > 0.5


def test_endpoint_is_the_last_frequency():
    """The last of 8 frequencies is the float64 1 / base; without it the ninth would be."""
    end = 1 / 300.0
    last = _positions._frequencies(300.0, 8, 7.0)
    assert (last[0], last[-1]) == (1.0, end)
    assert (_positions._frequencies(300.0, 9, 8.0)[:8] > end).all()
    assert glorot.Sinusoids(300.0, endpoint=True)((2, 16), "float64")[1, 7] == np.sin(end)


@pytest.mark.parametrize("options", [options for _, options in LINES[:4]])
def test_parts_of_a_sequence(options):
    """A shard and a run are those parts of the whole; fewer bits are float32 rounded."""
    init, shape = glorot.Sinusoids(**options), (2, 15, 12)
    whole = init(shape)
    part = init(shape, shard=(slice(1, 2), slice(4, 11), slice(2, 9)))
    assert (part == whole[1:2, 4:11, 2:9]).all()
    run = np.empty(100, np.float32)
    init.fill_range(run, shape, 77)
    assert (run == whole.ravel()[77:177]).all()
    for dtype in ("bfloat16", "float16"):
        assert (init(shape, dtype) == whole.astype(init(shape, dtype).dtype)).all()
    assert init(shape, shard=(slice(0, 0), slice(0, 15), slice(0, 12))).shape == (0, 15, 12)


def test_sequence_in_blocks():
    """A column of zeros after an even width is one block, as tensor2tensor pads an odd one."""
    init = glorot.Blocks([glorot.Sinusoids(endpoint=True), "zeros"], [6, 1], axis=1)
    values = init((5, 7))
    assert (values[:, :6] == glorot.Sinusoids(endpoint=True)((5, 6))).all()
    assert not values[:, 6].any()


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
    values = glorot.Sinusoids(endpoint=True)((8, 6), dtype="float64")[7]
    assert [value.hex() for value in values.tolist()] == [
        "0x1.50608c26d0a08p-1",
        "0x1.1e7c641e76101p-4",
        "0x1.6f0066e4b3c99p-11",
        "0x1.81ff79ed92017p-1",
        "0x1.febf01345c1efp-1",
        "0x1.fffff7c777531p-1",
    ]


@pytest.mark.parametrize("options", [{}, {"endpoint": True}, {"interleaved": True}])
def test_a_later_first_place(options):
    """With `first` the rows are those of a longer table from that place on, in any part; it is said
    only where it is not 0, so that nothing of the others changes."""
    whole = glorot.Sinusoids(**options)((9, 6), "float64")
    init = glorot.Sinusoids(**options, first=3)
    assert (init((6, 6), "float64") == whole[3:]).all()
    assert (init((6, 6), "float64", shard=(slice(2, 5), slice(1, 4))) == whole[5:8, 1:4]).all()
    assert glorot.deserialize(glorot.serialize(init)) == init != glorot.Sinusoids(**options)
    assert "first" not in glorot.Sinusoids(first=0).get_config()


def test_a_table_with_a_row_of_zeros():
    """A padding token's row can be 0 and the others keep their places, by formulas of a recipe."""
    parts = [
        {"name": "before", "size": "row"},
        {"name": "padding", "size": 1, "initializer": "zeros"},
        {"name": "after", "size": "places - row - 1", "first": "row + 1"},
    ]
    rule = glorot.Rule("*", "sinusoids", blocks={"axis": 0, "parts": parts})
    variables = {"row": 2, "places": {"size": "*", "axis": 0}}
    recipe = glorot.Recipe([rule], variables=variables)
    assert glorot.Recipe.from_toml(recipe.to_toml()) == recipe
    (found,) = recipe.resolve({"positions": (7, 4)})
    expected = glorot.Sinusoids()((7, 4))
    expected[2] = 0
    assert (found.initializer((7, 4)) == expected).all()
    half = glorot.Recipe([glorot.Rule("*", "sinusoids", first="1 / 2")])
    with pytest.raises(ValueError, match="`first`='1 / 2' must be a whole number, 0 or more"):
        half.resolve({"positions": (7, 4)})


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
        (lambda: glorot.Sinusoids(1), ValueError, "`base` must be above 1, got 1"),
        (lambda: glorot.Sinusoids("2"), TypeError, "`base` must be a number, got '2'"),
        (lambda: glorot.Sinusoids(endpoint=1), TypeError, "`endpoint` must be True or False"),
        (lambda: glorot.Sinusoids(interleaved=None), TypeError, "`interleaved` must be True or"),
        (lambda: glorot.Sinusoids(first=-1), ValueError, "`first` must be at least 0, got -1"),
        (lambda: glorot.Sinusoids(first=1.0), TypeError, "`first` must be a whole number, got 1.0"),
        (lambda: glorot.Sinusoids(first=2**20)((1, 4)), ValueError, r"after `first`=1048576"),
        (lambda: glorot.Sinusoids()((8,)), ValueError, r"\(..., places, width\), got \(8,\)"),
        (lambda: glorot.Sinusoids(endpoint=True)((8, 5)), ValueError, "even width of at least 4"),
        (lambda: glorot.Sinusoids(endpoint=True)((8, 2)), ValueError, "even width of at least 4"),
        (lambda: glorot.Sinusoids()((2**21, 1)), ValueError, "at most 2..20 places, got"),
        (lambda: glorot.Sinusoids()((4, 4), "int32"), ValueError, "no whole numbers.*int32"),
        (lambda: glorot.Sinusoids().scaled(2), TypeError, "has no spread to scale"),
    ],
)  # fmt: skip
def test_refusals(call, error, text):
    """What makes no sense is refused."""
    with pytest.raises(error, match=text):
        call()
