# SPDX-License-Identifier: Apache-2.0
"""glorot.testing: what passes, what fails, and what the failure says."""

import ml_dtypes
import numpy as np
import pytest

import glorot
from glorot import Recipe, Rule
from glorot.testing import assert_initialized, assert_same_init

RECIPE = Recipe([Rule("*.bias", "zeros"), Rule("*", "he_normal", layout="torch.linear")])
SHAPES = {"up.weight": (60, 40), "up.bias": (60,), "down.weight": (40, 60)}


@pytest.fixture
def model():
    """The arrays of the recipe and seed 3."""
    return {
        a.name: a.initializer(a.shape, a.dtype, seed=3, name=a.name) for a in RECIPE.resolve(SHAPES)
    }


def test_initialized(model):
    """The right values pass, with the seed and without, and the report comes back."""
    assert assert_initialized(model, RECIPE, seed=3).ok
    report = assert_initialized(model, RECIPE)
    assert {row.name for row in report.parameters} == set(SHAPES)
    assert all(row.singular is None for row in report.parameters)


def test_another_seed_fails_and_passes_without(model):
    """With a seed every byte counts; the message says that the law at least fits."""
    with pytest.raises(AssertionError) as caught:
        assert_initialized(model, RECIPE, seed=4)
    (line,) = str(caught.value).splitlines()
    assert line.startswith("up.weight, down.weight: 2,400 of 2,400 values are not those of seed 4")
    assert "their law fits: another seed or name" in line


def test_each_problem_is_a_line(model):
    """The worst first."""
    model["up.weight"] = 3 * model["up.weight"]
    model["down.weight"] = np.zeros((40, 60), np.float32)
    with pytest.raises(AssertionError) as caught:
        assert_initialized(model, RECIPE)
    first, second = str(caught.value).splitlines()
    assert first.startswith("down.weight: all 0 where TN(")
    assert second.startswith("up.weight: stddev is 2.96 times too large")


def test_bad_arguments(model):
    """What is no model, recipe, or seed is no failed assertion."""
    with pytest.raises(TypeError, match="`recipe` must be"):
        assert_initialized(model, 3)
    with pytest.raises(ValueError, match="`seed` must"):
        assert_initialized(model, RECIPE, seed=-1)
    with pytest.raises(TypeError, match="`names` must be a mapping"):
        assert_same_init(model, model, names=[1])
    with pytest.raises(ValueError, match=r"`names` names 'up', which the first model does not"):
        assert_same_init(model, model, names={"up": "down"})
    with pytest.raises(ValueError, match="`layout` must be one letter an axis"):
        assert_same_init(model, model, layouts={"*": "?"})


def test_same(model, tmp_path):
    """Equal arrays, copies, a checkpoint of them, and half precision rounded once."""
    assert_same_init(model, {name: value.copy() for name, value in model.items()})
    glorot.checkpoint.write(SHAPES, RECIPE, tmp_path, seed=3)
    assert_same_init(model, tmp_path)
    half = {name: value.astype(ml_dtypes.bfloat16) for name, value in model.items()}
    assert_same_init(model, half)
    assert_same_init(half, model)
    cut = {
        name: (value.view(np.uint32) & 0xFFFF0000).view(np.float32).astype(ml_dtypes.bfloat16)
        for name, value in model.items()
    }
    with pytest.raises(AssertionError, match=r"up\.weight: 1,[12]\d\d of 2,400 values differ"):
        assert_same_init(model, cut)


def test_layouts(model):
    """(out, in) and (in, out) by their layouts, experts and convolutions too; a forgotten
    transpose fails, also where the shapes are equal."""
    theirs = {
        "up/kernel": np.ascontiguousarray(model["up.weight"].T),
        "up/bias": model["up.bias"],
        "params": {"down": {"kernel": model["down.weight"].T}},
    }
    ours = {**model}
    layouts = {"*.weight": "torch.linear"}
    assert_same_init(ours, theirs, layouts=layouts)
    with pytest.raises(AssertionError, match="no layout says how one becomes the other"):
        assert_same_init(ours, theirs)
    square = np.arange(9.0).reshape(3, 3)
    assert_same_init({"a.weight": square}, {"a.kernel": square.T}, layouts=layouts)
    with pytest.raises(AssertionError, match=r"a.weight and a.kernel: 6 of 9 values differ"):
        assert_same_init({"a.weight": square}, {"a.kernel": square}, layouts=layouts)
    conv = np.arange(120.0).reshape(2, 3, 4, 5)
    assert_same_init(
        {"c.weight": conv.transpose(3, 2, 0, 1)}, {"c.kernel": conv}, layouts={"*.weight": "OI*"}
    )
    experts = np.arange(60.0).reshape(3, 4, 5)
    assert_same_init(
        {"e": experts}, {"e.T": experts.transpose(0, 2, 1)}, names={"e": "e.T"},
        layouts={"e": "BIO", "e.T": "BOI"},
    )  # fmt: skip
    with pytest.raises(AssertionError, match="are not the same kernel: give `layouts`"):
        assert_same_init({"e": experts}, {"e": experts[:, :, :4]}, layouts={"e": "BIO"})


def test_names(model):
    """What one of them lacks is said, with what to do; `names` renames."""
    other = {f"model.{name}": value for name, value in model.items()}
    with pytest.raises(AssertionError) as caught:
        assert_same_init(model, other)
    assert str(caught.value) == (
        "only the first model has 'up.weight', 'up.bias', 'down.weight'; only the second model has "
        "'model.up.weight', 'model.up.bias', 'model.down.weight'. Say with `names` what they are "
        "called in the second model."
    )
    assert_same_init(model, other, names={name: f"model.{name}" for name in model})


def test_atol(model):
    """Values may be apart by so much, and the message says by how much they are."""
    near = {name: value + np.float32(1e-6) for name, value in model.items()}
    assert_same_init(model, near, atol=2e-6)
    with pytest.raises(AssertionError, match="values differ, by at most 1"):
        assert_same_init(model, near)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("other", [1.0, np.inf])
def test_what_is_no_number_differs(other):
    """NaN and a number, without a warning; NaN is NaN, an infinity itself."""
    nothing, one = {"w": np.full(3, np.nan)}, {"w": np.full(3, other)}
    with pytest.raises(AssertionError, match=r"^w: 3 of 3 values differ; the first .* is nan and"):
        assert_same_init(nothing, one)
    some = {"w": np.array([np.nan, np.inf, 2.0])}
    with pytest.raises(AssertionError, match="1 of 3 values differ, by at most 1; the first"):
        assert_same_init(some, {"w": np.array([np.nan, np.inf, 3.0])})
    assert_same_init(some, {"w": some["w"].copy()})


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.int8([1, 2]), np.float32([1.4, 2.4])),
        (np.array([True, False]), np.float32([0.4, 0.0])),
        (np.uint8([255]), np.int8([-1])),
        (np.uint64([2**64 - 1]), np.int64([-1])),
        (np.int64([2**53 + 1]), np.int64([2**53])),
        (np.int64([2**53 + 1]), np.float64([2.0**53])),
        (np.uint64([2**63 + 1]), np.uint64([2**63])),
        (np.int64([-(2**63)]), np.int64([-(2**63) + 1])),
        (np.int64([-1]), np.float64([np.nextafter(-1.0, 0.0)])),
        (np.int64([0]), np.float64([5e-324])),
        (np.int32([2**31 - 1]), np.float32([np.inf])),
        (np.int32([0]), np.float32([np.nan])),
    ],
)
def test_integers_are_compared_exactly(one, other):
    """No float, no bool and no other integer is rounded to what it is not; what is the same number
    passes in whatever dtype."""
    for a, b in ((one, other), (other, one)):
        with pytest.raises(AssertionError, match=r"of \d values differ"):
            assert_same_init({"w": a}, {"w": b})
    whole = one if one.dtype.kind != "f" else other
    for dtype in ("float64", "int64", "uint64"):
        same = whole.astype(dtype)
        if [int(n) for n in same] == [int(n) for n in whole]:
            assert_same_init({"w": whole}, {"w": same})
            assert_same_init({"w": same}, {"w": whole})


def test_integers_that_differ_are_told():
    """As whole numbers, with how far they are apart; `atol` is about that."""
    one, other = {"w": np.int64([5, 2**53 + 1])}, {"w": np.int64([5, 2**53])}
    with pytest.raises(AssertionError) as caught:
        assert_same_init(one, other)
    assert str(caught.value) == (
        "w: 1 of 2 values differ, by at most 1; the first in canonical order is 9007199254740993 "
        "and 9007199254740992"
    )
    assert_same_init(one, other, atol=1.0)
    with pytest.raises(AssertionError):
        assert_same_init(one, other, atol=0.9)


def test_the_finer_of_two_small_floats_is_rounded():
    """float16 has more digits than bfloat16, of one size, whichever comes first."""
    half = np.random.default_rng(0).normal(size=99).astype(np.float16)
    brain = half.astype(ml_dtypes.bfloat16)
    assert (half.astype(float) != brain.astype(float)).any()
    assert_same_init({"w": half}, {"w": brain})
    assert_same_init({"w": brain}, {"w": half})


def test_specs_say_what_arrays_do_not():
    """The types and axes of layers, without which a preset fits no tree; of this model alone."""
    specs = {
        "up.weight": glorot.recipe.TensorSpec((64, 32), type="Linear", layout="torch.linear"),
        "up.bias": {"shape": (64,), "type": "Linear"},
        "elsewhere": (3,),
    }
    kept = {name: specs[name] for name in ("up.weight", "up.bias")}
    model = {
        a.name: a.initializer(a.shape, seed=0, name=a.name)
        for a in glorot.recipe.preset("torch").resolve(kept)
    }

    report = assert_initialized(model, "torch", seed=0, specs=specs)

    assert report.parameters[0].fans == (32.0, 64.0)
    assert not glorot.audit(model, "torch", 0).ok
    with pytest.raises(ValueError, match="`specs` knows no array of `model`: 'elsewhere' is"):
        assert_initialized(model, "torch", specs={"elsewhere": (3,)})
    with pytest.raises(ValueError, match=r"'up.bias' has the shape \(63,\), and in `model` it has"):
        assert_initialized(model, "torch", specs={"up.bias": (63,)})
