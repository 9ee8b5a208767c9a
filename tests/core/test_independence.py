# SPDX-License-Identifier: Apache-2.0
"""No value tells anything about another: neighbours, rows, names, seeds, lanes and bits.

Each check measures the largest correlation among many, scaled so that 5 is as improbable as five
standard errors in a single test.  It must be below 5 for stream 1, and above for every wrong stream
listed beside it: a check that accepts anything proves nothing.
"""

import functools
import math

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from glorot import _kernel, _stream
from glorot._laws import Normal, TruncatedNormal, Uniform

pytestmark = pytest.mark.slow

N = 2**20
NORMAL = Normal(0.02)
LAWS = [Uniform(0.05), NORMAL, TruncatedNormal(0.02)]


@functools.cache
def draw(law, *, name="encoder.kernel", seed=42, lane=0, count=N):
    """`count` float32 values of a law (words when it is None), read-only since tests share them."""
    out = np.empty(count, dtype=np.uint32 if law is None else np.float32)
    _kernel.fill(out, law, _stream.stream(seed, name, lane))
    out.flags.writeable = False
    return out


def limit(tests):
    """Standard errors that the largest of so many tests stays below as surely as one below 5."""
    return -ndtri(ndtr(-5.0) / tests)


def lag_deviation(x, lags=8):
    """The largest correlation of x with itself shifted by 1..lags, over its limit of 5."""
    z = (x - x.mean()) / x.std()
    worst = max(abs(np.mean(z[lag:] * z[:-lag])) * math.sqrt(z.size) for lag in range(1, lags + 1))
    return 5 * worst / limit(lags)


def family_deviation(rows):
    """The largest correlation between any two rows at any shift, over its limit of 5."""
    z = (rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, keepdims=True)
    count, size = z.shape
    spectra = np.fft.rfft(z, axis=1)
    worst = 0.0
    for i in range(count):
        products = np.fft.irfft(spectra[i + 1 :] * spectra[i].conj(), n=size, axis=1)
        worst = max(worst, np.abs(products).max(initial=0.0) / math.sqrt(size))
    return 5 * worst / limit(size * count * (count - 1) // 2)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.kind)
def test_neighbours_are_not_correlated(law):
    """Elements 1 to 8 apart have nothing to do with each other; wrong streams show."""
    x = draw(law).astype(np.float64)
    blocks = x.reshape(-1, 4)
    wrong = {
        "each block of four twice": np.repeat(blocks[: N // 8], 2, axis=0).reshape(-1),
        "each word twice": np.repeat(x[: N // 2], 2),
        "a trace of the next element": x + 0.02 * np.roll(x, -1),
        "blocks sorted": np.sort(blocks, axis=1).reshape(-1),
        "every eighth the opposite of the one before": _negated(x),
    }

    assert lag_deviation(x) < 5
    assert lag_deviation(x**2) < 5
    for what, values in wrong.items():
        assert lag_deviation(values) > 5, what


def _negated(x):
    out = x.reshape(-1, 8).copy()
    out[:, 7] = -out[:, 6]
    return out.reshape(-1)


def row_deviation(rows, shifts=8):
    """The largest correlation between two rows at a shift up to `shifts`, over its limit of 5."""
    z = (rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, keepdims=True)
    count, size = z.shape
    worst = 0.0
    for shift in range(shifts + 1):
        products = np.abs(z @ np.roll(z, shift, axis=1).T)
        np.fill_diagonal(products, 0.0)  # a row with itself: that is `lag_deviation`
        worst = max(worst, float(products.max()) / math.sqrt(size))
    return 5 * worst / limit((2 * shifts + 1) * count * (count - 1) // 2)


def test_rows_are_not_correlated():
    """No two of 1024 rows of a square matrix resemble each other, at shifts up to 8."""
    rows = draw(NORMAL).reshape(1024, 1024)
    repeated, shifted, shared = rows.copy(), rows.copy(), rows.copy()
    repeated[700] = rows[3]
    shifted[1023] = np.roll(rows[1022], 5)
    shared[10:20] += 0.6 * rows[0]

    assert row_deviation(rows) < 5
    for wrong in (repeated, shifted, shared):
        assert row_deviation(wrong) > 5


SIZE, MEMBERS = N // 8, 8


def members(*, seeds=None, names=None, lanes=None):
    """Eight streams of 2**17 words that differ in their seed, name or lane alone."""
    return np.stack(
        [
            draw(
                None,
                seed=seeds[i % len(seeds)] if seeds else 42,
                name=names[i % len(names)] if names else "layer.1",
                lane=lanes[i % len(lanes)] if lanes else 0,
                count=SIZE,
            ).astype(np.float64)
            for i in range(len(lanes) if lanes else MEMBERS)
        ]
    )


SIMILAR = [
    "layer.1",
    "layer.2",
    "layer.11",
    "layer.1 ",
    "Layer.1",
    "layer_1",
    "layer.01",
    "1.layer",
]
SIMILAR_SEEDS = [0, 1, 2, 3, 2**32, 2**33, 2**64 - 1, 2**63]


def test_similar_names_are_not_correlated():
    """Names one letter apart have nothing in common, at any shift."""
    assert family_deviation(members(names=SIMILAR)) < 5


def test_neighbouring_seeds_are_not_correlated():
    """Seeds 0, 1, 2, ... and seeds one bit apart have nothing in common, at any shift."""
    assert family_deviation(members(seeds=SIMILAR_SEEDS)) < 5


def test_lanes_are_not_correlated():
    """The word, the second draw and float64's low half are independent, at any shift."""
    assert family_deviation(members(lanes=[0, 1, 2])) < 5


def test_families_that_share_words_are_rejected():
    """Ignored names, folded seeds and counters that overlap are seen."""
    base = draw(None, name="layer.1").astype(np.float64)
    noise = members(names=SIMILAR)
    wrong = {
        "the name is ignored": members(names=["layer.1"]),
        "names are read to their sixth letter": members(names=[n[:6] for n in SIMILAR]),
        "seeds are cut to 32 bits": members(seeds=[s % 2**32 for s in SIMILAR_SEEDS]),
        "seeds are halved": members(seeds=[s // 2 for s in SIMILAR_SEEDS]),
        "the lane is ignored": members(lanes=[0, 0, 0]),
        "the tag is added to the block": np.stack([base[4 * i :][:SIZE] for i in range(8)]),
        "two of eight share a twentieth": noise + 0.05 * np.roll(noise, 1, axis=0),
        "one is the complement of another": np.vstack([noise[:7], 2.0**32 - noise[:1]]),
    }
    for what, rows in wrong.items():
        assert family_deviation(rows) > 5, what


def bit_deviation(words):
    """The least even of 32 bits, and of their pairwise exclusive ors, over the limit of 5."""
    bits = np.unpackbits(words.astype("<u4").view(np.uint8).reshape(-1, 4), axis=1)
    signs = 1.0 - 2.0 * bits.astype(np.float32)
    pairs = np.abs(signs.T @ signs)[np.triu_indices(32, 1)].max()
    worst = max(np.abs(signs.sum(axis=0, dtype=np.float64)).max(), pairs)
    return 5 * worst / math.sqrt(len(words)) / limit(32 + 32 * 31 // 2)


def test_every_bit_of_a_word_is_even_and_alone():
    """No bit leans to one side and no two agree too often; a bit 1 % off is seen."""
    words = draw(None)
    often = words | (draw(Uniform(1.0), seed=5) > 0.96).astype(np.uint32)  # 51 % ones in bit 0
    copied = (words & ~np.uint32(1)) | (words >> np.uint32(31))
    stuck = words & np.uint32(0xFFFFFFFE)

    assert bit_deviation(words) < 5
    for wrong in (often, copied, stuck):
        assert bit_deviation(wrong) > 5
