# SPDX-License-Identifier: Apache-2.0
"""Stream 1: (seed, name, index) -> 32-bit words.  The page that may never change.

    key     = (seed lo32, seed hi32)
    tag     = little-endian uint64 of BLAKE2b(name in UTF-8, digest_size=8, person=b"glorot.v1")
    counter = (block lo32, block hi32, tag lo32, tag hi32)          block = index // 4
    word    = Philox4x32-10(counter, key)[index % 4]

Everything from `philox4x32` down is written against an array namespace `xp` (numpy, jax.numpy)
and uses 32-bit integers only, so the same lines run in NumPy and, traced, in JAX.
docs/stream.md is the same text in prose.
"""

import operator
from typing import Any, NamedTuple

from glorot._check import show

try:
    from _blake2 import blake2b  # what hashlib gives, once it has loaded OpenSSL for other hashes
except ImportError:  # a Python that has it elsewhere
    from hashlib import blake2b

STREAM_VERSION = 1

INDEX_BITS = 63  # 0 <= index < 2**63, so block < 2**61 and its bits 62-63 are free for the lane
LANE_SHIFT = 62

LANE_WORD = 0  # the word itself
LANE_SECOND = 1  # a second draw for the same element: the mask of `Sparse`
LANE_LOW = 2  # the low 32 bits that float64 adds below the word

Name = str | int  # of a tensor, or its tag where a framework's key says that much and no more
Array = Any  # an array of the namespace `xp`; namespaces share no common static type


class Stream(NamedTuple):
    """A Philox stream: block b of it is Philox4x32-10(counter + b, key).

    `key` is 64 bits wide, `counter` 128; word i of the stream is output i % 4 of block i // 4.
    """

    key: int
    counter: int


def check_seed(seed: object) -> int:
    """Return `seed` as a Python int in [0, 2**64), or say what is wrong with it."""
    if seed is None:
        raise TypeError("`seed` must be an integer, and is missing: give one, such as seed=42.")
    try:
        if isinstance(seed, bool) or type(seed).__name__ in ("bool", "bool_"):  # NumPy's, old too
            raise TypeError
        value = operator.index(seed)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(
            f"`seed` must be an integer (Python or NumPy, not a bool), got {show(seed)} of type "
            f"{type(seed).__name__}."
        ) from None
    if not 0 <= value < 2**64:
        raise ValueError(
            f"`seed` must lie in [0, 2**64), got {show(value)}. Pass `seed % 2**64` to fold it in."
        )
    return value


def check_name(name: object) -> str:
    """Return `name` if it is a string that UTF-8 can encode."""
    if not isinstance(name, str):
        raise TypeError(f"`name` must be a string, got {show(name)} of type {type(name).__name__}.")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"`name` must be encodable as UTF-8, got {name!r}, which holds a lone surrogate."
        ) from None
    return name


def tag(name: Name) -> int:
    """The 64-bit tag of a tensor's name; the name is taken as given, without normalisation.

    An integer is a tag already.
    """
    if isinstance(name, int):
        return name
    digest = blake2b(name.encode(), digest_size=8, person=b"glorot.v1").digest()
    return int.from_bytes(digest, "little")


def stream(seed: int, name: Name = "", lane: int = LANE_WORD) -> Stream:
    """The stream of one tensor: `lane` is LANE_WORD, LANE_SECOND or LANE_LOW."""
    return Stream(key=seed, counter=tag(name) << 64 | lane << LANE_SHIFT)


def multiply_wide(xp: Any, a: Array, b: Array, bits: int = 32) -> tuple[Array, Array]:
    """(high, low) halves of the product of two unsigned `bits`-wide integers, in arithmetic of
    the same width: half-width pieces, no carry lost.  JAX on a TPU has no 64-bit integers.

    A namespace with a `multiply_wide` of its own, for 32 bits, is asked: one instruction, not ten.
    """
    if bits == 32 and hasattr(xp, "multiply_wide"):
        found: tuple[Array, Array] = xp.multiply_wide(a, b)
        return found
    word = xp.uint32 if bits == 32 else xp.uint64
    half = word(bits // 2)
    mask = word((1 << bits // 2) - 1)
    a_lo, a_hi = a & mask, a >> half
    b_lo, b_hi = b & mask, b >> half
    cross = a_hi * b_lo + (a_lo * b_lo >> half)  # both sums stay below 2**bits
    middle = a_lo * b_hi + (cross & mask)
    return a_hi * b_hi + (cross >> half) + (middle >> half), a * b


MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
KEY_INCREMENTS = 0x9E3779B9, 0xBB67AE85
ROUNDS = 10
_MASK = 0xFFFFFFFF


def philox4x32(
    xp: Any, counter: tuple[Array, ...], key: tuple[Array, ...]
) -> tuple[Array, Array, Array, Array]:
    """Philox4x32-10: four uint32 arrays of counters and two of keys in, four uint32 arrays out.

    Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
    """
    c0, c1, c2, c3 = counter
    m0, m1 = (xp.uint32(m) for m in MULTIPLIERS)
    for i in range(ROUNDS):
        k0, k1 = (
            k + xp.uint32(i * step & _MASK) for k, step in zip(key, KEY_INCREMENTS, strict=True)
        )
        hi0, lo0 = multiply_wide(xp, m0, c0)
        hi1, lo1 = multiply_wide(xp, m1, c2)
        c0, c1, c2, c3 = hi1 ^ c1 ^ k0, lo1, hi0 ^ c3 ^ k1, lo0
    return c0, c1, c2, c3


def digits(xp: Any, value: int, count: int) -> tuple[Array, ...]:
    """The `count` 32-bit digits of a non-negative integer, least significant first, each an
    array of shape (1,): NumPy warns when scalars wrap, and arrays are meant to."""
    return tuple(xp.full((1,), value >> 32 * i & _MASK, dtype=xp.uint32) for i in range(count))


def add_block(xp: Any, counter: tuple[Array, ...], lo: Array, hi: Array) -> tuple[Array, ...]:
    """counter + block, both in 32-bit digits, with carries.

    Stream 1 never carries past its lane bits; TensorFlow's streams start anywhere.
    """
    sums = []
    carry = xp.zeros_like(lo)
    for digit, addend in zip(counter, (lo, hi, 0, 0), strict=True):
        partial = digit + xp.uint32(addend) if isinstance(addend, int) else digit + addend
        total = partial + carry
        carry = (partial < digit).astype(xp.uint32) | (total < partial).astype(xp.uint32)
        sums.append(total)
    return tuple(sums)


def words(xp: Any, stream: Stream, index_lo: Array, index_hi: Array) -> Array:
    """The word of each element, given its index as two uint32 arrays (low and high halves)."""
    counter, key = digits(xp, stream.counter, 4), digits(xp, stream.key, 2)
    return words_at(xp, counter, key, index_lo, index_hi)


def words_at(
    xp: Any,
    counter: tuple[Array, ...],
    key: tuple[Array, ...],
    index_lo: Array,
    index_hi: Array,
) -> Array:
    """The same for a stream in 32-bit digits, which may be traced.

    One block is computed for each element, so the whole stays elementwise: compilers fuse it.
    """
    block_lo = index_lo >> xp.uint32(2) | index_hi << xp.uint32(30)
    block_hi = index_hi >> xp.uint32(2)
    out = philox4x32(xp, add_block(xp, counter, block_lo, block_hi), key)
    odd, upper = index_lo & xp.uint32(1) == 1, index_lo & xp.uint32(2) == 2
    return xp.where(upper, xp.where(odd, out[3], out[2]), xp.where(odd, out[1], out[0]))
