# SPDX-License-Identifier: Apache-2.0
"""Many processes write one checkpoint: the same bytes, whoever comes first, and whoever falls."""

import contextlib
import errno
import itertools
import json
import math
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import glorot
from glorot import Recipe, Rule
from glorot.checkpoint import (
    _files,
    _records,
    _share,
    _together,
    ranks_from_environment,
    verify,
    write,
)
from glorot.checkpoint._job import make_job
from glorot.cli._app import app

RECIPE = Recipe([Rule("*.bias", "zeros"), Rule("o.*", "orthogonal"), Rule("*", "he_normal")])
SHAPES = {f"{i}.{part}": (80, 130 + i) for i in range(6) for part in ("weight", "bias")}
SHAPES |= {"o.1": (30, 20), "none": (0, 5), "o.2": (60, 50)}
SINGLE = "model.safetensors"
SHARDED = {"max_shard_size": 150_000}


def contents(folder):
    """All files of a folder, hidden ones included."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module", autouse=True)
def small_pages():
    """Let ranks meet in small files too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_share, "PAGE", 1024)
        yield


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The files that one process writes, in one file and in shards."""
    found = {}
    for options in ({}, SHARDED):
        folder = tmp_path_factory.mktemp("alone")
        write(SHAPES, RECIPE, folder, seed=42, **options)
        found[str(options)] = contents(folder)
    return found


class StopError(Exception):
    """Stands for a process that is killed."""


def one(folder, rank, size, *, seed=42, stop=None, **options):
    """Run one rank; `stop` kills it after so much of its share."""

    def progress(done, total):
        if stop is not None and done > stop * total:
            raise StopError

    return write(
        options.pop("shapes", SHAPES), options.pop("recipe", RECIPE), folder, seed=seed, rank=rank,
        world_size=size, progress=progress, **options,
    )  # fmt: skip


@given(st.integers(1, 9), st.sampled_from([{}, SHARDED]), st.randoms(), st.integers(500, 10**6))
@settings(deadline=None, max_examples=12)
def test_the_same_bytes_for_any_world_size(tmp_path_factory, alone, size, options, random, block):
    """Whatever the number of ranks, their order and their blocks: one process's bytes, and nothing
    else in the folder; only the last one completes it, and the others know whom they wait for."""
    folder = tmp_path_factory.mktemp("ranks")
    ranks = list(range(size))
    random.shuffle(ranks)
    for number, rank in enumerate(ranks):
        assert not any(not name.startswith(".") for name in contents(folder))
        report = one(folder, rank, size, block_size=block, **options)
        assert (report.rank, report.world_size) == (rank, size)
        assert report.complete == (number == size - 1)
        assert set(report.waiting) == set(ranks[number + 1 :])
    assert contents(folder) == alone[str(options)]


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


@given(st.data())
@settings(deadline=None, max_examples=100)
def test_shares(data):
    """The shares of all ranks are every byte once, between pages, no tensor that must be computed
    whole in two of them, and no larger than a rank's part and what cannot be cut."""
    sizes = st.integers(0, 300)
    shapes = {
        f"{kind}.{i}": {"shape": [data.draw(sizes), data.draw(sizes)], "dtype": dtype}
        for i in range(data.draw(st.integers(1, 6)))
        for kind, dtype in ((data.draw(st.sampled_from("ow")), "float32"),)
    } | {"w.last": {"shape": [3], "dtype": "float64"}}
    rules = [Rule("o.*", "orthogonal")] if any(n[0] == "o" for n in shapes) else []
    job = make_job(shapes, Recipe([*rules, Rule("w.*", "he_normal")]), 1, None,
                   data.draw(st.sampled_from([None, 100_000, 10**6])))  # fmt: skip
    size = data.draw(st.integers(1, 12))
    covered = {file.name: [] for file in job.files}
    for rank in range(size):
        for part in _share.share(job, rank, size):
            assert part.start % _share.PAGE == 0
            covered[part.file.name].append((part.start, part.stop))
    for file in job.files:
        ends = [0, *(stop for _, stop in covered[file.name])]
        assert covered[file.name] == list(itertools.pairwise(ends))
        assert ends[-1] == file.size
        for cut in ends[1:-1]:
            (name,) = (n for n, e in file.tensors.items() if 0 <= cut - e.offset < e.nbytes)
            assert name.startswith("w.")


def test_shares_are_even():
    """Of a large model, ranks' shares differ by no more than a page and a file's header."""
    shapes = {f"h.{i}.w": {"shape": (8192, 8192), "dtype": "bfloat16"} for i in range(40)}
    job = make_job(shapes, Recipe([Rule("*", "he_normal")]), 1, None, "2GB")
    for size in (2, 3, 7, 64):
        parts = [sum(p.stop - p.start for p in _share.share(job, r, size)) for r in range(size)]
        assert max(parts) - min(parts) <= 2 * _share.PAGE + 10_000
        assert sum(parts) == job.nbytes


@pytest.mark.parametrize("options", [{}, SHARDED])
def test_at_the_same_time(tmp_path, alone, options):
    """Ranks that run and end together: one of them completes, none fails."""
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda rank: one(tmp_path, rank, 4, **options), range(4)))
    assert sum(report.complete for report in reports) == 1
    assert contents(tmp_path) == alone[str(options)]


@pytest.mark.parametrize("options", [{}, SHARDED])
@pytest.mark.parametrize("after", [0.0, 0.6])
def test_a_rank_that_is_killed(tmp_path, alone, options, after):
    """Nothing gets its name while one is missing; it alone runs again, and completes."""
    one(tmp_path, 0, 3, **options)
    with pytest.raises(StopError):
        one(tmp_path, 1, 3, stop=after, block_size=5000, **options)
    assert one(tmp_path, 2, 3, **options).waiting == (1,)
    assert all(name.startswith(".") for name in contents(tmp_path))
    with pytest.raises(FileExistsError, match=r"rank 1 of 3 has begun in .* before and did not e"):
        one(tmp_path, 1, 3, **options)
    report = one(tmp_path, 1, 3, resume=True, **options)
    assert report.complete
    assert contents(tmp_path) == alone[str(options)]


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("force", [False, True])
def test_any_world_size_goes_on(tmp_path, alone, size, force):
    """What ranks have left is taken up by any number of others, one process among them."""
    one(tmp_path, 0, 3, **SHARDED)
    with pytest.raises(StopError):
        one(tmp_path, 1, 3, stop=0.3, block_size=5000, **SHARDED)
    with pytest.raises(FileExistsError, match=r"holds the rest of a write that did not end"):
        write(SHAPES, RECIPE, tmp_path, seed=42, **SHARDED)
    with pytest.raises(ValueError, match=r"rank 0 of 7 begins in .* where rank 0 of 3 has begun: "):
        one(tmp_path, 0, 7, **SHARDED)
    for rank in range(size):
        if size == 1:
            options = {"force": True} if force else {"resume": True}
            write(SHAPES, RECIPE, tmp_path, seed=42, **options, **SHARDED)
        else:
            one(tmp_path, rank, size, resume=True, force=force, **SHARDED)
    assert contents(tmp_path) == alone[str(SHARDED)]


def test_what_one_process_left_is_not_taken_unasked(tmp_path, alone):
    """Ranks refuse the rest of a single process's write, and take it up with `resume`."""

    def stop(done, total):
        raise StopError

    with pytest.raises(StopError):
        write(SHAPES, RECIPE, tmp_path, seed=42, progress=stop)
    before = contents(tmp_path)
    with pytest.raises(FileExistsError, match=r"holds the rest of a write that did not end"):
        one(tmp_path, 0, 2)
    assert contents(tmp_path) == before
    for rank in range(2):
        one(tmp_path, rank, 2, resume=True)
    assert contents(tmp_path) == alone["{}"]


@pytest.mark.parametrize("damage", ["flip", "zero", "cut"])
def test_an_old_record_is_read_back(tmp_path, alone, damage):
    """A record from before this rank began is believed only when the disk holds what it says."""
    one(tmp_path, 0, 2)
    path = tmp_path / f".{SINGLE}.partial"
    data = bytearray(path.read_bytes())
    if damage == "cut":
        data = data[:60_000]
    else:
        at = 8 + int.from_bytes(data[:8], "little") + 4 * 80 * 130 + 100  # in 0.weight
        data[at : at + 400] = bytes(400) if damage == "zero" else data[at : at + 399] + b"\x01"
    path.write_bytes(data)
    assert one(tmp_path, 1, 2).waiting == (0,)
    assert all(name.startswith(".") for name in contents(tmp_path))
    assert one(tmp_path, 0, 2, resume=True).complete
    assert contents(tmp_path) == alone["{}"]


def test_a_record_made_meanwhile_is_not_read_again(tmp_path, monkeypatch, alone):
    """Ranks of one run do not read what the others have just written and made last."""
    monkeypatch.setattr(_together, "_is_true", None)
    begin = _together._begin
    made = []

    def other(folder, job, me):
        found = begin(folder, job, me)
        if not made:
            made.append(1)
            one(folder, 0, 2)
        return found

    monkeypatch.setattr(_together, "_begin", other)
    assert one(tmp_path, 1, 2).complete
    assert contents(tmp_path) == alone["{}"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 43}, "seed"),
        ({"recipe": Recipe([Rule("*", "he_normal")])}, "recipe"),
        ({"shapes": {"w": (3, 4), "o.3": (2, 2), "b.bias": (4,)}}, "names, shapes or dtypes"),
        ({"dtype": "bfloat16"}, "names, shapes or dtypes"),
        ({"max_shard_size": 90_000}, "max_shard_size"),
    ],
)
@pytest.mark.parametrize("hidden", [False, True])
def test_ranks_that_disagree(tmp_path, monkeypatch, changes, words, hidden):
    """Told before a byte is written and, where the markers are not seen yet, at the end; nothing
    gets a name."""
    one(tmp_path, 0, 2)
    if hidden:
        monkeypatch.setattr(_records, "read_identity", lambda path: None)
    before = contents(tmp_path)
    text = rf"rank 1 of 2 writes another {words} than rank 0\. Nothing got its name; give all"
    with pytest.raises(ValueError, match=text):
        one(tmp_path, 1, 2, **changes)
    assert all(name.startswith(".") for name in contents(tmp_path))
    if not hidden:
        assert contents(tmp_path) == before


def test_ranks_that_disagree_can_be_mended(tmp_path, alone):
    """After a rank of another seed, those who are right go on."""
    one(tmp_path, 0, 2, seed=41)
    with pytest.raises(ValueError, match=r"another seed"):
        one(tmp_path, 1, 2)
    one(tmp_path, 0, 2, resume=True)
    assert one(tmp_path, 1, 2).complete
    assert contents(tmp_path) == alone["{}"]


def test_two_processes_of_one_rank(tmp_path):
    """The second is refused while the first is at work, with `resume` and without."""
    seen = []

    def second(done, total):
        for options in ({}, {"resume": True}):
            with pytest.raises(FileExistsError, match=r"another process is writing as rank 0 of 2"):
                one(tmp_path, 0, 2, **options)
        with pytest.raises(FileExistsError, match=r"another process is writing a checkpoint in"):
            write(SHAPES, RECIPE, tmp_path, seed=42, resume=True)
        seen.append(done)

    write(SHAPES, RECIPE, tmp_path, seed=42, rank=0, world_size=2, progress=second)
    assert seen


def test_resume_of_a_complete_one(tmp_path, alone):
    """Ranks that run again after all find nothing to do, and leave nothing behind."""
    for rank in range(3):
        one(tmp_path, rank, 3, **SHARDED)
    for rank in (1, 2, 0):
        report = one(tmp_path, rank, 3, resume=True, **SHARDED)
        assert (report.complete, report.written) == (True, 0)
        assert contents(tmp_path) == alone[str(SHARDED)]
    with pytest.raises(FileExistsError, match=r"is there already. Give `force`"):
        one(tmp_path, 0, 3, **SHARDED)
    assert contents(tmp_path) == alone[str(SHARDED)]
    with pytest.raises(FileExistsError, match=r"belongs to another checkpoint|differs"):
        one(tmp_path, 0, 3, resume=True, seed=43, **SHARDED)
    assert contents(tmp_path) == alone[str(SHARDED)]


@pytest.mark.parametrize("first", [{}, SHARDED])
@pytest.mark.parametrize("second", [{}, SHARDED])
def test_force_replaces_at_the_end(tmp_path, alone, first, second):
    """The old checkpoint stands until the last rank completes the new one."""
    write(SHAPES, RECIPE, tmp_path, seed=1, **first)
    before = contents(tmp_path)
    for rank in range(3):
        assert before.items() <= contents(tmp_path).items()
        one(tmp_path, rank, 3, force=True, **second)
    assert contents(tmp_path) == alone[str(second)]


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
        if path.name == _records.FINISH:
            raise StopError
        unlink(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", failing)
        with pytest.raises(StopError):
            one(tmp_path, 1, 2)
    left = contents(tmp_path)
    assert left.keys() == {*alone["{}"], _records.FINISH}
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
    assert _records.FINISH not in contents(tmp_path)
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


@pytest.mark.parametrize(
    ("rank", "size", "error", "text"),
    [
        (2, 2, ValueError, r"`rank` must be at least 0 and below `world_size`=2, got 2"),
        (-1, 2, ValueError, r"below `world_size`=2, got -1"),
        (0, 0, ValueError, r"`world_size` must be at least 1, got 0"),
        (0, None, ValueError, r"go together; `world_size` is missing"),
        (None, 2, ValueError, r"go together; `rank` is missing"),
        (0.0, 2, TypeError, r"`rank` must be a whole number, got 0.0 of float"),
        (True, 2, TypeError, r"`rank` must be a whole number, got True of bool"),
        (0, "2", TypeError, r"`world_size` must be a whole number"),
        (0, 10**6, ValueError, r"`world_size` must be at most 99999"),
    ],
)
def test_bad_ranks(tmp_path, rank, size, error, text):
    """Refused by name before anything is made."""
    with pytest.raises(error, match=text):
        one(tmp_path / "out", rank, size)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"RANK": "3", "WORLD_SIZE": "8"}, (3, 8)),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "4", "RANK": ""}, (0, 4)),
        ({"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2"}, (1, 2)),
        ({"PMI_RANK": "1", "PMI_SIZE": "2", "SLURM_PROCID": "1", "SLURM_NTASKS": "2"}, (1, 2)),
        ({"TORCHELASTIC_RUN_ID": "x", "RANK": "5", "WORLD_SIZE": "8", "SLURM_PROCID": "1",
          "SLURM_NTASKS": "2"}, (5, 8)),
        # What a batch script has that asked for nodes and not for tasks.
        ({"TORCHELASTIC_RUN_ID": "x", "RANK": "5", "WORLD_SIZE": "8", "SLURM_PROCID": "0"}, (5, 8)),
        ({}, r"no launcher says which rank this is: none of RANK and WORLD_SIZE, "),
        ({"RANK": "0"}, r"RANK is set and WORLD_SIZE is not. Set both, or give"),
        ({"SLURM_NTASKS": "2"}, r"SLURM_NTASKS is set and SLURM_PROCID is not"),
        ({"RANK": "5", "WORLD_SIZE": "8", "SLURM_PROCID": "1", "SLURM_NTASKS": "2"},
         r"launchers contradict each other: torchrun rank 5 of 8, SLURM rank 1 of 2"),
        ({"RANK": "8", "WORLD_SIZE": "8"}, r"`rank` must be .* below `world_size`=8, got 8"),
        ({"RANK": "-1", "WORLD_SIZE": "8"}, r"RANK must be a whole number, 0 or more; it is '-1'"),
        ({"RANK": "0", "WORLD_SIZE": "x"}, r"WORLD_SIZE must be a whole number"),
        ({"RANK": "0", "WORLD_SIZE": "9" * 5000}, r"WORLD_SIZE must be a whole number"),
    ],
)  # fmt: skip
def test_launchers(environ, expected):
    """The variables of one launcher, of several that agree; what contradicts or lacks is told."""
    if isinstance(expected, tuple):
        assert ranks_from_environment(environ) == expected
        return
    with pytest.raises(ValueError, match=expected):
        ranks_from_environment(environ)


def command(folder, *arguments, **environ):
    """The command line, in a process of its own."""
    (folder / "shapes.json").write_text(json.dumps({n: {"shape": s} for n, s in SHAPES.items()}))
    (folder / "recipe.json").write_text(RECIPE.to_json())
    line = [sys.executable, "-m", "glorot", "init", str(folder / "shapes.json"), "--seed", "42"]
    line += ["--recipe", str(folder / "recipe.json"), "--out", str(folder / "out"), *arguments]
    return {"args": line, "env": os.environ | environ, "text": True}


def test_the_command(tmp_path, monkeypatch, alone):
    """--rank and --world-size, or --distributed; without either no variable is read."""
    for names in (("RANK", "0"), ("WORLD_SIZE", "2")):
        monkeypatch.setenv(*names)
    options = command(tmp_path)["args"][3:]
    result = CliRunner().invoke(app, [*options, "--distributed", "--rank", "1"])
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "give --distributed, or --rank and --world-size" in result.stderr
    result = CliRunner().invoke(app, [*options, "--distributed"])
    assert result.exit_code == 0, result.stderr
    assert "the last to end completes the checkpoint (not there yet: 1)" in result.stdout
    result = CliRunner().invoke(app, [*options, "--rank", "1", "--world-size", "2"])
    assert "; the checkpoint is complete" in result.stdout
    assert contents(tmp_path / "out") == alone["{}"]
    result = CliRunner().invoke(app, [*options, "--force", "--json"])  # one process, all of it
    assert json.loads(result.stdout)["world_size"] == 1
    assert contents(tmp_path / "out") == alone["{}"]


if os.name == "posix":

    def test_processes(tmp_path, alone):
        """Three processes at a time, one of them killed: the rest end well, it runs again."""
        environ = {"GLOROT_THREADS": "1", "WORLD_SIZE": "3"}
        runs = [
            subprocess.Popen(
                **command(tmp_path, "--distributed", RANK=str(rank), **environ),
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
            )
            for rank in range(3)
        ]  # fmt: skip
        marker = _records.begun_path(tmp_path / "out", 1, 3)
        while runs[1].poll() is None and not marker.exists():
            pass
        runs[1].kill()
        errors = [process.communicate()[1] for process in runs]
        assert runs[0].returncode == runs[2].returncode == 0, errors
        if not (tmp_path / "out" / SINGLE).exists():
            last = command(tmp_path, "--distributed", "--resume", RANK="1", **environ)
            done = subprocess.run(**last, capture_output=True, check=False)
            assert done.returncode == 0, done.stderr
        assert contents(tmp_path / "out") == alone["{}"]
        assert verify(tmp_path / "out").equal

    def test_file_size_limit(tmp_path):
        """A real limit of the system: exit code 1, one line, and the other rank's bytes stay."""
        import resource

        one(tmp_path / "out", 0, 2)
        before = contents(tmp_path / "out")

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

        done = subprocess.run(
            **command(tmp_path, "--rank", "1", "--world-size", "2"),
            capture_output=True, check=False, preexec_fn=limit,
        )  # fmt: skip
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert "What was written is left, without a name; make room" in done.stderr
        after = contents(tmp_path / "out")
        assert {name: after[name] for name in before} == before
        assert one(tmp_path / "out", 1, 2, resume=True).complete


def test_systems_without_locks(tmp_path, monkeypatch, alone):
    """Where no file can be locked, the ranks end well all the same."""
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with pytest.raises(StopError):
        one(tmp_path, 0, 2, stop=0.0, block_size=5000)
    one(tmp_path, 1, 2)
    assert one(tmp_path, 0, 2, resume=True).complete
    assert contents(tmp_path) == alone["{}"]


def test_report_of_a_share(tmp_path):
    """A rank reports the tensors of its share, and what it measured of them."""
    seen = set()
    for rank in range(2):
        report = one(tmp_path, rank, 2)
        assert report.parameters == sum(math.prod(shape) for shape in SHAPES.values())
        measured = {tensor.name for tensor in report.tensors if tensor.stddev is not None}
        assert measured
        seen |= measured
    assert seen == set(SHAPES) - {"none"}
    assert isinstance(glorot.checkpoint.WriteReport.as_dict(report)["waiting"], tuple)
