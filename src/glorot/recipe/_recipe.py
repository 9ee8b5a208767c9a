# SPDX-License-Identifier: Apache-2.0
"""Recipes: ordered rules that give every parameter of a model its initializer, or say why not."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from glorot import _check
from glorot._dtypes import dtype_name, parse_dtype
from glorot._stream import STREAM_VERSION, check_seed
from glorot.recipe import _coverage, _schema, _toml
from glorot.recipe._assignment import Assignment
from glorot.recipe._coverage import Matches
from glorot.recipe._explain import Explanation, explain
from glorot.recipe._expression import FANS
from glorot.recipe._gains import activation
from glorot.recipe._resolve import Resolver
from glorot.recipe._rule import Rule
from glorot.recipe._shapes import TensorSpec, load_json, parse_shapes
from glorot.recipe._variables import Values, Variable, parse_variable, parse_variables


class Recipe:
    """Ordered rules; the first that matches a parameter gives its initializer.

    Args:
        rules: at least one, none twice.
        source: where the recipe was published, for people.
        variables: names to numbers, to formulas, or to dicts that say how the number follows from
            the model: {"count": "h.*."}, {"size": "*wte.weight", "axis": 1}; see
            `glorot.recipe.Variable`.

    Raises:
        TypeError: something in `rules` that is no `Rule`.
        ValueError: no rules; a rule's pattern and conditions twice; formulas that ask for what
            there is not, or for each other in a circle.

    Examples:
        >>> import glorot
        >>> recipe = glorot.Recipe([
        ...     glorot.Rule("*.bias", "zeros"),
        ...     glorot.Rule("*", "he_normal"),
        ... ])
        >>> [(a.name, a.law) for a in recipe.resolve({"up.weight": (8, 2), "up.bias": (2,)})]
        [('up.weight', 'TN(0, 0.5684, ±2)'), ('up.bias', 'Zeros')]
        >>> glorot.Recipe.from_json(recipe.to_json()) == recipe
        True
    """

    __slots__ = ("rules", "source", "variables")
    rules: tuple[Rule, ...]
    source: str
    variables: Mapping[str, Variable]

    def __init__(
        self,
        rules: Iterable[Rule],
        *,
        source: str = "",
        variables: Mapping[str, Any] | None = None,
    ) -> None:
        if not isinstance(rules, Iterable):
            raise TypeError(
                f"`rules` must be a list of glorot.Rule, got {_check.show(rules)}. For one rule "
                'pass [rule]; for one initializer [glorot.Rule("*", initializer)].'
            )
        kept = tuple(rules)
        for rule in kept:
            if not isinstance(rule, Rule):
                raise TypeError(
                    f"`rules` must hold glorot.Rule, got {_check.show(rule)}. Make one of a "
                    'pattern and an initializer: glorot.Rule("*.bias", "zeros").'
                )
        if not kept:
            raise ValueError("`rules` must hold at least one rule, got none.")
        seen = set()
        for rule in kept:
            if (rule.pattern, rule.where) in seen:
                raise ValueError(
                    f"`rules` has the pattern {rule} twice; the second would never be used. "
                    "Remove one."
                )
            seen.add((rule.pattern, rule.where))
        if not isinstance(source, str):
            raise TypeError(f"`source` must be a string, got {_check.show(source)}.")
        found = parse_variables({} if variables is None else variables)
        for rule in kept:
            _check_formulas(rule, found)
        object.__setattr__(self, "rules", kept)
        object.__setattr__(self, "source", source)
        object.__setattr__(self, "variables", MappingProxyType(found))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a Recipe cannot be changed; make another, or use .set(...).")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Recipe):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[Any, ...]:
        return self.rules, self.source, tuple(sorted(self.variables.items(), key=lambda v: v[0]))

    def __repr__(self) -> str:
        variables = f", variables={dict(self.variables)!r}" if self.variables else ""
        return f"Recipe({list(self.rules)!r}, source={self.source!r}{variables})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.rules, self.source, dict(self.variables))

    def set(self, /, **values: Any) -> "Recipe":
        """Return the recipe with some of its variables set to numbers, formulas, or dicts as in
        `variables`.

        Raises:
            ValueError: a variable that the recipe does not have.

        Examples:
            >>> import glorot
            >>> rule = glorot.Rule("*", "random_normal", stddev="0.1 / n_layer")
            >>> recipe = glorot.Recipe([rule], variables={"n_layer": {"count": "h.*."}})
            >>> recipe.set(n_layer=4).resolve({"w": (2, 2)})[0].stddev
            0.025
        """
        for name in values:
            if name not in self.variables:
                there = (
                    _check.near(name, tuple(self.variables)) if self.variables else "It has none."
                )
                raise ValueError(f"the recipe has no variable {name!r}. {there}")
        changed = {}
        for name, value in values.items():
            try:
                made = parse_variable(value)
            except (TypeError, ValueError) as error:
                raise type(error)(f"variable {name!r}: {error}") from None
            about = made.about or self.variables[name].about
            changed[name] = dataclasses.replace(made, about=about)
        return Recipe(self.rules, source=self.source, variables={**self.variables, **changed})

    def match(self, names: Iterable[str] | Mapping[str, Any]) -> Matches:
        """Return which rule each name gets, the names without a rule and the rules without a name.

        Args:
            names: names or, where rules have conditions, names to shapes.

        Examples:
            >>> import glorot
            >>> found = glorot.recipe.load("gpt2").match(["wte.weight", "head.kernel"])
            >>> found.rules["wte.weight"].pattern, found.unmatched
            ('*wte.weight', ['head.kernel'])
        """
        if isinstance(names, Mapping):
            return _coverage.match(self.rules, parse_shapes(names))
        conditional = next((rule for rule in self.rules if rule.where is not None), None)
        if conditional is not None:
            raise ValueError(
                f"`names` must be a dict of names to shapes: the rule for {conditional} asks for "
                "more than the name."
            )
        return _coverage.match(self.rules, dict.fromkeys(names))

    def resolve(self, shapes: Mapping[str, Any], *, dtype: Any = None) -> list[Assignment]:
        """Return one `Assignment` a parameter, in the order of `shapes`, left out ones excepted.

        Args:
            shapes: names to shapes (see `glorot.recipe.parse_shapes`).
            dtype: of all floating parameters, in place of what `shapes` says. A parameter of
                which neither says anything has its initializer's.

        Raises:
            ValueError: a parameter that no rule matches, a rule that matches none, with the names
                nearest to them; a variable without value; a shape or dtype that the initializer
                refuses; nothing left.
        """
        specs = parse_shapes(shapes)
        found = self._covered(specs, dtype)
        assignments = self._assign(specs, found.rules, dtype)
        if not assignments:
            raise ValueError("the recipe leaves out every parameter: nothing is to be written.")
        return assignments

    def explain(
        self, shapes: Mapping[str, Any], pattern: str = "*", *, dtype: Any = None
    ) -> list[Explanation]:
        """Return what each parameter gets and why, in the order of `shapes`.

        Args:
            shapes, dtype: as for `resolve`.
            pattern: over the names of the parameters wanted; all count layers and the like.

        Raises:
            ValueError: as `resolve`; a pattern that matches no parameter.

        Examples:
            >>> import glorot
            >>> recipe = glorot.Recipe([glorot.Rule("*.weight", "he_normal", gain="gelu")])
            >>> found = recipe.explain({"up.weight": (8, 2)})[0]
            >>> found.rule, found.roles, found.fans, found.law
            (0, ('in', 'out'), (8.0, 2.0), 'TN(0, 0.8717, ±2)')
            >>> found.why
            'axes taken as (..., in, out), since nobody says; gain 1.53353 = gelu'
        """
        specs = parse_shapes(shapes)
        rules = self._covered(specs, dtype).rules
        return explain(self.rules, specs, rules, self._assign(specs, rules, dtype), pattern)

    def _match(self, specs: Mapping[str, TensorSpec | None], dtype: Any = None) -> Matches:
        wanted = None if dtype is None else dtype_name(parse_dtype(dtype))
        return _coverage.match(self.rules, specs, wanted)

    def _covered(self, specs: Mapping[str, TensorSpec], dtype: Any) -> Matches:
        found = self._match(specs, dtype)
        problems = _coverage.problems(found, self.rules, specs)
        if problems:
            raise ValueError(" ".join(problems))
        return found

    def _assign(
        self,
        specs: Mapping[str, TensorSpec],
        rules: Mapping[str, Rule],
        dtype: Any,
        known: Mapping[str, TensorSpec] | None = None,
    ) -> list[Assignment]:
        """What `rules` (for all names of the model) give `specs`; `known` are those of which the
        shape is known, where these are more."""
        wanted = None if dtype is None else dtype_name(parse_dtype(dtype))
        everything: dict[str, TensorSpec | None] = dict.fromkeys(rules)
        everything |= known or {}
        everything |= specs
        values = Values(self.variables, everything)
        resolver = Resolver(values, rules, {**(known or {}), **specs})
        found = (resolver.assign(name, spec, wanted) for name, spec in specs.items())
        return [assignment for assignment in found if assignment is not None]

    def to_json(self) -> str:
        """Return the recipe as JSON text that `from_json` reads back to an equal recipe.

        It is of the first version of the schema that can hold it.

        Examples:
            >>> import glorot
            >>> print(glorot.Recipe([glorot.Rule("*", "zeros")]).to_json())
            {
              "format": "glorot-recipe",
              "version": 1,
              "rules": [
                {
                  "pattern": "*",
                  "initializer": {
                    "class_name": "Zeros",
                    "config": {
                      "dtype": "float32"
                    }
                  }
                }
              ]
            }
        """
        version = _schema.version_of(self.rules, self.variables)
        content = _schema.dump(self.rules, self.source, self.variables, version)
        return json.dumps(content, indent=2, ensure_ascii=False)

    def to_toml(self) -> str:
        """Return the recipe as TOML text, a line a rule, that `from_toml` reads back to an equal
        recipe.

        Examples:
            >>> import glorot
            >>> print(glorot.Recipe([glorot.Rule("*", "normal", stddev=0.02)]).to_toml())
            format = "glorot-recipe"
            version = 2
            rules = [
              { pattern = "*", initializer = "random_normal", stddev = 0.02 },
            ]
            <BLANKLINE>
        """
        return _toml.write(_schema.dump(self.rules, self.source, self.variables, 2))

    @classmethod
    def from_json(cls, text: str | bytes) -> "Recipe":
        """Return the recipe that JSON text holds. It is data: nothing in it is executed.

        Raises:
            ValueError: not JSON; another format or version; an unknown or missing key, anywhere;
                options that an initializer or a rule refuses, with the number of the rule.
        """
        return cls._from(load_json(text, "the recipe"))

    @classmethod
    def from_toml(cls, text: str | bytes) -> "Recipe":
        """Return the recipe that TOML text holds. It is data: nothing in it is executed.

        Raises:
            ValueError: as `from_json`.

        Examples:
            >>> import glorot
            >>> recipe = glorot.Recipe.from_toml('''
            ... format = "glorot-recipe"
            ... version = 2
            ... variables.n_layer = { count = "h.*." }
            ... rules = [
            ...   { pattern = "*.b", initializer = "zeros" },
            ...   { pattern = "*", initializer = "normal", stddev = "0.02 / sqrt(n_layer)" },
            ... ]
            ... ''')
            >>> found = recipe.resolve({f"h.{i}.{kind}": (4,) for i in range(4) for kind in "bw"})
            >>> [assignment.law for assignment in found[:2]]
            ['Zeros', 'N(0, 0.01)']
        """
        return cls._from(_toml.read(text, "the recipe"))

    @classmethod
    def _from(cls, content: Any) -> "Recipe":
        try:
            rules, source, variables = _schema.parse(content)
            return cls(rules, source=source, variables=variables)
        except TypeError as error:
            raise ValueError(f"the recipe: {error}") from None
        except RecursionError:
            raise ValueError("the recipe is nested too deeply to be one.") from None

    @property
    def fingerprint(self) -> str:
        """32 hexadecimal digits that are equal for equal rules and variables; `source` and what
        variables are `about` do not count."""
        rules: Any = [_schema.full(rule) for rule in self.rules]
        variables = {
            name: dataclasses.replace(variable, about="").config()
            for name, variable in self.variables.items()
        }
        content = {"rules": rules, "variables": variables} if variables else rules
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return _digest(text)

    def fingerprint_of(self, seed: int) -> str:
        """Return 32 hexadecimal digits of (recipe, seed, stream version): equal ones mean equal
        values for equal names, shapes and dtypes.

        Examples:
            >>> import glorot
            >>> recipe = glorot.recipe.load("gpt2")
            >>> recipe.fingerprint_of(42) == recipe.fingerprint_of(43)
            False
        """
        return _digest(f"{self.fingerprint} {check_seed(seed)} {STREAM_VERSION}")


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16, person=b"glorot.recipe").hexdigest()


def _again(rules: tuple[Rule, ...], source: str, variables: dict[str, Any]) -> Recipe:
    return Recipe(rules, source=source, variables=variables)


def _check_formulas(rule: Rule, variables: Mapping[str, Variable]) -> None:
    """Refuse a rule's formula that asks for what nobody will know."""
    for where, formula in rule.formulas.items():
        calls = ((name, 1.0) for name in formula.calls)
        names = ((name, None) for name in formula.names if name not in (*FANS, *variables))
        for name, param in (*names, *calls):
            try:
                activation(name, param)
            except ValueError as error:
                there = f"variables are {', '.join(variables)}" if variables else "no variables"
                raise ValueError(
                    f"rule for {rule}: `{where}`={formula.text!r} asks for {name!r}, which is no "
                    f"variable ({there}) and no activation: {error}"
                ) from None
