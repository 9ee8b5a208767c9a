# SPDX-License-Identifier: Apache-2.0
"""The laws for CUDA, in Triton: the same integers as _laws.py, the same bytes as the CPU's.

A value is integer operations on a word, one conversion and one multiplication; between a product
and a sum stands a clip, so that no compiler can fuse them.  `_run` fills contiguous memory in the
order of the index and computes a Philox block once for its four words; `_strided` fills anything
else, a block for each element.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import triton
import triton.language as tl

from glorot import _laws
from glorot._laws import Law
from glorot._stream import Stream

DTYPES = (torch.float32, torch.float16, torch.bfloat16)
MOST_AXES = 4  # of a strided fill, once axes that follow on each other are one
_KINDS = {"uniform": 1, "normal": 2, "truncated_normal": 3}
_BLOCKS = 256  # Philox blocks a program
_EXACT = {"enable_fp_fusion": False}


@triton.jit
def _philox(c0, c1, c2, c3, k0, k1):
    for _ in tl.static_range(10):
        h0 = tl.umulhi(c0, tl.full(c0.shape, 0xD2511F53, tl.uint32))
        l0 = c0 * tl.full(c0.shape, 0xD2511F53, tl.uint32)
        h1 = tl.umulhi(c2, tl.full(c2.shape, 0xCD9E8D57, tl.uint32))
        l1 = c2 * tl.full(c2.shape, 0xCD9E8D57, tl.uint32)
        c0, c1, c2, c3 = h1 ^ c1 ^ k0, l1, h0 ^ c3 ^ k1, l0
        k0 = (k0 + 0x9E3779B9).to(tl.uint32)
        k1 = (k1 + 0xBB67AE85).to(tl.uint32)
    return c0, c1, c2, c3


@triton.jit
def _normal(q, least, below, above, table):
    negative = (q >> 31) == 0
    folded = tl.where(negative, q, q ^ 0xFFFFFFFF).to(tl.uint32)
    tail = ((folded << 1) | 1).to(tl.uint32)
    # Clearing the bit below the leading one keeps the conversion from rounding up an octave.
    leading = (tail & ~(tail >> 1)).to(tl.uint32).to(tl.float32).to(tl.uint32, bitcast=True) >> 23
    octave = (158 - leading).to(tl.uint32)
    fraction = ((tail << octave) << 1).to(tl.uint32)
    row = ((octave << 2) | (fraction >> 30)).to(tl.int32)
    t = (fraction << 2).to(tl.uint32)
    magnitude = tl.load(table + row * 5 + 4)
    for degree in tl.static_range(3, -1, -1):
        magnitude = tl.load(table + row * 5 + degree) - tl.umulhi(t, magnitude)
    magnitude = (magnitude | 1).to(tl.uint32)
    magnitude = tl.minimum(tl.maximum(magnitude, least), tl.where(negative, below, above))
    real = magnitude.to(tl.uint32).to(tl.float32)
    return tl.where(negative, -real, real)


@triton.jit
def _value(
    word, table, first, words, least, below, above, scale, peak, mean, low, high,
    KIND: tl.constexpr, MEAN: tl.constexpr, BOUNDS: tl.constexpr,
):  # fmt: skip
    if KIND == 1:
        integer = ((word >> 8).to(tl.int32) * 2 + (1 - (1 << 24))).to(tl.float32)
    elif KIND == 2:
        integer = _normal(word, least, below, above, table)
    else:
        q = (first + tl.umulhi(word, words)).to(tl.uint32)
        integer = _normal(q, least, below, above, table)
    value = integer * scale
    if MEAN:
        value = tl.minimum(tl.maximum(value, -peak), peak) + mean
        if BOUNDS:
            value = tl.minimum(tl.maximum(value, low), high)
    return value


@triton.jit
def _rounded(value, out):
    """In the dtype of `out`, to nearest even; bfloat16 goes as the integer of its bits."""
    if out.dtype.element_ty == tl.int16:
        bits = value.to(tl.uint32, bitcast=True)
        rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).to(tl.int16)
    else:
        rounded = value.to(out.dtype.element_ty)
    return rounded


# Seeds and sizes must not make a kernel each: an integer of 1, or a multiple of 16, otherwise does.
_PLAIN = [
    *("count", "begin", "key0", "key1", "tag0", "tag1"),
    *("first", "words", "least", "below", "above"),
    *("n1", "n2", "n3", "m0", "m1", "m2", "m3", "s0", "s1", "s2", "s3"),
]


@triton.jit(do_not_specialize=_PLAIN[:11])
def _run(
    out, count, begin, key0, key1, tag0, tag1,
    table, first, words, least, below, above, scale, peak, mean, low, high,
    KIND: tl.constexpr, MEAN: tl.constexpr, BOUNDS: tl.constexpr, BLOCKS: tl.constexpr,
):  # fmt: skip
    block = tl.program_id(0).to(tl.int64) * BLOCKS + tl.arange(0, BLOCKS) + begin // 4
    zero = tl.zeros((BLOCKS,), tl.uint32)
    w0, w1, w2, w3 = _philox(
        block.to(tl.uint32), (block >> 32).to(tl.uint32),
        zero + tag0.to(tl.uint32), zero + tag1.to(tl.uint32),
        zero + key0.to(tl.uint32), zero + key1.to(tl.uint32),
    )  # fmt: skip
    word = tl.interleave(tl.interleave(w0, w2), tl.interleave(w1, w3))
    place = (tl.program_id(0).to(tl.int64) * BLOCKS + begin // 4) * 4 - begin
    place += tl.arange(0, 4 * BLOCKS)
    u = tl.zeros((4 * BLOCKS,), tl.uint32)
    value = _value(
        word, table, u + first.to(tl.uint32), u + words.to(tl.uint32), u + least.to(tl.uint32),
        u + below.to(tl.uint32), u + above.to(tl.uint32), scale, peak, mean, low, high,
        KIND, MEAN, BOUNDS,
    )  # fmt: skip
    tl.store(out + place, _rounded(value, out), mask=(place >= 0) & (place < count))


@triton.jit(do_not_specialize=_PLAIN)
def _strided(
    out, count, begin, key0, key1, tag0, tag1,
    table, first, words, least, below, above, scale, peak, mean, low, high,
    n1, n2, n3, m0, m1, m2, m3, s0, s1, s2, s3,
    KIND: tl.constexpr, MEAN: tl.constexpr, BOUNDS: tl.constexpr, SIZE: tl.constexpr,
):  # fmt: skip
    element = tl.program_id(0).to(tl.int64) * SIZE + tl.arange(0, SIZE)
    rest = element
    i3 = rest % n3
    rest = rest // n3
    i2 = rest % n2
    rest = rest // n2
    i1 = rest % n1
    i0 = rest // n1
    place = i0 * m0 + i1 * m1 + i2 * m2 + i3 * m3
    index = begin + i0 * s0 + i1 * s1 + i2 * s2 + i3 * s3
    block = index >> 2
    u = tl.zeros((SIZE,), tl.uint32)
    w0, w1, w2, w3 = _philox(
        block.to(tl.uint32), (block >> 32).to(tl.uint32),
        u + tag0.to(tl.uint32), u + tag1.to(tl.uint32),
        u + key0.to(tl.uint32), u + key1.to(tl.uint32),
    )  # fmt: skip
    lane = index & 3
    word = tl.where(lane < 2, tl.where(lane == 0, w0, w1), tl.where(lane == 2, w2, w3))
    value = _value(
        word, table, u + first.to(tl.uint32), u + words.to(tl.uint32), u + least.to(tl.uint32),
        u + below.to(tl.uint32), u + above.to(tl.uint32), scale, peak, mean, low, high,
        KIND, MEAN, BOUNDS,
    )  # fmt: skip
    tl.store(out + place, _rounded(value, out), mask=element < count)


@functools.cache
def _table(device: torch.device) -> torch.Tensor:
    table = _laws.normal_table(32).view(np.int32)
    return torch.from_numpy(table.copy()).view(torch.uint32).to(device)


def can_fill(tensor: torch.Tensor, law: Any, steps: Sequence[int]) -> bool:
    """Whether `fill` does this: the laws in 32 bits or less, of few axes."""
    return (
        isinstance(law, Law)
        and law.kind in _KINDS
        and tensor.dtype in DTYPES
        and len(_collapsed(tensor.shape, tensor.stride(), steps)) <= MOST_AXES
    )


def _collapsed(
    shape: Sequence[int], strides: Sequence[int], steps: Sequence[int]
) -> list[tuple[int, int, int]]:
    """(size, stride in memory, step of the index) of each axis, those joined that go on in both
    where the next one ends.

    Examples:
        >>> _collapsed((2, 3, 4), (12, 4, 1), (100, 4, 1))
        [(2, 12, 100), (12, 1, 1)]
    """
    axes: list[tuple[int, int, int]] = []
    for size, stride, step in zip(shape, strides, steps, strict=True):
        if size == 1:
            continue
        if axes and axes[-1][1:] == (stride * size, step * size):
            axes[-1] = axes[-1][0] * size, stride, step
        else:
            axes.append((size, stride, step))
    return axes


def fill(tensor: torch.Tensor, law: Law, stream: Stream, start: int, steps: Sequence[int]) -> None:
    """Write the law's values into a tensor of any strides; `start` and `steps` as for
    `_kernel.fill`."""
    if not tensor.numel():
        return
    scale = np.float32(law.multiplier(32))
    cuts, words = (0, 0xFFFFFFFF, 0xFFFFFFFF), (0, 0)
    if isinstance(law, _laws.TruncatedNormal):
        cuts, words = law.cuts(32), (law.first, law.words)
    low, high = law.bounds or (-math.inf, math.inf)
    constants = (
        *(_table(tensor.device), *map(_signed, words + cuts), float(scale)),
        *(float(np.float32(law.peak(32)) * scale), float(law.mean), low, high),
    )
    digits = (stream.key, stream.key >> 32, stream.counter >> 64, stream.counter >> 96)
    identity = [_signed(digit & 0xFFFFFFFF) for digit in digits]
    options = {"KIND": _KINDS[law.kind], "MEAN": law.mean != 0.0, "BOUNDS": law.bounds is not None}
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.view(torch.int16)
    axes = _collapsed(tensor.shape, tensor.stride(), steps)
    count = tensor.numel()
    if not axes or (len(axes) == 1 and axes[0][1:] == (1, 1)):
        blocks = (start + count - 1) // 4 - start // 4 + 1
        grid = (triton.cdiv(blocks, _BLOCKS),)
        _run[grid](tensor, count, start, *identity, *constants, **options, **_EXACT, BLOCKS=_BLOCKS)
        return
    axes = [(1, 0, 0)] * (MOST_AXES - len(axes)) + axes
    sizes, strides, places = zip(*axes, strict=True)
    grid = (triton.cdiv(count, 4 * _BLOCKS),)
    _strided[grid](
        *(tensor, count, start, *identity, *constants, *sizes[1:], *strides, *places),
        **options,
        **_EXACT,
        SIZE=4 * _BLOCKS,
    )


def _signed(word: int) -> int:
    """The 32 bits as a signed integer, so that every seed has one type for the compiler."""
    return word - (1 << 32) if word >> 31 else word
