# SPDX-License-Identifier: Apache-2.0
"""Of ranks that could give a checkpoint its names one does, with locks and without."""

import errno
import os
import sys
import threading
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor

import pytest
from checkpoint_cases import StopError, contents
from rank_cases import one

from glorot.checkpoint import _files, _finisher, _together

pytestmark = pytest.mark.usefixtures("small_pages")
posix = pytest.mark.skipif(os.name != "posix", reason="locks of POSIX")


@pytest.fixture(params=[pytest.param("locks", marks=posix), "no locks", "no fcntl"])
def locks(request, monkeypatch):
    """Each kind of system; whether it has locks."""
    if request.param == "no fcntl":
        monkeypatch.setitem(sys.modules, "fcntl", None)
    elif request.param == "no locks":
        _unlock(monkeypatch)
    monkeypatch.setattr(_finisher, "_SILENT", 0.3)
    monkeypatch.setattr(_finisher, "_SIGN", 0.02)
    return request.param == "locks"


def _unlock(monkeypatch):
    if os.name != "posix":
        return

    def none(fd, operation):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr("fcntl.flock", none)


def _fall(folder, fallen):
    """A rank that falls at work; its marker stays."""
    with _finisher.only_one(folder, fallen) as marker:
        assert marker is not None
    return marker


@pytest.mark.parametrize("falls", [0, 1, 2])
def test_one_of_many_is_the_one(tmp_path, locks, falls):
    """Whatever markers of fallen ranks they found; for others it is then at work."""
    fallen = None
    for _ in range(falls):
        _fall(tmp_path, fallen)
        fallen = _finisher.await_end(tmp_path)
    assert (fallen and fallen.number) == (falls - 1 if falls else None)
    start, every = threading.Barrier(8, timeout=60), threading.Barrier(8, timeout=60)

    def compete(_):
        start.wait()
        with _finisher.only_one(tmp_path, fallen) as marker:
            every.wait()  # nobody has left yet
            return marker

    with ThreadPoolExecutor(8) as pool:
        found = [marker for marker in pool.map(compete, range(8)) if marker is not None]
    assert [marker.name for marker in found] == [
        f".glorot.finish-{falls}" if falls else ".glorot.finish"
    ]
    with _finisher.only_one(tmp_path, fallen) as marker:
        assert marker is None  # who left it is not known to have fallen
    _finisher.remove(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_rank_at_work_is_waited_for(tmp_path, locks):
    """As long as it takes, longer than a fallen one is silent; then nothing stands in the way."""
    entered, leave = threading.Event(), threading.Event()

    def work():
        with _finisher.only_one(tmp_path, None) as marker:
            entered.set()
            leave.wait(60)
            marker.unlink()

    with ThreadPoolExecutor(2) as pool:
        working = pool.submit(work)
        entered.wait(60)
        waiting = pool.submit(_finisher.await_end, tmp_path)
        with pytest.raises(futures.TimeoutError):
            waiting.result(timeout=4 * _finisher._SILENT)
        leave.set()
        working.result()
        assert waiting.result() is None


def test_a_fallen_rank_is_not_waited_for(tmp_path, locks):
    """Its marker is told from that of another rank that takes the same name."""
    marker = _fall(tmp_path, None)
    fallen = _finisher.await_end(tmp_path)
    assert fallen == _finisher.newest(tmp_path)
    marker.unlink()
    _fall(tmp_path, None)
    other = _finisher.newest(tmp_path)
    assert (other.number, other == fallen) == (0, False)
    with _finisher.only_one(tmp_path, fallen) as taken:
        assert taken is None


@posix
def test_who_looks_does_not_keep_a_rank_from_its_marker(tmp_path, monkeypatch):
    """The lock of one that looks is gone in a moment; the rank tries again."""
    flock = pytest.importorskip("fcntl").flock
    calls = []

    def busy(fd, operation):
        calls.append(operation)
        if len(calls) < 5:
            raise BlockingIOError
        flock(fd, operation)

    monkeypatch.setattr("fcntl.flock", busy)
    with _finisher.only_one(tmp_path, None) as marker:
        assert marker is not None
    assert len(calls) == 5
    calls.clear()
    with (tmp_path / "file").open("wb") as file, pytest.raises(BlockingIOError):
        _files.lock(file.fileno())
    assert len(calls) == 1


@pytest.mark.parametrize("falls", [0, 1, 2])
def test_all_ranks_resumed_end_at_once(tmp_path, monkeypatch, alone, locks, falls):
    """Each has found the records of all before any has named a file: one completes, none fails,
    and nothing is left; also where ranks have fallen between names before."""
    ranks = 3
    for rank in range(ranks - 1):
        assert not one(tmp_path, rank, ranks).complete
    for _ in range(falls):
        with monkeypatch.context() as patch:
            patch.setattr(_together, "put_in_place", _stop)
            with pytest.raises(StopError):
                one(tmp_path, ranks - 1, ranks, resume=True)
    every, join = threading.Barrier(ranks, timeout=60), _together._join

    def together(*arguments):
        found = join(*arguments)
        every.wait()
        return found

    begun = threading.Barrier(ranks, timeout=60)
    begin, done = _together._begin, _together._records.write_record

    def all_begin(*arguments):
        found = begin(*arguments)
        begun.wait()  # no record counts that stood before
        return found

    def all_done(*arguments):
        done(*arguments)
        begun.wait()

    monkeypatch.setattr(_together, "_join", together)
    monkeypatch.setattr(_together, "_begin", all_begin)
    monkeypatch.setattr(_together._records, "write_record", all_done)
    with ThreadPoolExecutor(ranks) as pool:
        reports = list(pool.map(lambda rank: one(tmp_path, rank, ranks, resume=True), range(ranks)))
    assert sum(report.complete for report in reports) == 1
    assert contents(tmp_path) == alone["{}"]


def _stop(*arguments):
    raise StopError


def test_a_rank_begins_again_while_another_gives_names(tmp_path, monkeypatch, alone, locks):
    """It waits, finds the checkpoint complete, and has nothing to write."""
    assert not one(tmp_path, 0, 2).complete
    entered, leave, put = threading.Event(), threading.Event(), _together.put_in_place

    def slowly(*arguments):
        entered.set()
        leave.wait(60)
        put(*arguments)

    monkeypatch.setattr(_together, "put_in_place", slowly)
    with ThreadPoolExecutor(2) as pool:
        last = pool.submit(one, tmp_path, 1, 2)
        entered.wait(60)
        again = pool.submit(one, tmp_path, 0, 2, resume=True)
        with pytest.raises(futures.TimeoutError):
            again.result(timeout=4 * _finisher._SILENT)
        leave.set()
        assert last.result().complete
        assert (again.result().complete, again.result().written) == (True, 0)
    assert contents(tmp_path) == alone["{}"]
