# SPDX-License-Identifier: Apache-2.0
"""The CRC-32 of a file (zip, gzip, IEEE 802.3) whose pieces come in any order, from any thread.

The CRC of a whole follows from the CRCs and the lengths of its pieces alone: the first is shifted
by the length of the second, a multiplication by x**(8 * length) modulo the polynomial.
"""

import functools
import threading
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from glorot import _kernel

_POLYNOMIAL = 0xEDB88320  # bit 31 stands for x**0, as in the reflected CRC
_ONE = 1 << 31

_NATIVE = 1 << 14  # bytes; of fewer zlib gives as fast a CRC


def crc32(data: Any, before: int = 0) -> int:
    """zlib's crc32: of bytes, or of what follows bytes of the CRC `before`.

    Examples:
        >>> f"{crc32(b'123456789'):08x}"
        'cbf43926'
    """
    view = memoryview(data)
    native = _kernel.native_crc32() if view.nbytes >= _NATIVE else None
    if native is None:
        return zlib.crc32(view, before)
    array = np.frombuffer(view, np.uint8)
    found: int = native(before, array.__array_interface__["data"][0], array.size)
    return found


def combine(first: int, second: int, length: int) -> int:
    """Return the CRC-32 of a + b from those of a and of b, and the length of b.

    Examples:
        >>> combine(crc32(b"check"), crc32(b"sum"), 3) == crc32(b"checksum")
        True
    """
    return _multiply(_shift(length), first) ^ second


def _multiply(a: int, b: int) -> int:
    """The product of two polynomials modulo the CRC's."""
    product, bit = 0, _ONE
    while bit:
        if a & bit:
            product ^= b
        bit >>= 1
        b = b >> 1 ^ (_POLYNOMIAL if b & 1 else 0)
    return product


@functools.cache
def _square(power: int) -> int:
    """x**(8 * 2**power)."""
    if not power:
        return 1 << 23
    half = _square(power - 1)
    return _multiply(half, half)


@functools.lru_cache(1024)
def _shift(length: int) -> int:
    """x**(8 * length)."""
    product = _ONE
    for power in range(length.bit_length()):
        if length >> power & 1:
            product = _multiply(_square(power), product)
    return product


class Piece(NamedTuple):
    """Bytes [start, stop) of a file and their CRC-32."""

    start: int
    stop: int
    crc: int


class Checksum:
    """The pieces of one file so far; neighbours become one, so that there are never many."""

    def __init__(self) -> None:
        self._begin: dict[int, Piece] = {}
        self._end: dict[int, Piece] = {}
        self._lock = threading.Lock()

    def add(self, start: int, data: Any) -> None:
        """Take the bytes of a file from `start` on."""
        view = memoryview(data)
        if view.nbytes:
            self.join(Piece(start, start + view.nbytes, crc32(view)))

    def join(self, piece: Piece) -> None:
        """Take a piece whose CRC is known.

        Raises:
            ValueError: it begins or ends where another one does.
        """
        with self._lock:
            if piece.start in self._begin or piece.stop in self._end:
                raise ValueError(f"bytes {piece.start} to {piece.stop} are there twice.")
            before, after = self._end.pop(piece.start, None), self._begin.pop(piece.stop, None)
            if before is not None:
                del self._begin[before.start]
                crc = combine(before.crc, piece.crc, piece.stop - piece.start)
                piece = Piece(before.start, piece.stop, crc)
            if after is not None:
                del self._end[after.stop]
                crc = combine(piece.crc, after.crc, after.stop - after.start)
                piece = Piece(piece.start, after.stop, crc)
            self._begin[piece.start] = self._end[piece.stop] = piece

    def __iter__(self) -> Iterator[Piece]:
        """The pieces, in order."""
        return iter(sorted(self._begin.values()))

    def of(self, size: int) -> int | None:
        """Return the CRC-32 of a file of so many bytes, or None while some are missing."""
        pieces = list(self)
        if [piece[:2] for piece in pieces] == [(0, size)]:
            return pieces[0].crc
        return crc32(b"") if not size and not pieces else None
