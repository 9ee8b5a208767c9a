# SPDX-License-Identifier: Apache-2.0
"""The laws that initializers choose: exact scales, and wrong ones told apart."""

import json
import math

import numpy as np
import pytest

import glorot
from glorot import _laws

# Classes -> what Keras says their law's stddev is, for fan_in 300 and fan_out 200.
STDDEVS = {
    glorot.GlorotUniform: math.sqrt(1 / 250),
    glorot.GlorotNormal: math.sqrt(1 / 250),
    glorot.HeUniform: math.sqrt(2 / 300),
    glorot.HeNormal: math.sqrt(2 / 300),
    glorot.LecunUniform: math.sqrt(1 / 300),
    glorot.LecunNormal: math.sqrt(1 / 300),
}


@pytest.mark.parametrize("cls", STDDEVS)
@pytest.mark.parametrize("gain", [1.0, 0.5])
def test_schemes_have_their_published_stddev(cls, gain):
    """300 x 200 values have the published stddev within 4 standard errors; fans swapped, the
    truncation left uncorrected and the gain forgotten are all farther off."""
    init = cls(seed=0, gain=gain)
    w = init((300, 200), "float64", name="w")
    kurtosis = 1.8 if init.distribution == "uniform" else 2.4
    tolerance = 4 * math.sqrt((kurtosis - 1) / 4 / w.size) * gain * STDDEVS[cls]

    found = math.sqrt(np.mean(w**2))

    assert init.expected_stddev((300, 200)) == pytest.approx(gain * STDDEVS[cls], rel=1e-9)
    assert abs(found - gain * STDDEVS[cls]) < tolerance
    assert abs(w.mean()) < 4 * gain * STDDEVS[cls] / math.sqrt(w.size)
    wrong = [0.8796, 1 / 0.8796, 1.5 if gain == 0.5 else 0.7, math.sqrt(3)]
    if init.mode == "fan_in":
        wrong.append(math.sqrt(300 / 200))
    assert all(abs(found - gain * STDDEVS[cls] * factor) > tolerance for factor in wrong)


@pytest.mark.parametrize(
    ("mode", "fan"),
    [("fan_in", 300), ("fan_out", 200), ("fan_avg", 250), ("fan_geo_avg", math.sqrt(60000))],
)
def test_scales_are_computed_in_the_written_order(mode, fan):
    """Bounds and stddevs are the float64 results of the documented expressions, to the bit."""

    def law(distribution):
        return glorot.VarianceScaling(2.0, mode, distribution, gain=1.7).law((300, 200))

    assert law("uniform") == _laws.Uniform(1.7 * math.sqrt(3.0 * 2.0 / fan))
    assert law("untruncated_normal") == _laws.Normal(1.7 * math.sqrt(2.0 / fan))
    assert law("truncated_normal") == _laws.TruncatedNormal(
        1.7 * math.sqrt(2.0 / fan) / 0.87962566103423978
    )


def test_small_fans_count_as_one():
    """Fans below 1, of empty weights, do not divide by zero."""
    assert glorot.HeUniform().law((0, 4)) == _laws.Uniform(math.sqrt(6.0))


def test_variance_scaling_has_keras_defaults():
    """Called without options, it is Keras' lecun_normal."""
    assert glorot.VarianceScaling().law((30, 20)) == glorot.LecunNormal().law((30, 20))


def test_fans_are_those_of_the_whole():
    """A shard is scaled by the whole weight's fans, not by its own."""
    init = glorot.GlorotUniform(seed=0)
    bound = math.sqrt(6 / (64 + 64))

    part = init((64, 64), name="w", shard=np.s_[:4])

    assert 0.95 * bound < abs(part).max() < bound  # its own fans would allow sqrt(6 / 68) = 0.297


def test_random_uniform_keeps_its_limits():
    """Values fill (minval, maxval), in low precision too."""
    init = glorot.RandomUniform(1.0, 3.0, seed=1)
    for dtype in ("float32", "float64", "bfloat16", "float8_e4m3fn"):
        w = init((4096,), dtype, name="w").astype(float)

        assert w.min() >= 1.0
        assert w.max() <= 3.0
        assert abs(w.mean() - 2.0) < 4 * init.expected_stddev(()) / 64
    assert init.expected_stddev(()) == pytest.approx(2 / math.sqrt(12))


def test_random_normal_is_not_truncated():
    """N(mean, stddev**2): of 10**5 values some lie beyond 4 stddevs, as a truncated law forbids."""
    w = glorot.RandomNormal(1.0, 0.5, seed=1)((100_000,), "float64", name="w")

    assert abs(w.mean() - 1.0) < 4 * 0.5 / math.sqrt(w.size)
    assert abs(w.std() / 0.5 - 1) < 4 * math.sqrt(0.5 / w.size)
    assert abs(w - 1.0).max() > 4 * 0.5


def test_truncated_normal_does_not_correct_its_stddev():
    """`stddev` is that before the cut, as in Keras: the values' own is 0.8796 of it."""
    init = glorot.TruncatedNormal(1.0, 0.5, seed=1)
    w = init((100_000,), "float64", name="w")

    assert init.expected_stddev(()) == pytest.approx(0.5 * 0.87962566103423978, rel=1e-12)
    assert abs(w.std() / init.expected_stddev(()) - 1) < 4 * math.sqrt(0.35 / w.size)
    assert abs(w - 1.0).max() < 1.0


def test_truncated_normal_with_other_cuts():
    """`lower` and `upper` are in stddevs."""
    w = glorot.TruncatedNormal(0.0, 0.5, seed=1, lower=0.0, upper=1.0)((10_000,), name="w")

    assert w.min() > 0.0
    assert w.max() < 0.5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: glorot.RandomUniform(-(2.0**-97), 2.0**-97),
            "`bound` must be 0 or at least 2\\*\\*-96",
        ),
        (lambda: glorot.RandomNormal(stddev=2.0**-97), "`stddev` must be 0 or at least 2\\*\\*-96"),
        (lambda: glorot.TruncatedNormal(stddev=2.0**-97), "`stddev` must be 0 or at least"),
    ],
)
def test_spreads_that_would_be_flushed_are_refused_at_construction(make, message):
    """A law too narrow for accelerators never makes an initializer."""
    with pytest.raises(ValueError, match=message):
        make()


def test_scaling_keeps_the_middle():
    """A scaled law has its old mean."""
    scaled = glorot.RandomUniform(1.0, 3.0).scaled(0.5)

    assert (scaled.minval, scaled.maxval) == (1.5, 2.5)
    assert glorot.RandomNormal(1.0, 0.5).scaled(2.0) == glorot.RandomNormal(1.0, 1.0)


@pytest.mark.parametrize(
    ("options", "low", "high"),
    [
        ({"lower": -math.inf}, -6.4, 2.0),
        ({"lower": 0.0, "upper": math.inf}, 0.0, 6.4),
        ({"lower": "-inf", "upper": "inf"}, -6.4, 6.4),
        ({"lower": np.float32("-inf"), "upper": np.float64("inf")}, -6.4, 6.4),
    ],
)
def test_one_sided_cuts(options, low, high):
    """An infinite cut-off leaves its side open: values pass the default cut there and have the
    law's stddev, its config is JSON, and repr and config give the same initializer back."""
    init = glorot.TruncatedNormal(stddev=1.0, seed=0, **options)
    config = json.dumps(init.get_config(), allow_nan=False)

    w = init((100_000,), "float64", name="w")

    assert low <= w.min() < w.max() <= high
    assert ((w.min() < -3.0), (w.max() > 3.0)) == (low < -2.0, high > 2.0)
    assert abs(w.std() / init.expected_stddev(()) - 1) < 0.02
    assert glorot.TruncatedNormal.from_config(json.loads(config)) == init
    assert eval(repr(init), vars(glorot)) == init == init.replace()
    assert (init.lower, init.upper) == (init.law(()).lower, init.law(()).upper)
    assert init.scaled(0.5).lower == init.lower


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"lower": math.nan}, ValueError, "`lower` must be finite, got nan"),
        ({"upper": "far"}, TypeError, "`upper` must be a number, got 'far' of str"),
        ({"lower": math.inf}, ValueError, "`lower` must be below `upper`"),
        ({"upper": np.array([1.0, 2.0])}, TypeError, "`upper` must be a number"),
    ],
)
def test_cuts_that_are_none_are_refused(options, error, message):
    """Cut-offs are numbers, or infinities by name, in order."""
    with pytest.raises(error, match=message):
        glorot.TruncatedNormal(**options)


@pytest.mark.parametrize(
    "init",
    [
        glorot.GlorotUniform(seed=1, fan_in=1.7e308, fan_out=1.7e308),
        glorot.GlorotNormal(seed=1, fan_in=1.7e308, fan_out=1.7e308),
        glorot.VarianceScaling(mode="fan_geo_avg", seed=1, fan_in=1e200, fan_out=1e200),
        glorot.VarianceScaling(1e-200, seed=1, fan_in=1e200, fan_out=1.0),
        glorot.HeUniform(seed=1, gain=1e-320, fan_in=1e100, fan_out=1.0),
    ],
)
def test_fans_that_leave_no_spread_are_refused(init):
    """A mean of fans that overflows, or a spread that underflows to 0, is no weight of zeros."""
    out = np.full((2, 2), 7, np.float32)

    with pytest.raises(ValueError, match=r"fan_in=1.*e\+\d+ and fan_out=.* leave no spread"):
        init((2, 2), out=out)
    assert (out == 7).all()
