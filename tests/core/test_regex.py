# SPDX-License-Identifier: Apache-2.0
"""Regular expressions of rules: Python's answers, in time that no pattern can make long."""

import re
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import glorot
from glorot.recipe._regex import Regex

ATOMS = st.sampled_from(
    ["a", "b", ".", r"\.", r"\d", r"\w", r"\W", r"\s", "[ab]", "[^a]", "[a-c.]", r"[\d_-]", "[]a]",
     "^", "$", "1", "é"]
)  # fmt: skip
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map("".join),
        st.tuples(inner, inner).map("|".join),
        inner.map(lambda text: f"({text})"),
        st.tuples(
            inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0,}", "*?", "{,2}"])
        ).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
    ),
    max_leaves=8,
)
NAMES = st.text("ab1.c-_ é{,2}", max_size=8)


@pytest.mark.slow
@given(PATTERNS, NAMES)
@settings(deadline=None, max_examples=600)
def test_matches_are_python_s(pattern, name):
    """The same whole names match as with `re.fullmatch`."""
    expected = re.fullmatch(pattern, name) is not None
    assert Regex(pattern).matches(name) is expected


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        (r"h\.\d+\.(q|k|v)\.weight", "h.11.k.weight", True),
        (r"h\.\d+\.(q|k|v)\.weight", "h.x.k.weight", False),
        (r"^h\..*bias$", "h.0.bias", True),
        (r"h", "xhx", False),
        (r"[^.]+", "a.b", False),
        (r"a{3}", "aaa", True),
        (r"a{2,}", "a", False),
        ("", "", True),
        ("", "a", False),
        ("x{", "x{", True),
        (r"\(\)", "()", True),
        (r"a\tb", "a\tb", True),
    ],
)
def test_examples(pattern, name, expected):
    """What people write."""
    assert Regex(pattern).matches(name) is expected


def test_no_pattern_is_slow():
    """A pattern that keeps Python's own busy for longer than anyone waits."""
    names = ["a" * 2000 + "!", "a" * 3000 + "b"]
    for pattern in ("(a+)+$", "(a|a)*", "(a*)*(a*)*b?", "(.*)*(.*)*(.*)*x"):
        rule = glorot.Rule(f"re:{pattern}", "zeros")
        assert not rule.matches(names[0])
    assert not Regex("(x+x+)+y").matches("x" * 20_000)  # Python's own would take 2**20000 steps


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(a", "a missing ) at character 3"),
        ("a)", "unbalanced ')' at character 2"),
        ("[a", "a missing ] at character 3"),
        ("[]", "a missing ] at character 3"),
        ("*a", "nothing to repeat at character 1"),
        ("a**", "repetition of a repetition at character 3"),
        ("a{2}{3}", "repetition of a repetition at character 5"),
        ("a{3,2}", "{3,2} has its bounds the wrong way round"),
        ("[b-a]", "a range the wrong way round"),
        (r"[a-\d]", "a range the wrong way round"),
        (r"(a)\1", r"\1, which has no meaning, at character 5"),
        (r"\b", r"\b, which has no meaning,"),
        ("a\\", "which has no meaning, at character 3"),
        ("(?=a)", "a group (?...) that is not (?:...)"),
        ("(?i)a", "a group (?...) that is not (?:...)"),
        ("(?P<x>a)", "a group (?...) that is not (?:...)"),
        ("(" * 51 + ")" * 51, "groups nested more than 50 deep"),
        ("a{3000}", "it has more than 2000 states; give smaller repetitions"),
        ("((a{100}){100}){100}", "it has more than 2000 states"),
        ("(((((a*)*)*)*)*){900}", "it has more than 2000 states"),
    ],
)
def test_refusals(pattern, message):
    """What is no pattern, or needs backtracking, says where; the rule's error names it."""
    with pytest.raises(ValueError, match=re.escape(message)):
        Regex(pattern)
    with pytest.raises(ValueError, match=r"`pattern` 're:.*cannot be read"):
        glorot.Rule(f"re:{pattern}", "zeros")


@given(st.text(r"ab()[]{}*+?|\.^$-:,=!012d", max_size=20) | st.text(max_size=20))
@settings(deadline=None, max_examples=400)
def test_any_text_is_a_pattern_or_a_clear_error(text):
    """Nothing but ValueError ever comes out; what is read is what Python reads too."""
    try:
        regex = Regex(text)
    except ValueError:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of sets that may mean more one day
        assert regex.matches("ab.01") in (True, False)
        assert re.compile(text).pattern == text


@pytest.mark.parametrize("pattern", [r"[\d-0]", r"[0-\d]", r"[\w-z]"])
def test_a_range_from_or_to_a_class(pattern):
    """It is none, as in Python; at the end of a set the dash is one."""
    with pytest.raises(ValueError, match="a range the wrong way round"):
        Regex(pattern)
    assert Regex(r"[\d-]").matches("-")


@pytest.mark.parametrize("pattern", ["(" * 49 + "a" + ")" * 49, "(){9999999999}a"])
def test_patterns_that_took_for_ever_to_read(pattern):
    """Each group is built once, and what takes nothing is not repeated."""
    assert Regex(pattern).matches("a")
    assert not Regex(pattern).matches("aa")
