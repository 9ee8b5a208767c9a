# SPDX-License-Identifier: Apache-2.0
"""Filling one variable of each backend: its own memory where it can be had."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from glorot import _base
from glorot._dtypes import ALL
from glorot._shard import Shard, parse_shard
from glorot.keras import _private
from glorot.keras._tensors import Array
from glorot.recipe import Assignment

Work = Callable[[int], tuple[Shard, ...] | None]  # seed -> the parts that were filled; None: all


def prepare(variable: Any, assignment: Assignment) -> Work:
    """Check that a variable can be given its value, and return what gives it."""
    if keras.backend.backend() == "jax":
        return _jax(variable, assignment)
    if keras.backend.backend() == "torch":
        return _torch(variable, assignment)

    def fill(seed: int) -> None:
        variable.assign(_whole(assignment, seed))

    return fill


def _whole(assignment: Assignment, seed: int) -> Array:
    dtype = ALL[assignment.dtype]
    made: Array = assignment.initializer(assignment.shape, dtype, seed=seed, name=assignment.name)
    return made


def _torch(variable: Any, assignment: Assignment) -> Work:
    from glorot.torch._target import Target

    target = Target(_private.value_of(variable).detach(), f"the weight {assignment.name!r}")
    writer = target.writer(assignment.initializer)

    def fill(seed: int) -> tuple[Shard, ...]:
        target.fill(writer, seed, assignment.name)
        return tuple(target.shards)

    return fill


def _jax(variable: Any, assignment: Assignment) -> Work:
    import jax

    dtype = ALL[assignment.dtype]
    writer = _base._prepared(assignment.initializer, assignment.shape, dtype)
    sharding = _private.value_of(variable).sharding
    one = len(sharding.device_set) == 1

    def fill(seed: int) -> tuple[Shard, ...] | None:
        if one:
            array = np.empty(assignment.shape, dtype)
            writer.part(array, None, seed, assignment.name)
            variable.assign(jax.device_put(array, sharding))
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
