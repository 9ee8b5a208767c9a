# SPDX-License-Identifier: Apache-2.0
"""Checks of plain options, shared by every constructor."""

import math
import numbers
import operator
import os
from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, Any, TypeGuard

import numpy as np

if TYPE_CHECKING:
    from pathlib import Path

MOST_AXES = 64  # of a NumPy array
MOST_ELEMENTS = 2**63
_LONG = 332  # bits of a number of 100 digits


def show(value: object) -> str:
    """`value` as errors show it; Python refuses to print numbers of thousands of digits, and what
    is nested as deeply as the stack."""
    try:
        return _show(value)
    except RecursionError:
        return f"a deeply nested {type(value).__name__}"


def _show(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > _LONG:
        return f"an integer of {value.bit_length()} bits"
    if type(value) in (tuple, list) and len(value) <= MOST_AXES:  # type: ignore[arg-type]
        texts = [_show(item) for item in value]  # type: ignore[attr-defined]
        if isinstance(value, list):
            return f"[{', '.join(texts)}]"
        return f"({texts[0]},)" if len(texts) == 1 else f"({', '.join(texts)})"
    try:
        text = repr(value)
    except ValueError:
        text = ""
    return text if 0 < len(text) <= 1000 else f"a long {type(value).__name__}"


def real(argument: str, value: object) -> float:
    """Return `value` as a finite float, or say what is wrong with it."""
    if type(value) is not float and (
        isinstance(value, bool) or not isinstance(value, numbers.Real)  # slow: an abstract class
    ):
        raise TypeError(
            f"`{argument}` must be a number, got {show(value)} of {type(value).__name__}."
        )
    try:
        number = float(value) + 0.0  # -0.0 would equal 0.0 and yet write other bits
    except OverflowError:
        raise ValueError(f"`{argument}` must be below 1.8e308, got {show(value)}.") from None
    if not math.isfinite(number):
        raise ValueError(f"`{argument}` must be finite, got {value!r}.")
    return number


def cut(argument: str, value: object) -> float:
    """Return `value`, a number or "inf" or "-inf" (JSON has no infinities), as a float."""
    if isinstance(value, str) and value in ("inf", "-inf"):
        return float(value)
    if isinstance(value, (float, np.floating)) and math.isinf(value):
        return float(value)
    return real(argument, value)


def positive(argument: str, value: object) -> float:
    """Return `value` as a finite float above 0."""
    number = real(argument, value)
    if number <= 0:
        raise ValueError(f"`{argument}` must be above 0, got {show(value)}.")
    return number


def gain(value: object) -> float:
    """Return a gain: a number above 0, or that of the activation of this name."""
    if isinstance(value, str):
        from glorot._gain import gain as of  # only names need it

        return of(value)
    return positive("gain", value)


def scaled(number: float, factor: object) -> float:
    """Return `number` times a finite factor above 0, which must leave something of it."""
    product = number * positive("factor", factor)
    if product == 0.0 != number:
        raise ValueError(f"`factor`={factor!r} times {number!r} is 0 in float64. Use a larger one.")
    return product


def count(argument: str, value: object, least: int = 1) -> int:
    """Return `value` as a Python int of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(
            f"`{argument}` must be a whole number, got {show(value)} of {type(value).__name__}."
        )
    if value < least:
        raise ValueError(f"`{argument}` must be at least {least}, got {show(value)}.")
    if int(value) >= MOST_ELEMENTS:
        raise ValueError(f"`{argument}` must be below 2**63, got {show(value)}.")
    return int(value)


def path(argument: str, value: object, *, needed: str = "a path") -> "Path":
    """Return `value` as a `Path`."""
    from pathlib import Path  # slow to load

    try:
        text = os.fspath(value)  # type: ignore[call-overload]
    except TypeError:
        text = None
    if not isinstance(text, str):
        raise TypeError(
            f"`{argument}` must be {needed}, got {show(value)} of {type(value).__name__}."
        )
    if not text:
        raise ValueError(f"`{argument}` must be {needed}, got an empty one. Give '.' for here.")
    return Path(text)


def flag(argument: str, value: object) -> bool:
    """Return `value` if it is True or False: any other might be read as the wrong one."""
    if not isinstance(value, bool):
        raise TypeError(
            f"`{argument}` must be True or False, got {show(value)} of {type(value).__name__}."
        )
    return value


def choice(argument: str, value: object, choices: Sequence[str]) -> str:
    """Return `value` if it is one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"`{argument}` must be one of {', '.join(choices)}; got {show(value)}.")
    return value


_MOST_SHOWN = 60  # of which most are no help
_MOST_COMPARED = 10_000  # which takes a second


def near(word: str, choices: Sequence[str], what: str = "") -> str:
    """The end of an error: those of `choices` that `word` may have meant, else all of them;
    `what` they are where that is not clear."""
    import difflib  # only errors need it

    found = difflib.get_close_matches(word, choices[:_MOST_COMPARED], n=3, cutoff=0.5)
    if found:
        return f"Near{what and ' ' + what}: {', '.join(found)}."
    more = f", and {len(choices) - _MOST_SHOWN} more" if len(choices) > _MOST_SHOWN else ""
    return f"There are{what and ' the ' + what}: {', '.join(choices[:_MOST_SHOWN])}{more}."


def parse_shape(shape: Any) -> tuple[int, ...]:
    """Return a shape, any sequence of non-negative integers, as a tuple of Python ints.

    It has at most 64 axes, and at most 2**63 elements, sizes of 0 left out.
    """
    return check_extent(parse_sizes(shape))


def _are_sizes(shape: tuple[Any, ...]) -> TypeGuard[tuple[int, ...]]:
    # A loop, since every call of an initializer comes by; without else, which AutoGraph warns of.
    for size in shape:  # noqa: SIM110
        if type(size) is not int or size < 0:
            return False
    return True


def parse_sizes(shape: Any) -> tuple[int, ...]:
    """Return a shape as a tuple of Python ints, of any number and size."""
    if type(shape) is tuple and _are_sizes(shape):
        return shape
    sizes = []
    for size in _listed(shape):
        try:
            if isinstance(size, bool):
                raise TypeError
            sizes.append(operator.index(size))
        except TypeError:
            raise TypeError(
                f"`shape` must hold integers, got {show(size)} in {show(shape)}. Every size must "
                "be known."
            ) from None
        if sizes[-1] < 0:
            raise ValueError(
                f"`shape` must hold sizes of 0 or more, got {show(size)} in {show(shape)}."
            )
    return tuple(sizes)


def _listed(shape: Any) -> tuple[Any, ...]:
    try:
        if not isinstance(shape, (str, bytes, bytearray, memoryview, Set, Mapping)):
            return tuple(shape)
    except TypeError:
        pass
    whole = isinstance(shape, numbers.Integral) and not isinstance(shape, bool)
    hint = f" For one axis pass ({show(shape)},)." if whole else ""
    raise TypeError(f"`shape` must be a sequence of integers, got {show(shape)}.{hint}") from None


def check_extent(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return `shape` if an array, or the parts of one, could have it."""
    if len(shape) > MOST_AXES:
        raise ValueError(f"`shape` must have at most {MOST_AXES} axes, got {len(shape)}.")
    elements = math.prod(shape) or math.prod(size for size in shape if size)
    if elements > MOST_ELEMENTS:
        raise ValueError(f"`shape` {show(shape)} has more than 2**63 elements, zeros left out.")
    return shape
