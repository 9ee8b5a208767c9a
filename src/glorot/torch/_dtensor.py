# SPDX-License-Identifier: Apache-2.0
"""Which parts of the whole a DTensor holds on this rank.

An axis that is sharded is a list of runs [begin, end) of the whole axis; each mesh dimension that
shards it takes its share of that list, in the order of the mesh dimensions, as torch does.  The
local tensor is the outer product of its axes' runs.
"""

import functools
import itertools
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch

Run = tuple[int, int]


class Part(NamedTuple):
    """A rectangle of the whole that begins at `start`, and where in the local tensor it is."""

    start: tuple[int, ...]
    extent: tuple[int, ...]
    place: tuple[slice, ...] | None  # None: all of it


def chunk(count: int, number: int, index: int) -> Run:
    """The share of `index` when `count` are dealt out to `number`, as torch.chunk deals: shares
    of one size until nothing is left, so that the last may be smaller or empty.

    Examples:
        >>> [chunk(5, 4, index) for index in range(4)]
        [(0, 2), (2, 4), (4, 5), (5, 5)]
    """
    size = -(-count // number)
    return min(count, index * size), min(count, (index + 1) * size)


def take(runs: Sequence[Run], begin: int, end: int) -> Iterator[Run]:
    """The runs of the elements [begin, end) of the list that `runs` are.

    Examples:
        >>> list(take([(0, 3), (10, 14)], 2, 5))
        [(2, 3), (10, 12)]
    """
    at = 0
    for first, last in runs:
        low, high = max(begin - at, 0), min(end - at, last - first)
        if low < high:
            yield first + low, first + high
        at += last - first


def shard_axis(runs: Sequence[Run], number: int, index: int, split: int = 1) -> list[Run]:
    """The runs of shard `index` of `number`: with `split`, a share of each of so many pieces.

    Examples:
        >>> shard_axis([(0, 8)], 2, 1), shard_axis([(0, 8)], 2, 1, split=2)
        ([(4, 8)], [(2, 4), (6, 8)])
    """
    count = sum(last - first for first, last in runs)
    taken: list[Run] = []
    for piece in range(split):
        begin, end = chunk(count, split, piece)
        low, high = chunk(end - begin, number, index)
        for first, last in take(runs, begin + low, begin + high):
            if taken and taken[-1][1] == first:
                taken[-1] = taken[-1][0], last
            else:
                taken.append((first, last))
    return taken


def is_dtensor(tensor: object) -> bool:
    """Whether this is a DTensor; `torch.distributed.tensor` is not imported to know."""
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(tensor, module.DTensor)


def local_parts(tensor: Any, what: str) -> tuple[torch.Tensor, Sequence[Part]]:
    """(this rank's local tensor, the parts of the whole that it holds).

    Raises:
        ValueError: a Partial placement; a local tensor that is not of the size its placements say.
        TypeError: a placement of another kind.
    """
    from torch.distributed.tensor import Replicate, Shard

    shape = tuple(tensor.shape)
    local: torch.Tensor = tensor.to_local()
    mesh, placements = tensor.device_mesh, tensor.placements
    coordinate = mesh.get_coordinate()
    splits: list[tuple[int, int] | None] = []
    for placement in placements:
        if type(placement) is Replicate:
            splits.append(None)
        else:
            split = 1 if type(placement) is Shard else _split_factor(tensor, placement, what)
            splits.append((placement.dim, split))
    if coordinate is None:  # this rank is not in the mesh
        return local, ()
    if hasattr(local, "__create_chunk_list__"):
        return local, _chunks(local, what)
    expected, parts = _dealt(shape, tuple(mesh.shape), tuple(coordinate), tuple(splits))
    if not local.numel() and 0 in expected:  # FSDP leaves nothing of other axes' sizes then either
        return local, ()
    if local.shape != expected:
        raise ValueError(
            f"{what} is a DTensor of shape {shape} and placements {tuple(placements)} on a mesh of "
            f"{tuple(mesh.shape)}, of which this rank, at {tuple(coordinate)}, should hold "
            f"{expected}; it holds {tuple(local.shape)}. Its shards are dealt out in a way that is "
            "not known here. Redistribute it to Shard or Replicate."
        )
    return local, parts


@functools.lru_cache(maxsize=4096)  # layers repeat their shapes
def _dealt(
    shape: tuple[int, ...],
    mesh: tuple[int, ...],
    coordinate: tuple[int, ...],
    splits: tuple[tuple[int, int] | None, ...],
) -> tuple[tuple[int, ...], tuple[Part, ...]]:
    """(shape of the local tensor, its parts) at one place of a mesh; `splits` are the axis and the
    split factor of each mesh dimension, None where it replicates."""
    axes: list[list[Run]] = [[(0, size)] for size in shape]
    for number, index, split in zip(mesh, coordinate, splits, strict=True):
        if split is not None:
            axes[split[0]] = shard_axis(axes[split[0]], number, index, split[1])
    expected = tuple(sum(last - first for first, last in runs) for runs in axes)
    return expected, tuple(_outer_product(axes))


def _split_factor(tensor: Any, placement: Any, what: str) -> int:
    """That of a strided shard; what is neither is refused."""
    from torch.distributed.tensor.placement_types import Partial, _StridedShard

    if isinstance(placement, Partial):
        raise ValueError(
            f"{what} is a DTensor of placements {tuple(tensor.placements)}: of a Partial one each "
            "rank holds a summand, and no initial value says how to split the sum. Redistribute it "
            "to Replicate or Shard first."
        )
    if not isinstance(placement, _StridedShard):
        raise TypeError(
            f"{what} is a DTensor of placements {tuple(tensor.placements)}; only Replicate and "
            "Shard are known. Redistribute it first."
        )
    return int(placement.split_factor)


def _outer_product(axes: list[list[Run]]) -> Iterator[Part]:
    if all(len(runs) == 1 for runs in axes):
        start = tuple(runs[0][0] for runs in axes)
        yield Part(start, tuple(runs[0][1] - runs[0][0] for runs in axes), None)
        return
    placed = []
    for runs in axes:
        at = itertools.accumulate((last - first for first, last in runs), initial=0)
        placed.append(
            [(first, last - first, begin) for (first, last), begin in zip(runs, at, strict=False)]
        )
    for combination in itertools.product(*placed):
        yield Part(
            tuple(first for first, _, _ in combination),
            tuple(size for _, size, _ in combination),
            tuple(slice(begin, begin + size) for _, size, begin in combination),
        )


def _chunks(local: Any, what: str) -> list[Part]:
    """What a local tensor says itself of its place, as torch.distributed.checkpoint asks it."""
    chunks = local.__create_chunk_list__()
    parts = [Part(tuple(chunk.offsets), tuple(chunk.sizes), None) for chunk in chunks]
    if len(parts) != 1 or parts[0].extent != tuple(local.shape):
        raise ValueError(
            f"{what} says that its local tensor of shape {tuple(local.shape)} is the chunks "
            f"{[tuple(part.extent) for part in parts]}; only one chunk of that shape is known."
        )
    return parts
