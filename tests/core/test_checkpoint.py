# SPDX-License-Identifier: Apache-2.0
"""Writing and verifying checkpoints: the bytes, the shards, the reports, what is refused."""

import json
import math
import shutil

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

import glorot
from glorot import Recipe, Rule, _kernel
from glorot.checkpoint import _blocks, _layout, read_shapes, verify, write

RECIPE = Recipe(
    [
        Rule("*.bias", "zeros"),
        Rule("norm*", "ones"),
        Rule("out.weight", glorot.Orthogonal()),
        Rule("conv.weight", glorot.HeNormal(layout="torch.conv", order="canonical")),
        Rule("h.*.weight", glorot.RandomNormal(stddev=0.02), layers="h.*."),
        Rule("*", "glorot_uniform"),
    ]
)
SHAPES = {
    "embed": {"shape": [500, 30], "dtype": "float32"},
    "h.0.weight": {"shape": [300, 100], "dtype": "bfloat16"},
    "h.1.weight": {"shape": [300, 100], "dtype": "float64"},
    "h.0.bias": {"shape": [100], "dtype": "float16"},
    "conv.weight": {"shape": [8, 4, 3, 3], "dtype": "float32"},
    "norm": {"shape": [], "dtype": "float32"},
    "norm.steps": {"shape": [3], "dtype": "int64"},
    "out.weight": {"shape": [60, 40], "dtype": "float32"},
    "none": {"shape": [0, 5], "dtype": "float32"},
}
PLAIN = Recipe([Rule("*", "glorot_uniform")])
RECIPE_ONES = Recipe([Rule("*", "ones")])
SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"


def contents(folder):
    """All files of a folder, hidden ones included."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


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


def test_values_are_the_initializers(written):
    """Every tensor that the library reads is what its initializer gives for name and seed."""
    tensors = safetensors.numpy.load_file(written / SINGLE)
    assert tensors.keys() == SHAPES.keys()
    for assignment in RECIPE.resolve(SHAPES):
        value = assignment.initializer(
            assignment.shape, assignment.dtype, seed=42, name=assignment.name
        )
        assert tensors[assignment.name].tobytes() == value.tobytes()
        assert tensors[assignment.name].dtype == value.dtype
    assert not np.array_equal(tensors["h.0.weight"], tensors["h.1.weight"])


def test_same_file_as_the_library_s(tmp_path):
    """With tensors of one dtype, the file is what the library saves."""
    shapes = {f"w.{i}": (50, i + 1) for i in range(12)}
    write(shapes, PLAIN, tmp_path, seed=1)
    tensors = safetensors.numpy.load_file(tmp_path / SINGLE)
    data = (tmp_path / SINGLE).read_bytes()
    theirs = safetensors.numpy.save(tensors, {"format": "pt"})
    start = 8 + int.from_bytes(data[:8], "little")
    their_start = 8 + int.from_bytes(theirs[:8], "little")
    assert data[start:] == theirs[their_start:]
    header, their_header = json.loads(data[8:start]), json.loads(theirs[8:their_start])
    assert header.pop("__metadata__").items() >= their_header.pop("__metadata__").items()
    assert list(header.items()) == list(their_header.items())


@given(st.integers(1, 200_000), st.integers(1, 3), st.none() | st.integers(1, 300_000))
@settings(deadline=None, max_examples=25)
def test_threads_and_blocks_change_nothing(written, tmp_path_factory, block_size, threads, limit):
    """Any block size on any number of threads gives the same bytes, in any shards."""
    folder = tmp_path_factory.mktemp("any")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLOROT_THREADS", str(threads))
        write(
            SHAPES, RECIPE, folder, seed=42, block_size=max(block_size, 500), max_shard_size=limit
        )
        assert verify(folder, RECIPE, 42, block_size=max(block_size, 500)).equal
    whole = safetensors.numpy.load_file(written / SINGLE)
    parts = {}
    for path in folder.glob("*.safetensors"):
        parts |= safetensors.numpy.load_file(path)
    assert {n: a.tobytes() for n, a in parts.items()} == {n: a.tobytes() for n, a in whole.items()}
    if not (folder / INDEX).exists():
        assert contents(folder) == contents(written)


def test_shards(tmp_path):
    """Tensors fill shards in their order; one larger than a shard is alone; the index is HF's."""
    shapes = {"a": (10,), "b": (10,), "c": (100,), "d": (5,), "e": (15,)}
    report = write(shapes, PLAIN, tmp_path, seed=1, max_shard_size=80)
    names = [f"model-{i:05}-of-00003.safetensors" for i in (1, 2, 3)]
    assert report.files == tuple(names)
    index = json.loads((tmp_path / INDEX).read_text())
    one, two, three = names
    assert index["weight_map"] == {"a": one, "b": one, "c": two, "d": three, "e": three}
    assert index["metadata"]["total_size"] == 4 * 140
    assert sorted(contents(tmp_path)) == [*names, INDEX]
    assert read_shapes(tmp_path) == {n: (s, "float32") for n, s in shapes.items()}
    assert verify(tmp_path, PLAIN, 1, shapes=shapes).equal
    with safetensors.safe_open(tmp_path / one, "np") as file:
        assert file.metadata()["format"] == "pt"
        assert file.metadata()["glorot.seed"] == "1"


@pytest.mark.parametrize(
    ("size", "expected"),
    [(5, 5), ("5", 5), ("5B", 5), ("500MB", 5 * 10**8), ("2GiB", 2**31), ("1.5 kB", 1500),
     ("1g", 10**9), ("3TiB", 3 * 2**40), (None, None)],
)  # fmt: skip
def test_sizes(size, expected):
    """Sizes are bytes, or text with decimal or binary units."""
    assert _layout.parse_size(size) == expected


@pytest.mark.parametrize("size", ["", "MB", "5XB", "-5", -5, True, 5.5, "1e3", "nan"])
def test_bad_sizes(size):
    """What is no size is refused with examples of what is."""
    with pytest.raises(ValueError, match=r"`max_shard_size` must be bytes, or text such as"):
        _layout.parse_size(size)


def test_sizes_have_limits(tmp_path, monkeypatch):
    """No shard of zero bytes, no more shards than names allow."""
    with pytest.raises(ValueError, match=r"at least 1 byte, got 0"):
        _layout.parse_size(0)
    monkeypatch.setattr(_layout, "MOST_FILES", 99)
    with pytest.raises(ValueError, match=r"would make 100 files; at most 99 "):
        write({f"w{i}": (1,) for i in range(100)}, RECIPE_ONES, tmp_path, seed=1, max_shard_size=1)
    assert contents(tmp_path) == {}


def test_shapes_of_a_checkpoint(written, tmp_path):
    """A checkpoint's headers are shapes: the same model comes out of its own checkpoint."""
    write(written, RECIPE, tmp_path / "a", seed=42)
    tensors = safetensors.numpy.load_file(tmp_path / "a" / SINGLE)
    again = safetensors.numpy.load_file(written / SINGLE)
    assert {n: a.tobytes() for n, a in tensors.items()} == {
        n: a.tobytes() for n, a in again.items()
    }
    (tmp_path / "shapes.json").write_text(json.dumps(SHAPES))
    write(str(tmp_path / "shapes.json"), RECIPE, tmp_path / "b", seed=42)
    assert contents(tmp_path / "b") == contents(written)
    (tmp_path / "bad.json").write_text('{"w": {"size": [1]}}')
    with pytest.raises(ValueError, match=r"bad\.json: 'w' in `shapes`"):
        write(tmp_path / "bad.json", RECIPE, tmp_path / "c", seed=42)


def test_report(tmp_path):
    """The report holds what was promised and what was measured of each tensor, for JSON too."""
    seen = []
    report = write(SHAPES, RECIPE, tmp_path, seed=42, progress=lambda *n: seen.append(n))
    tensors = safetensors.numpy.load_file(tmp_path / SINGLE)
    assert report.parameters == sum(a.size for a in tensors.values())
    assert report.written == sum(a.nbytes for a in tensors.values())
    assert report.nbytes == (tmp_path / SINGLE).stat().st_size
    assert seen[-1] == (report.written, report.written)
    assert sorted(seen) == seen
    for tensor in report.tensors:
        array = tensors[tensor.name].astype(np.float64)
        assert tensor.count == array.size
        if not array.size:
            assert tensor.stddev is None
            continue
        assert tensor.mean == pytest.approx(array.mean(), abs=1e-12)
        assert tensor.stddev == pytest.approx(array.std(), abs=1e-12)
        if array.size > 1000 and tensor.name != "out.weight":
            error = tensor.expected_stddev / math.sqrt(2 * array.size)
            assert abs(tensor.stddev - tensor.expected_stddev) < 5 * error
    assert json.loads(json.dumps(report.as_dict()))["tensors"][0]["name"] == report.tensors[0].name


def test_dtype_override(tmp_path):
    """`dtype` rounds every floating tensor and leaves integers."""
    write(SHAPES, RECIPE, tmp_path, seed=42, dtype="bfloat16")
    dtypes = {name: dtype for name, (_, dtype) in read_shapes(tmp_path).items()}
    assert dtypes.pop("norm.steps") == "int64"
    assert set(dtypes.values()) == {"bfloat16"}
    assert verify(tmp_path, RECIPE, 42).equal


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"seed": -1}, ValueError, r"seed % 2\*\*64"),
        ({"seed": None}, TypeError, r"`seed` must be an integer"),
        ({"dtype": "int8"}, TypeError, r"Only floating point"),
        ({"recipe": "gpt9"}, ValueError, r"no built-in recipe"),
        ({"recipe": RECIPE_ONES, "shapes": {}}, ValueError, r"at least one parameter"),
        ({"recipe": Recipe([Rule("x", "ones")])}, ValueError, r"no rule matches"),
        ({"max_shard_size": "big"}, ValueError, r"`max_shard_size`"),
        ({"block_size": 0}, ValueError, r"`block_size` must be at least 1"),
        ({"block_size": 1.5}, TypeError, r"`block_size` must be a whole number"),
        ({"shapes": "absent.json"}, FileNotFoundError, r"absent.json"),
    ],
)
def test_refused_before_anything_is_written(tmp_path, changes, error, text):
    """Bad arguments leave not even a folder."""
    arguments = {"shapes": SHAPES, "recipe": RECIPE, "out_dir": tmp_path / "out", "seed": 1}
    with pytest.raises(error, match=text):
        write(**arguments | changes)
    assert contents(tmp_path) == {}


def test_out_dir_that_is_a_file(tmp_path):
    """A file in the folder's place is refused and kept."""
    path = tmp_path / "file"
    path.write_text("kept")
    with pytest.raises(FileExistsError, match=r"is a file; `out_dir` must be a folder"):
        write(SHAPES, RECIPE, path, seed=1)
    assert path.read_text() == "kept"


def test_reference_kernel_writes_the_same(written, tmp_path):
    """Without the native kernel the files, and the reports up to rounding, are the same."""
    with _kernel.forced("reference"):
        report = write(SHAPES, RECIPE, tmp_path, seed=42)
    assert contents(tmp_path) == contents(written)
    assert report.tensors[-1].name


# --- verify ----------------------------------------------------------------------------------


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


@pytest.mark.parametrize("change", ["missing", "shape", "dtype"])
def test_verify_knows_what_was_written(change, tmp_path):
    """A file that lost a tensor, or has one of another shape or dtype, is not equal, although all
    that it holds is what the recipe gives: its metadata says what was written."""
    shapes = {"a": (4, 3), "b": (5, 2)}
    write(shapes, RECIPE_ONES, tmp_path, seed=1)
    assert verify(tmp_path, RECIPE_ONES, 1).equal
    with safetensors.safe_open(tmp_path / SINGLE, "np") as file:
        metadata = file.metadata()
    b = {"missing": None, "shape": np.ones((2, 5), "f4"), "dtype": np.ones((5, 2), "f8")}[change]
    tensors = {"a": np.ones((4, 3), "f4")} | ({} if b is None else {"b": b})
    safetensors.numpy.save_file(tensors, tmp_path / SINGLE, metadata)
    report = verify(tmp_path, RECIPE_ONES, 1)
    assert not report.equal
    assert "not the 2 that were written: tensors are missing, extra or of another" in report.note
    assert not verify(tmp_path, RECIPE_ONES, 1, shapes=shapes, dtype="float32").equal


def test_verify_says_when_it_cannot_know(tmp_path):
    """Of a checkpoint made by something else, only the tensors there are checked; none is not
    equal."""
    safetensors.numpy.save_file({"a": np.ones((4, 3), "f4")}, tmp_path / SINGLE)
    report = verify(tmp_path, RECIPE_ONES, 1)
    assert report.equal
    assert (
        "checked only the 1 tensors there; give --shapes to check that none is missing"
        in report.note
    )
    safetensors.numpy.save_file({}, tmp_path / SINGLE)
    report = verify(tmp_path, RECIPE_ONES, 1)
    assert not report.equal


def test_verify_takes_the_dtype_of_the_write(tmp_path):
    """What was written with a dtype verifies with the same shapes and dtype."""
    shapes = {"a": {"shape": (4, 3), "dtype": "float32"}}
    write(shapes, RECIPE_ONES, tmp_path, seed=1, dtype="bfloat16")
    assert verify(tmp_path, RECIPE_ONES, 1, shapes=shapes, dtype="bfloat16").equal
    assert verify(tmp_path, RECIPE_ONES, 1, shapes=shapes).problems[0].status == "dtype"


def test_write_refuses_what_readers_refuse(tmp_path):
    """Too large a shard size, too many axes, no folder, or a folder in a file's place: refused
    before anything is computed or written."""
    out = tmp_path / "out"
    with pytest.raises(ValueError, match=r"`max_shard_size` must be below 2\*\*63"):
        write({"a": (2,)}, RECIPE_ONES, out, seed=1, max_shard_size="9" * 400)
    with pytest.raises(ValueError, match=r"64"):
        write({"a": (1,) * 65}, RECIPE_ONES, out, seed=1)
    with pytest.raises(ValueError, match=r"`out_dir` must be the path of a folder"):
        write({"a": (2,)}, RECIPE_ONES, "", seed=1)
    assert not out.exists()
    (out / SINGLE).mkdir(parents=True)
    calls = []
    with pytest.raises(FileExistsError, match=r"is a folder where a file goes"):
        write({"a": (2,)}, RECIPE_ONES, out, seed=1, force=True, progress=calls.append)
    assert not calls


def test_read_shapes_refuses_a_tensor_that_its_file_lacks(tmp_path):
    """An index that names a tensor which its file does not hold is an error."""
    write({"a": (4,), "b": (4,)}, RECIPE_ONES, tmp_path, seed=1, max_shard_size=16)
    index = json.loads((tmp_path / INDEX).read_text())
    index["weight_map"]["c"] = index["weight_map"]["a"]
    (tmp_path / INDEX).write_text(json.dumps(index))
    with pytest.raises(ValueError, match=r"does not hold 'c', which the index puts there"):
        read_shapes(tmp_path)


def test_no_more_threads_than_blocks(tmp_path, monkeypatch):
    """However many threads are allowed, a single block is computed on one."""
    seen = []
    pool = _blocks.ThreadPoolExecutor
    monkeypatch.setattr(
        _blocks, "ThreadPoolExecutor", lambda n, **options: seen.append(n) or pool(n, **options)
    )
    monkeypatch.setenv("GLOROT_THREADS", "16")
    write({"a": (4,)}, RECIPE_ONES, tmp_path, seed=1)
    assert seen == [1]
