# SPDX-License-Identifier: Apache-2.0
"""Weights that are kept by weight norm: one rule, a direction and a length."""

import math
import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import glorot
from glorot import Recipe, Rule, _weight_norm, checkpoint
from glorot._laws import truncated_kurtosis
from glorot._weight_norm import Direction, Length

NORMAL = glorot.RandomNormal(stddev=0.5)
UNIFORM = glorot.GlorotUniform(layout="torch.conv")
PARAMETRIZED = "conv.parametrizations.weight.original0", "conv.parametrizations.weight.original1"
HOOKED = "conv.weight_g", "conv.weight_v"


def shapes_of(names, length=(6, 1, 1), weight=(6, 4, 3)):
    """A convolution whose weight is kept in two tensors of these names."""
    return {names[0]: length, names[1]: weight, "conv.bias": (6,)}


RECIPE = Recipe([Rule("*.bias", "zeros"), Rule("conv.weight", UNIFORM)])


@pytest.mark.parametrize("names", [PARAMETRIZED, HOOKED])
@pytest.mark.parametrize("length", [(6, 1, 1), (1, 1, 3), (1, 4, 3), (1, 1, 1), ()])
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_both_follow_from_the_weight(names, length, dtype):
    """The direction is what the weight would be, the length its norms, to half a unit of the dtype:
    under the name of the weight, with its fans."""
    found = {a.name: a for a in RECIPE.resolve(shapes_of(names, length), dtype=dtype)}
    g, v = (found[n].initializer(found[n].shape, found[n].dtype, seed=3, name=n) for n in names)
    weight = UNIFORM((6, 4, 3), dtype, seed=3, name="conv.weight")
    assert v.tobytes() == weight.tobytes()
    axes = tuple(axis for axis, n in enumerate(length) if n == 1) if length else None
    exact = np.sqrt((weight.astype(np.longdouble) ** 2).sum(axes)).reshape(length)
    unit = {"float32": 2.0**-24, "float64": 2.0**-51, "bfloat16": 2.0**-8}[dtype]
    assert g.shape == length
    assert (np.abs(g.astype(np.longdouble) - exact) <= unit * exact * 1.0001).all()
    assert found[names[0]].fans == found[names[1]].fans == UNIFORM.fans((6, 4, 3))
    assert found[names[1]].stddev == UNIFORM.expected_stddev((6, 4, 3))


@given(
    rows=st.integers(1, 5), columns=st.integers(0, 70), seed=st.integers(0, 2**64 - 1),
    stddev=st.sampled_from([1e-20, 1e-3, 1.0, 1e15]),
)  # fmt: skip
def test_sums_are_exact_enough(rows, columns, seed, stddev):
    """Of any number of values, of any size: within a unit of the correctly rounded root."""
    normal = glorot.RandomNormal(stddev=stddev)
    found = Length(normal, "w", (rows, columns))((rows, 1), "float64", seed=seed)
    values = normal((rows, columns), "float64", seed=seed, name="w").tolist()
    exact = [math.sqrt(math.fsum(x * x for x in row)) for row in values]
    assert np.allclose(found[:, 0], exact, rtol=1e-15, atol=0)


def test_the_order_of_the_sums():
    """docs/stream.md: halves are added, an odd last value to the first sum."""
    values = [3.0, 1e-8, 7.0, 2e-8, 5.0]
    a, b = [x * x for x in values[:2]], [x * x for x in values[2:4]]
    first = (a[0] + b[0]) + values[4] ** 2
    expected = math.sqrt(first + (a[1] + b[1]))
    chosen = glorot.Blocks([glorot.Constant(x) for x in values], [1] * 5, axis=0)
    assert Length(chosen, "w", (5,))((1,), "float64").tolist() == [expected]


def test_moments():
    """Exact of a normal law, in standard errors; of others nearly so. The root of the mean square,
    and a kurtosis of 3, would be refused."""
    count, rows = 16, 200_000
    for init in (NORMAL, glorot.RandomUniform(-1, 1), glorot.TruncatedNormal(stddev=2.0)):
        exact = init is NORMAL
        length = Length(init, "w", (rows, count))
        norms = length((rows, 1), "float64", seed=1)
        mean, stddev = length.expected_mean((rows, 1)), length.expected_stddev((rows, 1))
        error = stddev / math.sqrt(rows)
        room = 5 * error if exact else 5 * error + 0.002 * stddev
        assert abs(norms.mean() - mean) < room
        assert abs(norms.mean() - math.sqrt(count) * init.expected_stddev(())) > 2 * room
        room = 5 * error if exact else 5 * error + 0.02 * stddev
        assert abs(norms.std() - stddev) < room
        normal = init.expected_stddev(()) / math.sqrt(2)  # as if of normal values
        assert exact or abs(norms.std() - normal) > 3 * room


def test_kurtosis_of_cut_normals():
    """Against the moments of a million quantiles; 3 where nothing is cut."""
    for lower, upper in ((-2.0, 2.0), (-1.0, 3.0), (0.5, math.inf)):
        x = _quantiles(lower, upper)
        centred = x - x.mean()
        measured = (centred**4).mean() / (centred**2).mean() ** 2
        assert truncated_kurtosis(lower, upper) == pytest.approx(measured, rel=2e-3)
    assert truncated_kurtosis(-math.inf, math.inf) == pytest.approx(3.0)


def _quantiles(lower, upper):
    """Points of N(0, 1) cut to [lower, upper], by their density."""
    x = np.linspace(max(lower, -9), min(upper, 9), 2_000_001)
    density = np.exp(-x * x / 2)
    mass = np.cumsum(density) / density.sum()
    return np.interp((np.arange(1_000_000) + 0.5) / 1_000_000, mass, x)


# --- which tensors are halves ---------------------------------------------------------------------


def found_of(shapes, rules):
    """The initializer of each."""
    return {a.name: a.initializer for a in Recipe(rules).resolve(shapes)}


def test_names_that_are_no_halves():
    """Two tensors of the same shape, as RWKV's time_mix_g, a half alone, and other names."""
    for shapes in (
        {"weight_g": (3, 4), "weight_v": (3, 4)},
        {"weight_g": (3, 2), "weight_v": (3, 4)},
        {"weight_g": (1,), "weight_v": (3, 4)},
        {"time_mix_g": (1, 1, 4), "time_mix_v": (2, 3, 4)},
        {"weight_g": (3, 1)},
        {"a.weight_g": (3, 1), "b.weight_v": (3, 4)},
        {"parametrizations.weight.original0": (3, 4), "parametrizations.weight.original1": (3, 4)},
        {"parametrizations.weight.original": (3, 4)},
    ):
        assert set(found_of(shapes, [Rule("*", NORMAL)]).values()) == {NORMAL}


def test_rules_of_the_weight_and_of_a_half():
    """The first rule that is for either; one that matches a half and not the weight is for it
    alone, and one of None leaves out both."""
    shapes = shapes_of(HOOKED)
    every = found_of(shapes, [Rule("*", NORMAL)])
    assert every[HOOKED[0]] == Length(NORMAL, "conv.weight", (6, 4, 3))
    assert every[HOOKED[1]] == Direction(NORMAL, "conv.weight")
    alone = found_of(shapes, [Rule("*.weight_g", "ones"), Rule("*", NORMAL)])
    assert alone[HOOKED[0]] == glorot.Ones()
    assert alone[HOOKED[1]] == Direction(NORMAL, "conv.weight")
    later = found_of(shapes, [Rule("*", NORMAL), Rule("*.weight_g", "ones", optional=True)])
    assert later[HOOKED[0]] == every[HOOKED[0]]
    assert list(found_of(shapes, [Rule("*.weight", None), Rule("*", "zeros")])) == ["conv.bias"]
    with pytest.raises(ValueError, match=r"no rule matches 'conv.weight_g', 'conv.weight_v'"):
        found_of(shapes, [Rule("*.bias", "zeros")])


def test_conditions_scales_and_siblings_are_the_weights():
    """The shape, the layer and the axes of the weight hold for its length; a bias has its fans."""
    layer = {"type": "Conv1d", "layout": "torch.conv", "groups": 2}
    shapes = {
        "h.0.weight_g": {"shape": (6, 1, 1), **layer},
        "h.0.weight_v": {"shape": (6, 4, 3), **layer},
        "h.0.bias": {"shape": (6,), **layer},
    }
    rules = [
        Rule("*.bias", "lecun_uniform", fans_of="weight"),
        Rule("*", "he_normal", where={"ndim": 3, "type": "Conv1d"}, gain="1 / sqrt(size)",
             layers="h.*."),
    ]  # fmt: skip
    recipe = Recipe(rules, variables={"size": {"size": "*.weight", "axis": 0}})
    found = {a.name: a for a in recipe.resolve(shapes)}
    weight = {a.name: a for a in recipe.resolve(
        {"h.0.weight": {"shape": (6, 4, 3), **layer}, "h.0.bias": {"shape": (6,), **layer}}
    )}  # fmt: skip
    of = weight["h.0.weight"].initializer
    assert found["h.0.weight_v"].initializer == Direction(of, "h.0.weight")
    assert found["h.0.weight_g"].initializer == Length(of, "h.0.weight", (6, 4, 3))
    assert found["h.0.bias"].initializer == weight["h.0.bias"].initializer
    assert found["h.0.weight_v"].stddev == weight["h.0.weight"].stddev
    assert found["h.0.weight_v"].why[-1] == "the values of 'h.0.weight'"


def test_blocks_and_matrices():
    """A fused weight is cut as it would be, and one that is drawn whole is whole."""
    shapes = {"up.weight_g": (6, 1), "up.weight_v": (6, 4)}
    for rule, of in (
        (Rule("*.weight", "he_normal", layout="torch.linear", blocks=3), None),
        (Rule("*.weight", "orthogonal"), glorot.Orthogonal()),
    ):
        recipe = Recipe([rule])
        (weight,) = recipe.resolve({"up.weight": (6, 4)})
        assert of is None or weight.initializer == of
        whole = weight.initializer((6, 4), seed=1, name="up.weight")
        g, v = (a.initializer(a.shape, seed=1, name=a.name) for a in recipe.resolve(shapes))
        assert v.tobytes() == whole.tobytes()
        assert np.allclose(g[:, 0], np.linalg.norm(whole, axis=1), rtol=1e-6)
        model = {"up.weight_g": g, "up.weight_v": v}
        assert glorot.audit(model, recipe).ok
        assert glorot.audit(model, recipe, seed=1).ok


def test_as_values():
    """They compare, print, scale and are sent to other processes as every initializer."""
    for half in (Direction(NORMAL, "w"), Length(NORMAL, "w", (6, 4))):
        assert pickle.loads(pickle.dumps(half)) == half
        assert half.scaled(2.0) == type(half)(*[
            glorot.RandomNormal(stddev=1.0) if x is NORMAL else x
            for x in (half.of, half.weight, *([half.whole] if isinstance(half, Length) else []))
        ])  # fmt: skip
        assert half.replace(dtype="float64").of.dtype == "float64"
        assert half.random
    assert not Length(glorot.Ones(), "w", (6, 4)).random
    assert repr(Direction(NORMAL, "w")) == f"Direction(of={NORMAL!r}, weight='w')"


def test_refused():
    """Shapes that are no norms', and whole numbers."""
    length = Length(NORMAL, "w", (6, 4))
    for shape in ((6,), (6, 2), (6, 4, 1)):
        with pytest.raises(
            ValueError, match=r"the norms of a weight of shape \(6, 4\) have as many"
        ):
            length(shape, seed=1)
    with pytest.raises(TypeError, match="norms are no whole numbers, got dtype int32"):
        Length(glorot.Ones(), "w", (6, 4))((6, 1), "int32")


# --- files and audits -----------------------------------------------------------------------------


def test_a_checkpoint_of_both(tmp_path):
    """Written in many files and by two ranks, the bytes are those of one; verified, explained and
    audited by the recipe in its manifest; a change of either is found."""
    shapes = shapes_of(PARAMETRIZED, weight=(6, 40, 30))
    checkpoint.write(shapes, RECIPE, tmp_path / "one", seed=3)
    checkpoint.write(shapes, RECIPE, tmp_path / "many", seed=3, max_shard_size=20_000)
    for rank in (1, 0):
        checkpoint.write(shapes, RECIPE, tmp_path / "ranks", seed=3, rank=rank, world_size=2)
    for folder in ("one", "many", "ranks"):
        assert checkpoint.verify(tmp_path / folder, RECIPE, seed=3).equal
        assert glorot.audit(tmp_path / folder, RECIPE).ok
        assert glorot.audit(tmp_path / folder, RECIPE, seed=3).ok
    from safetensors.numpy import load_file, save_file

    held = load_file(tmp_path / "one" / "model.safetensors")
    save_file(held, tmp_path / "again.safetensors")  # by a program that says nothing of a recipe
    assert checkpoint.verify(tmp_path / "again.safetensors", RECIPE, seed=3).equal
    for change in (1.1, 0.0):
        other = held | {PARAMETRIZED[0]: held[PARAMETRIZED[0]] * np.float32(change)}
        report = checkpoint.verify(_saved(other, tmp_path), RECIPE, seed=3)
        assert [c.name for c in report.tensors if c.status != "equal"] == [PARAMETRIZED[0]]
        found = glorot.audit(tmp_path / "changed.safetensors", RECIPE)
        assert [p.names for p in found.problems] == [(PARAMETRIZED[0],)]
        assert found.problems[0].kind == ("norms" if change else "uninitialised")


def _saved(tensors, folder):
    from safetensors.numpy import save_file

    save_file(tensors, folder / "changed.safetensors")
    return folder / "changed.safetensors"


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("init", [NORMAL, UNIFORM, glorot.HeNormal(layout="torch.conv")])
def test_no_false_alarm_of_the_audit(dtype, init):
    """Norms of a weight that others drew, rounded or not, along each axis; twice as large they are
    found."""
    recipe = Recipe([Rule("conv.weight", init)])
    for seed in range(50):
        for length in ((40, 1, 1), (1, 1, 7), (), (1, 20, 1)):
            v = init((40, 20, 7), dtype, seed=seed, name="other")
            axes = tuple(axis for axis, n in enumerate(length) if n == 1) if length else None
            g = np.sqrt((v.astype(np.float64) ** 2).sum(axes)).reshape(length).astype(v.dtype)
            report = glorot.audit({"conv.weight_g": g, "conv.weight_v": v}, recipe)
            assert report.ok, (seed, length, report)
            wrong = glorot.audit({"conv.weight_g": g + g, "conv.weight_v": v}, recipe)
            assert [p.names for p in wrong.problems] == [("conv.weight_g",)], (seed, length)


def test_names_of_halves_that_are_none():
    """A module that has the weight itself has no weight norm; whole numbers are no norms."""
    alone = {"a.weight": (4, 2), "a.weight_g": (6, 1), "a.weight_v": (6, 3), "a.bias": (4,)}
    rules = [Rule("a.bias", "lecun_uniform", fans_of="weight"), Rule("*", "he_normal", layout="OI")]
    found = {a.name: a for a in Recipe(rules).resolve(alone)}
    assert found["a.weight_g"].initializer == found["a.weight"].initializer
    assert found["a.bias"].fans == (2.0, 4.0)
    values = {n: a.initializer(a.shape, seed=1, name=n) for n, a in found.items()}
    assert not set(values["a.weight"].ravel()) & set(values["a.weight_v"].ravel())
    counts = {"a.weight_g": {"shape": [6, 1], "dtype": "int64"}, "a.weight_v": (6, 3)}
    kept = Recipe([Rule("*_g", "zeros"), Rule("*", "normal")]).resolve(counts)
    assert [a.law for a in kept] == ["Zeros", "N(0, 0.05)"]
    with pytest.raises(TypeError, match=r"'a.weight_g' of shape \(6, 1\) cannot be initialised"):
        Recipe([Rule("*", "normal")]).resolve(counts)


@pytest.mark.parametrize("of", [NORMAL, UNIFORM, glorot.Orthogonal(), glorot.Blocks(NORMAL, 3)])
@pytest.mark.parametrize("length", [(6, 1, 1), (1, 4, 1), (6, 4, 1), (1, 4, 3), (1, 1, 1), ()])
@pytest.mark.parametrize("slab", [1, 7, 30])
def test_slabs(monkeypatch, of, length, slab):
    """However little of the weight is in memory at once, the bytes are the same."""
    init = Length(of, "w", (6, 4, 3))
    whole = init(length, seed=3)
    monkeypatch.setattr(_weight_norm, "_SLAB", slab)
    assert init(length, seed=3).tobytes() == whole.tobytes()


def test_memory_of_lengths():
    """It is not the weight's, which may be as large as a model."""
    init = Length(NORMAL, "w", (8192, 4096))
    init((8192, 1), seed=0)
    tracemalloc.start()
    init((8192, 1), seed=0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100e6  # of 134 MB


@pytest.mark.parametrize("shape", [(8, 64), (64, 64), (64, 16)])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
@pytest.mark.parametrize("dim", [0, None])
def test_the_norms_of_an_orthogonal_weight_are_audited(shape, dtype, dim):
    """Of orthonormal rows all are the gain: neither an alarm, nor is another length right."""
    recipe = Recipe([Rule("weight", glorot.Orthogonal(1.5, layout="torch.linear"))])
    length = (shape[0], 1) if dim == 0 else ()
    specs = {
        "weight_g": {"shape": length, "dtype": dtype},
        "weight_v": {"shape": shape, "dtype": dtype},
    }
    for seed in range(20):
        made = {
            a.name: a.initializer(a.shape, dtype, seed=seed, name=a.name)
            for a in recipe.resolve(specs)
        }
        report = glorot.audit(made, recipe)
        assert report.ok, str(report)
    of_one_length = dim is None or shape[0] <= shape[1]
    for wrong in (0.0, 1.1 if of_one_length else 2.0):
        assert not glorot.audit(
            made | {"weight_g": made["weight_g"] * np.float32(wrong)}, recipe
        ).ok
