# SPDX-License-Identifier: Apache-2.0
"""Auditing directories of torch.distributed.checkpoint, whose tensors lie in pieces."""

import math
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import glorot
from glorot import Recipe, Rule
from glorot._audit import _checkpoint
from glorot._audit._sources import read_model
from glorot._dtypes import ALL
from glorot.checkpoint._box import Box
from glorot.checkpoint._found import Found, Piece
from glorot.checkpoint._header import Entry
from glorot.cli._app import app

FOLDERS = runpy.run_path(str(Path(__file__).with_name("dcp_folders.py")))
RECIPE, SHAPES, save = FOLDERS["RECIPE"], FOLDERS["SHAPES"], FOLDERS["save"]
VALUES = {a.name: a.initializer(a.shape, seed=42, name=a.name) for a in RECIPE.resolve(SHAPES)}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A directory of 3 files, tensors in up to 8 pieces each; not to be changed."""
    folder = tmp_path_factory.mktemp("written") / "dcp"
    save(folder, parts=2)
    return folder


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_the_same_as_of_arrays(tmp_path, parts):
    """Every measure and verdict is that of the tensors themselves, from the folder and from its
    metadata's path; a seed is told from another."""
    save(tmp_path / "dcp", parts=parts)
    expected = glorot.audit(VALUES, RECIPE, 42)
    assert expected.ok
    for path in (tmp_path / "dcp", tmp_path / "dcp" / ".metadata"):
        report = glorot.audit(path, RECIPE, 42)
        assert report.ok, report.problems
        assert sorted(report.parameters, key=lambda p: p.name) == sorted(
            expected.parameters, key=lambda p: p.name
        )
    kinds = {p.kind for p in glorot.audit(tmp_path / "dcp", RECIPE, 43).problems}
    assert kinds == {"seed"}


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_any_run_of_elements(written, data):
    """Elements [start, stop) of each tensor, whatever pieces they lie in."""
    found = {p.name: p for p in read_model(written).parameters}
    name = data.draw(st.sampled_from(list(SHAPES)))
    values = VALUES[name].reshape(-1)
    start = data.draw(st.integers(0, values.size))
    stop = data.draw(st.integers(start, values.size))
    assert found[name].read(start, stop).tobytes() == values[start:stop].tobytes()


@pytest.mark.parametrize("axes", [(1, 0), (2, 0, 1), (3, 1, 0, 2), (0, 2, 1)])
@pytest.mark.parametrize("dtype", ["float32", "float8_e5m2", "int64"])
def test_any_order_of_axes(tmp_path, monkeypatch, axes, dtype):
    """Pieces whose axes are stored in any order: rows close together, which are read with what lies
    between them, and rows far apart."""
    shape = (17, 9, 7, 12)[: len(axes)]
    values = np.arange(math.prod(shape)).astype(ALL[dtype]).reshape(shape)
    stored = values.transpose(axes)
    (tmp_path / "file").write_bytes(b"12345" + stored.tobytes())
    entry = Entry(stored.shape, dtype, 5)
    piece = Piece(tmp_path / "file", entry, Box((0,) * len(shape), shape, axes))
    read = _checkpoint._reader(Found(shape, dtype, (piece,)))
    for page, span in ((1 << 12, 1 << 20), (64, 200), (0, 0)):
        monkeypatch.setattr(_checkpoint, "_PAGE", page)
        monkeypatch.setattr(_checkpoint, "_SPAN", span)
        for start, stop in ((0, values.size), (3, 5), (11, 150), (40, values.size - 1)):
            assert read(start, stop).tobytes() == values.reshape(-1)[start:stop].tobytes()


@pytest.mark.parametrize("left", [0, 1000, None])
def test_a_file_that_shrinks_while_it_is_read(tmp_path, left):
    """Whatever its pieces are, one error that names it: nothing is mapped into memory, of which a
    part that is no longer there would end the process."""
    save(tmp_path / "dcp", parts=2)
    found = {p.name: p for p in read_model(tmp_path / "dcp").parameters}
    for file in (tmp_path / "dcp").glob("*.distcp"):
        file.unlink() if left is None else file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(OSError, match="distcp.* shorter while" if left is not None else "No such"):
        found["c"].read(0, 21000)


def test_a_fault_is_found(tmp_path):
    """One tensor twice too large is named, and no other."""
    wrong = Recipe([Rule("c", "he_normal", gain=2.0), *RECIPE.rules])
    save(tmp_path / "dcp", parts=2, recipe=wrong)
    (problem,) = glorot.audit(tmp_path / "dcp", RECIPE).problems
    assert (problem.kind, problem.names) == ("stddev", ("c",))
    assert "2 times too large" in problem.text


@pytest.mark.parametrize(
    ("lost", "text"), [(3, "__0_0.distcp lacks its last"), (None, "puts it in __0_0.distcp")]
)
def test_a_file_cut_off(written, tmp_path, lost, text):
    """The tensors that lie in it are named, and the others are read."""
    folder = shutil.copytree(written, tmp_path / "copy")
    file = folder / "__0_0.distcp"
    if lost is None:
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-lost])
    report = glorot.audit(folder, RECIPE)
    assert {p.kind for p in report.problems} == {"unreadable"}
    assert all(text in p.text for p in report.problems)
    named = {name for p in report.problems for name in p.names}
    assert named < set(SHAPES)
    assert {p.name for p in report.parameters if p.stddev is not None} >= {"a", "c"} - named


def test_a_save_that_did_not_end(written, tmp_path):
    """Torch writes the metadata last: without it that is said."""
    folder = shutil.copytree(written, tmp_path / "copy")
    (folder / ".metadata").unlink()
    with pytest.raises(FileNotFoundError, match=r"and no .metadata, which torch writes last: was"):
        glorot.audit(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"nor model.safetensors.index.json\.$"):
        glorot.audit(tmp_path / "empty")


def test_the_command(written, tmp_path):
    """`glorot inspect` reads such a directory as it reads safetensors."""
    (tmp_path / "recipe.json").write_text(RECIPE.to_json())
    line = ["inspect", str(written), "--recipe", str(tmp_path / "recipe.json"), "--seed", "42"]
    result = CliRunner().invoke(app, line)
    assert result.exit_code == 0, result.output
    assert CliRunner().invoke(app, [*line[:-1], "43"]).exit_code == 1
