# SPDX-License-Identifier: Apache-2.0
"""The laws: exact integers, values inside their bounds, and what is refused."""

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import EVERYWHERE
from law_cases import ORACLE, ROOT
from scipy import stats

import glorot
from glorot import _kernel, _laws, _stream
from glorot._dtypes import FLOATS

FLOAT64 = FLOATS["float64"]


def one(law, dtype, word, low=0):
    """The law's value for a single word."""
    words = (np.array([w], dtype=np.uint32) for w in (word, low))
    return _laws.values(np, law, dtype, *words)[0]


def bits(value):
    """A value's bits in hexadecimal."""
    size = value.dtype.itemsize
    return f"{np.array([value]).view(f'u{size}')[0]:0{2 * size}x}"


# --- vectors -------------------------------------------------------------------------------------


def read_law(cells):
    """A law from a `law` line of laws-v1.txt."""
    kind, *numbers = cells
    scale, mean, lower, upper, low, high = (
        None if cell == "-" else float.fromhex(cell) for cell in numbers
    )
    bounds = None if low is None else (low, high)
    if kind == "uniform":
        return _laws.Uniform(scale, mean, bounds)
    if kind == "normal":
        return _laws.Normal(scale, mean, bounds)
    return _laws.TruncatedNormal(scale, mean, bounds, lower, upper)


def test_values_equal_the_vectors():
    """Every line of laws-v1.txt, given words and places of the stream alike, is what we give."""
    laws, wrong, seen = {}, [], 0
    for line in (ROOT / "tests" / "vectors" / "laws-v1.txt").read_text().splitlines():
        kind, *cells = line.split(" ")
        if kind == "law":
            laws[cells[0]] = read_law(cells[1:])
        elif kind == "word":
            identifier, dtype, word, low, expected = cells
            found = one(laws[identifier], FLOATS[dtype], int(word, 16), int(low, 16))
        elif kind == "index":
            identifier, dtype, seed, index, expected, name = line.split(" ", 6)[1:]
            out = np.zeros(1, dtype=FLOATS[dtype])
            stream = _stream.stream(int(seed), json.loads(name))
            _kernel.fill(out, laws[identifier], stream, int(index))
            found = out[0]
        if kind in ("word", "index"):
            seen += 1
            if bits(found) != expected:
                wrong.append((line, bits(found)))

    assert wrong == []
    assert seen >= 3600


cut_offs = st.tuples(st.floats(-9, 9), st.floats(-9, 9)).filter(lambda c: c[1] - c[0] > 0.1)
scales = st.floats(2.0**-96, 2.0**20)


@pytest.mark.slow
@given(scales, cut_offs, st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.data())
@settings(deadline=None, max_examples=300)
def test_values_equal_the_independent_implementation(scale, cut, word, low, data):
    """Any law, dtype and word gives the bits that exact arithmetic gives."""
    lower, upper = cut
    mean = data.draw(st.sampled_from([0.0, 1.0, -0.25, 1e-3]))
    dtype = data.draw(st.sampled_from(["float32", "float64", "bfloat16"]))
    cases = [
        (_laws.Uniform(scale, mean), ORACLE["Law"]("uniform", scale, mean)),
        (_laws.Normal(scale, mean), ORACLE["Law"]("normal", scale, mean)),
    ]
    expected = ORACLE["Law"]("truncated_normal", scale, mean, lower, upper)
    if ORACLE["cuts"](expected, 32).words >= 2**20:
        law = _laws.TruncatedNormal(scale, mean, lower=lower, upper=upper)
        cases.append((law, expected))
    for law, same in cases:
        assert bits(one(law, FLOATS[dtype], word, low)) == ORACLE["value"](same, dtype, word, low)


# --- integers and values -------------------------------------------------------------------------


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_words_and_their_complements_mirror(word, low):
    """Uniform and normal are symmetric to the bit: ~word gives minus the value."""
    for law in (_laws.Uniform(0.1), _laws.Normal(0.1)):
        for dtype in FLOATS.values():
            value = one(law, dtype, word, low)
            assert one(law, dtype, word ^ 0xFFFFFFFF, low ^ 0xFFFFFFFF) == -value


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("law", [_laws.Uniform(0.3), _laws.Normal(0.3)], ids=lambda law: law.kind)
def test_the_ends_of_the_words_are_the_ends_of_the_law(law, dtype):
    """The smallest word gives minus the largest value, the largest the largest; none is zero."""
    first, last = one(law, FLOATS[dtype], 0, 0), one(law, FLOATS[dtype], 2**32 - 1, 2**32 - 1)
    below = one(law, FLOATS[dtype], 2**31 - 1, 2**32 - 1)
    above = one(law, FLOATS[dtype], 2**31, 0)
    width = 64 if dtype == "float64" else 32

    assert first == -last
    assert last == pytest.approx(law.largest(width), rel=1e-7)
    assert below < 0 < above


def test_uniform_never_reaches_its_bound():
    """The largest value lies half a step below the bound, for float32 and float64."""
    assert one(_laws.Uniform(1.0), FLOATS["float32"], 2**32 - 1) == 1 - 2.0**-24
    assert one(_laws.Uniform(1.0), FLOAT64, 2**32 - 1, 2**32 - 1) == 1 - 2.0**-53


def test_a_magnitude_rounds_to_float32_once():
    """Integers wider than 24 bits round to nearest even, as the independent answer does."""
    law = _laws.Normal(2.0**29)  # the multiplier is 1
    for word in range(0, 2**31, 2**31 // 997):
        exact = ORACLE["quantile"](word, 32)
        assert float(one(law, FLOATS["float32"], word)) == float(np.float32(exact))


@pytest.mark.parametrize("target", EVERYWHERE)
def test_a_value_held_to_zero_keeps_its_sign(target):
    """A cut-off of less than four steps below 0 holds what is beyond it to -0, and not to 0."""
    lower, upper = -1.5e-9, 6.5e-4  # 3 words of a million lie below 0
    found = np.empty(2**21, np.float32)
    law = _laws.TruncatedNormal(1.0, lower=lower, upper=upper)
    with _kernel.forced(target):
        _kernel.fill(found, law, _stream.stream(0, "w"))
    zeros = found[found == 0.0]
    assert 1 <= zeros.size <= 30
    assert np.signbit(zeros).all()
    oracles = ORACLE["Law"]("truncated_normal", 1.0, 0.0, lower, upper)
    assert ORACLE["value"](oracles, "float32", 0, 0) == "80000000"


@pytest.mark.slow
@given(cut_offs, st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=200)
def test_truncated_values_stay_inside_their_cut_offs(cut, word):
    """Strictly inside, in units of the scale, at both ends and anywhere, at both widths."""
    lower, upper = cut
    try:
        law = _laws.TruncatedNormal(1.0, lower=lower, upper=upper)
    except ValueError:
        return  # too few quantiles
    for w in (0, word, 2**32 - 1):
        for name in ("float32", "float64"):
            for low in (0, 2**32 - 1):
                assert lower <= float(one(law, FLOATS[name], w, low)) <= upper


@pytest.mark.parametrize("width", [32, 64])
def test_the_law_s_peak_is_its_largest_integer(width):
    """`peak` bounds what `integer` gives, so the clip before the mean changes nothing."""
    ends = np.array([0, 2**width - 1], dtype=f"uint{width}")
    laws = [_laws.Uniform(1.0), _laws.Normal(1.0)]
    laws += [
        _laws.TruncatedNormal(1.0, lower=a, upper=b)
        for a, b in [(-2, 2), (0, math.inf), (-8.5, 1), (1, 3), (-2.5, -0.1), (-0.3, 2.7)]
    ]
    for law in laws:
        real = np.float32 if width == 32 else np.float64
        found = np.abs(law.integer(np, ends, width)).max()
        assert found <= real(law.peak(width)), law
        assert found >= real(law.peak(width)) * 0.999, law


def test_float64_cut_offs_hold_between_8_and_16_stddevs():
    """The 64-bit quantile reaches 9.2 stddevs, so a cut-off at 8.5 must still hold it."""
    law = _laws.TruncatedNormal(1.0, lower=-8.5, upper=1.0)

    assert -8.5 < one(law, FLOAT64, 0, 0) < -8.49
    assert one(_laws.Normal(1.0), FLOAT64, 0, 0) < -9.1


@pytest.mark.slow
@given(scales, st.floats(0.1, 6.0))
@settings(deadline=None, max_examples=300)
def test_values_never_pass_their_cut_off_times_the_scale(scale, cut):
    """Below cut * stddev in exact arithmetic at both widths: rounding cannot carry them past it."""
    law = _laws.TruncatedNormal(scale, lower=-cut, upper=cut)
    one_sided = _laws.TruncatedNormal(scale, lower=min(cut, 3.0), upper=math.inf)
    for dtype in (FLOATS["float32"], FLOAT64):
        for word, low in ((0, 0), (2**32 - 1, 2**32 - 1)):
            value = Fraction(float(one(law, dtype, word, low)))
            assert abs(value) < Fraction(cut) * Fraction(scale)
        least = Fraction(float(one(one_sided, dtype, 0, 0)))
        assert least > Fraction(min(cut, 3.0)) * Fraction(scale)
    assert abs(one(_laws.Uniform(scale), FLOATS["float32"], 0)) < np.float32(scale)


def test_a_magnitude_at_the_nearest_float_would_pass_the_cut_off(monkeypatch):
    """The four steps inside are needed: with one, some value passes its cut-off."""
    monkeypatch.setattr(_laws, "FLOATS_INSIDE", 1)
    rng = np.random.default_rng(3)
    passed = 0
    for cut, scale in rng.uniform(0.5, 3.0, (2000, 2)):
        law = _laws.TruncatedNormal(scale, lower=-cut, upper=cut)
        passed += abs(float(one(law, FLOATS["float32"], 0))) > cut * scale
    assert passed > 0


def test_bounds_hold_after_the_mean():
    """Values of (low, high) never leave it, where the rounded sum of mean and product would."""
    law = _laws.Uniform(0.05, mean=100.0, bounds=(99.95, 100.05))
    free = _laws.Uniform(0.05, mean=100.0)
    low, high = np.float32(99.95), np.float32(100.05)

    assert one(law, FLOATS["float32"], 0) == low
    assert one(law, FLOATS["float32"], 2**32 - 1) == high
    assert one(free, FLOATS["float32"], 0) <= low
    assert one(free, FLOATS["float32"], 2**32 - 1) >= high
    for low, high, word in [(0.05, 0.08, 0), (0.03, 0.06, 2**32 - 1)]:
        law = glorot.RandomUniform(low, high).law(())
        free = _laws.Uniform(law.scale, law.mean)
        assert np.float32(low) <= one(law, FLOATS["float32"], word) <= np.float32(high)
        assert not np.float32(low) <= one(free, FLOATS["float32"], word) <= np.float32(high)


def test_the_smallest_scale_keeps_every_number_normal():
    """At 2**-96 the multiplier and all values are normal float32 numbers, never flushed to 0."""
    tiny = np.finfo(np.float32).tiny
    for law in (_laws.Uniform(2.0**-96), _laws.Normal(2.0**-96), _laws.TruncatedNormal(2.0**-96)):
        assert np.float32(law.multiplier(32)) >= tiny
        for word in (2**31 - 1, 2**31):
            assert abs(one(law, FLOATS["float32"], word)) >= tiny


@pytest.mark.parametrize("cut", [(-2, 2), (-0.3, 2.7), (1, 3), (-math.inf, 1.5), (0, math.inf)])
def test_the_variance_of_a_truncated_law_is_scipy_s(cut):
    """`stddev` is that of the values returned, not the one before the cut."""
    law = _laws.TruncatedNormal(0.5, lower=cut[0], upper=cut[1])

    assert law.stddev == pytest.approx(0.5 * stats.truncnorm(*cut).std(), rel=1e-6)
    assert abs(law.stddev - 0.5) > 0.01


def test_the_stddev_of_keras_s_constant():
    """Cut at two stddevs, the values' stddev is .8796 of the law's: the well-known constant."""
    assert _laws.TruncatedNormal(1.0).stddev == pytest.approx(0.87962566103423978, rel=1e-12)
    assert _laws.Uniform(math.sqrt(3.0)).stddev == pytest.approx(1.0, rel=1e-15)
    assert _laws.Normal(0.02).stddev == 0.02


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: _laws.Uniform(math.nan), r"`bound` must be finite, got nan"),
        (lambda: _laws.Normal(math.inf), r"`stddev` must be finite, got inf"),
        (lambda: _laws.Normal(1.0, mean=math.inf), r"`mean` must be finite, got inf"),
        (lambda: _laws.Normal(1.0, mean=-1e-30), r"`mean` must be 0 or at least 2\*\*-96"),
        (lambda: _laws.Uniform(-1.0), r"`bound` must not be negative, got -1.0"),
        (lambda: _laws.Normal(2.0**-97), r"`stddev` must be 0 or at least 2\*\*-96"),
        (lambda: _laws.TruncatedNormal(-0.1), r"`stddev` must not be negative"),
        (
            lambda: _laws.TruncatedNormal(1.0, lower=2.0, upper=2.0),
            r"`lower` must be below `upper`, got lower=2.0, upper=2.0",
        ),
        (lambda: _laws.TruncatedNormal(1.0, lower=math.nan), r"`lower` must be below `upper`"),
        (
            lambda: _laws.TruncatedNormal(1.0, lower=5.0, upper=6.0),
            r"\[5.0, 6.0\] holds \d+ of the 2\*\*32 quantiles; at least 2\*\*20",
        ),
    ],
)
def test_laws_without_sense_are_refused(make, text):
    """A bad parameter is named with what came and what is needed, when the law is made."""
    with pytest.raises(ValueError, match=text):
        make()


@pytest.mark.parametrize(
    ("law", "name"),
    [
        (_laws.Uniform(65600.0), "float16"),
        (_laws.Normal(11000.0), "float16"),
        (_laws.Uniform(480.0), "float8_e4m3fn"),
        (_laws.Uniform(1.0, mean=62000.0), "float8_e5m2"),
        (_laws.Normal(1e38), "float32"),
        (_laws.Normal(2.5e307), "float64"),  # 9.2 stddevs overflow, 32 bits' 6.3 would not
        (_laws.Uniform(3.4e38), "bfloat16"),
    ],
)
def test_a_law_that_overflows_the_dtype_is_refused(law, name):
    """The largest value must be finite in the dtype; the text gives it and the way out."""
    with pytest.raises(ValueError, match=rf"overflows {name}: its largest value would be"):
        law.check_range(FLOATS[name])


def test_laws_just_inside_the_range_are_accepted():
    """The last scale that fits is not refused, and its largest value is finite."""
    for law, name in [
        (_laws.Uniform(65504.0), "float16"),
        (_laws.Uniform(448.0), "float8_e4m3fn"),
        (_laws.Normal(10_000.0), "float16"),
        (_laws.Normal(5e37), "float32"),  # the 9.2 stddevs of float64 would overflow
    ]:
        law.check_range(FLOATS[name])
        assert np.isfinite(np.float64(one(law, FLOATS[name], 2**32 - 1)))
