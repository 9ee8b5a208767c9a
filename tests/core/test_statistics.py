# SPDX-License-Identifier: Apache-2.0
"""The values follow their laws and nothing else: 2**20 of them, within five standard errors.

Each check measures a deviation in standard errors.  It must be below five for the right law, and
above for every wrong one listed beside it: a check that accepts anything proves nothing.
"""

import functools
import math

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from glorot import _kernel, _stream
from glorot._dtypes import FLOATS
from glorot._laws import Normal, TruncatedNormal, Uniform

pytestmark = pytest.mark.slow

N = 2**20
FAN_IN, FAN_OUT = 784, 256
KERAS_CONSTANT = 0.87962566103423978

LECUN_UNIFORM = Uniform(math.sqrt(3.0 / FAN_IN))
NORMAL = Normal(math.sqrt(1.0 / FAN_IN))
LECUN_NORMAL = TruncatedNormal(math.sqrt(1.0 / FAN_IN) / KERAS_CONSTANT)
SHIFTED = TruncatedNormal(0.5, mean=0.25, lower=-0.3, upper=2.7)
LAWS = [LECUN_UNIFORM, NORMAL, LECUN_NORMAL]
STDDEV = math.sqrt(1.0 / FAN_IN)  # promised for all three


@functools.cache
def draw(law, *, name="encoder.kernel", seed=42, dtype="float32"):
    """`N` values of a law, read-only since tests share them."""
    out = np.empty(N, dtype=FLOATS[dtype])
    _kernel.fill(out, law, _stream.stream(seed, name))
    out.flags.writeable = False
    return out


def doubles(law, **options):
    """The same as float64."""
    return draw(law, **options).astype(np.float64)


def kind(law):
    """A test's name for a law."""
    return law.kind


# --- moments -------------------------------------------------------------------------------------


def mean_deviation(x, mean, stddev):
    """How far the mean is off, in standard errors."""
    return abs(x.mean() - mean) / (stddev / math.sqrt(x.size))


def stddev_deviation(x, stddev):
    """How far the standard deviation is off, in standard errors taken from the fourth moment."""
    centred = x - x.mean()
    variance = np.mean(centred**2)
    error = math.sqrt((np.mean(centred**4) - variance**2) / x.size)
    return abs(variance - stddev**2) / error


@pytest.mark.parametrize("law", LAWS, ids=kind)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_the_mean_is_zero(law, dtype):
    """Means are zero at every precision, and each wrong centre is seen."""
    x = doubles(law, dtype=dtype)
    wrong = {
        "centred a hundredth of a stddev off": x + 0.01 * STDDEV,
        "unsigned": np.abs(x),
        "scaled from [0, 1) without subtracting": (x + x.max()) / 2,
        "the negative half cut off": np.maximum(x, 0),
    }

    assert mean_deviation(x, 0.0, STDDEV) < 5
    for what, values in wrong.items():
        assert mean_deviation(values, 0.0, STDDEV) > 5, what


WRONG_LAWS = {
    "fans swapped": [
        Uniform(math.sqrt(3.0 / FAN_OUT)),
        Normal(math.sqrt(1.0 / FAN_OUT)),
    ],
    "the mean of the fans": [Uniform(math.sqrt(6.0 / (FAN_IN + FAN_OUT)))],
    "no correction of the cut": [TruncatedNormal(math.sqrt(1.0 / FAN_IN))],
    "corrected without a cut": [Normal(math.sqrt(1.0 / FAN_IN) / KERAS_CONSTANT)],
    "the stddev taken for the bound": [Uniform(math.sqrt(1.0 / FAN_IN))],
    "the variance taken for the stddev": [Normal(1.0 / FAN_IN)],
    "one percent too wide": [Uniform(1.01 * LECUN_UNIFORM.scale), Normal(1.01 * NORMAL.scale)],
}


@pytest.mark.parametrize("law", LAWS, ids=kind)
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_the_stddev_is_what_was_promised(law, dtype):
    """The values' own stddev is the promised one, also after the cut of a truncated law."""
    assert law.stddev == pytest.approx(STDDEV, rel=1e-12)
    assert stddev_deviation(doubles(law, dtype=dtype), STDDEV) < 5


@pytest.mark.parametrize("what", WRONG_LAWS)
def test_a_wrong_stddev_is_rejected(what):
    """Swapped fans, a missing correction of the cut and their like are seen in the stddev."""
    for law in WRONG_LAWS[what]:
        assert stddev_deviation(doubles(law), STDDEV) > 5, law


def test_an_asymmetric_law_has_the_moments_of_its_formula():
    """Mean and stddev of a cut to (-.3, 2.7) are those of the exact law, not of the normal."""
    x = doubles(SHIFTED)
    lower, upper = SHIFTED.lower, SHIFTED.upper
    density = [math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi) for z in (lower, upper)]
    mean = 0.25 + 0.5 * (density[0] - density[1]) / (ndtr(upper) - ndtr(lower))

    assert mean_deviation(x, mean, SHIFTED.stddev) < 5
    assert stddev_deviation(x, SHIFTED.stddev) < 5
    assert mean_deviation(x, 0.25, SHIFTED.stddev) > 5
    assert stddev_deviation(x, 0.5) > 5


# --- bounds --------------------------------------------------------------------------------------


def bound_fits(x, bound, density):
    """All values lie within the bound, and the largest near it, as 2**20 draws come.

    `density` is that of |x| at the bound; N * density * (bound - max) is exponential.
    """
    most = np.abs(x).max()
    return most <= bound and x.size * density * (bound - most) < -math.log(ndtr(-5.0))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_fill_their_bounds_and_stay_inside(dtype):
    """Uniform and truncated values reach nearly to their bounds, never past; wrong ones do not."""
    bound = LECUN_UNIFORM.scale
    uniform = doubles(LECUN_UNIFORM, dtype=dtype)
    assert bound_fits(uniform, bound, 1 / bound)
    assert not bound_fits(1.0001 * uniform, bound, 1 / bound)
    assert not bound_fits(0.9999 * uniform, bound, 1 / bound)
    assert not bound_fits(doubles(NORMAL, dtype=dtype), bound, 1 / bound)

    cut = 2 * LECUN_NORMAL.scale
    density = 2 * 0.05399096651 / 0.9544997361 / LECUN_NORMAL.scale
    truncated = doubles(LECUN_NORMAL, dtype=dtype)
    assert bound_fits(truncated, cut, density)
    assert not bound_fits(truncated * KERAS_CONSTANT, cut, density)
    assert not bound_fits(doubles(NORMAL, dtype=dtype), cut, density)


def test_the_tails_of_the_normal_reach_as_far_as_they_should():
    """The largest of 2**20 normal values is where the extreme-value law puts it."""
    most = np.abs(doubles(NORMAL) / NORMAL.scale).max()
    expected = N * 2 * ndtr(-most)  # exponential with mean 1

    assert ndtr(-5.0) < expected < -math.log(ndtr(-5.0))
    assert N * 2 * ndtr(-4.0) > -math.log(ndtr(-5.0))  # a law that ends at 4 would be seen


# --- the whole distribution ----------------------------------------------------------------------


def kolmogorov(x, cdf):
    """Kolmogorov's statistic D sqrt(n), as the normal deviate of the same probability."""
    probability = cdf(np.sort(x))
    steps = np.arange(x.size + 1) / x.size
    d = max((steps[1:] - probability).max(), (probability - steps[:-1]).max())
    tail = min(1.0, 2 * math.exp(-2 * d * d * x.size))
    return -ndtri(max(tail, 1e-300) / 2)


def uniform_cdf(x):
    """The exact distribution function of LECUN_UNIFORM."""
    return np.clip(0.5 + x / (2 * LECUN_UNIFORM.scale), 0, 1)


def normal_cdf(x):
    """The exact distribution function of NORMAL."""
    return ndtr(x / NORMAL.scale)


def truncated_cdf(x):
    """The exact distribution function of LECUN_NORMAL."""
    return (ndtr(np.clip(x / LECUN_NORMAL.scale, -2, 2)) - ndtr(-2)) / (ndtr(2) - ndtr(-2))


CDFS = {LECUN_UNIFORM: uniform_cdf, NORMAL: normal_cdf, LECUN_NORMAL: truncated_cdf}


@pytest.mark.parametrize("law", LAWS, ids=kind)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_distribution_is_the_exact_law(law, dtype):
    """Kolmogorov and Smirnov accept each law, and none of the other two in its place."""
    x = doubles(law, dtype=dtype)

    assert kolmogorov(x, CDFS[law]) < 5
    for other, cdf in CDFS.items():
        assert other == law or kolmogorov(x, cdf) > 5


def test_wrong_distributions_are_rejected():
    """Cuts by clipping, scales two percent off and lumps in the words are seen."""
    normal, uniform = doubles(NORMAL), doubles(LECUN_UNIFORM)
    cut = 2 * LECUN_NORMAL.scale
    coarse = np.floor(uniform / LECUN_UNIFORM.scale * 64) / 64 * LECUN_UNIFORM.scale
    wrong = [
        ("cut by clipping", np.clip(normal / KERAS_CONSTANT, -cut, cut), truncated_cdf),
        ("cut at 1.9 stddevs", doubles(TruncatedNormal(STDDEV, lower=-1.9, upper=1.9)), normal_cdf),
        ("two percent too wide", 1.02 * normal, normal_cdf),
        ("sum of four uniforms", _sum_of_uniforms(4), normal_cdf),
        ("seven bits of the word", coarse, uniform_cdf),
        ("not centred", np.abs(uniform), uniform_cdf),
    ]
    for what, values, cdf in wrong:
        assert kolmogorov(values, cdf) > 5, what


def _sum_of_uniforms(count):
    """A poor man's normal: the sum of a few uniforms, with the right variance."""
    pieces = doubles(LECUN_UNIFORM).reshape(count, -1)
    return pieces.sum(axis=0) / math.sqrt(count)


# --- precision -----------------------------------------------------------------------------------


def refines(law, narrow, wide, step):
    """Whether each float64 value lies in the interval of words that its float32 value stands for.

    `step` is half that interval in units of the scale, at each value.
    """
    # Three roundings to float32 (integer, multiplier, product), and the quantile's own error.
    error = 3 * 2.0**-24 * np.abs(wide) + law.scale * (step + 1.1e-7 * (law.kind != "uniform"))
    return bool((np.abs(wide - narrow) <= error).all())


@pytest.mark.parametrize("law", LAWS, ids=kind)
def test_float64_refines_float32(law):
    """A float64 weight is the float32 weight with more digits; other float64 draws are not."""
    narrow, wide = draw(law), draw(law, dtype="float64")
    if law.kind == "uniform":
        step = 2.0**-24
    else:
        density = np.exp(-0.5 * (wide / law.scale) ** 2) / math.sqrt(2 * math.pi)
        step = 1.1 * 2.0**-33 / density  # the density changes a little within an interval

    assert refines(law, narrow, wide, step)
    assert not refines(law, narrow, draw(law, dtype="float64", name="layer.1"), step)
    assert not refines(law, narrow, np.roll(wide, 1), step)
    assert not refines(law, narrow, wide * (1 + 1e-5), step)
    assert not refines(law, narrow, -wide, step)
    assert len(np.unique(wide)) == N  # float32 draws of 2**24 values must collide, these never do


ROUNDINGS = ["float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"]


MANTISSA = {"float16": 11, "bfloat16": 8, "float8_e4m3fn": 4, "float8_e5m2": 3}
LEAST_EXPONENT = {"float16": -13, "bfloat16": -125, "float8_e4m3fn": -5, "float8_e5m2": -13}


def spacing_at(x, dtype):
    """The distance to the next number of the dtype, below it in magnitude: subnormals included."""
    exponent = np.frexp(x)[1]
    return np.ldexp(1.0, np.maximum(exponent, LEAST_EXPONENT[dtype]) - MANTISSA[dtype])


def rounding_error(narrow, exact, dtype):
    """(largest error in spacings, bias of the magnitude in standard errors).

    Powers of two are left out of the bias: the spacing differs on their two sides.
    """
    error = (np.abs(narrow) - np.abs(exact)) / spacing_at(exact, dtype)
    inner = error[(np.abs(np.frexp(narrow)[0]) != 0.5) & (narrow != 0)]
    return np.abs(error).max(), abs(inner.mean()) * math.sqrt(12 * inner.size)


@pytest.mark.parametrize("dtype", ROUNDINGS)
def test_low_precision_rounds_to_nearest_without_bias(dtype):
    """16- and 8-bit values are the float32 values rounded to nearest; other roundings show."""
    law = Uniform(1.0)  # ends at a power of two, which is left out
    exact, narrow = doubles(law), doubles(law, dtype=dtype)
    spacing = spacing_at(exact, dtype)
    places, sign = np.abs(exact) / spacing, np.sign(exact)
    luck = np.random.default_rng(1).random(N)

    largest, bias = rounding_error(narrow, exact, dtype)
    assert largest <= 0.5
    assert bias < 5
    for what, wrong in {
        "digits cut off": np.floor(places),
        "away from zero": np.ceil(places),
        "by lot": np.floor(places + luck),
    }.items():
        largest, bias = rounding_error(sign * wrong * spacing, exact, dtype)
        assert largest > 0.5, what
        assert bias > 5 or what == "by lot", what


@pytest.mark.parametrize("dtype", ROUNDINGS)
def test_low_precision_is_float32_rounded_once(dtype):
    """Every narrow value is its own float32 value converted, and not one converted twice."""
    exact = draw(NORMAL)

    assert (draw(NORMAL, dtype=dtype) == exact.astype(FLOATS[dtype])).all()
    if dtype == "float8_e4m3fn":
        assert (draw(NORMAL, dtype=dtype) != exact.astype("f2").astype(FLOATS[dtype])).any()
