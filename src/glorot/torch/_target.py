# SPDX-License-Identifier: Apache-2.0
"""A tensor to be filled: what is checked before any memory is changed, and then the filling."""

import functools
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch

from glorot import _base, _registry
from glorot._base import Initializer
from glorot._batch import Batch
from glorot._check import parse_shape, show
from glorot._dtypes import dtype_name, parse_dtype
from glorot._shard import Shard, parse_shard
from glorot._writers import Writer
from glorot.torch._dtensor import Part, is_dtensor, local_parts
from glorot.torch._memory import Memory, check_known


@functools.lru_cache(maxsize=4096)
def _shards(parts: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]) -> tuple[Shard, ...]:
    return tuple(
        Shard(start, [i + n for i, n in zip(start, extent, strict=True)]) for start, extent in parts
    )


@functools.lru_cache(maxsize=4096)
def _writer(initializer: Initializer, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Writer:
    parse_dtype(dtype, floating=initializer.random)
    return _base._prepared(initializer, shape, dtype)


# What makes a tensor's memory; while a capture runs code, what notes that it would be filled.
memory_of: ContextVar[Callable[[torch.Tensor, str], Memory]] = ContextVar(
    "memory_of", default=Memory
)


class Target:
    """The memory that a tensor has here, and which parts of the whole it holds.

    Args:
        tensor: a plain tensor, which is the whole, or a DTensor.
        what: how errors call it.
        shape: of the whole, where `tensor` is the part `shard` of it.
    """

    __slots__ = ("memory", "parts", "shape", "tensor", "what")

    def __init__(
        self, tensor: torch.Tensor, what: str, shape: Any = None, shard: Any = None
    ) -> None:
        self.what = what
        self.tensor = tensor
        check_known(tensor, what)
        self.shape = tuple(tensor.shape)
        self.parts: Sequence[Part] | None = None
        if (shape is None) != (shard is None):
            raise TypeError(
                "`shard` says which part of a whole the tensor is, and `shape` what the whole is: "
                f"give both or neither; got shape={show(shape)}, shard={show(shard)}."
            )
        if is_dtensor(tensor):
            if shard is not None:
                raise TypeError(f"{what} is a DTensor, which knows its part. Leave `shard` out.")
            tensor, self.parts = local_parts(tensor, what)
        elif shard is not None:
            self.shape = parse_shape(shape)
            start, extent = parse_shard(shard, self.shape)
            if extent != tuple(tensor.shape):
                raise ValueError(
                    f"{what} must have the shape of the shard, {extent}, got {tuple(tensor.shape)}."
                )
            self.parts = [Part(start, extent, None)]
        self.memory = memory_of.get()(tensor, what)

    @property
    def dtype(self) -> str:
        """Its dtype's name."""
        return dtype_name(self.memory.dtype)

    @property
    def shards(self) -> tuple[Shard, ...] | None:
        """The parts of the whole that are here; None: it is the whole."""
        return None if self.parts is None else _shards(tuple(part[:2] for part in self.parts))

    def writer(self, initializer: Initializer) -> Writer:
        """What writes the initializer's values; raises where it cannot have this shape or dtype."""
        return _writer(initializer, self.shape, self.memory.dtype)

    def fill(self, writer: Writer, seed: int, name: str, batch: Batch | None = None) -> None:
        """Write the values of `name` into the parts that are here; with a batch, by the time that
        it has run."""
        if self.parts is None:
            self.memory.fill(writer, None, None, seed, name, batch)
        else:
            for start, _, place in self.parts:
                self.memory.fill(writer, start, place, seed, name, batch)
        torch.autograd.graph.increment_version(self.tensor)  # as an operation in place does
        if self.tensor is not self.memory.tensor:
            torch.autograd.graph.increment_version(self.memory.tensor)


def read_initializer(initializer: Any) -> Initializer:
    """The initializer that is given, or that `glorot.get` makes of a class, name or dict."""
    found = _registry.get(initializer)
    if not isinstance(found, Initializer):
        raise TypeError(
            "`initializer` must be one of glorot's, or its class, name or dict; got "
            f"{show(initializer)}."
        )
    return found


def check_tensor(tensor: object) -> torch.Tensor:
    """Return `tensor` if it is one."""
    if not isinstance(tensor, torch.Tensor):
        raise TypeError(f"`tensor` must be a torch.Tensor, got {type(tensor).__name__}.")
    return tensor
