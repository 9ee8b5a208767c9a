# SPDX-License-Identifier: Apache-2.0
"""What a recipe gives the parameters of a module, tied ones once; nothing is written here."""

from typing import NamedTuple

import torch

from glorot._dtypes import dtype_name
from glorot.recipe import Assignment, Recipe, TensorSpec, _coverage
from glorot.recipe._shapes import check_parameter_name
from glorot.torch._collect import Group
from glorot.torch._layers import described
from glorot.torch._memory import DTYPES, check_known
from glorot.torch._names import Place


class Planned(NamedTuple):
    """A parameter and what the recipe gives it."""

    group: Group
    assignment: Assignment


class Plan(NamedTuple):
    """All planned parameters, and the groups that the recipe leaves out."""

    parameters: list[Planned]
    left_out: list[Group]


def make_plan(groups: list[Group], recipe: Recipe) -> Plan:
    """Return what the recipe gives each group.

    A tied parameter's canonical name is the first of its names to which the recipe gives an
    initializer: a rule of None on one of them ("left out: tied") does not leave out the others.

    Raises:
        ValueError: a parameter that no rule matches, a rule that matches none; a shape or dtype
            that the initializer refuses; no parameters.
        TypeError: a dtype that the initializer refuses.
    """
    if not groups:
        raise ValueError("`module` has no parameters: there is nothing to fill.")
    specs = {
        check_parameter_name(place.name): _described(place, group.tensor)
        for group in groups
        for place in group.places
    }
    found = recipe._match(specs)
    missing = {
        group.places[0].name
        for group in groups
        if not any(place.name in found.rules for place in group.places)
    }
    left = found._replace(unmatched=[name for name in found.unmatched if name in missing])
    problems = _coverage.problems(left, recipe.rules, specs)
    if problems:
        raise ValueError(" ".join(problems))
    chosen: dict[str, Group] = {}
    left_out = []
    for group in groups:
        given = (place.name for place in group.places if place.name in found.rules)
        name = next((n for n in given if found.rules[n].initializer is not None), None)
        if name is None:
            left_out.append(group)
        else:
            _check_dtype(name, group.tensor)
            chosen[name] = group
    wanted = {name: specs[name] for name in chosen}
    assignments = recipe._assign(wanted, found.rules, None, specs)
    return Plan([Planned(chosen[found.name], found) for found in assignments], left_out)


def spec_of(place: Place, tensor: torch.Tensor) -> TensorSpec:
    """The shape and dtype of a parameter, and what its layer says of its axes."""
    found = _described(place, tensor)
    _check_dtype(place.name, tensor)
    return found


def _described(place: Place, tensor: torch.Tensor) -> TensorSpec:
    """The same, without a dtype where no initializer writes it."""
    if place.spec is not None:
        return place.spec
    check_known(tensor, f"the parameter {place.name!r}")
    extras = described(place.owner, place.attribute, tensor.dim())
    known = DTYPES.get(tensor.dtype)
    return TensorSpec(tuple(tensor.shape), None if known is None else dtype_name(known), **extras)


def _check_dtype(name: str, tensor: torch.Tensor) -> None:
    if tensor.dtype not in DTYPES:
        raise TypeError(
            f"the parameter {name!r} must have one of the dtypes "
            f"{', '.join(map(dtype_name, DTYPES.values()))}; got {tensor.dtype}. Fill it yourself, "
            f"and put Rule({name!r}, None) first."
        )
