# SPDX-License-Identifier: Apache-2.0
"""Checksums of pieces that come in any order."""

import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glorot.checkpoint import (
    _checksum,
)


@given(st.lists(st.binary(max_size=40), max_size=12), st.randoms())
@settings(deadline=None)
def test_checksums_of_pieces(pieces, random):
    """Pieces in any order give the CRC-32 of the whole, and None while one is missing."""
    whole, places = b"", []
    for piece in pieces:
        places.append((len(whole), piece))
        whole += piece
    random.shuffle(places)
    checksum = _checksum.Checksum()
    for start, piece in places:
        if piece:
            assert checksum.of(len(whole)) is None
        checksum.add(start, piece)
    assert checksum.of(len(whole)) == zlib.crc32(whole)
    assert checksum.of(len(whole) + 1) is None
    assert len(list(checksum)) == bool(whole)


@pytest.mark.parametrize("length", [0, 1, 7, 4096, 10**6])
def test_checksums_of_long_pieces(length):
    """Combining is right for lengths of any size."""
    zeros = bytes(length)
    expected = zlib.crc32(zeros, zlib.crc32(b"a"))
    assert _checksum.combine(zlib.crc32(b"a"), zlib.crc32(zeros), length) == expected


@pytest.mark.parametrize("offset", range(17))
def test_the_crc_is_zlibs(offset, monkeypatch):
    """For every rest of the 64 bytes that the kernel takes at once, at any address and start."""
    monkeypatch.setattr(_checksum, "_NATIVE", 0)
    data = np.random.default_rng(offset).bytes(3000)
    view = memoryview(data)[offset:]
    for length in (*range(300), len(view)):
        for before in (0, 0xFFFFFFFF, zlib.crc32(data[:offset])):
            part = view[:length]
            assert _checksum.crc32(part, before) == zlib.crc32(part, before)


def test_checksums_of_more_than_4_gib():
    """Zeros after a byte, doubled 33 times, against the same in one step."""
    crc, zeros, length = zlib.crc32(b"a"), zlib.crc32(b"\0"), 1
    for _ in range(33):
        crc = _checksum.combine(crc, zeros, length)
        zeros, length = _checksum.combine(zeros, zeros, length), 2 * length
    first = zlib.crc32(b"a")
    assert length == 2**33
    before = _checksum.combine(zeros, zlib.crc32(b"\0"), 1)  # 2**33 + 1 zeros
    assert _checksum.combine(first, before, 2**33 + 1) == _checksum.combine(
        _checksum.combine(crc, zlib.crc32(b"\0"), 1), zlib.crc32(b"\0"), 1
    )


def test_pieces_that_come_twice_are_refused():
    """A byte counts once."""
    checksum = _checksum.Checksum()
    checksum.add(0, b"ab")
    for start in (0, 1):
        with pytest.raises(ValueError, match="are there twice"):
            checksum.add(start, b"b" if start else b"abc")
