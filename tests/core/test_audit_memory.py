# SPDX-License-Identifier: Apache-2.0
"""The audit finds values that nothing drew: memory, zeros, few bits; and does not blame others."""

import json
import math
import re

import audit_cases
import ml_dtypes
import numpy as np
import pytest
from audit_cases import WIDTH, only

import glorot
from glorot import Recipe, Rule
from glorot._audit import _spectrum
from glorot._dtypes import ALL


@pytest.fixture(scope="module")
def gpt2():
    """A tiny GPT-2 as it should be; not to be changed."""
    return audit_cases.gpt2()


def garbage(shape, seed=0):
    """What torch.empty may give: bytes of anything."""
    data = np.random.default_rng(seed).bytes(4 * math.prod(shape))
    return np.frombuffer(data, np.float32).reshape(shape).copy()


@pytest.mark.parametrize(
    "values",
    [
        garbage((WIDTH, 4 * WIDTH)),
        np.nan_to_num(garbage((WIDTH, 4 * WIDTH)), nan=0.0, posinf=0.0, neginf=0.0),
        np.full((WIDTH, 4 * WIDTH), 1e-38, np.float32),
        np.zeros((WIDTH, 4 * WIDTH), np.float32),
        np.where(np.arange(4 * WIDTH) < 100, np.float32(1e-40), np.float32(0.02)) * np.ones(
            (WIDTH, 1), np.float32),
    ],
)  # fmt: skip
def test_uninitialised(gpt2, values):
    """Bytes of anything, finite ones, one tiny value, zeros, and half of a buffer."""
    report = glorot.audit({**gpt2, "h.1.mlp.c_fc.weight": values}, "gpt2")
    found = {p.kind for p in report.problems if "h.1.mlp.c_fc.weight" in p.names}
    assert found & {"not finite", "uninitialised"}
    assert {name for p in report.problems for name in p.names} == {"h.1.mlp.c_fc.weight"}
    assert re.search(r"nothing initialised it|nothing wrote", str(report))


@pytest.mark.parametrize("rule", ["glorot_uniform", "he_normal", "normal"])
@pytest.mark.parametrize("count", [2, 3, 5, 6])
def test_a_few_zeros(rule, count):
    """Zeros too few to be unlikely by the bound for any law are refused by another, and are called
    what they are: no stddev is infinitely many times too small."""
    report = glorot.audit({"w": np.zeros(count, np.float32)}, Recipe([Rule("*", rule)]))
    assert [problem.kind for problem in report.problems] == ["uninitialised"]
    assert report.problems[0].text.startswith("all 0 where ")
    one = glorot.audit({"w": np.zeros(1, np.float32)}, Recipe([Rule("*", "glorot_uniform")]))
    assert [problem.kind for problem in one.problems] == ["uninitialised"]


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float8_e5m2", "float32", "float64"])
@pytest.mark.parametrize("rule", ["glorot_uniform", "he_normal", "truncated_normal"])
def test_one_zero(rule, dtype):
    """A value that is the law's mean is as unlikely as the dtype makes it, however sums are
    rounded: float8 has a zero often, the others never."""
    report = glorot.audit({"w": np.zeros(1, ALL[dtype])}, Recipe([Rule("*", rule)]))
    assert report.parameters[0].expected_mean == 0.0
    assert report.ok == dtype.startswith("float8")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mean", [0.1, 0.25, 1.0, 3.0])
def test_one_value_that_is_the_mean(mean, dtype):
    """It is said to be that one value: no stddev is infinitely many times too small."""
    rule = Rule("*", glorot.RandomNormal(mean=mean, stddev=0.001))
    report = glorot.audit({"w": np.full(1, mean, dtype)}, Recipe([rule]))
    for problem in report.problems:
        assert problem.text.startswith(f"all {mean:g} where ")
    assert report.ok == (dtype == "float32")  # which has few values so near to it


def test_uninitialised_constants(gpt2):
    """A bias of random memory, and a norm that is all zeros."""
    report = glorot.audit(
        {**gpt2, "h.0.ln_1.weight": np.zeros(64, np.float32),
         "h.0.ln_1.bias": np.nan_to_num(garbage((64,)))}, "gpt2",
    )  # fmt: skip
    assert [problem.kind for problem in report.problems] == ["uninitialised", "constant"]
    assert report.problems[1].text == "all 0 where 1 is promised"


def test_bfloat16_drawn_in_few_bits():
    """128 values of a bfloat16 uniform, as `random.uniform(dtype=bfloat16)` draws them."""
    recipe = Recipe([Rule("*", "glorot_uniform")])
    rng = np.random.default_rng(0)
    bound = glorot.GlorotUniform().law((400, 600)).scale
    coarse = (rng.integers(0, 128, (400, 600)) / 64 - 1) * bound
    problem = only(glorot.audit({"w": coarse.astype(ml_dtypes.bfloat16)}, recipe), "precision")
    assert re.search(r"12[89] different values where \d{4} are expected, mean -1", problem.text)


PARTS = {
    "half of the rows": lambda v, rng: np.where(np.arange(len(v))[:, None] < len(v) // 2, 0, v),
    "a few rows": lambda v, rng: np.where(np.arange(len(v))[:, None] < 2, 0, v),
    "a block of a fused weight": lambda v, rng: np.where(np.arange(v.shape[1]) < 100, 0, v),
    "at random": lambda v, rng: v * (rng.random(v.shape) < 0.9),
    "the smaller half": lambda v, rng: np.where(np.abs(v) > np.median(np.abs(v)), v, 0),
}


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("law", ["he_normal", "glorot_uniform"])
def test_a_part_that_is_zero(part, dtype, law):
    """It is said to be 0, and no scheme whose stddev is by chance as much smaller is blamed."""
    value = glorot.get(law)((64, 300), seed=0, name="w")
    left = PARTS[part](value, np.random.default_rng(0)).astype(ALL[dtype])
    problem = only(glorot.audit({"w": left}, Recipe([Rule("w", law)])), "uninitialised")
    assert f"{np.sum(left == 0):,} of 19,200 values are 0 where " in problem.text
    fits = part != "the smaller half"
    assert ("and the others fit: a part that nothing wrote" in problem.text) == fits


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("count", [5_000, 1_000_000])
def test_quantised_weights_are_not_clipped(dtype, bits, count):
    """Integers times one step: few values, of which 0 is one; in wide types too."""
    values = glorot.RandomNormal(stddev=0.02)((count,), seed=0, name="w")
    step = 0.08 / 2 ** (bits - 1)
    left = (step * np.round(values / step)).astype(ALL[dtype])
    recipe = Recipe([Rule("*", "random_normal", stddev=0.02)])
    assert only(glorot.audit({"w": left}, recipe), "precision").text.endswith("quantised?")


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("count", [3_000, 65_536])
def test_another_law_is_not_quantised(dtype, count):
    """A uniform law has fewer 16-bit values than a normal one, of which it is no coarse drawing."""
    bound = 0.02 * math.sqrt(3)
    values = glorot.RandomUniform(-bound, bound)((count,), seed=0, name="w", dtype=dtype)
    recipe = Recipe([Rule("*", "random_normal", stddev=0.02)])
    assert (
        "another law of the same stddev" in only(glorot.audit({"w": values}, recipe), "shape").text
    )


def test_a_matrix_of_zeros_without_a_recipe():
    """It may be meant, and is no problem: a note says it; vectors are not worth one."""
    model = {f"h.{i}.w": np.zeros((3, 4), np.float32) for i in range(5)}
    report = glorot.audit({"up.w": np.ones((2, 2), np.float32), "b": np.zeros(9), **model})
    (note,) = (note for note in report.notes if note.startswith("all 0"))
    assert note == "all 0, which a recipe may mean or not: h.0.w, h.1.w, h.2.w and 2 more"


def test_memory_of_another_tensor():
    """Sixteen values far from the mean, as what some other object left: no dtype draws so."""
    recipe = Recipe([Rule("*", "glorot_uniform")])
    bound = glorot.GlorotUniform().law((400, 600)).scale
    rng = np.random.default_rng(0)
    left = bound * (3.0 + rng.integers(0, 16, (400, 600)) / 16)
    problem = only(glorot.audit({"w": left.astype(ml_dtypes.bfloat16)}, recipe), "uninitialised")
    assert re.search(r"16 different values where \d{4} are expected", problem.text)
    assert "memory that nothing wrote" in problem.text


WILD = {
    "none": None,
    "normal": "random_normal",
    "uniform": "glorot_uniform",
    "truncated": "truncated_normal",
    "orthogonal": "orthogonal",
    "zeros": "zeros",
    "sparse": glorot.Sparse(sparsity=0.1),
    "blocks": glorot.Blocks(["he_normal", "zeros", "he_normal"], sizes=[4, 4, 4], axis=0),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WILD)
@pytest.mark.parametrize(
    ("dtype", "size"),
    [("float64", 1.0), ("float64", 0.5), ("float64", 1e-100), ("float32", 1.0), ("bfloat16", 1.0)],
)
@pytest.mark.parametrize("share", [0.02, 1.0])
@pytest.mark.parametrize("bound", [1, 4096])
def test_memory_of_any_bits(name, dtype, share, size, bound, monkeypatch):
    """Numbers as large as the dtype has, as memory that nothing wrote holds them, beside NaN or
    not: a report, whose JSON is JSON, and no arithmetic that fails or warns."""
    monkeypatch.setattr(_spectrum, "HELD", bound)
    rng = np.random.default_rng(int(share * 100))
    top = float(ml_dtypes.finfo(ALL[dtype]).max) * size
    values = np.where(rng.random((12, 13)) < share, top, rng.normal(size=(12, 13)))
    values *= rng.choice([-1.0, 1.0], values.shape)
    for left in (
        values.astype(ALL[dtype]),
        np.where(values > 2, np.nan, values).astype(ALL[dtype]),
    ):
        seeds = (None,) if WILD[name] is None else (None, 3)
        for seed in seeds:
            recipe = None if WILD[name] is None else Recipe([Rule("*", WILD[name])])
            report = glorot.audit({"w": left}, recipe, seed, singular_values=True)
            assert report.ok == (recipe is None and bool(np.isfinite(left.astype(float)).all()))
            text = json.dumps(report.as_dict(), allow_nan=False)
            assert json.loads(text)["parameters"][0]["dtype"] == dtype


@pytest.mark.parametrize("bits", [2, 3, 4])
@pytest.mark.parametrize("gain", [1.0, 3.0, 0.2])
def test_quantised_weights_are_not_blamed_on_memory(bits, gain):
    """Few values about the mean: a stddev that is off is said as such, else that they are few."""
    values = np.random.default_rng(0).normal(0.0, 0.02, (300, 300))
    step = 0.02 * {2: 1.0, 3: 1.0, 4: 0.5}[bits]
    most = 2 ** (bits - 1) - 1
    left = gain * step * np.clip(np.round(values / step), -most, most)
    recipe = Recipe([Rule("*", "random_normal", stddev=0.02)])
    report = glorot.audit({"w": left.astype(ml_dtypes.bfloat16)}, recipe)
    problem = only(report, "precision" if gain == 1.0 and bits > 2 else "stddev")
    assert "memory" not in problem.text
    assert ("or quantised?" in problem.text) == (problem.kind == "precision")


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float8_e4m3fn"])
@pytest.mark.parametrize(
    ("count", "factor"),
    [(60, 0.4), (60, 2.0), (60, 5.0), *((200_000, f) for f in (0.4, 1.5, 2.0, 4.0, 50.0))],
)
def test_the_stddev_is_what_is_wrong(dtype, factor, count):
    """However far it is off, in every dtype and of few values too; no other fault is said."""
    values = glorot.RandomNormal(stddev=0.05 * factor)((count,), seed=1, name="w")
    recipe = Recipe([Rule("*", "random_normal", stddev=0.05)])
    problem = only(glorot.audit({"w": values.astype(ALL[dtype])}, recipe), "stddev")
    assert f"times too {'small' if factor < 1 else 'large'}" in problem.text


@pytest.mark.slow
@pytest.mark.parametrize(("count", "shape"), [(4, (800, 1000)), (300, (80, 100))])
def test_truncated_bits(count, shape):
    """bfloat16 by cutting the low bits of float32 off instead of rounding: in a large tensor it
    shows, in many small ones only together."""
    recipe = Recipe([Rule("*", "glorot_uniform")])
    model = {}
    for number in range(count):
        value = glorot.GlorotUniform()(shape, seed=0, name=str(number))
        cut = (value.view(np.uint32) & 0xFFFF0000).view(np.float32)
        model[str(number)] = cut.astype(ml_dtypes.bfloat16)
    problem = only(glorot.audit(model, recipe, singular_values=False), "precision")
    assert "rounded towards 0 (truncated bits)" in problem.text
    assert problem.text.startswith("all bfloat16 weights together") == (count == 300)
