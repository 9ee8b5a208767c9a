# SPDX-License-Identifier: Apache-2.0
"""The audit finds nothing in what is right, and reads whatever holds a model."""

import json
import math

import audit_cases
import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
from audit_cases import GPT2, ZOO, ZOO_SHAPES, build

import glorot
from glorot import Recipe, Rule


@pytest.fixture(scope="module")
def gpt2():
    """A tiny GPT-2 as it should be; not to be changed."""
    return audit_cases.gpt2()


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.parametrize(
    "init",
    [
        glorot.RandomUniform(-0.1083, 0.1083),
        glorot.RandomNormal(stddev=0.02),
        glorot.RandomNormal(stddev=1e-6),  # subnormal numbers of float16
        glorot.RandomNormal(100.0, 3.0),
        glorot.Blocks([glorot.HeNormal(), "zeros", glorot.GlorotUniform()], 3, axis=1),
    ],
)
def test_float32_that_holds_float16(init, gpt2):
    """Judged as float16, blocks of constants too, in runs of which some could be bfloat16; what
    float16 cut off is told as such."""
    recipe = Recipe([Rule("w", init)])
    value = init((600, 900), seed=0, name="w", dtype="float16")
    report = glorot.audit({"w": value.astype(np.float32)}, recipe, singular_values=False)
    assert report.ok, str(report)
    (note,) = report.notes
    assert note.startswith("float32 that holds float16 values, and is judged as such: w")
    exact = glorot.audit({"w": value}, recipe, singular_values=False)
    for mine, theirs in zip(report.parameters, exact.parameters, strict=True):
        assert (mine.distinct, mine.stddev, mine.zeros, mine.distance) == (
            theirs.distinct, theirs.stddev, theirs.zeros, theirs.distance,
        )  # fmt: skip
    for part in (600, 300):  # of the rows; the rest has all of its digits
        wide = init((600, 900), seed=0, name="w")
        wide[:part] = wide[:part].astype(np.float16)
        report = glorot.audit({"w": wide}, recipe, singular_values=False)
        assert bool(report.notes) == (part == 600)
    cut = value.astype(np.float32)
    cut.view(np.uint32)[...] &= 0xFFFFC000  # one bit less than float16 has
    kinds = {problem.kind for problem in glorot.audit({"w": cut}, recipe).problems}
    assert kinds or init.expected_stddev((600, 900)) < 1e-5


def test_what_float16_does_not_have_is_float32():
    """Too large for it, too small, or of as few digits and neither: the law's own dtype."""
    for scale, ok in ((2.0**17, False), (2.0**-30, False), (1.0, True)):
        drawn = glorot.RandomUniform(-1.0, 1.0)((64, 64), "float16", seed=0, name="w")
        init = glorot.RandomUniform(-scale, scale)
        model = {"w": drawn.astype(np.float32) * np.float32(scale)}
        notes = glorot.audit(model, Recipe([Rule("w", init)])).notes
        assert bool(notes) == ok
    tiny = Recipe([Rule("w", glorot.RandomNormal(stddev=1e-9))])
    (problem,) = glorot.audit({"w": np.zeros((64, 64), np.float32)}, tiny).problems
    assert problem.text.startswith("all 0 where")  # which all of them are in float16


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


@pytest.mark.parametrize(
    "tree",
    [
        {"a": {"b": np.ones(64)}, "a.b": np.arange(64.0)},
        {"a": [np.ones(64)], "a.0": np.arange(64.0)},
        {1: np.ones(64), "1": np.arange(64.0)},
    ],
)
def test_two_arrays_of_one_name(tree):
    """No rule, no line of the report and no pair could tell one from the other."""
    for known in (None, "ones"):
        with pytest.raises(ValueError, match=r"`model` has two arrays of the name '.*Rename one"):
            glorot.audit(tree, known)
    with pytest.raises(ValueError, match="two arrays of the name"):
        glorot.testing.assert_same_init(tree, tree)


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
