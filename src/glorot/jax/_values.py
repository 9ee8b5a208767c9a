# SPDX-License-Identifier: Apache-2.0
"""`values`: the initial value of one weight as a JAX array, inside of any transformation."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from glorot import _base, _check, _registry, _shard, _stream
from glorot._base import Initializer
from glorot._dtypes import ALL, dtype_name, parse_dtype
from glorot._writers import Writer
from glorot.jax import _programs
from glorot.jax._traced import Array

_MOST = 1 << 32  # sizes of a traced block's axes: places are uint32


def seed_words(seed: int) -> Array:
    """Return a seed as the two uint32 words (low, high) that may be a traced argument.

    Examples:
        >>> import glorot.jax
        >>> glorot.jax.seed_words(2**32 + 5).tolist()
        [5, 1]
    """
    return pair(_stream.check_seed(seed))


def name_words(name: str) -> Array:
    """Return the tag of a name as the two uint32 words (low, high) that may be a traced argument.

    Examples:
        >>> import glorot.jax
        >>> [hex(word) for word in glorot.jax.name_words("encoder.kernel")]
        ['0xaa30b50f', '0x57003027']
    """
    return pair(_stream.tag(_stream.check_name(name)))


def pair(number: int) -> Array:
    """A 64-bit number as two uint32 words (low, high)."""
    return np.array([number & 0xFFFFFFFF, number >> 32], np.uint32)


def values(
    initializer: Any,
    shape: Any,
    *,
    seed: Any = None,
    name: Any = "",
    dtype: Any = None,
    shard: Any = None,
    out_sharding: Any = None,
    native: bool | None = None,
) -> Array:
    """Return the initial value of the weight `name`: what the initializer gives, as a JAX array.

    It can be called anywhere: eagerly, under `jit`, `vmap`, `shard_map`, with `out_shardings`.  The
    bytes are NumPy's (for the QR initializers, to their tolerance).  Seeds and names may be traced,
    so that one compilation serves every weight of one shape and law.

    Args:
        initializer: one of glorot's, or what `glorot.get` makes one of.
        shape: of the whole weight.
        seed: an integer, or the words that `seed_words` gives, traced or not; the initializer's own
            where it is left out.
        name: text, or the words that `name_words` gives, traced or not.
        dtype: of the result, in place of the initializer's own; 64-bit types need
            `jax_enable_x64`.
        shard: the part wanted: a `glorot.Shard` or slices; or, inside of `shard_map`, the
            `PartitionSpec` by which the whole is split, and the result is this device's part.
        out_sharding: how the result lies on a mesh: a `NamedSharding`, or a `PartitionSpec` under
            `jax.set_mesh`; each device computes its own part.
        native: False for the traced law where the compiled kernel would be used; None: the kernel
            on a CPU that is JAX's only device, the traced law elsewhere.

    Raises:
        TypeError, ValueError: as the initializer's own call does; a traced seed or name that is not
            two uint32 words; a 64-bit dtype without `jax_enable_x64`; a spec that does not divide
            the shape evenly.

    Examples:
        >>> import glorot, glorot.jax, jax
        >>> init = glorot.GlorotUniform(seed=42)
        >>> w = glorot.jax.values(init, (784, 256), name="encoder.kernel")
        >>> bool((w == init((784, 256), name="encoder.kernel")).all())
        True
        >>> rows = jax.jit(lambda: glorot.jax.values(
        ...     init, (784, 256), name="encoder.kernel", shard=slice(392, None)))()
        >>> bool((rows == w[392:]).all())
        True
    """
    found = _registry.get_ours(initializer)
    whole = _check.parse_shape(shape)
    wanted = parse_jax_dtype(ALL[found.dtype] if dtype is None else dtype, found)
    stream = (_seed_words(seed, found), _name_words(name))
    writer = _base._prepared(found, whole, wanted)
    return compute(writer, wanted, stream, shard, out_sharding, native)


def compute(
    writer: Writer, dtype: Any, stream: tuple[Array, Array], shard: Any, out: Any, native: Any
) -> Array:
    """The part `shard` of the weight that `writer` writes, of the stream (seed, tag)."""
    block = _block(shard, writer.shape)
    if max(block.extent, default=0) >= _MOST:
        raise ValueError(
            f"`shape` {block.extent} has an axis of 2**32 elements or more, which no array of JAX "
            "here can have. Ask for a part of it with `shard`."
        )
    program = _programs.program(writer, dtype, block.extent, _programs.placement(out), native)
    return program(*stream, *block.start)


def parse_jax_dtype(dtype: Any, initializer: Initializer) -> np.dtype[Any]:
    """Return the dtype if the initializer and this JAX have it."""
    wanted = parse_dtype(dtype, floating=initializer.random)
    if wanted.itemsize == 8 and not jax.config.jax_enable_x64:
        raise TypeError(
            f"`dtype` {dtype_name(wanted)} needs JAX's 64-bit types, which are off. Turn them on "
            "by jax.config.update('jax_enable_x64', True), or use float32."
        )
    return wanted


def _seed_words(seed: Any, initializer: Initializer) -> Array:
    if _is_pair("seed", seed, "glorot.jax.seed_words(42)"):
        return seed
    return pair(initializer._seed(seed))


def _name_words(name: Any) -> Array:
    if _is_pair("name", name, "glorot.jax.name_words('kernel')"):
        return name
    return name_words(name)


def _is_pair(argument: str, value: Any, example: str) -> bool:
    """Whether it is an array of two uint32 words; any other array is refused."""
    if not isinstance(value, (np.ndarray, jax.Array)) or (
        value.ndim == 0 and not isinstance(value, jax.core.Tracer)
    ):
        return False
    if value.shape != (2,) or value.dtype != jnp.uint32:
        raise TypeError(
            f"`{argument}` as an array must be two uint32 words (low, high), such as {example} "
            f"gives; got shape {value.shape} of {value.dtype}."
        )
    return True


class _Block(NamedTuple):
    """A part of the whole: where it begins (() for index 0), and its shape."""

    start: tuple[Any, ...]
    extent: tuple[int, ...]


def _block(shard: Any, whole: tuple[int, ...]) -> _Block:
    if shard is None:
        return _Block((), whole)
    if isinstance(shard, jax.sharding.PartitionSpec):
        return _device_block(shard, whole)
    start, extent = _shard.parse_shard(shard, whole)
    if max(start, default=0) >= _MOST:
        raise ValueError(
            f"`shard` begins at {start}; JAX's places stay below 2**32 on each axis. Use the "
            "initializer itself, which gives a NumPy array."
        )
    return _Block(tuple(np.uint32(i) for i in start), extent)


def _device_block(spec: Any, whole: tuple[int, ...]) -> _Block:
    """This device's part inside of `shard_map`, of a whole split by `spec`."""
    if len(spec) > len(whole):
        raise ValueError(f"`shard` {spec} has more entries than the {len(whole)} axes of {whole}.")
    start, extent = [], []
    for size, entry in zip(whole, [*spec, *[None] * (len(whole) - len(spec))], strict=True):
        names = entry if isinstance(entry, tuple) else () if entry is None else (entry,)
        try:
            parts = math.prod(jax.lax.axis_size(name) for name in names)
        except NameError as error:
            raise ValueError(
                f"`shard` {spec} names the part of one device, which is there inside of "
                f"jax.shard_map alone: {error}. Elsewhere give out_sharding or a glorot.Shard."
            ) from None
        if size % parts or size >= _MOST:
            raise ValueError(
                f"`shard` {spec} must split shape {whole} evenly, and its axes must be below "
                f"2**32; {size} goes to {parts} devices."
            )
        extent.append(size // parts)
        place = jnp.uint32(jax.lax.axis_index(names)) if names else jnp.uint32(0)
        start.append(place * jnp.uint32(size // parts))
    return _Block(tuple(start), tuple(extent))
