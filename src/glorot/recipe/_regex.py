# SPDX-License-Identifier: Apache-2.0
"""Regular expressions over whole names, in time linear in the name: a recipe may come from anyone,
and Python's own can take hours for a pattern such as (a+)+$.

The syntax is Python's, without what needs backtracking (look-around, back-references) and without
flags.  The pattern becomes a set of states, a name moves through sets of them, and each set's
moves are kept (Thompson, "Regular expression search algorithm", CACM 11, 1968).
"""

import re
from collections.abc import Callable, Iterable
from typing import NoReturn

_MOST_STATES = 2000
_MOST_KEPT = 20_000  # moves; more are forgotten and found again
_DEEPEST = 50
_LITERALS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}
_BOUNDS = re.compile(r"\{(?:([0-9]+)|([0-9]*),([0-9]*))\}")

Test = Callable[[str], bool]

_CLASSES: dict[str, Test] = {
    "d": str.isdecimal,
    "w": lambda c: c.isalnum() or c == "_",
    "s": str.isspace,
    "D": lambda c: not c.isdecimal(),
    "W": lambda c: not (c.isalnum() or c == "_"),
    "S": lambda c: not c.isspace(),
}


class Regex:
    """A pattern that names are matched with as a whole.

    Args:
        text: Python's syntax: . [] [^] \\d \\w \\s () (?:) | * + ? {m,n} ^ $.

    Raises:
        ValueError: what is no such pattern, look-around, back-references, more than 2000 states.

    Examples:
        >>> Regex(r"h\\.\\d+\\.(q|k|v)").matches("h.11.q"), Regex("(a+)+").matches("a" * 5000 + "b")
        (True, False)
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.moves: list[tuple[Test, int]] = []  # state -> what it takes, where it leads
        self.free: dict[int, list[tuple[str, int]]] = {}  # state -> states reached for nothing
        reader = _Reader(self, text)
        self.last = self._state()
        self.first = reader.alternatives(self.last)
        if reader.at < len(text):
            reader.fail(f"unbalanced {text[reader.at]!r}")
        self.kept: dict[tuple[frozenset[int], str], frozenset[int]] = {}
        self.start = self._closed([self.first], "^")

    def matches(self, name: str) -> bool:
        """Return whether the whole name is matched."""
        states = self.start
        for character in name:
            key = states, character
            found = self.kept.get(key)
            if found is None:
                if len(self.kept) >= _MOST_KEPT:
                    self.kept.clear()
                found = self.kept[key] = self._closed(
                    (self.moves[s][1] for s in states if self.moves[s][0](character)), ""
                )
            states = found
            if not states:
                return False
        return self.last in self._closed(states, "$" if name else "^$")

    def _state(self, test: Test = lambda _: False, target: int = -1) -> int:
        if len(self.moves) >= _MOST_STATES:
            raise ValueError(f"it has more than {_MOST_STATES} states; give smaller repetitions")
        self.moves.append((test, target))
        return len(self.moves) - 1

    def _fork(self, *targets: int, when: str = "") -> int:
        state = self._state()
        self.free[state] = [(when, target) for target in targets]
        return state

    def _closed(self, states: Iterable[int], place: str) -> frozenset[int]:
        """All states reached for nothing, at this place: "^" the beginning, "$" the end."""
        todo = list(states)
        found = set(todo)
        while todo:
            for when, target in self.free.get(todo.pop(), ()):
                if when in place and target not in found:
                    found.add(target)
                    todo.append(target)
        return frozenset(found)


class _Reader:
    """Reads a pattern from the left; each part is built in front of the state that follows it."""

    def __init__(self, regex: Regex, text: str) -> None:
        self.regex = regex
        self.text = text
        self.at = 0
        self.depth = 0

    def fail(self, what: str) -> NoReturn:
        raise ValueError(f"{what} at character {self.at + 1}")

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def take(self, wanted: str) -> bool:
        if self.text.startswith(wanted, self.at):
            self.at += len(wanted)
            return True
        return False

    def alternatives(self, after: int, *, build: bool = True) -> int:
        self.depth += 1
        if self.depth > _DEEPEST:
            self.fail(f"groups nested more than {_DEEPEST} deep")
        targets = [self.sequence(after, build=build)]
        while self.take("|"):
            targets.append(self.sequence(after, build=build))
        self.depth -= 1
        return self.regex._fork(*targets) if build and len(targets) > 1 else targets[0]

    def sequence(self, after: int, *, build: bool) -> int:
        """Items are read forwards and built backwards, since each must know what follows."""
        items: list[tuple[int, int, int, int | None]] = []
        while self.peek() not in ("", "|", ")"):
            begin = self.at
            self.item(after, build=False)
            end = self.at
            low, high = self.bounds()
            items.append((begin, end, low, high))
        stop = self.at
        for begin, end, low, high in reversed(items) if build else ():
            after = self.repeated(begin, end, low, high, after)
        self.at = stop
        return after

    def repeated(self, begin: int, end: int, low: int, high: int | None, after: int) -> int:
        def once(target: int) -> int:
            self.at = begin
            found = self.item(target, build=True)
            assert self.at == end
            return found

        if high is None:
            loop = self.regex._fork()
            self.regex.free[loop] = [("", once(loop)), ("", after)]
            after = loop
        else:
            exit = after
            for _ in range(high - low):
                after = self.regex._fork(once(after), exit)
        for _ in range(low):
            before, after = after, once(after)
            if after == before:  # it takes nothing, however often
                break
        return after

    def bounds(self) -> tuple[int, int | None]:
        """(fewest, most or None) times that the item before may come."""
        found: tuple[int, int | None] = (1, 1)
        if self.take("*"):
            found = 0, None
        elif self.take("+"):
            found = 1, None
        elif self.take("?"):
            found = 0, 1
        elif match := _BOUNDS.match(self.text, self.at):
            low = int(match[1] or match[2] or 0)
            high = low if match[1] else int(match[3]) if match[3] else None
            if high is not None and high < low:
                self.fail(f"{match[0]} has its bounds the wrong way round")
            self.at = match.end()
            found = low, high
        else:
            return found
        self.take("?")  # lazy or not, the whole name is matched
        if self.peek() and (self.peek() in "*+?" or _BOUNDS.match(self.text, self.at)):
            self.fail("repetition of a repetition")
        return found

    def item(self, after: int, *, build: bool) -> int:
        character = self.peek()
        if character == "(":
            return self.group(after, build)
        if character in "*+?" or _BOUNDS.match(self.text, self.at):
            self.fail("nothing to repeat")
        if character in "^$":
            self.at += 1
            if self.peek() and (self.peek() in "*+?" or _BOUNDS.match(self.text, self.at)):
                self.fail("nothing to repeat")
            return self.regex._fork(after, when=character) if build else after
        if self.take("["):
            test = self.set()
        elif self.take("\\"):
            test = self.escape()
        else:
            self.at += 1
            test = (lambda c: c != "\n") if character == "." else character.__eq__
        return self.regex._state(test, after) if build else after

    def group(self, after: int, build: bool) -> int:
        self.at += 1
        if self.peek() == "?" and not self.take("?:"):
            self.fail("a group (?...) that is not (?:...)")
        found = self.alternatives(after, build=build)
        if not self.take(")"):
            self.fail("a missing )")
        return found

    def escape(self) -> Test:
        character = self.peek()
        self.at += 1
        if character in _CLASSES:
            return _CLASSES[character]
        return self.literal(character).__eq__

    def literal(self, character: str) -> str:
        """What an escaped character stands for, where it stands for one."""
        if character in _LITERALS:
            return _LITERALS[character]
        if not character or character.isalnum():
            self.at -= 1
            self.fail(f"\\{character}, which has no meaning,")
        return character

    def set(self) -> Test:
        negated = self.take("^")
        tests: list[Test] = []
        first = True
        while first or self.peek() != "]":
            first = False
            low = self.member()
            if self.peek() == "-" and self.text[self.at + 1 :][:1] != "]":
                self.at += 1
                high = self.member()
                if not isinstance(low, str) or not isinstance(high, str) or high < low:
                    self.fail("a range the wrong way round")
                tests.append(lambda c, low=low, high=high: low <= c <= high)  # type: ignore[misc]
            else:
                tests.append(low.__eq__ if isinstance(low, str) else low)
        self.at += 1
        return lambda c: any(test(c) for test in tests) is not negated

    def member(self) -> str | Test:
        character = self.peek()
        if not character:
            self.fail("a missing ]")
        self.at += 1
        if character != "\\":
            return character
        escaped = self.peek()
        self.at += 1
        return _CLASSES[escaped] if escaped in _CLASSES else self.literal(escaped)
