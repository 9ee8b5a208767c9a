# SPDX-License-Identifier: Apache-2.0
"""What filling a model did, as values that JSON can hold."""

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from glorot._base import Initializer
from glorot._registry import serialize
from glorot._shard import Shard
from glorot._stream import STREAM_VERSION
from glorot._words import counted
from glorot.recipe import Assignment, Recipe, describe_law


@dataclass(frozen=True)
class ParameterReport:
    """One parameter that was filled.

    Attributes:
        name: the name its values come from.
        names: all its names; more than one where it is shared.
        pattern: of the rule that it got its initializer from.
        initializer: the rule's, every scale and block included.
        shape: of the whole parameter.
        dtype: such as "bfloat16".
        shards: the parts of the whole that this process holds and filled.
    """

    name: str
    names: tuple[str, ...]
    pattern: str
    initializer: Initializer
    shape: tuple[int, ...]
    dtype: str
    shards: tuple[Shard, ...]

    @property
    def law(self) -> str:
        """The law in a few characters, such as "N(0, 0.02)"."""
        return describe_law(self.initializer, self.shape)

    @property
    def count(self) -> int:
        """How many elements of it were filled here."""
        return sum(
            math.prod(j - i for i, j in zip(shard.start, shard.stop, strict=True))
            for shard in self.shards
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the report as what JSON can hold."""
        return {
            "name": self.name,
            "names": list(self.names),
            "pattern": self.pattern,
            "initializer": serialize(self.initializer),
            "law": self.law,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "shards": [[list(shard.start), list(shard.stop)] for shard in self.shards],
        }


@dataclass(frozen=True, slots=True, repr=False)
class InitReport:
    """What `init` did to a model.  Printed, it is a table of the parameters.

    Attributes:
        recipe: the fingerprint of the recipe.
        parameters: those that were filled, in the order of the model.
        left_out: the names of parameters that the recipe leaves out; their memory is as it was.
        buffers: the names of what is no parameter (moving averages, counters, seeds); a recipe says
            nothing of it, and its memory is as it was, or made again by `materialize`.
    """

    seed: int
    recipe: str
    stream: int
    parameters: tuple[ParameterReport, ...]
    left_out: tuple[str, ...]
    buffers: tuple[str, ...]

    def __repr__(self) -> str:
        elements = sum(parameter.count for parameter in self.parameters)
        return (
            f"<InitReport: {counted(len(self.parameters), 'parameter')}, "
            f"{counted(elements, 'element')} here, seed {self.seed}, "
            f"recipe {self.recipe[:8]}, stream {self.stream}>"
        )

    def __str__(self) -> str:
        rows = [("name", "shape", "dtype", "law", "rule")]
        for p in self.parameters:
            shape = " x ".join(map(str, p.shape)) or "()"
            rows.append((", ".join(p.names), shape, p.dtype, p.law, p.pattern))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(cell.ljust(n) for cell, n in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        for what, names in (("left out", self.left_out), ("no parameters", self.buffers)):
            lines += [f"{what}: {', '.join(names)}"] if names else []
        return "\n".join([*lines, repr(self)])

    def as_dict(self) -> dict[str, Any]:
        """Return the report as what JSON can hold."""
        return {
            "seed": self.seed,
            "recipe": self.recipe,
            "stream": self.stream,
            "parameters": [parameter.as_dict() for parameter in self.parameters],
            "left_out": list(self.left_out),
            "buffers": list(self.buffers),
        }


def report_parameter(
    assignment: Assignment, names: Iterable[str], shards: Iterable[Shard] | None = None
) -> ParameterReport:
    """The report of a parameter filled as assigned; whole where no `shards` are said."""
    report = object.__new__(ParameterReport)
    report.__dict__.update(  # in half the time that `__init__` takes, once for each parameter
        name=assignment.name,
        names=tuple(names),
        pattern=assignment.rule.pattern,
        initializer=assignment.initializer,
        shape=assignment.shape,
        dtype=assignment.dtype,
        shards=_whole(assignment.shape) if shards is None else tuple(shards),
    )
    return report


@functools.lru_cache(maxsize=4096)
def _whole(shape: tuple[int, ...]) -> tuple[Shard, ...]:
    return (Shard((0,) * len(shape), shape),)


def report_all(
    recipe: Recipe,
    seed: int,
    parameters: Iterable[ParameterReport],
    left_out: Iterable[str],
    buffers: Iterable[str],
) -> InitReport:
    """The report of a model."""
    return InitReport(
        seed=seed,
        recipe=recipe.fingerprint,
        stream=STREAM_VERSION,
        parameters=tuple(parameters),
        left_out=tuple(left_out),
        buffers=tuple(buffers),
    )
