# SPDX-License-Identifier: Apache-2.0
"""Buffers of a module that came from the meta device: who can make them again, and who did.

Whether a buffer was written is seen from torch's version counter: each way is tried, and what is
still as it was allocated is left for the next.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from glorot._check import show
from glorot.torch._collect import Group
from glorot.torch._names import Place, walk

Given = Mapping[str, Any] | Callable[[torch.nn.Module], object] | None

# Methods that models have for this, the more particular first.
_METHODS = (
    *("reset_buffers", "_reset_buffers", "init_buffers", "_init_buffers"),
    *("reset_parameters", "_reset_parameters"),
)


def check(given: Given, groups: list[Group]) -> None:
    """Refuse `buffers` that is neither a mapping of buffers nor a function, before anything is
    changed."""
    if isinstance(given, Mapping):
        known = {place.name: group.tensor for group in groups for place in group.places}
        unknown = [name for name in given if name not in known]
        if unknown:
            raise ValueError(
                f"`buffers` has values for {unknown[0]!r}, and the module has no such buffer. It "
                f"has: {', '.join(sorted(known)) or 'none'}."
            )
        for name, value in given.items():
            _check_value(name, value, known[name])
    elif given is not None and not callable(given):
        raise TypeError(
            "`buffers` must be a mapping from names to values, or a function of a module; got "
            f"{show(given)} of {type(given).__name__}."
        )


def _check_value(name: str, value: Any, buffer: torch.Tensor) -> None:
    what = f"`buffers` has {show(value)} for {name!r}"
    try:
        given = torch.as_tensor(value)
    except (RuntimeError, TypeError, ValueError):
        raise TypeError(
            f"{what}, of which torch makes no tensor. Give the buffer's values."
        ) from None
    if given.is_meta:
        raise ValueError(f"{what}, which is on the meta device and has no values.")
    if given.shape != buffer.shape:
        raise ValueError(
            f"{what}, of shape {tuple(given.shape)}; the buffer has {tuple(buffer.shape)}."
        )
    if not torch.can_cast(given.dtype, buffer.dtype):
        raise TypeError(f"{what}, of {given.dtype}, which a buffer of {buffer.dtype} cannot hold.")


class Remaking:
    """The buffers without values, from their allocation until all have them.

    Args:
        groups: all buffers, as they were before.
        given: what the user gave.
        left_out: the parameters that keep the values they have.
    """

    def __init__(self, groups: list[Group], given: Given, left_out: Sequence[Group]) -> None:
        self.given = given
        self.kept: list[tuple[Place, str]] = [
            (place, held)
            for held, those in (("_parameters", left_out), ("_buffers", groups))
            for group in those
            if group.source is None and not group.tensor.is_meta
            for place in group.places
        ]
        self.waiting: list[tuple[Group, torch.Tensor, int]] = []
        for group in groups:
            tensor = self._now(group)
            if tensor is not None and group.tensor.is_meta:
                version: int = tensor._version
                self.waiting.append((group, tensor, version))

    @staticmethod
    def _now(group: Group) -> Any:
        return group.places[0].owner._buffers.get(group.places[0].attribute)

    def _garbage(self) -> list[Group]:
        """The groups that nothing has written or replaced."""
        return [
            group
            for group, tensor, version in self.waiting
            if self._now(group) is tensor and tensor._version == version
        ]

    def before_parameters(self, module: torch.nn.Module, device: torch.device) -> None:
        """Try each way; what a parametrization holds waits for its weight."""
        with _generators_kept(device), torch.no_grad(), torch.device(device):
            self._copy_given()
            for owner in self._waiting_owners():
                self._call_given(owner)
            for way in (_torch_norms, _transformers(module), _own_methods):
                for owner in self._waiting_owners():
                    with self._keeping(owner):
                        way(owner)
            self._move(device)

    def _waiting_owners(self) -> dict[torch.nn.Module, None]:
        return dict.fromkeys(group.places[0].owner for group in self._garbage())

    @contextmanager
    def _keeping(self, owner: torch.nn.Module) -> Iterator[None]:
        """Ways write all that a module holds; what had values has them again afterwards."""
        below = set(owner.modules()) if self.kept else set()
        held = []
        for place, where in self.kept:
            if place.owner in below:
                tensor = getattr(place.owner, where)[place.attribute]
                held.append((place, where, tensor, tensor._version, tensor.clone()))
        yield
        for place, where, tensor, version, copy in held:
            getattr(place.owner, where)[place.attribute] = tensor
            if tensor._version != version:
                tensor.copy_(copy)

    def _copy_given(self) -> None:
        if isinstance(self.given, Mapping):
            for group, tensor, _ in self.waiting:
                for place in group.places:
                    if place.name in self.given:
                        tensor.copy_(torch.as_tensor(self.given[place.name]))

    def _call_given(self, owner: torch.nn.Module) -> None:
        if callable(self.given):
            self.given(owner)

    def _move(self, device: torch.device) -> None:
        """Tie what was tied, and move what was made elsewhere."""
        for group, _, _ in self.waiting:
            tensor = self._now(group)
            if tensor is not None and tensor.device.type != device.type and not tensor.is_meta:
                tensor = tensor.to(device)
            for place in group.places:
                place.owner._buffers[place.attribute] = tensor

    def check(self, module: torch.nn.Module) -> None:
        """Refuse buffers that nothing has made, and attributes that nobody moves.

        Raises:
            ValueError: with their names.
        """
        names = [group.places[0].name for group in self._garbage()]
        for group, _, _ in self.waiting:
            tensor = self._now(group)
            if tensor is not None and tensor.is_meta:
                names.append(group.places[0].name)
        if names:
            shown = ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")
            raise ValueError(
                f"nothing makes the buffers {shown} again, which were on the meta device and would "
                "hold what was in the memory. Give their values, buffers={name: tensor}, or a "
                "function that writes those of the module it is called with, buffers=function; or "
                "give the module that holds them a method reset_buffers()."
            )
        for prefix, owner in walk(module):
            for attribute, value in vars(owner).items():
                if isinstance(value, torch.Tensor) and value.is_meta:
                    raise ValueError(
                        f"the attribute '{prefix}{attribute}' is a tensor on the meta device, "
                        "neither a parameter nor a buffer, so that nothing gives it values. "
                        "Register it as a buffer, or make it outside of torch.device('meta')."
                    )


def _torch_norms(owner: Any) -> None:
    """BatchNorm, InstanceNorm and their kin."""
    if isinstance(owner, torch.nn.modules.batchnorm._NormBase):
        owner.reset_running_stats()


def _transformers(module: torch.nn.Module) -> Callable[[torch.nn.Module], None]:
    """A transformers model makes the buffers of any module below it."""
    models: dict[torch.nn.Module, Any] = {}
    for _, around in walk(module):
        if callable(getattr(around, "_init_weights", None)) and hasattr(around, "config"):
            for below in around.modules():
                models.setdefault(below, around)

    def make(owner: torch.nn.Module) -> None:
        if owner in models:
            models[owner]._init_weights(owner)

    return make


def _own_methods(owner: torch.nn.Module) -> None:
    """What the module that holds the buffer has itself."""
    versions = {
        name: tensor._version for name, tensor in owner._buffers.items() if tensor is not None
    }
    for name in _METHODS:
        method = getattr(owner, name, None)
        if callable(method):
            method()
            if all(
                tensor is None or tensor._version != versions.get(at)
                for at, tensor in owner._buffers.items()
            ):
                return


@contextmanager
def _generators_kept(device: torch.device) -> Iterator[None]:
    """torch's generators, the CPU's and the device's, are afterwards as they were before."""
    if device.type == "cpu":
        with torch.random.fork_rng(devices=[]):
            yield
    else:
        at = torch.empty(0, device=device).device  # which one is meant where no index is said
        with torch.random.fork_rng(devices=[at.index], device_type=at.type):
            yield
