# SPDX-License-Identifier: Apache-2.0
"""The audit's numbers: one streamed pass, exact distributions, bounds that hold, spectra."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import glorot
from glorot._audit import _measure, _repeats, _spectrum
from glorot._audit._distribution import Distribution, distribution
from glorot._audit._parameter import Parameter
from glorot._audit._sources import read_model
from glorot._audit._tests import distance, run_tests, scores
from glorot._dtypes import ALL, FLOATS
from glorot._laws import Normal, TruncatedNormal, Uniform
from glorot.recipe import TensorSpec

LAWS = [
    Normal(0.02),
    Uniform(0.3),
    TruncatedNormal(1.0),
    Normal(0.5, mean=1.0),
    TruncatedNormal(0.1, lower=-1.0, upper=3.0),
]


def parameter(array):
    """The parameter that an array is."""
    (found,) = read_model({"w": array}).parameters
    return found


def measured(array):
    """Its measure."""
    (found,) = _measure.measure(parameter(array), None)
    return found


def draw(law, dtype, count, seed=0):
    """Values of a law, by the library."""
    kinds = {"normal": glorot.RandomNormal, "truncated_normal": glorot.TruncatedNormal}
    if law.kind == "uniform":
        init = glorot.RandomUniform(law.mean - law.scale, law.mean + law.scale)
    elif law.kind == "normal":
        init = glorot.RandomNormal(law.mean, law.scale)
    else:
        init = kinds[law.kind](law.mean, law.scale, lower=law.lower, upper=law.upper)
    return init((count,), dtype, seed=seed, name="w")


@pytest.mark.parametrize("dtype", FLOATS)
def test_measures_are_those_of_the_whole_array(dtype, monkeypatch):
    """In runs of 1000 elements: moments, extremes, zeros and what is no number."""
    monkeypatch.setattr(_measure, "RUN", 1000)
    array = draw(Normal(0.5, mean=0.25), dtype, 4321)
    array[[5, 2000]] = 0
    found = measured(array)
    wide = array.astype(np.float64)
    assert (found.count, found.zeros) == (4321, int((wide == 0).sum()))
    assert found.zeros >= 2
    assert found.mean == pytest.approx(wide.mean(), rel=1e-12)
    assert found.stddev == pytest.approx(wide.std(), rel=1e-12)
    assert (found.smallest, found.largest) == (wide.min(), wide.max())
    assert found.square(1.0) == pytest.approx(np.square(wide - 1).mean(), rel=1e-12)
    if ALL[dtype].itemsize <= 2:
        assert found.patterns.size == len(np.unique(array.view(f"u{array.itemsize}")))
    infinite = np.inf if np.isinf(np.asarray(np.inf).astype(dtype).astype(float)) else np.nan
    array[[1, 1500]] = np.nan
    array[[2]] = infinite
    rest = array.astype(np.float64)[np.isfinite(array.astype(np.float64))]
    bad = measured(array)
    assert bad.nans + bad.infinities == 3
    assert bad.infinities == int(infinite == np.inf)
    assert bad.mean == pytest.approx(rest.mean(), rel=1e-12)
    assert bad.stddev == pytest.approx(rest.std(), rel=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("mean", "stddev"), [(1.0, 1e-6), (-1000.0, 1e-3), (3.0, 0.02)])
def test_spreads_that_are_small_beside_the_mean(mean, stddev, dtype, monkeypatch):
    """No digit is lost to the mean's square, of one run, of many and of segments together, in
    which other means are."""
    array = (mean + stddev * np.random.default_rng(0).standard_normal(4321)).astype(dtype)
    array[1000:2000] = array[1000]  # a run of one value
    array[-300:] = 0
    wide = array.astype(np.float64)
    for run in (1000, 1 << 18):
        monkeypatch.setattr(_measure, "RUN", run)
        parts = _measure.measure(parameter(array), lambda i, j: np.arange(i, j) // 2500, 2)
        for found, part in zip((*parts, _measure.merged(parts)),
                               (wide[:2500], wide[2500:], wide), strict=True):  # fmt: skip
            assert found.mean == pytest.approx(part.mean(), rel=1e-14)
            assert found.stddev == pytest.approx(part.std(), rel=1e-9)
        drawn = measured(array[:1000])
        assert drawn.stddev == pytest.approx(wide[:1000].std(), rel=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("steps", [0.4, 3.0, 200.0])
def test_laws_of_few_steps_have_the_moments_of_what_is_stored(steps, dtype):
    """A law that spans few numbers of its dtype has their mean, variance and kurtosis, and the
    bound of its sums is not below the variance."""
    step = float(np.spacing(ALL[dtype].type(1)))
    for law in (Normal(steps * step, mean=1.0), Uniform(steps * step, mean=1.0)):
        found = distribution(law, ALL[dtype])
        rng = np.random.default_rng(0)
        z = rng.standard_normal(400_000) if law.kind == "normal" else rng.uniform(-1, 1, 400_000)
        drawn = z * law.scale  # around 1, whose numbers are half as far apart below
        stored = np.where(drawn < 0, np.round(2 * drawn / step) / 2, np.round(drawn / step)) * step
        assert found.mean - 1 == pytest.approx(stored.mean(), abs=stored.std() / 100 + step)
        assert found.variance == pytest.approx(stored.var(), rel=0.02)
        assert found.proxy >= found.variance


def test_no_more_than_a_run_is_read():
    """A parameter of 2**40 elements, zeros all, would be read 2**18 elements at a time."""
    asked = []

    def read(start, stop):
        asked.append(stop - start)
        if len(asked) > 3:
            raise KeyboardInterrupt
        return np.zeros(stop - start, np.float32)

    huge = Parameter("w", TensorSpec((1 << 20, 1 << 20), "float32"), read)
    with pytest.raises(KeyboardInterrupt):
        _measure.measure(huge, None)
    assert asked == [1 << 18] * 4


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("law", LAWS, ids=str)
def test_distributions_are_exact(law, dtype):
    """Probabilities add up to 1; the moments are the law's, and those that rounding leaves; the
    distribution function is the law's at the ends of the bins."""
    found = distribution(law, ALL[dtype])
    assert found.table.probability.sum() == pytest.approx(1.0, abs=1e-9)
    if dtype in ("float32", "float64"):
        assert found.variance == pytest.approx(law.variance(), rel=1e-9)
    else:
        eps = 2.0 ** -{"float16": 10, "bfloat16": 7, "float8_e4m3fn": 3, "float8_e5m2": 2}[dtype]
        sharper = law.variance() + law.mean**2
        assert abs(found.variance - law.variance()) < eps**2 / 3 * sharper + 1e-6
    for edge, mass in zip(found.table.high[::97], found.table.above[::97], strict=True):
        if math.isfinite(edge):
            z = (edge - law.mean) / law.scale
            if law.kind == "uniform":
                exact = min(1.0, max(0.0, (z + 1) / 2))
            else:
                low, high = getattr(law, "lower", -40.0), getattr(law, "upper", 40.0)
                phi = [
                    0.5 * math.erfc(-x / math.sqrt(2)) for x in (min(high, max(low, z)), low, high)
                ]
                exact = (phi[0] - phi[1]) / (phi[2] - phi[1])
            assert mass == pytest.approx(exact, abs=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float8_e4m3fn"])
@pytest.mark.parametrize("law", LAWS, ids=str)
def test_what_the_law_gives_passes(law, dtype):
    """30 tensors of 7, 300 and 30,000 values: no test comes near its limit, and z-scores have a
    mean square near 1."""
    exact = distribution(law, ALL[dtype])
    squares = []
    for seed in range(10):
        for count in (7, 300, 30_000):
            found = measured(draw(law, dtype, count, seed))
            outcomes = run_tests(found, exact, 8 * ALL[dtype].itemsize)
            assert min(outcome.log_p for outcome in outcomes) > -12
            z = scores(found, exact)
            squares += [z.mean**2, z.variance**2]
    assert 0.5 < np.mean(squares) < 2.0


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_what_is_wrong_fails(dtype):
    """100,000 values: 3 % too wide, a mean of 3 % of a stddev, a uniform of the same stddev, cut
    off at 3 stddevs, one value in 500 set to the bound: each fails a test meant for it."""
    law = Normal(0.02)
    exact = distribution(law, ALL[dtype])
    values = draw(law, "float32", 100_000)

    def failed(array):
        outcomes = run_tests(measured(array.astype(dtype)), exact, 8 * ALL[dtype].itemsize)
        return {outcome.kind for outcome in outcomes if outcome.log_p < -25}

    assert failed(values) == set()
    assert "stddev" in failed(values * np.float32(1.03))
    assert "mean" in failed(values + np.float32(0.0006))
    assert failed(draw(Uniform(0.02 * math.sqrt(3)), "float32", 100_000)) >= {"shape"}
    piled = values.copy()
    piled[::500] = np.float32(0.0403)
    assert "pile" in failed(piled)
    if dtype != "float32":
        coarse = (np.round(values * 3000) / 3000).astype(np.float32)
        assert "distinct" in failed(coarse)


@given(st.floats(0.05, 8.0), st.sampled_from(LAWS[1:3]))
@settings(deadline=None, max_examples=30)
def test_the_rate_is_cramers(ratio, law):
    """For 1 to 3 values the bound of the mean square is above what is drawn, and above 0 apart
    from the expectation; a uniform square never exceeds three times its mean."""
    found = Distribution(law, ALL["float32"])
    rate = found.square_rate(ratio)
    assert rate >= 0
    if law.kind == "uniform" and ratio >= 3.5:
        assert rate > 20
    rng = np.random.default_rng(0)
    scale = law.scale
    values = rng.uniform(-scale, scale, 60_000) if law.kind == "uniform" else None
    if values is None:
        values = rng.standard_normal(90_000) * scale
        values = values[abs(values) < 2 * scale][:60_000]
    for n in (1, 3):
        squares = np.square(values).reshape(-1, n).mean(axis=1) / found.variance
        share = (squares >= ratio).mean() if ratio > 1 else (squares <= ratio).mean()
        assert share <= math.exp(-n * rate) + 0.01


@pytest.mark.slow
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("law", LAWS)
def test_the_rate_is_the_largest_of_all_exponents(dtype, law):
    """However far the ratio is: no exponent of a grid gives a better bound.  Of a normal it is
    about (r - 1 - log r) / 2, whose tails the dtype cuts off."""
    found = Distribution(law, ALL[dtype])
    y, weights = found._squares
    for ratio in (1e-3, 0.05, 0.5, 0.98, 1.03, 1.5, 2.1, 2.5, 4.0, 9.0, 30.0, 1e4):
        rate = found.square_rate(ratio)
        for t in (
            () if found._normal else (*-np.geomspace(1e-3, 390, 40), *np.geomspace(1e-3, 49, 60))
        ):
            top = float((t * y).max())
            bound = t * ratio - top - math.log(float((weights * np.exp(t * y - top)).sum()))
            assert rate >= bound - 1e-9 * max(1.0, abs(bound)), (ratio, t)
        if law.kind == "normal" and 0.4 < ratio < 10:
            exact = (ratio - 1 - math.log(ratio)) / 2
            assert rate == pytest.approx(exact, rel=0.1 if "float8" in dtype else 0.01, abs=2e-5)


def test_distance_is_kolmogorovs_and_smirnovs():
    """In bfloat16 it is that of the rounded law, found by sorting."""
    law = Normal(1.0)
    values = draw(law, "bfloat16", 5000)
    exact = distribution(law, ALL["bfloat16"])
    ordered = np.sort(values.astype(np.float64))
    levels, counts = np.unique(ordered, return_counts=True)
    after = np.cumsum(counts) / 5000
    patterns = levels.astype(values.dtype).view(np.uint16)
    expected = np.abs(after - exact.table.above[patterns]).max()
    below = np.abs(after - counts / 5000 - exact.table.below[patterns]).max()
    assert distance(measured(values), exact) == pytest.approx(max(expected, below), abs=1e-12)


@pytest.mark.parametrize(
    ("shape", "layout"),
    [((30, 20), "IO"), ((20, 30), "OI"), ((3, 3, 8, 16), "*IO"), ((4, 20, 30), "BIO")],
)
def test_singular_values_are_exact_for_short_sides(shape, layout):
    """They are those of the matrices that the layout makes of the weight."""
    init = glorot.GlorotUniform(layout=layout, seed=0)
    array = init(shape, name="w", dtype="float64")
    axes, (number, rows, columns) = init._axes.matrices(shape)
    stack = array.transpose(axes).reshape(number, rows, columns)
    values = np.linalg.svd(stack, compute_uv=False)
    found = _spectrum.spectrum(parameter(array), init._axes.roles(shape))
    assert found.exact
    assert found.largest == pytest.approx(values.max(), rel=1e-9)
    assert found.smallest == pytest.approx(values.min(), abs=1e-7 * values.max())


@pytest.mark.parametrize("held", [1 << 22, 1])
@pytest.mark.parametrize("shape", [(400, 270), (270, 400)])
def test_large_ranges_are_estimated(shape, held, monkeypatch):
    """By Lanczos' method, held or read in rows: the largest within 2 %, the smallest above."""
    monkeypatch.setattr(_spectrum, "HELD", held)
    array = np.random.default_rng(0).standard_normal(shape)
    values = np.linalg.svd(array, compute_uv=False)
    found = _spectrum.spectrum(parameter(array), "")
    assert not found.exact
    assert 0.98 * values.max() < found.largest <= 1.0001 * values.max()
    assert 0.9999 * values.min() <= found.smallest < 2.5 * values.min()


@pytest.mark.parametrize("shape", [(64, 96), (10, 7, 5), (640,), (9, 400)])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_repeats_are_found_and_only_those(shape, dtype):
    """Equal shards along each axis that can be cut; none in independent values."""
    array = draw(Normal(1.0), dtype, math.prod(shape)).reshape(shape)
    chance = _repeats.coincidence(measured(array), 8 * ALL[dtype].itemsize)
    assert _repeats.find_repeat(parameter(array), chance, -35.0) is None
    for axis, length in enumerate(shape):
        for shards in (2, 4):
            size = -(-length // shards)
            block = np.take(array, range(size), axis)
            repeated = np.concatenate([block] * shards, axis)
            found = _repeats.find_repeat(parameter(repeated), chance, -35.0)
            assert (found.axis, found.size) == (axis, size)
            assert found.equal == found.shards == shards
