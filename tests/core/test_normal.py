# SPDX-License-Identifier: Apache-2.0
"""The normal quantile: right on a sample of words, and a check that sees what is wrong."""

import runpy

import numpy as np
import pytest
from kernel_cases import EVERYWHERE
from law_cases import ORACLE, ROOT
from mpmath import mp, mpf

from glorot import _kernel, _laws

MAKE = runpy.run_path(str(ROOT / "tools" / "make_normal_tables.py"))
CHECK = runpy.run_path(str(ROOT / "tools" / "check_normal_exhaustively.py"))


def sample():
    """Words of the lower half: near the edges of all segments, both ends, a million at random."""
    tails = np.outer(2 ** np.arange(32), [4, 5, 6, 7]) // 4
    near = np.add.outer(tails // 2, np.arange(-64, 65)).reshape(-1)
    ends = np.concatenate([np.arange(4096), 2**31 - 1 - np.arange(4096)])
    rng = np.random.default_rng(20100507)
    anywhere = rng.integers(0, 2**31, 1_000_000)
    octaves = (2.0 ** rng.uniform(0, 31, 100_000)).astype(np.int64)
    words = np.unique(np.concatenate([near, ends, anywhere, octaves]))
    return words[(words >= 0) & (words < 2**31)].astype(np.uint32)


@pytest.fixture(scope="module")
def words():
    """The sampled words, increasing."""
    return sample()


@pytest.fixture(scope="module")
def fewer(words):
    """One sampled word in eight, of every segment: enough to see what is wrong everywhere."""
    return words[::8]


@pytest.mark.slow
@pytest.mark.parametrize("target", EVERYWHERE)
def test_the_normal_is_right_on_a_sample_of_words(words, target):
    """No step wraps, the error is below 2e-7, values mirror, hardly fall, and lie between the
    bounds that bfloat16 starts from: on 1.1e6 words."""
    with _kernel.forced(target):
        result = CHECK["check"](words, _laws.normal_table(32), *CHECK["on_target"](target))

    assert result.faults == []
    assert 5e-8 < result.error < 1.01e-7
    assert result.words >= 2e6


@pytest.mark.parametrize("side", [0, 1])
def test_bounds_without_room_are_rejected(fewer, side):
    """A bound on the wrong side of one value in a thousand, or too near for the roundings."""

    def bounds(words):
        values = CHECK["reference_values"](words).astype(np.float64)
        pair = [values * (1 - 1e-6), values * (1 + 1e-6)]
        pair[side] = np.where(words % 1000 == 7, values * (1 + (-1e-7, 1e-7)[side]), pair[side])
        return pair

    def good(words):
        values = CHECK["reference_values"](words).astype(np.float64)
        return values * (1 - 1e-6), values * (1 + 1e-6)

    table = _laws.normal_table(32)
    result = CHECK["check"](fewer, table, CHECK["reference_values"], bounds)
    assert any("between its bounds" in fault for fault in result.faults)
    assert CHECK["check"](fewer, table, CHECK["reference_values"], good).faults == []


def broken(how):
    """A table with one fault in it."""
    table = _laws.normal_table(32).copy()
    row, column, change = how
    table[row, column] += np.uint32(change)
    return table


@pytest.mark.slow
@pytest.mark.parametrize(
    "how",
    [(0, 0, 2**8), (3, 1, 2**8), (5, 2, 2**9), (60, 0, 2**8), (124, 0, 2**8), (40, 1, 2**8)],
    ids=str,
)
def test_a_table_with_one_wrong_coefficient_is_rejected(fewer, how, monkeypatch):
    """A coefficient off by 2**8 units (5e-7) fails, even in a library that uses it throughout."""
    table = broken(how)
    monkeypatch.setattr(_laws, "normal_table", lambda _: table)
    result = CHECK["check"](fewer, table)

    assert result.faults != []


def test_a_library_with_another_table_is_rejected(fewer, monkeypatch):
    """A last bit that differs between the checked table and the library's is seen."""
    table = broken((7, 0, 2))
    monkeypatch.setattr(_laws, "normal_table", lambda _: table)
    fresh = CHECK["check"](fewer, table)
    monkeypatch.undo()
    result = CHECK["check"](fewer, table)

    assert fresh.faults == []
    assert any("not the quantile's float32" in fault for fault in result.faults)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "fault"),
    [((2, 4, 29), "error"), ((4, 3, 29), "leaves 32 bits"), ((2, 5, 29), "leaves 32 bits")],
    ids=str,
)
def test_a_smaller_table_is_rejected(fewer, monkeypatch, shape, fault):
    """Fewer segments or a lower degree miss the error bound, or leave 32 bits."""
    monkeypatch.setitem(MAKE["SHAPES"], 32, shape)
    with mp.workdps(30):
        rows = [MAKE["row"](32, octave, s) for octave in range(32) for s in range(shape[0])]
    result = CHECK["check"](fewer, np.array(rows, dtype=np.uint32))

    assert any(fault in text for text in result.faults), result.faults


@pytest.mark.slow
def test_the_64_bit_normal_is_right_at_every_segment():
    """At both ends and inside each of the 512 segments: no wrap, and within 1e-15 of mpmath."""
    rng = np.random.default_rng(5)
    table = ORACLE["table"](64)
    tails = {1, 2**64 - 1}
    for octave in range(64):
        for segment in range(8):
            first = 2 ** (63 - octave) * (8 + segment) / 8
            end = 2 ** (63 - octave) * (9 + segment) / 8
            inside = [first + (end - first) * float(x) for x in rng.random(2)]
            for tail in (int(first), int(end), *map(int, inside)):
                tails |= {t | 1 for t in (tail - 1, tail) if 0 < t < 2**64}
    assert len(table) == 512
    q = np.array(sorted((tail - 1) // 2 for tail in tails), dtype=np.uint64)
    negative, magnitude = _laws.normal_integer(np, q, 64)
    mirrored, same = _laws.normal_integer(np, ~q, 64)
    with mp.workdps(40):
        worst = 0.0
        for word, found in zip(q.tolist(), magnitude.tolist(), strict=True):
            # The oracle's steps are Python integers and assert that they stay in the word.
            assert found == -ORACLE["quantile"](word, 64)
            true = MAKE["quantile"](mpf(2 * word + 1) / 2**65)
            worst = max(worst, abs(float(mpf(found) / 2**60 - true)))

    assert len(q) > 1500
    assert 1e-18 < worst < 1e-16
    assert negative.all()
    assert not mirrored.any()
    assert (magnitude == same).all()
