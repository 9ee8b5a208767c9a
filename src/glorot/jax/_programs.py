# SPDX-License-Identifier: Apache-2.0
"""Programs: what JAX compiles to compute a block of a weight, once for each (law, shapes, dtype).

A program takes the seed's and the tag's words and where its block begins, so it serves every weight
of its shapes and law, and every block of them.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from glorot._blocks import _BlocksWriter
from glorot._constants import _PlacesWriter, _ValueWriter, written
from glorot._laws import lanes
from glorot._stream import tag
from glorot._writers import LawWriter, Writer
from glorot.jax import _native, _paired, _traced
from glorot.jax._traced import Array, Halves

Extent = tuple[int, ...]
WRITERS: dict[str, Writer] = {}  # what the programs that this process made write, by their names
# Elements of a normal up to which its words get memory of their own.  Of more, the system's new
# pages take longer than that saves.
_APART = 1 << 22


@functools.lru_cache(maxsize=4096)
def program(
    writer: Writer, dtype: np.dtype[Any], extent: Extent, sharding: Any, native: bool | None
) -> Callable[..., Array]:
    """A jitted function (seed, tag, *start) -> the block of shape `extent` that begins there.

    `seed` and `tag` are two uint32 each, `start` one uint32 an axis, or nothing for the beginning.
    """

    def initial_value(seed: Array, tag: Array, *start: Array) -> Array:
        return _block(writer, dtype, extent, (seed[0], seed[1]), (tag[0], tag[1]), start, native)

    by = writer.law if isinstance(writer, LawWriter) else getattr(writer, "by", None)
    if by is not None:
        # Where a program is read, not run, its name says what it draws: the same in every process,
        # so that compilations that JAX keeps on disk are found again.
        initial_value.__name__ = f"initial_value_{tag(repr((by, writer.shape))):016x}"
        WRITERS[initial_value.__name__] = writer
    return placed(initial_value, sharding)


@functools.lru_cache(maxsize=4096)
def laid_out(writer: Writer, dtype: np.dtype[Any], sharding: Any) -> Callable[..., Array]:
    """A jitted function (seed, tag) -> the whole, laid out by any kind of sharding, or None."""
    compute = program(writer, dtype, writer.shape, None, False)
    return jitted(compute, out_shardings=sharding)


def _block(
    writer: Writer,
    dtype: np.dtype[Any],
    extent: Extent,
    seed: Halves,
    tag: Halves,
    start: tuple[Array, ...],
    native: bool | None,
) -> Array:
    if isinstance(writer, LawWriter):
        return _law(writer, dtype, extent, seed, tag, start, native)
    begin = start or (0,) * len(extent)
    if isinstance(writer, _ValueWriter):
        return jnp.full(extent, np.full((), written(writer.value, dtype), dtype))
    if isinstance(writer, _PlacesWriter):
        return _places(writer, dtype, extent, begin)
    if isinstance(writer, _BlocksWriter) and traceable(writer):
        return _blocks(writer, dtype, extent, seed, tag, begin)
    return _host(writer, dtype, extent, seed, tag, begin)


def traceable(writer: Writer) -> bool:
    """Whether a device can compute any element alone; what cannot be is NumPy's to compute."""
    if isinstance(writer, _BlocksWriter):
        return all(isinstance(block, (LawWriter, _ValueWriter)) for block in writer.writers)
    return isinstance(writer, (LawWriter, _ValueWriter, _PlacesWriter))


def _law(
    writer: LawWriter,
    dtype: np.dtype[Any],
    extent: Extent,
    seed: Halves,
    tag: Halves,
    start: tuple[Array, ...],
    native: bool | None,
) -> Array:
    def traced(seed: Halves, tag: Halves, *start: Array) -> Array:
        begin = start or (0,) * len(extent)
        index = _traced.index(extent, begin, writer.strides, writer.first)
        return _traced.values(writer.law, dtype, seed, tag, index)

    def called(seed: Halves, tag: Halves, *start: Array) -> Array:
        begin = start or (0,) * len(extent)
        first = _traced.first_index(begin, writer.strides, writer.first)
        return _native.fill(writer, dtype, extent, seed, tag, first)

    def paired(seed: Halves, tag: Halves) -> Array:
        def draw(lane: int) -> Array:
            return _paired.words(extent, writer.strides, writer.first, seed, tag, lane)

        draws = [functools.partial(draw, lane) for lane in lanes(dtype)]
        small = math.prod(extent) <= _APART and dtype.itemsize == 4  # words are no more than it
        if writer.law.kind == "uniform" or not small:
            return _traced.values_of(writer.law, dtype, [one() for one in draws])
        apart = [_paired.apart(one, seed, tag) for one in draws]
        return _traced.values_of(writer.law, dtype, apart)

    if native is False or not _native.usable():
        if start or not _paired.fits(extent, writer.strides, writer.first):
            return traced(seed, tag, *start)
        return jax.lax.platform_dependent(seed, tag, cpu=paired, default=traced)
    return jax.lax.platform_dependent(seed, tag, *start, cpu=called, default=traced)


def _places(
    writer: _PlacesWriter, dtype: np.dtype[Any], extent: Extent, begin: tuple[Any, ...]
) -> Array:
    """Zeros, and `value` at those of the writer's places that are in the block."""
    axes = writer.axes
    places = writer.places(0, writer.shape[axes[-1]])
    batch = len(extent) - len(places)
    at: list[Any] = [...]
    for place, axis in zip(places, axes[batch:], strict=True):
        here = jnp.asarray(place, jnp.int32) - jnp.int32(begin[axis])
        at.append(jnp.where(here < 0, extent[axis], here))  # outside, and so dropped
    permuted = jnp.zeros([extent[axis] for axis in axes], dtype)
    value = np.full((), written(writer.value, dtype), dtype)
    return permuted.at[tuple(at)].set(value, mode="drop").transpose(np.argsort(axes))


def _blocks(
    writer: _BlocksWriter,
    dtype: np.dtype[Any],
    extent: Extent,
    seed: Halves,
    tag: Halves,
    begin: tuple[Any, ...],
) -> Array:
    """Each block's value at every place, and of those the one whose block the place is in."""
    axis, _, sizes = writer.split
    # A block's axis is split in two, of which the inner one steps as the weight's.
    laws = [block for block in writer.writers if isinstance(block, LawWriter)]
    strides = [block.strides[:axis] + block.strides[axis + 1 :] for block in laws[:1]]
    index = [_traced.index(extent, begin, steps) for steps in strides]
    place = jax.lax.broadcasted_iota(jnp.uint32, extent, axis) + jnp.uint32(begin[axis])
    column = place % jnp.uint32(sum(sizes))
    result = jnp.zeros(extent, dtype)
    offset = 0
    for size, block in zip(sizes, writer.writers, strict=True):
        if isinstance(block, LawWriter):
            values = _traced.values(block.law, dtype, seed, tag, index[0])
        else:
            assert isinstance(block, _ValueWriter)
            values = jnp.full(extent, np.full((), written(block.value, dtype), dtype))
        result = jnp.where(column >= offset, values, result)
        offset += size
    return result


def _host(
    writer: Writer,
    dtype: np.dtype[Any],
    extent: Extent,
    seed: Halves,
    tag: Halves,
    begin: tuple[Any, ...],
) -> Array:
    """What needs the whole matrix in float64 is computed by NumPy, while the program runs."""

    bits = np.dtype(f"u{dtype.itemsize}")  # between devices XLA loses the sign of a float8's zero

    def compute(seed: Any, tag: Any, begin: Any) -> np.ndarray[Any, Any]:
        number, name = (int(low) | int(high) << 32 for low, high in (seed, tag))
        out = np.empty(extent, dtype)
        writer.part(out, tuple(map(int, begin)), number, name)
        return out.view(bits)

    result = jax.ShapeDtypeStruct(extent, bits)
    made = jax.pure_callback(compute, result, seed, tag, begin, vmap_method="sequential")
    return jax.lax.bitcast_convert_type(made, dtype)


def placement(sharding: Any) -> Any:
    """A `NamedSharding` from what `out_sharding` takes, or None."""
    if sharding is None or isinstance(sharding, jax.sharding.NamedSharding):
        return sharding
    if not isinstance(sharding, jax.sharding.PartitionSpec):
        raise TypeError(
            "`out_sharding` must be a NamedSharding, a PartitionSpec under jax.set_mesh, or None; "
            f"got {sharding!r}."
        )
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty:
        raise ValueError(
            f"`out_sharding` {sharding} names axes of no mesh. Call inside of jax.set_mesh(mesh), "
            "or pass a NamedSharding(mesh, spec)."
        )
    return jax.sharding.NamedSharding(mesh, sharding)


def placed(compute: Callable[..., Array], sharding: Any) -> Callable[..., Array]:
    """`compute` jitted, with its result laid out so.

    Under explicit axes every operation must say how its result lies; here the compiler decides for
    all but the last.
    """
    if sharding is None:
        return jitted(compute)

    manual = isinstance(sharding.mesh, jax.sharding.AbstractMesh) and sharding.mesh.manual_axes
    laid = jitted(compute, out_shardings=sharding.spec if manual else sharding)

    @jitted
    def typed(*args: Array) -> Array:
        explicit = jax.sharding.get_abstract_mesh().explicit_axes
        return jax.sharding.auto_axes(compute, axes=explicit, out_sharding=sharding)(*args)

    def call(*args: Array) -> Array:
        # A vmap around it would leave the new axis of `out_shardings` to the compiler, which it
        # cannot where axes are explicit.
        return (typed if jax.sharding.get_abstract_mesh().explicit_axes else laid)(*args)

    return call


def jitted(compute: Callable[..., Array], **options: Any) -> Callable[..., Array]:
    """`jax.jit`, typed."""
    compiled: Callable[..., Array] = jax.jit(compute, **options)
    return compiled
