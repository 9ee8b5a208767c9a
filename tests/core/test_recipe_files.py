# SPDX-License-Identifier: Apache-2.0
"""Recipe files: two versions of the schema in JSON and TOML, fingerprints, and any bad input."""

import contextlib
import hashlib
import json
import math
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import glorot
from glorot import Recipe, Rule
from glorot.recipe import _toml, load, presets

VARIABLES = {
    "n_layer": {"count": "h.*."},
    "d": {"size": "*.q", "axis": -1, "about": "width ü \x7f \"'"},
    "std": 0.02,
    "n_head": 12,
    "deep": "std / sqrt(2 * n_layer)",
    "unset": {"about": "to be set"},
}

# Rules of every kind, to be told apart by their patterns.
RULES = {
    "initializer": None,
    "conditions": {"where": {"ndim": [2, 3], "shape": ["*", 3], "dtype": "*float*", "tag": "x"}},
    "gain": {"gain": "gelu / sqrt(n_layer)"},
    "number": {"gain": 0.1},
    "layers": {"layers": "h.*.", "branches": 3},
    "mup": {"mup": "output"},
    "blocks": {
        "blocks": [{"name": "q", "size": "n_head", "gain": 2.0}, 1, {"initializer": "ones"}]
    },
    "named": {"blocks": {"parts": "torch.lstm", "axis": 0, "change": {"forget": "zeros"}}},
    "repeat": {"blocks": {"parts": 3, "repeat": "n_head"}},
    "fans_of": {"fans_of": "weight"},
    "siblings": {"fans_of": ["weight", "kernel"]},
    "optional": {"optional": True},
}
INITIALIZERS = [
    glorot.HeNormal(layout="torch.conv", groups=4, order="canonical"),
    glorot.GlorotUniform(gain=2.0, batch_axes=0),
    glorot.RandomNormal(stddev=1e-5),
    glorot.TruncatedNormal(stddev=0.5, lower=-3.0, upper="inf", dtype="bfloat16"),
    glorot.VarianceScaling(1 / 3, "fan_out", "uniform", fan_in=3.0),
    glorot.RandomUniform(-1, 1),
]


@st.composite
def recipes(draw):
    """A recipe with rules of any kind."""
    rules = []
    patterns = draw(
        st.lists(st.text("ab*?.[]é\n\"'\\", min_size=1), min_size=1, max_size=5, unique=True)
    )
    for pattern in patterns:
        kind = draw(st.sampled_from(sorted(RULES)))
        if kind == "initializer":
            rules.append(Rule(pattern, draw(st.sampled_from([None, "zeros", "orthogonal"]))))
        elif draw(st.booleans()):
            rules.append(Rule(pattern, draw(st.sampled_from(INITIALIZERS)), **RULES[kind]))
        else:
            number = draw(st.sampled_from(["std", "deep", "1 / sqrt(fan_in)", 0.5]))
            rules.append(Rule(pattern, "normal", stddev=number, **RULES[kind]))
    source = draw(st.text(st.characters(codec="utf-8")))
    return Recipe(rules, source=source, variables=draw(st.sampled_from([VARIABLES])))


@given(recipes())
@settings(deadline=None, max_examples=40)
def test_round_trips(recipe):
    """Any recipe comes back equal from JSON, TOML and pickle, with the same fingerprint."""
    for again in (
        Recipe.from_json(recipe.to_json()),
        Recipe.from_toml(recipe.to_toml()),
        Recipe.from_toml(recipe.to_toml().encode()),
        pickle.loads(pickle.dumps(recipe)),
    ):
        assert again == recipe
        assert hash(again) == hash(recipe)
        assert again.fingerprint == recipe.fingerprint
        assert again.to_toml() == recipe.to_toml()


def test_toml_is_a_line_a_rule():
    """What is written is what people would write."""
    recipe = Recipe(
        [
            Rule("*.bias", "zeros", where={"ndim": 1}),
            Rule("h.*.proj", glorot.RandomNormal(stddev=0.02), gain="1 / sqrt(2 * n_layer)"),
            Rule("*.qkv", "glorot_normal", layout="torch.linear", blocks=[4, 1, 1]),
            Rule("*", glorot.HeNormal(gain=2.0)),
            Rule("tied", None),
        ],
        source="me",
        variables={"n_layer": {"count": "h.*."}, "n": 12},
    )
    assert recipe.to_toml().splitlines() == [
        'format = "glorot-recipe"',
        "version = 2",
        'source = "me"',
        'variables.n_layer = { count = "h.*." }',
        "variables.n = 12",
        "rules = [",
        '  { pattern = "*.bias", where = { ndim = 1 }, initializer = "zeros" },',
        '  { pattern = "h.*.proj", initializer = "random_normal", stddev = 0.02, '
        'gain = "1 / sqrt(2 * n_layer)" },',
        '  { pattern = "*.qkv", initializer = "glorot_normal", layout = "torch.linear", '
        "blocks = [4, 1, 1] },",
        '  { pattern = "*", initializer = { class_name = "HeNormal", '
        'config = { dtype = "float32", gain = 2.0, stream = 1 } } },',
        '  { pattern = "tied", initializer = "none" },',
        "]",
    ]


def test_version_1_stays_what_it_was():
    """Files, fingerprints and what is written of recipes from before version 2 are unchanged."""
    assert load("gpt2").fingerprint == "7f7185397d1296b8ae24147e0796bfd6"
    recipe = Recipe(
        [
            Rule("*.bias", "zeros"),
            Rule("norm*", "ones"),
            Rule("out.weight", glorot.Orthogonal()),
            Rule("conv.weight", glorot.HeNormal(layout="torch.conv", order="canonical")),
            Rule("h.*.weight", glorot.RandomNormal(stddev=0.02), layers="h.*."),
            Rule("*", "glorot_uniform"),
        ]
    )
    assert recipe.fingerprint == "3cce1eddbc27f6c390d719690ca32d2d"
    text = recipe.to_json()
    assert hashlib.sha256(text.encode()).hexdigest() == (
        "5cb9e04b90a815fc4c0a8bed35f591a1da76a1f7c60523e0b8c9b313827ef829"
    )
    assert json.loads(text)["version"] == 1
    assert Recipe.from_toml(recipe.to_toml()).fingerprint == recipe.fingerprint


@pytest.mark.parametrize(
    ("rule", "variables"),
    [
        (Rule("re:a", "ones"), {}),
        (Rule("a", "ones", optional=True), {}),
        (Rule("a", "normal", stddev="1/2"), {}),
        (Rule("a", glorot.Blocks("ones", 2)), {}),
        (Rule("a", "ones"), {"n": 1}),
    ],
)
def test_the_first_version_that_can_hold_it_is_written(rule, variables):
    """What version 1 has no words for is version 2."""
    recipe = Recipe([rule], variables=variables)
    assert json.loads(recipe.to_json())["version"] == 2
    assert Recipe.from_json(recipe.to_json()) == recipe


def test_fingerprints_never_change():
    """Recorded: of a recipe that uses most of version 2, and with a seed and the stream's version.
    Checkpoints hold them, and people compare them between releases."""
    recipe = Recipe(
        [
            Rule(r"re:h\.\d+\.(q|k)", "xavier_uniform", layout="torch.linear",
                 blocks=["n_head", "n_kv", 1]),
            Rule("*.bias", "lecun_uniform", gain="1 / sqrt(3)", fans_of="weight", optional=True),
            Rule("*.head", "normal", stddev="std", mup="output",
                 where={"ndim": 2, "type": ["Linear", "Dense"]}),
            Rule("tied", None),
            Rule("*", "he_normal", gain="gelu.backward", layers="h.*."),
        ],
        variables={
            "n_head": 4, "n_kv": {"about": "key heads"}, "std": "0.02 / n_head",
            "width_mult": {"size": "*.head", "axis": 1},
        },
    )  # fmt: skip
    assert recipe.fingerprint == "36003dbfbbb0c0f6363b3801d6a7cb70"
    assert recipe.fingerprint_of(0) == "3765ed1d2af413a1a2a6d32b935f94c1"
    assert recipe.fingerprint_of(2**64 - 1) == "72f1775282ab4cd981b214e5b9b486bf"
    assert load("gpt2").fingerprint_of(42) == "5bb138ec78e975c404d5999de69f453f"


def test_fingerprints_see_what_changes_values():
    """Variables, conditions, gains and blocks count; texts for people do not; seeds are for
    `fingerprint_of`."""
    prints = [Recipe([Rule("a", "normal", **options)]).fingerprint for options in (
        {}, {"gain": 2.0}, {"gain": "2"}, {"where": {"ndim": 1}}, {"blocks": 2}, {"mup": "hidden"},
        {"fans_of": "b"}, {"fans_of": ["b", "c"]}, {"optional": True}, {"stddev": 0.1},
        {"stddev": "0.1"},
    )]  # fmt: skip
    assert len(set(prints)) == len(prints)
    rule = Rule("a", "normal", gain="n")
    one, two, three = (
        Recipe([rule], variables={"n": value}) for value in (1, 2, {"value": 2, "about": "two"})
    )
    assert one.fingerprint != two.fingerprint == three.fingerprint
    assert one.set(n=2).fingerprint == two.fingerprint
    assert len({one.fingerprint_of(seed) for seed in range(5)}) == 5
    assert one.fingerprint_of(1) != two.fingerprint_of(1)
    assert len(one.fingerprint_of(2**64 - 1)) == 32
    with pytest.raises(ValueError, match=r"`seed` must lie in"):
        one.fingerprint_of(-1)


def test_load_toml(tmp_path):
    """A path that ends in .toml is read as TOML; its errors name it."""
    path = tmp_path / "mine.toml"
    recipe = Recipe([Rule("re:a+", "ones")])
    path.write_text(recipe.to_toml(), encoding="utf-8")
    assert load(path) == load(str(path)) == recipe
    path.write_text("rules = ")
    with pytest.raises(ValueError, match=r"mine\.toml: the recipe cannot be read as TOML: "):
        load(path)
    path.write_bytes(b"\xef\xbb\xbf" + recipe.to_toml().encode())
    with pytest.raises(ValueError, match=r"must begin without a byte order mark"):
        load(path)
    path.write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"must be UTF-8 text, and is not"):
        load(path)


def test_every_preset_is_written_and_read():
    """In both forms."""
    for name in presets():
        recipe = load(name)
        assert Recipe.from_toml(recipe.to_toml()) == Recipe.from_json(recipe.to_json()) == recipe


def toml(rules="", top=""):
    """A recipe file of version 2."""
    return f'format = "glorot-recipe"\nversion = 2\n{top}\nrules = [{rules}]\n'


ONES = '{ pattern = "*", initializer = "ones" }'


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("x = [", "the recipe cannot be read as TOML"),
        ("a = 1\na = 2", "the recipe cannot be read as TOML"),
        ("a = " + "[" * 5000, "(nested too deeply|cannot be read as TOML)"),
        ("", 'a recipe must be an object with "format": "glorot-recipe", "version": 2'),
        ('format = "x"', "a recipe must be an object"),
        ('format = "glorot-recipe"', "`version` must be 1 or 2, got None"),
        ('format = "glorot-recipe"\nversion = 2.0', "`version` must be 1 or 2, got 2.0"),
        ('format = "glorot-recipe"\nversion = 2', "the recipe lacks the key 'rules'"),
        (toml(), "at least one rule"),
        (toml("1"), "rule 0 of the recipe must be an object, got 1"),
        (toml(ONES, "x = 1"), "the recipe has the unknown key 'x'. Known are format, rules, sou"),
        (toml(ONES, "source = 1"), "the recipe: `source` must be a string, got 1"),
        (toml(ONES, "variables = 1"), "the recipe: `variables` must be a dict"),
        (toml(ONES, "variables.a = 'b'"), "variable 'a' asks for 'b', which is no variable"),
        (toml(ONES, "variables.a = 1979-05-27"), "variable 'a': `value` must be a number"),
        (toml('{ pattern = "*" }'), "rule 0 of the recipe lacks the key 'initializer'"),
        (toml('{ initializer = "ones" }'), "rule 0 of the recipe lacks the key 'pattern'"),
        (toml('{ pattern = "*", initialiser = "ones" }'), "It has 'initialiser': is that it"),
        (toml(f'{ONES}, {{ pattern = "", initializer = "ones" }}'), "rule 1 .*must not be empty"),
        (
            toml('{ pattern = "*", initializer = "normal", stdev = 1 }'),
            "rule 0 of the recipe: RandomNormal has no option 'stdev', and a rule no key of that ",
        ),
        (
            toml('{ pattern = "*", initializer = "normal", stddev = nan }'),
            "rule 0 of the recipe: `stddev` must be finite, got nan",
        ),
        (
            toml('{ pattern = "*", initializer = "normal", gian = 1 }'),
            "no option 'gian', and a rule no key of that name. Near: gain",
        ),
        (toml('{ pattern = "*", initializer = "normal", self = 1 }'), "no option 'self'"),
        (toml('{ pattern = "*", initializer = 3 }'), "`initializer` must be an initializer, its"),
        (
            toml('{ pattern = "*", initializer = { class_name = "Ones", x = 1 } }'),
            "`initializer` has the unknown key 'x'. Known are class_name, config",
        ),
        (toml('{ pattern = "*", initializer = { config = {} } }'), "lacks the key 'class_name'"),
        (
            toml('{ pattern = "*", initializer = { class_name = "Ones", config = 3 } }'),
            "`config` of Ones must be a dict of its options, got 3",
        ),
    ],
)
def test_toml_files_are_checked(text, match):
    """Whatever is no recipe is refused with the number of the rule."""
    with pytest.raises(ValueError, match=match):
        Recipe.from_toml(text)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        (
            {"variables": {}},
            r"unknown key 'variables'. Known are format, .*'variables' needs version",
        ),
        (
            {"rules": [{"pattern": "*", "initializer": "ones", "gain": 2}]},
            r"'gain' needs version 2",
        ),
        ({"rules": [{"pattern": "re:a", "initializer": "ones"}]}, r"'re:a' needs version 2"),
        ({"rules": [{"pattern": "a", "initializer": "none"}]}, r"'none'; version 1 says null"),
    ],
)
def test_version_1_has_no_words_of_version_2(changes, match):
    """A file that says version 1 means version 1."""
    content = {"format": "glorot-recipe", "version": 1, "rules": [], **changes}
    with pytest.raises(ValueError, match=match):
        Recipe.from_json(json.dumps(content))


# --- anything at all -----------------------------------------------------------------------------

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
    st.sampled_from(
        ["*", "re:(a|b)*", "ones", "none", "he_normal", "normal", "qkv", "1 / n", "n", "gelu",
         "h.*.", "torch.linear", "input", "weight", 10**30, -1, 0, 1, 2, "9**9**9**9", "n / 0"]
    ),
)  # fmt: skip
KEYS = st.sampled_from(
    ["pattern", "initializer", "where", "gain", "layers", "branches", "mup", "blocks", "fans_of",
     "optional", "stddev", "layout", "class_name", "config", "ndim", "shape", "dtype", "type",
     "tag",
     "parts", "axis", "repeat", "change", "q", "size", "name", "value", "count", "about", "sizes",
     "initializers", "seed", "stream", "x"]
) | st.text(max_size=3)  # fmt: skip
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)
RULE = st.fixed_dictionaries(
    {"pattern": SCALARS, "initializer": SCALARS | ANYTHING},
    optional=dict.fromkeys(
        ("where", "gain", "layers", "branches", "mup", "blocks", "fans_of", "optional", "stddev",
         "layout", "x"),
        ANYTHING,
    ),
)  # fmt: skip
FILES = st.fixed_dictionaries(
    {"format": st.just("glorot-recipe"), "version": st.sampled_from([1, 2])},
    optional={
        "rules": st.lists(RULE, max_size=3) | ANYTHING,
        "variables": st.dictionaries(st.sampled_from(["n", "m", "1"]), ANYTHING) | ANYTHING,
        "source": ANYTHING,
    },
)


@pytest.mark.slow
@given(FILES | ANYTHING)
@settings(deadline=None, max_examples=250)
def test_any_json_is_a_recipe_or_a_clear_error(content):
    """No file does anything but give a recipe or a ValueError; a recipe that is read is written,
    read again, and resolves or says why not."""
    try:
        recipe = Recipe.from_json(json.dumps(content))
    except ValueError as error:
        assert "\n" not in str(error) or "\n" in json.dumps(content)  # noqa: PT017
        return
    assert Recipe.from_json(recipe.to_json()) == recipe
    assert Recipe.from_toml(recipe.to_toml()) == recipe
    with contextlib.suppress(ValueError, TypeError):
        recipe.resolve({"h.0.weight": (4, 4), "h.0.bias": (4,)})


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_any_text_is_a_clear_error(text):
    """Neither reader gives anything but ValueError for what is no recipe."""
    for read in (Recipe.from_json, Recipe.from_toml):
        with pytest.raises(ValueError, match=r"recipe"):
            read(text)


@pytest.mark.slow
@given(FILES)
@settings(deadline=None, max_examples=100)
def test_toml_and_json_agree(content):
    """What both can hold is the same recipe, or the same error, in both."""
    content = _without_none(content)
    if not isinstance(content.get("rules", []), list):
        content["rules"] = []
    if not isinstance(content.get("variables", {}), dict):
        content["variables"] = {}
    text, same = _toml.write(content), json.dumps(content)
    try:
        expected = Recipe.from_json(same)
    except ValueError:
        with pytest.raises(ValueError, match=r"."):
            Recipe.from_toml(text)
    else:
        assert Recipe.from_toml(text) == expected


def _without_none(content):
    """The same without null, which TOML has not, and without numbers that are none in JSON."""
    if isinstance(content, dict):
        return {k: _without_none(v) for k, v in content.items() if v is not None}
    if isinstance(content, list):
        return [_without_none(item) for item in content if item is not None]
    if isinstance(content, float) and math.isnan(content):
        return 0.0
    return max(min(content, 1e300), -1e300) if isinstance(content, float) else content


@pytest.mark.parametrize("depth", [200, 900, 5000])
@pytest.mark.parametrize("where", ["rules", "pattern", "initializer", "where", "blocks", "gain"])
def test_depth_is_no_crash(depth, where):
    """However deeply something is nested where it does not belong."""
    deep = "[" * depth + "]" * depth
    rule = {"pattern": "*", "initializer": "normal"}
    text = json.dumps({"format": "glorot-recipe", "version": 2, "rules": [{**rule, where: "HERE"}]})
    if where == "rules":
        text = '{"format": "glorot-recipe", "version": 2, "rules": "HERE"}'
    for filled in (deep, '{"a": ' * depth + "1" + "}" * depth):
        with pytest.raises(ValueError, match=r"."):
            Recipe.from_json(text.replace('"HERE"', filled))
