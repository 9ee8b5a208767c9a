# SPDX-License-Identifier: Apache-2.0
"""The safetensors header: the library's bytes when written, distrust when read."""

import hashlib
import json

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

import glorot
from glorot import Recipe, Rule
from glorot._dtypes import ALL
from glorot.checkpoint import _header, read_shapes
from glorot.recipe import TensorSpec

MANY = Recipe([Rule("*", "glorot_uniform")])


def test_literal_bytes(tmp_path):
    """A small file, byte by byte: length, padded header, rows of ones, nothing after."""
    recipe = Recipe([Rule("a", "ones"), Rule("b", "zeros")])
    shapes = {"b": {"shape": [2], "dtype": "float16"}, "a": {"shape": [1, 2], "dtype": "float32"}}
    glorot.checkpoint.write(shapes, recipe, tmp_path, seed=7)
    plan = hashlib.sha256(b'[["a",[1,2],"float32"],["b",[2],"float16"]]').hexdigest()
    text = (
        b'{"__metadata__":{"format":"pt","glorot.recipe":"%s","glorot.seed":"7",'
        b'"glorot.stream":"1","glorot.plan":"%s","glorot.tensors":"2",'
        b'"glorot.shapes":"{\\"b\\":{\\"shape\\":[2],\\"dtype\\":\\"float16\\"},'
        b'\\"a\\":{\\"shape\\":[1,2],\\"dtype\\":\\"float32\\"}}"},'
        b'"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"b":{"dtype":"F16","shape":[2],"data_offsets":[8,12]}}'
    ) % (recipe.fingerprint.encode(), plan.encode())
    text += b" " * (-len(text) % 8)
    expected = len(text).to_bytes(8, "little") + text + b"\0\0\x80\x3f" * 2 + b"\0" * 4
    assert (tmp_path / "model.safetensors").read_bytes() == expected


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_equals_the_library(dtype):
    """Header and order are the library's, for names that JSON must escape too."""
    names = ["b", "a.10", "a.2", 'q"uote', "ünï", "\U0001f600", "tab\t", "\x7f", "z"]
    arrays = {n: np.zeros((i, 3), ALL[dtype]) for i, n in enumerate(names)}
    specs = {name: TensorSpec(array.shape, dtype) for name, array in arrays.items()}
    start, entries = _header.encode(specs, {"format": "pt"})
    theirs = safetensors.numpy.save(arrays, {"format": "pt"})
    assert start == theirs[: len(start)]
    assert len(theirs) == len(start) + sum(entry.nbytes for entry in entries.values())


def test_order_of_mixed_dtypes_is_the_library_s():
    """Tensors of all dtypes lie in the library's order."""
    arrays = {f"{i:02}.{d}": np.zeros(3, dtype) for i, (d, dtype) in enumerate(ALL.items())}
    specs = {n: TensorSpec((3,), n.partition(".")[2]) for n in arrays}
    start, entries = _header.encode(specs, {})
    theirs = safetensors.numpy.save(arrays)
    assert start == theirs[: len(start)]
    assert all(e.offset % ALL[e.dtype].itemsize == 0 for e in entries.values())


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8"), min_size=1).filter(lambda n: n != "__metadata__"),
        st.tuples(st.lists(st.integers(0, 5), max_size=3), st.sampled_from(sorted(ALL))),
        min_size=1,
        max_size=8,
    )
)
@settings(deadline=None, max_examples=50)
def test_header_round_trip(tmp_path_factory, tensors):
    """What `encode` writes, `read` and the library read back."""
    specs = {name: TensorSpec(tuple(shape), dtype) for name, (shape, dtype) in tensors.items()}
    start, entries = _header.encode(specs, {"k": "v"})
    size = len(start) + sum(entry.nbytes for entry in entries.values())
    path = tmp_path_factory.mktemp("header") / "model.safetensors"
    path.write_bytes(start.ljust(size, b"\0"))
    assert _header.read(path) == ({"k": "v"}, entries, size)
    assert read_shapes(path) == specs
    with safetensors.safe_open(path, "np") as file:
        assert set(file.keys()) == set(specs)


def entry(dtype="F32", shape=(2,), offsets=(0, 8), **more):
    """One tensor of a header."""
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets, **more}


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ([], r"must be a JSON object"),
        ({"__metadata__": {"a": 1}}, r"__metadata__ must map strings to strings"),
        ({"__metadata__": []}, r"__metadata__ must map strings to strings"),
        ({"__metadata__": {"a": "\ud800"}}, r"strings that UTF-8 can encode"),
        ({"__metadata__": {"\ud800": "a"}}, r"strings that UTF-8 can encode"),
        ({"\ud800": entry()}, r"which holds a lone surrogate"),
        ({"w": 3}, r"'w' must have dtype, shape and data_offsets"),
        ({"w": entry(x=1)}, r"'w' must have dtype, shape and data_offsets, and nothing else"),
        ({"w": entry(dtype="C64")}, r"'w' has the dtype 'C64', which is none of BOOL"),
        ({"w": entry(dtype=["F32"])}, r"'w' has the dtype \['F32'\]"),
        ({"w": entry(shape=[-2])}, r"'w' has the shape \[-2\]"),
        ({"w": entry(shape=[2.0])}, r"'w' has the shape \[2.0\]"),
        ({"w": entry(shape=[True, 2])}, r"'w' has the shape"),
        ({"w": entry(shape="2")}, r"'w' has the shape '2'"),
        ({"w": entry(shape=[2**64])}, r"'w' has the shape"),
        ({"w": entry(shape=[0, 2**63])}, r"'w' has the shape .* sizes of 0 or more"),
        ({"w": entry(shape=[1] * 64 + [2])}, r"at most 64"),
        ({"w": entry(shape=[2**62, 2, 0])}, r"whose product leaves 64 bits"),
        ({"w": entry(shape=[2**62, 2**62], offsets=[0, 8])}, r"whose product leaves 64 bits"),
        ({"w": entry(offsets=[0, 12])}, r"'w' of shape \[2\] and dtype F32 takes 8 bytes"),
        ({"w": entry(offsets=[8, 0])}, r"takes 8 bytes"),
        ({"w": entry(offsets=[0])}, r"takes 8 bytes"),
        ({"w": entry(offsets=[0, 8, 8])}, r"takes 8 bytes"),
        ({"w": entry(offsets=[4, 12])}, r"'w' begins at byte 4 .* where 0 is expected"),
        ({"v": entry(), "w": entry(offsets=[4, 12])}, r"neither overlap"),
        ({"v": entry(), "w": entry(offsets=[16, 24])}, r"nor leave gaps"),
        ({"": entry()}, r"cannot be called ''"),
    ],
)
def test_malicious_headers(tmp_path, content, match):
    """Headers that lie about sizes, overlap, or are no headers are refused with the file's name."""
    text = json.dumps(content).encode()
    path = tmp_path / "evil.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"\0" * 64)
    with pytest.raises(ValueError, match=match) as caught:
        read_shapes(path)
    assert "evil.safetensors is not a safetensors file" in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x01\0\0",
        (2**63).to_bytes(8, "little") + b"{}",
        (100_000_001).to_bytes(8, "little") + b"{}",
        (3).to_bytes(8, "little") + b"{}",
    ],
)
def test_header_length_is_bounded(tmp_path, data):
    """A length beyond the file, or beyond the limit, is refused before memory is taken for it."""
    path = tmp_path / "short.safetensors"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"do not hold a header of \d+ bytes"):
        read_shapes(path)


@pytest.mark.parametrize("text", [b"{", b"\xff\xff", b'{"a":1,"a":2}', b"[" * 50_000])
def test_header_must_be_json(tmp_path, text):
    """What is not JSON, or hides a key behind its double, is refused."""
    path = tmp_path / "text.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    with pytest.raises(ValueError, match=r"the header (cannot be read|must be|is nested)"):
        read_shapes(path)


ENCODINGS = ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_text_must_be_plain_utf_8(tmp_path, encoding):
    """A header, an index, a shapes file or a recipe in another encoding, which Python's JSON
    reader would guess, is refused; the library refuses such headers too."""
    needed = r"must begin without a byte order mark|must be UTF-8 text|cannot be read as JSON"
    text = json.dumps({"w": entry()}).encode(encoding)
    path = tmp_path / "text.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"\0" * 8)
    with pytest.raises(safetensors.SafetensorError):
        safetensors.safe_open(path, "np")
    with pytest.raises(ValueError, match=needed):
        read_shapes(path)
    index = json.dumps({"weight_map": {"w": path.name}}).encode(encoding)
    (tmp_path / "model.safetensors.index.json").write_bytes(index)
    with pytest.raises(ValueError, match=needed):
        read_shapes(tmp_path)
    shapes = tmp_path / "shapes.json"
    shapes.write_bytes(json.dumps({"w": {"shape": [2]}}).encode(encoding))
    with pytest.raises(ValueError, match=needed):
        read_shapes(shapes)
    recipe = tmp_path / "recipe.json"
    recipe.write_bytes(MANY.to_json().encode(encoding))
    with pytest.raises(ValueError, match=needed):
        glorot.recipe.load(recipe)


def test_headers_at_the_limits(tmp_path):
    """Entries in another order than the data, 64 axes, and the largest size, are as good as any;
    the library reads them too."""
    content = {
        "b": entry(offsets=[8, 16]),
        "a": entry(shape=[1] * 63 + [2], offsets=[16, 24]),
        "d": entry(shape=[0, 2**63 - 1], offsets=[8, 8]),
        "c": entry(),
    }
    text = json.dumps(content).encode()
    path = tmp_path / "model.safetensors"
    data = np.arange(6, dtype=np.float32)
    path.write_bytes(len(text).to_bytes(8, "little") + text + data.tobytes())
    start = 8 + len(text)
    entries = _header.read(path).tensors
    assert {n: e.offset - start for n, e in entries.items()} == {"b": 8, "a": 16, "d": 8, "c": 0}
    assert {n: e.shape for n, e in entries.items()} == {
        name: tuple(said["shape"]) for name, said in content.items()
    }
    with safetensors.safe_open(path, "np") as file:
        assert file.get_tensor("b").tolist() == [2, 3]
        if np.lib.NumpyVersion(np.__version__) >= "2.0.0":  # whose arrays have more than 32 axes
            assert file.get_tensor("a").ravel().tolist() == [4, 5]


def test_metadata_may_be_null(tmp_path):
    """The library reads null as no metadata."""
    text = json.dumps({"__metadata__": None, "w": entry()}).encode()
    path = tmp_path / "null.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"\0" * 8)
    assert safetensors.numpy.load_file(path).keys() == read_shapes(path).keys() == {"w"}


def test_empty_and_absent(tmp_path):
    """A checkpoint without tensors, and none at all, say so."""
    path = tmp_path / "none.safetensors"
    path.write_bytes((2).to_bytes(8, "little") + b"{}")
    with pytest.raises(ValueError, match=r"holds no tensors"):
        read_shapes(path)
    with pytest.raises(FileNotFoundError, match=r"absent does not exist"):
        read_shapes(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match=r"holds neither model.safetensors nor"):
        read_shapes(tmp_path)


@pytest.mark.parametrize(
    "file",
    ["../x.safetensors", "/etc/x.safetensors", "a/b.safetensors", "..", "", "a\\b.safetensors",
     "x\0.safetensors", "c:x.safetensors", "x.bin", 3, None, ["x"]],
)  # fmt: skip
def test_index_stays_in_its_folder(tmp_path, file):
    """An index that points out of its folder, or at no safetensors file, is refused."""
    index = {"metadata": {}, "weight_map": {"w": file}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match=r"`weight_map` puts 'w' in .* in the same folder"):
        read_shapes(tmp_path)
    with pytest.raises(ValueError, match=r"`weight_map` puts 'w' in"):
        glorot.checkpoint.verify(tmp_path, MANY, 1)


def test_index_must_be_one(tmp_path):
    """An index without a map, given as a path, or of absurd size is refused."""
    path = tmp_path / "model.safetensors.index.json"
    path.write_text("{}")
    with pytest.raises(ValueError, match=r"must be a JSON object with a `weight_map`"):
        read_shapes(tmp_path)
    with pytest.raises(ValueError, match=r"is an index; give the folder"):
        read_shapes(path)
    with path.open("wb") as file:
        file.truncate(100_000_001)
    with pytest.raises(ValueError, match=r"too large for an index"):
        read_shapes(tmp_path)


def test_a_name_in_two_files(tmp_path):
    """A tensor that two shards hold is refused: which is it?"""
    start, _ = _header.encode({"w": TensorSpec((0,), "float32")}, {})
    weight_map = {"w": "a.safetensors", "v": "b.safetensors"}
    for name in weight_map.values():
        (tmp_path / name).write_bytes(start)
    index = json.dumps({"weight_map": weight_map})
    (tmp_path / "model.safetensors.index.json").write_text(index)
    with pytest.raises(ValueError, match=r"b.safetensors holds 'w', which an earlier file"):
        read_shapes(tmp_path)


@pytest.mark.parametrize("shape", [[4, 2**63 - 1, 0], [2**32, 2**32, 0, 2]])
def test_sizes_that_leave_64_bits_before_they_come_to_nothing(tmp_path, shape):
    """The library multiplies from the first on and refuses the file: neither read nor written."""
    path, spec = tmp_path / "x.safetensors", TensorSpec(tuple(shape), "float32")
    text = json.dumps({"a": {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}}).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    with pytest.raises(safetensors.SafetensorError), safetensors.safe_open(path, "np"):
        pass
    for read in (_header.read, lambda path: _header.encode({"a": spec}, {})):
        with pytest.raises(ValueError, match=r"'a' has the shape \[.*\], whose product leaves 64"):
            read(path)
    first = [0, *shape]
    start, entries = _header.encode({"a": TensorSpec(tuple(first), "float32")}, {})
    path.write_bytes(start)
    assert _header.read(path).tensors == entries
    with safetensors.safe_open(path, "np") as file:
        assert file.get_slice("a").get_shape() == first


def test_headers_of_too_many_tensors(monkeypatch):
    """A header longer than readers accept is refused before anything is written."""
    monkeypatch.setattr(_header, "MAX_HEADER_BYTES", 50)
    with pytest.raises(ValueError, match=r"Write fewer tensors in a file: give `max_shard_size`"):
        _header.encode({"w": TensorSpec((2,), "float32")}, {})


# --- anything at all -----------------------------------------------------------------------------

NUMBERS = st.sampled_from([0, 1, 2, 4, 8, 16, -1, 2**31, 2**63 - 1, 2**63, 2**64, 1.0, True, None])
PLACES = st.lists(NUMBERS | st.integers(0, 40), max_size=4)
VALUES = st.recursive(
    NUMBERS | st.text(max_size=3) | st.sampled_from(["F32", "BF16", "F8_E4M3", "BOOL", "C64"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.sampled_from(["F32", "BF16", "F8_E4M3", "U8"]) | VALUES,
        "shape": PLACES | VALUES,
        "data_offsets": PLACES | VALUES,
        "more": VALUES,
    },
)
NAMES = st.sampled_from(["a", "b", "__metadata__", ""]) | st.text(max_size=3)
HEADERS = st.dictionaries(NAMES, ENTRIES | VALUES, max_size=4)


@st.composite
def right_headers(draw):
    """Tensors that lie one after another, and perhaps one number of them changed."""
    content, end = {}, 0
    for name in draw(st.lists(st.sampled_from("abcd"), unique=True, max_size=4)):
        shape = draw(st.lists(st.integers(0, 3), max_size=3))
        size = int(np.prod(shape)) * 4
        content[name] = entry(shape=shape, offsets=[end, end + size])
        end += size
    if content and draw(st.booleans()):
        changed = content[draw(st.sampled_from(sorted(content)))]
        key = draw(st.sampled_from(["shape", "data_offsets"]))
        changed[key] = draw(PLACES)
    return content


def read_or_said(reader, path):
    """(what it reads, None), or (None, the line that it says of the file instead)."""
    try:
        return reader(path), None
    except ValueError as error:
        return None, str(error)


@pytest.mark.slow
@given(st.data())
@settings(deadline=None, max_examples=250)
def test_fuzzed_headers(tmp_path_factory, data):
    """Whatever the bytes: what the library finds too, or one line that names the file."""
    text = json.dumps(data.draw(HEADERS | right_headers() | right_headers())).encode()
    if data.draw(st.integers(0, 3)) == 0:
        at = data.draw(st.integers(0, len(text) - 1))
        text = text[:at] + data.draw(st.binary(max_size=3)) + text[at + 1 :]
    length = data.draw(st.sampled_from([len(text)] * 5 + [0, len(text) - 1, 2**40, 2**64 - 1]))
    path = tmp_path_factory.getbasetemp() / "fuzzed.safetensors"
    path.write_bytes(length.to_bytes(8, "little") + text)
    header, said = read_or_said(_header.read, path)
    shapes, same = read_or_said(read_shapes, path)
    if header is None:
        assert said == same
        assert said.isprintable()
        assert said.startswith(f"{path} is not a safetensors file: ")
    elif header.file_size < 10**6:
        assert shapes is None or shapes.keys() == header.tensors.keys()
        path.write_bytes(path.read_bytes().ljust(header.file_size, b"\0"))
        with safetensors.safe_open(path, "np") as file:
            assert set(file.keys()) == set(header.tensors)


@pytest.mark.slow
@given(
    st.binary(max_size=40) | st.dictionaries(st.text(max_size=9), VALUES).map(json.dumps),
    st.dictionaries(NAMES, VALUES | st.sampled_from(["x.safetensors", "../x.safetensors"])),
)
@settings(deadline=None, max_examples=100)
def test_fuzzed_indices(tmp_path_factory, text, weight_map):
    """Whatever stands in an index: what its file holds, or one line that says where."""
    folder = tmp_path_factory.getbasetemp() / "fuzzed"
    folder.mkdir(exist_ok=True)
    start, _ = _header.encode({"a": TensorSpec((0,), "float32")}, {})
    (folder / "x.safetensors").write_bytes(start)
    for content in (text, json.dumps({"weight_map": weight_map})):
        data = content if isinstance(content, bytes) else content.encode()
        (folder / "model.safetensors.index.json").write_bytes(data)
        found, said = read_or_said(read_shapes, folder)
        if found is None:
            assert said.isprintable()
            assert "x.safetensors" in said or str(folder) in said
        else:
            assert weight_map == {"a": "x.safetensors"}
            assert set(found) == {"a"}
