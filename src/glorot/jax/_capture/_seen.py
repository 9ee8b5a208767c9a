# SPDX-License-Identifier: Apache-2.0
"""What a variable of a traced program holds: a law, numbers, words of a key, or parts."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from glorot._captured._drawn import Drawn, Fixed, Unknown, describe
from glorot._captured._numbers import shortest


@dataclass(frozen=True)
class Key:
    """Of JAX's random streams, or words that it is made of."""


@dataclass(frozen=True)
class Parts:
    """Values side by side along an axis, each so many."""

    axis: int
    parts: tuple[tuple[Drawn, int], ...]


Value = Drawn | Key | Parts
REPEATED = Unknown("draws that are repeated, or parts of one draw put together")


class Seen(NamedTuple):
    """What a variable holds."""

    value: Value
    draws: frozenset[int] = frozenset()  # which it is made of
    loops: frozenset[int] = frozenset()  # over whose rounds it changes
    words: Any = None  # keys, or numbers that they are made of, where these are known


def constant(value: Any) -> Fixed:
    """Numbers that are in the program itself; of one number its value, without the digits that its
    dtype adds."""
    array = np.asarray(value)
    if not array.size or array.dtype.kind == "c" or not (array == array.reshape(-1)[0]).all():
        return Fixed()
    number = float(array.reshape(-1)[0])
    wide = array.dtype.kind in "iub" or array.dtype == np.float64
    return Fixed(number if wide or not math.isfinite(number) else shortest(number))


def each(value: Value, change: Callable[[Drawn], Drawn]) -> Value:
    """Return what a change of each part makes."""
    if isinstance(value, Parts):
        return Parts(value.axis, tuple((change(part), size) for part, size in value.parts))
    return unknown("a change", value) if isinstance(value, Key) else change(value)


def unknown(what: str, *values: Value) -> Unknown:
    """Return something that no law is for: `what` was done to these."""
    of = next((value for value in values if not isinstance(value, Fixed)), Fixed())
    match of:
        case Unknown():
            return of
        case Key():
            return Unknown(f"{what} of a key")
        case Parts():
            return Unknown(f"{what} of values of several parts")
    return Unknown(f"{what} of {describe(of)}")
