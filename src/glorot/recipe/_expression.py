# SPDX-License-Identifier: Apache-2.0
"""Arithmetic in recipes: + - * / ** ( ) sqrt, numbers and names.  It is data: nothing is executed.

    sum     = product  (("+" | "-") product)*
    product = sign     (("*" | "/") sign)*
    sign    = ("+" | "-") sign | power
    power   = atom ("**" sign)?
    atom    = number | name | name "(" sum ")" | "(" sum ")"

All numbers are float64. What each operator gives is the nearest float to the true result, `**`
included, which no C library promises: the same recipe gives the same bits on every machine.
"""

import functools
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, NoReturn

from glorot import _check

MOST_CHARACTERS = 400
FANS = ("fan_in", "fan_out")  # of the parameter at hand: known to a rule, not to a variable
_DEEPEST = 40
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*)"
    r"|(?P<sign>\*\*|[-+*/()])|(?P<end>$))"
)


class _Node(NamedTuple):
    """An operation: "number", "name", "call" or an operator, and what it is applied to."""

    kind: str
    value: Any = None
    left: Any = None
    right: Any = None


@dataclass(frozen=True, slots=True)
class Expression:
    """A formula that was read and is not computed yet; it is equal to one of the same text.

    Args:
        text: at most 400 characters.

    Raises:
        ValueError: what is no formula, with the place where it stops being one.

    Examples:
        >>> Expression("1 / sqrt(2 * n_layer)").value({"n_layer": 8.0}.__getitem__)
        0.25
        >>> Expression("2 * n_layer").names
        ('n_layer',)
    """

    text: str

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise TypeError(f"a formula must be a string, got {_check.show(self.text)}.")
        _parse(self.text)

    @property
    def names(self) -> tuple[str, ...]:
        """The names that it asks for, each once; functions are none."""
        return tuple(dict.fromkeys(_names(_parse(self.text))))

    @property
    def calls(self) -> tuple[str, ...]:
        """The functions that it calls, each once, `sqrt` left out."""
        found = _names(_parse(self.text), "call")
        return tuple(dict.fromkeys(name for name in found if name != "sqrt"))

    def value(
        self,
        lookup: Callable[[str], float],
        call: Callable[[str, float], float] | None = None,
    ) -> float:
        """Compute it.

        Args:
            lookup: from a name to its number.
            call: from a function and its argument to the result; `sqrt` is known.

        Raises:
            ValueError: a division by zero, an overflow, a root of a negative number.
        """
        try:
            return _value(_parse(self.text), lookup, call)
        except ArithmeticError as error:
            raise ValueError(f"{self.text!r} cannot be computed: {error}.") from None


class _Reader:
    """The tokens of a text, one ahead."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = self._tokens()
        self.depth = 0
        self.kind, self.token, self.at = next(self.tokens)

    def _tokens(self) -> Iterator[tuple[str, str, int]]:
        at = 0
        while True:
            match = _TOKEN.match(self.text, at)
            if match is None:
                place = len(self.text) - len(self.text[at:].lstrip())
                self.fail(f"{self.text[place]!r} at character {place + 1} means nothing here")
            kind = str(match.lastgroup)
            yield kind, match[kind], match.start(kind)
            at = match.end()

    def fail(self, what: str) -> NoReturn:
        raise ValueError(
            f"{self.text!r} is no formula: {what}. It may hold numbers, names, + - * / ** ( ) and "
            "sqrt(...)."
        )

    def unexpected(self, wanted: str) -> NoReturn:
        found = repr(self.token) if self.token else "the end"
        self.fail(f"{wanted} must stand at character {self.at + 1}, not {found}")

    def next(self) -> str:
        token = self.token
        if self.kind != "end":
            self.kind, self.token, self.at = next(self.tokens)
        return token

    def take(self, *signs: str) -> str:
        """Return the next token if it is one of these signs, else ""."""
        return self.next() if self.kind == "sign" and self.token in signs else ""

    def sum(self) -> _Node:
        left = self.product()
        while sign := self.take("+", "-"):
            left = _Node(sign, None, left, self.product())
        return left

    def product(self) -> _Node:
        left = self.sign()
        while sign := self.take("*", "/"):
            left = _Node(sign, None, left, self.sign())
        return left

    def sign(self) -> _Node:
        self.depth += 1
        if self.depth > _DEEPEST:
            self.fail(f"it is nested more than {_DEEPEST} deep")
        if sign := self.take("+", "-"):
            node = self.sign()
            node = _Node("-", None, _Node("number", 0.0), node) if sign == "-" else node
        else:
            node = self.atom()
            if self.take("**"):
                node = _Node("**", None, node, self.sign())
        self.depth -= 1
        return node

    def atom(self) -> _Node:
        if self.kind == "number":
            value = float(self.token)
            if math.isinf(value):
                self.fail(f"{self.token} is larger than any float")
            self.next()
            return _Node("number", value)
        if self.kind == "name":
            name = self.next()
            if self.take("("):
                return _Node("call", name, self.closed())
            return _Node("name", name)
        if self.take("("):
            return self.closed()
        return self.unexpected("a number, a name or (")

    def closed(self) -> _Node:
        inner = self.sum()
        if not self.take(")"):
            self.unexpected(")")
        return inner


@functools.lru_cache(maxsize=1024)
def _parse(text: str) -> _Node:
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"a formula has at most {MOST_CHARACTERS} characters, got {len(text)}.")
    reader = _Reader(text)
    node = reader.sum()
    if reader.kind != "end":
        reader.unexpected("an operator or the end")
    return node


def _names(node: _Node, kind: str = "name") -> Iterator[str]:
    if node.kind == kind:
        yield node.value
    for part in (node.left, node.right):
        if part is not None:
            yield from _names(part, kind)


def _value(
    node: _Node, lookup: Callable[[str], float], call: Callable[[str, float], float] | None
) -> float:
    if node.kind == "number":
        return float(node.value)
    if node.kind == "name":
        return lookup(node.value)
    left = _value(node.left, lookup, call)
    if node.kind == "call":
        if node.value == "sqrt":
            if left < 0:
                raise ArithmeticError(f"sqrt of {left!r}, which is negative")
            return math.sqrt(left)
        if call is None:
            raise ArithmeticError(f"no function is called {node.value!r}; there is sqrt")
        return call(node.value, left)
    return _apply(node.kind, left, _value(node.right, lookup, call))


def _apply(sign: str, left: float, right: float) -> float:
    if sign == "**":
        result = _power(left, right)
    elif sign == "/":
        if right == 0:
            raise ArithmeticError(f"{left!r} is divided by zero")
        result = left / right
    else:
        result = {"+": left + right, "-": left - right, "*": left * right}[sign]
    if not math.isfinite(result):
        raise ArithmeticError(f"{left!r} {sign} {right!r} is larger than any float")
    return result


def _power(base: float, exponent: float) -> float:
    """base ** exponent, rounded to the nearest float."""
    import decimal

    if base == 0:
        if exponent < 0:
            raise ArithmeticError(f"0 ** {exponent!r} divides by zero")
        return 0.0 if exponent else 1.0
    if base < 0 and exponent != math.floor(exponent):
        raise ArithmeticError(f"{base!r} ** {exponent!r} is a root of a negative number")
    bits = exponent * math.log2(abs(base))
    if abs(bits) > 1100:
        what = "larger than any float" if bits > 0 else "0 in float64"
        raise ArithmeticError(f"{base!r} ** {exponent!r} is {what}")
    with decimal.localcontext(decimal.Context(prec=60)):
        size = float(decimal.Decimal(abs(base)) ** decimal.Decimal(exponent))
    if size == 0:
        raise ArithmeticError(f"{base!r} ** {exponent!r} is 0 in float64")
    return -size if base < 0 and exponent % 2 else size
