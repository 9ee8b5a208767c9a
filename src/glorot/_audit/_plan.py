# SPDX-License-Identifier: Apache-2.0
"""Which rule promises what to which parameter, ties counted once, and what the recipe does not
cover."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field

from glorot._audit._parameter import Parameter
from glorot._audit._promise import Promise, promise
from glorot._audit._report import Problem
from glorot.recipe import Recipe, Rule, TensorSpec
from glorot.recipe._resolve import Resolver
from glorot.recipe._variables import Values


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be read and judged.

    Attributes:
        parameters: to read, in the model's order; of names that share memory one, with a rule if
            any has one.
        promises: of those that a rule gives an initializer.
        left_out: names that a rule leaves out, and that rule.
        tied: names that share memory.
        problems: what is wrong before any value is read.
    """

    parameters: list[Parameter]
    promises: dict[str, Promise] = field(default_factory=dict)
    left_out: dict[str, Rule] = field(default_factory=dict)
    tied: list[tuple[str, ...]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def make_plan(
    found: list[Parameter], recipe: Recipe | None, said: Mapping[str, TensorSpec]
) -> Plan:
    """Return the plan for the parameters of a model, of which `said` may say more: what its layers
    are, and which parameters there are besides.

    Raises:
        TypeError: one that cannot be audited, and that no rule leaves out.
    """
    groups: dict[object, list[Parameter]] = {}
    found = [_with(parameter, said.get(parameter.name)) for parameter in found]
    for parameter in found:
        if not parameter.broken:
            groups.setdefault(parameter.memory or id(parameter), []).append(parameter)
    plan = Plan([group[0] for group in groups.values()])
    plan.tied.extend(tuple(p.name for p in g) for g in groups.values() if len(g) > 1)
    plan.problems.extend(Problem("unreadable", (p.name,), p.broken) for p in found if p.broken)
    if recipe is not None:
        _assign(plan, found, list(groups.values()), recipe, said)
    for parameter in plan.parameters:
        if parameter.refused is not None and parameter.name not in plan.left_out:
            raise parameter.refused
    plan.parameters[:] = [p for p in plan.parameters if p.refused is None]
    return plan


def _with(parameter: Parameter, said: TensorSpec | None) -> Parameter:
    """The parameter with what is said of its layer, where nothing else says it."""
    own = parameter.spec
    if said is None or own.extras() or said.shape != own.shape:
        return parameter
    return dataclasses.replace(parameter, spec=dataclasses.replace(said, dtype=own.dtype))


def _assign(
    plan: Plan,
    found: list[Parameter],
    groups: list[list[Parameter]],
    recipe: Recipe,
    said: Mapping[str, TensorSpec],
) -> None:
    # Lost ones count as layers all the same, and so do those that no file holds.
    specs = {**said, **{p.name: p.spec for p in found}}
    matches = recipe._match(specs)
    resolver = Resolver(Values(recipe.variables, dict(specs)), matches.rules, specs)
    lost: list[str] = []
    for number, group in enumerate(groups):
        ruled = [p for p in group if p.name in matches.rules]
        given = [p for p in ruled if matches.rules[p.name].initializer is not None]
        first = (given or group)[0]
        plan.parameters[number] = first
        if not ruled:
            lost.append(first.name)
        elif not given:
            plan.left_out[first.name] = matches.rules[ruled[0].name]
        else:
            _promise(plan, resolver, first)
    if lost:
        wrong = ": a recipe for another model?" if len(lost) == len(groups) else ""
        text = f"no rule of the recipe matches {'it' if len(lost) == 1 else 'them'}{wrong}"
        plan.problems.append(Problem("coverage", tuple(lost), text))
    if matches.idle:
        one = len(matches.idle) == 1
        text = f"the {'rule of this pattern finds' if one else 'rules of these find'} no parameter"
        plan.problems.append(Problem("coverage", tuple(r.pattern for r in matches.idle), text))


def _promise(plan: Plan, resolver: Resolver, parameter: Parameter) -> None:
    try:
        assignment = resolver.assign(parameter.name, parameter.spec, None)
    except (TypeError, ValueError) as error:
        _uncovered(plan, parameter.name, f"the rule cannot be meant for it: {error}")
        return
    if assignment is not None:
        plan.promises[parameter.name] = promise(assignment)


def _uncovered(plan: Plan, name: str, text: str) -> None:
    plan.problems.append(Problem("coverage", (name,), text))
