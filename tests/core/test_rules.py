# SPDX-License-Identifier: Apache-2.0
"""Rules beyond the name: conditions, formulas, gains, depth and width scaling, blocks, siblings."""

import dataclasses
import math
import re

import numpy as np
import pytest

import glorot
from glorot import Recipe, Rule
from glorot.recipe import TensorSpec, Variable, Where

NORMAL = glorot.RandomNormal(stddev=0.02)


def one(rule, shape=(8, 4), variables=None, name="w", **extra):
    """The assignment of a single parameter by a single rule."""
    shapes = {name: TensorSpec(shape, **extra)}
    return Recipe([rule], variables=variables).resolve(shapes)[0]


# --- conditions ----------------------------------------------------------------------------------

SPEC = TensorSpec((8, 4, 3), "bfloat16", type="Conv1d", tags=("decoder", "block.0"))


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        ({"ndim": 3}, True),
        ({"ndim": [2, 3]}, True),
        ({"ndim": 2}, False),
        ({"shape": [8, "*", 3]}, True),
        ({"shape": [8, 5, 3]}, False),
        ({"shape": [8, 4]}, False),
        ({"dtype": "bfloat16"}, True),
        ({"dtype": "*float*"}, True),
        ({"dtype": ["float32", "float64"]}, False),
        ({"type": "Conv*"}, True),
        ({"type": ["Linear", "Conv1d"]}, True),
        ({"type": "conv1d"}, False),
        ({"tag": "decoder"}, True),
        ({"tag": ["x", "block.*"]}, True),
        ({"tag": "encoder"}, False),
        ({"ndim": 3, "type": "Linear"}, False),
    ],
)
def test_conditions(where, holds):
    """Each condition that is given must hold, one of its alternatives must."""
    assert Where(**where).holds(SPEC) is holds
    assert Rule("w", "zeros", where=where).matches("w", SPEC) is holds
    assert not Rule("v", "zeros", where=where).matches("w", SPEC)
    assert not Rule("w", "zeros", where=where).matches("w")  # nothing is known of it


def test_scalars_and_unknown_dtypes():
    """A scalar has 0 axes, and a parameter of no stated dtype counts as float32."""
    assert Where(ndim=0).holds(TensorSpec(()))
    assert Where(shape=[]).holds(TensorSpec(()))
    assert not Where(shape=[]).holds(TensorSpec((1,)))
    assert Where(dtype="float32").holds(TensorSpec((1,)))


def test_conditions_choose_between_equal_patterns():
    """Two rules of one pattern differ by their conditions; of one condition they are refused."""
    recipe = Recipe([Rule("*", "he_normal", where={"ndim": 2}), Rule("*", "zeros")])
    assert [a.law[0] for a in recipe.resolve({"w": (3, 4), "b": (3,)})] == ["T", "Z"]
    with pytest.raises(ValueError, match=r"the pattern '\*' where ndim=2 twice"):
        Recipe([Rule("*", "ones", where={"ndim": 2}), Rule("*", "zeros", where={"ndim": [2]})])


def test_conditions_see_the_dtype_that_is_written(tmp_path):
    """`dtype` counts before matching, so that a checkpoint verifies by what it holds."""
    rules = [Rule("*", "ones", where={"dtype": "bfloat16"}), Rule("*", "zeros", optional=True)]
    recipe = Recipe(rules)
    (found,) = recipe.resolve({"w": TensorSpec((2,), "float32")}, dtype="bfloat16")
    assert (found.law, found.dtype) == ("Ones", "bfloat16")
    glorot.checkpoint.write({"w": (2,)}, recipe, tmp_path, seed=1, dtype="bfloat16")
    assert glorot.checkpoint.verify(tmp_path, recipe, 1).equal


def test_types_and_layouts_travel_with_the_checkpoint(tmp_path):
    """What the shapes say of types, tags and layouts is kept, so that it verifies alone, and
    another can be written from it."""
    shapes = {
        "a": {"shape": [6, 2, 3], "type": "Conv1d", "layout": "torch.conv", "groups": 2},
        "b": {"shape": [6, 4], "tags": ["first"], "layout": "torch.linear"},
    }
    recipe = Recipe(
        [
            Rule("*", "he_normal", where={"type": "Conv*"}),
            Rule("*", "he_normal", where={"tag": "f*"}),
        ]
    )
    one, two = recipe.resolve(shapes)
    assert (one.fans, two.fans) == ((6.0, 9.0), (4.0, 6.0))  # 9 = 3 taps of 6 / 2 channels
    glorot.checkpoint.write(shapes, recipe, tmp_path, seed=1)
    assert glorot.checkpoint.verify(tmp_path, recipe, 1).equal
    again = recipe.resolve(glorot.checkpoint.read_shapes(tmp_path))
    assert {a.name: a.initializer for a in again} == {"a": one.initializer, "b": two.initializer}


def test_coverage_names_conditions():
    """A gap that a condition makes is told as such, on both sides."""
    recipe = Recipe([Rule("*", "zeros", where={"type": "Linear"})])
    with pytest.raises(ValueError, match=r"no rule matches 'w'") as caught:
        recipe.resolve({"w": (2,)})
    text = str(caught.value)
    assert "The rule for '*' where type='Linear' matches the name 'w', but it has shape=" in text
    assert "no type is said" in text
    assert "Say the types of layers with the shapes" in text
    assert "patterns" not in text  # the name fits one
    assert "matches names, 'w' among them, but its conditions hold for none" in text
    with pytest.raises(ValueError, match=r"`names` must be a dict of names to shapes"):
        recipe.match(["w"])
    assert recipe.match({"w": TensorSpec((2,), type="Linear")}).unmatched == []


def test_optional_rules_may_match_nothing():
    """One that is optional is no error where it is idle, and is used where it is not."""
    recipe = Recipe([Rule("*.q_norm", "ones", optional=True), Rule("*", "zeros")])
    assert [a.law for a in recipe.resolve({"w": (2,)})] == ["Zeros"]
    assert [a.law for a in recipe.resolve({"w": (2,), "a.q_norm": (2,)})] == ["Zeros", "Ones"]
    with pytest.raises(ValueError, match=r"'\*.q_norm'.* or say `optional`"):
        Recipe([Rule("*.q_norm", "ones"), Rule("*", "zeros")]).resolve({"w": (2,)})


# --- formulas and variables ----------------------------------------------------------------------


def test_options_and_gains_are_formulas():
    """Numbers may be formulas of variables and of the parameter's fans."""
    variables = {"n_layer": {"count": "h.*."}, "std": 0.1, "half": "std / 2"}
    rule = Rule("*", "random_normal", stddev="half", gain="1 / sqrt(2 * n_layer)")
    names = {f"h.{i}.w": (3, 3) for i in range(8)}
    assert Recipe([rule], variables=variables).resolve(names)[0].stddev == 0.05 / 4
    fan = Rule("*", "truncated_normal", stddev="1 / sqrt(fan_in)", layout="torch.linear")
    assert one(fan, (25, 16)).initializer.stddev == 0.25  # by fan_out it would be 0.2
    call = Rule("*", "normal", stddev="leaky_relu(0.2) / sqrt(fan_out)")
    assert one(call, (3, 4)).stddev == math.sqrt(2 / 1.04) / 2
    groups = Rule("*", "he_normal", layout="torch.conv", groups="n_groups")
    assert one(groups, (8, 2, 3), {"n_groups": 4}).fans == (6.0, 6.0)


def test_depth_scalings():
    """GPT-2's, by `layers` and by formula, agree to the bit; DeepNorm's beta is Xavier's gain."""
    names = {f"h.{i}.w": (64, 64) for i in range(12)}
    n_layer = {"n_layer": {"count": "h.*."}}
    by_rule = Recipe([Rule("*", NORMAL, layers="h.*.")])
    by_formula = Recipe([Rule("*", NORMAL, gain="1/sqrt(2*n_layer)")], variables=n_layer)
    assert by_rule.resolve(names)[0].initializer == by_formula.resolve(names)[0].initializer
    beta = Recipe([Rule("*", "xavier_normal", gain="(8 * n_layer) ** -0.25")], variables=n_layer)
    found = beta.resolve(names)[0]
    assert found.stddev == pytest.approx((8 * 12) ** -0.25 * math.sqrt(2 / 128), rel=1e-14)
    assert found.gain == pytest.approx(0.3194715521231362, rel=1e-15)


def test_gains_are_names_of_activations_too():
    """A name that is no variable is an activation; a variable's name wins."""
    lecun = glorot.LecunNormal()
    for text, expected in (
        ("gelu", glorot.gain("gelu")),
        ("gelu.backward", glorot.gain("gelu", mode="backward")),
        ("tanh.torch", 5 / 3),
        ("leaky_relu(0.2)", glorot.gain("leaky_relu", 0.2)),
        ("leaky_relu.backward(0.2) / 2", glorot.gain("leaky_relu", 0.2, mode="backward") / 2),
    ):
        assert one(Rule("*", lecun, gain=text)).gain == expected
        assert one(Rule("*", lecun, gain=text)).initializer == lecun.scaled(expected)
    assert one(Rule("*", lecun, gain="gelu"), variables={"gelu": 3.0}).gain == 3.0
    assert one(Rule("*", "lecun_normal", gain=2.0)).initializer == glorot.LecunNormal(gain=2.0)


def test_variables_from_sizes():
    """A variable can be the size of an axis, which all that its pattern matches must share."""
    variables = {"d": {"size": "*.query", "axis": 1, "about": "the width"}}
    recipe = Recipe([Rule("*", "random_normal", stddev="2 / d")], variables=variables)
    assert recipe.resolve({"0.query": (3, 8), "1.query": (5, 8)})[0].stddev == 0.25
    for shapes, text in (
        (
            {"0.query": (3, 8), "1.query": (5, 9)},
            "axis 1 differs among .* 8 of '0.query' and 9 of '1.query'",
        ),
        ({"0.query": (3,)}, r"'0.query' of shape \(3,\) has no axis 1"),
        ({"0.quary": (3, 8)}, r"`size`='\*.query' matches no parameter. Near: 0.quary. Mend"),
    ):
        with pytest.raises(ValueError, match=rf"variable 'd': .*{text}"):
            recipe.resolve(shapes)
    assert recipe.set(d=4).resolve({"0.k": (3,)})[0].stddev == 0.5


def test_variables_must_have_a_value():
    """One without is to be set, and says what it is."""
    variables = {"n_head": {"about": "how many query heads"}}
    recipe = Recipe([Rule("*", NORMAL, gain="1 / n_head")], variables=variables)
    with pytest.raises(ValueError, match=r"'n_head' \(how many query heads\) has no value. Set it"):
        recipe.resolve({"w": (2, 2)})
    changed = recipe.set(n_head="2 ** 3")
    assert changed.resolve({"w": (2, 2)})[0].gain == 1 / 8
    assert changed.variables["n_head"].about == "how many query heads"
    assert recipe.set() == recipe


@pytest.mark.parametrize(
    ("variables", "error", "text"),
    [
        ([("a", 1)], TypeError, "`variables` must be a dict from names to numbers"),
        ({"a b": 1}, ValueError, "a variable must be called by letters, digits and _"),
        ({3: 1}, ValueError, "a variable must be called by letters, digits and _"),
        ({"ü": 1}, ValueError, "a variable must be called by letters, digits and _"),
        ({"sqrt": 1}, ValueError, "a variable cannot be called 'sqrt', which has a meaning"),
        ({"fan_in": 1}, ValueError, "a variable cannot be called 'fan_in'"),
        ({"a": "b", "b": "c + 1", "c": "a"}, ValueError, "in a circle: a -> b -> c -> a. Give"),
        ({"a": "a + 1"}, ValueError, "in a circle: a -> a"),
        (
            {"n_layer": 2, "a": "n_layers"},
            ValueError,
            "'n_layers', which is no variable. Near: n_l",
        ),
        ({"a": "exp(1)"}, ValueError, "variable 'a': no function is called 'exp'"),
        ({"a": "1 +"}, ValueError, "variable 'a': '1 +' is no formula"),
        ({"a": True}, TypeError, "variable 'a': `value` must be a number, got True"),
        ({"a": None}, TypeError, "variable 'a': `value` must be a number, got None"),
        ({"a": float("inf")}, ValueError, "variable 'a': `value` must be finite"),
        ({"a": 10**400}, ValueError, "variable 'a': `value` must be below 1.8e308"),
        ({"a": {"x": 1}}, ValueError, "variable 'a': it has the unknown key 'x'. Known are value"),
        (
            {"a": {"value": 1, "count": "h.*."}},
            ValueError,
            "given one way, got 'value' and 'count'",
        ),
        ({"a": {"count": "h"}}, ValueError, "`count` must be a pattern with * in"),
        ({"a": {"count": 12}}, ValueError, "`count` must be a pattern with * in"),
        (
            {f"v{i}": f"v{i + 1}" for i in range(400)} | {"v400": 1},
            ValueError,
            "variable 'v64' asks for another, which asks for another, more than 64 times",
        ),
        (
            {"v400": 1} | {f"v{i}": f"v{i + 1}" for i in reversed(range(400))},
            ValueError,
            "variable 'v335' asks for another, which asks for another, more than 64 times",
        ),
        ({"a": {"size": ""}}, ValueError, "variable 'a': `pattern` must not be empty"),
        ({"a": {"size": "w", "axis": "x"}}, TypeError, "`axis` must be an integer, got 'x'"),
        ({"a": {"axis": 1}}, ValueError, "`axis` needs `size`"),
        ({"a": {"about": 1}}, TypeError, "`about` must be a string, got 1"),
    ],
)
def test_variables_are_checked(variables, error, text):
    """Bad variables are refused when the recipe is made, by name."""
    with pytest.raises(error, match=re.escape(text)):
        Recipe([Rule("*", "ones")], variables=variables)


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        (
            {"a": "1 / b", "b": 0},
            "variable 'a': '1 / b' cannot be computed: 1.0 is divided by zero",
        ),
        ({"a": "b ** b", "b": 1e5}, "100000.0 ** 100000.0 is larger than any float"),
        ({"a": {"count": "x.*."}}, "variable 'a': `count`='x.*.' counts no layer"),
        ({"a": -1}, "`gain`: `gain` must be above 0, got -1.0"),
        ({"a": 0}, "`gain` must be above 0, got 0.0"),
    ],
)
def test_variables_that_come_to_nothing(variables, text):
    """What only the model shows is told with the parameter, the rule and the variable."""
    recipe = Recipe([Rule("*", NORMAL, gain="a")], variables=variables)
    with pytest.raises(ValueError, match=re.escape(text)) as caught:
        recipe.resolve({"w": (2, 2)})
    assert "'w' of shape (2, 2) cannot be initialised by the rule for '*'" in str(caught.value)


def test_set_knows_its_variables():
    """Only what there is can be set."""
    recipe = Recipe([Rule("*", "ones")], variables={"n_layer": 2})
    with pytest.raises(ValueError, match=r"has no variable 'n_layers'. Near: n_layer"):
        recipe.set(n_layers=3)
    with pytest.raises(ValueError, match=r"has no variable 'x'\. It has none\.$"):
        Recipe([Rule("*", "ones")]).set(x=3)
    with pytest.raises(TypeError, match=r"variable 'n_layer': `value` must be a number, got None"):
        recipe.set(n_layer=None)
    assert recipe.variables == {"n_layer": Variable(2.0)}
    with pytest.raises(AttributeError, match="cannot be changed; make another, or use"):
        recipe.source = "x"
    with pytest.raises(TypeError, match="does not support item assignment"):
        recipe.variables["n_layer"] = 3
    a, b = ({"a": 1, "b": 2}, {"b": 2, "a": 1})
    assert Recipe([Rule("*", "ones")], variables=a) == Recipe([Rule("*", "ones")], variables=b)


# --- muP -----------------------------------------------------------------------------------------

SIZES = {"input": (50, 256), "hidden": (256, 256), "output": (256, 10)}


@pytest.mark.parametrize("role", sorted(SIZES))
@pytest.mark.parametrize(
    "init",
    [
        glorot.RandomNormal(stddev=0.02),
        glorot.LecunNormal(),
        glorot.HeUniform(),
        glorot.GlorotUniform(),
        glorot.VarianceScaling(1.0, "fan_out"),
        glorot.VarianceScaling(1.0, "fan_geo_avg"),
        glorot.Orthogonal(),
        glorot.TruncatedNormal(stddev=0.1),
    ],
    ids=lambda init: type(init).__name__,
)
def test_mup_is_table_8(role, init):
    """At the base width nothing changes; four times wider, hidden weights have half the stddev of
    the base model's, input and output weights the same, whatever the initializer."""
    ways = {"input": (1, 4), "hidden": (4, 4), "output": (4, 1)}[role]
    wide = SIZES[role]
    base = tuple(n // m for n, m in zip(wide, ways, strict=True))
    rule = Rule("*", init, mup=role)
    here = one(rule, base, {"width_mult": 1})
    there = one(rule, wide, {"width_mult": 4})
    assert here.initializer.expected_stddev(base) == init.expected_stddev(base)
    expected = init.expected_stddev(base) * {"hidden": 0.5}.get(role, 1.0)
    assert there.stddev == pytest.approx(expected, rel=1e-14)


def test_mup_of_biases():
    """A bias keeps the base model's stddev, drawn by its own size or, as torch's, by its weight's
    fan_in, of which the readout's rule speaks."""
    own = Rule("*", "lecun_normal", mup="input")
    assert one(own, (64,), {"width_mult": 4}).stddev == pytest.approx(1 / 4, rel=1e-14)
    recipe = Recipe(
        [
            Rule("*bias", "lecun_normal", fans_of="weight", mup="output"),
            Rule("*weight", "lecun_normal", layout="torch.linear", mup="hidden"),
        ],
        variables={"width_mult": 4},
    )
    found = recipe.resolve({"up.weight": (64, 64), "up.bias": (64,)})
    assert [a.stddev for a in found] == [pytest.approx(1 / 8), pytest.approx(1 / 4)]


@pytest.mark.parametrize("role", ["input", "hidden", "output"])
@pytest.mark.parametrize("init", ["lecun_uniform", "glorot_normal", "he_normal"])
def test_mup_of_biases_with_the_fans_of_a_weight(role, init):
    """Which fans grow is what the weight's rule says: at any width the base model's stddev."""

    def stddevs(m):
        fan_in, fan_out = 10 if role == "input" else 64 * m, 10 if role == "output" else 64 * m
        recipe = Recipe(
            [
                Rule("*.weight", init, layout="torch.linear", mup=role),
                Rule("*.bias", init, fans_of="weight", mup="input"),
            ],
            variables={"width_mult": m},
        )
        found = recipe.resolve({"up.weight": (fan_out, fan_in), "up.bias": (fan_out,)})
        return [assignment.stddev for assignment in found]

    (weight, bias), (wide, wide_bias) = stddevs(1), stddevs(4)
    assert wide_bias == pytest.approx(bias)
    assert wide == pytest.approx(weight / 2 if role == "hidden" else weight)


def test_mup_needs_the_width():
    """The recipe's variable says how many times wider the model is."""
    with pytest.raises(
        ValueError, match=r"`mup`='hidden' needs the variable width_mult, the model"
    ):
        one(Rule("*", NORMAL, mup="hidden"))
    with pytest.raises(ValueError, match=r"`width_mult` must be above 0, got 0.0"):
        one(Rule("*", NORMAL, mup="hidden"), variables={"width_mult": 0})
    with pytest.raises(ValueError, match=r"`mup` must be one of input, hidden, output; got 'x'"):
        Rule("*", NORMAL, mup="x")
    blocks = glorot.Blocks(NORMAL, 2)
    with pytest.raises(ValueError, match=r"Say the blocks in the rule: `blocks`"):
        one(Rule("*", blocks, mup="hidden"), variables={"width_mult": 2})


# --- blocks --------------------------------------------------------------------------------------


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
    assert (k.stddev, k.fans) == (pytest.approx(0.5, rel=1e-12), (8.0, 4.0))
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


# --- layouts and siblings ------------------------------------------------------------------------


def test_a_variable_can_be_set_to_what_the_model_says():
    """A dict is as in a file; it was taken for no value at all. What it is about stays."""
    recipe = Recipe(
        [Rule("*", "normal", stddev="1 / n")], variables={"n": {"value": 2, "about": "layers"}}
    )
    counted = recipe.set(n={"count": "h.*."})
    assert counted.resolve({f"h.{i}.w": (2, 2) for i in range(4)})[0].stddev == 0.25
    assert counted.variables["n"].about == "layers"
    assert recipe.set(n={"value": 5, "about": "more"}).variables["n"].about == "more"
    with pytest.raises(ValueError, match="variable 'n': it has the unknown key 'counts'"):
        recipe.set(n={"counts": "h.*."})


def test_layers_are_not_counted_inside_of_words():
    """GPT-2 in a model called speech: "*h.*." found the h of speech in every name, one layer."""
    names = {f"speech.h.{i}.attn.c_proj.weight": (8, 8) for i in range(12)}
    layers = Rule("*", "normal", stddev=1, layers="*h.*.")
    counted = Recipe([Rule("*", "normal", stddev="n")], variables={"n": {"count": "*h.*."}})
    for recipe in (Recipe([layers]), counted):
        text = r"'\*h\.\*\.' counts 1, 'speech\.h\.' among them, but 12 .*'speech\.h\.0\.'"
        with pytest.raises(ValueError, match=text):
            recipe.resolve(names)
    for pattern, model, n in (
        ("speech.h.*.", names, 12),
        ("*.h.*.", names, 12),
        ("*layers.*.", {f"{a}_layers.{i}.w": (2,) for a in "ab" for i in range(3)}, 6),
        ("*layers.*.", {f"{a}layers.{i}.w": (2,) for a in ("", "x_") for i in range(3)}, 6),
        ("*h.*.", {f"graph.{i}.w": (2,) for i in range(3)}, 3),
    ):
        assert Rule("*", "normal", layers=pattern).count_layers(model) == n


def test_the_shapes_say_the_layout_where_the_rule_does_not():
    """One rule has right fans whatever framework lists the parameters; a rule's own layout wins."""
    rule = Rule("*", "he_normal")
    assert one(rule, (8, 4), layout="torch.linear").fans == (4.0, 8.0)
    assert one(rule, (8, 4)).fans == (8.0, 4.0)
    assert one(rule, (8, 2, 3), layout="torch.conv", groups=4).fans == (6.0, 6.0)
    assert one(Rule("*", "he_normal", layout="OI"), layout="dense").fans == (4.0, 8.0)
    assert one(Rule("*", "zeros"), layout="torch.linear").law == "Zeros"
    canonical = glorot.HeNormal(order="canonical")
    assert one(Rule("*", canonical), layout="torch.linear").initializer == glorot.HeNormal(
        layout="torch.linear", order="canonical"
    )


@pytest.mark.parametrize("separator", [".", "/"])
def test_a_bias_takes_the_fans_of_its_weight(separator):
    """torch's default bias is U(-b, b) with b = 1 / sqrt(fan_in) of the weight beside it."""
    recipe = Recipe(
        [
            Rule(
                "*bias", "variance_scaling", scale="1/3", distribution="uniform", fans_of="weight"
            ),
            Rule("*weight", "he_normal", layout="torch.linear"),
        ]
    )
    weight, bias = f"up{separator}weight", f"up{separator}bias"
    found = {a.name: a for a in recipe.resolve({bias: (9,), weight: (9, 4)})}
    assert found[bias].fans == (4.0, 9.0)
    assert found[bias].initializer.law((9,)).scale == pytest.approx(1 / 2, rel=1e-15)
    assert f"fans are those of {weight!r}" in found[bias].why


def test_siblings_are_checked():
    """A sibling that is not there, is left out or has a sibling itself cannot give its fans."""
    bias = Rule("*bias", "lecun_normal", fans_of="weight")
    with pytest.raises(ValueError, match=r"asks for 'a.weight', and there is none. Near: a.weigth"):
        Recipe([bias, Rule("*", "ones")]).resolve({"a.bias": (2,), "a.weigth": (2,)})
    with pytest.raises(ValueError, match=r"fans of 'a.weight', which is left out by its rule"):
        Recipe([bias, Rule("*", None)]).resolve({"a.bias": (2,), "a.weight": (2,)})
    chain = Rule("*weight", "lecun_normal", fans_of="bias")
    with pytest.raises(ValueError, match=r"'a.weight', which takes its own from another"):
        Recipe([bias, chain]).resolve({"a.bias": (2,), "a.weight": (2,)})
    with pytest.raises(ValueError, match=r"`fans_of`='weight' changes nothing: the initializer ha"):
        Rule("*", "zeros", fans_of="weight")
    for wrong in (3, [], ["weight", 3], ""):
        with pytest.raises(TypeError, match=r"`fans_of` must be the last part of a parameter's na"):
            Rule("*", NORMAL, fans_of=wrong)


def test_the_first_sibling_that_is_there():
    """Of several names of a sibling the first that the model has gives its fans."""
    bias = Rule("*bias", "lecun_normal", fans_of=["weight", "kernel"])
    recipe = Recipe([bias, Rule("*", "he_normal", layout="IO")])
    shapes = {"a.bias": (9,), "a.weight": (4, 9), "a.kernel": (5, 9), "b.bias": (9,)}
    found = {a.name: a.fans for a in recipe.resolve({**shapes, "b.kernel": (6, 9)})}
    assert found["a.bias"] == (4.0, 9.0)
    assert found["b.bias"] == (6.0, 9.0)
    with pytest.raises(ValueError, match=r"asks for 'b.weight', and there is none"):
        recipe.resolve(shapes)


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: Rule("re:(", "ones"), ValueError, "`pattern` 're:(' cannot be read: a missing )"),
        (lambda: Rule(re.compile("a", re.I), "ones"), ValueError, "and without flags"),
        (
            lambda: Rule("*", "normal", stdev=1),
            ValueError,
            "no option 'stdev', and a rule no key of that name. Near: stddev",
        ),
        (
            lambda: Rule("*", "normal", type="Linear"),
            ValueError,
            "a rule no key of that name. A condition stands in `where`: where={'type': ...}.",
        ),
        (lambda: Rule("*", "normal", seed=1), ValueError, "must have no seed, got 1"),
        (lambda: Rule("*", "normal", stddev="1 +"), ValueError, "`stddev`: '1 +' is no formula"),
        (
            lambda: Rule("*", "normal", stddev="n", layout={}),
            TypeError,
            "`layout` must be a string",
        ),
        (
            lambda: Rule("*", "normal", stddev="n", layout="XY"),
            ValueError,
            "`layout` must be one le",
        ),
        (lambda: Rule("*", "normal", mean="n", stddev={}), TypeError, "`stddev` cannot be {}"),
        (lambda: Rule("*", "sparse", sparsity="n", dtype="int8"), TypeError, "Only floating point"),
        (lambda: Rule("*", "sparse"), TypeError, "Sparse needs sparsity=..., which has no"),
        (lambda: Rule("*", "sparse", stddev="n"), TypeError, "Sparse needs sparsity=..., which"),
        (
            lambda: Rule("*", "variance_scaling", scale="n", mode="fan"),
            ValueError,
            "`mode` must be one of fan_in, fan_out, fan_avg, fan_geo_avg; got 'fan'",
        ),
        (lambda: Rule("*", None, stddev=1), ValueError, "`stddev` changes nothing: the parameters"),
        (lambda: Rule("*", "none", gain=1), ValueError, "`gain` has nothing to scale or cut"),
        (lambda: Rule("*", "ones", gain=2), TypeError, "Ones has no spread to scale"),
        (lambda: Rule("*", NORMAL, gain=0), ValueError, "`gain` must be above 0, got 0"),
        (lambda: Rule("*", NORMAL, gain=True), TypeError, "`gain` must be a number, got True"),
        (lambda: Rule("*", NORMAL, gain="1 +"), ValueError, "`gain`: '1 +' is no formula"),
        (lambda: Rule("*", NORMAL, optional=1), TypeError, "`optional` must be True or False"),
        (lambda: Rule("*", NORMAL, where=3), TypeError, "`where` must be a dict of conditions"),
        (lambda: Rule("*", NORMAL, where={}), ValueError, "`where` must hold a condition; there a"),
        (lambda: Rule("*", NORMAL, where={"x": 1}), ValueError, "the unknown condition 'x'. There"),
        (lambda: Where(ndim="2"), TypeError, "`ndim` in `where` must be a number of axes"),
        (lambda: Where(ndim=[], type="Linear"), ValueError, "`ndim` in `where` must name at least"),
        (lambda: Where(ndim=2, tag=[]), ValueError, "`tag` in `where` must name at least one, got"),
        (lambda: Where(ndim=-1), TypeError, "`ndim` in `where` must be a number of axes"),
        (lambda: Where(shape=["x"]), TypeError, "`shape` in `where` must hold a size or '*'"),
        (lambda: Where(dtype=3), TypeError, "`dtype` in `where` must be a name or glob"),
        (lambda: Where(tag=[""]), TypeError, "`tag` in `where` must be a name or glob"),
        (
            lambda: Recipe([Rule("*", NORMAL, gain="1/n_layers")], variables={"n_layer": 2}),
            ValueError,
            "rule for '*': `gain`='1/n_layers' asks for 'n_layers', which is no variable "
            "(variables are n_layer) and no activation: no activation is called 'n_layers'",
        ),
        (
            lambda: Recipe([Rule("*", "normal", stddev="exp(2)")]),
            ValueError,
            "`stddev`='exp(2)' asks for 'exp', which is no variable (no variables)",
        ),
        (
            lambda: Recipe([Rule("*", NORMAL, gain="gelu.sideways")]),
            ValueError,
            "'gelu.sideways' must end in .backward or .torch, or have no dot",
        ),
    ],
)
def test_refusals(make, error, text):
    """Every bad argument is refused when the rule or the recipe is made."""
    with pytest.raises(error, match=re.escape(text)):
        make()


def test_what_an_initializer_refuses_of_a_formula():
    """The number that a formula comes to is checked like any other."""
    with pytest.raises(ValueError, match=r"'w' of .*: `stddev` must not be negative"):
        one(Rule("*", "normal", stddev="-n"), variables={"n": 1})
    with pytest.raises(ValueError, match=r"`stddev`: 'n / 0' cannot be computed"):
        one(Rule("*", "normal", stddev="n / 0"), variables={"n": 1})


# --- explain -------------------------------------------------------------------------------------


def test_explain_says_rule_roles_fans_gain_law_and_why():
    """What a parameter gets and how it came to that, those that are left out included."""
    recipe = Recipe(
        [
            Rule("*", "zeros", where={"ndim": 1}),
            Rule("*.tied", None),
            Rule("*", "lecun_normal", layout="torch.linear", gain="relu / sqrt(n)", layers="h.*."),
        ],
        variables={"n": {"count": "h.*."}},
    )
    shapes = {"h.0.w": (6, 4), "h.1.w": (6, 4), "h.0.tied": (6, 4), "b": (3,)}
    w, tied, b = recipe.explain(shapes, "re:h.0.*|b")
    assert (w.rule, w.pattern, w.roles, w.fans) == (2, "*", ("out", "in"), (4.0, 6.0))
    assert w.gain == pytest.approx(math.sqrt(2) / math.sqrt(2) / math.sqrt(2 * 2))
    assert (w.mean, w.stddev) == (0.0, pytest.approx(0.25, rel=1e-12))
    assert w.law == "TN(0, 0.2842, ±2)"
    assert w.why == (
        "axes by the rule; gain 1 = relu / sqrt(n), n = 2 counted by 'h.*.'; depth scaling "
        "1/sqrt(2 * 2 layers) = 0.5; rule 0 names it and asks for ndim=1"
    )
    assert (tied.rule, tied.law, tied.fans, tied.stddev) == (1, "left out", None, None)
    assert tied.why == "the rule leaves it out; rule 0 names it and asks for ndim=1"
    assert (b.rule, b.law, b.why) == (0, "Zeros", "it has ndim=1")
    spec = glorot.recipe.TensorSpec((4, 3), type="Linear", layout="torch.linear")
    (many,) = glorot.recipe.load("torch").explain({"l.weight": spec})
    assert many.why.startswith("it has type=")
    assert many.why.endswith("name it and ask for something else")
    assert [e.name for e in recipe.explain(shapes)] == list(shapes)
    assert w.as_dict()["roles"] == ("out", "in")
    with pytest.raises(ValueError, match=r"`pattern` 'x' matches no parameter. There are: h.0.w"):
        recipe.explain(shapes, "x")


def test_explain_agrees_with_resolve():
    """The same fans, laws and stddevs, for every parameter."""
    recipe = glorot.recipe.load("gpt2")
    shapes = {"wte.weight": (50, 8), "wpe.weight": (20, 8), "ln_f.weight": (8,), "ln_f.bias": (8,)}
    for i in range(3):
        for name, size in (("attn.c_attn", 24), ("attn.c_proj", 8), ("mlp.c_fc", 32)):
            shapes |= {f"h.{i}.{name}.weight": (8, size), f"h.{i}.{name}.bias": (size,)}
        shapes |= {f"h.{i}.mlp.c_proj.weight": (32, 8), f"h.{i}.ln_1.weight": (8,)}
    resolved = recipe.resolve(shapes)
    for explanation, assignment in zip(recipe.explain(shapes), resolved, strict=True):
        assert explanation.name == assignment.name
        assert (explanation.fans, explanation.stddev) == (assignment.fans, assignment.stddev)
        assert explanation.law == assignment.law


def test_a_rule_reads_back_from_how_it_shows():
    """And `dataclasses.replace` changes one of its fields."""
    rule = Rule("*.kernel", "he_normal", layers=2)
    assert eval(repr(rule), {"Rule": Rule, "HeNormal": glorot.HeNormal}) == rule
    bias = Rule("*.bias", "lecun_normal", fans_of="kernel")
    assert dataclasses.replace(bias, optional=True) == Rule(
        "*.bias", "lecun_normal", fans_of="kernel", optional=True
    )
    assert dataclasses.replace(rule, pattern="*") == Rule("*", "he_normal", layers=2)
