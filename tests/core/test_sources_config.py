# SPDX-License-Identifier: Apache-2.0
"""The config that goes beside the weights: when, with which dtype, and what it never overwrites."""

import errno
import json
import math
import os
from pathlib import Path
from unittest import mock

import pytest
from source_examples import LLAMA, invoke, write_json

import glorot
from glorot.checkpoint import _files


def test_the_config_goes_beside_the_weights(written, tmp_path):
    """With the dtype that was written, and without what is of other weights and other code; what
    `verify` proves does not depend on it."""
    others = {"quantization_config": {"bits": 4}, "auto_map": {"AutoModel": "code.Model"}}
    content = {"model_type": "llama", "initializer_range": 0.01, "dtype": "float32"}
    write_json(written / "config.json", content | others)
    out = tmp_path / "out"
    line = ("init", written, "--seed", 0, "--out", out, "--dtype", "bfloat16")
    done = invoke(*line)
    assert done.exit_code == 0, done.stderr
    assert f"{out / 'config.json'} is written too" in done.stderr
    assert json.loads((out / "config.json").read_text()) == content | {"dtype": "bfloat16"}
    assert glorot.checkpoint.verify(out).equal
    again = invoke(*line, "--force")
    assert f"{out / 'config.json'} is there already\n" in again.stderr
    (out / "config.json").write_text('{"model_type": "mine"}')
    other = invoke(*line, "--resume")
    assert "is not the config that was read, and stays as it is" in other.stderr
    assert (out / "config.json").read_text() == '{"model_type": "mine"}'
    quiet = invoke(*line, "--force", "--json")
    assert (quiet.exit_code, quiet.stderr) == (0, "")


def test_with_force_the_config_of_the_old_weights_goes(written, tmp_path):
    """Else the folder would hold the weights of one model and the config of another; what was there
    is not lost. Links stay, and so does a config beside weights of an unknown model: it is said."""
    write_json(written / "config.json", {"model_type": "llama"})
    out = tmp_path / "out"
    line = ("init", written, "--seed", 0, "--out", out, "--force")
    out.mkdir()
    (out / "config.json").write_text('{"model_type": "mine"}')
    done = invoke(*line)
    assert "is written too" in done.stderr
    assert done.stderr.endswith("; the one that was there is config.json.old now\n")
    assert json.loads((out / "config.json").read_text()) == {"model_type": "llama"}
    assert (out / "config.json.old").read_text() == '{"model_type": "mine"}'
    shapes = {name: {"shape": shape} for name, shape in LLAMA.items()}
    write_json(tmp_path / "shapes.json", shapes)
    line = ("init", tmp_path / "shapes.json", "--recipe", "llama", "--seed", 0, "--out", out)
    done = invoke(*line, "--force")
    assert "was there before these weights and stays" in done.stderr
    (out / "config.json").unlink()
    assert invoke(*line, "--force").stderr == ""
    (out / "config.json").symlink_to("config.json.old")
    assert "stays as it is" in glorot.sources.read(written).write_config(out, force=True)


def test_no_config_where_none_was_read(written, tmp_path):
    """Of shapes alone, of a dry run, and beside torch's own files, which transformers does not
    load."""
    line = ("init", written, "--recipe", "llama", "--seed", 0, "--out")
    assert invoke(*line, tmp_path / "a").exit_code == 0
    assert not (tmp_path / "a" / "config.json").exists()
    write_json(written / "config.json", {"model_type": "llama"})
    assert invoke(*line, tmp_path / "b", "--dry-run").exit_code == 0
    assert not (tmp_path / "b").exists()
    source = glorot.sources.read(written)
    assert source.write_config(written).endswith("config.json is there already")
    assert glorot.sources.read({"w": (2,)}).write_config(tmp_path) == ""


CONFIG = {"model_type": "llama", "initializer_range": 0.02, "name": "\u00e9\ud800", "x": math.nan}
PIPES = ["pipe"] if hasattr(os, "mkfifo") else []  # not on Windows


@pytest.mark.parametrize(
    "there", ["folder", "dangling link", "link to itself", *PIPES, "bytes", "list", "unreadable"]
)
def test_what_has_the_configs_name_stays(written, tmp_path, monkeypatch, there):
    """Whatever it is: the weights are written, it is said, nothing is waited for."""
    write_json(written / "config.json", CONFIG)
    out = tmp_path / "out"
    out.mkdir()
    path = out / "config.json"
    if there == "folder":
        path.mkdir()
    elif there == "pipe":
        os.mkfifo(path)
    elif "link" in there:
        path.symlink_to("config.json" if there == "link to itself" else "nowhere")
    else:
        path.write_bytes({"bytes": b"\xff", "list": b"[1]"}.get(there, b"{}"))
    if there == "unreadable":
        read = Path.read_bytes

        def refuse(self):
            if self == path:
                raise PermissionError(13, "Permission denied", str(self))
            return read(self)

        monkeypatch.setattr(Path, "read_bytes", refuse)
    before = os.lstat(path)
    done = invoke("init", written, "--recipe", "llama", "--seed", 0, "--out", out)
    assert (done.exit_code, "in 1 file" in done.stdout) == (0, True)
    assert done.stderr.endswith("is not the config that was read, and stays as it is\n")
    after = os.lstat(path)
    assert (after.st_ino, after.st_mode, after.st_size) == (
        before.st_ino, before.st_mode, before.st_size
    )  # fmt: skip


def test_a_config_that_says_the_same_is_the_one_that_was_read(written, tmp_path):
    """However it is laid out, behind a link too; NaN is NaN."""
    write_json(written / "config.json", CONFIG)
    source = glorot.sources.read(written)
    said = f"{tmp_path / 'config.json'} is there already"
    assert "is written too" in source.write_config(tmp_path)
    assert source.write_config(tmp_path) == said
    (tmp_path / "other").write_text(json.dumps(CONFIG, sort_keys=True, indent=7))
    (tmp_path / "config.json").unlink()
    (tmp_path / "config.json").symlink_to("other")
    assert source.write_config(tmp_path) == said
    assert source.write_config(tmp_path, "float64") != said


@pytest.mark.parametrize("dtype", [None, "float32", "float8_e5m2", "float64"])
@pytest.mark.parametrize("said", [{}, {"torch_dtype": "float16"}, {"dtype": None}])
def test_the_dtype_that_the_config_gets(written, tmp_path, dtype, said):
    """transformers makes no model of float8: of such weights the config keeps its own dtype."""
    write_json(written / "config.json", {"model_type": "llama"} | said)
    glorot.sources.read(written).write_config(tmp_path, dtype)
    found = json.loads((tmp_path / "config.json").read_text())
    (key,) = said or ("torch_dtype",)
    own = said.get(key)
    expected = {None: own, "float8_e5m2": own or "float32"}.get(dtype, dtype)
    assert found == {"model_type": "llama"} | ({key: expected} if said or dtype else {})


@pytest.mark.parametrize("there", ["link", "folder"])
def test_no_config_is_written_through_what_stands_in_its_way(written, tmp_path, there):
    """A link in place of the hidden file is not followed; the report of the weights is printed,
    and the error is one line."""
    write_json(written / "config.json", CONFIG)
    (tmp_path / "mine").write_text("mine")
    out = tmp_path / "out"
    out.mkdir()
    hidden = out / ".config.json.partial"
    hidden.mkdir() if there == "folder" else hidden.symlink_to(tmp_path / "mine")
    line = ("init", written, "--recipe", "llama", "--seed", 0, "--out", out, "--json")
    done = invoke(*line)
    assert (done.exit_code, json.loads(done.stdout)["complete"]) == (1, True)
    (error,) = done.stderr.splitlines()
    assert "config.json cannot be begun: the hidden file .config.json.partial" in error
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_disk_that_is_full_when_the_config_is_written(written, tmp_path, monkeypatch):
    """One line, and no half of it is left; the next write puts it there."""
    write_json(written / "config.json", CONFIG)
    source = glorot.sources.read(written)
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", mock.Mock(side_effect=full))
        with pytest.raises(OSError, match="No space left") as raised:
            source.write_config(tmp_path)
    assert raised.value.filename == str(tmp_path / "config.json")
    assert list(tmp_path.glob("*config*")) == list(tmp_path.glob(".*")) == []
    (tmp_path / ".config.json.partial").write_text("x" * 1000)  # of a process that was killed
    assert "is written too" in source.write_config(tmp_path)
    assert "x" * 10 not in (tmp_path / "config.json").read_text()


def test_a_config_that_another_rank_puts_there_first(written, tmp_path, monkeypatch):
    """Of ranks that end together each may say that it wrote it."""
    write_json(written / "config.json", CONFIG)
    source = glorot.sources.read(written)
    rename = _files.rename

    def twice(path, to):
        rename(path, to)
        rename(path, to)

    monkeypatch.setattr(_files, "rename", twice)
    assert "is written too" in source.write_config(tmp_path)
    monkeypatch.setattr(_files, "rename", lambda path, to: rename(tmp_path / "no", to))
    (tmp_path / "b").mkdir()
    with pytest.raises(FileNotFoundError):
        source.write_config(tmp_path / "b")


@pytest.mark.parametrize(("text", "said"), [("{", "cannot be read as JSON"), ("[]", "no config")])
def test_a_config_that_changed_since_it_was_read(written, tmp_path, text, said):
    """It is an error, and nothing is put beside the weights."""
    path = write_json(written / "config.json", CONFIG)
    source = glorot.sources.read(written)
    path.write_text(text)
    with pytest.raises(ValueError, match=said):
        source.write_config(tmp_path)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        source.write_config(tmp_path)
    assert not (tmp_path / "config.json").exists()
