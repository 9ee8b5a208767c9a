# SPDX-License-Identifier: Apache-2.0
"""The kernel equals the reference to the byte: every target, law, dtype, count, offset, stride."""

import itertools
import math
import os
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import EVERYWHERE, NATIVE, TARGETS

from glorot import _kernel, _laws, _stream
from glorot._dtypes import FLOATS
from glorot._stream import Stream
from glorot.replay.tensorflow._kernels import normal_law, uniform_law

LANES = {"avx512": 16, "avx2": 8, "neon": 4, "portable": 4}
MOST = 4 * 16 + 3  # 4 * lanes + 3 of the widest target

LAWS = {
    "uniform": _laws.Uniform(0.3),
    "uniform with mean": _laws.Uniform(0.2, mean=0.1, bounds=(-0.1, 0.3)),
    "normal": _laws.Normal(0.02),
    "normal of subnormal halves": _laws.Normal(1e-6),
    "normal with mean": _laws.Normal(1.0, mean=3.0),
    "truncated": _laws.TruncatedNormal(0.5),
    "truncated above 1": _laws.TruncatedNormal(0.5, lower=1.0, upper=math.inf),
    "truncated below -0.5": _laws.TruncatedNormal(0.5, lower=-math.inf, upper=-0.5),
    "truncated close to zero": _laws.TruncatedNormal(1.0, lower=-0.01, upper=0.02),
    "truncated with mean": _laws.TruncatedNormal(1.0, mean=-1.0, lower=-3.0, upper=0.5),
}
CASES = [(name, dtype) for name in LAWS for dtype in FLOATS]
TF_LAWS = ("tf uniform", "tf normal", "tf truncated")
TF_DTYPES = ("float32", "float64", "float16", "bfloat16")
GUARD = 0xA5


def law_and_dtype(name, dtype):
    """The law of a case; TensorFlow's is rounded to its dtype."""
    if name == "words":
        return None, np.dtype(np.uint32)
    if name == "tf uniform":
        return uniform_law(-0.3, 0.7, FLOATS[dtype]), FLOATS[dtype]
    if name in TF_LAWS:
        law = normal_law(-0.3, 0.7, FLOATS[dtype], truncated=name == "tf truncated")
        return law, FLOATS[dtype]
    return LAWS[name], FLOATS[dtype]


ALL_CASES = [*CASES, *itertools.product(TF_LAWS, TF_DTYPES), ("words", "uint32")]


def reference(law, dtype, stream, start, shape, strides=None):
    """What the NumPy code writes."""
    out = np.empty(shape, dtype)
    with _kernel.forced("reference"):
        _kernel.fill(out, law, stream, start, strides)
    return out


def test_the_native_kernel_is_built_here():
    """These tests compare a native kernel with the reference; without one they prove nothing."""
    assert NATIVE is not None
    assert TARGETS[-1] == "portable"


if sys.platform == "linux":

    def test_every_instruction_set_of_this_machine_has_its_target():
        """A machine with AVX2 or AVX-512 runs the kernels made for them, and they come first."""
        with open("/proc/cpuinfo") as file:
            flags = set(next((line for line in file if line.startswith("flags")), "").split())
        expected = []
        if {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd", "fma", "f16c"} <= flags:
            expected.append("avx512")
        if {"avx2", "fma", "f16c"} <= flags:
            expected.append("avx2")
        if os.uname().machine == "aarch64":
            expected.append("neon")
        assert [*expected, "portable"] == TARGETS


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("name", "dtype"), ALL_CASES)
def test_every_count_at_every_offset(target, name, dtype):
    """Counts 0..4*lanes+3 from indices 0..7, at all alignments, write their bytes and no others."""
    law, dtype = law_and_dtype(name, dtype)
    stream = _stream.stream(7, "count")
    whole = reference(law, dtype, stream, 0, MOST + 8)
    size = dtype.itemsize
    with _kernel.forced(target):
        assert _kernel.target() == target
        for offset in range(8):
            for count in range(4 * LANES[target] + 4):
                place = 64 + (offset * 5 + count) % 16  # bytes: any alignment
                memory = np.full(place + (count + 16) * size + 64, GUARD, np.uint8)
                out = memory[place : place + count * size].view(dtype)
                _kernel.fill(out, law, stream, offset)
                assert out.tobytes() == whole[offset : offset + count].tobytes(), (offset, count)
                assert (memory[:place] == GUARD).all()
                assert (memory[place + count * size :] == GUARD).all()


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("name", "dtype"), ALL_CASES)
def test_long_runs_and_carries(target, name, dtype):
    """Runs of many chunks equal the reference where the counter's digits carry, up to 2**63."""
    law, dtype = law_and_dtype(name, dtype)
    starts = [2**34 - 300, 2**62, 2**63 - 700] if name not in TF_LAWS else [2**33 - 300]
    streams = [_stream.stream(2**64 - 1, "Ünïcode.層.0")]
    if name in TF_LAWS:  # its counters start anywhere: carry through all four digits
        streams += [Stream(5, 2**64 - 40), Stream(5, 2**96 - 40), Stream(5, 2**128 - 40)]
        starts.append(0)
    for stream in streams:
        for start in starts:
            expected = reference(law, dtype, stream, start, 613)
            out = np.empty(613, dtype)
            with _kernel.forced(target):
                _kernel.fill(out, law, stream, start)
            assert out.tobytes() == expected.tobytes(), (stream, start)


@st.composite
def strided_fills(draw):
    """(shape, index strides, memory axes order, memory steps, start): shards, orders, views."""
    dimensions = draw(st.integers(1, 4))
    most = 24 if dimensions < 4 else 9  # the reference takes long for more
    shape = tuple(draw(st.integers(1, most)) for _ in range(dimensions))
    order = draw(st.permutations(range(len(shape))))
    padded = [n + draw(st.integers(0, 5)) for n in shape]
    strides = [0] * len(shape)
    step = draw(st.sampled_from([1, 1, 1, 3]))
    for axis in reversed(order):
        strides[axis] = step
        step *= padded[axis]
    memory_order = draw(st.permutations(range(len(shape))))
    memory_steps = [draw(st.sampled_from([1, 1, 2, -1])) for _ in shape]
    start = draw(st.sampled_from([0, 1, 2**34 - 50, 2**62])) + draw(st.integers(0, 9))
    return shape, tuple(strides), memory_order, memory_steps, start


@given(fill=strided_fills(), case=st.sampled_from(ALL_CASES))
@settings(deadline=None, max_examples=150)
def test_strided_fills_equal_the_reference(fill, case):
    """On every target, any index strides into any memory strides: the reference's bytes, and gaps
    left alone."""
    shape, strides, memory_order, memory_steps, start = fill
    law, dtype = law_and_dtype(*case)
    if case[0] in TF_LAWS:
        start %= 2**40
        shape = tuple(min(n, 7) for n in shape)  # its normals take the reference long
    stream = _stream.stream(3, "strided")
    expected = reference(law, dtype, stream, start, shape, strides).tobytes()
    spans = [shape[axis] * abs(memory_steps[axis]) for axis in memory_order]
    guard = np.full(1, GUARD, np.uint8).repeat(dtype.itemsize).view(dtype)[0]
    for target in TARGETS:
        memory = np.full((math.prod(spans) + 2) * dtype.itemsize, GUARD, np.uint8)
        middle = memory[dtype.itemsize : -dtype.itemsize].view(dtype).reshape(spans)
        view = middle[tuple(slice(None, None, memory_steps[axis]) for axis in memory_order)]
        out = view.transpose(np.argsort(memory_order))
        assert out.shape == shape
        with _kernel.forced(target):
            _kernel.fill(out, law, stream, start, strides)
        assert out.tobytes() == expected, target
        out[...] = guard
        assert (memory == GUARD).all(), target


@pytest.mark.parametrize("name", ["truncated", "tf uniform"])
@pytest.mark.parametrize("strides", [None, (2, 700), (520, 1)], ids=["run", "transposed", "rows"])
def test_the_reference_joins_its_chunks(name, strides):
    """Fills of several of the reference's chunks are those of every target, from any start."""
    law, dtype = law_and_dtype(name, "float32")
    stream = _stream.stream(5, "chunks")
    expected = reference(law, dtype, stream, 13, (300, 517), strides)
    for target in TARGETS:
        out = np.empty((300, 517), dtype)
        with _kernel.forced(target):
            _kernel.fill(out, law, stream, 13, strides)
        assert out.tobytes() == expected.tobytes()


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64", "float8_e5m2"])
def test_large_transposed_fill(target, dtype):
    """A canonical fill, over many tiles and threads, is the transpose of the straight one."""
    law, dtype = LAWS["normal"], FLOATS[dtype]
    stream = _stream.stream(1, "w")
    rows, columns = 517, 1030
    straight = np.empty((rows, columns), dtype)
    with _kernel.forced(target):
        _kernel.fill(straight, law, stream)
        for memory in (
            np.empty((columns, rows), dtype),
            np.empty((columns, rows + 11), dtype)[:, 5:-6],
        ):
            for threads in (1, 2, 5):
                memory[...] = 0
                _kernel.fill(memory, law, stream, 0, (1, columns), threads)
                assert (memory == straight.T).all()


@pytest.mark.parametrize("target", EVERYWHERE)
@pytest.mark.parametrize("dtype", [name for name in FLOATS if name != "float64"])
def test_given_words(target, dtype):
    """`apply` gives a law's values for words given, in lanes of every target, extremes included."""
    words = np.array([0, 1, 2, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1, 5], np.uint32)
    words = np.concatenate([words, np.arange(0, 2**32, 30011 * 31, dtype=np.uint32)])
    for law in LAWS.values():
        with np.errstate(over="ignore"):
            expected = _laws.values(np, law, FLOATS[dtype], words)
        with _kernel.forced(target):
            assert _kernel.apply(law, words, dtype).tobytes() == expected.tobytes()


@pytest.mark.parametrize("target", EVERYWHERE)
@pytest.mark.parametrize("dtype", FLOATS)
def test_moments(target, dtype):
    """Sum and sum of squares are those of the widened values, subnormals included."""
    values = np.concatenate([np.linspace(-3, 3, 1003), np.ldexp(1.0, -np.arange(1, 30))])
    values = values.astype(FLOATS[dtype])
    wide = values.astype(np.float64)
    with _kernel.forced(target):
        total, squares = _kernel.moments(values)
    assert math.isclose(total, math.fsum(wide), rel_tol=1e-12, abs_tol=1e-12)
    assert math.isclose(squares, math.fsum(wide * wide), rel_tol=1e-12)


@pytest.mark.parametrize("target", EVERYWHERE)
def test_moments_of_what_is_too_large(target):
    """Sums that float64 does not hold are infinite, and nothing warns of them."""
    with _kernel.forced(target):
        assert _kernel.moments(np.full(9, 1e308)) == (np.inf, np.inf)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", FLOATS)
def test_filled_and_measured_in_one(target, dtype):
    """The bytes are those of `fill`, the sums those of `moments`, the CRC zlib's: for less than a
    piece, and for several and a rest."""
    stream = _stream.stream(3, "w")
    for count in (0, 1, 1000, (1 << 20) // FLOATS[dtype].itemsize + 77):
        out, expected = (np.empty(count, FLOATS[dtype]) for _ in range(2))
        with _kernel.forced(target):
            _kernel.fill(expected, LAWS["normal"], stream, 11)
            found = _kernel.fill_measured(out, LAWS["normal"], stream, 11)
            total, squares = _kernel.moments(expected)
        if found is None:
            assert _kernel.native_crc32() is None
            continue
        assert out.tobytes() == expected.tobytes()
        assert found.crc == zlib.crc32(expected.tobytes())
        assert math.isclose(found.total, total, rel_tol=1e-12, abs_tol=1e-9)
        assert math.isclose(found.squares, squares, rel_tol=1e-12)


def test_refusals():
    """Memory that cannot be written, a dtype without a law, indices out of range: refused."""
    stream = _stream.stream(1, "x")
    law = LAWS["uniform"]
    frozen = np.zeros(3, np.float32)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="`out` must be writeable, got a read-only array"):
        _kernel.fill(frozen, law, stream)
    with pytest.raises(TypeError, match="cannot fill an array of dtype int32"):
        _kernel.fill(np.zeros(3, np.int32), law, stream)
    with pytest.raises(TypeError, match="cannot fill an array of dtype float32"):
        _kernel.fill(np.zeros(3, np.float32), None, stream)
    with pytest.raises(ValueError, match=r"indices .* leave the stream's range \[0, 2\*\*63\)"):
        _kernel.fill(np.zeros(3, np.float32), law, stream, 2**63 - 2)
    with pytest.raises(ValueError, match="leave the stream's range"):
        _kernel.fill(np.zeros((2, 3), np.float32), law, stream, 0, (-1, 1))
