# SPDX-License-Identifier: Apache-2.0
"""Writing and verifying checkpoints: the bytes, the shards, the reports, what is refused."""

import json
import math
import tracemalloc

import numpy as np
import pytest
import safetensors.numpy
from checkpoint_cases import INDEX, MANIFEST, ONES, SINGLE, contents
from checkpoint_cases import MODEL as SHAPES
from checkpoint_cases import MODEL_RECIPE as RECIPE
from hypothesis import given, settings
from hypothesis import strategies as st

import glorot
from glorot import Recipe, Rule, _kernel
from glorot.checkpoint import _blocks, _layout, read_shapes, verify, write
from glorot.recipe import TensorSpec

PLAIN = Recipe([Rule("*", "glorot_uniform")])


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder with SHAPES by RECIPE and seed 42, in one file; not to be changed."""
    folder = tmp_path_factory.mktemp("written")
    write(SHAPES, RECIPE, folder, seed=42)
    return folder


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


@pytest.mark.slow
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
    assert sorted(contents(tmp_path)) == [MANIFEST, *names, INDEX]
    assert read_shapes(tmp_path) == {n: TensorSpec(s, "float32") for n, s in shapes.items()}
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
    with pytest.raises(ValueError, match=r"'1\.5' bytes is no whole number: is a unit missing"):
        _layout.parse_size("1.5")
    assert _layout.parse_size(2**63 - 2**10) == 2**63 - 2**10  # the last that float64 has
    with pytest.raises(ValueError, match=r"below 2\*\*63 bytes"):
        _layout.parse_size(2**63)
    monkeypatch.setattr(_layout, "MOST_FILES", 99)
    assert len(_layout.plan({f"w{i}": TensorSpec((1,), "bool") for i in range(99)}, {}, 1)) == 99
    with pytest.raises(ValueError, match=r"would make 100 files; at most 99 "):
        write({f"w{i}": (1,) for i in range(100)}, ONES, tmp_path, seed=1, max_shard_size=1)
    assert contents(tmp_path) == {}


def test_shards_that_fit_to_the_byte():
    """A shard takes what fills it exactly, the first and those behind it; a byte less does not."""
    tensors = {f"w{i}": TensorSpec((4,), "float32") for i in range(5)}
    for size, counts in ((32, [2, 2, 1]), (31, [1] * 5), (79, [4, 1]), (80, [5]), (1, [1] * 5)):
        assert [len(file.tensors) for file in _layout.plan(tensors, {}, size)] == counts


def test_index_to_the_byte():
    """As Hugging Face writes it: sorted keys, two spaces, a new line; names as they are."""
    tensors = {"ü": TensorSpec((3,), "float32"), "a": TensorSpec((2,), "float16")}
    assert _layout.index_text(_layout.plan(tensors, {}, 12)).decode() == (
        '{\n  "metadata": {\n    "total_size": 16\n  },\n  "weight_map": {\n'
        '    "a": "model-00002-of-00002.safetensors",\n'
        '    "ü": "model-00001-of-00002.safetensors"\n  }\n}\n'
    )
    assert _layout.shapes_text({"ü": tensors["ü"]}) == '{"ü":{"shape":[3],"dtype":"float32"}}'


@pytest.mark.parametrize("size", [None, 4])
def test_safetensors_beside_what_torch_saved(tmp_path, size):
    """Where both are, the safetensors are read; torch's directory alone is told from none."""
    write({"a": (1,), "b": (1,)}, ONES, tmp_path, seed=1, max_shard_size=size)
    (tmp_path / ".metadata").write_bytes(b"torch's")
    assert list(read_shapes(tmp_path)) == ["a", "b"]
    assert verify(tmp_path).equal
    for path in tmp_path.glob("model*"):
        path.unlink()
    with pytest.raises(ValueError, match=r"is a directory of torch.distributed.checkpoint"):
        read_shapes(tmp_path)
    (tmp_path / ".metadata").unlink()
    with pytest.raises(FileNotFoundError, match=r"holds neither model.safetensors nor"):
        read_shapes(tmp_path)


def test_shapes_come_in_the_order_of_the_files(tmp_path):
    """Whatever the order of the index, and of sets: what is written from it is the same."""
    names = [f"w{i:02}" for i in range(20)]
    write(dict.fromkeys(names, (1,)), ONES, tmp_path, seed=1, max_shard_size=1)
    content = json.loads((tmp_path / INDEX).read_bytes())
    content["weight_map"] = dict(reversed(content["weight_map"].items()))
    (tmp_path / INDEX).write_text(json.dumps(content))
    assert list(read_shapes(tmp_path)) == names


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
    for path in (tmp_path / "shapes.json", str(tmp_path / "shapes.json")):
        assert read_shapes(path) == glorot.recipe.parse_shapes(SHAPES)
    with pytest.raises(TypeError, match=r"`path` must be a path, got 3 of int"):
        read_shapes(3)
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
    dtypes = {name: spec.dtype for name, spec in read_shapes(tmp_path).items()}
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
        ({"recipe": ONES, "shapes": {}}, ValueError, r"at least one parameter"),
        ({"recipe": Recipe([Rule("x", "ones")])}, ValueError, r"no rule matches"),
        ({"max_shard_size": "big"}, ValueError, r"`max_shard_size`"),
        ({"block_size": 0}, ValueError, r"`block_size` must be at least 1"),
        ({"block_size": 1.5}, TypeError, r"`block_size` must be a whole number"),
        ({"shapes": "absent.json"}, FileNotFoundError, r"absent.json"),
        ({"shapes": 5}, TypeError, r"`shapes` must be a mapping .* path .*, got 5 of int"),
        ({"shapes": [("w", (2,))]}, TypeError, r"`shapes` must be a mapping .* of list"),
        ({"shapes": b"x.json"}, TypeError, r"`shapes` must be a mapping .* of bytes"),
        ({"recipe": None}, TypeError, r"`recipe` must be a glorot.Recipe, .*got None of NoneType"),
        ({"recipe": ONES.rules}, TypeError, r"`recipe` must be a glorot.Recipe, .* tuple"),
        ({"out_dir": None}, TypeError, r"`out_dir` must be the path of a folder, got None"),
        ({"out_dir": b"out"}, TypeError, r"`out_dir` must be the path of a folder, got b'out'"),
        ({"force": "no"}, TypeError, r"`force` must be True or False, got 'no' of str"),
        ({"resume": 1}, TypeError, r"`resume` must be True or False, got 1 of int"),
        ({"progress": 3}, TypeError, r"`progress` must be None or a function .*, got 3 of int"),
    ],
)
def test_refused_before_anything_is_written(tmp_path, changes, error, text):
    """Bad arguments are named, and leave not even a folder."""
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


def test_write_refuses_what_readers_refuse(tmp_path):
    """Too large a shard size, too many axes, no folder, or a folder in a file's place: refused
    before anything is computed or written."""
    out = tmp_path / "out"
    with pytest.raises(ValueError, match=r"`max_shard_size` must be below 2\*\*63"):
        write({"a": (2,)}, ONES, out, seed=1, max_shard_size="9" * 400)
    with pytest.raises(ValueError, match=r"64"):
        write({"a": (1,) * 65}, ONES, out, seed=1)
    with pytest.raises(ValueError, match=r"`out_dir` must be the path of a folder, got an empty"):
        write({"a": (2,)}, ONES, "", seed=1)
    assert not out.exists()
    (out / SINGLE).mkdir(parents=True)
    calls = []
    with pytest.raises(FileExistsError, match=r"is a folder where a file goes"):
        write({"a": (2,)}, ONES, out, seed=1, force=True, progress=calls.append)
    assert not calls


def test_read_shapes_refuses_a_tensor_that_its_file_lacks(tmp_path):
    """An index that names a tensor which its file does not hold is an error."""
    write({"a": (4,), "b": (4,)}, ONES, tmp_path, seed=1, max_shard_size=16)
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
    write({"a": (4,)}, ONES, tmp_path, seed=1)
    assert seen == [1]


@pytest.mark.parametrize("rows", [2048, 8192])
def test_memory_is_threads_times_block(tmp_path, monkeypatch, rows):
    """Whatever the size, 16 MB or 64: each of threads + 8 holds a block to write; to compare, each
    of the threads two, and a byte an element of what is equal."""
    monkeypatch.setenv("GLOROT_THREADS", "3")
    block = 1 << 20
    shapes = {"a": (rows, 1024), "b": (1024, rows)}

    def peak(step, *arguments, **options):
        tracemalloc.start()
        step(*arguments, **options, block_size=block)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    write({"w": (2,)}, PLAIN, tmp_path / "first", seed=1)  # what is imported late is not counted
    verify(tmp_path / "first", PLAIN, 1)
    more = 0 if _kernel._native else 2 * 3  # a thread of the NumPy code has words and steps too
    assert block < peak(write, shapes, PLAIN, tmp_path / "out", seed=1) < (12 + more) * block
    assert 2 * block < peak(verify, tmp_path / "out", PLAIN, 1) < (10 + more) * block


def test_a_recipe_that_no_manifest_could_hold(tmp_path):
    """It is refused before the first byte, and not after the last."""
    recipe = Recipe([Rule("*", "zeros")], source="by \ud800")
    with pytest.raises(ValueError, match=r"encodable as UTF-8.*a lone surrogate"):
        write({"w": (4,)}, recipe, seed=1, out_dir=tmp_path / "made")
    assert not list(tmp_path.iterdir())
