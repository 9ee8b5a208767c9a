# SPDX-License-Identifier: Apache-2.0
"""Threefry2x32-20, JAX's hash, and which counters each element of a draw hashes.

    partitionable   element i of a draw hashes the counter (i >> 32, i & 0xffffffff)
    legacy          a draw of m words hashes the counters (j, j + h), h = ceil(m / 2), j < h: the
                    first outputs are words 0 .. h - 1, the second ones words h .. m - 1

Sources: J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011;
jax/_src/random/threefry2x32.py, 0.10.2.
"""

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)
LOW = np.uint64(0xFFFFFFFF)


def threefry2x32(key: Array, x: Array, y: Array) -> tuple[Array, Array]:
    """The hash of the counters (x, y), uint32 arrays of one shape, under a key of two words."""
    first, second = key
    keys = (first, second, first ^ second ^ _PARITY)
    with np.errstate(over="ignore"):  # of scalars; arrays wrap around without a word
        x, y = x + keys[0], y + keys[1]
        for group in range(5):
            for bits in _ROTATIONS[group % 2]:
                x = x + y
                y = (y << np.uint32(bits) | y >> np.uint32(32 - bits)) ^ x
            x = x + keys[(group + 1) % 3]
            y = y + (keys[(group + 2) % 3] + np.uint32(group + 1))
    return x, y


def halves(index: Array) -> tuple[Array, Array]:
    """uint64 numbers as (high, low) uint32 words."""
    return (index >> np.uint64(32)).astype(np.uint32), (index & LOW).astype(np.uint32)


def bits_at(key: Array, index: Array, width: int, total: int) -> Array:
    """The random bits of the elements `index` (uint64), as uint64, `width` bits each.

    `total` is the number of elements of the whole draw in the legacy layout, 0 in the
    partitionable one, where an element does not depend on it.
    """
    if total:
        bits = _legacy_bits(key, np.minimum(index, np.uint64(total - 1)), width, total)
    else:
        bits = _joined(threefry2x32(key, *halves(index)), width)
    mask: Array = np.array(2**width - 1, dtype=np.uint64)
    return np.asarray(bits & mask)


def _joined(outputs: tuple[Array, Array], width: int) -> Array:
    high, low = (half.astype(np.uint64) for half in outputs)
    return np.asarray(high << np.uint64(32) | low if width == 64 else high ^ low)


def _legacy_bits(key: Array, index: Array, width: int, total: int) -> Array:
    if width == 64:
        counters = (index.astype(np.uint32), (index + np.uint64(total)).astype(np.uint32))
        return _joined(threefry2x32(key, *counters), width)
    per_word = np.uint64(32 // width)
    word, place = index // per_word, index % per_word
    words = -(-width * total // 32)
    half = np.uint64((words + 1) // 2)
    second = word >= half
    x = np.where(second, word - half, word)
    y = np.where(second, word, word + half)
    y[y >= words] = 0  # an odd draw hashes one counter too many, which is 0
    outputs = threefry2x32(key, x.astype(np.uint32), y.astype(np.uint32))
    bits = np.where(second, outputs[1], outputs[0]).astype(np.uint64)
    return np.asarray(bits >> place * np.uint64(width))


def split(key: Array, count: int, partitionable: bool) -> Array:
    """`count` new keys of one: uint32, (count, 2)."""
    index = np.arange(count, dtype=np.uint64)
    if partitionable:
        return np.stack(threefry2x32(key, *halves(index)), axis=-1)
    words = np.concatenate(
        threefry2x32(key, index.astype(np.uint32), (index + np.uint64(count)).astype(np.uint32))
    )
    return words.reshape(count, 2)


def fold_in(key: Array, data: int) -> Array:
    """The key that `data`, 32 bits, makes of one: uint32, (2,)."""
    x, y = np.zeros(1, dtype=np.uint32), np.array([data], dtype=np.uint32)
    return np.concatenate(threefry2x32(key, x, y))
