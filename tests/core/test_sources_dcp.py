# SPDX-License-Identifier: Apache-2.0
"""Metadata of torch.distributed.checkpoint: read as data, and what is refused."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from source_examples import METADATA, Evil, named, plain, record, refused, size, write_json

import glorot
from glorot.recipe import TensorSpec


def test_dcp_metadata_as_torch_wrote_it(tmp_path):
    """Tensors in float32, bfloat16 and float8; the optimizer and what is no tensor left out."""
    (tmp_path / ".metadata").write_bytes(METADATA)
    found = glorot.sources.read(tmp_path)
    assert found == glorot.sources.read(tmp_path / ".metadata")
    assert found.kind == "DCP metadata"
    assert found.shapes == {
        "0.weight": TensorSpec((2, 3), "bfloat16"),
        "0.bias": TensorSpec((2,), "bfloat16"),
        "scale": TensorSpec((), "float8_e4m3fn"),
        "steps": TensorSpec((5,), "int64"),
    }
    assert found.notes == (
        "left out: 6 tensors of the optimizer 'optim'",
        "left out: 13 entries that are no tensors",
        "names are those in 'model'",
    )
    write_json(tmp_path / "config.json", {"model_type": "t5"})
    assert glorot.sources.read(tmp_path).preset == "t5"


def entry(content):
    """The instructions for one entry: a shape and dtype, or None for no tensor."""
    if content is None:
        return record("BytesStorageMetadata")
    shape, dtype = content
    properties = record("TensorProperties", dtype=named("torch", dtype))
    return record("TensorStorageMetadata", properties=properties, size=size(*shape))


@pytest.fixture
def metadata(tmp_path):
    """A function that writes the metadata of these entries: torch is not needed for it."""

    def write(entries, paths=None):
        found = {name: entry(content) for name, content in entries.items()}
        items = b"".join(plain(name) + value for name, value in found.items())
        whole = record("Metadata", state_dict_metadata=b"}(" + items + b"u",
                       planner_data=plain(paths))  # fmt: skip
        path = tmp_path / "dcp" / ".metadata"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"\x80\x02" + whole + b".")
        return path

    return write


def test_dcp_names(metadata):
    """The outer key is left out where there is one, by the paths that the metadata keeps."""
    entries = {"model.a.w": ((2, 3), "float32"), "model.b": ((3,), "float32")}
    inner = {"model.a.w": ("model", "a.w"), "model.b": ("model", "b")}
    assert list(glorot.sources.read(metadata(entries, inner)).shapes) == ["a.w", "b"]
    own = {"model.a.w": ("model.a.w",), "model.b": ("model.b",)}  # the module has a `model`
    assert list(glorot.sources.read(metadata(entries, own)).shapes) == list(entries)
    assert list(glorot.sources.read(metadata(entries)).shapes) == list(entries)
    odd = {"model.a.w": (["model"], "a.w"), "model.b": (["model"], "b")}  # no keys at all
    assert list(glorot.sources.read(metadata(entries, odd)).shapes) == list(entries)
    two = {**entries, "ema.b": ((3,), "float32")}
    assert list(glorot.sources.read(metadata(two, {**inner, "ema.b": ("ema", "b")})).shapes) == [
        *two
    ]


def test_dcp_of_a_module_that_has_a_state(metadata):
    """Only what stands beside `param_groups` is an optimizer's."""
    entries = {"state.w": ((2,), "float32"), "cell.state.w": ((2,), "float32")}
    assert set(glorot.sources.read(metadata(entries)).shapes) == set(entries)
    entries = {
        "w": ((2,), "float32"),
        "o.state.w.step": ((), "float32"),
        "o.param_groups.w.lr": None,
    }
    assert set(glorot.sources.read(metadata(entries)).shapes) == {"w"}


@pytest.mark.parametrize(
    ("entries", "text"),
    [
        ({"a": None}, "holds no tensors of a model (left out: 1 entries that are no tensors)"),
        ({}, "holds no tensors of a model (none)"),
        ({"a": ((2,), "complex64")}, "'a' in `shapes`"),
        ({"a": ((2, -1), "float32")}, "`shape` must hold sizes of 0 or more"),
        ({"a": ((2**62, 8), "float32")}, "more than 2**63 elements"),
        ({"a": (("x",), "float32")}, "`shape` must hold integers"),
    ],
)
def test_dcp_entries_that_are_refused(metadata, tmp_path, entries, text):
    """No tensors, dtypes that none is written in, sizes that none has."""
    assert text in refused(metadata(entries).parent, tmp_path)


@pytest.mark.parametrize(
    "evil",
    [
        lambda p: Evil(os.system, f"touch {p}"),
        lambda p: Evil(eval, f"open({str(p)!r}, 'w')"),
        lambda p: Evil(open, str(p), "w"),
        lambda p: {"a": [Evil(Path.touch, p)]},
    ],
)
@pytest.mark.parametrize("protocol", range(6))
def test_malicious_pickles_run_nothing(tmp_path, evil, protocol):
    """They are refused, and what they would have done is not done."""
    victim = tmp_path / "victim"
    (tmp_path / "ck").mkdir()
    (tmp_path / "ck" / ".metadata").write_bytes(pickle.dumps(evil(victim), protocol))
    assert "is not the metadata of a DCP checkpoint" in refused(tmp_path / "ck", tmp_path)
    assert not victim.exists()


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "cannot be unpickled (EOFError)"),
        (b"\x80\x04", "cannot be unpickled (EOFError)"),
        (b"not a pickle", "cannot be unpickled"),
        (pickle.dumps({"w": (2, 3)}), "it holds something else"),
        (b"\x80\x04\x8c\x05torch\x94\x8c\x04load\x94\x93\x94)R.", "it calls 'torch.load'"),
        (b"cos\nsystem\n(S'true'\ntR.", "it asks for 'os.system'"),
        (b"\x80\x04K\x01)R.", "it makes something of what is no class"),
        (b"\x80\x04}}b.", "it gives a state to what has none"),
        (b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x0f", "cannot be unpickled"),  # BINBYTES8
        (b"\x80\x05\x96\xff\xff\xff\xff\xff\xff\xff\x0f", "cannot be unpickled"),  # BYTEARRAY8
        (b"\x80\x04K\x01r\xff\xff\xff\xff.", "it holds something else"),  # memo 2**32 - 1
        (b"\x80\x02\x82\x01.", "cannot be unpickled (KeyError)"),  # copyreg's extensions
    ],
)
def test_malformed_metadata(tmp_path, data, text):
    """One line each, whatever the bytes ask for, and without the memory that they ask for."""
    (tmp_path / "ck").mkdir()
    (tmp_path / "ck" / ".metadata").write_bytes(data)
    assert text in refused(tmp_path / "ck", tmp_path)


def test_metadata_that_is_too_large(tmp_path):
    """Nothing of it is read."""
    path = tmp_path / ".metadata"
    with path.open("wb") as file:
        file.truncate(2**28 + 1)
    assert "at most 268435456 are read. Give a shapes file" in refused(path, tmp_path)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_fuzzed_metadata(data):
    """Real metadata with bytes changed, or cut, is read or refused in one line, and nothing else
    happens."""
    from glorot.checkpoint import _dcp_metadata as _dcp

    changed = bytearray(METADATA)
    for _ in range(data.draw(st.integers(1, 4))):
        changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    text = bytes(changed)[: data.draw(st.sampled_from([None, 2000, 40]))]
    refusal = ""
    try:
        found = _dcp.parse("it", text)
    except ValueError as error:
        refusal = str(error)
    assert len(refusal.splitlines()) == 1 if refusal else found.shapes


def test_metadata_needs_no_torch(tmp_path):
    """A DCP directory is a source where no framework is."""
    (tmp_path / ".metadata").write_bytes(METADATA)
    code = (
        "import sys, glorot; s = glorot.sources.read(sys.argv[1]);"
        "print(len(s.shapes), sorted({'torch', 'jax', 'keras', 'transformers'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True
    )
    assert done.stdout == "4 []\n"
