# SPDX-License-Identifier: Apache-2.0
"""Shards: which rectangle of the whole tensor to compute."""

import operator
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple


class Shard(NamedTuple):
    """The rectangle [start, stop) of a tensor, one entry an axis; empty where start == stop.

    Examples:
        >>> import glorot
        >>> init = glorot.GlorotUniform(seed=42)
        >>> rows = init((4, 3), name="kernel", shard=glorot.Shard((2, 0), (4, 3)))
        >>> bool((rows == init((4, 3), name="kernel")[2:]).all())
        True
    """

    start: tuple[int, ...]
    stop: tuple[int, ...]


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
    try:
        start = tuple(operator.index(i) for i in shard.start)
        stop = tuple(operator.index(i) for i in shard.stop)
    except (AttributeError, TypeError):
        raise TypeError(
            "`shard` must be a glorot.Shard(start, stop) with one integer an axis, or slices as in "
            f"indexing; got {shard!r}."
        ) from None
    if not len(start) == len(stop) == len(shape):
        raise ValueError(
            f"`shard` must have one start and one stop for each of the {len(shape)} axes of shape "
            f"{shape}, got start={start}, stop={stop}."
        )
    if not all(0 <= i <= j <= n for i, j, n in zip(start, stop, shape, strict=True)):
        raise ValueError(
            f"`shard` must lie inside of shape {shape}, 0 <= start <= stop <= size on each axis; "
            f"got start={start}, stop={stop}."
        )
    return start, tuple(map(operator.sub, stop, start))


def _slices(shard: Any, shape: tuple[int, ...]) -> list[slice]:
    parts = list(shard) if isinstance(shard, tuple) else [shard]
    for part in parts:
        if part is Ellipsis:
            continue
        if not isinstance(part, slice):
            raise TypeError(f"`shard` must hold slices and keep every axis, got {part!r}.")
        if part.step not in (None, 1):
            raise ValueError(f"`shard` slices must have step 1, got {part!r}.")
    ellipses = sum(part is Ellipsis for part in parts)
    if ellipses > 1 or len(parts) - ellipses > len(shape):
        raise ValueError(
            f"`shard` must have at most one slice for each of the {len(shape)} axes of shape "
            f"{shape} and one Ellipsis; got {shard!r}."
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
            f"TensorFlow's has; got {info!r}."
        ) from None
    if not len(whole) == len(start) == len(part) or not all(
        i >= 0 and i + n <= size for i, n, size in zip(start, part, whole, strict=True)
    ):
        raise ValueError(
            f"`partition_info` must place the part {part} inside of the whole; got full_shape="
            f"{whole}, var_offset={start}."
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
