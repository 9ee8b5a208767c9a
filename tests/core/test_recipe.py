# SPDX-License-Identifier: Apache-2.0
"""Recipes: matching, coverage, depth scaling, and JSON that executes nothing."""

import fnmatch
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import glorot
from glorot import Recipe, Rule
from glorot.recipe import TensorSpec, load, parse_shapes, presets, shapes_from_json

EXAMPLE = Path(__file__).parents[2] / "examples" / "gpt2-124m.json"
NORMAL = glorot.RandomNormal(stddev=0.02)


def test_first_match_wins_over_the_whole_name():
    """Rules are tried in order, a pattern covers the whole name, and * crosses dots."""
    recipe = Recipe([Rule("a.*.bias", "zeros"), Rule("a*", "ones"), Rule("?", NORMAL)])
    found = recipe.match(["a.b.c.bias", "a.bias", "x", "A.b.bias", "ya"])
    assert {name: rule.pattern for name, rule in found.rules.items()} == {
        "a.b.c.bias": "a.*.bias",
        "a.bias": "a*",
        "x": "?",
    }
    assert found.unmatched == ["A.b.bias", "ya"]
    assert found.idle == []


@given(
    st.lists(st.text("ab.*?", min_size=1, max_size=5), min_size=1, max_size=5, unique=True),
    st.lists(st.text("ab.", min_size=1, max_size=5), max_size=8, unique=True),
    st.data(),
)
@settings(deadline=None, max_examples=100)
def test_matching_is_the_first_glob_that_fits(patterns, names, data):
    """Each name gets the first rule whose glob fits the whole of it; what is left over is told, by
    globs and by regular expressions that say the same."""
    kinds = [data.draw(st.sampled_from([None, NORMAL])) for _ in patterns]
    signs = {"*": ".*", "?": ".", ".": r"\."}
    for write in (str, lambda glob: "re:" + "".join(signs.get(c, c) for c in glob)):
        rules = [Rule(write(p), init) for p, init in zip(patterns, kinds, strict=True)]
        pairs = list(zip(rules, patterns, strict=True))
        found = Recipe(rules).match(names)
        expected = {
            name: next(
                (rule for rule, glob in pairs if fnmatch.fnmatchcase(name, glob)),
                None,
            )
            for name in names
        }
        assert found.rules == {name: rule for name, rule in expected.items() if rule is not None}
        assert found.unmatched == [name for name, rule in expected.items() if rule is None]
        used = set(found.rules.values())
        assert found.idle == [rule for rule in rules if rule not in used and rule.initializer]


def test_assignments_say_everything():
    """`resolve` keeps the order of the shapes and gives rule, initializer, fans, stddev, dtype."""
    recipe = Recipe([Rule("b", "zeros"), Rule("w*", glorot.HeNormal(dtype="float16"))])
    shapes = {"w1": (4, 2), "b": TensorSpec((2,), "float64"), "w2": ((2, 8))}
    one, two, three = recipe.resolve(shapes)
    assert (one.name, two.name, three.name) == ("w1", "b", "w2")
    assert one.dtype == "float16"  # nobody said otherwise: the initializer's own
    assert two.dtype == "float64"
    assert one.fans == (4.0, 2.0)
    assert one.rule is recipe.rules[1]
    assert one.stddev == pytest.approx(math.sqrt(2 / 4), rel=1e-6)  # wrong: fan_out, sqrt(2 / 2)
    assert two.stddev == 0.0
    assert two.law == "Zeros"


def test_dtype_argument_spares_integers():
    """`dtype` changes floating parameters and leaves counters as they are."""
    shapes = {"w": {"shape": [2], "dtype": "float32"}, "n": {"shape": [], "dtype": "int64"}}
    found = Recipe([Rule("*", "zeros")]).resolve(shapes, dtype="bfloat16")
    assert [a.dtype for a in found] == ["bfloat16", "int64"]


@pytest.mark.parametrize(
    ("layers", "names", "expected"),
    [
        (3, ["p"], 3),
        ("h.*.", ["p", "h.0.p", "h.0.q", "h.11.p"], 2),
        ("*h.*.", ["model.h.0.p", "model.h.1.p", "model.h.1.q", "lm_head.weight"], 2),
        ("a.*.b.*.", ["a.0.b.0.x", "a.0.b.1.x", "a.1.b.0.x"], 3),
    ],
)
def test_layers_are_given_or_counted(layers, names, expected):
    """A number is taken; a pattern counts the different beginnings of names."""
    assert Rule("p", NORMAL, layers=layers).count_layers(names) == expected


def test_depth_scaling():
    """The stddev is divided by sqrt(branches * layers); forgetting either is seen."""
    names = {f"h.{i}.proj": (2, 2) for i in range(12)}
    for branches in (1, 2, 3):
        rule = Rule("*", NORMAL, layers="h.*.", branches=branches)
        stddev = Recipe([rule]).resolve(names)[0].stddev
        assert stddev == pytest.approx(0.02 / math.sqrt(branches * 12), rel=1e-12)
        for wrong in (0.02, 0.02 / math.sqrt(12 * (branches + 1)), 0.02 / (branches * 12)):
            assert stddev != pytest.approx(wrong, rel=1e-3)


def test_none_leaves_out():
    """A rule with None leaves its parameters out and may match nothing; layers still count."""
    recipe = Recipe([Rule("h.*.mask", None), Rule("none", None), Rule("*", "ones")])
    assert [a.name for a in recipe.resolve({"h.0.mask": (1,), "w": (2,)})] == ["w"]
    with pytest.raises(ValueError, match=r"leaves out every parameter"):
        Recipe([Rule("*", None)]).resolve({"w": (2,)})


def test_coverage_errors_name_what_is_near():
    """Both kinds of gap are told at once, with what was probably meant."""
    recipe = Recipe(
        [Rule("encoder.kernel", "ones"), Rule("*.bias", "zeros"), Rule("b.bias", NORMAL)]
    )
    with pytest.raises(ValueError, match=r"no rule matches 'encoder.kernal'") as caught:
        recipe.resolve({"encoder.kernal": (2,), "b.bias": (2,)})
    text = str(caught.value)
    assert "Near patterns: encoder.kernel." in text
    assert "the rule for 'encoder.kernel' matches no parameter. Near: encoder.kernal" in text
    assert "'b.bias' is never used: earlier rules take all that it matches" in text
    assert "'*.bias' takes 'b.bias'" in text
    with pytest.raises(ValueError, match=r"'n0', 'n1', 'n2', 'n3', 'n4' and 25 more"):
        recipe.resolve({f"n{i}": (1,) for i in range(30)})
    with pytest.raises(
        ValueError, match=r"no parameter is matched by the rule for 'zzz'; the names"
    ):
        Recipe([Rule("zzz", "ones"), Rule("*", "ones")]).resolve(
            {f"parameter.number.{i:02}": (1,) for i in range(30)}
        )


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: Rule(3, "ones"), TypeError, r"`pattern` must be a string, got 3"),
        (lambda: Rule("", "ones"), ValueError, r"`pattern` must not be empty"),
        (lambda: Rule("*", "onez"), ValueError, r"no initializer is called 'onez'"),
        (lambda: Rule("*", len), TypeError, r"`initializer` must be an initializer, its name"),
        (lambda: Rule("*", glorot.HeNormal(seed=1)), ValueError, r"must have no seed"),
        (lambda: Rule("*", NORMAL, branches=3), ValueError, r"changes nothing without `layers`"),
        (lambda: Rule("*", NORMAL, layers=2, branches=0), ValueError, r"`branches` must be at lea"),
        (lambda: Rule("*", NORMAL, layers=0), ValueError, r"`layers` must be at least 1"),
        (lambda: Rule("*", NORMAL, layers="h.*"), ValueError, r"such as 'h\.\*\.'; got 'h\.\*'"),
        (lambda: Rule("*", None, layers=2), ValueError, r"has nothing to scale"),
        (lambda: Rule("*", "ones", layers=2), TypeError, r"has no spread to scale"),
        (lambda: Recipe([]), ValueError, r"at least one rule"),
        (lambda: Recipe(["*"]), TypeError, r"must hold glorot.Rule, got '\*'"),
        (lambda: Recipe(glorot.HeNormal()), TypeError, r"list of glorot.Rule, got HeNormal\(\)\. "),
        (lambda: Recipe(Rule("*", "ones")), TypeError, r"For one rule pass \[rule\]"),
        (lambda: Recipe([Rule("*", "ones")] * 2), ValueError, r"the pattern '\*' twice"),
        (lambda: Recipe([Rule("*", "ones")], source=1), TypeError, r"`source` must be a string"),
        (lambda: Rule("*", NORMAL, layers="x.*.").count_layers(["h.0."]), ValueError, r"no layer"),
        (lambda: load("gpt3"), ValueError, r"no built-in recipe is called 'gpt3'. Near: gpt2"),
        (lambda: load("./none.json"), FileNotFoundError, r"none.json"),
    ],
)
def test_refusals(make, error, text):
    """Every bad argument is refused with a text that says what to do."""
    with pytest.raises(error, match=text):
        make()


@pytest.mark.parametrize(
    ("shapes", "error", "text"),
    [
        ([(2, 3)], TypeError, r"`shapes` must be a mapping"),
        ({}, ValueError, r"at least one parameter"),
        ({"": (2,)}, ValueError, r"cannot be called ''"),
        ({"__metadata__": (2,)}, ValueError, r"cannot be called '__metadata__'"),
        ({3: (2,)}, TypeError, r"`name` must be a string"),
        ({"w": {"dtype": "float32"}}, ValueError, r"'w' in `shapes` .* 'shape' is missing"),
        ({"w": {"shape": [2], "size": 3}}, ValueError, r"got also 'size'"),
        ({"w": (-1,)}, ValueError, r"'w' in `shapes`: .*-1"),
        ({"w": 5}, TypeError, r"'w' in `shapes`: `shape` must be a sequence"),
        ({"w": {"shape": [2], "type": 3}}, TypeError, r"'w' in `shapes`: `type` must be a string"),
        ({"w": {"shape": [2], "tags": [3]}}, TypeError, r"'w' in `shapes`: `tags` must be strings"),
        ({"w": {"shape": [2], "tags": 3}}, TypeError, r"'w' in `shapes`: `tags` must be strings"),
        ({"w": {"shape": [2], "layout": "XY"}}, ValueError, r"'w' in `shapes`: `layout` must be o"),
        ({"w": {"shape": [2], "groups": 0}}, ValueError, r"'w' in `shapes`: `groups` must be at "),
        (
            {"w": {"shape": [2], "blocks": "lstm"}},
            ValueError,
            r"'w' in `shapes`: `blocks` must be o",
        ),
        ({"w": {"shape": [2], "dtype": "float12"}}, TypeError, r"'w' in `shapes`: `dtype` must be"),
    ],
)
def test_shapes_are_checked(shapes, error, text):
    """Bad shapes are refused with the parameter's name."""
    with pytest.raises(error, match=text):
        parse_shapes(shapes)


def test_shapes_say_more():
    """Types, tags and layouts are read, shown where they are said, and kept."""
    said = {"shape": [2, 3], "type": "Linear", "tags": "first", "layout": "torch.linear"}
    spec = parse_shapes({"w": said})["w"]
    assert spec == TensorSpec((2, 3), None, "Linear", ("first",), "torch.linear")
    assert parse_shapes({"w": spec})["w"] == spec
    assert repr(spec) == (
        "TensorSpec(shape=(2, 3), dtype=None, type='Linear', tags=('first',), "
        "layout='torch.linear')"
    )


def test_shapes_of_arrays():
    """Anything with `shape` and `dtype` will do."""
    assert parse_shapes({"w": np.zeros((2, 3), "float16")}) == {"w": TensorSpec((2, 3), "float16")}


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[1]", r"must hold \{\"name\""),
        ("{", r"cannot be read as JSON"),
        ('{"w": {"shape": [1]}, "w": {"shape": [2]}}', r"the key 'w' is there twice"),
        ("[" * 100_000, r"(nested too deeply|cannot be read)"),
        (b"\xff\xfe{", r"(must be UTF-8|cannot be read)"),
    ],
)
def test_shapes_files_are_checked(text, match):
    """A shapes file that is none says so, doubled names and bottomless nesting included."""
    with pytest.raises(ValueError, match=match):
        shapes_from_json(text)


def test_resolve_names_the_parameter_that_cannot_be():
    """What an initializer refuses is told with the parameter and the rule."""
    with pytest.raises(ValueError, match=r"'w' of shape \(3,\) .* rule for '\*'"):
        Recipe([Rule("*", "orthogonal")]).resolve({"w": (3,)})
    with pytest.raises(TypeError, match=r"'n' of shape \(\) .*Only floating"):
        Recipe([Rule("*", "he_normal")]).resolve({"n": {"shape": (), "dtype": "int64"}})


INITIALIZERS = [
    None,
    "zeros",
    "glorot_uniform",
    glorot.TruncatedNormal(stddev=0.5, lower=-3.0),
    glorot.HeNormal(layout="torch.conv", dtype="bfloat16"),
    glorot.Orthogonal(gain=2.0),
    glorot.VarianceScaling(2.0, "fan_out", "uniform", fan_in=3.0),
]


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="utf-8"), min_size=1),
            st.sampled_from(INITIALIZERS),
            st.none() | st.integers(1, 99),
        ),
        min_size=1,
        unique_by=lambda row: row[0],
    ),
    st.text(st.characters(codec="utf-8")),
)
@settings(deadline=None, max_examples=60)
def test_json_round_trip(rows, source):
    """Any recipe comes back from its JSON equal, with the same fingerprint."""
    rules = [
        Rule(pattern, init, layers=layers if init not in (None, "zeros") else None)
        for pattern, init, layers in rows
    ]
    recipe = Recipe(rules, source=source)
    again = Recipe.from_json(recipe.to_json())
    assert again == recipe
    assert again.fingerprint == recipe.fingerprint


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("h.*.{q,k}.weight", r"{ and } stand for themselves in a glob: 'h.*.{q,k}.weight' needs"),
        (r"h\.\d+\.q\.weight", r"A regular expression begins with re:, as in 're:h"),
        ("h.0.(q|k).weight", "A regular expression begins with re:"),
        ("^zz$", "A regular expression begins with re:"),
        ("h.*.z.weight", None),
        ("zz.*", None),
        (r"re:h\.0\.(y|z)\.weight", None),
    ],
)
def test_a_glob_that_looks_like_something_else(pattern, text):
    """Braces and regular expressions are what people write, and globs here have neither."""
    recipe = Recipe([Rule(pattern, "ones"), Rule("*", "zeros")])
    with pytest.raises(ValueError, match=r"matches no parameter|no parameter is matched") as raised:
        recipe.resolve({"h.0.q.weight": (2, 2), "h.0.k.weight": (2, 2)})
    said = str(raised.value)
    assert ("in a glob" in said or "begins with re" in said) == (text is not None)
    assert text is None or text in said


def test_fingerprint_is_of_the_rules():
    """The fingerprint sees order and options, and not the source."""
    a, b = Rule("a", "ones"), Rule("b", NORMAL)
    prints = {
        Recipe(rules).fingerprint
        for rules in ([a, b], [b, a], [a], [a, Rule("b", NORMAL, layers=2)])
    }
    assert len(prints) == 4
    assert Recipe([a], source="x").fingerprint == Recipe([a]).fingerprint


def recipe_json(**changes):
    """A recipe file with some keys changed, or removed by None."""
    content = {"format": "glorot-recipe", "version": 1, "rules": [], **changes}
    return json.dumps({key: value for key, value in content.items() if value is not None})


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[]", r'"format": "glorot-recipe"'),
        (recipe_json(format="x"), r'"format": "glorot-recipe"'),
        (recipe_json(version=3), r"`version` must be 1 or 2, got 3. A later one needs a later"),
        (recipe_json(version=True), r"`version` must be 1 or 2, got True"),
        (recipe_json(extra=1), r"unknown key 'extra'. Known are format, rules, source, version"),
        (recipe_json(rules=None), r"lacks the key 'rules'"),
        (recipe_json(rules=3), r"`rules` must be a list, got 3"),
        (recipe_json(rules=["*"]), r"rule 0 of the recipe must be an object"),
        (
            recipe_json(rules=[{"pattern": "*"}]),
            r"rule 0 of the recipe lacks the key 'initializer'",
        ),
        (recipe_json(rules=[{"pattern": "*", "initializer": "ones", "x": 1}]), r"unknown key 'x'"),
        (
            recipe_json(rules=[{"pattern": "*", "initializer": {"class_name": "os.system"}}]),
            r"rule 0 of the recipe: no initializer is called 'os.system'",
        ),
        (
            recipe_json(
                rules=[{"pattern": "*", "initializer": {"class_name": "Ones", "module": "os"}}]
            ),
            r"unknown key 'module'",
        ),
        (
            recipe_json(
                rules=[{"pattern": "*", "initializer": {"class_name": "Ones", "config": {"sd": 1}}}]
            ),
            r"rule 0 of the recipe: .*'sd'",
        ),
        (
            recipe_json(
                rules=[
                    {
                        "pattern": "*",
                        "initializer": {"class_name": "HeNormal", "config": {"seed": 1}},
                    }
                ]
            ),
            r"rule 0 of the recipe: .*must have no seed",
        ),
    ],
)
def test_recipe_files_are_checked(text, match):
    """Recipe files hold data in one form; whatever else is refused with the rule's number."""
    with pytest.raises(ValueError, match=match):
        Recipe.from_json(text)


def test_load_by_path(tmp_path):
    """A path loads a file; its errors name it."""
    path = tmp_path / "mine.json"
    recipe = Recipe([Rule("*", NORMAL)])
    path.write_text(recipe.to_json(), encoding="utf-8")
    assert load(path) == load(str(path)) == recipe
    path.write_text("{}")
    with pytest.raises(ValueError, match=r"mine\.json: a recipe must be"):
        load(path)


def test_presets_load():
    """Every built-in recipe reads and says where it comes from."""
    assert "gpt2" in presets()
    for name in presets():
        assert load(name).source


@pytest.mark.parametrize("prefix", ["", "transformer."])
def test_gpt2(prefix):
    """GPT-2's 148 tensors and 124,439,808 parameters get their published stddevs, by the names of
    the checkpoint and by those of the model with a head; masks and the tied head are left out."""
    shapes = shapes_from_json(EXAMPLE.read_text(encoding="utf-8"))
    assert len(shapes) == 148
    assert sum(math.prod(spec.shape) for spec in shapes.values()) == 124_439_808
    named = {prefix + name: spec for name, spec in shapes.items()}
    buffers = {f"{prefix}h.0.attn.bias": (1, 1, 1024, 1024), "lm_head.weight": (50257, 768)}
    found = {a.name.removeprefix(prefix): a for a in load("gpt2").resolve(named | buffers)}
    assert found.keys() == shapes.keys()
    deep = 0.02 / math.sqrt(2 * 12)
    for name, assignment in found.items():
        if name.endswith(".bias"):
            assert assignment.initializer == glorot.Zeros()
        elif ".ln_" in name or name.startswith("ln_f"):
            assert assignment.initializer == glorot.Ones()
        else:
            assert assignment.stddev == pytest.approx(deep if "c_proj" in name else 0.02, rel=1e-12)


def test_no_pattern_of_layers_makes_counting_slow():
    """Pieces are sought once each: a pattern that backtracks for hours in a regular expression."""
    rule = Rule("*", "normal", layers="*a" * 24 + "*b")
    with pytest.raises(ValueError, match="counts no layer"):
        rule.count_layers(["a" * 4000])
    assert rule.count_layers(["a" * 30 + "b", "a" * 31 + "b" + "c"]) == 2
