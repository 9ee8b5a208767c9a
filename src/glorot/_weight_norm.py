# SPDX-License-Identifier: Apache-2.0
"""Weight norm keeps a weight w as two tensors, w = length * direction / |direction|: the direction
begins as w itself, the length as its norms.

Source: Salimans, Kingma, "Weight normalization", 2016, equation 2; torch 2.13,
`torch.nn.utils.parametrizations.weight_norm`, which begins so.
"""

import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from glorot import _check
from glorot._base import Initializer
from glorot._batch import Batch
from glorot._kernel import Measured
from glorot._laws import Law, Normal, TruncatedNormal, Uniform, truncated_kurtosis
from glorot._orthogonal import Orthogonal, rounded
from glorot._stream import Name, check_name
from glorot._writers import Array, Place, WholeWriter, Writer

_SLAB = 1 << 22  # elements of a weight that are in memory at once


class _Half(Initializer):
    """A tensor that weight norm keeps of the weight called `weight`, whose initializer is `of`.

    A recipe makes it; it has no seed of its own, and whatever name a call gives, the values are
    those of the weight of that name.
    """

    of: Initializer
    weight: str

    def _keep(self, of: Initializer, options: dict[str, Any]) -> None:
        self.__dict__.update(random=of.random, _axes=of._axes)
        self._freeze(of.dtype, {"of": of} | options | ({"seed": None} if of.random else {}))

    def _options(self) -> dict[str, Any]:
        return {key: value for key, value in self._config.items() if key not in ("seed", "dtype")}

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(self._options().values())

    def replace(self, **changes: Any) -> Any:
        """Return the same half, with some options changed."""
        dtype = changes.pop("dtype", self.dtype)
        options = self._options() | changes
        return type(self)(**options | {"of": options["of"].replace(dtype=dtype)})

    def scaled(self, factor: float) -> Any:
        """Return the half of the weight times `factor`."""
        return self.replace(of=self.of.scaled(factor))


class Direction(_Half):
    """The values of the weight.

    Examples:
        >>> import glorot
        >>> normal = glorot.HeNormal()
        >>> found = Direction(normal, "conv.weight")((4, 3), seed=0, name="conv.weight_v")
        >>> bool((found == normal((4, 3), seed=0, name="conv.weight")).all())
        True
    """

    def __init__(self, of: Initializer, weight: str) -> None:
        self._keep(of, {"weight": check_name(weight)})

    def law(self, shape: Any) -> Law | None:
        """Return that of the weight."""
        return self.of.law(shape)

    def expected_mean(self, shape: Any) -> float:
        """Return that of the weight."""
        return self.of.expected_mean(shape)

    def expected_stddev(self, shape: Any) -> float:
        """Return that of the weight."""
        return self.of.expected_stddev(shape)

    def _writer(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], place: Place | None = None
    ) -> Writer:
        return _NamedWriter(self.of._writer(shape, dtype, place), self.weight)


class Length(_Half):
    """The norms of the weight, of shape `whole`, along each axis where this tensor has size 1, or
    along all where it has no axes.

    The values are taken in this tensor's dtype; squares, sums and root are float64, rounded once:
    the bytes are the same on every machine.

    Raises:
        ValueError: of a call: a shape whose sizes are neither 1 nor those of `whole`.

    Examples:
        >>> import glorot
        >>> g = Length(glorot.Ones(), "conv.weight", (64, 3, 3))((64, 1, 1), name="conv.weight_g")
        >>> g.shape, set(g.ravel().tolist())
        ((64, 1, 1), {3.0})
    """

    whole: tuple[int, ...]
    needs_matrix = True

    def __init__(self, of: Initializer, weight: str, whole: tuple[int, ...]) -> None:
        self._keep(of, {"weight": check_name(weight), "whole": _check.parse_shape(whole)})

    def fans(self, shape: Any) -> tuple[float, float]:
        """Return those of the weight."""
        return self.of.fans(self.whole)

    def expected_mean(self, shape: Any) -> float:
        """Return the mean: exact for a normal law around 0, else to the second order."""
        return self._moments(_check.parse_shape(shape))[0]

    def expected_stddev(self, shape: Any) -> float:
        """Return the standard deviation: exact for a normal law around 0, else to the first
        order."""
        return self._moments(_check.parse_shape(shape))[1]

    def _moments(self, shape: tuple[int, ...]) -> tuple[float, float]:
        summed_axes(self.whole, shape)
        count = math.prod(self.whole) // max(math.prod(shape), 1)  # of squares in a sum
        law = self.of.law(self.whole)
        mean, stddev = self.of.expected_mean(self.whole), self.of.expected_stddev(self.whole)
        square = mean * mean + stddev * stddev
        if not count or not square:
            return 0.0, 0.0
        if isinstance(self.of, Orthogonal):
            _, (number, *sides) = self.of._axes.matrices(self.whole)
            kept = math.prod(shape)
            if number == 1 and kept in (1, *sides) and kept <= count:  # all rows are of one length
                return math.sqrt(count * square), 0.0
        if isinstance(law, Normal) and not mean:  # chi's law
            ratio = math.exp(math.lgamma((count + 1) / 2) - math.lgamma(count / 2))
            return (
                stddev * math.sqrt(2.0) * ratio,
                stddev * math.sqrt(max(count - 2.0 * ratio * ratio, 0.0)),
            )
        variance = (_kurtosis(law) - 1.0) * stddev**4 + 4.0 * mean**2 * stddev**2
        spread = math.sqrt(variance) / square  # of one square, relative
        root = math.sqrt(count * square)
        return root * (1.0 - spread**2 / (8 * count)), root * spread / (2.0 * math.sqrt(count))

    def _writer(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], place: Place | None = None
    ) -> Writer:
        axes = summed_axes(self.whole, shape)
        if dtype.kind in "iub":
            raise TypeError(f"norms are no whole numbers, got dtype {dtype}. Use a float.")
        writer = self.of._writer(self.whole, dtype)
        return WholeWriter(shape, functools.partial(self._norms, writer, axes, shape, dtype), self)

    def _norms(
        self,
        writer: Writer,
        axes: tuple[int, ...],
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        seed: int,
        name: Name,
    ) -> Array:
        kept = [axis for axis in range(len(self.whole)) if axis not in axes]
        found = np.empty([self.whole[axis] for axis in kept], np.float64)
        for begin, extent in self._slabs(writer, kept):
            part = np.empty(extent, dtype)
            writer.part(part, begin, seed, self.weight)
            sizes = [extent[axis] for axis in kept]
            sums = _sums_of_squares(part.transpose(*kept, *axes).reshape(math.prod(sizes), -1))
            place = tuple(slice(begin[axis], begin[axis] + extent[axis]) for axis in kept)
            found[place] = sums.reshape(sizes)
        return rounded(np.sqrt(found), dtype).reshape(shape)

    def _slabs(
        self, writer: Writer, kept: list[int]
    ) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Where the parts begin, and their shapes: each is whole along the summed axes. One part
        where no axis is kept, or where each would be computed whole."""
        longest = max(kept, key=self.whole.__getitem__, default=None)
        if longest is None or writer.at_once:
            yield (0,) * len(self.whole), self.whole
            return
        count = self.whole[longest]
        step = max(1, _SLAB * count // max(math.prod(self.whole), 1))
        for first in range(0, count, step):
            begin, extent = [0] * len(self.whole), list(self.whole)
            begin[longest], extent[longest] = first, min(step, count - first)
            yield tuple(begin), tuple(extent)


class _NamedWriter(Writer):
    """Another writer, with a name of its own."""

    __slots__ = ("at_once", "name", "of")

    def __init__(self, of: Writer, name: str) -> None:
        super().__init__(of.shape)
        self.of = of
        self.name = name
        self.at_once = of.at_once

    def part(self, out: Array, start: tuple[int, ...] | None, seed: int, name: Name) -> None:
        """Write the part that is in `out`."""
        self.of.part(out, start, seed, self.name)

    def part_of(
        self, batch: Batch, out: Array, start: tuple[int, ...] | None, seed: int, name: Name
    ) -> None:
        """The same, by the time that the batch has run."""
        self.of.part_of(batch, out, start, seed, self.name)

    def run(self, out: Array, first: int, seed: int, name: Name) -> None:
        """Write len(out) elements of the whole flattened row-major, from `first` on."""
        self.of.run(out, first, seed, self.name)

    def run_measured(self, out: Array, first: int, seed: int, name: Name) -> Measured | None:
        """The same, and measure what is written, where the kernel does both in one."""
        return self.of.run_measured(out, first, seed, self.name)


def summed_axes(whole: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    """The axes of a weight along which norms of this shape are.

    Raises:
        ValueError: they cannot be its norms.
    """
    if not shape:
        return tuple(range(len(whole)))
    if len(shape) != len(whole) or any(n not in (1, m) for n, m in zip(shape, whole, strict=True)):
        raise ValueError(
            f"the norms of a weight of shape {whole} have as many axes, each of size 1 or as "
            f"there, or none; got shape {shape}."
        )
    return tuple(axis for axis, n in enumerate(shape) if n == 1)


def _sums_of_squares(rows: Array) -> Array:
    """The sum of the squares of each row, in float64: additions of whole arrays, so that no library
    decides their order."""
    found: Array = rows.astype(np.float64)
    np.square(found, out=found)
    if not found.shape[1]:
        return np.zeros(len(rows))
    while (size := found.shape[1]) > 1:
        half = size // 2
        folded: Array = found[:, :half] + found[:, half : 2 * half]
        if size % 2:
            folded[:, 0] += found[:, -1]
        found = folded
    return found[:, 0]


def _kurtosis(law: Law | None) -> float:
    """The fourth central moment of a law over the square of its variance."""
    if isinstance(law, Uniform):
        return 1.8
    if isinstance(law, TruncatedNormal):
        return truncated_kurtosis(law.lower, law.upper)
    return 3.0
