# SPDX-License-Identifier: Apache-2.0
"""Rules: layouts, siblings, refusals, and what `explain` says of them."""

import dataclasses
import math
import re

import pytest
from rule_cases import NORMAL, one

import glorot
from glorot import Recipe, Rule
from glorot.recipe import Where


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


@pytest.mark.parametrize("weight", ["zeros", glorot.Constant(0.1), "he_normal"])
def test_fans_of_a_weight_that_is_not_drawn(weight):
    """They are its layer's, as they would be if it were drawn: a zeroed output's bias keeps its
    bound."""
    shapes = {
        "down.weight": {"shape": (16, 256), "layout": "torch.linear"},
        "down.bias": (16,),
        "conv.weight": {"shape": (16, 4, 3), "layout": "torch.conv", "groups": 2},
        "conv.bias": (16,),
    }
    bias = Rule("*.bias", "variance_scaling", scale=1 / 3, distribution="uniform", fans_of="weight")
    found = Recipe([bias, Rule("*", weight)]).resolve(shapes)
    fans = {a.name: a.fans for a in found if a.name.endswith("bias")}
    assert fans == {"down.bias": (256.0, 16.0), "conv.bias": (12.0, 24.0)}


def test_near_names_are_of_different_kinds():
    """Of numbered layers the first one stands for all: other kinds of names are shown beside."""
    parts = ("gate_proj", "up_proj", "down_proj")
    names = {f"layers.{i}.mlp.{part}.weight": (2, 2) for i in range(2000) for part in parts}
    rules = [Rule("layers.*.mlp.gate_prj.weight", "ones"), Rule("*", "zeros")]
    with pytest.raises(ValueError, match="matches no parameter") as raised:
        glorot.Recipe(rules).resolve(names)
    near = str(raised.value).partition("Near: ")[2]
    assert sorted(near.removesuffix(".").split(", ")) == sorted(
        f"layers.0.mlp.{part}.weight" for part in parts
    )
