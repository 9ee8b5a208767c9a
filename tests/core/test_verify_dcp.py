# SPDX-License-Identifier: Apache-2.0
"""Verifying directories of torch.distributed.checkpoint, without torch: what differs, is missing or
cut off. tests/frameworks/test_dcp_verify.py does it to what torch writes."""

import math
import shutil
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from dcp_folders import RECIPE, SHAPES, save
from hypothesis import given, settings
from hypothesis import strategies as st

from glorot import Recipe, Rule
from glorot.checkpoint import _dcp_item, verify


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A directory of 3 files, tensors in up to 8 pieces each, and where these are; not to be
    changed."""
    folder = tmp_path_factory.mktemp("written") / "dcp"
    return folder, save(folder, parts=2)


@pytest.fixture
def copy(written, tmp_path):
    """A copy of it."""
    return shutil.copytree(written[0], tmp_path / "copy")


def offset(folder, piece):
    """Where the values of a piece begin in its file."""
    path = folder / piece[3]
    with path.open("rb") as file:
        return _dcp_item.read(file, path, *piece[4:]).offset


def problem(folder, **options):
    """The one thing that is wrong."""
    report = verify(folder, RECIPE, 42, **options)
    assert not report.equal
    (check,) = report.problems
    return check


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_equal(tmp_path, parts):
    """Whole or in pieces over any axes, each tensor is compared and equal; of another seed those
    that draw are not. Shapes that are given are held to."""
    save(tmp_path / "dcp", parts=parts)
    for path in (tmp_path / "dcp", tmp_path / "dcp" / ".metadata"):
        report = verify(path, RECIPE, 42, block_size=1000)
        assert report.equal, report.problems
        assert {check.name for check in report.tensors} == set(SHAPES)
        assert report.parameters == sum(int(np.prod(shape)) for shape in SHAPES.values())
        assert "checked only the 7 tensors there; give --shapes" in report.note
    assert verify(tmp_path / "dcp", RECIPE, 42, shapes=SHAPES).note == ""
    other = verify(tmp_path / "dcp", RECIPE, 43)
    assert {check.name for check in other.problems} == {"a", "o.w", "scalar", "cube", "c"}
    assert {check.status for check in other.problems} == {"trained"}


@pytest.mark.slow
@given(st.data())
@settings(deadline=None, max_examples=40)
def test_one_bit_is_found(written, tmp_path_factory, data):
    """One flipped bit of any value of any piece: its tensor, its index in the whole, both
    values."""
    source, pieces = written
    folder = shutil.copytree(source, tmp_path_factory.mktemp("poke") / "copy")
    piece = data.draw(st.sampled_from([p for p in pieces if np.prod(p[2]) and p[0] != "o.w"]))
    name, begin, extent, file = piece[:4]
    at = data.draw(st.integers(0, int(np.prod(extent)) - 1))
    where = offset(folder, piece) + 4 * at
    content = bytearray((folder / file).read_bytes())
    content[where] ^= 1
    (folder / file).write_bytes(content)
    check = problem(folder, block_size=data.draw(st.integers(300, 5000)))
    index = tuple(i + j for i, j in zip(begin, np.unravel_index(at, extent), strict=True))
    assert (check.name, check.index, check.differing) == (name, index, 1)
    assert check.found == float(np.frombuffer(content[where : where + 4], np.float32)[0])
    init = {a.name: a.initializer for a in RECIPE.resolve(SHAPES)}[name]
    assert check.expected == float(init(SHAPES[name], seed=42, name=name)[index])


def test_the_first_of_all_pieces_is_named(written, copy):
    """Whichever file it is in: the smallest index of the tensor."""
    pieces = [piece for piece in written[1] if piece[0] == "a"]
    for piece in reversed(pieces[1:]):
        content = bytearray((copy / piece[3]).read_bytes())
        content[offset(copy, piece)] ^= 1
        (copy / piece[3]).write_bytes(content)
    check = problem(copy)
    assert (check.index, check.differing) == ((0, 15), 3)


def test_truncated_and_missing_files(written, copy):
    """A file that is cut short: what it lacks of which tensors; one that is not there: those it
    held. All others are compared as ever."""
    path = copy / "__1_0.distcp"
    inside = [piece for piece in written[1] if piece[3] == path.name]
    keep = inside[len(inside) // 2][4] + 10
    full = path.read_bytes()
    path.write_bytes(full[:keep])
    checks = {check.name: check for check in verify(copy, RECIPE, 42).tensors}
    cut = {piece[0] for piece in inside if piece[4] + piece[5] > keep}
    assert {name for name, check in checks.items() if check.status == "truncated"} == cut
    assert {check.status for name, check in checks.items() if name not in cut} == {"equal"}
    lacking = sum(p[4] + p[5] - keep for p in inside if p[0] == "c" and p[4] + p[5] > keep)
    assert f"the file lacks its last {lacking} bytes" in checks["c"].note
    for name in cut:  # the elements of a piece that is cut count once
        gone = [p[2] for p in inside if p[0] == name and p[4] + p[5] > keep]
        assert checks[name].differing == sum(map(math.prod, gone))
    path.write_bytes(b"")
    report = verify(copy, RECIPE, 42)
    assert {c.name for c in report.problems} == {piece[0] for piece in inside}
    path.unlink()
    report = verify(copy, RECIPE, 42)
    assert {(c.name, c.status, c.note) for c in report.problems} == {
        (piece[0], "missing", ".metadata puts it in __1_0.distcp") for piece in inside
    }
    for file in copy.glob("*.distcp"):
        file.unlink()
    assert verify(copy, RECIPE, 42).note == "it holds no tensors"


def test_missing_extra_shape_and_dtype(copy):
    """Against shapes and a dtype that are given, as of safetensors."""
    shapes = {**SHAPES, "more": (3,), "cube": (6, 4, 5)}
    del shapes["none"]
    report = verify(copy, RECIPE, 42, shapes=shapes)
    assert {c.name: (c.status, c.note) for c in report.problems} == {
        "more": ("missing", "`shapes` names it"),
        "none": ("extra", "`shapes` does not name it"),
        "cube": ("shape", "shape (4, 6, 5), not (6, 4, 5)"),
    }
    report = verify(copy, RECIPE, 42, dtype="bfloat16")
    assert {c.status for c in report.problems} == {"dtype"}
    fewer = Recipe([Rule("[abc]*", "zeros"), Rule("o*", "ones"), Rule("x", "ones")])
    checks = {c.name: c.note for c in verify(copy, fewer, 42).problems}
    assert checks["scalar"] == checks["none"] == "no rule matches it"
    assert checks["x"] == "the rule with this pattern finds no tensor"


def test_memory_is_bounded(tmp_path):
    """A tensor in pieces of 8 MB is compared in blocks of 64 KiB: no more than a few are held."""
    shapes = {"a": (2048, 2048)}
    recipe = Recipe([Rule("*", "he_normal")])
    save(tmp_path / "dcp", parts=2, shapes=shapes, recipe=recipe)
    verify(tmp_path / "dcp", recipe, 42, block_size=1 << 16)
    tracemalloc.start()
    report = verify(tmp_path / "dcp", recipe, 42, block_size=1 << 16)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.equal
    assert peak < 4 << 20


def test_no_torch_is_loaded(written):
    """It works where no framework is."""
    code = (
        "import sys, glorot; from glorot import Recipe, Rule; from glorot.checkpoint import verify;"
        "r = verify(sys.argv[1], Recipe.from_json(sys.argv[2]), 42);"
        "print(r.equal, sorted({'torch', 'jax', 'keras'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, written[0], RECIPE.to_json()],
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout == "True []\n"
