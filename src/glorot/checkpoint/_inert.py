# SPDX-License-Identifier: Apache-2.0
"""Pickles read as data.

A pickle is a program.  Here it may only make numbers, text, tuples, lists and dicts, and inert
records in place of the classes that a reader knows by name.  Whatever else it asks for is refused,
and no code that it names is ever imported or called.
"""

import io
import pickle
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

from glorot import _check

_OPCODES = (
    "PROTO STOP FRAME MARK POP NONE NEWTRUE NEWFALSE INT BININT BININT1 BININT2 LONG1 BINFLOAT "
    "BINUNICODE SHORT_BINUNICODE SHORT_BINBYTES EMPTY_TUPLE TUPLE TUPLE1 TUPLE2 TUPLE3 EMPTY_LIST "
    "APPEND APPENDS EMPTY_DICT SETITEM SETITEMS BINPUT LONG_BINPUT MEMOIZE BINGET LONG_BINGET "
    "GLOBAL STACK_GLOBAL"
)


class Class(NamedTuple):
    """A class or function that the pickle names."""

    module: str
    name: str


class Record:
    """What stands in for an object: the name of its class, what it was made of, and its state."""

    __slots__ = ("arguments", "name", "state")

    def __init__(self, name: str, arguments: tuple[Any, ...] = ()) -> None:
        self.name = name
        self.arguments = arguments
        self.state: Any = None

    def get(self, key: str) -> Any:
        """An attribute as the object's state has it."""
        return self.state.get(key) if isinstance(self.state, Mapping) else None


class Unpickler(pickle._Unpickler):
    """Python's unpickler, written in Python, with the instructions above and no others.

    A reader says which classes it knows (`known`) and what is made of them (`made`, `built`).
    """

    stack: list[Any]
    dispatch: ClassVar[dict[int, Any]] = {
        getattr(pickle, name)[0]: pickle._Unpickler.dispatch[getattr(pickle, name)[0]]
        for name in _OPCODES.split()
    }

    def __init__(self, data: bytes) -> None:
        super().__init__(io.BytesIO(data))

    def known(self, found: Class) -> bool:
        """Whether the pickle may name this."""
        raise NotImplementedError

    def made(self, cls: Class, arguments: tuple[Any, ...]) -> Any:
        """What a call gives."""
        raise NotImplementedError

    def built(self, record: Record, state: Any) -> None:
        """Give a record its state."""
        record.state = state

    def find_class(self, module_name: str, global_name: str) -> Any:
        """Return the stand-in for a class that is known."""
        found = Class(module_name, global_name)
        if self.known(found):
            return found
        raise ValueError(
            f"it asks for {_check.show(f'{module_name}.{global_name}')}, which a checkpoint does "
            "not hold; nothing of it was run"
        )

    def load_reduce(self) -> None:
        """Make what a class is called to make."""
        arguments = self.stack.pop()
        cls = self.stack[-1]
        if not isinstance(cls, Class) or not isinstance(arguments, tuple):
            raise ValueError("it makes something of what is no class")
        self.stack[-1] = self.made(cls, arguments)

    def load_build(self) -> None:
        """Give a record its state."""
        state = self.stack.pop()
        record = self.stack[-1]
        if not isinstance(record, Record):
            raise ValueError("it gives a state to what has none")
        self.built(record, state)

    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.NEWOBJ[0]] = load_reduce
    dispatch[pickle.BUILD[0]] = load_build
