# SPDX-License-Identifier: Apache-2.0
"""Nothing half-written at a final path: kills, full disks, leftovers, and what may be replaced."""

import errno
import hashlib
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from checkpoint_cases import RECIPE, SHAPES, SHARDED, SINGLE, StopError, contents
from hypothesis import given, settings
from hypothesis import strategies as st

import glorot
from glorot import Recipe, Rule
from glorot.checkpoint import _files, _work, read_shapes, verify, write


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The files of a write that nothing disturbed, in one file and in shards."""
    folders = [tmp_path_factory.mktemp(kind) for kind in ("single", "sharded")]
    for folder, options in zip(folders, ({}, SHARDED), strict=True):
        write(SHAPES, RECIPE, folder, seed=42, **options)
    return [contents(folder) for folder in folders]


def cut_off(folder, after, **options):
    """Start a write and stop it after some bytes."""

    def progress(done, total):
        if done > after * total:
            raise StopError

    with pytest.raises(StopError):
        write(SHAPES, RECIPE, folder, seed=42, block_size=512, progress=progress, **options)


@pytest.mark.parametrize("options", [{}, SHARDED])
@pytest.mark.parametrize("after", [0.0, 0.4, 0.99])
def test_cut_off_then_resume(tmp_path, whole, options, after):
    """A write that was cut off leaves only hidden partial files, is refused anew by name of both
    ways on, and resumes to the same bytes, writing no more than was lacking."""
    cut_off(tmp_path, after, **options)
    left = contents(tmp_path)
    assert left
    assert all(name.startswith(".model") and name.endswith(".partial") for name in left)
    with pytest.raises(FileExistsError, match=r"did not end. Give `resume` .* or `force`"):
        write(SHAPES, RECIPE, tmp_path, seed=42, **options)
    assert contents(tmp_path) == left
    report = write(SHAPES, RECIPE, tmp_path, seed=42, resume=True, block_size=512, **options)
    assert contents(tmp_path) == whole[bool(options)]
    total = sum(tensor.count for tensor in report.tensors) * 4
    # Zeros that were never written are right all the same, so less than the rest is written.
    assert report.written <= (1 - after) * total + 2 * 512
    assert glorot.checkpoint.verify(tmp_path, RECIPE, 42, shapes=SHAPES).equal


@given(st.data())
@settings(deadline=None, max_examples=25)
def test_resume_trusts_nothing(tmp_path_factory, whole, data):
    """Whatever stands in a partial file, shorter, longer, or full of rubbish, resume mends it."""
    folder = tmp_path_factory.mktemp("rubbish")
    content = bytearray(whole[0][SINGLE])
    for _ in range(data.draw(st.integers(0, 5))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + 50] = os.urandom(len(content[at : at + 50]))
    size = data.draw(st.integers(0, 2 * len(content)))
    (folder / f".{SINGLE}.partial").write_bytes(content[:size] + b"\xff" * (size - len(content)))
    write(SHAPES, RECIPE, folder, seed=42, resume=True)
    assert contents(folder) == whole[0]


def test_resume_of_nothing_and_of_all(tmp_path, whole):
    """Resume begins where nothing is, and finds nothing to do where all is."""
    for written in (True, False):
        report = write(SHAPES, RECIPE, tmp_path, seed=42, resume=True, **SHARDED)
        assert bool(report.written) == written
        assert contents(tmp_path) == whole[1]


def test_resume_after_a_kill_between_the_renames(tmp_path, whole):
    """Some files at their final paths, some not, no index: resume completes them."""
    for number, (name, data) in enumerate(sorted(whole[1].items())):
        path = tmp_path / (name if number < 2 else f".{name}.partial")
        path.write_bytes(data)
    write(SHAPES, RECIPE, tmp_path, seed=42, resume=True, **SHARDED)
    assert contents(tmp_path) == whole[1]


@pytest.mark.parametrize("at", [3, 20, -1, None])
def test_resume_never_changes_a_finished_file(tmp_path, whole, at):
    """A finished file that differs, perhaps trained since, is refused and kept."""
    data = bytearray(whole[0][SINGLE])
    if at is None:
        data += b"x"
    else:
        data[at] ^= 1
    (tmp_path / SINGLE).write_bytes(data)
    with pytest.raises(FileExistsError, match=r"is there and is not what .* differs. .*--force"):
        write(SHAPES, RECIPE, tmp_path, seed=42, resume=True)
    assert contents(tmp_path) == {SINGLE: bytes(data)}


def test_resume_says_what_is_another(tmp_path):
    """The manifest there says of which recipe and seed it is: which of them differs is told."""
    shapes, recipe = {"w": (4, 3)}, glorot.Recipe([glorot.Rule("*", "he_normal")])
    write(shapes, recipe, tmp_path, seed=1)
    other = glorot.Recipe([glorot.Rule("*", "ones")])
    for job, options, text in (
        (recipe, {"seed": 2}, "another checkpoint, of seed 1 and not 2. Give another folder"),
        (other, {"seed": 1}, f"of recipe {recipe.fingerprint[:8]} and not {other.fingerprint[:8]}"),
        (recipe, {"seed": 1, "dtype": "float64"}, "of the same recipe and seed, but other shapes,"),
    ):
        with pytest.raises(FileExistsError, match=text):
            write(shapes, job, tmp_path, resume=True, **options)


def test_leftovers_of_another_sharding_go(tmp_path, whole):
    """Partial files of other shards are removed by resume and by force."""
    for option in ("resume", "force"):
        cut_off(tmp_path, 0.5, **SHARDED)
        write(SHAPES, RECIPE, tmp_path, seed=42, **{option: True})
        assert contents(tmp_path) == whole[0]
        for path in tmp_path.iterdir():
            path.unlink()


if os.name == "posix":

    def test_two_writers(tmp_path):
        """A second writer in the same folder is refused while the first is at work."""

        refused = []

        def second(done, total):
            with pytest.raises(FileExistsError, match=r"another process is writing") as caught:
                write(SHAPES, RECIPE, tmp_path, seed=42, resume=True)
            refused.append(caught)

        write(SHAPES, RECIPE, tmp_path, seed=42, progress=second)
        assert len(refused) == len(SHAPES)
        assert verify(tmp_path, RECIPE, 42).equal


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
@pytest.mark.parametrize("step", ["take_space", "write_at", "fsync"])
def test_full_disk(tmp_path, monkeypatch, code, step):
    """A disk that is full, at any step, gives one clear error and leaves nothing."""

    def full(*args):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os if step == "fsync" else _files, step, full)
    with pytest.raises(OSError, match=r"the checkpoint needs \d+ bytes in .*Nothing was left") as e:
        write(SHAPES, RECIPE, tmp_path, seed=42, **SHARDED)
    assert e.value.errno == code
    assert contents(tmp_path) == {}


def test_failing_disk_keeps_what_can_be_resumed(tmp_path, monkeypatch, whole):
    """Another error of the disk is raised as it is, and the partial file can be resumed."""
    calls = []
    write_at = _files.write_at

    def failing(*args):
        calls.append(args)
        if len(calls) == 5:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        write_at(*args)

    with monkeypatch.context() as patch:
        patch.setattr(_files, "write_at", failing)
        with pytest.raises(OSError, match=os.strerror(errno.EIO)) as failed:
            write(SHAPES, RECIPE, tmp_path, seed=42)
        assert failed.value.filename == str(tmp_path / SINGLE)
    assert list(contents(tmp_path)) == [f".{SINGLE}.partial"]
    write(SHAPES, RECIPE, tmp_path, seed=42, resume=True)
    assert contents(tmp_path) == whole[0]


def test_space_is_checked_first(tmp_path, monkeypatch):
    """A checkpoint that cannot fit is refused before a byte is written."""
    usage = type("usage", (), {"free": 1000})
    monkeypatch.setattr(_work.shutil, "disk_usage", lambda path: usage)
    monkeypatch.setattr(_files, "take_space", None)
    for folder in (tmp_path, tmp_path / "new", tmp_path / "new" / "and" / "deep"):
        with pytest.raises(
            OSError, match=r"\(1000 bytes are free\): the checkpoint needs \d+ byte"
        ):
            write(SHAPES, RECIPE, folder, seed=42)
        assert list(tmp_path.iterdir()) == []


def test_folders_that_were_there_stay(tmp_path):
    """Of a write that fails only what it made goes, and only while it is empty."""
    (tmp_path / "there").mkdir()
    for folder in (tmp_path / "there", tmp_path / "there" / "new"):
        (folder / SINGLE).mkdir(parents=True)
        with pytest.raises(FileExistsError, match="is a folder where a file goes"):
            write(SHAPES, RECIPE, folder, seed=42)
        assert (folder / SINGLE).is_dir()
    cut_off(tmp_path / "cut", 0.5)
    assert list(contents(tmp_path / "cut")) == [f".{SINGLE}.partial"]


if os.name == "posix":

    @pytest.mark.slow
    def test_file_size_limit(tmp_path):
        """A real limit of the system, in its own process: exit code 1, one line, nothing left."""

        import resource

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))

        result = run(tmp_path, "--out", str(tmp_path / "out"), preexec_fn=limit)
        assert result.returncode == 1
        assert len(result.stderr.splitlines()) == 1
        assert "the checkpoint needs" in result.stderr
        assert not (tmp_path / "out").exists()


def test_systems_without_positioned_io(tmp_path, monkeypatch, whole):
    """Where there is no pwrite, preadv, posix_fallocate or posix_fadvise (Windows), the same."""
    for name in ("pwrite", "preadv", "posix_fallocate", "posix_fadvise"):
        monkeypatch.delattr(os, name, raising=False)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    cut_off(tmp_path, 0.5)
    write(SHAPES, RECIPE, tmp_path, seed=42, resume=True)
    assert contents(tmp_path) == whole[0]
    assert verify(tmp_path, RECIPE, 42).equal


def test_file_systems_that_cannot_reserve(tmp_path, monkeypatch, whole):
    """Where space cannot be reserved, the file only gets its size."""

    def unsupported(*args):
        raise OSError(errno.EOPNOTSUPP, "not supported")

    monkeypatch.setattr(os, "posix_fallocate", unsupported, raising=False)
    write(SHAPES, RECIPE, tmp_path, seed=42)
    assert contents(tmp_path) == whole[0]


# --- processes that are killed ----------------------------------------------------------------

LARGE = {f"{i}.weight": {"shape": [1000, 1000 + i], "dtype": "float32"} for i in range(12)}


def command(folder, *arguments):
    """The command line that writes LARGE."""
    shapes, recipe = folder / "shapes.json", folder / "recipe.json"
    shapes.write_text(json.dumps(LARGE))
    recipe.write_text(Recipe([Rule("*", "he_normal")]).to_json())
    options = ["--recipe", str(recipe), "--seed", "42", "--max-shard-size", "20MB"]
    return [sys.executable, "-m", "glorot", "init", str(shapes), *options, *arguments]


def run(folder, *arguments, **options):
    """Run it to its end."""
    return subprocess.run(
        command(folder, *arguments), capture_output=True, text=True, check=False, **options
    )


def digests(folder):
    """The SHA-256 of each file."""
    if not folder.exists():
        return {}
    return {name: hashlib.sha256(data).hexdigest() for name, data in contents(folder).items()}


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path):
    """Killed again and again at random moments, no final path ever holds anything but its final
    bytes, and --resume ends with the bytes of an undisturbed run."""
    begin = time.monotonic()
    assert run(tmp_path, "--out", str(tmp_path / "calm")).returncode == 0
    seconds = time.monotonic() - begin
    calm = digests(tmp_path / "calm")
    out = tmp_path / "killed"
    rng = random.Random(20)
    kills = 0
    for _ in range(6):
        process = subprocess.Popen(
            command(tmp_path, "--resume", "--out", str(out)),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while process.poll() is None and not list(out.glob(".*.partial")):
            time.sleep(0.001)
        time.sleep(rng.uniform(0.0, 0.5) * seconds * (kills > 0))  # the first as soon as it writes
        process.kill()
        kills += process.wait() != 0
        final = {n: d for n, d in digests(out).items() if not n.endswith(".partial")}
        assert final.items() <= calm.items()
    assert kills >= 2
    result = run(tmp_path, "--resume", "--out", str(out))
    assert result.returncode == 0, result.stderr
    assert digests(out) == calm
    assert read_shapes(Path(out)) == glorot.recipe.parse_shapes(LARGE)


@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
@pytest.mark.parametrize("name", [SINGLE, "model-00001-of-00003.safetensors"])
def test_links_are_not_written_through(link, name, tmp_path):
    """A link that stands where a file is begun is refused; what it leads to keeps its bytes."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    out = tmp_path / "out"
    out.mkdir()
    getattr(out / f".{name}.partial", link)(victim)
    sizes = {} if name == SINGLE else {"max_shard_size": 16}
    shapes = {"a": (4,), "b": (4,), "c": (4,)}
    with pytest.raises(FileExistsError, match=rf"{name} cannot be begun: .* is a link, or no"):
        write(shapes, Recipe([Rule("*", "ones")]), out, seed=1, resume=True, **sizes)
    assert victim.read_bytes() == b"precious"
    write(shapes, Recipe([Rule("*", "ones")]), out, seed=1, force=True, **sizes)
    assert victim.read_bytes() == b"precious"


@pytest.mark.parametrize("refusal", ["open", "write", "never"])
def test_direct_writes(tmp_path, monkeypatch, refusal):
    """Past the system's cache or not, where the system has no such writes, refuses to open or to
    write so: the same bytes, whatever the block and where in the file it lies."""
    shapes = {"a": (3, 5000), "b": {"shape": (70_001,), "dtype": "float16"}, "c": (7,)}
    recipe = Recipe([Rule("*", "he_normal")])
    write(shapes, recipe, tmp_path / "a", seed=42)
    original, opened = os.open, os.pwrite if hasattr(os, "pwrite") else None
    flag = getattr(os, "O_DIRECT", 0)
    refused = []

    def refusing_open(path, flags, *args, **options):
        if flag and flags & flag:
            refused.append(path)
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return original(path, flags, *args, **options)

    def refusing_write(fd, data, offset):
        import fcntl

        if fcntl.fcntl(fd, fcntl.F_GETFL) & flag:
            refused.append(offset)
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        return opened(fd, data, offset)

    if refusal == "open":
        monkeypatch.setattr(os, "open", refusing_open)
    elif refusal == "write" and flag:
        monkeypatch.setattr(os, "pwrite", refusing_write)
    for size in (513, 8192, 20_000, 1 << 20):
        write(shapes, recipe, tmp_path / str(size), seed=42, block_size=size)
        assert contents(tmp_path / str(size)) == contents(tmp_path / "a")
    assert bool(refused) == (refusal != "never" and bool(flag)) or refusal == "write"
