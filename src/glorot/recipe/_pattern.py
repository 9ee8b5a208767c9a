# SPDX-License-Identifier: Apache-2.0
"""Patterns over names: shell globs, and regular expressions where they begin with "re:"."""

import fnmatch
import functools
import re
from collections.abc import Callable
from typing import Any

from glorot import _check
from glorot.recipe._regex import Regex

REGEX = "re:"


def parse_pattern(pattern: Any) -> str:
    """Return a pattern that is one; a compiled regular expression becomes its text.

    Raises:
        TypeError: neither a string nor a compiled one.
        ValueError: empty, or no regular expression.
    """
    if isinstance(pattern, re.Pattern):
        if not isinstance(pattern.pattern, str) or pattern.flags != re.UNICODE:
            raise ValueError(
                f"`pattern` must be compiled from text and without flags, got {pattern!r}. Write "
                "them into it: (?i)."
            )
        pattern = REGEX + pattern.pattern
    if not isinstance(pattern, str):
        raise TypeError(f"`pattern` must be a string, got {_check.show(pattern)}.")
    if not pattern:
        raise ValueError("`pattern` must not be empty; '*' matches every name.")
    matcher(pattern)
    return pattern


@functools.lru_cache(maxsize=4096)
def matcher(pattern: str) -> Callable[[str], object]:
    """Return a function of a name that says whether the pattern matches all of it."""
    try:
        if pattern.startswith(REGEX):
            return Regex(pattern[len(REGEX) :]).matches
        return re.compile(fnmatch.translate(pattern)).match
    except (ValueError, re.error, RecursionError, OverflowError) as error:
        raise ValueError(f"`pattern` {pattern!r} cannot be read: {error}.") from None


def beginning(pattern: str, name: str, *, words: bool = False) -> str | None:
    """The shortest beginning of `name` that the glob matches, whose one wild card is *, or None;
    with `words`, one in which no piece begins inside of a word, as the h of "*h.*." does in speech.

    Each piece is sought once, from the left: a recipe from anywhere cannot make it slow.
    """
    first, *pieces = pattern.split("*")
    if not name.startswith(first):
        return None
    end = len(first)
    for piece in pieces:
        place = name.find(piece, end)
        while words and place > 0 and _in_word(name[place - 1]) and _in_word(piece[:1]):
            place = name.find(piece, place + 1)
        if place < 0:
            return None
        end = place + len(piece)
    return name[:end]


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def parse_counter(argument: str, pattern: Any) -> str:
    """Return a pattern that counts layers by the beginnings of their names."""
    if not isinstance(pattern, str) or "*" not in pattern or pattern.endswith("*"):
        number = "" if argument == "count" else "a number, or "  # a variable is one without count
        raise ValueError(
            f"`{argument}` must be {number}a pattern with * in the place of the layer's number and "
            f"what follows it, such as 'h.*.'; got {_check.show(pattern)}."
        )
    return pattern
