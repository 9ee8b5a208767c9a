# SPDX-License-Identifier: Apache-2.0
"""Time contenders in turn (A B C A B C ...), and check the bytes that were timed."""

import contextlib
import gc
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from glorot import _kernel

ROUND_SECONDS = 0.002  # a quick call is repeated so that a round lasts at least so long
SLOW = 0.2  # a first call that took longer says enough about how often to repeat: once
# A call shorter than this is made once more before each round, untimed: the checks between rounds
# let processors fall asleep, and after 30 ms of that an eighth of 8192 x 8192 took two threads of a
# virtual machine 0.1 to 0.25 ms more.
BRIEF = 0.02


class WrongBytesError(AssertionError):
    """What was timed is not what the NumPy reference gives."""


@dataclass
class Contender:
    """Something to time: `run` does the work once and returns what it made."""

    who: str
    run: Callable[[], Any]
    kind: str  # "glorot", "peer", "bare" (less than a weight) or "ceiling"
    target: str | None = None  # the kernel that glorot is held to
    check: Callable[[Any], None] | None = None  # raises WrongBytesError
    nbytes: int | None = None  # written by one run, where it is not the case's
    note: str = ""
    tensors: int = 1  # that one run fills


def _warmed_up(contender: Contender) -> float:
    """The seconds of a call that is not the first."""
    once = float("inf")
    for _ in range(3):
        begin = time.perf_counter()
        contender.run()
        once = min(once, time.perf_counter() - begin)
        if once > SLOW:
            break
    return once


def _on_target(contender: Contender) -> contextlib.AbstractContextManager[None]:
    if contender.target is None or contender.target == _kernel.target():
        return contextlib.nullcontext()
    return _kernel.forced(contender.target)


def alternate(
    contenders: Sequence[Contender], *, nbytes: int, rounds: int, seconds: float, **case: Any
) -> Iterator[dict[str, Any]]:
    """One record a contender: the case, and the seconds of one call in each round, on the clock and
    of the process' CPU time, which does not count what else the machine does.

    A contender that has used up `seconds` sits out the rounds that are left. The check runs after
    every round, outside of the timing.
    """
    timed: list[list[float]] = [[] for _ in contenders]
    busy: list[list[float]] = [[] for _ in contenders]
    gc.collect()
    gc.disable()
    lasts = []
    for contender in contenders:
        with _on_target(contender):
            lasts.append(_warmed_up(contender))
    repeats = [max(1, int(ROUND_SECONDS / one)) for one in lasts]
    for _ in range(rounds):
        for contender, one, calls, taken, cpu in zip(
            contenders, lasts, repeats, timed, busy, strict=True
        ):
            if taken and sum(taken) * calls > seconds:
                continue
            with _on_target(contender):
                if one < BRIEF:
                    contender.run()
                begin, before = time.perf_counter(), time.process_time()
                for _ in range(calls):
                    made = contender.run()
                cpu.append((time.process_time() - before) / calls)
                taken.append((time.perf_counter() - begin) / calls)
            if contender.check is not None:
                contender.check(made)
            del made
    gc.enable()
    for contender, calls, taken, cpu in zip(contenders, repeats, timed, busy, strict=True):
        size = nbytes if contender.nbytes is None else contender.nbytes
        yield case | {
            "who": contender.who,
            "kind": contender.kind,
            "note": contender.note,
            "bytes": size,
            "tensors": contender.tensors,
            "calls_a_round": calls,
            "rounds": [round(t, 10) for t in taken],
            "cpu": [round(t, 10) for t in cpu],
        }


def checker(
    init: Any, shape: tuple[int, ...], name: str, start: tuple[int, ...] = (0, 0), samples: int = 8
) -> Callable[[Any], None]:
    """A check that an array is the part of the whole 2-D weight that begins at `start`: its
    corners and boxes at random places, against the NumPy reference."""
    random = np.random.default_rng(0)

    def check(made: Any) -> None:
        height, width = (min(size, most) for size, most in zip(made.shape, (4, 32), strict=True))
        lasts = (made.shape[0] - height, made.shape[1] - width)
        corners = [(0, 0), lasts]
        places = [tuple(int(random.integers(last + 1)) for last in lasts) for _ in range(samples)]
        for row, column in [*corners, *places]:
            part = made[row : row + height, column : column + width]
            whole_row, whole_column = row + start[0], column + start[1]
            box = (
                slice(whole_row, whole_row + height),
                slice(whole_column, whole_column + width),
            )
            with _kernel.forced("reference"):
                expected = init(shape, made.dtype, name=name, shard=box)
            if np.ascontiguousarray(part).tobytes() != expected.tobytes():
                raise WrongBytesError(
                    f"{init!r} of shape {shape} and dtype {made.dtype}: the bytes at "
                    f"[{whole_row}:{whole_row + height}, {whole_column}:{whole_column + width}] "
                    "are not the reference's."
                )

    return check


def targets() -> list[str]:
    """The native kernel's targets worth timing here, best first; empty without a native kernel."""
    if _kernel.target() == "reference":
        return []
    from glorot import _native

    found = list(_native.targets())
    return [name for name in found if name != "portable"] or found
