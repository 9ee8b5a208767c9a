# SPDX-License-Identifier: Apache-2.0
"""Verifying checkpoints: what differs, what is missing, and what cannot be known."""

import json
import math
import shutil

import numpy as np
import pytest
import safetensors.numpy
from checkpoint_cases import INDEX, ONES, SINGLE
from checkpoint_cases import MODEL as SHAPES
from checkpoint_cases import MODEL_RECIPE as RECIPE
from hypothesis import given, settings
from hypothesis import strategies as st

import glorot
from glorot import Recipe, Rule
from glorot.checkpoint import _layout, verify, write


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder with SHAPES by RECIPE and seed 42, in one file; not to be changed."""
    folder = tmp_path_factory.mktemp("written")
    write(SHAPES, RECIPE, folder, seed=42)
    return folder


@pytest.fixture
def copy(written, tmp_path):
    """A copy of it."""
    return shutil.copytree(written, tmp_path / "copy")


def poke(path, name, index, flip=1):
    """Flip bits of one element of one tensor in a file."""
    entry = _layout._header.read(path).tensors[name]
    size = np.dtype(glorot._dtypes.ALL[entry.dtype]).itemsize
    with path.open("r+b") as file:
        file.seek(entry.offset + size * int(np.ravel_multi_index(index, entry.shape)))
        byte = file.read(1)
        file.seek(-1, 1)
        file.write(bytes([byte[0] ^ flip]))


def test_equal(written):
    """A checkpoint as written is equal, as a folder and as a file, with shapes and without."""
    for path in (written, written / SINGLE):
        for shapes in (None, SHAPES, written):
            report = verify(path, RECIPE, 42, shapes=shapes)
            assert report.equal
            assert report.problems == ()
            assert {check.name for check in report.tensors} == set(SHAPES)


@pytest.mark.slow
@given(st.data())
@settings(deadline=None, max_examples=25)
def test_one_bit_is_found(written, tmp_path_factory, data):
    """One flipped bit anywhere is found: its tensor, its index, both values."""
    folder = shutil.copytree(written, tmp_path_factory.mktemp("poke") / "copy")
    names = sorted(name for name, spec in SHAPES.items() if math.prod(spec["shape"]))
    name = data.draw(st.sampled_from(names))
    index = tuple(data.draw(st.integers(0, n - 1)) for n in SHAPES[name]["shape"])
    before = safetensors.numpy.load_file(folder / SINGLE)[name]
    poke(folder / SINGLE, name, index)
    after = safetensors.numpy.load_file(folder / SINGLE)[name]
    (check,) = verify(folder, RECIPE, 42, block_size=data.draw(st.integers(500, 9000))).problems
    alone = math.prod(SHAPES[name]["shape"]) == 1
    assert (check.name, check.status) == (name, "trained" if alone else "differs")
    assert (check.index, check.differing) == (index, 1)
    assert check.expected == float(before[index])
    assert check.found == float(after[index])
    assert f"first at {list(index)}: " in check.note


def test_first_difference_is_the_first(copy):
    """Of several differences the one with the smallest index is named, whatever the threads."""
    for index in ((499, 29), (3, 5), (250, 0)):
        poke(copy / SINGLE, "embed", index)
    (check,) = verify(copy, RECIPE, 42, block_size=512).problems
    assert (check.index, check.differing) == ((3, 5), 3)


def test_trained(copy):
    """A tensor most of whose elements differ looks trained; another seed does too."""
    tensors = safetensors.numpy.load_file(copy / SINGLE)
    tensors["embed"] = tensors["embed"] + np.float32(1e-3)
    safetensors.numpy.save_file(tensors, copy / SINGLE)
    (check,) = verify(copy, RECIPE, 42).problems
    assert (check.name, check.status) == ("embed", "trained")
    statuses = {c.name: c.status for c in verify(copy, RECIPE, 43).tensors}
    assert statuses["embed"] == statuses["h.0.weight"] == "trained"
    assert statuses["norm"] == statuses["h.0.bias"] == "equal"  # constants have no seed


def test_half_is_not_trained(tmp_path):
    """Exactly half of the elements differ: that is not most."""
    write({"w": (4, 6)}, ONES, tmp_path, seed=1)
    for number in range(12, 24):
        assert verify(tmp_path, ONES, 1).equal == (number == 12)
        poke(tmp_path / SINGLE, "w", divmod(number, 6))
    (check,) = verify(tmp_path, ONES, 1).problems
    assert (check.status, check.differing, check.index) == ("differs", 12, (2, 0))
    poke(tmp_path / SINGLE, "w", (0, 3))
    (check,) = verify(tmp_path, ONES, 1).problems
    assert (check.status, check.differing, check.index) == ("trained", 13, (0, 3))


def test_progress(written):
    """`progress` gets the bytes that are compared, rising to all of them, and what all are."""
    seen = []
    report = verify(written, RECIPE, 42, progress=lambda *n: seen.append(n), block_size=4000)
    total = sum(a.nbytes for a in safetensors.numpy.load_file(written / SINGLE).values())
    assert report.equal
    assert seen == sorted(seen)
    assert len(seen) > len(report.tensors)
    assert {of for _, of in seen} == {total}
    assert seen[-1] == (total, total)


def test_another_seed_or_recipe_is_told_from_training(copy):
    """The files say by which seed and recipe they were written: where that is another, it is said,
    and not where they are those; what is no number or fingerprint is not repeated."""
    other = glorot.Recipe([glorot.Rule("*", "zeros")])
    mine, its = RECIPE.fingerprint[:8], other.fingerprint[:8]
    assert verify(copy, RECIPE, 43).note == "it says that it was written with seed 42, not 43"
    assert verify(copy, other, 42).note == (
        f"it says that it was written with recipe {mine}, not {its}"
    )
    assert "seed 42, not 1, and recipe" in verify(copy, other, 1).note
    poke(copy / SINGLE, "embed", (3, 5))
    assert verify(copy, RECIPE, 42).note == ""
    tensors = safetensors.numpy.load_file(copy / SINGLE)
    said = {"glorot.seed": "\x1b[2J", "glorot.recipe": RECIPE.fingerprint}
    safetensors.numpy.save_file(tensors, copy / SINGLE, said)
    assert "written with" not in verify(copy, RECIPE, 43, shapes=SHAPES).note


def test_truncated(copy):
    """A file cut short is told from one that differs: which tensors, how many bytes."""
    header = _layout._header.read(copy / SINGLE)
    entry = header.tensors["out.weight"]
    with (copy / SINGLE).open("r+b") as file:
        file.truncate(entry.offset + 100)
    checks = {check.name: check for check in verify(copy, RECIPE, 42).tensors}
    assert checks["out.weight"].status == "truncated"
    assert f"lacks its last {entry.nbytes - 100} bytes" in checks["out.weight"].note
    assert checks["out.weight"].differing == entry.nbytes // 4 - 25
    for name, other in header.tensors.items():
        if name != "out.weight" and other.nbytes:
            cut = other.offset > entry.offset
            assert checks[name].status == ("truncated" if cut else "equal")


def test_bytes_after_the_end(copy):
    """Bytes that no tensor owns make it no safetensors file."""
    with (copy / SINGLE).open("ab") as file:
        file.write(b"x")
    with pytest.raises(ValueError, match=r"has 1 bytes more than its header"):
        verify(copy, RECIPE, 42)


def test_missing_extra_shape_dtype(copy):
    """Against given shapes: what is missing, extra, of another shape or dtype is told apart."""
    shapes = dict(SHAPES, more={"shape": [3], "dtype": "float32"})
    shapes["embed"] = {"shape": [30, 500], "dtype": "float32"}
    shapes["h.1.weight"] = {"shape": [300, 100], "dtype": "float32"}
    del shapes["none"]
    report = verify(copy, RECIPE, 42, shapes=shapes)
    assert {c.name: (c.status, c.note) for c in report.problems} == {
        "more": ("missing", "`shapes` names it"),
        "none": ("extra", "`shapes` does not name it"),
        "embed": ("shape", "shape (500, 30), not (30, 500)"),
        "h.1.weight": ("dtype", "dtype float64, not float32"),
    }
    assert not report.equal
    assert json.loads(json.dumps(report.as_dict()))["equal"] is False


def test_rules_tell_what_is_missing_and_extra(copy):
    """Without shapes, a rule that finds nothing and a tensor without a rule are problems."""
    rules = [rule for rule in RECIPE.rules if rule.pattern != "*"]
    recipe = Recipe([*rules, Rule("none", None), Rule("head", "ones")])
    report = verify(copy, recipe, 42)
    assert {c.name: (c.status, c.note) for c in report.problems} == {
        "embed": ("extra", "no rule matches it"),
        "none": ("extra", "the recipe leaves it out"),
        "head": ("missing", "the rule with this pattern finds no tensor"),
    }


def test_shards_and_their_index(tmp_path):
    """A lost shard, and a tensor in another shard than the index says, are told."""
    write(SHAPES, RECIPE, tmp_path, seed=42, max_shard_size=100_000)
    index = json.loads((tmp_path / INDEX).read_text())
    lost = index["weight_map"]["h.1.weight"]
    (tmp_path / lost).rename(tmp_path / "kept")
    problems = {c.name: c for c in verify(tmp_path, RECIPE, 42, shapes=SHAPES).problems}
    assert set(problems) == {n for n, file in index["weight_map"].items() if file == lost}
    assert problems["h.1.weight"].status == "missing"
    assert problems["h.1.weight"].note == f"the index puts it in {lost}"
    (tmp_path / "kept").rename(tmp_path / lost)
    assert verify(tmp_path, RECIPE, 42).equal
    del index["weight_map"]["norm"]
    (tmp_path / INDEX).write_text(json.dumps(index))
    (check,) = verify(tmp_path, RECIPE, 42, shapes=SHAPES).problems
    assert (check.name, check.status) == ("norm", "extra")


def test_verify_refuses(written, tmp_path):
    """Nothing to verify, or bad arguments, raise."""
    with pytest.raises(FileNotFoundError, match=r"holds neither"):
        verify(tmp_path, RECIPE, 42)
    with pytest.raises(ValueError, match=r"seed"):
        verify(written, RECIPE, 2**64)
    with pytest.raises(ValueError, match=r"`block_size`"):
        verify(written, RECIPE, 42, block_size=0)
    with pytest.raises(TypeError, match=r"`path` must be a path, got 3 of int"):
        verify(3, RECIPE, 42)
    with pytest.raises(TypeError, match=r"`recipe` must be a glorot.Recipe, .* got 3 of int"):
        verify(written, 3, 42)
    with pytest.raises(TypeError, match=r"`shapes` must be a mapping .*, got 3 of int"):
        verify(written, RECIPE, 42, shapes=3)
    with pytest.raises(TypeError, match=r"`progress` must be None or a function"):
        verify(written, RECIPE, 42, progress="bar")


CHANGES = {
    "missing": (None, "missing", "the file says that it was written"),
    "shape": (np.ones((2, 5), "f4"), "shape", "shape (2, 5), not (5, 2)"),
    "dtype": (np.ones((5, 2), "f8"), "dtype", "dtype float64, not float32"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_verify_knows_what_was_written(change, tmp_path):
    """A file that lost a tensor, or has one of another shape or dtype, is not equal, although all
    that it holds is what the recipe gives: its metadata says what was written, by name."""
    b, status, note = CHANGES[change]
    shapes = {"a": (4, 3), "b": (5, 2)}
    write(shapes, ONES, tmp_path, seed=1)
    assert verify(tmp_path, ONES, 1).equal
    metadata = metadata_of(tmp_path / SINGLE)
    tensors = {"a": np.ones((4, 3), "f4")} | ({} if b is None else {"b": b})
    safetensors.numpy.save_file(tensors, tmp_path / SINGLE, metadata)
    report = verify(tmp_path, ONES, 1)
    assert not report.equal
    assert [(c.name, c.status, c.note) for c in report.problems] == [("b", status, note)]
    assert report.note == f"the {len(tensors)} tensors there are not the 2 that were written"
    assert not verify(tmp_path, ONES, 1, shapes=shapes, dtype="float32").equal


def metadata_of(path):
    """The metadata of a file, as the library reads it."""
    with safetensors.safe_open(path, "np") as file:
        return file.metadata()


def test_a_tensor_that_was_not_written(tmp_path):
    """One that came later is named."""
    write({"a": (4, 3)}, ONES, tmp_path, seed=1)
    tensors = {name: np.ones((4, 3), "f4") for name in "ab"}
    safetensors.numpy.save_file(tensors, tmp_path / SINGLE, metadata_of(tmp_path / SINGLE))
    (check,) = verify(tmp_path, ONES, 1).problems
    assert (check.name, check.status) == ("b", "extra")
    assert check.note == "the file does not say that it was written"


def test_a_lost_layer_still_counts(tmp_path):
    """Depth scaling counts the layers that were written: of those left all are equal."""
    shapes = {f"h.{i}.weight": (300, 100) for i in range(4)}
    for options in ({}, {"max_shard_size": 150_000}):
        folder = tmp_path / str(len(options))
        recipe = Recipe([Rule("*", glorot.RandomNormal(stddev=0.02), layers="h.*.")])
        report = write(shapes, recipe, folder, seed=1, **options)
        if options:
            (folder / report.files[3]).unlink()
        else:
            tensors = safetensors.numpy.load_file(folder / SINGLE)
            del tensors["h.3.weight"]
            safetensors.numpy.save_file(tensors, folder / SINGLE, metadata_of(folder / SINGLE))
        statuses = {c.name: c.status for c in verify(folder, recipe, 1).tensors}
        assert statuses.pop("h.3.weight") == "missing"
        assert set(statuses.values()) == {"equal"}


def test_one_shard_alone(tmp_path):
    """A shard given by its path is whole without the others, and the note says so; in a place
    where it passes for the whole checkpoint it is not equal."""
    report = write({"a": (4,), "b": (4,)}, ONES, tmp_path, seed=1, max_shard_size=16)
    one = tmp_path / report.files[0]
    found = verify(one, ONES, 1)
    assert found.equal
    assert "is one of several and holds 1 of the 2 tensors" in found.note
    one.rename(tmp_path / SINGLE)
    (tmp_path / INDEX).unlink()
    found = verify(tmp_path, ONES, 1)
    assert not found.equal
    assert "nothing there names all of those; give --shapes to see which are missing" in found.note


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_file_that_another_program_saved_again(tmp_path, number):
    """Where any of several files says nothing of what was written, what it lost cannot be known:
    that is said, and is not equal; with the shapes it is."""
    shapes = dict.fromkeys("abc", (4,))
    report = write(shapes, ONES, tmp_path, seed=1, max_shard_size=16)
    path = tmp_path / report.files[number]
    safetensors.numpy.save_file(safetensors.numpy.load_file(path), path)
    found = verify(tmp_path, ONES, 1)
    assert (found.equal, found.problems) == (False, ())
    assert found.note.startswith("some of its files say what was written and others, of another")
    assert verify(tmp_path, ONES, 1, shapes=shapes).equal


def test_records_that_are_none(tmp_path):
    """What a file says of itself is read with distrust."""
    write({"a": (4,)}, ONES, tmp_path, seed=1)
    metadata = metadata_of(tmp_path / SINGLE) | {_layout.SHAPES_KEY: "[1"}
    safetensors.numpy.save_file({"a": np.ones(4, "f4")}, tmp_path / SINGLE, metadata)
    with pytest.raises(ValueError, match=r"safetensors, glorot.shapes of its metadata: .* JSON"):
        verify(tmp_path, ONES, 1)
    assert verify(tmp_path, ONES, 1, shapes={"a": (4,)}).equal


def test_verify_says_when_it_cannot_know(tmp_path):
    """Of a checkpoint made by something else, only the tensors there are checked; none is not
    equal."""
    safetensors.numpy.save_file({"a": np.ones((4, 3), "f4")}, tmp_path / SINGLE)
    report = verify(tmp_path, ONES, 1)
    assert report.equal
    assert (
        "checked only the 1 tensor there; give --shapes to check that none is missing"
        in report.note
    )
    safetensors.numpy.save_file({}, tmp_path / SINGLE)
    report = verify(tmp_path, ONES, 1)
    assert not report.equal


def test_verify_takes_the_dtype_of_the_write(tmp_path):
    """What was written with a dtype verifies with the same shapes and dtype."""
    shapes = {"a": {"shape": (4, 3), "dtype": "float32"}}
    write(shapes, ONES, tmp_path, seed=1, dtype="bfloat16")
    assert verify(tmp_path, ONES, 1, shapes=shapes, dtype="bfloat16").equal
    assert verify(tmp_path, ONES, 1, shapes=shapes).problems[0].status == "dtype"


LEFT = {
    "counted": (
        Recipe([Rule("*.mask", None), Rule("*.w", "normal", layers="h.*.")]),
        {"h.0.w": (16, 16), "h.1.w": (16, 16), "h.2.mask": {"shape": (4, 4), "dtype": "bool"}},
    ),
    "sized": (
        Recipe(
            [Rule("head.weight", None), Rule("*", "normal", stddev="1 / d")],
            variables={"d": {"size": "head.weight", "axis": 1}},
        ),
        {"w": (16, 16), "head.weight": (4, 64)},
    ),
}


@pytest.mark.parametrize("case", LEFT)
@pytest.mark.parametrize("given", [True, False])
def test_what_was_left_out_counts(tmp_path, case, given):
    """A recipe may count or measure what it leaves out, which no file holds: the manifest says
    it."""
    recipe, shapes = LEFT[case]
    write(shapes, recipe, tmp_path, seed=1, max_shard_size=1500)
    arguments = (recipe, 1) if given else ()
    assert verify(tmp_path, *arguments).equal
    assert verify(tmp_path, recipe, 1, shapes=shapes).equal
    if case == "counted":
        (tmp_path / "model-00001-of-00002.safetensors").unlink()
        problems = verify(tmp_path, *arguments).problems
        assert (problems[0].name, problems[0].status) == ("h.0.w", "missing")
    manifest = json.loads((tmp_path / "glorot.json").read_bytes())
    assert manifest["shapes"].keys() == shapes.keys()
    write({"w": (4, 4)}, ONES, tmp_path / "plain", seed=1)
    assert "shapes" not in json.loads((tmp_path / "plain" / "glorot.json").read_bytes())


def test_a_lost_sibling_is_asked_for(tmp_path):
    """A bias whose fans were those of a weight in a lost file can be proven with the shapes."""
    shapes = {"a.weight": (40, 30), "a.bias": (40,)}
    bias = Rule("*.bias", "lecun_uniform", fans_of="weight")
    recipe = Recipe([bias, Rule("*", "he_normal", layout="torch.linear")])
    write(shapes, recipe, tmp_path, seed=1, max_shard_size=4000)
    assert verify(tmp_path, recipe, 1).equal
    (tmp_path / "model-00001-of-00002.safetensors").unlink()
    with pytest.raises(
        ValueError, match=r"'a.weight', and there is none.* Of lost tensors the shap"
    ):
        verify(tmp_path, recipe, 1)
    checks = {c.name: c.status for c in verify(tmp_path, recipe, 1, shapes=shapes).tensors}
    assert checks == {"a.bias": "equal", "a.weight": "missing"}
