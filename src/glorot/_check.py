# SPDX-License-Identifier: Apache-2.0
"""Checks of plain options, shared by every constructor."""

import math
import numbers
from collections.abc import Sequence
from typing import Any


def real(argument: str, value: object) -> float:
    """Return `value` as a finite float, or say what is wrong with it."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"`{argument}` must be a number, got {value!r} of {type(value).__name__}.")
    number = float(value) + 0.0  # -0.0 would equal 0.0 and yet write other bits
    if not math.isfinite(number):
        raise ValueError(f"`{argument}` must be finite, got {value!r}.")
    return number


def positive(argument: str, value: object) -> float:
    """Return `value` as a finite float above 0."""
    number = real(argument, value)
    if number <= 0:
        raise ValueError(f"`{argument}` must be above 0, got {value!r}.")
    return number


def count(argument: str, value: object) -> int:
    """Return `value` as a Python int of at least 1."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(
            f"`{argument}` must be a whole number, got {value!r} of {type(value).__name__}."
        )
    if value < 1:
        raise ValueError(f"`{argument}` must be at least 1, got {value!r}.")
    return int(value)


def choice(argument: str, value: object, choices: Sequence[str]) -> str:
    """Return `value` if it is one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"`{argument}` must be one of {', '.join(choices)}; got {value!r}.")
    return value


def near(word: str, choices: Sequence[str]) -> str:
    """The end of an error: those of `choices` that `word` may have meant, else all of them."""
    import difflib  # only errors need it

    found = difflib.get_close_matches(word, choices, n=3, cutoff=0.5)
    return f"Near: {', '.join(found)}." if found else f"There are: {', '.join(choices)}."


def parse_shape(shape: Any) -> tuple[int, ...]:
    """Return a shape, any sequence of non-negative integers, as a tuple of Python ints."""
    if type(shape) is tuple:
        for size in shape:
            if type(size) is not int or size < 0:
                break
        else:
            return shape
    if isinstance(shape, str) or not hasattr(shape, "__iter__"):
        raise TypeError(
            f"`shape` must be a sequence of integers, got {shape!r}."
            + (f" For one axis pass ({shape!r},)." if isinstance(shape, int) else "")
        )
    sizes = []
    for size in shape:
        if isinstance(size, bool) or not hasattr(size, "__index__"):
            raise TypeError(
                f"`shape` must hold integers, got {size!r} in {shape!r}. Every size must be known."
            )
        if size < 0:
            raise ValueError(f"`shape` must hold sizes of 0 or more, got {size!r} in {shape!r}.")
        sizes.append(size.__index__())
    return tuple(sizes)
