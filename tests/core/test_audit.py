# SPDX-License-Identifier: Apache-2.0
"""The audit finds what was made wrong on purpose, says why, and finds nothing else."""

import json
import math
import re

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy

import glorot
from glorot import Recipe, Rule
from glorot._audit import _spectrum
from glorot._audit._report import KINDS
from glorot._dtypes import ALL

LAYERS, WIDTH = 3, 64
GPT2 = {
    "wte.weight": (300, WIDTH),
    "wpe.weight": (50, WIDTH),
    **{
        f"h.{i}.{name}": shape
        for i in range(LAYERS)
        for name, shape in {
            "ln_1.weight": (WIDTH,),
            "ln_1.bias": (WIDTH,),
            "attn.c_attn.weight": (WIDTH, 3 * WIDTH),
            "attn.c_attn.bias": (3 * WIDTH,),
            "attn.c_proj.weight": (WIDTH, WIDTH),
            "attn.c_proj.bias": (WIDTH,),
            "ln_2.weight": (WIDTH,),
            "ln_2.bias": (WIDTH,),
            "mlp.c_fc.weight": (WIDTH, 4 * WIDTH),
            "mlp.c_fc.bias": (4 * WIDTH,),
            "mlp.c_proj.weight": (4 * WIDTH, WIDTH),
            "mlp.c_proj.bias": (WIDTH,),
        }.items()
    },
    "ln_f.weight": (WIDTH,),
    "ln_f.bias": (WIDTH,),
}
# Every kind of promise: laws of all kinds, blocks, constants, known values, matrices, sparse ones.
ZOO = Recipe(
    [
        Rule("qkv", "glorot_uniform", layout="torch.linear", blocks="qkv"),
        Rule("lstm.bias", "zeros", blocks={"parts": "torch.lstm", "change": {"forget": "ones"}}),
        Rule("heads", "he_normal", layout="torch.linear",
             blocks={"parts": [4, 1, 1], "repeat": 2}),
        Rule("experts", "lecun_normal", layout="BIO"),
        Rule("up", "he_uniform", layout="keras.conv_transpose"),
        Rule("depth", "glorot_normal", layout="keras.depthwise_conv"),
        Rule("conv", "he_normal", layout="torch.conv", gain="gelu"),
        Rule("norm", "random_normal", mean=1.0, stddev=0.1),
        Rule("shift", "random_uniform", minval=0.0, maxval=0.5),
        Rule("cut", "truncated_normal", stddev=0.3, lower=-1.0, upper=3.0),
        Rule("eye", "identity"),
        Rule("dirac", "dirac", layout="OI*"),
        Rule("half", "constant", value=0.1),
        Rule("ortho", glorot.Orthogonal(1.5)),
        Rule("delta", glorot.DeltaOrthogonal(layout="*IO")),
        Rule("sparse", glorot.Sparse(0.7, 0.05)),
        Rule("count", "zeros"),
        Rule("scale", "ones"),
    ]
)  # fmt: skip
ZOO_SHAPES = {
    "qkv": (192, 64), "lstm.bias": (48,), "heads": (96, 40), "experts": (6, 40, 60),
    "up": (4, 4, 12, 20), "depth": (3, 3, 30, 2), "conv": (24, 16, 3, 3), "norm": (300,),
    "shift": (9,), "cut": (500,), "eye": (20, 20), "dirac": (8, 8, 3, 3), "half": (30,),
    "ortho": (40, 24), "delta": (3, 3, 8, 16), "sparse": (50, 40), "scale": (),
    "count": {"shape": (4,), "dtype": "int64"},
}  # fmt: skip


def build(recipe, shapes, seed=0, dtype=None):
    """The arrays that a recipe gives, by name."""
    return {
        a.name: a.initializer(a.shape, a.dtype, seed=seed, name=a.name)
        for a in recipe.resolve(shapes, dtype=dtype)
    }


@pytest.fixture(scope="module")
def gpt2():
    """A tiny GPT-2 as it should be; not to be changed."""
    recipe = glorot.recipe.load("gpt2")
    return build(recipe, GPT2)


def only(report, kind):
    """The one problem, which must be of this kind."""
    assert [problem.kind for problem in report.problems] == [kind], str(report)
    assert not report.ok
    return report.problems[0]


# --- what is right -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "float64", "float8_e5m2"])
def test_nothing_is_wrong_with_what_the_recipe_gives(dtype):
    """By statistics for 6 seeds, and to the byte with the seed: laws, blocks, constants, known
    values, matrices, sparse ones, in every precision."""
    for seed in range(6):
        model = build(ZOO, ZOO_SHAPES, seed, dtype)
        report = glorot.audit(model, ZOO)
        assert report.ok, str(report)
        assert report.tests > 100
    exact = glorot.audit(model, ZOO, seed)
    assert exact.ok, str(exact)
    assert {row.differing for row in exact.parameters} == {0}


@pytest.mark.parametrize("dtype", ["bfloat16", "float8_e4m3fn", "float16", "float32"])
def test_small_tensors_are_right(dtype):
    """Hundreds of tensors of 1 to 6 values in few bits: equal values, equal tensors and equal
    rows come by chance, and are not blamed."""
    recipe = Recipe([Rule("norm*", "random_normal", mean=1.0, stddev=0.1), Rule("*", "he_normal")])
    shapes = {f"{kind}{i}": ((1,), (2,), (3, 2), (4, 1))[i % 4] for i in range(100)
              for kind in ("norm", "w")}  # fmt: skip
    for wide in {dtype, "float32" if dtype == "bfloat16" else dtype}:
        model = {
            name: value.astype(wide) for name, value in build(recipe, shapes, 0, dtype).items()
        }
        for known in (recipe, None):
            report = glorot.audit(model, known)
            assert report.ok, str(report)


def test_float32_that_holds_bfloat16(gpt2):
    """Judged as bfloat16, whose law it is, and said; 8 million values would show the difference."""
    recipe = Recipe([Rule("w", "random_normal")])
    value = glorot.RandomNormal()((3000, 3000), seed=0, name="w", dtype="bfloat16")
    report = glorot.audit({"w": value.astype(np.float32)}, recipe, singular_values=False)
    assert report.ok, str(report)
    assert report.notes == ("float32 that holds bfloat16 values, and is judged as such: w",)
    assert glorot.audit(gpt2, "gpt2").notes == ()


def test_gpt2_is_right(gpt2):
    """The preset; GPT-2 of 20 seeds (200 with make audit)."""
    recipe = glorot.recipe.load("gpt2")
    for seed in range(20):
        report = glorot.audit(build(recipe, GPT2, seed), recipe, singular_values=False)
        assert report.ok, str(report)
    assert glorot.audit(gpt2, "gpt2", 0).ok


def test_rows_say_what_there_is(gpt2):
    """A row a parameter, with the promise and the measured values; a block has its own."""
    rows = {row.title: row for row in glorot.audit(gpt2, "gpt2").parameters}
    assert set(rows) == set(GPT2)
    row = rows["h.1.mlp.c_proj.weight"]
    values = gpt2["h.1.mlp.c_proj.weight"].astype(np.float64)
    assert (row.mean, row.stddev) == (pytest.approx(values.mean()), pytest.approx(values.std()))
    assert (row.smallest, row.largest) == (values.min(), values.max())
    assert row.expected_stddev == pytest.approx(0.02 / math.sqrt(6))
    z = (np.square(values).mean() / row.expected_stddev**2 - 1) / math.sqrt(2 / values.size)
    assert row.z_variance == pytest.approx(z, rel=1e-6)
    assert row.z_mean == pytest.approx(values.mean() / row.expected_stddev * 128, rel=1e-6)
    assert (row.law, row.pattern) == ("N(0, 0.008165)", "*h.*.mlp.c_proj.weight")
    singular = np.linalg.svd(values, compute_uv=False)
    assert row.singular == (pytest.approx(singular.min()), pytest.approx(singular.max()))
    blocks = glorot.audit(build(ZOO, ZOO_SHAPES), ZOO).parameters
    assert [row.title for row in blocks][:3] == ["qkv[q]", "qkv[k]", "qkv[v]"]
    assert blocks[1].shape == (64, 64)
    assert blocks[1].fans == (64.0, 64.0)
    assert blocks[1].effective_fan == pytest.approx(64, rel=0.05)


def test_reports_are_json_and_text(gpt2):
    """as_dict is what JSON can hold; str is a line a problem, then the verdict; bool is ok."""
    report = glorot.audit(gpt2, "gpt2")
    content = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert content["ok"] is True
    assert len(content["parameters"]) == len(GPT2)
    assert bool(report)
    assert str(report).startswith("nothing wrong: 40 parameters, ")
    assert report.false_alarms == 1e-6
    assert report.limit == pytest.approx(1e-6 / report.tests)
    wrong = glorot.audit({**gpt2, "ln_f.bias": np.full(64, np.nan)}, "gpt2")
    assert json.dumps(wrong.as_dict(), allow_nan=False)
    assert str(wrong).splitlines()[0].startswith("ln_f.bias: 64 NaN of 64 values")


# --- what is wrong on purpose --------------------------------------------------------------------


def test_gpt2_without_depth_scaling(gpt2):
    """One line for all six projections, with the factor and the cause."""
    model = {k: v * np.float32(6**0.5 if "c_proj.weight" in k else 1) for k, v in gpt2.items()}
    problem = only(glorot.audit(model, "gpt2"), "stddev")
    assert len(problem.names) == 6
    assert "sqrt(6) times too large" in problem.text
    assert "depth scaling missing (1/sqrt(2 * 3 layers))?" in problem.text


@pytest.mark.parametrize(
    ("factor", "words"),
    [
        (6**-0.5, "depth scaling applied twice?"),
        (2**0.5, "depth scaling without the 2 branches a layer?"),
        (0.8796256610342398, "truncated at 2 stddevs without the correction"),
    ],
)
def test_other_depths(gpt2, factor, words):
    """Twice, with one branch, and a normal that was cut off instead."""
    model = {k: v * np.float32(factor if "c_proj.weight" in k else 1) for k, v in gpt2.items()}
    assert words in only(glorot.audit(model, "gpt2"), "stddev").text


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


XAVIER = Recipe([Rule("*qkv*", "xavier_uniform", layout="torch.linear", blocks="qkv")])


def test_fused_qkv_with_one_xavier():
    """U(+-sqrt(6 / 4E)) where each of three has U(+-sqrt(6 / 2E))."""
    whole = glorot.GlorotUniform(layout="torch.linear")((288, 96), seed=0, name="qkv")
    problem = only(glorot.audit({"qkv": whole}, XAVIER), "stddev")
    assert problem.names == ("qkv[q]", "qkv[k]", "qkv[v]")
    assert "sqrt(2) times too small" in problem.text
    assert "fused QKV initialised as one matrix?" in problem.text
    value = glorot.Blocks(glorot.GlorotUniform(layout="torch.linear"), 3)((288, 96), seed=0)
    value[192:] *= 3
    assert only(glorot.audit({"qkv": value}, XAVIER), "stddev").names == ("qkv[v]",)


@pytest.mark.parametrize(
    ("rule", "wrong", "words"),
    [
        ({"initializer": "he_normal", "layout": "BIO"}, {"layout": "*IO"}, "experts' axis"),
        ({"initializer": "he_uniform", "layout": "BIO"}, {"layout": "OI*"}, "experts' axis"),
        ({"initializer": "he_normal", "layout": "torch.conv_transpose"}, {"layout": "torch.conv"},
         "a transposed convolution's fans exchanged"),
        ({"initializer": "glorot_uniform", "layout": "keras.depthwise_conv"}, {"layout": "*IO"},
         "a depthwise or grouped kernel's channels"),
        ({"initializer": "he_normal", "layout": "torch.conv"}, {"layout": "keras.conv"},
         "the layout taken for another, as Keras"),
        ({"initializer": "he_normal", "layout": "OI*", "gain": 3.0}, {},
         "the rule's gain missing (3)?"),
        ({"initializer": "lecun_normal", "layout": "OI*"}, {"scale": 2.0},
         "He's scheme in its place"),
        ({"initializer": "he_normal", "layout": "OI*"}, {"scale": 1.0}, "the factor 2 of He's"),
        ({"initializer": "he_normal", "layout": "OI*"}, {"mode": "fan_avg"},
         "fan_avg in place of fan_in"),
    ],
)  # fmt: skip
def test_fans(rule, wrong, words):
    """A stddev by another count of the fans is found, and the count is named."""
    recipe = Recipe([Rule("w", **rule)])
    shape = (12, 20, 50) if "B" in rule["layout"] else (40, 12, 3, 3)
    shape = (3, 3, 40, 2) if "depthwise" in rule["layout"] else shape
    base = glorot.get(rule["initializer"])
    made = glorot.VarianceScaling(
        wrong.get("scale", base.scale), wrong.get("mode", base.mode), base.distribution,
        layout=wrong.get("layout", rule["layout"]),
    )  # fmt: skip
    problem = only(glorot.audit({"w": made(shape, seed=0)}, recipe), "stddev")
    assert words in problem.text


def test_the_cause_that_most_weights_share():
    """Of causes with one factor: a kernel with twice as many outputs as inputs has them exchanged,
    or lacks He's factor of 2, as two others do."""
    shapes = {"a": (300, 200), "b": (200, 400), "c": (400, 100)}
    recipe = Recipe([Rule("*", "kaiming_normal")])
    right = build(recipe, shapes)
    wrong = {name: value * np.float32(0.5**0.5) for name, value in right.items()}
    problem = only(glorot.audit(wrong, recipe), "stddev")
    assert len(problem.names) == 3
    assert "the factor 2 of He's scheme missing?" in problem.text
    turned = Recipe([Rule("*", "kaiming_normal", mode="fan_out")])
    problem = only(glorot.audit(build(turned, shapes), recipe), "stddev")
    assert len(problem.names) == 3
    assert "fan_in and fan_out exchanged?" in problem.text


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ("kaiming_normal", "He's scheme in its place?"),
        ("xavier_normal", "Glorot's scheme in its place?"),
        (glorot.VarianceScaling(1.0, "fan_in", "untruncated_normal"), "LeCun's scheme in its"),
    ],
)
def test_another_scheme(wrong, words):
    """The named schemes are known, in place of one with a gain."""
    shapes = {"a": (300, 220), "b": (200, 90), "c": (500, 130)}
    recipe = Recipe([Rule("*", "xavier_normal", gain="tanh")])
    model = build(Recipe([Rule("*", wrong)]), shapes)
    problem = only(glorot.audit(model, recipe), "stddev")
    assert len(problem.names) == 3
    assert words in problem.text


def test_half_the_depth():
    """A gain that a formula gives, of n layers where their branches are 2 n."""
    rules = [Rule("*", "normal", stddev=0.02, gain="1 / sqrt(2 * layers)")]
    recipe = Recipe(rules, variables={"layers": 12})
    half = Recipe(rules, variables={"layers": 6})
    model = build(half, {"a": (300, 200), "b": (100, 100)})
    words = "sqrt(2) times too large"
    problem = only(glorot.audit(model, recipe), "stddev")
    assert words in problem.text
    assert problem.text.endswith("depth scaling by 12 layers, and not by twice as many?")


@pytest.mark.parametrize(
    ("law", "init", "kind", "words"),
    [
        ("he_normal", glorot.HeUniform(), "shape", "another law of the same stddev"),
        ("he_normal", glorot.get("kaiming_normal"), "outside", "not cut off"),
        ("kaiming_normal", glorot.HeNormal(), "shape", "another law of the same stddev"),
        ("he_uniform", glorot.RandomUniform(0.0, 0.5), "stddev", ""),
        ("random_normal", glorot.RandomNormal(mean=0.005), "mean", "9.5 % of a stddev above"),
        ("random_normal", glorot.TruncatedNormal(), "stddev", "truncated at 2 stddevs without"),
    ],
)
def test_laws(law, init, kind, words):
    """Another law of the same stddev, another mean, a cut forgotten: 40,000 values tell."""
    recipe = Recipe([Rule("w", law)])
    assert words in only(glorot.audit({"w": init((200, 200), seed=3)}, recipe), kind).text


@pytest.mark.parametrize(("axis", "shards"), [(0, 2), (0, 4), (0, 3), (1, 2), (1, 8)])
def test_equal_shards(gpt2, axis, shards):
    """Each rank of a mesh drew the same: uneven last shards too. Without a recipe as well."""
    name = "h.0.mlp.c_fc.weight"
    size = -(-GPT2[name][axis] // shards)
    block = np.take(gpt2[name], range(size), axis)
    whole = np.take(np.concatenate([block] * shards, axis), range(GPT2[name][axis]), axis)
    for recipe in ("gpt2", None):
        problem = only(glorot.audit({**gpt2, name: whole}, recipe), "repeated")
        assert problem.names == (name,)
        assert f"{shards} of {shards} shards of {size} along axis {axis}" in problem.text


def test_equal_rows(gpt2):
    """One row drawn and copied."""
    name = "wpe.weight"
    row = np.tile(gpt2[name][:1], (50, 1))
    report = glorot.audit({**gpt2, name: row}, "gpt2")
    assert report.problems[0].text == (
        "50 of 50 slices along axis 0 hold the same values: one was drawn and copied?"
    )


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_draws_used_twice(scale):
    """A seeded initializer for two kernels: the same values, or the same in another scale."""
    recipe = Recipe([Rule("a", "random_normal"), Rule("b", "random_normal", stddev=0.05 * scale)])
    first = glorot.RandomNormal()((40, 30), seed=0, name="same")
    second = glorot.RandomNormal(stddev=0.05 * scale)((40 if scale == 1 else 80, 30), seed=0,
                                                      name="same")  # fmt: skip
    problem = only(glorot.audit({"a": first, "b": second}, recipe), "repeated")
    assert problem.names == ("a", "b")
    assert "used more than once?" in problem.text


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


def test_untied_head(gpt2):
    """A head that the recipe leaves out, since it is the embedding, and is not; a tied one, by
    memory or by value, is a note."""
    own = glorot.RandomNormal(stddev=0.02)((300, WIDTH), seed=9, name="lm_head.weight")
    problem = only(glorot.audit({**gpt2, "lm_head.weight": own}, "gpt2"), "untied")
    assert problem.names == ("lm_head.weight",)
    assert "'wte.weight', of its shape: an untied head?" in problem.text
    for tied in (gpt2["wte.weight"], gpt2["wte.weight"].copy()):
        report = glorot.audit({**gpt2, "lm_head.weight": tied}, "gpt2")
        assert report.ok
        assert any("tied: wte.weight, lm_head.weight" in note for note in report.notes)


def test_matrices():
    """Orthogonal weights that are not, or in another gain; a sparse one with other zeros."""
    model = build(ZOO, ZOO_SHAPES)
    noise = np.random.default_rng(0).standard_normal((40, 24)) * 1.5 / math.sqrt(40)
    noise *= 1.5 * math.sqrt(24) / np.linalg.norm(noise)
    report = glorot.audit({**model, "ortho": noise.astype(np.float32)}, ZOO)
    assert "where all 1.5 are promised: not orthogonal" in only(report, "matrix").text
    report = glorot.audit({**model, "ortho": model["ortho"] / 1.5}, ZOO)
    assert "1.5 times too small" in only(report, "stddev").text
    sparse = model["sparse"].copy()
    sparse[sparse == 0] = np.where(np.arange(1400) < 20, 0.01, 0.0)
    assert "zeros where 1,400" in only(glorot.audit({**model, "sparse": sparse}, ZOO), "shape").text
    eye = model["eye"].copy()
    eye[0, 1] = 1
    assert "1 of 400 values" in only(glorot.audit({**model, "eye": eye}, ZOO), "constant").text


def test_coverage(gpt2):
    """A parameter without a rule, a rule without a parameter, a shape that the rule refuses."""
    report = glorot.audit({**gpt2, "extra.kernel": np.ones((2, 2), np.float32)}, "gpt2")
    assert only(report, "coverage").text == "no rule of the recipe matches it"
    report = glorot.audit({k: v for k, v in gpt2.items() if k != "wpe.weight"}, "gpt2")
    assert only(report, "coverage").names == ("*wpe.weight",)
    lost, idle = glorot.audit(gpt2, "llama").problems
    assert len(lost.names) == len(gpt2)
    assert str(lost).endswith(
        " more: no rule of the recipe matches them: a recipe for another model?"
    )
    assert str(idle).endswith("6 more: the rules of these find no parameter")
    recipe = Recipe([Rule("*", "he_normal", layout="torch.linear")])
    assert "names 2 axes" in only(glorot.audit({"w": np.ones(3)}, recipe), "coverage").text


def test_the_seed(gpt2):
    """Other seeds, one byte, and bytes that are also wrong by statistics."""
    problem = only(glorot.audit(gpt2, "gpt2", 1), "seed")
    assert len(problem.names) == 2 + 4 * LAYERS
    one = {**gpt2, "wpe.weight": gpt2["wpe.weight"].copy()}
    one["wpe.weight"][3, 7] *= 1.5
    problem = only(glorot.audit(one, "gpt2", 0), "seed")
    assert problem.names == ("wpe.weight",)
    assert "1 of 3,200 values are not those of seed 0 (first at [3, 7]: " in problem.text
    twice = {**gpt2, "wpe.weight": 2 * gpt2["wpe.weight"]}
    only(glorot.audit(twice, "gpt2", 0), "stddev")


def test_the_worst_comes_first(gpt2):
    """Problems are in the order of their kinds."""
    model = {k: v * np.float32(2 if "c_proj.weight" in k else 1) for k, v in gpt2.items()}
    model["ln_f.weight"] = np.full(64, np.inf, np.float32)
    model["wpe.weight"] = np.zeros((50, WIDTH), np.float32)
    kinds = [problem.kind for problem in glorot.audit(model, "gpt2").problems]
    assert kinds == sorted(kinds, key=KINDS.index)
    assert kinds == ["not finite", "uninitialised", "stddev"]


# --- where the values come from ------------------------------------------------------------------


def test_checkpoints(gpt2, tmp_path):
    """One file, shards with an index, bfloat16; and the same rows as from memory."""
    recipe = glorot.recipe.load("gpt2")
    glorot.checkpoint.write(GPT2, recipe, tmp_path / "one", seed=0)
    glorot.checkpoint.write(GPT2, recipe, tmp_path / "many", seed=0, max_shard_size="100kB")
    memory = {row.title: row for row in glorot.audit(gpt2, "gpt2", 0).parameters}
    for path in (tmp_path / "one", tmp_path / "many", tmp_path / "one" / "model.safetensors"):
        report = glorot.audit(path, "gpt2", 0)
        assert report.ok
        assert {row.title: row for row in report.parameters} == memory
    wide = {name: value.astype(ml_dtypes.bfloat16) for name, value in gpt2.items()}
    safetensors.numpy.save_file(wide, tmp_path / "half.safetensors")
    assert glorot.audit(tmp_path / "half.safetensors", "gpt2", 0).ok


def test_broken_checkpoints(tmp_path):
    """A file that is cut off, and a tensor that is not where the index says, are problems."""
    glorot.checkpoint.write(GPT2, "gpt2", tmp_path, seed=0, max_shard_size="100kB")
    shard = sorted(tmp_path.glob("model-*.safetensors"))[-1]
    lost = list(safetensors.numpy.load_file(shard))
    shard.write_bytes(shard.read_bytes()[:-10])
    problems = glorot.audit(tmp_path, "gpt2").problems
    assert [problem.kind for problem in problems] == ["unreadable"]
    assert "lacks its last 10 bytes" in problems[0].text
    shard.unlink()
    problems = glorot.audit(tmp_path, "gpt2").problems
    assert {name for p in problems for name in p.names if p.kind == "unreadable"} == set(lost)


def test_trees_and_strides():
    """Nested mappings have dotted names; views that are not contiguous are read as they are."""
    whole = glorot.HeNormal(seed=0)((300, 200), name="w")
    recipe = Recipe([Rule("params.up.kernel", "he_normal", layout="OI")])
    report = glorot.audit({"params": {"up": {"kernel": whole.T, "steps": 3}}}, recipe)
    assert report.ok, str(report)
    assert report.parameters[0].shape == (200, 300)
    big_endian = whole.astype(">f4")
    assert glorot.audit({"w": big_endian}, Recipe([Rule("*", "he_normal")])).ok


def test_arguments():
    """What is refused, and how it is said."""
    recipe = Recipe([Rule("*", "zeros")])
    with pytest.raises(TypeError, match="`seed` says nothing without `recipe`"):
        glorot.audit({"w": np.ones(3)}, seed=1)
    with pytest.raises(TypeError, match="`model` must be the path of a checkpoint, a mapping"):
        glorot.audit(3, recipe)
    with pytest.raises(ValueError, match="`model` holds no parameters"):
        glorot.audit({}, recipe)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        glorot.audit("no/such/place", recipe)
    with pytest.raises(TypeError, match=r"'w' in `shapes`: `dtype` must be one of"):
        glorot.audit({"w": np.ones(3, complex)}, recipe)
    with pytest.raises(TypeError, match=r"`recipe` must be a glorot\.Recipe"):
        glorot.audit({"w": np.ones(3)}, 7)
    weight = glorot.HeNormal()((9, 5), seed=2, name="w")
    assert glorot.audit({"w": weight}, "he_normal", 2).ok  # one initializer, as init takes it
    with pytest.raises(TypeError, match="`progress` must be None or a function"):
        glorot.audit({"w": np.ones(3)}, recipe, progress=3)


def test_progress(gpt2):
    """It is told the bytes done and in all, the end included."""
    seen = []
    glorot.audit(gpt2, progress=lambda *done: seen.append(done))
    total = sum(value.nbytes for value in gpt2.values())
    assert len(seen) == len(GPT2)
    assert seen[-1] == (total, total)


def test_empty_and_single_values():
    """No elements, one, and a scalar: nothing is said of what nothing can be said of."""
    recipe = Recipe([Rule("*", "he_normal", layout="IO")])
    shapes = {"none": (0, 3), "one": (1, 1)}
    report = glorot.audit(build(recipe, shapes), recipe)
    assert report.ok, str(report)
    assert report.parameters[0].mean is None
