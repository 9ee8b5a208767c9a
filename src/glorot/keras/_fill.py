# SPDX-License-Identifier: Apache-2.0
"""Filling the variables of each backend: their own memory where it can be had."""

from collections.abc import Callable
from types import TracebackType
from typing import Any

import keras
import numpy as np

from glorot import _base
from glorot._batch import Batch
from glorot._dtypes import ALL
from glorot._memory import aligned
from glorot._shard import Shard, parse_shard
from glorot.keras import _private
from glorot.keras._tensors import Array
from glorot.recipe import Assignment

Work = Callable[[int], tuple[Shard, ...] | None]  # seed -> the parts that were filled; None: all
Waiting = list[tuple[Any, Array, Any]]  # variable, value, where it is to lie
_TOGETHER = 1 << 28  # bytes on the way to JAX's devices or TensorFlow's variables


class Filler:
    """Fills variables one after another, all of them by the end of the context."""

    def __init__(self) -> None:
        prepare, hand_over = {
            "jax": (self._jax, _to_jax),
            "tensorflow": (self._tensorflow, _to_tensorflow),
            "torch": (self._torch, lambda waiting: None),
        }[keras.backend.backend()]
        self._prepare, self._hand_over = prepare, hand_over
        # Many at once are taken in a fraction of the time that each alone costs.
        self._batch = Batch()
        self._waiting: Waiting = []
        self._bytes = 0

    def prepare(self, variable: Any, assignment: Assignment) -> Work:
        """Check that a variable can be given its value, and return what gives it."""
        return self._prepare(variable, assignment)

    def __enter__(self) -> "Filler":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._batch.__exit__(kind, error, traceback)
        if kind is None:
            self._finish()

    def _finish(self) -> None:
        """Compute and hand over what still waits."""
        self._batch.run()
        self._hand_over(self._waiting)
        self._waiting, self._bytes = [], 0

    def _wait(self, variable: Any, array: Array, there: Any) -> None:
        self._waiting.append((variable, array, there))
        self._bytes += array.nbytes
        if self._bytes > _TOGETHER:
            self._finish()

    def _tensorflow(self, variable: Any, assignment: Assignment) -> Work:
        dtype = ALL[assignment.dtype]
        writer = _base._prepared(assignment.initializer, assignment.shape, dtype)

        def fill(seed: int) -> None:
            array = aligned(assignment.shape, dtype)
            writer.part_of(self._batch, array, None, seed, assignment.name)
            self._wait(_private.value_of(variable), array, None)

        return fill

    def _torch(self, variable: Any, assignment: Assignment) -> Work:
        from glorot.torch._target import Target

        target = Target(_private.value_of(variable).detach(), f"the weight {assignment.name!r}")
        writer = target.writer(assignment.initializer)

        def fill(seed: int) -> tuple[Shard, ...] | None:
            target.fill(writer, seed, assignment.name, self._batch)
            return target.shards

        return fill

    def _jax(self, variable: Any, assignment: Assignment) -> Work:
        import jax

        dtype = ALL[assignment.dtype]
        writer = _base._prepared(assignment.initializer, assignment.shape, dtype)
        value = _private.value_of(variable)
        # Where it is to lie: a device where nobody has said that it must stay there.
        there = sharding = value.sharding
        one = len(sharding.device_set) == 1
        if one and not value.committed:
            (there,) = sharding.device_set

        def fill(seed: int) -> tuple[Shard, ...] | None:
            if one:
                array = aligned(assignment.shape, dtype)
                writer.part_of(self._batch, array, None, seed, assignment.name)
                self._wait(variable, array, there)
                return None
            parts: dict[Shard, Array] = {}

            def block(index: tuple[slice, ...]) -> Array:
                start, extent = parse_shard(index, assignment.shape)
                place = Shard(start, [i + n for i, n in zip(start, extent, strict=True)])
                if place not in parts:  # replicas ask again
                    parts[place] = np.empty(extent, dtype)
                    writer.part(parts[place], start, seed, assignment.name)
                return parts[place]

            variable.assign(jax.make_array_from_callback(assignment.shape, sharding, block))
            return tuple(parts)

        return fill


def _to_jax(waiting: Waiting) -> None:
    import jax

    free: dict[Any, Waiting] = {}  # by device
    placed = []
    for row in waiting:
        if isinstance(row[2], jax.sharding.Sharding):
            placed.append(row)
        else:
            free.setdefault(row[2], []).append(row)
    rows = [*placed]
    made = jax.device_put([a for _, a, _ in placed], [sharding for _, _, sharding in placed])
    for device, here in free.items():
        with jax.default_device(device):
            made += jax.device_put([array for _, array, _ in here])
        rows += here
    for (variable, _, _), array in zip(rows, made, strict=True):
        _private.set_value(variable, array)


def _to_tensorflow(waiting: Waiting) -> None:
    from glorot.tensorflow._values import assign_all

    assign_all((variable, array) for variable, array, _ in waiting)
