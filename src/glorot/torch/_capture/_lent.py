# SPDX-License-Identifier: Apache-2.0
"""Memory that NumPy and Python write, where no operator of torch does."""

import hashlib
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from glorot._captured._drawn import Fixed, Unknown, describe
from glorot.torch._capture._calls import plain
from glorot.torch._capture._recorder import Recorder

_Tensor: Any = torch.Tensor
TO_NUMPY = (_Tensor.numpy, _Tensor.__array__)
_SHARING = (*TO_NUMPY, _Tensor.__dlpack__)  # the memory
BY_PYTHON = (_Tensor.apply_, _Tensor.map_, _Tensor.map2_)  # number by number, on the CPU alone


class Array:
    """An array that others may write, and what it holds by now."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self._array = array
        self._held = _digest(array)

    @property
    def written(self) -> bool:
        """Whether it holds others since."""
        return _digest(self._array) != self._held


class WithMemory(TorchFunctionMode):
    """Code runs on the CPU, and what Python and NumPy write is noted."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder
        self._lent: list[tuple[torch.Tensor, bytes, list[Any]]] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func in BY_PYTHON:
            read = [each for each in args if isinstance(each, torch.Tensor)]
            self._note(args[0], read, "which Python has changed")
        elif func in _SHARING and plain(args[0]) and not args[0].is_quantized:
            tensor = args[0].detach()
            self._lent.append((tensor, _bytes_of(tensor), list(self._recorder.writes(tensor))))
        return func(*args, **(kwargs or {}))

    def note_written(self) -> None:
        """Note what NumPy has written into, of all that torch has not written since."""
        for tensor, held, writes in self._lent:
            now = self._recorder.writes(tensor)
            if [*map(id, now)] == [*map(id, writes)] and _bytes_of(tensor) != held:
                self._note(tensor, [tensor], "which NumPy has written into")

    def _note(self, target: torch.Tensor, read: list[torch.Tensor], why: str) -> None:
        drawn = [v for v in map(self._recorder.value, read) if not isinstance(v, Fixed)]
        if drawn:
            self._recorder.put(target, Unknown(f"{describe(drawn[0])}, {why}"))
        else:
            self._recorder.know(target, None)


def _digest(array: np.ndarray[Any, Any]) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16).digest()


def _bytes_of(tensor: torch.Tensor) -> bytes:
    flat = tensor.contiguous().reshape(-1)
    return _digest(flat.view(torch.uint8).numpy())
