# SPDX-License-Identifier: Apache-2.0
"""Ranks on systems that fail them: killed, full disks, lost files, false records, no locks."""

import contextlib
import errno
import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from checkpoint_cases import SINGLE, StopError, contents
from rank_cases import RECIPE, SHAPES, SHARDED, one

from glorot.checkpoint import _files, _finisher, _records, _share, _together, write

pytestmark = pytest.mark.usefixtures("small_pages")


def _is_open(path):
    """Whether this process has the file open."""
    for fd in range(3, 256):
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(fd), path.lstat()):
                return True
    return False


def test_where_no_open_file_is_removed_or_replaced(tmp_path, monkeypatch, alone):
    """Nor are there locks: as on Windows. Ranks complete, are refused and go on all the same."""
    unlink, replace = Path.unlink, Path.replace

    def unlink_closed(path, missing_ok=False):
        if _is_open(path):
            raise PermissionError(errno.EACCES, "is open", str(path))
        unlink(path, missing_ok)

    def replace_closed(path, to):
        if _is_open(path) or _is_open(to):
            raise PermissionError(errno.EACCES, "is open", str(path))
        return replace(path, to)

    monkeypatch.setattr(Path, "unlink", unlink_closed)
    monkeypatch.setattr(Path, "replace", replace_closed)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    assert not one(tmp_path, 0, 2).complete
    with pytest.raises(ValueError, match="writes another seed"):
        one(tmp_path, 1, 2, seed=43)
    with pytest.raises(StopError):
        one(tmp_path, 1, 2, stop=0.5)
    assert one(tmp_path, 1, 2, resume=True).complete
    assert contents(tmp_path) == alone["{}"]
    assert one(tmp_path, 0, 2, resume=True).complete
    assert contents(tmp_path) == alone["{}"]


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, SHARDED])
@pytest.mark.parametrize("forced", [False, True])
def test_killed_while_it_finishes(tmp_path, monkeypatch, alone, options, forced):
    """Cut off between any two names, it is refused without options and completed by running the
    ranks again; no final path ever holds a byte that is not its own."""
    rename = _files.rename
    for place in range(1, 99):
        folder = tmp_path / str(place)
        folder.mkdir()
        if forced:
            write(SHAPES, RECIPE, folder, seed=1, **options)
        old = contents(folder)
        one(folder, 0, 2, force=forced, **options)
        calls = []

        def failing(path, to, calls=calls, place=place):
            if not path.name.endswith(".done.partial"):
                calls.append(to)
            if len(calls) >= place:
                raise StopError
            rename(path, to)

        with monkeypatch.context() as patch:
            patch.setattr(_files, "rename", failing)
            try:
                one(folder, 1, 2, force=forced, **options)
            except StopError:
                pass
            else:
                break
        for name, data in contents(folder).items():
            if not name.startswith("."):
                assert data in (old.get(name), alone[str(options)].get(name))
        with pytest.raises(FileExistsError, match=r"before and did not end|cut off doing so"):
            one(folder, 1, 2, force=False, **options)
        for rank in range(2):
            one(folder, rank, 2, resume=True, force=forced, **options)
        assert contents(folder) == alone[str(options)]
    assert place > 2


def test_killed_behind_the_names(tmp_path, monkeypatch, alone):
    """The last thing to go is what says that a rank finishes: where it stays, ranks are refused,
    with `force` too, until one of them has run again."""
    one(tmp_path, 0, 2)
    unlink = Path.unlink

    def failing(path, **options):
        if path.name == _finisher.FINISH:
            raise StopError
        unlink(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", failing)
        with pytest.raises(StopError):
            one(tmp_path, 1, 2)
    left = contents(tmp_path)
    assert left.keys() == {*alone["{}"], _finisher.FINISH}
    for force in (False, True):
        with pytest.raises(FileExistsError, match=r"its names, or was cut off doing so"):
            one(tmp_path, 0, 2, force=force)
        assert contents(tmp_path) == left
    report = one(tmp_path, 0, 2, resume=True)
    assert (report.complete, report.written) == (True, 0)
    assert contents(tmp_path) == alone["{}"]
    assert not one(tmp_path, 0, 2, force=True).complete
    assert one(tmp_path, 1, 2, force=True).complete


def test_a_rank_that_runs_again_withdraws_its_record(tmp_path, alone):
    """Before it changes anything: nobody finishes by what it said before."""
    one(tmp_path, 0, 2)
    done = _records.done_path(tmp_path, 0, 2)
    assert done.exists()
    with pytest.raises(StopError):
        one(tmp_path, 0, 2, resume=True, stop=0)
    assert not done.exists()
    assert one(tmp_path, 1, 2).waiting == (0,)
    assert one(tmp_path, 0, 2, resume=True).complete
    assert contents(tmp_path) == alone["{}"]


@pytest.mark.parametrize("again", [False, True])
def test_a_rank_that_runs_again_while_another_would_finish(tmp_path, monkeypatch, alone, again):
    """Its record went, or is another: nothing gets its name, and the next to end finishes."""
    one(tmp_path, 0, 2)
    join = _together._join

    def late(*arguments):
        found = join(*arguments)
        done = _records.done_path(tmp_path, 0, 2)
        record = _records.read_record(done)
        done.unlink()
        if again:
            _records.write_record(done, record._replace(token=_records.new_token()))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(_together, "_join", late)
        report = one(tmp_path, 1, 2)
    assert (report.complete, report.waiting) == (False, (0,))
    assert all(name.startswith(".") for name in contents(tmp_path))
    assert _finisher.FINISH not in contents(tmp_path)
    assert one(tmp_path, 0, 2, resume=True).complete
    assert contents(tmp_path) == alone["{}"]


def test_a_lost_file_of_an_old_record(tmp_path, alone):
    """The rank that says that it wrote it must run again."""
    one(tmp_path, 0, 2, **SHARDED)
    min(tmp_path.glob(".model-*.partial")).unlink()
    assert one(tmp_path, 1, 2, **SHARDED).waiting == (0,)
    assert one(tmp_path, 0, 2, resume=True, **SHARDED).complete
    assert contents(tmp_path) == alone[str(SHARDED)]


@pytest.mark.skipif(os.name != "posix", reason="locks here are POSIX's")
def test_a_rank_that_begins_while_another_finishes(tmp_path, monkeypatch, alone):
    """Of ranks that are run again, one is late: it waits until the files have their names, and is
    as content with them as if it had come later still."""
    one(tmp_path, 0, 2)
    put_in_place = _together.put_in_place
    late = []

    def slowly(*arguments):
        late.append(pool.submit(one, tmp_path, 0, 2, resume=True))
        time.sleep(0.3)
        assert not late[0].done()
        put_in_place(*arguments)

    monkeypatch.setattr(_together, "put_in_place", slowly)
    with ThreadPoolExecutor(1) as pool:
        assert one(tmp_path, 1, 2).complete
        assert late[0].result().complete
    assert contents(tmp_path) == alone["{}"]


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"identity": 1}', '{"identity": {}, "token": "", "pieces": {"x": [[0, 1]]}}',
     '{"identity": {}, "token": "", "pieces": {"x": [[1, 0, 5]]}}',
     '{"identity": {}, "token": "", "pieces": {"x": [[0, 1, -5]]}}',
     '{"identity": {}, "token": "", "pieces": [3]}'],
)  # fmt: skip
def test_records_that_are_none(tmp_path, alone, content):
    """What another rank left is read with distrust: one line, which rank is to run again."""
    one(tmp_path, 0, 2)
    path = _records.done_path(tmp_path, 0, 2)
    path.write_text(content)
    with pytest.raises(ValueError, match=r"is no record: .* Run rank 0 again with `resume`"):
        one(tmp_path, 1, 2)
    assert not one(tmp_path, 0, 2, resume=True).complete
    assert one(tmp_path, 1, 2).complete
    assert contents(tmp_path) == alone["{}"]


def test_records_that_do_not_make_it_up(tmp_path, monkeypatch):
    """Parts that leave a gap, or overlap, are no whole."""
    one(tmp_path, 0, 2)
    path = _records.done_path(tmp_path, 0, 2)
    content = json.loads(path.read_text())
    monkeypatch.setattr(_together, "_is_true", lambda *_: True)
    for change in (-_share.PAGE, _share.PAGE):
        pieces = [[start, stop + change, crc] for start, stop, crc in content["pieces"][SINGLE]]
        path.write_text(json.dumps(content | {"pieces": {SINGLE: pieces}}))
        with pytest.raises(
            ValueError, match=r"do not make up .* Run all ranks again with `resume`"
        ):
            one(tmp_path, 1, 2, resume=True)
    path.write_text(json.dumps(content | {"pieces": {"other": pieces}}))
    with pytest.raises(ValueError, match=r"do not make up .* Run all ranks again with `resume`"):
        one(tmp_path, 1, 2, resume=True)


@pytest.mark.parametrize("step", ["take_space", "write_at"])
def test_a_full_disk(tmp_path, monkeypatch, alone, step):
    """A rank on a disk that is full leaves what others write, and says how to go on."""
    one(tmp_path, 0, 2)
    original = getattr(_files, step)

    def full(fd, *args):
        if step == "take_space" or len(args[0]) > 2000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        original(fd, *args)

    with monkeypatch.context() as patch:
        patch.setattr(_files, step, full)
        with pytest.raises(OSError, match=r"What was written is left, .* run rank 1 of 2 again"):
            one(tmp_path, 1, 2)
    assert all(name.startswith(".") for name in contents(tmp_path))
    assert one(tmp_path, 1, 2, resume=True).complete
    assert contents(tmp_path) == alone["{}"]


def test_a_file_that_is_lost(tmp_path, alone):
    """A rank whose record stands and whose bytes do not is waited for."""
    one(tmp_path, 0, 2)
    (tmp_path / f".{SINGLE}.partial").unlink()
    assert one(tmp_path, 1, 2).waiting == (0,)
    assert one(tmp_path, 0, 2, resume=True).complete
    assert contents(tmp_path) == alone["{}"]


def test_trained_weights_are_replaced_by_force_alone(tmp_path, alone):
    """A manifest that says the same does not keep `force` from replacing what was trained since;
    `resume` keeps it."""
    write(SHAPES, RECIPE, tmp_path, seed=42)
    data = bytearray((tmp_path / SINGLE).read_bytes())
    data[-3] ^= 1
    (tmp_path / SINGLE).write_bytes(data)
    with pytest.raises(FileExistsError, match=r"is not what this recipe and seed give"):
        one(tmp_path, 1, 2, force=True, resume=True)
    for rank in range(2):
        one(tmp_path, rank, 2, force=True)
    assert contents(tmp_path) == alone["{}"]


def test_space_is_checked_before_the_first_byte(tmp_path, monkeypatch):
    """What cannot fit is refused, and leaves no marker."""
    usage = type("usage", (), {"free": 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(OSError, match=r"\(1000 bytes are free\)"):
        one(tmp_path / "new", 0, 2)
    assert list(tmp_path.iterdir()) == []


def test_systems_without_locks(tmp_path, monkeypatch, alone):
    """Where no file can be locked, the ranks end well all the same."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with pytest.raises(StopError):
        one(tmp_path, 0, 2, stop=0.0, block_size=5000)
    one(tmp_path, 1, 2)
    assert one(tmp_path, 0, 2, resume=True).complete
    assert contents(tmp_path) == alone["{}"]
