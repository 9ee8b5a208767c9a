# SPDX-License-Identifier: Apache-2.0
"""Sources of shapes that need no framework: files, checkpoints, DCP metadata; what is refused."""

import base64
import errno
import importlib
import json
import math
import os
import pickle
import runpy
import shutil
import subprocess
import sys
import types
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import glorot
from glorot.checkpoint import _files
from glorot.cli._app import app
from glorot.recipe import TensorSpec
from glorot.sources import Source

ROOT = Path(__file__).parents[2]
PICKLES = runpy.run_path(str(Path(__file__).with_name("dcp_pickles.py")))
Evil, named, plain = PICKLES["Evil"], PICKLES["named"], PICKLES["plain"]
record, size = PICKLES["record"], PICKLES["size"]
GPT2 = ROOT / "tests" / "vectors" / "presets" / "gpt2.json"
VECTOR = Path(__file__).parents[1] / "vectors" / "dcp-metadata.txt"
METADATA = base64.b64decode(VECTOR.read_text().partition("\n")[2])
ONES = glorot.Recipe([glorot.Rule("*", "ones")])
LLAMA = {
    "model.embed_tokens.weight": (32, 8),
    "model.layers.0.self_attn.o_proj.weight": (8, 8),
    "model.layers.0.self_attn.q_proj.weight": (8, 8),
    "model.layers.0.mlp.down_proj.weight": (8, 16),
    "model.layers.0.mlp.up_proj.weight": (16, 8),
    "model.layers.0.input_layernorm.weight": (8,),
    "model.norm.weight": (8,),
}


def invoke(*arguments):
    """Run the command in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refused(source, tmp_path):
    """The line that `glorot init` refuses a source with; nothing is written."""
    out = tmp_path / "never"
    result = invoke("init", source, "--recipe", "llama", "--seed", 0, "--out", out)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1
    assert not out.exists()
    return result.stderr


def write_json(path, content):
    """The path of a file of this JSON."""
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def written(tmp_path):
    """The folder of a checkpoint in two files."""
    glorot.checkpoint.write(LLAMA, "llama", tmp_path / "ckpt", seed=1, max_shard_size="1kB")
    return tmp_path / "ckpt"


# --- files and checkpoints -----------------------------------------------------------------------


def test_a_shapes_file(tmp_path):
    """What a shapes file says; it does not say what the model is."""
    path = write_json(tmp_path / "shapes.json", {"w": {"shape": [3, 4], "dtype": "float16"}})
    found = glorot.sources.read(path)
    assert found == Source({"w": TensorSpec((3, 4), "float16")}, "shapes file")
    assert glorot.sources.read(str(path)) == found


def test_a_parameter_called_as_a_key_of_configs_is_none(tmp_path):
    """A shapes file whose parameters are called model_type and architectures is a shapes file."""
    shapes = {"model_type": {"shape": [2]}, "architectures": {"shape": [3]}}
    assert list(glorot.sources.read(write_json(tmp_path / "a.json", shapes)).shapes) == list(shapes)


def test_checkpoints(written):
    """A folder, its index and one of its files; names and shapes are the headers'."""
    wanted = {name: TensorSpec(shape, "float32") for name, shape in LLAMA.items()}
    assert glorot.sources.read(written).shapes == wanted
    assert glorot.sources.read(written / "model.safetensors.index.json").shapes == wanted
    (first, *_) = sorted(written.glob("*.safetensors"))
    part = glorot.sources.read(first)
    assert part.kind == "safetensors"
    assert set(part.shapes) < set(wanted)


def test_a_config_beside_the_weights_says_the_model(written):
    """The preset comes from config.json, the shapes from the headers: transformers is not asked."""
    write_json(written / "config.json", {"model_type": "llama", "initializer_range": 0.01})
    found = glorot.sources.read(written)
    assert (found.kind, found.model, found.preset) == ("safetensors", "llama", "llama")
    assert found.variables == {"initializer_range": 0.01}
    assert {a.stddev for a in found.recipe().resolve(found.shapes)} == {0.0, 0.01}
    (written / "config.json").write_text("{")
    assert glorot.sources.read(written).preset is None


def test_what_a_preset_cannot_follow_is_said():
    """GPT-2's recipe has its stddev as a number; a config of another is not taken silently."""
    from glorot.sources._preset import choose

    assert choose("gpt2", {"initializer_range": 0.02}).notes == ()
    assert "initializer_range=0.5" in choose("gpt2", {"initializer_range": 0.5}).notes[0]
    assert choose("mamba", {"rescale_prenorm_residual": True, "initializer_range": True}) == (
        "mamba", "mamba", {"residual_gain": "1 / sqrt(num_hidden_layers)"}, ()
    )  # fmt: skip
    assert choose("llama", {"residual_gain": float("nan"), "num_hidden_layers": 7}).variables == {}
    same = {"time_step_init_scheme": "random", "time_step_floor": 1e-4}
    assert choose("mamba", same).notes == ()
    assert choose("mamba", {**same, "time_step_min": 1e-5}).notes == (
        "the recipe mamba does not follow time_step_floor=0.0001 of the config: it has 0",
    )
    other = {"time_step_init_scheme": "constant", "time_step_floor": 0.01}
    assert [note.split()[6] for note in choose("mamba", other).notes] == [
        "time_step_init_scheme=constant", "time_step_floor=0.01",
    ]  # fmt: skip
    assert "scale_init_value=1.0" in choose("clip", {"logit_scale_init_value": 1.0}).notes[0]
    assert choose("clip", {"logit_scale_init_value": 2.6592}).notes == ()
    assert choose("distilbert", {"sinusoidal_pos_embds": False}).notes == ()
    (note,) = choose("distilbert", {"sinusoidal_pos_embds": True}).notes
    assert note.endswith("not follow sinusoidal_pos_embds=True of the config: it has False")
    padded = {"padding_rows": 1, "pad_token_id": 3}
    assert choose("phi", {"pad_token_id": 3}).variables == padded
    assert choose("bloom", {"pad_token_id": 3}).variables == {}  # whose embedding has no such row


def test_each_tower_of_clip_has_its_own_scales():
    """They are in the configs of the towers; the outer factor is of the projections alone."""
    from glorot.sources._preset import choose

    found = choose("clip", {
        "initializer_factor": 0.5, "initializer_range": 9, "text_config": {"initializer_factor": 3},
        "vision_config": {"initializer_range": 0.1, "initializer_factor": 1.0},
    })  # fmt: skip
    assert found.variables == {
        "initializer_factor": 0.5, "text_initializer_factor": 3, "vision_initializer_range": 0.1,
    }  # fmt: skip
    recipe = glorot.recipe.preset("clip", **found.variables)
    shapes = json.loads(GPT2.with_name("clip.json").read_text())
    stddevs = {a.name: a.stddev for a in recipe.resolve(shapes)}
    assert stddevs["text_model.embeddings.token_embedding.weight"] == pytest.approx(0.06)
    assert stddevs["vision_model.embeddings.patch_embedding.weight"] == pytest.approx(0.1)
    assert stddevs["visual_projection.weight"] == pytest.approx(0.5 / math.sqrt(64))
    assert choose("clip", {"text_config": None}).variables == {}


def test_models_themselves():
    """Mappings of shapes, and nested ones; a source that was read already."""
    found = glorot.sources.read({"params": {"up": {"kernel": (2, 3)}}, "b": (3,)})
    assert list(found.shapes) == ["params.up.kernel", "b"]
    assert glorot.sources.read(found) is found
    with pytest.raises(TypeError, match=r"a mapping from names to shapes is needed; got 3 of int"):
        glorot.sources.read(3)


def test_write_and_verify_take_sources(tmp_path):
    """Every form of a source is one for `glorot.checkpoint` too."""
    (tmp_path / ".metadata").write_bytes(METADATA)
    out = tmp_path / "out"
    report = glorot.checkpoint.write(tmp_path, ONES, out, seed=1)
    assert [tensor.name for tensor in report.tensors] == ["steps", "0.bias", "0.weight", "scale"]
    assert glorot.checkpoint.verify(out, ONES, 1, shapes=str(tmp_path)).equal
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        glorot.checkpoint.write("nowhere", ONES, out, seed=1)


def test_without_a_preset_the_recipes_are_listed():
    """The error says why there is none, and which there are."""
    with pytest.raises(ValueError, match=r"says what the model is \(shapes\)\. There are bart,"):
        glorot.sources.read({"w": (2,)}).recipe()
    with pytest.raises(ValueError, match="no built-in recipe is for 'opt'"):
        Source({}, "transformers config", "opt").recipe()


# --- the command line ----------------------------------------------------------------------------


def test_the_preset_is_chosen_and_said(written, tmp_path):
    """One line on stderr, and the bytes are those of --recipe; verify knows it too."""
    write_json(written / "config.json", {"model_type": "llama", "initializer_range": 0.01})
    result = invoke("init", written, "--seed", 3, "--out", tmp_path / "a")
    assert result.exit_code == 0
    assert result.stderr == (
        "glorot: recipe llama, for the model type 'llama', with initializer_range=0.01 of its "
        "config; --recipe overrides it\n"
        f"glorot: {tmp_path / 'a' / 'config.json'} is written too, of {written / 'config.json'}: "
        f"from_pretrained({str(tmp_path / 'a')!r}) loads the model\n"
    )
    same = ("--recipe", "llama", "--set", "initializer_range=0.01", "--seed", 3)
    assert invoke("init", written, *same, "--out", tmp_path / "b").exit_code == 0
    name = "model.safetensors"
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()

    result = invoke("verify", tmp_path / "a", "--shapes", written, "--seed", 3)
    assert (result.exit_code, "equal: all 7" in result.stdout) == (0, True)
    shutil.copy(written / "config.json", tmp_path / "a")
    assert invoke("verify", tmp_path / "a", "--seed", 3).exit_code == 0
    assert invoke("verify", tmp_path / "a", "--seed", 4).exit_code == 1


def test_a_recipe_overrides_the_preset(written, tmp_path):
    """Nothing is said of it then, and nothing of the config is taken."""
    write_json(written / "config.json", {"model_type": "llama", "initializer_range": 0.01})
    result = invoke("init", written, "--recipe", "llama", "--seed", 1, "--out", tmp_path / "a")
    assert (result.exit_code, "glorot: recipe" in result.stderr) == (0, False)
    assert glorot.checkpoint.verify(tmp_path / "a", "llama", 1).equal


def test_what_the_preset_does_not_follow_is_no_matter_to_another_recipe(tmp_path):
    """It is said where the preset was chosen, and there alone."""
    write_json(tmp_path / "shapes.json", {"wte.weight": {"shape": [5, 2]}})
    ones = tmp_path / "ones.json"
    ones.write_text(ONES.to_json())
    _ = glorot.checkpoint.write(tmp_path / "shapes.json", ONES, tmp_path / "a", seed=1)
    write_json(tmp_path / "a" / "config.json", {"model_type": "gpt2", "initializer_range": 0.5})
    out = ("--seed", 1, "--out", tmp_path / "b", "--dry-run")
    assert "does not follow" not in invoke("init", tmp_path / "a", "--recipe", ones, *out).stderr
    write_json(tmp_path / "shapes.json", json.loads(GPT2.read_text()))
    _ = glorot.checkpoint.write(tmp_path / "shapes.json", "gpt2", tmp_path / "c", seed=1)
    shutil.copy(tmp_path / "a" / "config.json", tmp_path / "c")
    assert "does not follow" in invoke("init", tmp_path / "c", *out).stderr


def test_what_the_recipe_leaves_out_is_said(tmp_path):
    """A head that a config unties would else be missing from the checkpoint without a word;
    buffers are no parameters."""
    shapes = json.loads(GPT2.read_text())
    shapes |= {"lm_head.weight": shapes["transformer.wte.weight"]}
    shapes |= {"transformer.h.0.attn.bias": {"shape": [1, 1, 8, 8], "tags": ["buffer"]}}
    write_json(tmp_path / "shapes.json", shapes)
    arguments = ("init", tmp_path / "shapes.json", "--recipe", "gpt2", "--seed", 1, "--out")
    result = invoke(*arguments, tmp_path / "a")
    assert result.exit_code == 0
    assert result.stderr == (
        "glorot: not written, as the recipe leaves it out: lm_head.weight. The model must tie or "
        "compute it; else give it a rule\n"
    )
    found = json.loads(invoke(*arguments, tmp_path / "b", "--json").stdout)
    assert found["left_out"] == ["lm_head.weight"]
    found = json.loads(invoke(*arguments, tmp_path / "c", "--json", "--dry-run").stdout)
    assert found["left_out"] == ["lm_head.weight"]


def test_json_reports_say_the_choice(written, tmp_path):
    """--json: the choice is in the report of init, on stderr for explain."""
    write_json(written / "config.json", {"model_type": "llama"})
    out = ("--seed", 1, "--out", tmp_path / "a", "--json")
    result = invoke("init", written, *out)
    assert result.stderr == ""
    assert json.loads(result.stdout)["source"] == {
        "kind": "safetensors", "model": "llama", "preset": "llama", "variables": {},
        "aliases": {}, "notes": [], "config": str(written / "config.json"),
    }  # fmt: skip
    given = invoke("init", written, *out, "--recipe", "llama", "--force")
    assert json.loads(given.stdout)["source"]["preset"] is None
    result = invoke("explain", written, "*norm*", "--json")
    assert len(json.loads(result.stdout)) == 2
    assert "recipe llama" in result.stderr


def test_without_a_recipe_it_is_one_line(written, tmp_path):
    """No preset known: the list, nothing written."""
    result = invoke("init", written, "--seed", 1, "--out", tmp_path / "a")
    assert result.exit_code == 1
    assert "`recipe` (--recipe) must be given" in result.stderr
    assert "llama, llava, mamba" in result.stderr
    assert not (tmp_path / "a").exists()
    assert invoke("verify", written, "--seed", 1).exit_code == 0  # its manifest has the recipe
    (written / "glorot.json").unlink()
    assert "must be given" in invoke("verify", written, "--seed", 1).stderr


def test_a_model_without_a_preset_is_told_the_nearest():
    """The preset that covers most, what it does not, and the next step; for timm not transformers',
    and nothing where none is near."""
    shapes = {f"model.layers.0.self_attn.{p}_proj.weight": (8, 8) for p in "qkvo"}
    shapes |= {
        "model.norm.weight": (8,),
        "model.norm.bias": (8,),
        "model.embed_tokens.weight": (9, 8),
    }
    specs = glorot.recipe.parse_shapes(shapes)
    with pytest.raises(ValueError, match="names is transformers, which covers all") as error:
        Source(specs, "safetensors", "new").recipe()
    assert "no built-in recipe is for 'new'. Nearest" in str(error.value)
    assert "give --recipe transformers, or change the rules of the file" in str(error.value)
    assert "(docs/recipes.md). There are bart, bert" in str(error.value)
    more = specs | glorot.recipe.parse_shapes({"model.sinks": (8,)})
    with pytest.raises(ValueError, match=r"covers 7 of 8 parameters, and not 'model\.sinks'\."):
        Source(more, "safetensors", "new").recipe()
    with pytest.raises(ValueError, match=r"Nearest by the names is (?!transformers)"):
        Source(specs, "timm model", "timm:new").recipe()
    with pytest.raises(ValueError, match=r"is for 'new'\. There are bart"):
        Source(glorot.recipe.parse_shapes({"a": (2,)}), "safetensors", "new").recipe()


# --- the config beside what is written ------------------------------------------------------------


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


# --- DCP metadata --------------------------------------------------------------------------------


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


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("config.json", b"{", "the file cannot be read as JSON"),
        ("config.json", b"\xff\xfe", "the file must be UTF-8 text"),
        ("config.json", b"[1]", "is no config of Hugging Face"),
        (
            "config.json",
            b'{"_class_name": "UNet2DModel"}',
            "must be a JSON object with `model_type`",
        ),
        ("shapes.json", b"[1]", "a shapes file must hold"),
        ("shapes.json", b'{"w": {"size": [2]}}', "got also 'size'"),
        ("model.safetensors", b"{}", "is not a safetensors file"),
        ("model.safetensors.index.json", b"{}", "must be a JSON object with a `weight_map`"),
        ("pytorch_model.bin", b"PK\x03\x04", "is not a safetensors file"),
    ],
)
def test_files_that_are_not_what_their_name_says(tmp_path, name, content, text):
    """One line each, with the file's name."""
    (tmp_path / name).write_bytes(content)
    line = refused(tmp_path / name, tmp_path)
    assert text in line
    assert name in line


def test_what_is_not_there(tmp_path):
    """A path, a folder of nothing, a name on the hub."""
    assert "nowhere.json does not exist." in refused("nowhere.json", tmp_path)
    (tmp_path / "empty").mkdir()
    assert "nor .metadata of torch.distributed.checkpoint" in refused(tmp_path / "empty", tmp_path)
    line = refused("meta-llama/Meta-Llama-3-8B", tmp_path)
    assert "Nothing is downloaded: give the path of the model's config.json." in line


@pytest.mark.parametrize("framework", ["torch", "transformers", "timm", "flax", "keras"])
def test_a_framework_that_is_not_installed(monkeypatch, framework):
    """The error names the extra to install."""
    from glorot.sources._frameworks import require

    real = importlib.import_module

    def missing(name, *rest):
        if name == framework:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest)

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(ModuleNotFoundError, match=rf"needs {framework}, which is not installed: "
                       rf"pip install 'glorot\[{framework}\]'\."):  # fmt: skip
        require(framework, "thing")


@pytest.fixture
def no_framework(monkeypatch):
    """As in the command's own process: other tests' frameworks may be loaded here."""
    from glorot.sources import _apart

    monkeypatch.setattr(_apart, "_FRAMEWORKS", ())


@pytest.mark.usefixtures("no_framework")
@pytest.mark.parametrize("framework", ["torch", "transformers", "timm"])
def test_the_command_says_what_to_install(tmp_path, monkeypatch, framework):
    """One line, exit code 1; nothing is written."""
    folder = tmp_path / "as_if_not_installed"
    folder.mkdir()
    (folder / "torch.py").write_text("")  # in place of what may be installed
    lacking = f"raise ModuleNotFoundError('No module named {framework}', name={framework!r})\n"
    (folder / f"{framework}.py").write_text(lacking)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), *_python_path()]))
    source, extra = "timm:resnet18", "timm"
    if framework == "transformers":
        source, extra = write_json(tmp_path / "config.json", {"model_type": "llama"}), framework
    line = f"needs {framework}, which is not installed: pip install 'glorot[{extra}]'."
    assert line in refused(source, tmp_path)


def _python_path():
    """The environment's own PYTHONPATH, by which a source tree may be tested."""
    return [part for part in [os.environ.get("PYTHONPATH", "")] if part]


def test_a_framework_that_is_broken(monkeypatch):
    """Installed and not importable is another thing, said with the cause."""
    from glorot.sources._frameworks import require

    def broken(name):
        raise RuntimeError("operator does\nnot exist")

    monkeypatch.setattr("importlib.import_module", broken)
    with pytest.raises(ImportError, match="is installed and cannot be imported: RuntimeError: ope"):
        require("timm", "timm model")


# --- callables -----------------------------------------------------------------------------------

MODULE = """
print("noise")
def shapes():
    print("more noise")
    return {"model.norm.weight": (8,), "model.embed_tokens.weight": {"shape": [4, 8]}}
def fails():
    raise RuntimeError("no\\nbatch")
def leaves():
    raise SystemExit(3)
def number():
    return 7
def needs(width):
    return {}
def nothing():
    return {}
text = "a text"
class Holder:
    tree = {"w": (2, 3)}
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module of the user's in the current folder."""
    (tmp_path / "user_models.py").write_text(MODULE)
    (tmp_path / "user_broken.py").write_text("import nowhere_to_be_found\n")
    (tmp_path / "user_raises.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    yield
    for name in ("user_models", "user_broken", "user_raises"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("module")
def test_callables(capsys):
    """In the current folder; what they print goes to stderr, and sys.path is as it was."""
    before = list(sys.path)
    assert list(glorot.sources.read("user_models:Holder.tree").shapes) == ["w"]
    shapes = glorot.sources.read("user_models:shapes").shapes
    assert shapes == {
        "model.norm.weight": TensorSpec((8,)), "model.embed_tokens.weight": TensorSpec((4, 8)),
    }  # fmt: skip
    printed = capsys.readouterr()
    assert (printed.out, "more noise" in printed.err) == ("", True)
    assert sys.path == before


@pytest.mark.usefixtures("module", "no_framework")
def test_the_command_reads_callables_apart(tmp_path, capfd):
    """In a process of its own: nothing is imported here, and stdout has the report alone."""
    (tmp_path / "ones.json").write_text(ONES.to_json())
    (tmp_path / "user_models.py").write_text(MODULE + "import os\nos.write(1, b'raw noise')\n")
    result = invoke("explain", "user_models:shapes", "--recipe", tmp_path / "ones.json", "--json")
    assert [row["name"] for row in json.loads(result.stdout)] == [
        "model.norm.weight", "model.embed_tokens.weight"
    ]  # fmt: skip
    assert "user_models" not in sys.modules
    printed = capfd.readouterr()
    assert (printed.out, "raw noise" in printed.err) == ("", True)


@pytest.mark.usefixtures("module", "no_framework")
def test_a_process_that_ends_early(tmp_path):
    """What brings down the process that reads the source does not bring down the command."""
    (tmp_path / "user_models.py").write_text("import os\nos._exit(7)\n")
    assert "the process that read it ended with exit code 7" in refused("user_models:x", tmp_path)
    assert "no module is called 'user_nowhere'" in refused("user_nowhere:x", tmp_path)


def test_what_is_read_apart_is_the_same():
    """A source survives the way through JSON."""
    from glorot.sources import _apart

    spec = TensorSpec((8, 4, 3), "bfloat16", "Conv1d", ("buffer", "b"), "torch.conv", 2)
    source = Source({"w": spec}, "torch module", "gpt2", "gpt2", {"x": 0.1}, {"v": "w"}, ("a",))
    content = json.loads(json.dumps(_apart.as_json(source)))
    assert _apart.from_json(content) == source


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("user_nowhere:build", "no module is called 'user_nowhere'"),
        ("user_models.inner:build", "no module is called 'user_models.inner'"),
        ("user_models:shape", "there is no 'shape'. Near: shapes."),
        ("user_models:shapes.deeper", "there is no 'deeper'"),
        ("user_models:text", "must be a callable that returns a model, got 'a text' of str"),
        ("user_models:fails", "user_models:fails raised RuntimeError: no batch"),
        ("user_models:leaves", "user_models:leaves raised SystemExit: 3"),
        ("user_models:needs", "raised TypeError: needs() missing 1 required"),
        ("user_models:number", "returned what is no model: a torch.nn.Module, a config of transf"),
        ("user_models:nothing", "must name at least one parameter"),
        ("user_broken:build", "cannot be imported (ModuleNotFoundError: No module named 'nowhere"),
        ("user_raises:build", "cannot be imported (ZeroDivisionError: division by zero)"),
    ],
)
def test_callables_that_are_refused(source, text):
    """One line each, with the callable's name."""
    with pytest.raises((TypeError, ValueError)) as caught:
        glorot.sources.read(source)
    assert text in str(caught.value)
    assert source.partition(":")[0] in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_nothing_is_imported_for_files():
    """Reading a shapes file loads no framework."""
    code = (
        "import sys, glorot; glorot.sources.read(sys.argv[1]);"
        "print({'torch', 'jax', 'flax', 'keras', 'transformers', 'timm'} & set(sys.modules))"
    )
    path = ROOT / "examples" / "gpt2-124m.json"
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_the_offline_switch_is_put_back(monkeypatch):
    """While others build a model the hub is offline; afterwards it is as it was."""
    from glorot.sources._frameworks import building

    holder = types.SimpleNamespace(HF_HUB_OFFLINE=False)
    monkeypatch.setitem(sys.modules, "huggingface_hub.constants", holder)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with building():
        assert holder.HF_HUB_OFFLINE is True
        assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert holder.HF_HUB_OFFLINE is False
    assert "HF_HUB_OFFLINE" not in os.environ
    with building(offline=False):  # the user's own code may do what it likes
        assert holder.HF_HUB_OFFLINE is False
