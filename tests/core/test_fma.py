# SPDX-License-Identifier: Apache-2.0
"""fma32 and fma64 against exact rational arithmetic, near ties, at both ends of the range."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from glorot.replay._fma import fma32, fma64, fma64_moderate

EDGES64 = [0.0, -0.0, 5e-324, -5e-324, 2.0**-1022, 2.0**-1074 * 3, 1.7976931348623157e308]
EDGES32 = [0.0, -0.0, 2.0**-149, -(2.0**-149), 2.0**-126, 3.4028234663852886e38]


def nearest32(exact, zero):
    """`exact` as the nearest float32, ties to even; `zero` where it is 0."""
    if exact == 0:
        return np.float32(zero)
    quantum = Fraction(2) ** max(_exponent(exact) - 23, -149)
    steps = round(exact / quantum)  # Fraction rounds ties to even
    value = steps * quantum
    if abs(value) >= Fraction(2) ** 128:
        return np.float32(math.inf if exact > 0 else -math.inf)
    return np.float32(value if value else -0.0 if exact < 0 else 0.0)


def _exponent(exact):
    """floor(log2(|exact|))."""
    size = abs(exact)
    found = size.numerator.bit_length() - size.denominator.bit_length()
    return found if Fraction(2) ** found <= size else found - 1


def nearest64(exact, zero):
    """`exact` as the nearest float64; `zero` where it is 0."""
    if exact == 0:
        return zero
    try:
        return float(exact) if float(exact) else (-0.0 if exact < 0 else 0.0)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


def check32(a, b, c):
    """fma32 of float32 arrays is the exact result rounded once."""
    with np.errstate(all="ignore"):
        zeros = a.astype(np.float64) * b + c
    wanted = [
        nearest32(Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z)), float(zero))
        for x, y, z, zero in zip(a, b, c, zeros, strict=True)
    ]
    assert fma32(a, b, c).tobytes() == np.array(wanted, dtype=np.float32).tobytes()


def check64(a, b, c):
    """fma64 of float64 arrays is the exact result rounded once."""
    with np.errstate(all="ignore"):
        zeros = a * b + c
    wanted = [
        nearest64(Fraction(x) * Fraction(y) + Fraction(z), zero)
        for x, y, z, zero in zip(*(part.tolist() for part in (a, b, c, zeros)), strict=True)
    ]
    assert fma64(a, b, c).tobytes() == np.array(wanted, dtype=np.float64).tobytes()


def hard_cases(dtype, bits, spread):
    """Random triples: any exponents; products that c nearly cancels; c half an ulp of a product."""
    rng = np.random.default_rng(3)
    n = 700

    def number(low, high):
        return np.ldexp(rng.uniform(1, 2, n), rng.integers(low, high, n)).astype(dtype)

    sign = rng.choice([-1, 1], n).astype(dtype)
    a, b = number(-spread, spread) * sign, number(-spread, spread)
    with np.errstate(over="ignore"):
        near = (a.astype(np.float64) * b).astype(dtype)
    half = np.ldexp(near.astype(np.float64), rng.integers(-bits - 3, 4 - bits, n)).astype(dtype)
    ones = np.full(n, 1, dtype)
    few = (1 + np.ldexp(rng.integers(0, 8, n).astype(np.float64), 1 - bits)).astype(dtype)
    yield a, b, number(-2 * spread, 2 * spread)
    yield a, b, -near
    yield a, b, half
    yield few, (few[::-1]).copy(), -ones
    yield few, (few[::-1] * dtype(0.5)).copy(), ones
    yield few, np.ldexp(few[::-1].astype(np.float64), -bits).astype(dtype), ones * sign


@pytest.mark.parametrize("case", range(6))
def test_fma32_rounds_once(case):
    """float32: wide exponents, cancellation and near ties."""
    check32(*list(hard_cases(np.float32, 24, 60))[case])


@pytest.mark.parametrize("case", range(6))
@pytest.mark.parametrize("spread", [20, 500])
def test_fma64_rounds_once(case, spread):
    """float64: wide exponents (subnormal and overflowing products too), cancellation, near ties."""
    check64(*list(hard_cases(np.float64, 53, spread))[case])


FLOATS32 = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.sampled_from(EDGES32)
FLOATS64 = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(EDGES64)


@given(FLOATS32, FLOATS32, FLOATS32)
@example(1 + 2.0**-12, 1 + 2.0**-12, 2.0**-80)  # the last step decides a tie
@example(2.0**-75, 2.0**-75, 0.0)  # half of the smallest subnormal: to even, 0
def test_fma32_of_any_finite_numbers(a, b, c):
    """Every finite float32, subnormal results and overflow included."""
    check32(*(np.array([x], dtype=np.float32) for x in (a, b, c)))


@given(FLOATS64, FLOATS64, FLOATS64)
@example(2.0**-537, 2.0**-538, 0.0)  # half of the smallest subnormal: to even, 0
@example(1 + 2.0**-30, 1 + 2.0**-30, 2.0**-1074)
def test_fma64_of_any_finite_numbers(a, b, c):
    """Every finite float64, subnormal results and overflow included."""
    check64(*(np.array([x]) for x in (a, b, c)))


@pytest.mark.parametrize("scale", [1.0, -1.0, 2.0**300, 2.0**-300])
@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("k", [27, 26, 20])
def test_fma64_where_both_errors_make_a_tie(scale, side, k):
    """Products half an ulp of c, but for a part so small that the sum of the errors loses it."""
    a, b, c = 1 + 2.0**-k, side * scale * 2.0**-53 * (1 - 2.0**-k), scale * (1 + 2.0**-52)
    assert abs(Fraction(a) * Fraction(b)) < Fraction(abs(scale)) / 2**53

    check64(*(np.array([x]) for x in (a, b, c)))
    assert fma64_moderate(a, b, c) == fma64(a, b, c)
    twice = a * b + c
    assert (twice == fma64(a, b, c)) == (k < 27)


def test_fma64_moderate_is_fma64():
    """For moderate numbers the two agree; a result of 0 may have either sign."""
    for a, b, c in hard_cases(np.float64, 53, 20):
        found = fma64_moderate(a, b, c)
        assert np.array_equal(found, fma64(a, b, c))
    assert fma64_moderate(0.5, np.arange(3.0), 1.0).tolist() == [1.0, 1.5, 2.0]


@pytest.mark.parametrize(("fma", "dtype"), [(fma32, np.float32), (fma64, np.float64)])
def test_infinities_and_nans(fma, dtype):
    """As IEEE 754 says: a finite product never overflows against an infinite addend."""
    inf, big = dtype(math.inf), np.finfo(dtype).max
    assert fma(big, big, -inf) == -inf
    assert fma(big, big, dtype(0)) == inf
    assert fma(inf, dtype(-2), dtype(5)) == -inf
    for a, b, c in [(inf, 0, 1), (inf, 1, -inf), (math.nan, 1, 1), (1, 1, math.nan)]:
        assert np.isnan(fma(dtype(a), dtype(b), dtype(c)))


def test_the_plain_sum_would_fail():
    """What these tests compare with is not what two roundings give."""
    a, b, c = list(hard_cases(np.float32, 24, 60))[1]

    with pytest.raises(AssertionError):
        assert (a * b + c).tobytes() == fma32(a, b, c).tobytes()


def test_arguments_broadcast_and_keep_their_shape():
    """Scalars go with arrays; a scalar result has no axes."""
    x = np.arange(6, dtype=np.float32).reshape(2, 3)

    assert fma32(x, np.float32(2), np.float32(1)).shape == (2, 3)
    assert fma64(x.astype(float), 2.0, 1.0).tolist() == (2 * x + 1).tolist()
    assert fma32(np.float32(2), np.float32(3), np.float32(1)).shape == ()


def test_fma32_takes_float32_alone():
    """A Python float would be a float64 that nobody rounded."""
    with pytest.raises(TypeError, match="fma32 takes float32 arrays, got float64"):
        fma32(np.float32(1), 2.0, np.float32(3))
