# SPDX-License-Identifier: Apache-2.0
"""The parts of a tensor that were written apart, along the axis on which they follow."""

import itertools
import math
from typing import NamedTuple

import numpy as np
import torch

from glorot._captured._drawn import Drawn, Fixed
from glorot.torch._capture._memory import NOTHING, Region
from glorot.torch._capture._recorder import Recorder
from glorot.torch._capture._seen import as_seen


class Segment(NamedTuple):
    """A part of a tensor from `begin` to `end` along an axis; with no axis, all of it."""

    value: Drawn
    axis: int | None = None
    begin: int = 0
    end: int = 0


_Box = tuple[tuple[int, int], ...]  # (begin, end) along each axis


def segments(recorder: Recorder, tensor: torch.Tensor, apart: bool = False) -> list[Segment]:
    """Return what a tensor holds, part by part; numbers that nothing drew are one part, unless they
    are to be told `apart` too, as they were written.

    Raises:
        ValueError: parts that follow along no single axis.
    """
    if not tensor.numel():
        return [Segment(Fixed(0.0))]  # as good as any other
    if not apart and isinstance(recorder.value(tensor), Fixed):
        return [Segment(recorder.value(tensor))]
    shape = tuple(tensor.shape)
    parts = _parts(recorder, tensor)
    last = max((i for i, (box, _) in enumerate(parts) if _is_all(box, shape)), default=0)
    parts = parts[last:]
    axes = {a for box, _ in parts for a, (i, j) in enumerate(box) if (i, j) != (0, shape[a])}
    if len(axes) > 1:
        raise ValueError("its parts lie along several axes")
    if not axes:
        return [Segment(parts[0][1] if parts else NOTHING)]
    (axis,) = axes
    values = [value for _, value in parts] + [NOTHING]
    along = np.full(shape[axis], -1)
    for number, (box, _) in enumerate(parts):
        along[slice(*box[axis])] = number
    edges = [0, *(np.flatnonzero(np.diff(along)) + 1).tolist(), shape[axis]]
    return [Segment(values[along[i]], axis, i, j) for i, j in itertools.pairwise(edges)]


def _parts(recorder: Recorder, tensor: torch.Tensor) -> list[tuple[_Box, Drawn]]:
    """What was written, in order, and where."""
    own = Region.of(tensor)
    found: list[tuple[_Box, Drawn]] = []
    for region, value in recorder.writes(tensor):
        if region.apart(own):
            continue
        box = tuple((0, n) for n in tensor.shape) if region.covers(own) else _box(region, tensor)
        if box is None:
            raise ValueError("its parts are written in an order that is not known here")
        found.append((box, as_seen(value, tensor)))
    return found


def _is_all(box: _Box, shape: tuple[int, ...]) -> bool:
    return all(end - begin == n for (begin, end), n in zip(box, shape, strict=True))


def _box(region: Region, tensor: torch.Tensor) -> _Box | None:
    """Where a region lies in a contiguous tensor, as (begin, end) along each axis."""
    if not tensor.is_contiguous():
        return None
    strides = tensor.stride()
    offset = region.offset - tensor.storage_offset()
    begins, extents = [], [1] * tensor.dim()
    for stride in strides:
        begins.append(offset // stride if stride else 0)
        offset -= begins[-1] * stride
    for size, step in zip(region.sizes, region.strides, strict=True):
        left, axis = size, max((a for a, s in enumerate(strides) if s == step), default=-1)
        while axis >= 0 and left > 1:  # axes that were made one
            n = tensor.shape[axis]
            if left > n and left % n:
                return None
            extents[axis] = min(left, n)
            left //= extents[axis]
            axis -= 1
        if left > 1:
            return None
    found = tuple((b, b + n) for b, n in zip(begins, extents, strict=True))
    fits = all(b >= 0 and e <= n for (b, e), n in zip(found, tensor.shape, strict=True))
    return found if fits and math.prod(extents) == math.prod(region.sizes) else None
