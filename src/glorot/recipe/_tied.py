# SPDX-License-Identifier: Apache-2.0
"""Weights of several names: which name counts, and which weights a recipe leaves out."""

from collections.abc import Mapping, Sequence

from glorot.recipe import Recipe, Rule, TensorSpec, _coverage


def choose(
    recipe: Recipe, weights: Sequence[Sequence[str]], specs: Mapping[str, TensorSpec]
) -> tuple[dict[str, int], list[int], dict[str, Rule]]:
    """Return (the name that counts to its weight's number, the weights that are left out, the rules
    of all names).

    The name that counts is the first to which the recipe gives an initializer: a rule of None on
    one name ("left out: shared") does not leave out the others.

    Args:
        recipe: the recipe.
        weights: the names of each.
        specs: of all names.

    Raises:
        ValueError: a weight no name of which a rule matches; a rule that matches none.
    """
    found = recipe._match(specs)
    missing = {names[0] for names in weights if found.rules.keys().isdisjoint(names)}
    left = found._replace(unmatched=[name for name in found.unmatched if name in missing])
    problems = _coverage.problems(left, recipe.rules, specs)
    if problems:
        raise ValueError(" ".join(problems))
    chosen: dict[str, int] = {}
    left_out = []
    for number, names in enumerate(weights):
        for name in names:
            rule = found.rules.get(name)
            if rule is not None and rule.initializer is not None:
                chosen[name] = number
                break
        else:
            left_out.append(number)
    return chosen, left_out, found.rules
