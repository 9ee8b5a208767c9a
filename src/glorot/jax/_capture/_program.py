# SPDX-License-Identifier: Apache-2.0
"""A traced program, run over laws in the place of numbers."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any

from jax.extend import core

from glorot._captured._drawn import Fixed, Orthogonal, Unknown
from glorot.jax._capture._operations import draw_of, result_of
from glorot.jax._capture._seen import REPEATED, Key, Parts, Seen, Value, constant
from glorot.jax._capture._words import computed, is_key, known, rows

# The operations that run a program of their own, once.
_CALLS = {"checkpoint", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call", "jit",
          "pjit", "remat", "remat2"}  # fmt: skip


def outputs(closed: Any) -> list[Value]:
    """Return what each output of a closed jaxpr holds."""
    arguments = [Seen(Unknown("an input of the model"))] * len(closed.jaxpr.invars)
    run = _Run()
    return [
        REPEATED if run.repeats(seen) else seen.value for seen in run.program(closed, arguments)
    ]


class _Run:
    def __init__(self) -> None:
        self._numbers = itertools.count(1)  # of draws and of loops
        self._keys: dict[int, list[bytes]] = {}  # of draws, where they are known
        self._rounds = _MOST_ROUNDS

    def repeats(self, seen: Seen) -> bool:
        """Whether two of the draws that it is made of have one key."""
        if not _is_drawn(seen.value):
            return False
        keys = [row for draw in seen.draws for row in self._keys.get(draw, ())]
        return len(set(keys)) < len(keys)

    def program(self, closed: Any, arguments: Sequence[Seen]) -> list[Seen]:
        """The outputs of a program, given what its arguments hold."""
        jaxpr = closed.jaxpr
        known: dict[Any, Seen] = dict(zip(jaxpr.invars, arguments, strict=True))
        known |= {
            var: _constant(value, var.aval)
            for var, value in zip(jaxpr.constvars, closed.consts, strict=True)
        }

        def read(atom: Any) -> Seen:
            return _constant(atom.val, atom.aval) if isinstance(atom, core.Literal) else known[atom]

        for equation in jaxpr.eqns:
            found = self._equation(equation, [read(atom) for atom in equation.invars])
            known.update(zip(equation.outvars, found, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def _equation(self, equation: Any, inputs: list[Seen]) -> list[Seen]:
        name = equation.primitive.name
        loops = frozenset[int]().union(*(seen.loops for seen in inputs))
        drawn = draw_of(equation, inputs)
        words = [seen.words for seen in inputs]
        if drawn is not None:
            number = next(self._numbers)
            self._keys[number] = rows(equation, words) or []
            return [Seen(drawn, frozenset({number}), loops)]
        if name == "scan":
            return self._scan(equation, inputs)
        if name in _CALLS:
            inner = next(equation.params[p] for p in _PROGRAMS if p in equation.params)
            return self.program(
                inner if hasattr(inner, "consts") else core.ClosedJaxpr(inner, ()), inputs
            )
        found = result_of(equation, inputs) if len(equation.outvars) == 1 else _of_many(inputs)
        draws = frozenset[int]().union(*(seen.draws for seen in inputs))
        return [
            Seen(Key() if is_key(var.aval) else found, draws, loops, made)
            for var, made in zip(equation.outvars, computed(equation, words), strict=True)
        ]

    def _scan(self, equation: Any, inputs: list[Seen]) -> list[Seen]:
        """The body once, with what its carry holds in all rounds. A draw that is the same in each
        round is repeated by what is stacked of it."""
        number = next(self._numbers)
        mark = frozenset({number})
        consts, carries = equation.params["num_consts"], equation.params["num_carry"]
        every = self._draws_of_rounds(equation, inputs)
        inputs = [seen._replace(words=None) for seen in inputs]  # which are those of one round
        changing = [
            seen if i >= carries and _is_one(seen.value) else seen._replace(loops=seen.loops | mark)
            for i, seen in enumerate(inputs[consts:])
        ]
        carry = changing[:carries]
        slices = [seen._replace(value=_sliced(seen.value)) for seen in changing[carries:]]
        while True:
            found = self.program(equation.params["jaxpr"], [*inputs[:consts], *carry, *slices])
            joined = [_join(*both) for both in zip(carry, found[:carries], strict=True)]
            if joined == carry:
                break
            carry = joined
        stacked = [
            seen._replace(
                value=_stacked(seen.value, number in seen.loops, equation.params["length"])
            )
            for seen in found[carries:]
        ]
        return [
            seen._replace(
                value=REPEATED if again and _is_drawn(seen.value) else seen.value,
                loops=seen.loops - mark,
                draws=seen.draws | draws,
                words=None,
            )
            for seen, (draws, again) in zip((*carry, *stacked), every, strict=True)
        ]

    def _draws_of_rounds(
        self, equation: Any, inputs: list[Seen]
    ) -> list[tuple[frozenset[int], bool]]:
        """The draws of all rounds of a loop, with the key of each, that each result is made of; and
        whether what is stacked has one of them in two rounds."""
        length, consts = equation.params["length"], equation.params["num_consts"]
        carries = equation.params["num_carry"]
        carry, given = inputs[consts : consts + carries], inputs[consts + carries :]
        if length > self._rounds:
            return [(frozenset(), False)] * len(equation.outvars)
        rounds, self._rounds = self._rounds, self._rounds // max(length, 1)  # of a loop in a loop
        stacked: list[list[frozenset[int]]] = [[] for _ in equation.outvars[carries:]]
        whole: dict[int, int] = {}  # of which draw another number is one round's slice
        order = range(length)
        for i in reversed(order) if equation.params["reverse"] else order:
            slices = []
            for seen in given:
                own = {next(self._numbers): draw for draw in seen.draws}
                whole |= own
                slices.append(Seen(_sliced(seen.value), frozenset(own), words=_row(seen.words, i)))
            found = self.program(equation.params["jaxpr"], [*inputs[:consts], *carry, *slices])
            carry = found[:carries]
            for draws, seen in zip(stacked, found[carries:], strict=True):
                draws.append(seen.draws)
        self._rounds = rounds
        last = [(frozenset(whole.get(d, d) for d in seen.draws), False) for seen in carry]
        for draws in stacked:
            union = frozenset[int]().union(*draws)
            again = sum(map(len, draws)) > len(union)
            last.append((frozenset(whole.get(d, d) for d in union), again))
        return last


_MOST_ROUNDS = 256  # that are gone through one by one


def _row(words: Any, number: int) -> Any:
    return None if words is None else words[number]


_PROGRAMS = ("jaxpr", "call_jaxpr", "fun_jaxpr")


def _is_drawn(value: Value) -> bool:
    return not isinstance(value, Key | Fixed | Unknown)


def _is_one(value: Value) -> bool:
    """Whether it is one number, of which all slices are the same."""
    return isinstance(value, Fixed) and value.value is not None


def _constant(value: Any, aval: Any) -> Seen:
    return Seen(Key() if is_key(aval) else constant(value), words=known(value, aval))


def _of_many(inputs: Sequence[Seen]) -> Value:
    """One of several results of an operation."""
    if all(isinstance(seen.value, Fixed) for seen in inputs):
        return Fixed()
    return Unknown("one of several results of an operation")


def _join(before: Seen, after: Seen) -> Seen:
    """What is held where the rounds of a loop hold different things."""
    if before.value == after.value:
        return before
    both = isinstance(before.value, Fixed) and isinstance(after.value, Fixed)
    return before._replace(value=Fixed() if both else Unknown("what a loop carries"))


def _sliced(value: Value) -> Value:
    """Slices of values along their first axis."""
    if isinstance(value, Parts):
        return Parts(value.axis - 1, value.parts) if value.axis else Unknown("a loop over parts")
    return value


def _stacked(value: Value, changes: bool, rounds: int) -> Value:
    """Values of many rounds, along a new first axis."""
    if isinstance(value, Orthogonal) and changes:
        return dataclasses.replace(value, stack=value.stack * rounds)
    if isinstance(value, Parts):
        return Parts(value.axis + 1, value.parts)
    return value if changes or isinstance(value, Fixed | Key | Unknown) else REPEATED
