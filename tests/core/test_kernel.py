# SPDX-License-Identifier: Apache-2.0
"""The kernel equals the reference to the byte: every target, law, dtype, count, offset, stride."""

import ast
import ctypes
import itertools
import math
import os
import subprocess
import sys
import threading
import time
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from glorot import _kernel, _laws, _stream
from glorot._dtypes import FLOATS
from glorot._stream import Stream
from glorot.replay.tensorflow._kernels import normal_law, uniform_law

NATIVE = _kernel._native
TARGETS = list(NATIVE.targets()) if NATIVE is not None else []
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


@pytest.mark.parametrize("target", TARGETS)
@given(fill=strided_fills(), case=st.sampled_from(ALL_CASES))
@settings(deadline=None, max_examples=150)
def test_strided_fills_equal_the_reference(target, fill, case):
    """Any index strides into any memory strides: the reference's bytes, and gaps left alone."""
    shape, strides, memory_order, memory_steps, start = fill
    law, dtype = law_and_dtype(*case)
    if case[0] in TF_LAWS:
        start %= 2**40
        shape = tuple(min(n, 7) for n in shape)  # its normals take the reference long
    stream = _stream.stream(3, "strided")
    spans = [shape[axis] * abs(memory_steps[axis]) for axis in memory_order]
    memory = np.full((math.prod(spans) + 2) * dtype.itemsize, GUARD, np.uint8)
    middle = memory[dtype.itemsize : -dtype.itemsize].view(dtype).reshape(spans)
    view = middle[tuple(slice(None, None, memory_steps[axis]) for axis in memory_order)]
    out = view.transpose(np.argsort(memory_order))
    assert out.shape == shape
    before = memory.copy()
    with _kernel.forced(target):
        _kernel.fill(out, law, stream, start, strides)
    assert out.tobytes() == reference(law, dtype, stream, start, shape, strides).tobytes()
    out[...] = np.full(1, GUARD, np.uint8).repeat(dtype.itemsize).view(dtype)[0]
    assert (memory == before).all()


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


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
def test_bytes_do_not_depend_on_threads(target, dtype):
    """1, 2, 3 and 7 threads write the same bytes, of sizes that bypass the cache and of others."""
    law, dtype = LAWS["uniform"], FLOATS[dtype]
    stream = _stream.stream(11, "threads")
    for count in (1 << 20, (9 << 20) // 4 + 5):
        memory = np.empty(count + 3, dtype)
        for offset in (0, 3):
            out = memory[offset : offset + count]
            sums = set()
            for threads in (1, 2, 3, 7):
                out[:] = 0
                with _kernel.forced(target):
                    _kernel.fill(out, law, stream, 9, None, threads)
                sums.add(out.tobytes())
            assert len(sums) == 1
            assert out[-5:].tobytes() == reference(law, dtype, stream, 9 + count - 5, 5).tobytes()


@pytest.mark.parametrize("target", [*TARGETS, "reference"])
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


@pytest.mark.parametrize("target", [*TARGETS, "reference"])
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


@pytest.mark.parametrize("target", [*TARGETS, "reference"])
@pytest.mark.parametrize("threads", ["1", "3"])
def test_a_batch_writes_what_each_alone_does(target, threads, monkeypatch):
    """Runs of many lengths, laws and dtypes, rows of a tensor among them, and strided ones, which
    do not wait; nothing beside them is written, and nothing twice."""
    monkeypatch.setenv("GLOROT_THREADS", threads)
    rng = np.random.default_rng(0)
    batch = _kernel.Batch(least=0)
    rows = []
    sizes = [0, 1, 7, 100, 70_000, (1 << 18) + 5, (1 << 19) + 1]
    for number, size in enumerate(sizes if target != "reference" else sizes[:5]):
        for law in LAWS.values():
            dtype = FLOATS[list(FLOATS)[len(rows) % len(FLOATS)]]
            memory = np.full((size + 2) * dtype.itemsize, 0xA5, np.uint8)
            out = memory[dtype.itemsize : -dtype.itemsize].view(dtype)
            start = int(rng.integers(1 << 40))
            rows.append((memory, out, law, _stream.stream(5, str(number)), start, None))
    whole = np.zeros((40, 30), np.float32)
    law, stream = LAWS["normal"], _stream.stream(5, "w")
    rows.append((whole, whole[3:9], law, stream, 90, (30, 1)))  # rows: consecutive
    rows.append((whole, whole[10:, 2:7], law, stream, 302, (30, 1)))
    with _kernel.forced(target):
        for _, out, law, stream, start, steps in rows:
            _kernel.fill(out, law, stream, start, steps, batch=batch)
        waiting = len(batch._tasks)
        batch.run()
        batch.run()
    assert waiting == (0 if target == "reference" else len([r for r in rows if r[1].size]) - 1)
    for memory, out, law, stream, start, steps in rows:
        expected = np.empty(out.shape, out.dtype)
        _kernel.fill(expected, law, stream, start, steps)
        assert out.tobytes() == expected.tobytes()
        if memory is not whole:
            guards = memory[: out.itemsize], memory[memory.size - out.itemsize :]
            assert all((guard == 0xA5).all() for guard in guards)
    assert np.count_nonzero(whole) == 6 * 30 + 30 * 5


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_small_does_not_wait(target):
    """It is filled at once, and what waits for its memory before it."""
    large, small = np.zeros(1 << 15, np.float32), np.zeros(9, np.float32)
    batch, law = _kernel.Batch(), LAWS["uniform"]
    with _kernel.forced(target):
        _kernel.fill(large, law, _stream.stream(1, "a"), batch=batch)
        _kernel.fill(small, law, _stream.stream(1, "b"), batch=batch)
        assert (np.count_nonzero(large), np.count_nonzero(small)) == (0, 9)
        _kernel.fill(large[:9], law, _stream.stream(1, "b"), batch=batch)
    assert np.count_nonzero(large) == large.size
    assert (large[:9] == small).all()


@pytest.mark.parametrize("target", TARGETS)
def test_a_batch_holds_no_more_than_it_may(target):
    """What is more than that is done at once, and what waits with it."""
    outs = [np.zeros(1000, np.float32) for _ in range(3)]
    batch = _kernel.Batch(most=9000, least=0)
    with _kernel.forced(target):
        for number, out in enumerate(outs):
            _kernel.fill(out, LAWS["uniform"], _stream.stream(1, str(number)), batch=batch)
            assert len(batch._tasks) == (number + 1) % 3
    assert all(np.count_nonzero(out) == 1000 for out in outs)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 70), st.integers(0, 70), st.integers(0, 3)), min_size=2))
def test_of_fills_of_the_same_memory_the_last_stands(rows):
    """A batch leaves what fills one after another leave, whatever overlaps, and runs no more often
    than something does."""
    stream, law = _stream.stream(3, "x"), LAWS["uniform"]
    expected = np.zeros(70, np.float32)
    found = np.zeros(70, np.float32)
    batch = _kernel.Batch(least=0)
    for number, (one, other, way) in enumerate(rows):
        part = slice(min(one, other), max(one, other), 2 if way == 1 else 1)
        views = [memory[part] for memory in (expected, found)]
        if way == 2:
            views = [view[::-1] for view in views]
        _kernel.fill(views[0], law, stream, 1000 * number)
        if way == 3:  # by a writer that lets nothing wait
            batch.before(views[1])
            views[1][...] = views[0]
        else:
            _kernel.fill(views[1], law, stream, 1000 * number, batch=batch)
    batch.run()
    assert found.tobytes() == expected.tobytes()


def test_what_does_not_overlap_waits_together():
    """Neighbours are not the same memory."""
    memory = np.zeros(1000, np.float32)
    batch = _kernel.Batch(least=0)
    for number in np.random.default_rng(0).permutation(100):
        part = memory[number * 10 : (number + 1) * 10]
        _kernel.fill(part, LAWS["uniform"], _stream.stream(1, "x"), batch=batch)
    assert len(batch._tasks) == (0 if _kernel.target() == "reference" else 100)
    batch.run()
    assert memory.all()


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


def run_python(code, **environment):
    """A fresh interpreter, where the environment is read anew."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("target", [*TARGETS, "reference"])
def test_the_environment_forces_the_target(target):
    """GLOROT_TARGET chooses the code that runs, and every choice gives the same values."""
    code = (
        "import glorot; w = glorot.HeNormal(seed=5)((40, 30), name='w');"
        "print([glorot.config()['target'], hash(w.tobytes()) and w.tobytes().hex()[:64]])"
    )
    found = run_python(code, GLOROT_TARGET=target)
    assert found.returncode == 0, found.stderr
    used, start = ast.literal_eval(found.stdout)
    assert used == target
    expected = reference(
        _laws.TruncatedNormal(math.sqrt(2.0 / 40) / 0.87962566103423978),
        FLOATS["float32"],
        _stream.stream(5, "w"),
        0,
        8,
    )
    assert start == expected.tobytes().hex()


def test_a_target_that_cannot_run_is_refused():
    """GLOROT_TARGET naming another machine's code: each use is an error, `import glorot` is not."""
    code = "import glorot; print('imported'); glorot.HeNormal(seed=1)((3, 3))"
    found = run_python(code, GLOROT_TARGET="vax")
    assert (found.returncode, found.stdout) == (1, "imported\n")
    assert found.stderr.endswith(
        f"ValueError: GLOROT_TARGET='vax' cannot run here. This machine has {', '.join(TARGETS)} "
        "and reference (the NumPy code); unset it for the first.\n"
    )


def test_a_target_without_the_compiled_kernel_is_refused(monkeypatch):
    """An installation without a compiler has no avx2 to force."""
    monkeypatch.setitem(sys.modules, "glorot._native", None)
    monkeypatch.setenv("GLOROT_TARGET", "avx2")
    with pytest.raises(ValueError, match="GLOROT_TARGET='avx2' needs the compiled kernel"):
        _kernel.load_native().target()
    monkeypatch.setenv("GLOROT_TARGET", "")
    assert _kernel.load_native() is None


@pytest.mark.parametrize(
    "setting", ["0", "two", "-1", "1.5", " 2", "1025", "2147483648", "1" * 5000, "0x10"]
)
def test_bad_thread_counts_are_refused(setting, monkeypatch):
    """GLOROT_THREADS must be a whole number from 1 to 1024; a long text is cut short."""
    monkeypatch.setenv("GLOROT_THREADS", setting)
    with pytest.raises(ValueError, match="GLOROT_THREADS must be a whole number") as refusal:
        _kernel.fill(np.empty(3, np.float32), LAWS["uniform"], _stream.stream(1, "x"))
    shown = setting if len(setting) < 20 else "1" * 20 + "..."
    assert f"from 1 to 1024, got '{shown}'. Unset it" in str(refusal.value)


@pytest.mark.parametrize(("setting", "expected"), [("1", 1), ("1024", 1024), ("007", 7)])
def test_thread_counts_that_are_allowed(setting, expected, monkeypatch):
    """1 and 1024 are the ends of the range."""
    monkeypatch.setenv("GLOROT_THREADS", setting)
    assert _kernel.allowed_threads() == expected


@pytest.mark.parametrize(("cpus", "expected"), [(1, 1), (3, 3), (2000, 1024)])
def test_threads_are_as_many_as_the_cpus_of_the_process(cpus, expected, monkeypatch):
    """Without GLOROT_THREADS: the CPUs that the process may run on, not those of the machine."""
    monkeypatch.delenv("GLOROT_THREADS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cpus)), raising=False)
    _kernel._threads_allowed.cache_clear()
    assert _kernel.allowed_threads() == expected
    _kernel._threads_allowed.cache_clear()


def longest_wait(work):
    """How long the longest time is that this thread stands still while another does `work`."""
    ended = threading.Event()

    def run():
        work()
        ended.set()

    other = threading.Thread(target=run)
    longest, before = 0.0, time.perf_counter()
    other.start()
    while not ended.is_set():
        now = time.perf_counter()
        longest, before = max(longest, now - before), now
    return max(longest, time.perf_counter() - before)


@pytest.mark.parametrize("strides", [None, (1, 4096)], ids=["straight", "transposed"])
def test_python_runs_while_the_kernel_does(strides):
    """The kernel lets other Python threads run: no wait is as long as a fill."""
    out, stream = np.zeros((4096, 4096)), _stream.stream(1, "w")
    seconds = []

    def fill():
        for _ in range(3):
            begin = time.perf_counter()
            _kernel.fill(out, LAWS["normal"], stream, 0, strides, 1)
            seconds.append(time.perf_counter() - begin)

    assert longest_wait(fill) < 0.7 * min(seconds)


if os.name == "posix":

    def test_code_that_keeps_python_waiting_shows():
        """The wait for a C function that holds Python's lock is as long as its call."""
        held = ctypes.PyDLL(None).usleep
        assert longest_wait(lambda: held(200_000)) > 0.7 * 0.2
