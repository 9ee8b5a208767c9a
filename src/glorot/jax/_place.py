# SPDX-License-Identifier: Apache-2.0
"""Arrays where they are to lie: each block computed once by the process that holds it."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import numpy as np

from glorot import _stream
from glorot._batch import Batch
from glorot._memory import aligned
from glorot._writers import Writer
from glorot.jax import _programs
from glorot.jax._traced import Array
from glorot.jax._values import pair


class Work(NamedTuple):
    """One array to compute; `sharding` None is the default device."""

    name: str
    dtype: np.dtype[Any]
    writer: Writer
    sharding: Any


def shardings_of(tree: Any, shardings: Any) -> list[Any]:
    """One sharding, or None, for each leaf of `tree`."""
    if shardings is None:
        return [_own(leaf) for leaf in jax.tree.leaves(tree)]
    try:
        spread = jax.tree_util.tree_broadcast(shardings, tree, is_leaf=_is_placement)
    except ValueError as error:
        raise ValueError(
            "`shardings` must be one sharding or a tree of them that is `tree` or a prefix of it: "
            f"{error}"
        ) from None
    return list(jax.tree.structure(tree).flatten_up_to(spread))


def _own(leaf: Any) -> Any:
    """What a leaf says of itself; nothing where it merely came to be on the default device."""
    return getattr(leaf, "sharding", None) if getattr(leaf, "committed", True) else None


def _is_placement(node: Any) -> bool:
    return node is None or isinstance(node, (jax.sharding.Sharding, jax.sharding.PartitionSpec))


def check(name: str, shape: tuple[int, ...], sharding: Any) -> Any:
    """The sharding on real devices, or why an array of this shape cannot lie so."""
    if sharding is None:
        return None
    if isinstance(sharding, jax.sharding.PartitionSpec):
        sharding = _on_mesh(name, sharding, sharding)
    if not isinstance(sharding, jax.sharding.Sharding):
        raise TypeError(
            f"`shardings` gives {name!r} {sharding!r}; a Sharding, a PartitionSpec under "
            "jax.set_mesh, or None is needed."
        )
    mesh = getattr(sharding, "mesh", None)
    if isinstance(mesh, jax.sharding.AbstractMesh):
        if mesh.empty:
            return None
        sharding = _on_mesh(name, sharding, sharding.spec)
    spec = getattr(sharding, "spec", ())
    if len(spec) > len(shape):  # of a scalar JAX says "list index out of range"
        raise ValueError(
            f"`shardings` of {name!r}, shape {shape}: {spec} has more entries than the "
            f"{len(shape)} axes. Give this leaf its own, such as PartitionSpec()."
        )
    try:
        sharding.shard_shape(shape)
    except ValueError as error:
        raise ValueError(f"`shardings` of {name!r}, shape {shape}: {error}") from None
    return sharding


def _on_mesh(name: str, given: Any, spec: Any) -> Any:
    mesh = jax.sharding.get_mesh()
    if mesh.empty:
        raise ValueError(
            f"{given} of {name!r} names axes of no devices. Call inside of jax.set_mesh(mesh), or "
            "pass a NamedSharding(mesh, spec)."
        )
    return jax.sharding.NamedSharding(mesh, spec)


def compute(works: Iterable[Work], seed: int) -> list[Array]:
    """The arrays, in order."""
    made: list[Array] = []
    fresh: list[int] = []  # those on the default device: handed over all at once, which is quicker
    default = _default_platform()
    with Batch() as batch:
        for work in works:
            if not _by_host(work, default):
                made.append(_on_devices(work, seed))
            elif work.sharding is None:
                fresh.append(len(made))
                made.append(aligned(work.writer.shape, work.dtype))
                work.writer.part_of(batch, made[-1], None, seed, work.name)
            else:
                made.append(_sharded(work, seed))
    for place, array in zip(fresh, jax.device_put([made[i] for i in fresh]), strict=True):
        made[place] = array
    return made


def _default_platform() -> str:
    device = jax.config.jax_default_device or jax.devices()[0]
    return device if isinstance(device, str) else str(device.platform)


def _by_host(work: Work, default: str) -> bool:
    """Whether NumPy's kernel computes it: always on CPUs; elsewhere what needs the whole matrix,
    and 64-bit types, which a TPU only imitates."""
    if not _programs.traceable(work.writer) or work.dtype.itemsize == 8:
        return True
    if work.sharding is None:
        return default == "cpu"
    return all(device.platform == "cpu" for device in work.sharding.device_set)


def _on_devices(work: Work, seed: int) -> Array:
    """The traced law, compiled once for each (law, shape, dtype, sharding)."""
    program = _programs.laid_out(work.writer, work.dtype, work.sharding)
    return program(pair(seed), pair(_stream.tag(work.name)))


def _sharded(work: Work, seed: int) -> Array:
    """Blocks in their own memory, one for all devices that hold the same."""
    blocks: dict[Any, Array] = {}
    whole = _whole(work, seed) if work.writer.at_once else None

    def block(index: tuple[slice, ...]) -> Array:
        key = tuple((part.start, part.stop) for part in index)
        if key not in blocks:
            blocks[key] = _filled(work, seed, index) if whole is None else whole[index]
        return blocks[key]

    return jax.make_array_from_callback(work.writer.shape, work.sharding, block, dtype=work.dtype)


def _whole(work: Work, seed: int) -> Array:
    out = aligned(work.writer.shape, work.dtype)
    work.writer.part(out, None, seed, work.name)
    return out


def _filled(work: Work, seed: int, index: tuple[slice, ...]) -> Array:
    shape = work.writer.shape
    bounds = [part.indices(size)[:2] for part, size in zip(index, shape, strict=True)]
    extent = tuple(stop - start for start, stop in bounds)
    if extent == shape:
        return _whole(work, seed)
    out = aligned(extent, work.dtype)
    work.writer.part(out, tuple(start for start, _ in bounds), seed, work.name)
    return out
