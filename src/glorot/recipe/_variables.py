# SPDX-License-Identifier: Apache-2.0
"""Variables of a recipe: numbers, formulas, counts of names and sizes of parameters."""

import difflib
import numbers
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from glorot import _check
from glorot.recipe._expression import FANS, Expression
from glorot.recipe._pattern import beginning, matcher, parse_counter, parse_pattern
from glorot.recipe._shapes import TensorSpec
from glorot.recipe._weight_norm import with_weights

_DEEPEST = 64  # formulas that ask for one another: each takes a part of Python's stack
_KEYS = ("value", "count", "size", "axis", "about")


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable: what it is worth, or how that follows from the model; nothing: it must be set.

    Args:
        value: a number, or a formula of other variables: "4 * d_model".
        count: a pattern such as "h.*.": how many different beginnings of names it matches, each *
            as short as can be. It must end in what follows the number.
        size, axis: the size of this axis of the parameters that the pattern `size` matches, which
            must agree.
        about: what it is, for people.
    """

    value: float | Expression | None = None
    count: str | None = None
    size: str | None = None
    axis: int = 0
    about: str = ""

    def config(self) -> Any:
        """Return it as JSON can hold it, as short as can be."""
        value = self.value.text if isinstance(self.value, Expression) else _short(self.value)
        content = {"value": value, "count": self.count, "size": self.size, "about": self.about}
        content = {key: item for key, item in content.items() if item not in (None, "")}
        if self.size is not None:
            content["axis"] = self.axis
        return value if set(content) == {"value"} else content


def _short(value: float | None) -> float | None:
    """12 and not 12.0: what is a whole number is written as one."""
    return int(value) if value is not None and value.is_integer() else value


def parse_variables(variables: Any) -> dict[str, Variable]:
    """Return the variables of a recipe, checked, in the order given.

    Raises:
        TypeError: not a mapping; a value that is neither number, text nor dict.
        ValueError: a name that cannot be one or has a meaning already; unknown keys; formulas that
            ask for what there is not, or for each other in a circle.
    """
    if not isinstance(variables, Mapping):
        raise TypeError(
            "`variables` must be a dict from names to numbers, formulas or dicts, such as "
            f"{{'n_layer': 12}}; got {_check.show(variables)}."
        )
    found = {}
    for name, content in variables.items():
        check_variable_name(name)
        try:
            found[name] = parse_variable(content)
        except (TypeError, ValueError) as error:
            raise type(error)(f"variable {name!r}: {error}") from None
    _check_formulas(found)
    return found


def check_variable_name(name: Any) -> None:
    """Refuse what cannot be the name of a variable."""
    if not isinstance(name, str) or not (name.isidentifier() and name.isascii()):
        raise ValueError(
            f"a variable must be called by letters, digits and _, such as n_layer; got "
            f"{_check.show(name)}."
        )
    if name == "sqrt" or name in FANS:
        raise ValueError(f"a variable cannot be called {name!r}, which has a meaning already.")


def parse_variable(content: Any) -> Variable:
    """Return the variable that a number, a formula or a dict means."""
    if isinstance(content, Variable):
        return content
    if not isinstance(content, Mapping):
        return Variable(_number(content))
    unknown = [key for key in content if key not in _KEYS]
    if unknown:
        raise ValueError(
            f"it has the unknown key {_check.show(unknown[0])}. Known are {', '.join(_KEYS)}."
        )
    ways = [key for key in ("value", "count", "size") if key in content]
    if len(ways) > 1:
        raise ValueError(f"it must be given one way, got {' and '.join(map(repr, ways))}.")
    about, axis = content.get("about", ""), content.get("axis", 0)
    if not isinstance(about, str):
        raise TypeError(f"`about` must be a string, got {_check.show(about)}.")
    if "axis" in content and "size" not in content:
        raise ValueError("`axis` needs `size`, the pattern of the parameters whose size it takes.")
    if isinstance(axis, bool) or not isinstance(axis, numbers.Integral):
        raise TypeError(f"`axis` must be an integer, got {_check.show(axis)}.")
    return Variable(
        value=_number(content["value"]) if "value" in content else None,
        count=parse_counter("count", content["count"]) if "count" in content else None,
        size=parse_pattern(content["size"]) if "size" in content else None,
        axis=int(axis),
        about=about,
    )


def _number(value: Any) -> float | Expression:
    return Expression(value) if isinstance(value, str) else _check.real("value", value)


def _check_formulas(variables: Mapping[str, Variable]) -> None:
    """Refuse names that are not there, functions, and circles."""
    depths: dict[str, int] = {}

    def visit(name: str, path: tuple[str, ...]) -> int:
        if name in path:
            circle = " -> ".join((*path[path.index(name) :], name))
            raise ValueError(f"`variables` go in a circle: {circle}. Give one of them a number.")
        value = variables[name].value
        if name in depths or not isinstance(value, Expression):
            return depths.get(name, 0)
        depth = 0
        if value.calls:
            raise ValueError(f"variable {name!r}: no function is called {value.calls[0]!r}.")
        for other in value.names:
            if other not in variables:
                choices = tuple(variables)
                raise ValueError(
                    f"variable {name!r} asks for {other!r}, which is no variable. "
                    f"{_check.near(other, choices)}"
                )
            below = visit(other, (*path, name)) if len(path) < _DEEPEST else _DEEPEST
            depth = max(depth, below + 1)
        if depth > _DEEPEST:
            raise ValueError(
                f"variable {name!r} asks for another, which asks for another, more than {_DEEPEST} "
                "times. Give one of them a number."
            )
        depths[name] = depth
        return depth

    for name in variables:
        visit(name, ())


class Values:
    """What the variables are worth for one model, each computed when it is first asked for."""

    def __init__(
        self, variables: Mapping[str, Variable], specs: Mapping[str, TensorSpec | None]
    ) -> None:
        self._variables = variables
        self._specs = with_weights(specs)
        self._known: dict[str, float] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._variables

    def __getitem__(self, name: str) -> float:
        if name not in self._known:
            self._known[name] = self._compute(name, self._variables[name])
        return self._known[name]

    def source(self, name: str) -> str:
        """Return a few words on where the number comes from."""
        variable = self._variables[name]
        if variable.count is not None:
            return f"counted by {variable.count!r}"
        if variable.size is not None:
            return f"axis {variable.axis} of {variable.size!r}"
        return f"= {variable.value.text}" if isinstance(variable.value, Expression) else ""

    def _compute(self, name: str, variable: Variable) -> float:
        if isinstance(variable.value, Expression):
            try:
                return variable.value.value(self.__getitem__)
            except ValueError as error:
                raise ValueError(f"variable {name!r}: {error}") from None
        if variable.value is not None:
            return variable.value
        if variable.count is not None:
            found = count_beginnings(variable.count, self._specs)
            if not found:
                raise ValueError(
                    f"variable {name!r}: `count`={variable.count!r} counts no layer: no name "
                    f"begins like that. Mend the pattern, or set {name} to a number."
                )
            return float(found)
        if variable.size is not None:
            return self._size(name, variable, matcher(variable.size))
        about = f" ({variable.about})" if variable.about else ""
        raise ValueError(
            f"variable {name!r}{about} has no value. Set it: recipe.set({name}=...) or --set "
            f"{name}=..."
        )

    def _size(self, name: str, variable: Variable, matches: Callable[[str], object]) -> float:
        found: dict[int, str] = {}
        for parameter, spec in self._specs.items():
            if spec is None or not matches(parameter):
                continue
            if not -len(spec.shape) <= variable.axis < len(spec.shape):
                raise ValueError(
                    f"variable {name!r}: {parameter!r} of shape {spec.shape} has no axis "
                    f"{variable.axis}."
                )
            found.setdefault(spec.shape[variable.axis], parameter)
        if not found:
            near = difflib.get_close_matches(str(variable.size), list(self._specs), 3, 0.5)
            raise ValueError(
                f"variable {name!r}: `size`={variable.size!r} matches no parameter. "
                + (f"Near: {', '.join(near)}. " if near else "")
                + f"Mend the pattern, or set {name} to a number."
            )
        if len(found) > 1:
            sizes = " and ".join(f"{size} of {who!r}" for size, who in list(found.items())[:2])
            raise ValueError(
                f"variable {name!r}: axis {variable.axis} differs among the parameters that "
                f"{variable.size!r} matches: {sizes}. Give a narrower pattern."
            )
        return float(next(iter(found)))


def count_beginnings(pattern: str, names: Iterable[str]) -> int:
    """Return how many different beginnings of names a pattern such as "h.*." matches.

    Raises:
        ValueError: there are others where its pieces begin whole words: "*h.*." in "speech.h.0.".
    """
    found, whole = set[str](), set[str]()
    for name in names:
        shortest = beginning(pattern, name)
        if shortest is not None:
            found.add(shortest)
            whole.add(beginning(pattern, name, words=True) or shortest)
    if len(whole) != len(found):
        inside = next(iter(sorted(found - whole)))
        raise ValueError(
            f"{pattern!r} counts {len(found)}, {inside!r} among them, but {len(whole)} where it "
            f"begins no word in the middle, such as {min(whole)!r}. Say in the pattern how the "
            "names begin, or give the number."
        )
    return len(found)
