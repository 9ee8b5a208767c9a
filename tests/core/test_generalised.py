# SPDX-License-Identifier: Apache-2.0
"""Rules made of one initializer a name: few, and each name has its own."""

import string

from hypothesis import given
from hypothesis import strategies as st

import glorot
from glorot import Recipe
from glorot._captured._generalised import Choice, rules_of

NORMAL, ONES, ZEROS = Choice(glorot.RandomNormal(stddev=0.02)), Choice(glorot.Ones()), Choice(None)
BIAS = Choice(glorot.LecunUniform(), "weight")
WORD = st.text(string.ascii_lowercase[:3] + "_", min_size=1, max_size=3) | st.sampled_from(
    ["0", "1", "12", "weight", "bias", "a*", "[b]", "?", "re:", "re:(", "re:.*"]
)
NAMES = st.lists(WORD, min_size=1, max_size=5).map(".".join)


@given(st.dictionaries(NAMES, st.sampled_from([NORMAL, ONES, ZEROS, BIAS]), min_size=1))
def test_every_name_has_its_own(names):
    """Whatever the names are, stars, brackets and "re:" in them too; and no rule is idle."""
    recipe = Recipe(rules_of(names))
    matches = recipe._match(dict.fromkeys(names))
    assert not matches.unmatched
    assert not matches.idle
    assert {
        name: Choice(rule.initializer, "".join(rule.fans_of))
        for name, rule in matches.rules.items()
    } == names


def patterns(names):
    """The patterns, in order."""
    return [rule.pattern for rule in rules_of(names)]


def layers(count, **parts):
    """Names of so many layers, each with these parts."""
    return {
        f"h.{i}.{part.replace('__', '.')}": init
        for i in range(count)
        for part, init in parts.items()
    }


def test_rules_are_few():
    """Of a transformer: an end for all layers, the last name for all biases; a layer that differs
    has rules of its own, and the others keep theirs."""
    names = layers(4, ln__weight=ONES, ln__bias=ZEROS, up__weight=NORMAL, up__bias=ZEROS)
    assert patterns(names) == ["*.ln.weight", "*.up.weight", "*.bias"]
    assert patterns(dict.fromkeys(names, NORMAL)) == ["*"]
    assert patterns(names | {"h.2.up.weight": ONES})[:2] == ["h.2.up.weight", "h.*.up.weight"]
    assert patterns({"weight": NORMAL, "bias": ZEROS}) == ["weight", "bias"]


def test_numbered_layers_are_one():
    """Those of frameworks that join name and number too; the number of one that differs is said,
    and of layers in layers that of the inner one."""
    names = {f"Dense_{i}.{part}": NORMAL for i in range(12) for part in ("kernel", "bias")}
    names |= {f"Dense_{i}.bias": ZEROS for i in range(12)}
    assert patterns(names) == ["*.kernel", "*.bias"]
    assert patterns(names | {"Dense_3.kernel": ONES}) == [
        "Dense_3.kernel", "Dense_*.kernel", "*.bias"
    ]  # fmt: skip
    inner = {
        f"Block_{i}.Dense_{j}.w": ONES if j == 1 else NORMAL for i in range(5) for j in range(4)
    }
    assert patterns(inner) == ["*.Dense_1.w", "*.Dense_*.w"]
    assert patterns({"conv_1.w": NORMAL, "conv.w": ONES}) == ["conv_1.w", "conv.w"]
    assert patterns(inner | {"Block_7.Dense_9.w": ZEROS})[-2:] == ["*.Dense_9.w", "*.Dense_*.w"]
    numbers = {f"h.{i}.{j}.w": ONES if j == 2 else NORMAL for i in range(5) for j in range(4)}
    assert patterns(numbers) == ["h.*.2.w", "h.*.*.w"]


def test_many_layers_with_names_of_their_own():
    """What most of many have is one rule, and the others come first."""
    blocks = {f"block{letter}.kernel": NORMAL for letter in string.ascii_lowercase[:9]}
    others = {"top.kernel": ONES, "h.0.up.kernel": ONES, "h.1.up.kernel": ONES}
    assert patterns(blocks | others) == ["*.up.kernel", "top.kernel", "*.kernel"]
    del blocks["blocka.kernel"]
    assert len(patterns(blocks | others)) == 10


def test_rules_for_names_that_may_be_missing():
    """They are optional where they are for nothing else."""
    names = {"head.weight": NORMAL, "wte.weight": NORMAL, "ln.bias": ZEROS}
    assert not any(rule.optional for rule in rules_of(names, {"head.weight", "wte.weight"})[1:])
    assert [rule.optional for rule in rules_of(names, set(names))] == [True, True]
