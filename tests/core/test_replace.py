# SPDX-License-Identifier: Apache-2.0
"""Replacing a checkpoint: never unasked, and the old one stands until the new one can."""

import errno
import json
import os

import pytest
from checkpoint_cases import INDEX, RECIPE, SHAPES, SHARDED, StopError, contents

from glorot.checkpoint import _files, verify, write

LARGER = {"max_shard_size": 30_000}


@pytest.mark.parametrize("first", [{}, SHARDED])
@pytest.mark.parametrize("second", [{}, SHARDED, {"max_shard_size": 100_000}])
def test_replacing_needs_force(tmp_path, first, second):
    """A checkpoint is kept without `force`; with it nothing of the old remains."""
    write(SHAPES, RECIPE, tmp_path, seed=1, **first)
    (tmp_path / "notes.txt").write_text("kept")
    (tmp_path / "model-00009-of-00009.safetensors").write_text("kept: no index names it")
    before = contents(tmp_path)
    with pytest.raises(FileExistsError, match=r"is there already. Give `force`"):
        write(SHAPES, RECIPE, tmp_path, seed=42, **second)
    with pytest.raises(FileExistsError, match=r"--force"):
        write(SHAPES, RECIPE, tmp_path, seed=42, resume=True, **second)
    assert contents(tmp_path) == before
    write(SHAPES, RECIPE, tmp_path, seed=42, force=True, **second)
    assert verify(tmp_path, RECIPE, 42, shapes=SHAPES).equal
    fresh = tmp_path / "fresh"
    write(SHAPES, RECIPE, fresh, seed=42, **second)
    kept = {"notes.txt", "model-00009-of-00009.safetensors"}
    new = contents(fresh)
    for path in fresh.iterdir():
        path.unlink()
    fresh.rmdir()
    after = contents(tmp_path)
    assert after.keys() - kept == new.keys()
    assert {name: after[name] for name in new} == new
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}


def test_force_ignores_what_an_index_makes_up(tmp_path):
    """Only shards are removed, and only in the folder: an index cannot name victims."""
    outside = tmp_path / "model-00001-of-00002.safetensors"
    victim = tmp_path / "out" / "victim.safetensors"
    victim.parent.mkdir()
    for path in (outside, victim):
        path.write_text("kept")
    for file in ("victim.safetensors", "../model-00001-of-00002.safetensors"):
        (victim.parent / INDEX).write_text(json.dumps({"weight_map": {"w": file}}))
        write(SHAPES, RECIPE, victim.parent, seed=1, force=True)
        assert outside.read_text() == victim.read_text() == "kept"
        assert not (victim.parent / INDEX).exists()


def stop(done, total):
    """Stand for whatever cuts a write off."""
    raise StopError


def test_force_keeps_the_old_until_the_new_is_complete(tmp_path, fresh):
    """Cut off while replacing, the old checkpoint still stands; force takes it up again."""
    write(SHAPES, RECIPE, tmp_path, seed=1, **SHARDED)
    before = contents(tmp_path)
    with pytest.raises(StopError):
        write(SHAPES, RECIPE, tmp_path, seed=42, progress=stop, force=True, **SHARDED)
    assert before.items() <= contents(tmp_path).items()
    with pytest.raises(FileExistsError, match=r"belongs to another checkpoint.*--force"):
        write(SHAPES, RECIPE, tmp_path, seed=42, resume=True, **SHARDED)
    write(SHAPES, RECIPE, tmp_path, seed=42, resume=True, force=True, **SHARDED)
    assert contents(tmp_path) == fresh[str(SHARDED)]


# How many names change, and so where it can be cut off: the old ones aside, the new ones in.
WAYS = [({}, {}), ({}, SHARDED), (SHARDED, {}), (SHARDED, SHARDED), (SHARDED, LARGER)]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """The files of a write into an empty folder, by its options."""
    found = {}
    for options in ({}, SHARDED, LARGER):
        folder = tmp_path_factory.mktemp("fresh")
        write(SHAPES, RECIPE, folder, seed=42, **options)
        found[str(options)] = contents(folder)
    return found


def fail_at(monkeypatch, place, error, *, after):
    """Let the renaming number `place` fail, and with `after` all later ones too."""
    rename, calls = _files.rename, []

    def failing(path, to):
        calls.append(to)
        if len(calls) == place or (after and len(calls) > place):
            raise error
        rename(path, to)

    monkeypatch.setattr(_files, "rename", failing)


def attempt(folder, **options):
    """Write; return the error that came, or None."""
    try:
        write(SHAPES, RECIPE, folder, seed=42, **options)
    except (OSError, StopError) as error:
        return error
    return None


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), WAYS)
def test_the_old_comes_back_where_the_new_cannot_be_named(
    tmp_path, monkeypatch, fresh, first, second
):
    """Whichever renaming the system refuses, the old checkpoint is there after it, nothing stands
    aside, the error names the user's file, and the write can be resumed."""
    count = 0
    for place in range(1, 99):
        folder = tmp_path / str(place)
        write(SHAPES, RECIPE, folder, seed=1, **first)
        before = contents(folder)
        with monkeypatch.context() as patch:
            fail_at(patch, place, OSError(errno.EACCES, "no", "hidden"), after=False)
            error = attempt(folder, force=True, **second)
        if error is None:
            break
        assert os.path.basename(error.filename) in {*before, *fresh[str(second)]}
        count += 1
        after = contents(folder)
        assert {name: after[name] for name in before} == before
        assert all(name.endswith(".partial") for name in after.keys() - before.keys())
        write(SHAPES, RECIPE, folder, seed=42, resume=True, force=True, **second)
        assert contents(folder) == fresh[str(second)]
    straight = first == second == {}  # one file takes another's place in one step
    assert count == len(before) + len(fresh[str(second)]) - straight


@pytest.mark.slow
@pytest.mark.parametrize("option", ["force", "resume"])
@pytest.mark.parametrize(("first", "second"), WAYS)
def test_killed_between_the_names(tmp_path, monkeypatch, fresh, first, second, option):
    """A process that ends between two renamings leaves the old files aside: a write without
    options is refused, the next one with `resume` or `force` ends with the new checkpoint alone,
    and one that is cut off before it is complete leaves the old one in its place (`force`)."""
    for place in range(1, 99):
        folder = tmp_path / str(place)
        write(SHAPES, RECIPE, folder, seed=1, **first)
        before = contents(folder)
        with monkeypatch.context() as patch:
            fail_at(patch, place, StopError(), after=True)
            if attempt(folder, force=True, **second) is None:
                break
        after = contents(folder)
        if first == second == {}:
            assert "model.safetensors" in after
        left = {name.removesuffix(".old").lstrip("."): data for name, data in after.items()}
        assert before.keys() <= left.keys()
        with pytest.raises(FileExistsError, match="a write that did not end"):
            write(SHAPES, RECIPE, folder, seed=42, **second)
        assert contents(folder) == after
        if option == "force":
            with pytest.raises(StopError):
                write(SHAPES, RECIPE, folder, seed=7, force=True, progress=stop, **second)
            assert before.items() <= contents(folder).items()
            assert verify(folder).seed == 1  # by its own index, or none
            assert verify(folder).equal
        refused = attempt(folder, **{option: True}, **second)
        if refused is not None:  # part of the old one still has its names
            assert option == "resume"
            assert before.keys() & after.keys()
            assert "--force" in str(refused)
            write(SHAPES, RECIPE, folder, seed=42, force=True, **second)
        assert contents(folder) == fresh[str(second)]


@pytest.mark.slow
@pytest.mark.parametrize("option", ["force", "resume"])
@pytest.mark.parametrize(("first", "second"), WAYS)
def test_killed_while_the_old_files_go(tmp_path, monkeypatch, fresh, first, second, option):
    """The new checkpoint is complete then, and stays where the next write is cut off too."""
    remove = _files.remove
    for place in range(1, 99):
        folder, calls = tmp_path / str(place), []
        write(SHAPES, RECIPE, folder, seed=1, **first)

        def failing(path, calls=calls, place=place):
            calls.append(path)
            if len(calls) >= place:
                raise StopError
            remove(path)

        with monkeypatch.context() as patch:
            patch.setattr(_files, "remove", failing)
            if attempt(folder, force=True, **second) is None:
                break
        assert any(name.endswith(".old") for name in contents(folder))
        seed = 7 if option == "force" else 42
        with pytest.raises(StopError):
            write(SHAPES, RECIPE, folder, seed=seed, progress=stop, **{option: True}, **second)
        assert fresh[str(second)].items() <= contents(folder).items()
        assert verify(folder).equal
        assert not any(name.endswith(".old") for name in contents(folder))
        write(SHAPES, RECIPE, folder, seed=42, force=True, **second)
        assert contents(folder) == fresh[str(second)]
    assert place > 1


def test_a_stray_file_beside_the_old_index(tmp_path, monkeypatch):
    """A single file that stood beside shards: cut off between the two, all of the old is there."""
    write(SHAPES, RECIPE, tmp_path, seed=1, **SHARDED)
    (tmp_path / "model.safetensors").write_bytes(b"stray")
    before = contents(tmp_path)
    for place in range(1, len(before) + 1):
        with monkeypatch.context() as patch:
            fail_at(patch, place, StopError(), after=True)
            assert attempt(tmp_path, force=True, **LARGER) is not None
        with pytest.raises(StopError):
            write(SHAPES, RECIPE, tmp_path, seed=7, force=True, progress=stop, **LARGER)
        assert before.items() <= contents(tmp_path).items()


def test_messages_name_the_users_files(tmp_path):
    """What stands in a hidden file's place is told by the file that it is in the way of."""
    for kind in ("partial", "old"):
        hidden = tmp_path / f".model.safetensors.{kind}"
        hidden.mkdir()
        with pytest.raises(FileExistsError, match=rf"model.safetensors cannot be .* {hidden.name}"):
            write(SHAPES, RECIPE, tmp_path, seed=1, force=True)
        hidden.rmdir()
    (tmp_path / ".model.safetensors.partial").write_bytes(b"")
    with pytest.raises(FileExistsError, match=rf"^{tmp_path} holds the rest of a write"):
        write(SHAPES, RECIPE, tmp_path, seed=1)
