# SPDX-License-Identifier: Apache-2.0
"""Code that fills tensors by this library, which writes memory where no mode of torch sees it."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from glorot._captured._drawn import Fixed, Given, Unknown, describe, of_draw
from glorot._captured._written import written
from glorot._writers import Writer
from glorot.torch._capture import _calls
from glorot.torch._capture._recorder import Recorder, on_meta
from glorot.torch._capture._streams import Draw
from glorot.torch._memory import DTYPES, Memory, check
from glorot.torch._target import memory_of


class _Noted(Memory):
    """Memory that tells a recorder what is written into it, and is written where there is any."""

    __slots__ = ("_recorder",)

    def __init__(self, recorder: Recorder, tensor: torch.Tensor, what: str) -> None:
        self._recorder = recorder
        if not on_meta(tensor):
            super().__init__(tensor, what)
            return
        check(tensor, what)
        self.tensor = tensor
        self.dtype = DTYPES[tensor.dtype]

    def fill(
        self, writer: Writer, start: Any, place: Any, seed: int, name: str, batch: Any
    ) -> None:
        if not on_meta(self.tensor):
            super().fill(writer, start, place, seed, name, None)
        part = self.tensor.detach()
        if place is not None:
            part = part[place]
        value = written(writer)
        if isinstance(value, Fixed) and value.value is not None:
            value = Fixed(_calls.cast(value.value, None, part.dtype))
        if isinstance(value, Given) and value.shape != tuple(part.shape):
            value = Unknown(f"a part of {describe(value)}")
        if not (isinstance(value, Given) and not value.initializer.random):
            value = of_draw(value, Draw((seed, name, start), object()))
        self._recorder.put(part, value)


@contextlib.contextmanager
def filled_by_glorot(recorder: Recorder) -> Iterator[None]:
    """Let the recorder know of what this library fills."""
    token = memory_of.set(lambda tensor, what: _Noted(recorder, tensor, what))
    try:
        yield
    finally:
        memory_of.reset(token)
