# SPDX-License-Identifier: Apache-2.0
"""Formulas of recipes: the nearest float of the true result, and no more than arithmetic."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glorot.recipe._expression import MOST_CHARACTERS, Expression


def value(text, **names):
    """What a formula is worth."""
    return Expression(text).value(names.__getitem__)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", 7.0),
        ("(1 + 2) * 3", 9.0),
        ("8 / 4 / 2", 1.0),
        ("8 - 4 - 2", 2.0),
        ("2 ** 3 ** 2", 512.0),
        ("-2 ** 2", -4.0),
        ("2 ** -1", 0.5),
        ("--3", 3.0),
        ("+.5e1", 5.0),
        ("sqrt(2)", math.sqrt(2)),
        ("sqrt(0)", 0.0),
        ("(8 * n) ** -0.25", (8 * 12) ** -0.25),
        ("1/sqrt(2*n)", 1 / math.sqrt(24)),
        (" n ", 12.0),
        ("0 ** 0", 1.0),
        ("(-2) ** 3", -8.0),
        ("(-2) ** -2", 0.25),
        ("2.**2.", 4.0),
    ],
)
def test_arithmetic(text, expected):
    """Precedence and signs are those of Python."""
    assert value(text, n=12.0) == expected


TERMS = st.recursive(
    st.integers(0, 999).map(str) | st.sampled_from(["0.5", "1e3", "2.25", "n", "m"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(" ".join),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"-{text}"),
    ),
    max_leaves=12,
)


@given(TERMS)
def test_any_formula_is_python_s(text):
    """Where Python computes it, so does a recipe, to the bit; where not, neither does it."""
    names = {"n": 12.0, "m": 0.1}
    python = re.sub(r"(?<![\d.e])(\d+)(?![\d.e])", r"\1.0", text)  # all numbers are floats
    try:
        expected = eval(python, {"__builtins__": {}}, names)
    except ZeroDivisionError:
        with pytest.raises(ValueError, match="divided by zero"):
            value(text, **names)
    else:
        assert value(text, **names) == expected


@given(st.floats(1e-3, 1e3), st.floats(-20, 20))
def test_powers_are_the_nearest_float(base, exponent):
    """b ** e is a nearest float of the true power, which C libraries do not promise."""
    import mpmath

    mp = mpmath.mp.clone()
    mp.dps = 80
    exact = mp.mpf(base) ** mp.mpf(exponent)
    assert value("b ** e", b=base, e=exponent) == float(exact)


def test_square_roots_by_power():
    """A power of one half is the square root."""
    for number in (2.0, 3.0, 768.0, 0.1):
        assert value("x ** 0.5", x=number) == math.sqrt(number)


def test_names_and_functions():
    """What is asked for is known before it is computed."""
    formula = Expression("gelu.backward / sqrt(2 * n_layer) + leaky_relu(0.2) + n_layer")
    assert formula.names == ("gelu.backward", "n_layer")
    assert formula.calls == ("leaky_relu",)
    assert formula.value(lambda name: 2.0, lambda name, x: x) == 2 / 2 + 0.2 + 2
    assert formula == Expression(formula.text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a number, a name or ( must stand at character 1, not the end"),
        ("1 +", "a number, a name or ( must stand at character 4, not the end"),
        ("1 2", "an operator or the end must stand at character 3, not '2'"),
        ("(1", ") must stand at character 3, not the end"),
        ("1)", "an operator or the end must stand at character 2, not ')'"),
        ("a.b.", "'.' at character 4 means nothing here"),
        ("a[0]", "'[' at character 2 means nothing here"),
        ("__import__('os')", '"\'" at character 12 means nothing here'),
        ("1 if x else 2", "an operator or the end must stand at character 3, not 'if'"),
        ("x := 1", "':' at character 3 means nothing here"),
        ("1e999", "1e999 is larger than any float"),
        ("(" * 41 + "1" + ")" * 41, "it is nested more than 40 deep"),
        ("-" * 41 + "1", "it is nested more than 40 deep"),
        ("2**" * 41 + "1", "it is nested more than 40 deep"),
        ("1" * 401, "a formula has at most 400 characters, got 401"),
        ("٣", "means nothing here"),
        ("1 / 0", "'1 / 0' cannot be computed: 1.0 is divided by zero."),
        ("0 ** -1", "0 ** -1.0 divides by zero"),
        ("10 ** 400", "10.0 ** 400.0 is larger than any float"),
        ("9 ** 9 ** 9 ** 9", "is larger than any float"),
        ("10 ** -400", "10.0 ** -400.0 is 0 in float64"),
        ("2 ** -1080", "2.0 ** -1080.0 is 0 in float64"),
        ("1e300 * 1e300", "1e+300 * 1e+300 is larger than any float"),
        ("1e308 + 1e308", "is larger than any float"),
        ("(-8) ** (1/3)", "is a root of a negative number"),
        ("sqrt(-1)", "sqrt of -1.0, which is negative"),
        ("exp(1)", "no function is called 'exp'; there is sqrt"),
    ],
)
def test_refusals(text, message):
    """What is no formula says where it stops being one; what has no value says why."""
    with pytest.raises(ValueError, match=re.escape(message)):
        value(text)
    assert len(text) <= MOST_CHARACTERS or "at most" in message


def test_only_text_is_a_formula():
    """A number is not."""
    with pytest.raises(TypeError, match="a formula must be a string, got 3"):
        Expression(3)


@given(st.text(max_size=80) | st.text("0123456789.e+-*/() nsqrt", max_size=40))
def test_any_text_is_a_formula_or_a_clear_error(text):
    """Nothing but ValueError ever comes out, and numbers are finite."""
    try:
        result = Expression(text).value(lambda name: 1.5, lambda name, x: x)
    except ValueError:
        return
    assert math.isfinite(result)
