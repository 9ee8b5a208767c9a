# SPDX-License-Identifier: Apache-2.0
"""Rules of weights in blocks: fused projections, gates, heads, experts."""

import math
import re

import numpy as np
import pytest
from rule_cases import NORMAL, one

import glorot
from glorot import Rule
from glorot.recipe import TensorSpec


def within(values, stddev):
    """Whether the root mean square of values is within 5 standard errors of `stddev`."""
    squares = np.square(np.asarray(values, np.float64))
    return abs(squares.mean() - stddev**2) <= 5 * squares.std() / math.sqrt(squares.size)


def test_fused_qkv():
    """Grouped-query blocks have their own fans and gains; one matrix for all is rejected."""
    parts = [{"name": "q", "size": "n_head", "gain": 0.5}, "n_kv", "n_kv"]
    rule = Rule("*", "xavier_normal", layout="torch.linear", blocks=parts, gain="gelu")
    found = one(rule, (768, 512), {"n_head": 16, "n_kv": 4})
    assert [block.name for block in found.blocks] == ["q", "1", "2"]
    assert [block.shape for block in found.blocks] == [(512, 512), (128, 512), (128, 512)]
    gain = glorot.gain("gelu")
    w = found.initializer((768, 512), seed=1, name="w")
    for block, values in zip(found.blocks, np.split(w, [512, 640]), strict=True):
        rows = len(values)
        stddev = gain * (0.5 if rows == 512 else 1.0) * math.sqrt(2 / (512 + rows))
        assert block.stddev == pytest.approx(stddev, rel=1e-14)
        assert within(values, stddev)
        for wrong in (gain * math.sqrt(2 / (512 + 768)), stddev * 2, stddev / gain):
            assert not within(values, wrong)


def test_blocks_of_their_own():
    """A block may have another initializer, other options or a gain; the axes are the rule's."""
    change = {
        "q": {"gain": 2.0},
        "k": {"initializer": "he_normal"},
        "v": {"stddev": "0.1 / n", "gain": "1 / 2"},
    }
    rule = Rule(
        "*", "random_normal", stddev=0.02, layout="torch.linear",
        blocks={"parts": "qkv", "change": change},
    )  # fmt: skip
    q, k, v = one(rule, (12, 8), {"n": 2}).blocks
    assert (q.stddev, q.gain) == (0.04, 2.0)
    assert (k.stddev, k.fans, k.gain) == (pytest.approx(0.5, rel=1e-12), (8.0, 4.0), 1.0)
    assert (v.stddev, v.gain) == (0.025, 0.5)


def test_scales_are_for_the_blocks_of_the_rule_s_initializer():
    """Depth and width scaling spare a block with an initializer of its own."""
    rule = Rule("*", NORMAL, layers=8, blocks={"parts": 2, "axis": 0, "change": {"1": "ones"}})
    one_, two = one(rule, (4, 4)).blocks
    assert (one_.stddev, two.law) == (0.005, "Ones")


def test_gates():
    """The forget gate's bias is 1 in whatever order a framework stores the gates, and recurrent
    weights are orthogonal gate by gate."""
    orders = {"torch.lstm": 1, "keras.lstm": 1, "tensorflow.lstm": 2, "haiku.lstm": 2}
    for order, place in orders.items():
        rule = Rule("*", "zeros", blocks={"parts": order, "change": {"forget": "ones"}})
        bias = one(rule, (8,)).initializer((8,)).reshape(4, 2)
        assert [row.tolist() for row in bias] == [[float(i == place)] * 2 for i in range(4)]
    rule = Rule("*", "orthogonal", layout="torch.linear", blocks="torch.gru", gain=2.0)
    w = one(rule, (24, 8)).initializer((24, 8), "float64", seed=1, name="w")
    for gate in np.split(w, 3):
        assert np.allclose(gate @ gate.T, 4 * np.eye(8))


def test_a_block_s_initializer_may_say_its_own_axes():
    """The axes of the rule are those of a block only where its initializer says none."""
    change = {"v": {"initializer": "he_normal", "layout": "keras.dense"}}
    rule = Rule("*", NORMAL, layout="torch.linear", blocks={"parts": "qkv", "change": change})
    assert [block.fans for block in one(rule, (12, 8)).blocks] == [(8, 4), (8, 4), (4, 8)]


def test_blocks_with_initializers_are_written_and_read():
    """An initializer in a block is kept as its config, and its formulas are the recipe's."""
    alike = ["he_normal", glorot.HeNormal, glorot.HeNormal(), glorot.serialize(glorot.HeNormal())]
    for own in (*alike, *({"initializer": k} for k in alike)):
        change = {"k": own, "v": {"initializer": "random_normal", "stddev": "0.1 / n"}}
        rule = Rule("*", NORMAL, layout="torch.linear", blocks={"parts": "qkv", "change": change})
        recipe = glorot.Recipe([rule], variables={"n": 2})
        for again in (
            glorot.Recipe.from_json(recipe.to_json()), glorot.Recipe.from_toml(recipe.to_toml())
        ):  # fmt: skip
            assert again == recipe
            assert again.fingerprint == recipe.fingerprint
            q, k, v = again.resolve({"w": (12, 8)})[0].blocks
            assert (q.stddev, v.stddev) == (0.02, 0.05)
            assert (k.stddev, k.fans) == (pytest.approx(0.5, rel=1e-12), (8.0, 4.0))
    with pytest.raises(ValueError, match=r"`stddev of v`='0.1 / n' asks for 'n', which is no"):
        glorot.Recipe([rule])


def test_blocks_as_an_initializer_are_written_and_read():
    """`Blocks` in a rule holds initializers, whose seeds are None: TOML, which has no null, too."""
    recipe = glorot.Recipe([Rule("*", glorot.Blocks([glorot.HeNormal(), "zeros"], [1, 2]))])
    for again in (
        glorot.Recipe.from_json(recipe.to_json()), glorot.Recipe.from_toml(recipe.to_toml())
    ):  # fmt: skip
        assert again == recipe
        assert again.fingerprint == recipe.fingerprint
        assert again.rules[0].initializer == recipe.rules[0].initializer


def test_gates_that_the_layer_says():
    """Where a layer says that its weight is gates, a law that a rule draws is each gate's, with its
    fans; the rule's own blocks win, and a weight of zeros is one."""
    layer = {"layout": "keras.dense", "blocks": "keras.lstm"}
    for rule in (Rule("*", "glorot_normal"), Rule("*", "random_normal", stddev="1 / sqrt(fan_in)")):
        found = one(rule, (8, 16), **layer)
        assert [block.name for block in found.blocks] == ["input", "forget", "cell", "output"]
        assert [block.fans for block in found.blocks] == [(8, 4)] * 4
        assert "axis 1 is cut into blocks 1 : 1 : 1 : 1" in found.why
        said = {"parts": "keras.lstm", "axis": -1}
        same = Rule("*", rule.initializer, layout="keras.dense", blocks=said)
        assert one(same, (8, 16)).stddev == found.stddev
    gates = one(Rule("*", "glorot_normal"), (8, 16), **layer)
    assert gates.stddev == pytest.approx(math.sqrt(2 / (8 + 4)), rel=1e-12)
    whole = one(Rule("*", "glorot_normal", blocks=1), (8, 16), **layer)
    assert (whole.blocks, whole.fans) == ((), (8, 16))
    two = one(Rule("*", "glorot_normal", blocks=2), (8, 16), **layer)
    assert [block.fans for block in two.blocks] == [(8, 8)] * 2
    assert one(Rule("*", "zeros"), (8, 16), **layer).blocks == ()


def test_heads_side_by_side():
    """`repeat` and sizes may be formulas: q, k and v of each head follow one another."""
    blocks = {"parts": "qkv", "repeat": "n_head", "axis": 0, "change": {"v": "zeros"}}
    found = one(Rule("*", "ones", blocks=blocks), (12, 5), {"n_head": 2})
    column = found.initializer((12, 5))[:, 0].tolist()
    assert column == [1, 1, 1, 1, 0, 0] * 2
    assert found.law == "Ones | Ones | Zeros"


def test_blocks_of_experts():
    """Stacked experts with gate and up: each expert's each block alone."""
    found = one(Rule("*", "lecun_normal", layout="BIO", blocks="gate_up"), (4, 64, 20))
    assert found.fans == (64.0, 10.0)
    assert found.roles == "BIO"
    assert found.stddev == pytest.approx(1 / 8, rel=1e-12)


@pytest.mark.parametrize(
    ("blocks", "error", "text"),
    [
        ("qvk", ValueError, "`blocks`: no order of blocks is called 'qvk'. Near: qkv"),
        (0, ValueError, "`blocks`: `parts` must be at least 1, got 0"),
        (10**9, ValueError, "`parts` must be at most 1024"),
        (1.5, TypeError, "`parts` must be a whole number, got 1.5"),
        ([], ValueError, "there must be at least one, got []"),
        ([1, -1], ValueError, "`size` must be at least 1, got -1"),
        ([1, None], TypeError, "`size` must be a whole number, got None"),
        (["1 +"], ValueError, "`blocks`: '1 +' is no formula"),
        ([{"name": "a"}, {"name": "a"}], ValueError, "two blocks are called 'a'"),
        ([{"name": 3}], TypeError, "`name` of block 0 must be a string, got 3"),
        (
            [{"stdev": 3}],
            ValueError,
            "RandomNormal has no option 'stdev', and a rule no key of that name. Near: stddev",
        ),
        ([{"gain": -1}], ValueError, "`gain` must be above 0, got -1"),
        ([{"initializer": "none"}], ValueError, "block '0' cannot be left out alone"),
        ([{"initializer": None}], ValueError, "block '0' cannot be left out alone"),
        (
            {"parts": "qkv", "change": {"v": None}},
            ValueError,
            "block 'v' cannot be left out alone",
        ),
        ([{"initializer": "onez"}], ValueError, "no initializer is called 'onez'"),
        ({"axis": 0}, ValueError, "`blocks`: it lacks the key 'parts'"),
        ({"parts": 2, "size": 3}, ValueError, "`blocks`: it has the unknown key 'size'. Known are"),
        ({"parts": 2, "axis": "x"}, TypeError, "`axis` must be an integer, got 'x'"),
        ({"parts": 2, "repeat": 0}, ValueError, "`size` must be at least 1, got 0"),
        (
            {"parts": 2, "change": 3},
            TypeError,
            "`change` must be a dict such as {'forget': 'ones'}",
        ),
        (
            {"parts": "qkv", "change": {"x": "ones"}},
            ValueError,
            "names 'x', and the blocks are q, k",
        ),
    ],
)
def test_blocks_are_checked(blocks, error, text):
    """Bad blocks are refused when the rule is made."""
    with pytest.raises(error, match=re.escape(text)):
        Rule("*", NORMAL, blocks=blocks)


@pytest.mark.parametrize(
    ("rule", "shape", "text"),
    [
        (Rule("*", NORMAL, blocks=3), (4, 4), "cannot be cut in the proportions 1 : 1 : 1"),
        (Rule("*", NORMAL, blocks=["n"]), (4, 4), "`size of 0`='n' must be a whole number, 0 or"),
        (
            Rule("*", NORMAL, blocks=["n - 1.5", "n - 1.5"]),
            (4, 4),
            "at least one, and all are of size 0",
        ),
        (Rule("*", NORMAL, blocks=["fan_in"]), (4, 4), "fan_in is not known yet where blocks"),
        (
            Rule("*", NORMAL, blocks={"parts": 2, "repeat": "n"}),
            (4, 4),
            "`repeat`='n' must be a wh",
        ),
        (Rule("*", "he_normal", layout="IOO", blocks=2), (4, 4, 4), "`axis` must say which axis"),
        (Rule("*", "he_normal", layout="OI", groups="n"), (4, 4), "`groups`='n' must be a whole"),
        (Rule("*", glorot.Blocks(NORMAL, 2), blocks=2), (4, 4), "a block is not cut again"),
    ],
)
def test_blocks_that_do_not_fit(rule, shape, text):
    """What the shape or the variables make impossible is told with the parameter."""
    with pytest.raises((ValueError, TypeError), match=re.escape(text)):
        one(rule, shape, {"n": 1.5})


@pytest.mark.parametrize(("before", "rows"), [(0, 1), (2, 1), (3, 0), (5, 1), (0, 0), (4, 2)])
def test_blocks_of_size_0_are_not_there(before, rows):
    """Any rows of an embedding can be 0, at its ends too, and no bit of the others changes."""
    parts = [
        {"name": "before", "size": "before"},
        {"name": "padding", "size": "rows", "initializer": "zeros"},
        {"name": "after", "size": "6 - before - rows"},
    ]
    numbers = {"before": before, "rows": rows}
    found = one(Rule("*", NORMAL, blocks={"axis": 0, "parts": parts}), (6, 4), numbers)
    expected = one(Rule("*", NORMAL), (6, 4)).initializer((6, 4), seed=3, name="w")
    expected[before : before + rows] = 0
    assert (found.initializer((6, 4), seed=3, name="w") == expected).all()
    sizes = {"before": before, "padding": rows, "after": 6 - before - rows}
    there = [name for name, size in sizes.items() if size]
    assert [block.name for block in found.blocks] == (there if len(there) > 1 else [])
    if not found.blocks:  # what is one block is the whole
        assert found.initializer == one(Rule("*", NORMAL), (6, 4)).initializer


def test_blocks_are_written_with_plain_numbers():
    """NumPy's numbers and open sides are read back from a file of either kind."""
    own = {"class_name": "TruncatedNormal", "config": {"upper": math.inf, "stddev": np.float32(2)}}
    parts = [{"lower": -math.inf, "size": np.int64(1)}, np.int32(2), {"initializer": own}]
    given = {"parts": parts, "axis": np.int64(-1), "repeat": np.int64(2)}
    rule = Rule("*", "truncated_normal", where={"ndim": np.int64(1)}, blocks=given)
    recipe = glorot.Recipe([rule, Rule("x", "ones", where={"shape": (np.int64(8), "*")})])
    for text, read in (
        (recipe.to_toml(), glorot.Recipe.from_toml),
        (recipe.to_json(), glorot.Recipe.from_json),
    ):
        assert '"-inf"' in text
        assert "Infinity" not in text
        assert read(text) == recipe
    found = one(rule, (8,))
    assert [block.shape for block in found.blocks] == [(2,), (4,), (2,)]
    assert [block.law for block in found.blocks] == [
        "TN(0, 0.05, -inf, 2)", "TN(0, 0.05, ±2)", "TN(0, 2, -2, inf)"
    ]  # fmt: skip
    with pytest.raises(TypeError, match=r"`axis` must be an integer, got 1\.0"):
        Rule("*", "ones", blocks={"parts": 2, "axis": 1.0})


def test_blocks_of_constants_are_cut_along_the_layers_output_axis():
    """Zeros have no axes of their own: those of the layer say which one is the output."""
    rule = Rule("*", "zeros", blocks={"parts": 2, "change": {"1": "ones"}})
    for layout, axis in (("torch.linear", 0), ("keras.dense", 1), (None, 1)):
        found = one(rule, (4, 6), layout=layout)
        values = np.moveaxis(found.initializer((4, 6)), axis, 0)
        half = len(values) // 2
        assert not values[:half].any(), layout
        assert (values[half:] == 1).all(), layout
        assert found.fans == found.blocks[0].fans
    own = Rule("*", "zeros", blocks=[1, {"initializer": "he_normal"}])  # with the layer's fans too
    assert one(own, (4, 6), layout="torch.linear").blocks[1].fans == (6.0, 2.0)
    assert one(own, (4, 6)).blocks[1].fans == (4.0, 3.0)


LINEAR = {"layout": "torch.linear"}


@pytest.mark.parametrize("said", [True, False])
def test_a_blocks_constant_sees_the_fans_of_its_layer(said):
    """Whoever says the axes, the rule or the shapes; shown so too."""
    parts = [1, {"initializer": "constant", "value": "fan_in"}, {"initializer": "zeros"},
             {"initializer": "identity", "gain": "fan_out"}]  # fmt: skip
    rule = Rule("*", "xavier_uniform", blocks=parts, **(LINEAR if said else {}))
    found = one(rule, (64, 4), **({} if said else LINEAR))
    assert [block.fans for block in found.blocks] == [(4.0, 16.0)] * 4
    assert found.initializer.initializers[1] == glorot.Constant(4.0)
    assert found.initializer.initializers[3] == glorot.Identity(gain=16.0)


def test_a_blocks_own_axes_win():
    """Over those that the shapes say, as over the rule's."""
    parts = [1, {"layout": "IO"}, {"input_axes": 0, "output_axes": 1}]
    by_shapes = one(Rule("*", "xavier_uniform", blocks=parts), (96, 30), **LINEAR)
    by_rule = one(Rule("*", "xavier_uniform", blocks=parts[:2], **LINEAR), (96, 30))
    assert [block.fans for block in by_shapes.blocks] == [(30.0, 32.0), (32.0, 30.0), (32.0, 30.0)]
    assert [block.fans for block in by_rule.blocks] == [(30.0, 48.0), (48.0, 30.0)]


def test_blocks_as_an_initializer_have_the_layers_axes():
    """Where none of them says its own: cut along its outputs, with its fans."""
    blocks = glorot.Blocks(["xavier_uniform", "zeros", glorot.Constant(2.0)], [1, 1, 2])
    found = one(Rule("*", blocks), (96, 30, 3), layout="torch.conv")
    assert found.initializer == glorot.Blocks(
        [glorot.GlorotUniform(layout="torch.conv"), "zeros", glorot.Constant(2.0)],
        [1, 1, 2],
        axis=0,
    )
    same = one(Rule("*", "xavier_uniform", blocks=[1, 1, 1]), (96, 30, 3), layout="torch.conv")
    both = one(Rule("*", glorot.Blocks("xavier_uniform", 3)), (96, 30, 3), layout="torch.conv")
    assert both.initializer == same.initializer
    own = glorot.Blocks(glorot.GlorotUniform(layout="IO*"), 3, axis=1)
    assert one(Rule("*", own), (96, 30, 3), layout="torch.conv").initializer == own
    assert one(Rule("*", glorot.Blocks("he_normal", 3)), (30, 96)).fans == (30.0, 32.0)


def test_fans_of_a_weight_in_blocks_are_those_of_one():
    """Also where the weight is zeros, which have no axes."""
    shapes = {"w": TensorSpec((96, 32), **LINEAR), "b": TensorSpec((96,))}
    for init in ("zeros", "xavier_uniform"):
        rules = [Rule("w", init, blocks=3), Rule("b", "xavier_uniform", fans_of="w")]
        assert glorot.Recipe(rules).resolve(shapes)[1].fans == (32.0, 32.0)


def test_none_in_blocks_is_what_is_not_said():
    """A file of TOML has no null: the recipe that it gives is the same."""
    recipe = glorot.Recipe([Rule("*", "ones", blocks={"parts": 3, "axis": None, "repeat": None})])
    assert recipe == glorot.Recipe([Rule("*", "ones", blocks=3)])
    assert glorot.Recipe.from_toml(recipe.to_toml()) == recipe
