# SPDX-License-Identifier: Apache-2.0
"""Many processes write one checkpoint: the same bytes, whoever comes first, and whoever falls."""

import itertools
import math
from concurrent.futures import ThreadPoolExecutor

import pytest
from checkpoint_cases import SINGLE, StopError, contents
from hypothesis import given, settings
from hypothesis import strategies as st
from rank_cases import RECIPE, SHAPES, SHARDED, one

import glorot
from glorot import Recipe, Rule
from glorot.checkpoint import _records, _share, _together, plan, write
from glorot.checkpoint._job import make_job

pytestmark = pytest.mark.usefixtures("small_pages")


@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("one", "other"),
    [({"layout": "torch.linear"}, {}), ({"layout": "OI"}, {"layout": "IO"}), ({"tags": ["x"]}, {})],
)
def test_ranks_that_are_told_other_layouts(tmp_path, one, other):
    """What the shapes say of the layers decides values, and the header: they must agree."""
    recipe = Recipe([Rule("*", "he_normal")])
    shapes = ({"w": {"shape": [512, 128], **said}} for said in (one, other))
    write(next(shapes), recipe, tmp_path, seed=1, rank=0, world_size=2)
    with pytest.raises(ValueError, match="writes another names, shapes or dtypes than rank 0"):
        write(next(shapes), recipe, tmp_path, seed=1, rank=1, world_size=2)


def test_the_plan_of_a_rank_is_refused_as_the_rank_is(tmp_path):
    """Nothing is refused that the rank itself may do, and nothing is touched."""
    one(tmp_path, 0, 2, **SHARDED)
    before = contents(tmp_path)

    def planned(rank, size, **more):
        options = {"seed": 42, "rank": rank, "world_size": size, **SHARDED}
        return plan(SHAPES, RECIPE, tmp_path, **options | more)

    assert len(planned(1, 2).files) > 1
    assert planned(0, 2, resume=True).nbytes == planned(1, 2).nbytes
    for rank, size, more, error, text in (
        (None, None, {}, FileExistsError, "holds the rest of a write that did not end"),
        (0, 2, {}, FileExistsError, "rank 0 of 2 has begun in .* before"),
        (1, 3, {}, ValueError, "must agree on `world_size`"),
        (1, 2, {"seed": 41}, ValueError, "rank 1 of 2 writes another seed than rank 0"),
        (2, 2, {}, ValueError, "below `world_size`=2"),
    ):
        with pytest.raises(error, match=text):
            planned(rank, size, **more)
        options = {"seed": 42, "rank": rank, "world_size": size, **SHARDED, **more}
        with pytest.raises(error, match=text):
            write(SHAPES, RECIPE, tmp_path, **options)
    assert contents(tmp_path) == before


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
