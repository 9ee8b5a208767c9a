# SPDX-License-Identifier: Apache-2.0
"""`LogArange`, `LogOfUniform` and `TimeStep`: exact to the last bit that they promise, and as any
shard."""

import math

import mpmath
import numpy as np
import pytest
from scipy import stats

import glorot
from glorot import _state_space


def test_log_arange_is_the_nearest_float():
    """Each value is the correctly rounded logarithm, along any axis, and in each dtype."""
    whole = glorot.LogArange()((500,), dtype="float64")
    assert whole.tolist() == [float(mpmath.log(n)) for n in range(1, 501)]
    rows = glorot.LogArange(0)((3, 2, 2))
    assert rows[:, 1, 0].tolist() == rows[:, 0, 1].tolist()
    assert rows[2, 0, 0] == np.float32(math.log(3))
    half = glorot.LogArange()((500,), dtype="bfloat16")
    assert (half == glorot.LogArange()((500,)).astype(half.dtype)).all()


@pytest.mark.parametrize(
    "init",
    [glorot.LogArange(0), glorot.LogArange(1), glorot.LogOfUniform(0, 16), glorot.TimeStep()],
)
def test_shards_are_slices(init):
    """A shard, and a run of the flattened weight, are those parts of the whole."""
    whole = init((9, 7), seed=3, name="w")
    part = init((9, 7), seed=3, name="w", shard=(slice(2, 8), slice(1, 6)))
    assert (part == whole[2:8, 1:6]).all()
    run = np.empty(30, np.float32)
    init.fill_range(run, (9, 7), 11, seed=3, name="w")
    assert (run == whole.ravel()[11:41]).all()


@pytest.mark.parametrize("ends", [(0.0, 16.0), (0.01, 16.0), (1.0, 16.0), (0.999, 1.001)])
def test_logs_of_uniforms(ends):
    """The exponentials are uniform in [minval, maxval], as are those of torch's own code, and mean
    and standard deviation are those promised. Numbers of other ends, a log-uniform law and one of
    the mean and standard deviation alone are refused."""
    low, high = ends
    init = glorot.LogOfUniform(low, high, seed=1)
    logs = init((4000,), dtype="float64", name="A_log")
    exact = stats.uniform(low, high - low)

    def distance(values):
        return math.sqrt(values.size) * stats.kstest(np.exp(values), exact.cdf).statistic

    rng = np.random.default_rng(0)
    assert distance(logs) < 2 > distance(np.log(rng.uniform(low, high, 4000)))
    assert low <= np.exp(logs).min() < np.exp(logs).max() <= high
    error = init.expected_stddev(()) / math.sqrt(logs.size)
    assert abs(logs.mean() - init.expected_mean(())) < 4 * error
    assert logs.std() == pytest.approx(init.expected_stddev(()), rel=0.1)
    middle, spread = init.expected_mean(()), init.expected_stddev(())
    wrong = {
        "log-uniform": rng.uniform(np.log(low or 0.01), np.log(high), 4000),
        "normal": rng.normal(middle, spread, 4000),
        "uniform": middle + math.sqrt(3) * spread * rng.uniform(-1, 1, 4000),
        "no logarithm": rng.uniform(low, high, 4000),
        "of a wider range": np.log(rng.uniform(low, low + 1.1 * (high - low), 4000)),
        "of a narrower one": np.log(rng.uniform(low + 0.1 * (high - low), high, 4000)),
    }
    if high - low < 1:  # where the logarithm is almost a line, and so is uniform
        wrong = {k: v for k, v in wrong.items() if k not in ("log-uniform", "uniform")}
    for what, values in wrong.items():
        assert distance(values) > 3, what


@pytest.mark.parametrize(
    "ends", [(0.0, 16.0), (0.01, 16.0), (1.0, 16.0), (1.0, 1.0 + 2.0**-40), (1e-20, 1.0)]
)
def test_moments_of_logs(ends):
    """Mean and standard deviation are those of the integrals, to the last digits, also where the
    ends all but agree."""
    init = glorot.LogOfUniform(*ends)
    with mpmath.workprec(400):
        low, high = map(mpmath.mpf, ends)

        def power(n):  # E log(u)**n, by parts
            def primitive(x):
                log = mpmath.log(x) if x else mpmath.mpf(0)  # x log(x)**n is 0 at 0
                return x * (log - 1 if n == 1 else log**2 - 2 * log + 2)

            return (primitive(high) - primitive(low)) / (high - low)

        mean, variance = power(1), power(2) - power(1) ** 2
        assert init.expected_mean(()) == float(mean)
        assert init.expected_stddev(()) == pytest.approx(float(mpmath.sqrt(variance)), rel=1e-15)


def test_logs_are_the_nearest_floats():
    """Each value is the correctly rounded logarithm of the number that `RandomUniform` draws in
    float64 for the same seed and name; float32 is float64 rounded, and bfloat16 is float32."""
    numbers = glorot.RandomUniform(0.01, 16)((500,), "float64", seed=2, name="A_log")
    init = glorot.LogOfUniform(0.01, 16, seed=2)
    exact, single, half = (
        init((500,), dtype=d, name="A_log") for d in ("float64", "float32", "bfloat16")
    )
    assert exact.tolist() == [float(mpmath.log(n)) for n in numbers.tolist()]
    assert (single == exact.astype(np.float32)).all()
    assert (half == single.astype(half.dtype)).all()


@pytest.mark.parametrize("maxval", [16.0, 1.0, 0.3, 7.3, 1e-20, 1e300, math.pi])
def test_no_number_is_zero(maxval):
    """The least number that a `minval` of 0 can give has a logarithm, which is not that of 0."""
    law = _state_space._numbers(0.0, maxval)
    least = law.mean + np.float64(-law.peak(64)) * np.float64(law.multiplier(64))
    assert 0.0 < least <= 2.0**-52 * maxval
    assert np.isfinite(_state_space._lns(least.reshape(1))).all()


def test_time_steps_are_log_uniform():
    """The softplus of the biases fills [minval, maxval] evenly in the logarithm, and mean and
    standard deviation are those promised; not those of a uniform step."""
    init = glorot.TimeStep(0.002, 0.5, seed=1)
    biases = init((100_000,), dtype="float64", name="dt")
    logs = np.log(np.log1p(np.exp(biases)))
    low, high = math.log(0.002), math.log(0.5)
    assert low <= logs.min() < low + 1e-3 < high - 1e-3 < logs.max() <= high
    error = (high - low) / math.sqrt(12 * biases.size)
    assert abs(logs.mean() - (low + high) / 2) < 5 * error
    assert abs(np.log((0.002 + 0.5) / 2) - (low + high) / 2) > 100 * error
    assert abs(biases.mean() - init.expected_mean(())) < 5 * biases.std() / math.sqrt(biases.size)
    assert biases.std() == pytest.approx(init.expected_stddev(()), rel=0.01)


def test_the_largest_time_steps():
    """Steps may reach 1 and no more."""
    biases = glorot.TimeStep(0.5, 1.0, seed=1)((10_000,), dtype="float64", name="dt")
    steps = np.log1p(np.exp(biases))
    assert 0.5 <= steps.min() < 0.501
    assert 0.999 < steps.max() <= 1.0


def test_time_steps_at_lower_precision_are_rounded_once():
    """float32 is float64 rounded, and bfloat16 is float32 rounded."""
    init = glorot.TimeStep(seed=2)
    exact, single, half = (init((50,), dtype=d) for d in ("float64", "float32", "bfloat16"))
    assert (single == exact.astype(np.float32)).all()
    assert (half == single.astype(half.dtype)).all()


def test_known_values():
    """Recorded: these may never change."""
    values = glorot.TimeStep(seed=42)((3,), name="dt")
    assert [value.hex() for value in values.tolist()] == [
        "-0x1.60b2ac0000000p+2",
        "-0x1.66763c0000000p+1",
        "-0x1.2f17ea0000000p+2",
    ]
    values = glorot.LogOfUniform(seed=42)((3,), name="A_log")
    assert [value.hex() for value in values.tolist()] == [
        "0x1.1cfb740000000p+1",
        "0x1.4f9d9e0000000p+1",
        "0x1.9bd1540000000p-4",
    ]


def test_steps_of_the_computation():
    """exp and the bias are within 2 units of the true values, and the series is Bernoulli's."""
    logs = np.linspace(-40.0, 0.0, 2001)
    with mpmath.workprec(200):
        exps = np.array([float(mpmath.exp(x)) for x in logs.tolist()])
        true = np.array([float(mpmath.log(mpmath.expm1(mpmath.exp(x)))) for x in logs.tolist()])
        series = [float(mpmath.bernoulli(n) / (n * mpmath.factorial(n))) for n in range(2, 19, 2)]
    assert (np.abs(_state_space._exp(logs) - exps) <= 2 * np.spacing(exps)).all()
    bias = _state_space._bias(logs)
    assert (np.abs(bias - true) <= 2 * np.maximum(np.spacing(np.abs(true)), 2.0**-53)).all()
    assert list(_state_space._SERIES) == series


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: glorot.LogArange(0.5), TypeError, "`axis` must be an integer, got 0.5"),
        (lambda: glorot.LogArange(True), TypeError, "`axis` must be an integer, got True"),
        (lambda: glorot.LogArange(1)((3,)), ValueError, r"`axis`=1 is outside of shape \(3,\)"),
        (lambda: glorot.LogArange(-2)((3,)), ValueError, r"`axis`=-2 is outside of shape \(3,\)"),
        (lambda: glorot.LogArange(2)((3,)), ValueError, r"`axis`=2 is outside of shape \(3,\)"),
        (lambda: glorot.LogArange()((3,), dtype="int32"), ValueError, "no whole numbers.*int32"),
        (lambda: glorot.LogOfUniform(-1), ValueError, "must be at least 0 and.*got minval=-1, max"),
        (lambda: glorot.LogOfUniform(2, 2), ValueError, "below `maxval`, got minval=2, maxval=2"),
        (lambda: glorot.LogOfUniform(0, math.inf), ValueError, "`maxval` must be finite"),
        (lambda: glorot.LogOfUniform(0, 1e-30), ValueError, r"at least 2\*\*-96"),
        (lambda: glorot.LogOfUniform(stream=2), ValueError, "`stream` must be 1"),
        (
            lambda: glorot.LogOfUniform(seed=1)((3,), "int32"),
            TypeError,
            "Only floating point types",
        ),
        (lambda: glorot.TimeStep(0.0), ValueError, "`minval` must be above 0"),
        (lambda: glorot.TimeStep(0.2, 0.1), ValueError, "`minval` must be below `maxval`"),
        (lambda: glorot.TimeStep(0.2, 3), ValueError, r"at most 1; got minval=0\.2, maxval=3"),
        (lambda: glorot.TimeStep(stream=2), ValueError, "`stream` must be 1"),
    ],
)
def test_refusals(call, error, text):
    """What makes no sense is refused at once."""
    with pytest.raises(error, match=text):
        call()


def test_blocks_of_time_steps():
    """As a block of a fused weight it keeps the index of the whole."""
    alone = glorot.TimeStep()((2, 8), seed=1, name="w")
    fused = glorot.Blocks([glorot.TimeStep(), "zeros"], [1, 1], axis=1)((2, 8), seed=1, name="w")
    assert (fused[:, :4] == alone[:, :4]).all()
    assert (fused[:, 4:] == 0).all()
