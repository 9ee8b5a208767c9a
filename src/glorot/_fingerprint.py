# SPDX-License-Identifier: Apache-2.0
"""Fingerprints: one short text for all weights of a model, made from its shards where they are.

    element  = mix(bits XOR index * 0x9E3779B97F4A7C15)      index in the whole, row-major
    tensor   = sum of its elements modulo 2**64
    model    = BLAKE2b of the names, dtypes, shapes and sums of its tensors, by name

`mix` is SplitMix64's finaliser.  A sum does not depend on order, so parts are summed where they
are and only sums travel.  It tells accidents apart, a value, a place, a name, a dtype or a shape
that differs, up to a chance of 2**-64 a tensor; it is no defence against somebody who looks for
two models of one fingerprint.
"""

import hashlib
import json
import math
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from glorot._check import parse_shape, show
from glorot._dtypes import FLOATS, dtype_name
from glorot._memory import row_major
from glorot._shard import Shard, boxes, parse_shard
from glorot._stream import check_name
from glorot._tiling import tiled
from glorot._writers import Array

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1
_CHUNK = 1 << 15  # elements at a time, so that temporaries stay in cache


class Fingerprint:
    """The sums of the parts of some tensors; `hexdigest` is the model's fingerprint.

    Each process adds the parts that it has, `merge` joins what processes found, and the result is
    that of the whole tensors in one process.

    Examples:
        >>> import glorot
        >>> w = glorot.GlorotUniform(seed=42)((4, 6), name="w")
        >>> one, other = glorot.Fingerprint(), glorot.Fingerprint()
        >>> one.add("w", w[:1], shape=(4, 6), shard=(slice(0, 1),))
        >>> other.add("w", w[1:], shape=(4, 6), shard=(slice(1, 4),))
        >>> one.merge(other)
        >>> one.hexdigest() == glorot.fingerprint({"w": w})
        True
    """

    def __init__(self) -> None:
        self._tensors: dict[str, tuple[str, tuple[int, ...]]] = {}
        self._parts: dict[str, dict[tuple[tuple[int, ...], tuple[int, ...]], int]] = {}

    def add(self, name: str, values: Any, *, shape: Any = None, shard: Any = None) -> None:
        """Add a tensor, or the part `shard` of one of the shape `shape`.

        A part may be added more than once, as replicas are: its values must be the same.

        Args:
            name: of the tensor.
            values: an array of numbers or bool, of 1, 2, 4 or 8 bytes each.
            shape: of the whole tensor, where `values` is a part.
            shard: which part: a `glorot.Shard`, or slices.

        Raises:
            TypeError: values of another kind; `shape` without `shard`, or the reverse.
            ValueError: a part that is not of its shard's shape; another dtype or shape than before;
                a replica that differs.
        """
        array = np.asarray(values)
        known = array.dtype.kind in "biuf" or array.dtype in FLOATS.values()
        if not known or array.dtype.itemsize > 8:
            raise TypeError(
                f"`values` of {check_name(name)!r} must be numbers of 1, 2, 4 or 8 bytes, got "
                f"{array.dtype}."
            )
        # A value has the same bits in either order of its bytes.
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        whole, start = tuple(array.shape), (0,) * array.ndim
        if (shape is None) != (shard is None):
            raise TypeError(
                "`shard` says which part of a whole `values` is, and `shape` what the whole is: "
                f"give both or neither; got shape={show(shape)}, shard={show(shard)}."
            )
        if shard is not None:
            whole = parse_shape(shape)
            start, extent = parse_shard(shard, whole)
            if extent != array.shape:
                raise ValueError(
                    f"`values` of {name!r} must have the shape of the shard, {extent}, got "
                    f"{array.shape}."
                )
        self._declare(check_name(name), dtype_name(array.dtype), whole)
        if array.size:
            self._keep(name, start, array.shape, _sum(array, start, row_major(whole)))

    def merge(self, other: "Fingerprint") -> None:
        """Add all parts of `other`.

        Raises:
            ValueError: as `add`.
        """
        for name, (dtype, shape) in other._tensors.items():
            self._declare(name, dtype, shape)
            for (start, extent), total in other._parts[name].items():
                self._keep(name, start, extent, total)

    def hexdigest(self) -> str:
        """Return the fingerprint, 32 hexadecimal digits.

        Raises:
            ValueError: a tensor of which parts are missing, or overlap.
        """
        rows = []
        for name, (dtype, shape) in sorted(self._tensors.items()):
            found = sum(math.prod(extent) for _, extent in self._parts[name])
            if found != math.prod(shape):
                raise ValueError(
                    f"the parts of {name!r} have {found} of its {math.prod(shape)} elements. Add "
                    "every part of the tensor once, or as equal replicas."
                )
            if not tiled(shape, list(self._parts[name])):
                raise ValueError(
                    f"parts of {name!r} lie over one another, and so some of its elements are in "
                    "none. Add every part of the tensor once, or as equal replicas."
                )
            total = sum(self._parts[name].values()) & _MASK
            rows.append([name, dtype, list(shape), f"{total:016x}"])
        text = json.dumps(rows, separators=(",", ":"))
        return hashlib.blake2b(text.encode(), digest_size=16, person=b"glorot.weights").hexdigest()

    def _declare(self, name: str, dtype: str, shape: tuple[int, ...]) -> None:
        known = self._tensors.setdefault(name, (dtype, shape))
        self._parts.setdefault(name, {})
        if known != (dtype, shape):
            raise ValueError(
                f"{name!r} is {known[0]} of shape {known[1]} in one part and {dtype} of shape "
                f"{shape} in another."
            )

    def _keep(self, name: str, start: Sequence[int], extent: Sequence[int], total: int) -> None:
        place = tuple(start), tuple(extent)
        if self._parts[name].setdefault(place, total) != total:
            shard = Shard(place[0], tuple(map(operator.add, *place)))
            raise ValueError(
                f"two replicas of {name!r} differ in {shard}: they should hold the same values."
            )


def fingerprint(arrays: Mapping[str, Any]) -> str:
    """Return the fingerprint of named arrays, 32 hexadecimal digits.

    It depends on every name, dtype, shape and byte, and on nothing else: the order of the arrays
    does not count, nor whether they were added whole or in parts (`glorot.Fingerprint`).

    Args:
        arrays: from names to arrays, or to what `numpy.asarray` makes one of.

    Raises:
        TypeError: no mapping; a name that is no text; values that are no numbers.

    Examples:
        >>> import glorot
        >>> init = glorot.GlorotUniform(seed=42)
        >>> glorot.fingerprint({"w": init((4, 6), name="w"), "b": glorot.Zeros()((6,))})
        'e222dc20f754dcbc23a0f1de326215d5'
    """
    if not isinstance(arrays, Mapping):
        raise TypeError(
            f"`arrays` must be a mapping from names to arrays, got {type(arrays).__name__}."
        )
    found = Fingerprint()
    for name, values in arrays.items():
        found.add(name, values)
    return found.hexdigest()


def _sum(array: Array, start: Sequence[int], steps: Sequence[int]) -> int:
    """The sum over the elements of an array whose first element has the place `start`."""
    if not array.ndim:
        array, start, steps = array.reshape(1), (0,), (1,)
    bits = array.view(f"u{array.dtype.itemsize}")
    first = sum(map(operator.mul, start, steps))
    total = 0
    for begin in range(0, bits.size, _CHUNK):
        for corner, extent in boxes(bits.shape, begin, min(begin + _CHUNK, bits.size)):
            place = tuple(slice(i, i + n) for i, n in zip(corner, extent, strict=True))
            offset = first + sum(map(operator.mul, corner, steps))
            total += _mixed(bits[place], _places(offset, extent, steps))
    return total & _MASK


def _places(first: int, extent: Sequence[int], steps: Sequence[int]) -> Array:
    """The index of each element times _GOLDEN, modulo 2**64."""
    places = np.full((1,) * len(extent), first * _GOLDEN & _MASK, np.uint64)
    for axis, (count, step) in enumerate(zip(extent, steps, strict=True)):
        if count > 1:
            along = np.arange(count, dtype=np.uint64)
            along *= np.uint64(step * _GOLDEN & _MASK)
            places = places + along.reshape([-1 if at == axis else 1 for at in range(len(extent))])
    return places


def _mixed(bits: Array, places: Array) -> int:
    """The sum of the elements' hashes: SplitMix64's finaliser (Steele, Lea, Flood, "Fast
    splittable pseudorandom number generators", OOPSLA 2014)."""
    z = places ^ bits
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        z ^= z >> np.uint64(shift)
        z *= np.uint64(factor)
    z ^= z >> np.uint64(31)
    return int(z.sum(dtype=np.uint64))
