# SPDX-License-Identifier: Apache-2.0
"""Correct models that the audit must not blame: time steps, an embedding's padding row, another
library's logarithms, laws that underflow. Nor may it miss what only resembles them."""

import math

import numpy as np
import pytest

import glorot
from glorot import Recipe, Rule
from glorot._audit._distribution import distribution
from glorot._audit._measure import pattern_values
from glorot._dtypes import ALL

STEPS = Recipe([Rule("*", "time_step", minval=0.002, maxval=0.2)])
LOGS = Recipe([Rule("*", "log_of_uniform", minval=0.0, maxval=16.0)])


def audit(values, recipe, seed=None):
    """The report of a model of one parameter."""
    return glorot.audit(values, recipe, seed, singular_values=False)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16", "float8_e4m3fn"])
def test_time_steps(dtype):
    """Biases whose softplus is log-uniform are right, of many seeds and in every precision, and the
    table promises their mean and standard deviation."""
    init = glorot.TimeStep(0.002, 0.2)
    for seed in range(20):
        report = audit({"dt.bias": init((1500,), dtype, seed=seed)}, STEPS)
        assert report.ok, str(report)
        assert report.tests >= 4
        (row,) = report.parameters
        assert abs(row.z_mean) < 5 > abs(row.z_variance)
    assert row.expected_stddev == pytest.approx(init.expected_stddev(()), rel=0.02)


@pytest.mark.parametrize(
    ("draw", "kind"),
    [
        (lambda u: 0.002 * (0.2 / 0.002) ** (0.3 * u), "stddev"),  # a third of the range
        (lambda u: 0.002 + (0.2 - 0.002) * u, "stddev"),  # the steps uniform, not their logarithms
        (lambda u: 0.0021 * (0.21 / 0.0021) ** u, "outside"),  # 5 % longer
        (lambda u: 0.002 * 100 ** (0.2113 + 0.5774 * u.round()), "shape"),  # two values
        (lambda u: 0.01 + 0 * u, "uninitialised"),
    ],
)
def test_other_time_steps_are_found(draw, kind):
    """Steps of other ranges and laws are named."""
    step = draw(np.random.default_rng(0).random(1500))
    report = audit({"dt.bias": np.log(np.expm1(step)).astype(np.float32)}, STEPS)
    assert [problem.kind for problem in report.problems] == [kind], str(report)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16", "float8_e4m3fn"])
@pytest.mark.parametrize("low", [0.0, 0.01, 1.0])
def test_logarithms_of_uniform_numbers(dtype, low):
    """The logarithms that are promised are right, of many seeds and in every precision, and the
    table promises their mean and standard deviation."""
    recipe = Recipe([Rule("*", "log_of_uniform", minval=low, maxval=16.0)])
    init = glorot.LogOfUniform(low, 16.0)
    for seed in range(8):
        report = audit({"A_log": init((800,), dtype, seed=seed, name="w")}, recipe)
        assert report.ok, str(report)
        assert report.tests >= 4
        (row,) = report.parameters
        assert abs(row.z_mean) < 5 > abs(row.z_variance)
    assert row.expected_stddev == pytest.approx(init.expected_stddev(()), rel=0.02)


@pytest.mark.parametrize(
    ("draw", "kind"),
    [
        (lambda u: np.log(1 + 15 * u), "stddev"),  # another least number
        (lambda u: np.log(17.6 * u), "outside"),  # 10 % longer
        (lambda u: np.log(16) * u, "stddev"),  # the logarithm uniform, not the number
        (lambda u: 16 * u, "stddev"),  # the numbers themselves
        (lambda u: np.log(16 * u) - 0.1, "shape"),  # all a tenth less
        (lambda u: np.where(u < 1e-4, -np.inf, np.log(16 * u)), "not finite"),
        (lambda u: 1.0 + 0 * u, "uninitialised"),
    ],
)
def test_other_logarithms_are_found(draw, kind):
    """Numbers of other ranges and laws are named, and the logarithm of 0."""
    logs = draw(np.random.default_rng(0).random(20_000)).astype(np.float32)
    report = audit({"A_log": logs}, LOGS)
    assert [problem.kind for problem in report.problems] == [kind], str(report)


NORMAL = Recipe([Rule("*", "normal", stddev=0.02)])


def rows(name, *empty, dtype="float32", shape=(500, 96)):
    """A drawn matrix in which some rows are 0."""
    values = glorot.RandomNormal(stddev=0.02)(shape, dtype, seed=1, name=name)
    values[list(empty)] = 0
    return {name: values}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("name", ["model.embed_tokens.weight", "wte.weight", "Embeddings.0"])
def test_a_padding_row_is_a_note(name, dtype):
    """One row of zeros in an embedding is its layer's: said, and not judged; the rest is."""
    report = audit(rows(name, 7, dtype=dtype), NORMAL)
    assert report.ok, str(report)
    assert report.notes == (
        f"row 7 of {name} is all 0 and is not judged: its layer's padding_idx?",
    )
    assert report.parameters[0].zeros >= 96
    wrong = {name: rows(name, 7, dtype=dtype)[name] * np.asarray(1.5, rows(name)[name].dtype)}
    report = audit(wrong, NORMAL)
    assert [problem.kind for problem in report.problems] == ["stddev"]
    assert "1.5 times too large" in report.problems[0].text


def test_what_is_no_padding_row_is_a_fault():
    """A row of zeros of another layer, two rows of an embedding, and zeros that are no row."""
    scattered = rows("embed.weight")
    scattered["embed.weight"].ravel()[::500] = 0
    for values in (rows("up.weight", 7), rows("embed.weight", 7, 8), scattered):
        report = audit(values, NORMAL)
        assert len(report.problems) == 1, str(report)
        assert report.notes == ()
    report = audit(rows("embed.weight", 7), NORMAL, seed=1)
    assert [problem.kind for problem in report.problems] == ["seed"]


def test_one_value_far_out():
    """A single bound that a truncated normal's sampler gave for an infinity is named as such; with
    a wrong stddev besides, or among many, the stddev is."""
    values = rows("up.weight")["up.weight"]
    values[3, 5] = -2.0
    (problem,) = audit({"up.weight": values}, NORMAL).problems
    assert problem.kind == "outside"
    assert (
        "one value is -2, 100 stddevs from the mean, and the others fit N(0, 0.02)" in problem.text
    )
    scaled = values * np.float32(1.3)
    many = values.copy()
    many[:, 0] = -2.0
    for wrong in (scaled, many):
        assert [p.kind for p in audit({"up.weight": wrong}, NORMAL).problems] == ["stddev"]


def test_a_row_of_zeros_by_chance_is_drawn():
    """In few bits and few columns rows of zeros are expected, and are tested with the rest."""
    recipe = Recipe([Rule("*", "normal", stddev=0.004)])
    init = glorot.RandomNormal(stddev=0.004)
    values = init((400, 2), "float8_e4m3fn", seed=3, name="embed.weight")
    assert (values.astype(np.float32) == 0).all(axis=1).any()
    report = audit({"embed.weight": values}, recipe)
    assert (report.ok, report.notes) == (True, ()), str(report)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_logarithms_of_another_library(dtype):
    """One unit in the last place is another library's rounding, unless a seed asks for every
    byte; two units are another value."""
    recipe = Recipe([Rule("*", "log_arange")])
    right = glorot.LogArange()((8, 16), dtype)
    bits = f"u{right.dtype.itemsize}"
    for units, seed, ok in ((1, None, True), (1, 0, False), (3, None, False)):
        moved = right.copy()
        moved.view(bits)[:, 5] += np.asarray(units, bits)
        report = audit({"A_log": moved}, recipe, seed)
        assert report.ok == ok, str(report)
    assert "8 of 128 values are not what the rule fixes" in report.problems[0].text


def test_sinusoids_of_another_library():
    """Angles in float32 are as good, in blocks too, unless a seed asks for every byte; exchanged
    halves and other frequencies are another table."""
    shape = (1500, 64)
    frequencies = np.exp(np.float32(-np.log(1e4) / 31) * np.arange(32, dtype=np.float32))
    angles = np.arange(1500, dtype=np.float32)[:, None] * frequencies
    table = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    assert table.dtype == np.float32
    exact = glorot.Sinusoids(endpoint=True)
    assert 1e-5 < np.abs(table - exact(shape, "float64")).max() < 1500 * 2**-23
    blocks = glorot.Blocks([exact, "zeros"], [64, 1], axis=1)
    padded = np.concatenate([table, np.zeros((1500, 1), np.float32)], axis=1)
    for values, init in ((table, exact), (padded, blocks)):
        for dtype in ("float32", "bfloat16"):
            found = values.astype(glorot.Zeros()((), dtype).dtype)
            assert audit({"positions": found}, Recipe([Rule("*", init)])).ok
    assert not audit({"positions": table}, Recipe([Rule("*", exact)]), seed=0).ok
    wrong = [np.roll(table, 32, axis=1), glorot.Sinusoids()(shape), np.roll(table, 1, axis=0)]
    wrong.append(glorot.Sinusoids(endpoint=True, interleaved=True)(shape))
    for values in wrong:
        report = audit({"positions": values}, Recipe([Rule("*", exact)]))
        assert [problem.kind for problem in report.problems] == ["constant"], str(report)
        assert "values are not what the rule fixes" in report.problems[0].text


def test_an_identity_is_exact():
    """What no logarithm computes has no unit to give away."""
    eye = np.eye(6, dtype=np.float32)
    eye[2, 2] = np.nextafter(np.float32(1), np.float32(2))
    report = audit({"w": eye}, Recipe([Rule("*", "identity")]))
    assert [problem.kind for problem in report.problems] == ["constant"]


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("constant", ["ones", glorot.Constant(0.3)])
def test_a_block_of_a_constant_repeats_nothing(axis, constant):
    """Its slices are equal as promised, wherever the block is; of drawn ones, equal is a fault."""
    init = glorot.Blocks([constant, glorot.RandomNormal(stddev=0.5)], [1, 2], axis=axis)
    weight = init((96, 96), seed=3)
    assert audit({"w": weight}, Recipe([Rule("*", init)])).ok
    assert audit({"w": np.flip(weight, axis)}, Recipe([Rule("*", init.replace(
        initializers=init.initializers[::-1], sizes=[2, 1]
    ))])).ok  # fmt: skip
    rows = np.moveaxis(weight, axis, 0)
    rows[64:] = rows[32:64]
    (problem, *_) = audit({"w": weight}, Recipe([Rule("*", init)])).problems
    assert problem.kind == "repeated"


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("dtype", "stddev"), [("float8_e4m3fn", 0.00025), ("float8_e4m3fn", 0.0003), ("float16", 1e-8)]
)
@pytest.mark.parametrize("count", [20, 100, 1000])
def test_what_the_dtype_rounds_to_zero(dtype, stddev, count):
    """Of a law that underflows all values may be 0, and a few that are not are no other mean."""
    init = glorot.RandomNormal(stddev=stddev)
    for seed in range(60):
        report = glorot.audit({"w": init((count,), dtype, seed=seed, name="w")}, init)
        assert report.ok, str(report)


@pytest.mark.parametrize(("dtype", "stddev"), [("float8_e4m3fn", 0.0003), ("float16", 1e-8)])
def test_the_bounds_of_what_underflows(dtype, stddev):
    """No smaller than the exact chances: that all are 0, and that the only one is not."""
    law = distribution(glorot.RandomNormal(stddev=stddev).law((9,)), ALL[dtype])
    assert law.square_rate(0.0) == pytest.approx(-math.log(law.zero), rel=1e-3)
    least = float(np.abs(pattern_values(ALL[dtype])[1]))
    one = (1 - law.zero) / 2
    for count in (10, 50, 200):
        chance = -np.expm1(count * np.log1p(-one))
        z = least / count / math.sqrt(law.proxy) * math.sqrt(count)
        assert 2 * math.exp(-z * z / 2) > chance


def test_known_sequences_without_a_recipe():
    """Rotary frequencies, Mamba's logarithms and position numbers are alike in all layers, and no
    draws; a drawn tensor that is alike is one."""
    frequencies = 10000.0 ** (-np.arange(0, 64, 2) / 64)
    logarithms = np.log(np.tile(np.arange(1.0, 17.0), (128, 1)))
    for dtype in ("float32", "bfloat16", "float64"):
        model = {}
        for layer in range(3):
            model[f"{layer}.rotary_emb.inv_freq"] = frequencies.astype(ALL[dtype])
            model[f"{layer}.mixer.A_log"] = logarithms.astype(ALL[dtype])
            model[f"{layer}.positions"] = np.arange(64.0)[None].astype(ALL[dtype])
        report = glorot.audit({name: value.copy() for name, value in model.items()})
        assert report.ok, str(report)
    for layer in range(2):
        model[f"{layer}.up"] = glorot.RandomNormal()((20, 16), seed=0)
    (problem,) = glorot.audit(model).problems
    assert problem.names == ("0.up", "1.up")
    assert problem.text.startswith("hold equal values: ")
    assert problem.text.endswith("used more than once? Or a copied layer (deepcopy)?")


@pytest.mark.parametrize(("shift", "scale", "kind"), [(0.01, 1.0, "mean"), (0.01, 1.2, "stddev")])
def test_a_mean_that_is_off_is_told_as_a_mean(shift, scale, kind):
    """Squares are too large around the promised mean, and right around the values' own."""
    init = glorot.RandomNormal(stddev=0.02)
    values = init((64, 64), seed=1, name="a") * np.float32(scale) + np.float32(shift)
    (problem,) = audit({"a": values}, Recipe([Rule("*", init)])).problems
    assert problem.kind == kind
    assert ("50.1 % of a stddev above" in problem.text) == (kind == "mean")


@pytest.mark.parametrize(("sparsity", "shape"), [(0.1, (1, 10)), (0.99, (8, 16))])
def test_a_sparse_weight_of_zeros(sparsity, shape):
    """So many are asked for that none is left: right as it is, and wrong otherwise."""
    init = glorot.Sparse(sparsity)
    values = init(shape, seed=1, name="a")
    assert not values.any()
    recipe = Recipe([Rule("*", init)])
    assert audit({"a": values}, recipe).ok
    assert not audit({"a": values + np.float32(0.01)}, recipe).ok


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float8_e4m3fn", "float8_e5m2"])
def test_stddevs_that_vanish_beside_the_mean(dtype):
    """All values round to the mean, or nearly all: no error, and no alarm."""
    for exponent in range(-7, 0):
        init = glorot.RandomNormal(1.0, 2.0 * 10.0**exponent)
        values = init((64,), dtype, seed=1, name="a")
        assert audit({"a": values}, Recipe([Rule("*", init)])).ok, exponent


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "init",
    [
        glorot.RandomUniform(0.9995, 1.0),
        glorot.RandomUniform(0.9999, 1.0),
        glorot.RandomUniform(-1.0, -0.9999),
        glorot.RandomUniform(1.0, 1.0001),
        glorot.RandomUniform(0.99, 1.0),
        glorot.RandomNormal(1.0, 1e-6),
        glorot.RandomNormal(0.1, 1e-7),
        glorot.RandomNormal(1.0, 1e-9),
        glorot.RandomNormal(1000.0, 1e-3),
        glorot.TruncatedNormal(-1.0, 1e-6, lower=-1.0, upper=3.0),
    ],
)
def test_laws_beside_the_end_of_a_bin(init, dtype):
    """Values that are rounded to a number are in the bin that it begins, and those of a law that
    spans few numbers have the spread that is left of it."""
    for seed in range(2):
        report = audit(
            {"w": init((700, 600), dtype, seed=seed, name="w")}, Recipe([Rule("*", init)])
        )
        assert report.ok, str(report)


@pytest.mark.parametrize(
    ("init", "values", "kind"),
    [
        (glorot.RandomUniform(0.9995, 1.0), glorot.RandomUniform(0.9997, 1.0), "stddev"),
        (glorot.RandomNormal(1.0, 1e-6), glorot.RandomNormal(1.0, 1.1e-6), "stddev"),
        (glorot.RandomNormal(1.0, 1e-6), glorot.RandomNormal(1.0 + 2e-7, 1e-6), "mean"),
        (glorot.RandomNormal(1.0, 1e-9), glorot.RandomNormal(2.0, 1e-9), "constant"),
        (glorot.RandomNormal(1.0, 1e-9), glorot.RandomNormal(1.0, 1e-6), "constant"),
    ],
)
def test_other_laws_beside_the_end_of_a_bin(init, values, kind):
    """What only resembles them is told."""
    wrong = values((300, 300), seed=1, name="w")
    report = audit({"w": wrong}, Recipe([Rule("*", init)]))
    assert [problem.kind for problem in report.problems] == [kind], str(report)


@pytest.mark.parametrize("dtype", ["float64", "bfloat16"])
def test_what_the_dtype_rounds_to_one_value(dtype):
    """No other value passes for want of a spread to measure it by, and the words say so."""
    recipe = Recipe([Rule("*", glorot.RandomNormal(1.0, 1e-20))])
    assert audit({"w": np.ones((9, 9), ALL[dtype])}, recipe).ok
    (problem,) = audit({"w": np.full((9, 9), 2, ALL[dtype])}, recipe).problems
    assert problem.text == f"all 2 where N(1, 1e-20) is promised, which {dtype} rounds to 1"
