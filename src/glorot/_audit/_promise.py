# SPDX-License-Identifier: Apache-2.0
"""What a recipe's rule promises of a parameter's values, block by block where it is fused."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from glorot._audit._measure import Array
from glorot._audit._transformed import LogLaw, StepLaw, Transformed
from glorot._base import Initializer
from glorot._blocks import Blocks
from glorot._laws import Law, Normal
from glorot._sparse import Sparse
from glorot._state_space import LogOfUniform, TimeStep
from glorot._weight_norm import Direction, Length
from glorot.recipe import Assignment

CONSTANT, FIXED, LAW, SPARSE, MATRIX = "constant", "fixed", "law", "sparse", "matrix"
NORMS = "norms"


@dataclass(frozen=True, slots=True)
class Segment:
    """One block of a parameter, or all of it.

    Attributes:
        block: its name; empty for all of a parameter.
        kind: "constant" (one value), "fixed" (known values that differ, such as the identity),
            "law" (independent values of `law`), "sparse" (zeros, and values of `law`), "matrix"
            (known only as a whole, such as an orthogonal one), "norms" (of a weight's values).
        zeros: how many zeros a sparse one has.
    """

    block: str
    shape: tuple[int, ...]
    initializer: Initializer
    kind: str
    mean: float
    stddev: float
    law: Law | Transformed | None
    zeros: int = 0


@dataclass(frozen=True, slots=True)
class Promise:
    """The segments of one parameter, and which segment each element is in."""

    assignment: Assignment
    segments: tuple[Segment, ...]
    split: Callable[[int, int], Array] | None


def promise(assignment: Assignment) -> Promise:
    """Return what the rule promises."""
    init, shape = assignment.initializer, assignment.shape
    if isinstance(init, Direction):
        init = init.of
    if not isinstance(init, Blocks):
        return Promise(assignment, (_segment("", init, shape),), None)
    named = [block.name for block in assignment.blocks]
    found = init.blocks(shape)
    names = named if len(named) == len(found) else [str(i) for i in range(len(found))]
    segments = tuple(
        _segment(name, own, alone) for name, (own, alone) in zip(names, found, strict=True)
    )
    return Promise(assignment, segments, _splitter(init, shape))


def _splitter(init: Blocks, shape: tuple[int, ...]) -> Callable[[int, int], Array]:
    axis, repeat, sizes = init._split(shape)
    along = np.tile(np.repeat(np.arange(len(sizes)), sizes), repeat)
    inner = math.prod(shape[axis + 1 :])

    def split(start: int, stop: int) -> Array:
        found: Array = along[np.arange(start, stop) // inner % along.size]
        return found

    return split


def _segment(block: str, init: Initializer, shape: tuple[int, ...]) -> Segment:
    mean, stddev = init.expected_mean(shape), init.expected_stddev(shape)
    law: Law | Transformed | None = init.law(shape)
    zeros = 0
    if law is not None:
        kind = LAW if law.scale else CONSTANT
    elif isinstance(init, Sparse):
        kind, law = SPARSE, Normal(init.stddev)
        _, (number, rows, columns) = init._axes.matrices(shape)
        zeros = number * columns * math.ceil(init.sparsity * rows)
        if zeros == math.prod(shape) or not law.scale:  # nothing is left to draw
            kind, law = CONSTANT, None
    elif isinstance(init, TimeStep):
        kind, law = LAW, StepLaw(init.minval, init.maxval)
    elif isinstance(init, LogOfUniform):
        kind, law = LAW, LogLaw(init.minval, init.maxval)
    elif isinstance(init, Length):
        kind = NORMS
    elif init.random:
        kind = MATRIX
    else:
        kind = CONSTANT if hasattr(init, "value") else FIXED
    return Segment(block, shape, init, kind, mean, stddev, law, zeros)


def tolerance(dtype: np.dtype[Any]) -> float:
    """How far the singular values of a rounded orthogonal matrix are from its gain, relatively."""
    bits = {"float64": 52, "float32": 23, "float16": 10, "bfloat16": 7}.get(str(dtype), 2)
    return float(4.0 * 2.0**-bits + 1e-5)
