# SPDX-License-Identifier: Apache-2.0
"""Fills that wait for one another and are done in one call leave what each alone does."""

import time
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import EVERYWHERE, TARGETS

from glorot import _kernel, _laws, _stream
from glorot._batch import Batch
from glorot._dtypes import FLOATS

LAWS = {
    "uniform": _laws.Uniform(0.3),
    "uniform with mean": _laws.Uniform(0.2, mean=0.1, bounds=(-0.1, 0.3)),
    "normal": _laws.Normal(0.02),
    "truncated": _laws.TruncatedNormal(0.5),
    "truncated with mean": _laws.TruncatedNormal(1.0, mean=-1.0, lower=-3.0, upper=0.5),
}


@pytest.mark.parametrize("target", EVERYWHERE)
@pytest.mark.parametrize("threads", ["1", "3"])
def test_a_batch_writes_what_each_alone_does(target, threads, monkeypatch):
    """Runs of many lengths, laws and dtypes, rows of a tensor among them, and strided ones, which
    do not wait; nothing beside them is written, and nothing twice."""
    monkeypatch.setenv("GLOROT_THREADS", threads)
    rng = np.random.default_rng(0)
    batch = Batch(least=0)
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
def test_other_threads_begin_before_all_is_there(target, monkeypatch):
    """What waits for memory that they write is done first, whatever writes it; the values are
    those of fills one after another."""
    monkeypatch.setenv("GLOROT_THREADS", "3")
    law, outs = LAWS["normal"], [np.zeros(3 << 18, np.float32) for _ in range(4)]
    with _kernel.forced(target), Batch(ahead=1 << 20) as batch:
        for number, out in enumerate(outs):
            _kernel.fill(out, law, _stream.stream(1, str(number)), batch=batch)
            assert (batch._tasks, batch._bytes) == ([], (number + 1) * outs[0].nbytes)
        _kernel.fill(outs[0][1:], law, _stream.stream(1, "x"), batch=batch)  # done before it
        assert batch._bytes == outs[0][1:].nbytes
        _kernel.fill(outs[1][::2], law, _stream.stream(1, "y"), batch=batch)
        batch.before(outs[0][5:])
        assert batch._bytes == 0
        outs[0][5:] = 7
    for number, out in enumerate(outs):
        expected = np.empty_like(out)
        _kernel.fill(expected, law, _stream.stream(1, str(number)))
        if number == 0:
            _kernel.fill(expected[1:], law, _stream.stream(1, "x"))
            expected[5:] = 7
        elif number == 1:
            _kernel.fill(expected[::2], law, _stream.stream(1, "y"))
        assert (out == expected).all(), number


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("ahead", [1, 1 << 40])
def test_an_error_leaves_nothing_that_is_written_behind(target, ahead, monkeypatch):
    """Where an error leaves the context, no thread writes any more."""
    monkeypatch.setenv("GLOROT_THREADS", "3")
    outs = [np.zeros(1 << 20, np.float32) for _ in range(20)]
    law = LAWS["normal"]

    def fail(error):
        with _kernel.forced(target), Batch(ahead=ahead) as batch:
            for number, out in enumerate(outs):
                _kernel.fill(out, law, _stream.stream(1, str(number)), batch=batch)
            raise error

    for error in (ValueError(), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            fail(error)
        before = [out.copy() for out in outs]
        time.sleep(0.01)
        assert all((out == then).all() for out, then in zip(outs, before, strict=True))
        if ahead > 1:
            assert not any(out.any() for out in outs)


@pytest.mark.parametrize("target", TARGETS)
def test_a_batch_that_is_interrupted(target, monkeypatch):
    """Ctrl-C while it runs leaves undone what no thread has begun, and is heard."""
    monkeypatch.setenv("GLOROT_THREADS", "3")
    told = []

    class Interrupted:
        def __init__(self, threads):
            self.fills = _kernel._native.Together(threads)
            self.add = self.fills.add

        def wait(self, seconds):
            assert self.fills.wait(0.0) is False  # there is too much for so short a time
            told.append("wait")
            raise KeyboardInterrupt

        def stop(self):
            told.append("stop")
            self.fills.stop()
            assert self.fills.wait(0.0)

    outs = [np.zeros(1 << 22, np.float32) for _ in range(8)]
    batch = Batch(ahead=1 << 40)
    with _kernel.forced(target), monkeypatch.context() as patch:
        patch.setattr(_kernel, "together", Interrupted)
        for number, out in enumerate(outs):
            _kernel.fill(out, LAWS["normal"], _stream.stream(1, str(number)), batch=batch)
        with pytest.raises(KeyboardInterrupt):
            batch.run()
    assert told == ["wait", "stop"]
    assert (batch._bytes, batch._tasks) == (0, [])
    assert outs[0].any()
    assert not outs[-1].any()


@pytest.mark.parametrize("target", TARGETS)
def test_a_batch_keeps_the_memory_that_it_writes(target, monkeypatch):
    """Also where nobody waits for it: the memory is let go when no thread writes any more."""
    monkeypatch.setenv("GLOROT_THREADS", "3")
    with _kernel.forced(target):
        for _ in range(20):
            batch = Batch(ahead=1)
            out = np.zeros(1 << 20, np.float32)
            kept = weakref.ref(out)
            _kernel.fill(out, LAWS["normal"], _stream.stream(1, "x"), batch=batch)
            del out
            assert kept() is not None
            del batch
            assert kept() is None


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_small_does_not_wait(target):
    """It is filled at once, and what waits for its memory before it."""
    large, small = np.zeros(1 << 15, np.float32), np.zeros(9, np.float32)
    batch, law = Batch(), LAWS["uniform"]
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
    batch = Batch(most=9000, least=0)
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
    batch = Batch(least=0)
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
    batch = Batch(least=0)
    for number in np.random.default_rng(0).permutation(100):
        part = memory[number * 10 : (number + 1) * 10]
        _kernel.fill(part, LAWS["uniform"], _stream.stream(1, "x"), batch=batch)
    assert len(batch._tasks) == (0 if _kernel.target() == "reference" else 100)
    batch.run()
    assert memory.all()
