# SPDX-License-Identifier: Apache-2.0
"""Parametrized tensors: what is filled is the tensor itself, and torch finds what it is computed
from (`right_inverse`), so that parametrizing a module does not change its weights' names or rules.
"""

import copy
import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.utils.parametrizations import _Orthogonal, _WeightNorm

from glorot import _random
from glorot._base import Initializer
from glorot._weight_norm import Length
from glorot.recipe import Assignment, TensorSpec
from glorot.torch._collect import Group, memory_key
from glorot.torch._dtensor import is_dtensor
from glorot.torch._memory import check
from glorot.torch._names import Place, is_weight_norm
from glorot.torch._target import Target

_POWER_ITERATIONS = 15  # as many as torch's spectral_norm makes when it is added


class Computed:
    """A parametrized tensor, checked: every one of its parametrizations can be inverted."""

    def __init__(self, group: Group, what: str) -> None:
        self.place = group.places[0]
        self.source = group.source
        self.value = group.tensor
        for step in self.source:
            if not hasattr(step, "right_inverse"):
                raise ValueError(
                    f"{what} is parametrized by {type(step).__name__}, which has no right_inverse: "
                    "there is no telling what to compute it from. Fill the module before it is "
                    "parametrized, or give the parametrization a right_inverse."
                )
        self.originals = [*self.source._parameters.values(), *self.source._buffers.values()]
        for original in self.originals:
            if is_dtensor(original):
                raise ValueError(
                    f"{what} is parametrized and sharded: what it is computed from depends on the "
                    "whole of it. Fill the module before it is sharded."
                )
            check(original, what)
        Target(self._empty(), what)

    def _empty(self) -> torch.Tensor:
        device = self.originals[0].device
        return torch.empty(self.value.shape, dtype=self.value.dtype, device=device)

    def _values(self, initializer: Initializer, seed: int, name: str) -> torch.Tensor:
        target = Target(self._empty(), name)
        target.fill(target.writer(initializer), seed, name)
        return target.memory.tensor

    def check(
        self, initializer: Initializer, seed: int, name: str, planned: Mapping[int, Assignment]
    ) -> None:
        """Refuse values that a copy of the parametrization cannot be given: code of any kind
        computes them back, from parameters of its own that are `planned` too, by their ids."""
        if self.originals[0].is_meta:  # while a capture runs
            return
        wanted = self._values(initializer, seed, name)
        copied = copy.deepcopy(self.source)
        pairs = zip(self.source.parameters(), copied.parameters(), strict=True)
        for own, copied_own in pairs:
            found = planned.get(id(own))
            if found is not None:
                target = Target(copied_own, name)
                target.fill(target.writer(found.initializer), seed, found.name)
        kinds = ", ".join(type(step).__name__ for step in copied)
        what = f"the parameter {name!r} is parametrized by {kinds}, which"
        do = "Fill the module before it is parametrized, or leave it out: a rule of None."
        try:
            copied.right_inverse(wanted)
        except Exception as error:
            raise ValueError(f"{what} cannot be given values: {error}. {do}") from error
        made = as_filled(copied)
        if not torch.isfinite(made).all() and torch.isfinite(wanted).all():
            raise ValueError(f"{what} makes of {initializer!r} what is not finite. {do}")
        orthogonal = any(isinstance(step, _Orthogonal) for step in copied)
        if orthogonal and not torch.allclose(made, wanted, rtol=0.0, atol=1e-3):
            raise ValueError(
                f"{what} keeps it orthogonal, as values of {initializer!r} are not. Give it a rule "
                "with Orthogonal, or leave it out: a rule of None."
            )

    def fill(self, initializer: Initializer, seed: int, name: str) -> None:
        """Give the tensor its values, by setting what it is computed from."""
        value = self._values(initializer, seed, name)
        setattr(self.place.owner, self.place.attribute, value)
        path = f"{name.removesuffix(self.place.attribute)}parametrizations.{self.place.attribute}"
        if is_weight_norm(self.source):  # torch's own norms differ from machine to machine
            length = Target(self.source.original0, f"{path}.original0")
            norms = Length(initializer, name, tuple(self.value.shape))
            length.fill(length.writer(norms), seed, name)
        for number, step in enumerate(self.source):
            if _is_spectral_norm(step) and hasattr(step, "_u"):  # that of a vector is exact
                _restart(step, value, seed, f"{path}.{number}")


def check_apart(groups: Iterable[Group]) -> None:
    """Refuse memory that one parameter is and another is computed from, or two are: filling one
    would change the other.

    Raises:
        ValueError: there is such memory.
    """
    owners: dict[object, str] = {}
    for group in groups:
        name = group.places[0].name
        source = group.source
        for held in [group.tensor] if source is None else source._parameters.values():
            other = owners.setdefault(memory_key(held), name)
            if other != name:
                raise ValueError(
                    f"the parameters {other!r} and {name!r} are tied through a parametrization: "
                    "one is computed from memory of the other. Fill the module before it is "
                    "parametrized, or leave one of them out: a rule of None."
                )


def as_filled(source: Any) -> torch.Tensor:
    """What a ParametrizationList computes, as it was filled: torch's spectral norm divides the
    weight at each forward pass, and weight norm rounds it.

    Of a copy, since some change as they are read.
    """
    copied = copy.deepcopy(source).eval()
    for place, step in enumerate(copied):
        if _is_spectral_norm(step):
            copied[place] = nn.Identity()
        elif isinstance(step, _WeightNorm) and _keeps_its_length(step, copied):
            copied[place] = _Direction()
    found: torch.Tensor = copied()
    return found


class _Direction(nn.Module):
    def forward(self, length: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
        return direction


def _keeps_its_length(step: Any, source: Any) -> bool:
    """Whether weight norm's weight is its direction, but for rounding: as when it is filled, and no
    more when it is trained."""
    length, direction = source.original0, source.original1
    if length.is_meta:
        return False
    with torch.no_grad():
        own, _ = step.right_inverse(direction)
    return torch.allclose(own, length, rtol=4 * torch.finfo(length.dtype).eps, atol=0.0)


def kept_tensors(group: Group, weight: TensorSpec) -> list[tuple[Place, torch.Tensor]]:
    """The tensors that a state dict holds of a parametrized one, with what `weight`, the spec of
    what they are computed to, says of its layer.

    Raises:
        ValueError: another parametrization than weight norm alone.
    """
    place, source = group.places[0], group.source
    if not is_weight_norm(source):
        raise ValueError(
            f"the parameter {place.name!r} is parametrized, and a state dict holds what it is "
            "computed from, which is known here for weight norm alone. Fill the module with "
            "glorot.torch.init_, or remove the parametrization first."
        )
    path = f"{place.name.removesuffix(place.attribute)}parametrizations.{place.attribute}"
    found = []
    for name, tensor in source._parameters.items():
        spec = dataclasses.replace(weight, shape=tuple(tensor.shape))
        found.append((Place(f"{path}.{name}", source, name, spec), tensor))
    return found


def _is_spectral_norm(step: Any) -> bool:
    return hasattr(step, "_power_method")


def _restart(step: Any, weight: torch.Tensor, seed: int, name: str) -> None:
    """Estimate the spectral norm of the new weight, as torch does when spectral_norm is added, from
    vectors of our stream: nothing of the old weight stays in the estimate."""
    with torch.no_grad():
        for attribute in ("_u", "_v"):
            vector = getattr(step, attribute)
            target = Target(vector, f"the buffer '{name}.{attribute}'")
            writer = target.writer(_random.RandomNormal(stddev=1.0))
            target.fill(writer, seed, f"{name}.{attribute}")
            torch.nn.functional.normalize(vector, dim=0, eps=step.eps, out=vector)
        step._power_method(step._reshape_weight_to_matrix(weight), _POWER_ITERATIONS)
