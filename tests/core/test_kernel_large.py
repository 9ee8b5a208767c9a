# SPDX-License-Identifier: Apache-2.0
"""Fills of many values: in chunks of several sizes, past the cache, on any number of threads."""

import numpy as np
import pytest
from kernel_cases import TARGETS

from glorot import _kernel, _laws, _stream
from glorot._dtypes import FLOATS

UNIFORM = _laws.Uniform(0.3)
COMMON = [  # what the kernel draws in wide chunks, and past the cache
    (UNIFORM, "float32"),
    (_laws.Uniform(0.2, mean=0.1, bounds=(-0.1, 0.3)), "float32"),
    (_laws.Normal(0.02), "float32"),
    (_laws.TruncatedNormal(0.5), "float32"),
    (UNIFORM, "bfloat16"),
    (_laws.Normal(0.02), "bfloat16"),
    (_laws.TruncatedNormal(0.5), "bfloat16"),
]
IDS = [f"{type(law).__name__}-{law.mean}-{dtype}" for law, dtype in COMMON]
PAST_CACHE = 8 << 20  # bytes
GUARD = 77


def in_pieces(law, stream, start, shape, step, dtype):
    """Rows that begin `step` apart, filled so few at a time that they stay in the cache."""
    out = np.empty(shape, dtype)
    few = max(1, (1 << 20) // out[0].nbytes)
    for row in range(0, shape[0], few):
        _kernel.fill(out[row : row + few], law, stream, start + row * step, (step, 1), 1)
    return out


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("law", "dtype"), COMMON, ids=IDS)
def test_every_number_of_chunks(target, law, dtype):
    """Runs of any length are the reference's, whichever chunks they are cut into."""
    dtype, stream, most = FLOATS[dtype], _stream.stream(4, "chunks"), 1700
    expected = np.empty(most, dtype)
    with _kernel.forced("reference"):
        _kernel.fill(expected, law, stream, 2**34 - 800)  # the counter's lowest digit carries
    memory = np.empty(most + 2, dtype)
    for count in range(120, most, 13):
        for start in (0, 1, 2, most - count):
            here = min(count, most - start)
            memory[:] = GUARD
            with _kernel.forced(target):
                _kernel.fill(memory[1 : here + 1], law, stream, 2**34 - 800 + start)
            assert memory[1 : here + 1].tobytes() == expected[start : start + here].tobytes()
            assert memory[0] == GUARD
            assert (memory[here + 1 :] == GUARD).all()


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("start", [0, 8, 3, 2**34 - 4000, 2**62 - 4 * 900 * 300])
@pytest.mark.parametrize(
    ("law", "dtype"),
    [
        (UNIFORM, "float32"),
        (_laws.Normal(0.02), "bfloat16"),
        (UNIFORM, "float64"),
        (None, "uint32"),
    ],
    ids=["float32", "bfloat16", "float64", "words"],
)
def test_tiles_that_are_alike(target, start, law, dtype):
    """Turned arrays whose tiles all begin with a block, or do not, upwards and downwards, with axes
    around them: the same numbers as straight ones."""
    dtype = np.dtype(np.uint32) if law is None else FLOATS[dtype]
    stream = _stream.stream(6, "tiles")
    rows, columns = 300, 296
    steps = (rows * columns, 1, rows)
    straight = np.empty((3, columns, rows), dtype)
    turned = np.empty((3, rows, columns), dtype)
    gaps = np.empty((2, rows + 1, columns), dtype)[:, :-1]
    expected = straight.transpose(0, 2, 1)
    with _kernel.forced(target):
        _kernel.fill(straight, law, stream, start)
        for out in (turned, turned[:, :, ::-1], gaps):
            out[...] = GUARD
            _kernel.fill(out, law, stream, start, steps)
            assert out.tobytes() == expected[: len(out)].tobytes()
    corner = np.empty((1, 5, 7), dtype)
    with _kernel.forced("reference"):
        _kernel.fill(corner, law, stream, start + rows * 200 + 100, steps)
    assert corner.tobytes() == expected[:1, 100:105, 200:207].tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("law", "dtype"),
    [*COMMON, (UNIFORM, "float16"), (UNIFORM, "float64")],
    ids=[*IDS, "Uniform-float16", "Uniform-float64"],
)
def test_bytes_do_not_depend_on_threads(target, law, dtype):
    """1, 2, 3 and 7 threads write the same bytes, of sizes that go past the cache and of others, at
    any alignment; what is before and behind stays as it was."""
    dtype, stream = FLOATS[dtype], _stream.stream(11, "threads")
    for count in (1 << 20, (PAST_CACHE + (1 << 18)) // dtype.itemsize + 5):
        memory = np.empty(count + 6, dtype)
        with _kernel.forced(target):
            expected = in_pieces(law, stream, 9, (count, 1), 1, dtype).tobytes()
        for offset in (1, 4):
            out = memory[offset : offset + count]
            for threads in (1, 2, 3, 7):
                memory[:] = GUARD
                with _kernel.forced(target):
                    _kernel.fill(out, law, stream, 9, None, threads)
                assert out.tobytes() == expected
                assert (memory[:offset] == GUARD).all()
                assert (memory[offset + count :] == GUARD).all()
        with _kernel.forced("reference"):
            last = np.empty(5, dtype)
            _kernel.fill(last, law, stream, 9 + count - 5)
        assert out[-5:].tobytes() == last.tobytes()


def assert_columns_agree(target, law, dtype, start, columns, step):
    """Fill rows that begin `step` apart, past the cache, and compare them."""
    stream, rows = _stream.stream(2, "columns"), (9 << 20) // dtype.itemsize // columns
    with _kernel.forced(target):
        expected = in_pieces(law, stream, start, (rows, columns), step, dtype)
    for row in (0, 1, rows // 2, rows - 1):
        one = np.empty(columns, dtype)
        with _kernel.forced("reference"):
            _kernel.fill(one, law, stream, start + row * step)
        assert expected[row].tobytes() == one.tobytes()
    memory = np.empty((rows + 2) * columns + 16, dtype)
    for offset in (0, 1, 4, 13):
        out = memory[columns + offset :][: rows * columns].reshape(rows, columns)
        for threads in (1, 2):
            memory[:] = GUARD
            with _kernel.forced(target):
                _kernel.fill(out, law, stream, start, (step, 1), threads)
                assert out.tobytes() == expected.tobytes()
                assert (memory[: columns + offset] == GUARD).all()
                assert (memory[columns + offset + out.size :] == GUARD).all()
                _kernel.fill(out[::-1], law, stream, start, (step, 1), threads)
            assert out[::-1].tobytes() == expected.tobytes()


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("start", "columns", "step"),
    [
        (40, 1024, 8192),  # a chunk of two rows at each seam
        (40, 1028, 8192),  # seams that move along the chunks
        (0, 256, 260),  # rows of two chunks
        (4, 300, 1000),
        (2**34 - 900_000, 1024, 8192),  # the counter's lowest digit carries, between rows
        (2**34 - 8192 * 900 - 516, 1028, 8192),  # and within one
        (4, 300, 0),  # a row again and again
        (2, 300, 1000),  # no block starts where a line does
        (4, 301, 1000),
        (4, 300, 1001),
    ],
)
def test_columns_that_go_past_the_cache(target, start, columns, step):
    """Rows that follow each other in memory of every alignment, upwards and downwards, past the
    cache, are what they are in it; what is before and behind stays as it was."""
    assert_columns_agree(target, UNIFORM, FLOATS["float32"], start, columns, step)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("law", "dtype"), COMMON[1:], ids=IDS[1:])
def test_columns_of_every_law_go_past_the_cache(target, law, dtype):
    """The same for each law and dtype that does."""
    assert_columns_agree(target, law, FLOATS[dtype], 2**34 - 8192 * 900 - 516, 1028, 8192)
