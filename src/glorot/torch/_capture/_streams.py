# SPDX-License-Identifier: Apache-2.0
"""Which generator's numbers draws are of, and whether it was set back between two of them."""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch.utils._python_dispatch import _disable_current_modes

from glorot._captured._drawn import Drawn, draw_of


class Draw(NamedTuple):
    """Numbers of a generator: `root` is where they begin, and `visit` which time from there on."""

    root: object
    visit: object


_STEPS = 1021  # a prime: sizes are round


class Streams:
    """The states of generators at each draw. Equal states give equal numbers, whosever they are."""

    def __init__(self) -> None:
        self._places: dict[bytes, tuple[int, int]] = {}  # a visit, and how many draws into it
        self._lengths: list[int] = []  # of visits
        self._roots: list[int] = []

    def at(self, generator: torch.Generator | None) -> Draw:
        """The draw that a generator would give now."""
        state = _state(generator)
        visit, passed = self._places.get(state, (-1, 0))
        if visit < 0 or passed < self._lengths[visit]:  # not where it was left
            visit, root = len(self._roots), self._roots[visit] if visit >= 0 else len(self._roots)
            self._roots.append(root)
            self._lengths.append(passed)
            self._places[state] = visit, passed
        return Draw(self._roots[visit], visit)

    def passed(self, draw: Draw, generator: torch.Generator | None, drawn: int) -> None:
        """Note that it has drawn; where it is on the meta device that so many numbers were, it has
        not, and is moved on: by fewer, but hardly ever by as many for another number of them."""
        if drawn:
            device = "cpu" if generator is None else generator.device
            with torch._C.DisableTorchFunction(), _disable_current_modes():
                torch.rand(1 + drawn % _STEPS, generator=generator, device=device)
        visit: int = draw.visit  # type: ignore[assignment]
        self._lengths[visit] += 1
        self._places[_state(generator)] = visit, self._lengths[visit]


def check_apart(values: Iterable[Drawn]) -> None:
    """Raise a ValueError where draws of one parameter are of the same numbers of a generator."""
    visits: dict[object, object] = {}
    for value in values:
        draw = draw_of(value)
        if draw is not None and visits.setdefault(draw.root, draw.visit) != draw.visit:
            raise ValueError("draws that are repeated, of a generator that was set back")


def _state(generator: torch.Generator | None) -> bytes:
    state = (torch.default_generator if generator is None else generator).get_state()
    return hashlib.blake2b(state.numpy(), digest_size=16).digest()
