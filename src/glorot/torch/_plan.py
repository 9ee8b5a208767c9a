# SPDX-License-Identifier: Apache-2.0
"""What a recipe gives the parameters of a module, tied ones once; nothing is written here."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import torch

from glorot import _check
from glorot._dtypes import dtype_name
from glorot.recipe import Assignment, Recipe, Rule, TensorSpec, _coverage, parse_shapes
from glorot.recipe._shapes import check_parameter_name, known_spec
from glorot.torch._collect import Group, collect
from glorot.torch._layers import described
from glorot.torch._memory import DTYPES, check_known
from glorot.torch._names import Place

_NAMES = {kind: dtype_name(dtype) for kind, dtype in DTYPES.items()}


class Planned(NamedTuple):
    """A parameter and what the recipe gives it."""

    group: Group
    assignment: Assignment


class Plan(NamedTuple):
    """All planned parameters, and the groups that the recipe leaves out."""

    parameters: list[Planned]
    left_out: list[Group]


def make_plan(groups: list[Group], recipe: Recipe, whole: Any = None) -> Plan:
    """Return what the recipe gives each group.

    Where the groups are those of a part of a model, `whole` says what else the recipe's rules and
    variables are about: the model itself, or a mapping from its names to their shapes.

    A tied parameter's canonical name is the first of its names to which the recipe gives an
    initializer: a rule of None on one of them ("left out: tied") does not leave out the others.

    Raises:
        ValueError: a parameter that no rule matches, a rule that matches none; a shape or dtype
            that the initializer refuses; no parameters; one that `whole` does not have.
        TypeError: a dtype that the initializer refuses.
    """
    if not groups:
        raise ValueError("`module` has no parameters: there is nothing to fill.")
    own = {
        check_parameter_name(place.name): _described(place, group.tensor)
        for group in groups
        for place in group.places
    }
    specs, ties = _within(own, whole)
    found = recipe._match(specs)
    names = [_names(group, ties) for group in groups]
    if found.unmatched:  # a tied one does well with a rule for one of its names
        together = ties | {name: all_ for all_ in names for name in all_}
        missing = {all_[0] for all_ in together.values() if found.rules.keys().isdisjoint(all_)}
        alone = specs.keys() - together.keys()
        left = [name for name in found.unmatched if name in missing or name in alone]
        found = found._replace(unmatched=left)
    problems = _coverage.problems(found, recipe.rules, specs)
    if problems:
        raise ValueError(" ".join(problems))
    chosen: dict[str, list[Group]] = {}
    left_out = []
    for group, all_ in zip(groups, names, strict=True):
        name = _first_given(all_, found.rules)
        if name is None:
            left_out.append(group)
            continue
        _check_dtype(name, group.tensor)
        if name in chosen:
            chosen[name].append(group)
        else:
            chosen[name] = [group]
    wanted = {name: specs[name] for name in chosen}
    assignments = recipe._assign(wanted, found.rules, None, specs)
    return Plan([Planned(g, found) for found in assignments for g in chosen[found.name]], left_out)


def _names(group: Group, ties: Mapping[str, list[str]]) -> list[str]:
    """A group's names, and those that it has in the whole model, whose order decides."""
    own = [place.name for place in group.places]
    if not ties:
        return own
    return list(dict.fromkeys([name for one in own for name in ties.get(one, [one])]))


def _first_given(names: Iterable[str], rules: Mapping[str, Rule]) -> str | None:
    """The first of these names to which its rule gives an initializer."""
    for name in names:
        rule = rules.get(name)
        if rule is not None and rule.initializer is not None:
            return name
    return None


def _within(
    own: dict[str, TensorSpec], whole: Any
) -> tuple[dict[str, TensorSpec], dict[str, list[str]]]:
    """(what is known of the whole model, of which `own` is a part; the names that are tied there).

    Layers that are traced for a pipeline forget what they were, so the whole's word counts first.
    """
    ties: dict[str, list[str]] = {}
    if whole is None:
        return own, ties
    every: dict[str, TensorSpec] = {}
    if isinstance(whole, torch.nn.Module):
        for group in collect(whole).parameters:
            together = [at.name for at in group.places]
            every |= {at.name: _described(at, group.tensor) for at in group.places}
            ties |= dict.fromkeys(together, together)
    elif isinstance(whole, Mapping):
        every = parse_shapes(whole)
    else:
        raise TypeError(
            "`whole` must be a torch.nn.Module or a mapping from names to shapes; got "
            f"{_check.show(whole)} of {type(whole).__name__}."
        )
    for name, spec in list(own.items()):
        if name not in every:
            raise ValueError(
                f"the parameter {name!r} is none of `whole`. Give it the name that it has there, "
                f"names={{{name!r}: ...}}. {_check.near(name, list(every))}"
            )
        if spec.shape != every[name].shape:
            raise ValueError(
                f"the parameter {name!r} has the shape {spec.shape}, and in `whole` "
                f"{every[name].shape}. Both must be of one model."
            )
        if every[name].extras():
            own[name] = dataclasses.replace(every[name], dtype=spec.dtype)
    return {**every, **own}, ties


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
    return known_spec(tuple(tensor.shape), _NAMES.get(tensor.dtype), **extras)


def _check_dtype(name: str, tensor: torch.Tensor) -> None:
    if tensor.dtype not in DTYPES:
        raise TypeError(
            f"the parameter {name!r} must have one of the dtypes "
            f"{', '.join(map(dtype_name, DTYPES.values()))}; got {tensor.dtype}. Fill it yourself, "
            f"and put Rule({name!r}, None) first."
        )
