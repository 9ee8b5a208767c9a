# SPDX-License-Identifier: Apache-2.0
"""The manifest beside the weights: what it says, that it is checked, and distrust of it."""

import json
import os
import shutil
import zlib

import numpy as np
import pytest
import safetensors.numpy
from checkpoint_cases import INDEX, MANIFEST, SINGLE, contents
from cli_cases import invoke
from hypothesis import given, settings
from hypothesis import strategies as st

import glorot
from glorot import Recipe, Rule
from glorot.checkpoint import (
    _compare,
    _file_checks,
    _files,
    _manifest,
    _work,
    verify,
    write,
)

RECIPE = Recipe([Rule("*.bias", "zeros"), Rule("out", "orthogonal"), Rule("*", "he_normal")])
SHAPES = {f"{i}.{part}": (40, 30 + i) for i in range(6) for part in ("weight", "bias")}
SHAPES |= {"out": (30, 20), "none": (0, 5)}
SHARDED = {"max_shard_size": 20_000}


@pytest.fixture(scope="module", params=[{}, SHARDED], ids=["single", "sharded"])
def written(request, tmp_path_factory):
    """A folder with SHAPES by RECIPE and seed 42; not to be changed."""
    folder = tmp_path_factory.mktemp("written")
    write(SHAPES, RECIPE, folder, seed=42, **request.param)
    return folder


@pytest.fixture
def copy(written, tmp_path):
    """A copy of it."""
    return shutil.copytree(written, tmp_path / "copy")


def test_what_it_says(written):
    """Recipe, seed, stream, fingerprint and version, and each file's size and CRC-32."""
    content = json.loads((written / MANIFEST).read_text())
    assert content.keys() == {
        "format", "version", "glorot", "stream", "seed", "fingerprint", "files", "recipe"
    }  # fmt: skip
    assert (content["format"], content["version"]) == ("glorot-checkpoint", 1)
    assert (content["glorot"], content["stream"]) == (glorot.__version__, 1)
    assert (content["seed"], content["fingerprint"]) == (42, RECIPE.fingerprint_of(42))
    assert Recipe.from_json(json.dumps(content["recipe"])) == RECIPE
    others = {name: data for name, data in contents(written).items() if name != MANIFEST}
    assert content["files"] == {
        name: {"bytes": len(data), "crc32": f"{zlib.crc32(data):08x}"}
        for name, data in others.items()
    }


def test_the_text_to_the_byte():
    """Files by name, whatever order they were written in, and names as they are."""
    sums = {f"f{i}": _manifest.FileSum(i, i) for i in (10, 9)}
    made = _manifest.Manifest(Recipe([Rule("ü*", "ones")]), 42, sums, "1.0.0")
    text = made.text().decode()
    assert list(json.loads(text)["files"]) == ["f10", "f9"]
    assert text.startswith('{\n  "format": "glorot-checkpoint",\n  "version": 1,\n')
    assert '"f9": {\n      "bytes": 9,\n      "crc32": "00000009"\n    }' in text
    assert '"ü*"' in text
    assert text.endswith("\n}\n")
    assert _manifest.parse(text.encode()) == made


def test_it_is_a_function_of_what_is_written(written, tmp_path):
    """Another run, on other threads and blocks, resumed or not, writes the same bytes."""
    options = SHARDED if (written / INDEX).exists() else {}

    def stop(done, total):
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(SHAPES, RECIPE, tmp_path, seed=42, block_size=700, progress=stop, **options)
    assert not (tmp_path / MANIFEST).exists()
    for block_size in (512, 9000):
        write(
            SHAPES, RECIPE, tmp_path, seed=42, resume=True, block_size=block_size, **options
        )  # fmt: skip
        assert contents(tmp_path) == contents(written)


def test_it_comes_last(tmp_path, monkeypatch):
    """Nothing gets its name after the manifest."""
    names = []
    rename = _files.rename
    monkeypatch.setattr(_files, "rename", lambda a, b: names.append(b.name) or rename(a, b))
    write(SHAPES, RECIPE, tmp_path, seed=42, **SHARDED)
    assert names[-2:] == [INDEX, MANIFEST]


def test_verify_needs_nothing_else(written):
    """Without recipe and seed those of the manifest are taken, and the checksums compared."""
    for options in ({}, {"recipe": RECIPE}, {"seed": 42}, {"shapes": SHAPES}):
        report = verify(written, **options)
        assert report.equal
        assert (report.seed, report.recipe) == (42, RECIPE.fingerprint)
        assert {check.name: check.status for check in report.files} == {
            name: "equal" for name in contents(written) if name != MANIFEST
        }
    assert verify(written, RECIPE, 42).files == ()
    assert not verify(written, seed=43).equal
    one = next(path for path in written.iterdir() if path.suffix == ".safetensors")
    (check,) = verify(one).files
    assert (check.name, check.status) == (one.name, "equal")
    result = invoke("verify", written)
    assert result.exit_code == 0
    assert "equal: all 14 tensors" in result.stdout
    count = len(report.files)
    said = f"checksums of {count} files are those" if count > 1 else "checksum of the file is that"
    assert f"the {said} of the manifest" in result.stdout
    assert json.loads(invoke("verify", written, "--json").stdout)["files"]


def test_verify_reads_a_file_once(copy, monkeypatch):
    """The checksum is of what was compared and of the bytes around it, in chunks;
    and no file stays open."""

    def lowest():
        fd = os.open(os.devnull, os.O_RDONLY)
        os.close(fd)
        return fd

    read = []
    again = _file_checks._read
    monkeypatch.setattr(_file_checks, "_read", lambda path: read.append(path.name) or again(path))
    before = lowest()
    assert verify(copy, block_size=700).equal
    assert lowest() == before
    assert [name for name in read if name != INDEX] == []
    monkeypatch.setattr(_compare, "_CHUNK", 100)  # the header in several
    assert verify(copy).equal
    assert [name for name in read if name != INDEX] == []


def test_what_verify_finds(copy):
    """A byte that no tensor owns, a file of another size, one that is lost, one more."""
    first = min(path.name for path in copy.iterdir() if path.suffix == ".safetensors")
    data = bytearray((copy / first).read_bytes())
    at = data.index(b'"format":"pt"') + len('"format":"p')
    data[at] = ord("T")  # the header's, which every reader accepts
    (copy / first).write_bytes(data)
    report = verify(copy)
    assert not report.equal
    assert report.problems == ()
    (check,) = (check for check in report.files if check.status != "equal")
    assert (check.name, check.status) == (first, "checksum")
    assert f"its CRC-32 is {zlib.crc32(data):08x}, and the manifest says" in check.note
    assert verify(copy, RECIPE, 42).equal
    result = invoke("verify", copy)
    assert result.exit_code == 1
    assert f"{first}: checksum: its CRC-32 is" in result.stdout
    data[-1] ^= 1
    (copy / first).write_bytes(data)
    assert {check.status for check in verify(copy).files} == {"equal", "checksum"} - (
        set() if (copy / INDEX).exists() else {"equal"}
    )
    (copy / first).write_bytes(data[:-5])
    (check,) = (check for check in verify(copy).files if check.status != "equal")
    assert (check.name, check.status) == (first, "size")
    if (copy / INDEX).exists():
        (copy / first).unlink()
        (check,) = (check for check in verify(copy).files if check.status != "equal")
        assert (check.name, check.status) == (first, "missing")
    content = json.loads((copy / MANIFEST).read_text())
    del content["files"][first]
    content["files"]["other"] = {"bytes": 0, "crc32": "00000000"}
    (copy / MANIFEST).write_text(json.dumps(content))
    statuses = {check.name: check.status for check in verify(copy).files}
    assert (statuses["other"], statuses[first]) == ("missing", "extra")


def test_verify_without_a_manifest(copy):
    """What is not given and nowhere said is asked for."""
    if (copy / INDEX).exists():
        (copy / "more.safetensors").write_bytes((copy / INDEX).read_bytes())
    first = next(path for path in copy.iterdir() if path.suffix == ".safetensors")
    content = json.loads((copy / MANIFEST).read_text())
    content["files"] = {"other": {"bytes": 0, "crc32": "00000000"}}
    (copy / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"glorot.json does not name .*safetensors: give `recipe`"):
        verify(first)
    result = invoke("verify", copy, "--set", "a=1")
    assert result.exit_code == 1
    assert "`--set` changes a recipe: give --recipe too." in result.stderr
    (copy / MANIFEST).unlink()
    for options in ({}, {"recipe": RECIPE}, {"seed": 42}):
        with pytest.raises(ValueError, match=r"holds no glorot.json, .* give `recipe` \(--recipe"):
            verify(copy, **options)
    result = invoke("verify", copy)
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "`recipe` (--recipe) must be given" in result.stderr


CONTRADICTIONS = {
    "seed": ({"seed": 43}, r"it contradicts itself: its fingerprint"),
    "recipe": ({"recipe": {"format": "glorot-recipe", "version": 1, "rules": []}}, r"rule"),
    "recipe kind": ({"recipe": 3}, r"recipe"),
    "fingerprint": ({"fingerprint": "0" * 32}, r"it contradicts itself"),
    "no seed": ({"seed": "42"}, r"`seed` must be an integer"),
    "negative": ({"seed": -1}, r"seed % 2\*\*64"),
    "version": ({"version": 2}, r"its version is 2; this version of glorot reads 1 alone"),
    "bool": ({"version": True}, r"its version is True"),
    "stream": ({"stream": 9}, r"its stream is 9; this version of glorot reads 1 alone"),
    "format": ({"format": "other"}, r"must be a JSON object with \"format\""),
    "unknown": ({"time": 1}, r"it has the unknown key 'time'"),
    "glorot": ({"glorot": 1}, r"`glorot` must be a version"),
    "no files": ({"files": {}}, r"`files` must be an object that names at least one"),
    "above": ({"files": {"../x": {"bytes": 1, "crc32": "0" * 8}}}, r"which is not in its folder"),
    "dots": ({"files": {"..": {"bytes": 1, "crc32": "0" * 8}}}, r"which is not in its folder"),
    "size": ({"files": {"x": {"bytes": -1, "crc32": "0" * 8}}}, r"has the size -1"),
    "64 bits": ({"files": {"x": {"bytes": 2**63, "crc32": "0" * 8}}}, r"has the size 9223372036"),
    "crc": ({"files": {"x": {"bytes": 1, "crc32": "0X" * 4}}}, r"eight hexadecimal digits"),
    "file": ({"files": {"x": {"bytes": 1}}}, r"must have bytes and crc32 alone"),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_a_manifest_that_contradicts(copy, name):
    """One line that names the manifest and what is wrong; the weights stay verifiable without."""
    changes, text = CONTRADICTIONS[name]
    content = json.loads((copy / MANIFEST).read_text()) | changes
    (copy / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf"glorot.json cannot be used: .*{text}"):
        verify(copy)
    assert verify(copy, RECIPE, 42).equal
    result = invoke("verify", copy)
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    options = SHARDED if (copy / INDEX).exists() else {}
    before = contents(copy)
    if name != "glorot":
        with pytest.raises(FileExistsError, match=r"glorot.json belongs to another checkpoint"):
            write(SHAPES, RECIPE, copy, seed=42, resume=True, **options)
    assert contents(copy) == before


def test_manifests_that_are_none(copy):
    """Broken JSON, a key twice, a byte order mark, a huge file."""
    text = (copy / MANIFEST).read_text()
    for broken in (text[:-9], "[]", "3", '{"format": 1, "format": 2}', "\ufeff" + text, "["):
        (copy / MANIFEST).write_text(broken, encoding="utf-8")
        with pytest.raises(ValueError, match=r"glorot.json cannot be used: "):
            verify(copy)
    lacking = {k: v for k, v in json.loads(text).items() if k != "recipe"}
    (copy / MANIFEST).write_text(json.dumps(lacking))
    with pytest.raises(ValueError, match=r"it lacks 'recipe'; a manifest has format, "):
        verify(copy)
    with (copy / MANIFEST).open("wb") as file:
        file.truncate(10**9)
    with pytest.raises(ValueError, match=r"too large for a manifest: 1000000000 bytes"):
        verify(copy)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


@pytest.mark.slow
@given(st.data())
@settings(deadline=None, max_examples=300)
def test_fuzzed_manifests(data):
    """Whatever the bytes, and whatever stands under its keys: a manifest, or a ValueError."""
    recipe = Recipe([Rule("*", "zeros")])
    text = _manifest.make(recipe, 7, {"x": _manifest.FileSum(5, 9)}).text()
    kind = data.draw(st.sampled_from(["bytes", "flip", "value"]))
    if kind == "bytes":
        text = data.draw(st.binary(max_size=200))
    elif kind == "flip":
        at = data.draw(st.integers(0, len(text) - 1))
        text = text[:at] + data.draw(st.binary(max_size=3)) + text[at + 1 :]
    else:
        content = json.loads(text)
        content[data.draw(st.sampled_from([*content, "other"]))] = data.draw(JSON)
        text = json.dumps(content).encode()
    try:
        found = _manifest.parse(text)
    except ValueError:
        return
    assert _manifest.parse(found.text()) == found


def test_a_foreign_manifest_is_not_replaced_unasked(tmp_path):
    """A file of that name is kept without `force`, and a wrong checksum in one is told."""
    (tmp_path / MANIFEST).write_text("mine")
    with pytest.raises(FileExistsError, match=r"glorot.json is there already. Give `force`"):
        write(SHAPES, RECIPE, tmp_path, seed=1)
    assert (tmp_path / MANIFEST).read_text() == "mine"
    write(SHAPES, RECIPE, tmp_path, seed=1, force=True)
    content = json.loads((tmp_path / MANIFEST).read_text())
    content["files"][SINGLE]["crc32"] = "00000000"
    (tmp_path / MANIFEST).write_text(json.dumps(content))
    before = contents(tmp_path)
    with pytest.raises(FileExistsError, match=r"glorot.json is there .*: a checksum differs"):
        write(SHAPES, RECIPE, tmp_path, seed=1, resume=True)
    assert {n: d for n, d in contents(tmp_path).items() if n in before} == before


def test_a_checkpoint_from_before_gets_one(written, tmp_path):
    """Weights without a manifest are compared by `resume`, which adds it."""
    folder = shutil.copytree(written, tmp_path / "old")
    (folder / MANIFEST).unlink()
    options = SHARDED if (written / INDEX).exists() else {}
    assert write(SHAPES, RECIPE, folder, seed=42, resume=True, **options).written == 0
    assert contents(folder) == contents(written)


def test_another_version_s_manifest_stays(copy):
    """Of a finished checkpoint `resume` keeps the manifest of the version that wrote it."""
    content = json.loads((copy / MANIFEST).read_text()) | {"glorot": "0.0.1"}
    (copy / MANIFEST).write_text(json.dumps(content))
    before = contents(copy)
    options = SHARDED if (copy / INDEX).exists() else {}
    write(SHAPES, RECIPE, copy, seed=42, resume=True, **options)
    assert contents(copy) == before


def test_memory_of_the_sums_does_not_grow(tmp_path, monkeypatch):
    """However many blocks: of a finished tensor two numbers stay, of neighbours one checksum."""
    seen = []

    run = _work.Work.run

    def look(work, places):
        run(work, places)
        seen.append((len(work.moments._sums), len(list(work.checksums[SINGLE]))))

    monkeypatch.setattr(_work.Work, "run", look)
    recipe = Recipe([Rule("*", "he_normal")])
    write({f"w{i}": (100, 100) for i in range(5)}, recipe, tmp_path, seed=1, block_size=512)
    assert seen == [(0, 1)]


def test_trained_weights_are_told(copy):
    """Saved again by another program, the weights are not what the manifest says."""
    for path in copy.glob("*.safetensors"):
        tensors = safetensors.numpy.load_file(path)
        safetensors.numpy.save_file({n: a + np.float32(1) for n, a in tensors.items()}, path)
    report = verify(copy)
    assert not report.equal
    assert {check.status for check in report.files} & {"size", "checksum"}
