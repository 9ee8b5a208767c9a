# SPDX-License-Identifier: Apache-2.0
"""The recipe of what was seen, or what to do about parameters that no initializer is for."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from glorot._base import Initializer
from glorot._captured._by_fans import by_fans
from glorot._captured._generalised import Choice, rules_of
from glorot.recipe import Recipe, Rule, TensorSpec
from glorot.recipe._variables import Variable


def given_rules(
    rules: Iterable[Rule] | Recipe,
) -> tuple[list[Rule], Mapping[str, Variable]]:
    """The rules of the user's that come first, and the variables that their formulas name."""
    if isinstance(rules, Recipe):
        return [*rules.rules], rules.variables
    return [*rules], {}


def recipe_of(
    found: Mapping[str, Initializer | None],
    specs: Mapping[str, TensorSpec],
    left: Mapping[str, str],
    *,
    source: str,
    rules: Iterable[Rule],
    variables: Mapping[str, Variable],
    optional: Collection[str] = (),
    leave_out: bool = False,
    **by: Any,
) -> Recipe:
    """Return the recipe that gives each name its initializer, after `rules`.

    Args:
        found: by name, in the model's order; None leaves it out.
        specs: what the layers say of them.
        left: names whose values no initializer has, and why; refused unless `leave_out`.
        source: where the rules come from, in words.
        rules: that come first.
        variables: of these.
        optional: names that may be missing where the recipe is used.
        leave_out: what is left.
        by: what `by_fans` is told.

    Raises:
        ValueError: names are left; there are none, and no rules.
    """
    rules = [*rules]
    if left and not leave_out:
        shown = "; ".join(f"{name!r}: {why}" for name, why in list(left.items())[:3])
        more = f"; and {len(left) - 3} more" if len(left) > 3 else ""
        raise ValueError(
            f"no initializer does what the code does for {shown}{more}. Give `rules` for these, "
            f"glorot.Rule({next(iter(left))!r}, ...), or leave them out: `leave_out` (--leave-out)."
        )
    if not rules and not found:
        raise ValueError("`build` returns what has no parameters: there is nothing to capture.")
    choices = by_fans(found, specs, **by)
    choices = {name: _as_seen(choice, specs[name]) for name, choice in choices.items()}
    return Recipe([*rules, *rules_of(choices, optional)], source=source, variables=variables)


def _as_seen(choice: Choice, spec: TensorSpec) -> Choice:
    """One draw for all gates that a layer has fused, which a rule would else draw apart."""
    init = choice.initializer
    if spec.blocks is None or init is None or choice.fans_of or not init.random:
        return choice
    return choice._replace(whole="layout" in init.axes_options)
