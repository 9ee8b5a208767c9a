# SPDX-License-Identifier: Apache-2.0
"""Sources of shapes that need no framework: files, checkpoints, models."""

import json
import math

import pytest
from source_examples import GPT2, LLAMA, METADATA, ONES, write_json

import glorot
from glorot.recipe import TensorSpec
from glorot.sources import Source


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
    hybrid = {"rescale_prenorm_residual": True, "time_step_floor": 1e-4}
    assert choose("nemotron_h", hybrid).notes == ()
    other = {"rescale_prenorm_residual": False, "time_step_floor": 0.1}
    assert [note.split()[6] for note in choose("nemotron_h", other).notes] == [
        "rescale_prenorm_residual=False", "time_step_floor=0.1",
    ]  # fmt: skip
    flags = {"sinusoidal_embeddings": True, "init_std": 0.03}
    assert choose("xlm", flags).variables == {"sinusoidal_embeddings": 1, "init_std": 0.03}
    assert choose("flaubert", {"sinusoidal_embeddings": False}) == ("flaubert", "xlm", {}, ())
    assert choose("hubert", {"conv_pos_batch_norm": False}).notes == ()
    assert "conv_pos_batch_norm=True" in choose("hubert", {"conv_pos_batch_norm": True}).notes[0]
    ends = {"linear_dt_min": 1e-5, "linear_a_log_max": 8.0}
    assert choose("olmo_hybrid", ends).variables == ends
    (note,) = choose("olmo_hybrid", {**ends, "linear_dt_init_floor": 1e-4}).notes
    assert note.endswith("not follow linear_dt_init_floor=0.0001 of the config: it has 0")
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
    with pytest.raises(ValueError, match=r"says what the model is \(shapes\)\. There are bamba,"):
        glorot.sources.read({"w": (2,)}).recipe()
    with pytest.raises(ValueError, match="no built-in recipe is for 'opt'"):
        Source({}, "transformers config", "opt").recipe()


@pytest.mark.parametrize("tree", [{"a.b": (2,), "a": {"b": (3,)}}, {"a": {1: (2,), "1": (3,)}}])
def test_two_parameters_of_one_name(tree):
    """One of them would be lost."""
    with pytest.raises(ValueError, match=r"two parameters are called 'a\.[b1]': a key holds"):
        glorot.sources.read(tree)
