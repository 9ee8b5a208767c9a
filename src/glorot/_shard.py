# SPDX-License-Identifier: Apache-2.0
"""Shards: which rectangle of the whole tensor to compute."""

import operator
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from glorot._check import show


class _Bounds(NamedTuple):
    start: tuple[int, ...]
    stop: tuple[int, ...]


class Shard(_Bounds):
    """The rectangle [start, stop) of a tensor, one entry an axis; empty where start == stop.

    Raises:
        TypeError: something else than one integer an axis.
        ValueError: as many starts as stops are needed, and 0 <= start <= stop on each axis.

    Examples:
        >>> import glorot
        >>> init = glorot.GlorotUniform(seed=42)
        >>> rows = init((4, 3), name="kernel", shard=glorot.Shard((2, 0), (4, 3)))
        >>> bool((rows == init((4, 3), name="kernel")[2:]).all())
        True
    """

    __slots__ = ()

    def __new__(cls, start: Sequence[int], stop: Sequence[int]) -> "Shard":
        """Return the shard; its numbers are checked."""
        first, last = _integers(start, stop)
        ordered = len(first) == len(last) and all(
            0 <= i <= j for i, j in zip(first, last, strict=True)
        )
        if not ordered:
            raise ValueError(
                "`shard` must have one start and one stop an axis with 0 <= start <= stop; got "
                f"start={show(first)}, stop={show(last)}."
            )
        return super().__new__(cls, first, last)


def _integers(start: Any, stop: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    try:
        return tuple(map(operator.index, start)), tuple(map(operator.index, stop))
    except TypeError:
        raise TypeError(
            "`shard` must be a glorot.Shard(start, stop) with one integer an axis, or slices as in "
            f"indexing; got start={show(start)}, stop={show(stop)}."
        ) from None


def parse_shard(shard: Any, shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(start, shape of the result) of a shard of a tensor of this shape.

    `shard` is a `Shard`, any object with `start` and `stop`, or what indexing accepts, as long as
    the result is a rectangle of the same rank: a slice of step 1, an Ellipsis, a tuple of them.
    """
    if (isinstance(shard, (slice, tuple)) and not isinstance(shard, Shard)) or shard is Ellipsis:
        bounds = [
            part.indices(size) for part, size in zip(_slices(shard, shape), shape, strict=True)
        ]
        start = tuple(begin for begin, _, _ in bounds)
        return start, tuple(max(0, end - begin) for begin, end, _ in bounds)
    if not (hasattr(shard, "start") and hasattr(shard, "stop")):
        raise TypeError(
            "`shard` must be a glorot.Shard(start, stop) with one integer an axis, or slices as in "
            f"indexing; got {show(shard)}."
        )
    start, stop = _integers(shard.start, shard.stop)
    if not len(start) == len(stop) == len(shape):
        raise ValueError(
            f"`shard` must have one start and one stop for each of the {len(shape)} axes of shape "
            f"{show(shape)}, got start={show(start)}, stop={show(stop)}."
        )
    if not all(0 <= i <= j <= n for i, j, n in zip(start, stop, shape, strict=True)):
        raise ValueError(
            f"`shard` must lie inside of shape {show(shape)}, 0 <= start <= stop <= size on each "
            f"axis; got start={show(start)}, stop={show(stop)}."
        )
    return start, tuple(map(operator.sub, stop, start))


def _slices(shard: Any, shape: tuple[int, ...]) -> list[slice]:
    parts = list(shard) if isinstance(shard, tuple) else [shard]
    for part in parts:
        if part is Ellipsis:
            continue
        if not isinstance(part, slice):
            raise TypeError(f"`shard` must hold slices and keep every axis, got {show(part)}.")
        if not all(end is None or hasattr(end, "__index__") for end in (part.start, part.stop)):
            raise TypeError(f"`shard` slices must have integers or None, got {show(part)}.")
        if part.step not in (None, 1):
            raise ValueError(f"`shard` slices must have step 1, got {show(part)}.")
    ellipses = sum(part is Ellipsis for part in parts)
    if ellipses > 1 or len(parts) - ellipses > len(shape):
        raise ValueError(
            f"`shard` must have at most one slice for each of the {len(shape)} axes of shape "
            f"{show(shape)} and one Ellipsis; got {show(shard)}."
        )
    at = next((i for i, part in enumerate(parts) if part is Ellipsis), len(parts))
    fill = [slice(None)] * (len(shape) - len(parts) + ellipses)
    return parts[:at] + fill + parts[at + 1 :]


def parse_partition(info: Any, part: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(start, shape of the whole) that TensorFlow's partition info says of a part."""
    try:
        whole = tuple(operator.index(n) for n in info.full_shape)
        start = tuple(operator.index(i) for i in info.var_offset)
    except (AttributeError, TypeError):
        raise TypeError(
            "`partition_info` must have `full_shape` and `var_offset`, one integer an axis, as "
            f"TensorFlow's has; got {show(info)}."
        ) from None
    if not len(whole) == len(start) == len(part) or not all(
        i >= 0 and i + n <= size for i, n, size in zip(start, part, whole, strict=True)
    ):
        raise ValueError(
            f"`partition_info` must place the part {show(part)} inside of the whole; got "
            f"full_shape={show(whole)}, var_offset={show(start)}."
        )
    return start, whole


def boxes(
    shape: Sequence[int], start: int, stop: int
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """(start, shape) of rectangles that, in order, are the elements [start, stop) of the tensor
    flattened row-major: at most two for each axis and one more.

    Examples:
        >>> list(boxes((4, 3), 2, 11))
        [((0, 2), (1, 1)), ((1, 0), (2, 3)), ((3, 0), (1, 2))]
    """
    if start >= stop:
        return
    if not shape:
        yield (), ()
        return
    row = 1
    for size in shape[1:]:
        row *= size
    inner = (0,) * (len(shape) - 1)
    first, last = start // row, stop // row
    if start % row or first == last:
        head = min(stop, (first + 1) * row)
        for at, extent in boxes(shape[1:], start - first * row, head - first * row):
            yield (first, *at), (1, *extent)
        first += 1
        if head == stop:
            return
    if first < last:
        yield (first, *inner), (last - first, *shape[1:])
    for at, extent in boxes(shape[1:], 0, stop - last * row):
        yield (last, *at), (1, *extent)
