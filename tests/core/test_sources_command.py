# SPDX-License-Identifier: Apache-2.0
"""The command chooses the preset for a source, and says so."""

import json
import shutil

import pytest
from source_examples import GPT2, ONES, invoke, write_json

import glorot
from glorot.cli import _source
from glorot.sources import Source


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
    (tmp_path / "a" / "glorot.json").unlink()
    result = invoke("verify", tmp_path / "a", "--seed", 3)
    assert (result.exit_code, result.stderr.count("recipe llama, for the model type")) == (0, 1)
    result = invoke("verify", tmp_path / "a", "--seed", 3, "--json")
    assert (json.loads(result.stdout)["equal"], result.stderr) == (True, "")


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


def test_every_note_is_said_but_those_of_the_other_preset(capsys):
    """Those behind such a one too."""
    notes = ("first", "the recipe llama leaves x as it is", "last")
    source = Source({}, "shapes", "llama", "llama", notes=notes)
    _source.Reading(source, glorot.Recipe([glorot.Rule("*", "ones")])).say()
    assert capsys.readouterr().err == "glorot: first\nglorot: last\n"
    _source.Reading(source, None).say()
    assert capsys.readouterr().err.endswith("".join(f"glorot: {note}\n" for note in notes))


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
    for more, said in ((2, "a, b, lm_head.weight. The"), (4, "a, b, c and 2 more. The")):
        given = {key: {"shape": [2]} for key in "abcd"[:more]} | shapes
        write_json(tmp_path / "shapes.json", given)
        recipe = glorot.Recipe([glorot.Rule("re:[abcd]|lm_head.*", None), glorot.Rule("*", "ones")])
        (tmp_path / "recipe.toml").write_text(recipe.to_toml())
        line = (*arguments[:3], tmp_path / "recipe.toml", *arguments[4:], tmp_path / "d")
        assert f"leaves it out: {said} model" in invoke(*line, "--dry-run").stderr


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
    assert "glorot.json" in result.stderr
    (written / "glorot.json").unlink()
    assert "recipe llama" in invoke("explain", written, "*norm*", "--json").stderr


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
    assert "(docs/recipes.md). There are bamba, bart" in str(error.value)
    more = specs | glorot.recipe.parse_shapes({"model.sinks": (8,)})
    with pytest.raises(ValueError, match=r"covers 7 of 8 parameters, and not 'model\.sinks'\."):
        Source(more, "safetensors", "new").recipe()
    with pytest.raises(ValueError, match=r"Nearest by the names is (?!transformers)"):
        Source(specs, "timm model", "timm:new").recipe()
    with pytest.raises(ValueError, match=r"is for 'new'\. There are bamba"):
        Source(glorot.recipe.parse_shapes({"a": (2,)}), "safetensors", "new").recipe()
