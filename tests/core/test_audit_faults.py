# SPDX-License-Identifier: Apache-2.0
"""The audit finds what was made wrong on purpose, and says why: scales, fans, laws, copies."""

import math

import audit_cases
import numpy as np
import pytest
from audit_cases import GPT2, LAYERS, WIDTH, ZOO, ZOO_SHAPES, build, only

import glorot
from glorot import Recipe, Rule
from glorot._audit._report import KINDS


@pytest.fixture(scope="module")
def gpt2():
    """A tiny GPT-2 as it should be; not to be changed."""
    return audit_cases.gpt2()


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


def test_trained_weights_are_no_untied_heads():
    """One rule leaves out weights of several shapes: they are trained, and one of them has the
    shape of a new weight."""
    normal = glorot.RandomNormal(stddev=0.02)
    shapes = {"old.0": (64, 64), "old.1": (64, 256), "new.0": (64, 64)}
    model = {name: normal(shape, seed=1, name=name) for name, shape in shapes.items()}
    recipe = Recipe([Rule("new.*", normal), Rule("*", None)])
    assert glorot.audit(model, recipe, 1).ok


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


@pytest.mark.parametrize(
    ("values", "init", "words"),
    [
        ([1] * 63 + [1.0001], "ones", "from 1 to 1.0001, stddev 1.24e-05, where 1 is promised"),
        ([1.0000001] * 64, "ones", "all 1.0000001 where 1 is promised"),
        ([0.30000001] * 9, glorot.Constant(0.3), ""),
    ],
)
def test_numbers_that_differ_look_different(values, init, words):
    """What is found is written in as many digits as tell it from what is promised, and its ends
    apart; rounded to the dtype it may be what is promised."""
    report = glorot.audit({"w": np.array(values, np.float32)}, Recipe([Rule("*", init)]))
    assert report.ok == (not words), str(report)
    assert words in str(report)


def test_an_end_that_is_hardly_outside():
    """The ends of a uniform law and those found are written as different numbers."""
    init = glorot.RandomUniform(-0.1083, 0.1083)
    values = init((256, 256), seed=1, name="w") * np.float32(1.0003)
    problem = only(glorot.audit({"w": values}, Recipe([Rule("*", init)])), "outside")
    assert "values from -0.10833 to 0.10833, " in problem.text
    assert "ends at -0.1083 and 0.1083: " in problem.text


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
