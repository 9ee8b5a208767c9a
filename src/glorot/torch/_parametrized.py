# SPDX-License-Identifier: Apache-2.0
"""Parametrized tensors: what is filled is the tensor itself, and torch finds what it is computed
from (`right_inverse`), so that parametrizing a module does not change its weights' names or rules.
"""

from typing import Any

import torch

from glorot import _random
from glorot._base import Initializer
from glorot.torch._collect import Group
from glorot.torch._dtensor import is_dtensor
from glorot.torch._memory import check
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

    def fill(self, initializer: Initializer, seed: int, name: str) -> None:
        """Give the tensor its values, by setting what it is computed from."""
        target = Target(self._empty(), name)
        target.fill(target.writer(initializer), seed, name)
        setattr(self.place.owner, self.place.attribute, target.memory.tensor)
        path = f"{name.removesuffix(self.place.attribute)}parametrizations.{self.place.attribute}"
        for number, step in enumerate(self.source):
            if is_spectral_norm(step) and hasattr(step, "_u"):  # that of a vector is exact
                _restart(step, target.memory.tensor, seed, f"{path}.{number}")


def is_spectral_norm(step: Any) -> bool:
    """Whether a parametrization is torch's spectral norm, whose right_inverse keeps the weight as
    it is, and which divides it at each forward pass."""
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
