# SPDX-License-Identifier: Apache-2.0
"""Formulas and variables of rules: gains, depth, muP."""

import math
import re

import numpy as np
import pytest
from rule_cases import NORMAL, one

import glorot
from glorot import Recipe, Rule
from glorot.recipe import TensorSpec, Variable


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


def test_the_axes_of_a_rule_with_formulas_are_its_own():
    """A layer's axes are taken where the rule says none, also where it has formulas."""
    options = {"stddev": "1 / fan_in", "order": "canonical"}
    said = one(Rule("*", "random_normal", **options), (8, 4), layout="torch.linear")
    assert (said.stddev, said.fans) == (1 / 4, (4, 8))
    for axes in ({"layout": "keras.dense"}, {"equation": "bd,df->bf"}, {"batch_axes": 0}):
        own = one(Rule("*", "random_normal", **options, **axes), (8, 4), layout="torch.linear")
        assert own.fans == ((4, 4) if "batch_axes" in axes else (8, 4))
        assert own.stddev == 1 / own.fans[0]
        assert "axes by the rule" in own.why


def test_fans_in_formulas_of_what_has_no_axes():
    """A constant or an identity sees its layer's fans, and may have those of a weight beside."""
    value = Rule("*", "constant", value="1 / fan_in")
    conv = one(value, (8, 4, 3), layout="torch.conv", groups=2)
    assert (conv.initializer, conv.fans) == (glorot.Constant(1 / 12), (12.0, 12.0))
    assert one(value, (8, 4)).initializer == glorot.Constant(1 / 8)  # nobody says the axes
    for rule in (
        Rule("*", "identity", gain="3 / fan_in"),
        Rule("*", glorot.Identity(gain=3.0), gain="1 / fan_in"),
    ):
        assert one(rule, (8, 4), layout="torch.linear").initializer == glorot.Identity(gain=3 / 4)
    specs = {"a.weight": TensorSpec((8, 4), layout="torch.linear"), "a.bias": TensorSpec((8,))}
    beside = Rule("*.bias", "constant", value="fan_in", fans_of="weight")
    found = {a.name: a for a in Recipe([beside, Rule("*", "zeros")]).resolve(specs)}
    assert found["a.bias"].initializer == glorot.Constant(4.0)
    assert (found["a.weight"].fans, found["a.weight"].roles) == ((4.0, 8.0), "OI")
    with pytest.raises(ValueError, match="`fans_of`='weight' changes nothing"):
        Rule("*.bias", "constant", value="1 / 2", fans_of="weight")


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


@pytest.mark.parametrize("role", ["input", "hidden", "output"])
def test_mup_of_a_formula_of_fans(role):
    """The same as by the initializer that has it built in: the stddev of the base model is the
    formula's at its fans."""
    variables = {"width_mult": 4}
    wide = {"layout": "torch.linear"}
    for shape in ((1024, 1024), (256, 1024), (1024, 64)):
        built = one(Rule("*", "random_normal", stddev="1 / sqrt(fan_in)", mup=role, **wide),
                    shape, variables)  # fmt: skip
        known = one(Rule("*", "lecun_normal", mup=role, **wide), shape, variables)
        assert built.stddev == pytest.approx(known.stddev, rel=1e-13)
    fixed = one(Rule("*", "random_normal", stddev="2 / 64", mup=role), (64, 64), variables)
    assert fixed.stddev == pytest.approx(1 / 32 / (2 if role == "hidden" else 1))


def test_equal_rules_have_equal_fingerprints():
    """A whole number beside a formula is the float that it is without one."""
    recipes = [
        Recipe([Rule("*", "normal", mean=mean, stddev="0.02 * 2")]) for mean in (1, 1.0, "1.0")
    ]
    assert recipes[0] == recipes[1] != recipes[2]
    assert recipes[0].fingerprint == recipes[1].fingerprint
    assert Recipe.from_json(recipes[0].to_json()).fingerprint == recipes[0].fingerprint


def test_each_parameter_names_its_own_sibling():
    """Of equal layers too, whose fans are resolved once."""
    shapes = {f"{layer}.{name}": size for layer in "ab" for name, size in
              (("weight", (4, 4)), ("bias", (4,)))}  # fmt: skip
    recipe = Recipe([Rule("*.bias", "xavier_uniform", fans_of="weight"), Rule("*", "ones")])
    found = {a.name: a.why for a in recipe.resolve(shapes)}
    for layer in "ab":
        assert found[f"{layer}.bias"] == (f"fans are those of '{layer}.weight'",)


def test_numpys_number_as_an_axis_of_a_variable():
    """As in `blocks`."""
    variables = {"d": {"size": "w", "axis": np.int64(1)}}
    recipe = Recipe([Rule("*", "normal", stddev="1 / d")], variables=variables)
    assert recipe.resolve({"w": (3, 4)})[0].stddev == 0.25
    assert Recipe.from_toml(recipe.to_toml()) == recipe
