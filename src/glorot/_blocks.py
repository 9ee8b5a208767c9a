# SPDX-License-Identifier: Apache-2.0
"""`Blocks`: a fused weight, each block of which is initialised as if it stood alone."""

import functools
import itertools
import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from glorot import _check
from glorot._base import Initializer, LawInitializer, check_stream
from glorot._laws import Law
from glorot._layouts import BOTH, OUTPUT
from glorot._memory import row_major
from glorot._shard import boxes
from glorot._stream import STREAM_VERSION, Name
from glorot._writers import Array, LawWriter, Place, WholeWriter, Writer


class Block(NamedTuple):
    """One block of a fused weight: its initializer and the shape it has alone."""

    initializer: Initializer
    shape: tuple[int, ...]


class _Split(NamedTuple):
    """One axis of a shape seen as (repeats, period), and the blocks' sizes in a period."""

    axis: int
    repeat: int
    sizes: tuple[int, ...]

    def shape(self, whole: tuple[int, ...], size: int) -> tuple[int, ...]:
        """The shape, split, of what takes `size` of each period."""
        return (*whole[: self.axis], self.repeat, size, *whole[self.axis + 1 :])


class Blocks(Initializer):
    """A fused weight: one axis is cut into blocks, and each is initialised as if it stood alone,
    with its own fans, by an initializer of its own or by one for all.

    Laws keep the index of the whole weight: with equal fans, blocks change no bit. An initializer
    that needs a whole matrix (`Orthogonal`) makes one of each block; the draws of a block begin at
    the number of elements in the blocks before it, as if the blocks were stacked, so that (in, 3
    out) in three blocks and a stack (3, in, out) of the same name hold the same matrices. Where
    other blocks of the weight follow a law, that number of elements is counted from the end of the
    whole weight, so that no word is used twice.

    Args:
        initializers: one for all blocks, or one a block: initializers without a seed, or what
            `glorot.get` makes one of.
        sizes: how many equal blocks, or a whole number a block: the axis is cut in these
            proportions, [32, 8, 8] for 32 query heads and 8 key and 8 value heads.
        axis: the one that is cut; by default the output axis (a vector has but one).
        repeat: how many times the blocks follow one another along the axis: once, or once a head
            where a layer stores q, k and v of each head side by side.
        seed, dtype: the defaults of calls, for all blocks.

    Raises:
        TypeError: blocks in blocks, something that is no initializer.
        ValueError: no blocks, other numbers of initializers and sizes, a seed in a block, blocks
            that count their elements in different orders.

    Examples:
        >>> import glorot
        >>> qkv = glorot.Blocks(glorot.GlorotUniform(layout="torch.linear"), 3, seed=42)
        >>> qkv.fans((96, 32)), qkv.law((96, 32)).scale == (6 / (32 + 32)) ** 0.5
        ((32.0, 32.0), True)
        >>> forget = glorot.Blocks(["zeros", "ones", "zeros", "zeros"], [1, 1, 1, 1])
        >>> forget((8,)).tolist()
        [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    """

    initializers: tuple[Initializer, ...]
    sizes: tuple[int, ...]
    axis: int | None
    repeat: int

    def __init__(
        self,
        initializers: Any,
        sizes: int | Sequence[int],
        *,
        axis: int | None = None,
        repeat: int = 1,
        seed: int | None = None,
        dtype: Any = "float32",
        stream: int = STREAM_VERSION,
    ) -> None:
        check_stream(stream)
        shares = _parse_sizes(sizes)
        found = _parse_initializers(initializers, shares)
        self.__dict__["random"] = any(init.random for init in found)
        options: dict[str, Any] = {"initializers": found, "sizes": shares}
        if self.random:
            options["seed"] = seed
        elif seed is not None:
            raise ValueError(
                f"`seed`={_check.show(seed)} changes nothing: all blocks are constant."
            )
        extra: dict[str, Any] = {}
        if axis is not None:
            extra["axis"] = _parse_axis(axis)
        if _check.count("repeat", repeat) != 1:
            extra["repeat"] = int(repeat)
        # A dtype that one block cannot have is refused here, and that of all is the weight's.
        options["initializers"] = tuple(init.replace(dtype=dtype) for init in found)
        self._freeze(dtype, options, extra)
        drawn = [init for init in self.initializers if init.random] or self.initializers
        self.__dict__.update(axis=extra.get("axis"), repeat=int(repeat), _axes=drawn[0]._axes)
        orders = {init._axes.order for init in drawn if init.axes_options}
        if len(orders) > 1:
            raise ValueError("`initializers` must have one `order`: the index is of the whole.")

    def get_config(self) -> dict[str, Any]:
        """Return the options as a dict that JSON can hold and `from_config` reads."""
        from glorot._registry import serialize

        config = super().get_config()
        return config | {"initializers": [serialize(init) for init in self.initializers]}

    def scaled(self, factor: float) -> "Blocks":
        """Return the initializer with the standard deviation of each block times `factor`."""
        return self.replace(initializers=[init.scaled(factor) for init in self.initializers])

    def _split(self, shape: tuple[int, ...]) -> _Split:
        axis = self.axis
        if axis is None:
            axis = self._output_axis(shape)
        elif not -len(shape) <= axis < len(shape):
            raise ValueError(f"`axis`={axis} is outside of shape {shape}.")
        axis %= len(shape)
        period, rest = divmod(shape[axis], self.repeat * sum(self.sizes))
        if rest:
            proportions = " : ".join(map(str, self.sizes))
            times = f", {self.repeat} times" if self.repeat > 1 else ""
            raise ValueError(
                f"axis {axis} of shape {shape} cannot be cut in the proportions {proportions}"
                f"{times}: its size must be a multiple of {self.repeat * sum(self.sizes)}."
            )
        return _Split(axis, self.repeat, tuple(period * size for size in self.sizes))

    def _output_axis(self, shape: tuple[int, ...]) -> int:
        roles = self._axes.roles(shape)
        for role in (OUTPUT, BOTH):
            if roles.count(role) == 1:
                return roles.index(role)
        raise ValueError(
            f"`axis` must say which axis of shape {shape} is cut into blocks: it has no single "
            f"output axis (its roles are {roles!r})."
        )

    def blocks(self, shape: Any) -> tuple[Block, ...]:
        """Return the initializer of each block and the shape that it has alone.

        Examples:
            >>> import glorot
            >>> init = glorot.Blocks(glorot.RandomNormal(layout="torch.linear"), [4, 1, 1])
            >>> [block.shape for block in init.blocks((1536, 512))]
            [(1024, 512), (256, 512), (256, 512)]
        """
        whole = _check.parse_shape(shape)
        axis, repeat, sizes = self._split(whole)
        shapes = ((*whole[:axis], repeat * size, *whole[axis + 1 :]) for size in sizes)
        return tuple(map(Block, self.initializers, shapes))

    def fans(self, shape: Any) -> tuple[float, float]:
        """Return (fan_in, fan_out) of the largest block, the first of those: `blocks` has all."""
        found = self.blocks(shape)
        init, largest = max(found, key=lambda block: math.prod(block.shape))
        return init.fans(largest)

    def law(self, shape: Any) -> Law | None:
        """Return the law of each element where it is the same in all blocks, else None."""
        laws = {init.law(alone) for init, alone in self.blocks(shape)}
        plain = all(isinstance(init, LawInitializer) for init in self.initializers)
        return laws.pop() if plain and len(laws) == 1 else None

    def expected_mean(self, shape: Any) -> float:
        """Return the mean over all blocks."""
        return _mean((init.expected_mean(alone), alone) for init, alone in self.blocks(shape))

    def expected_stddev(self, shape: Any) -> float:
        """Return the standard deviation over all blocks, whose means may differ."""
        law = self.law(shape)
        if law is not None:
            return law.stddev
        found = self.blocks(shape)
        mean = self.expected_mean(shape)
        return math.sqrt(
            _mean(
                (init.expected_stddev(alone) ** 2 + (init.expected_mean(alone) - mean) ** 2, alone)
                for init, alone in found
            )
        )

    def _narrower(self, shape: tuple[int, ...], inputs: float, outputs: float) -> float:
        raise ValueError(
            "`mup` scales each block on its own, and Blocks are one initializer. Say the blocks in "
            "the rule: `blocks`."
        )

    def _writer(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], place: Place | None = None
    ) -> Writer:
        found = self.blocks(shape)
        strides = self._axes.strides(shape)
        law = self.law(shape)
        if law is not None:
            law.check_range(dtype)
            return LawWriter(shape, law, strides)
        split = self._split(shape)
        steps = strides or row_major(shape)
        step, period = steps[split.axis], sum(split.sizes)
        split_steps = (*steps[: split.axis], step * period, step, *steps[split.axis + 1 :])
        lawful = any(init.random and not init.needs_matrix for init, _ in found)
        draws = math.prod(shape) if lawful else 0
        offset = 0
        writers = []
        for (init, alone), size in zip(found, split.sizes, strict=True):
            at = Place(split.shape(shape, size), split_steps, offset * step, draws)
            writer = init._writer(alone, dtype, at)
            if writer.shape != at.shape:
                whole = functools.partial(_split_whole, writer, dtype, at)
                writer = WholeWriter(at.shape, whole, init)
            writers.append(writer)
            draws += math.prod(alone)
            offset += size
        return _BlocksWriter(shape, split, writers, self)


class _BlocksWriter(Writer):
    """Writes each block by a writer of its own, over shapes whose axis is split; `by` is the
    initializer whose weight it is."""

    def __init__(
        self, shape: tuple[int, ...], split: _Split, writers: list[Writer], by: Any
    ) -> None:
        super().__init__(shape)
        self.split = split
        self.writers = writers
        self.by = by
        self.at_once = any(writer.at_once for writer in writers)

    def part(self, out: Array, start: tuple[int, ...] | None, seed: int, name: Name) -> None:
        """Write the blocks, or their parts, that are in `out`."""
        axis, repeat, sizes = self.split
        begin = start or (0,) * out.ndim
        before, after = begin[:axis], begin[axis + 1 :]
        grid = boxes((repeat, sum(sizes)), begin[axis], begin[axis] + out.shape[axis])
        done = 0
        for (row, column), (rows, columns) in grid:
            view = _along(out, axis, done, done + rows * columns)
            done += rows * columns
            view = view.reshape(*out.shape[:axis], rows, columns, *out.shape[axis + 1 :])
            offset = 0
            for size, writer in zip(sizes, self.writers, strict=True):
                low, high = max(column, offset), min(column + columns, offset + size)
                if low < high:
                    piece = _along(view, axis + 1, low - column, high - column)
                    writer.part(piece, (*before, row, low - offset, *after), seed, name)
                offset += size

    def run(self, out: Array, first: int, seed: int, name: Name) -> None:
        """Write a run in rectangles; a matrix that must be whole is computed once for all."""
        if not self.at_once:
            super().run(out, first, seed, name)
        elif out.size:
            whole = np.empty(self.shape, out.dtype)
            self.part(whole, None, seed, name)
            out[...] = whole.reshape(-1)[first : first + out.size]


def _along(array: Array, axis: int, start: int, stop: int) -> Array:
    return array[(slice(None),) * axis + (slice(start, stop),)]


def _split_whole(
    writer: Writer, dtype: np.dtype[Any], place: Place, seed: int, name: Name
) -> Array:
    whole = np.empty(writer.shape, dtype)
    writer.part(whole, None, seed, name)
    return whole.reshape(place.shape)


def _mean(values: Iterable[tuple[float, tuple[int, ...]]]) -> float:
    """The mean of values that each stand for as many elements as their shape has."""
    rows = [(value, math.prod(shape)) for value, shape in values]
    count = sum(size for _, size in rows)
    return math.fsum(value * (size / count) for value, size in rows) if count else 0.0


def _parse_sizes(sizes: Any) -> tuple[int, ...]:
    if isinstance(sizes, (str, bytes, Mapping)) or not isinstance(sizes, Iterable):
        return (1,) * _check.count("sizes", sizes)
    found = tuple(_check.count("sizes", size) for size in sizes)
    if not found:
        raise ValueError("`sizes` must hold at least one block, got none.")
    return found


def _parse_axis(axis: Any) -> int:
    try:
        if isinstance(axis, bool):
            raise TypeError
        return operator.index(axis)
    except TypeError:
        raise TypeError(f"`axis` must be an integer, got {_check.show(axis)}.") from None


def _parse_initializers(given: Any, sizes: tuple[int, ...]) -> tuple[Initializer, ...]:
    from glorot._registry import get

    alone = isinstance(given, (str, Mapping, type)) or not isinstance(given, Iterable)
    found = tuple(get(one) for one in (itertools.repeat(given, len(sizes)) if alone else given))
    if len(found) != len(sizes):
        raise ValueError(
            f"`initializers` must be one, or one for each of the {len(sizes)} blocks; got "
            f"{len(found)}."
        )
    for init in found:
        if not isinstance(init, Initializer):
            raise TypeError(f"`initializers` must hold initializers, got {_check.show(init)}.")
        if isinstance(init, Blocks):
            raise TypeError("`initializers` must not hold Blocks: a block is not cut again.")
        if init.seed is not None:
            raise ValueError(
                f"`initializers` must have no seed of their own, got {init!r}. Give it to Blocks."
            )
    return found
