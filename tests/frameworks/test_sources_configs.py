# SPDX-License-Identifier: Apache-2.0
"""Configs of transformers as sources: names, shapes, dtypes, ties and preset of the model."""

import dataclasses
import math

import pytest
import safetensors.numpy
from source_cases import CONFIGS, LLAMA, ROOT, SMALL, built, config_of, described, invoke, said

import glorot
import glorot.torch
from glorot.recipe._presets import MODEL_TYPES

pytestmark = pytest.mark.frameworks

STORED = {  # of the weights with several names, which one transformers' own checkpoints have
    "llama-tied": ("model.embed_tokens.weight", "lm_head.weight"),
    "gpt2": ("transformer.wte.weight", "lm_head.weight"),
    "bert": ("bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"),
    "t5": ("shared.weight", "decoder.embed_tokens.weight"),
    "mamba": ("backbone.embeddings.weight", "lm_head.weight"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_is_the_model_that_transformers_builds(tmp_path, name):
    """Names, shapes, dtypes and ties are those of its state dict."""
    path = config_of(tmp_path, CONFIGS[name])
    source = glorot.sources.read(path)
    state = built(path).state_dict(keep_vars=True)
    assert source.kind == "transformers config"
    assert set(source.shapes) | set(source.aliases) == set(state)
    assert not set(source.shapes) & set(source.aliases)
    assert said(source) == described({key: state[key] for key in source.shapes})
    for other, stored in source.aliases.items():
        assert state[other] is state[stored]
    assert len({id(value) for value in state.values()}) == len(source.shapes)
    assert glorot.sources.read(tmp_path) == source  # its folder
    if name in STORED:
        stored, other = STORED[name]
        assert source.aliases[other] == stored


@pytest.mark.parametrize("name", CONFIGS)
def test_the_checkpoint_loads_in_transformers(tmp_path, name):
    """No missing key and no unexpected one, ties stored once, and each value that of `init_`."""
    import torch
    import transformers

    content = CONFIGS[name]
    path = config_of(tmp_path / "source", content)
    result = invoke("init", path, "--seed", 5, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    assert f"for the model type {content['model_type']!r}" in result.stderr
    config_of(tmp_path / "out", content)
    cls = getattr(transformers, content["architectures"][0])
    model, info = cls.from_pretrained(
        tmp_path / "out", output_loading_info=True, dtype=content.get("dtype", "auto")
    )
    problems = {k: v for k, v in info.items() if v}
    assert problems == {}

    expected = built(path)
    source = glorot.sources.read(path)
    glorot.torch.init_(expected, source.recipe(), seed=5)
    loaded = model.state_dict()
    buffers = dict(expected.named_buffers())
    for key, value in expected.state_dict().items():
        if key not in buffers:
            assert torch.equal(loaded[key], value), key
        elif key.endswith("running_var"):
            assert bool((loaded[key] == 1).all())
    for other, stored in source.aliases.items():
        assert model.state_dict(keep_vars=True)[other] is model.state_dict(keep_vars=True)[stored]


@pytest.mark.parametrize("name", ["llama-tied", "gpt2", "bert", "t5", "mamba"])
def test_stored_names_are_those_of_save_pretrained(tmp_path, name):
    """Of a tied weight's names transformers' own checkpoint has the same one."""
    path = config_of(tmp_path, CONFIGS[name])
    built(path).save_pretrained(tmp_path / "own")
    own = safetensors.numpy.load_file(tmp_path / "own" / "model.safetensors")
    assert set(glorot.sources.read(path).shapes) == set(own)


def test_what_transformers_saves_under_older_names(tmp_path):
    """`verify` finds other names than the model's; loaded, the model has the seed's bytes."""
    config = {**SMALL, "model_type": "vit", "image_size": 8, "patch_size": 4}
    config["architectures"] = ["ViTForImageClassification"]
    model = built(config_of(tmp_path / "config", config))
    glorot.torch.init_(model, "vit", seed=1)
    model.save_pretrained(tmp_path / "saved")
    found = invoke("verify", tmp_path / "saved", "--seed", "1")
    assert found.exit_code == 1
    assert "or has another seed, recipe or name than it was filled under" in found.stdout
    loaded = type(model).from_pretrained(tmp_path / "saved")
    report = glorot.audit(loaded, "vit", 1)
    assert report.ok, str(report)
    assert {row.differing for row in report.parameters} == {0}
    assert not glorot.audit(loaded, "vit", 2).ok


def test_the_config_sets_the_recipes_variables(tmp_path):
    """Another initializer_range than the preset's is taken, and said."""
    path = config_of(tmp_path, CONFIGS["llama-narrow"])
    source = glorot.sources.read(path)
    assert source.variables == {"initializer_range": 0.003}
    assert {a.stddev for a in source.recipe().resolve(source.shapes)} == {0.0, 0.003}
    result = invoke("explain", path)
    assert "with initializer_range=0.003 of its config; --recipe overrides it" in result.stderr


def test_a_config_made_in_code(tmp_path):
    """The object says what its file says, but where the file is."""
    import transformers

    made = transformers.GPT2Config(
        n_embd=48, n_layer=2, n_head=4, vocab_size=50, initializer_range=0.01, bos_token_id=1,
        eos_token_id=2,
    )  # fmt: skip
    made.save_pretrained(tmp_path)
    source, filed = glorot.sources.read(made), glorot.sources.read(tmp_path)
    assert source == dataclasses.replace(filed, config="")
    assert source.choice() == "recipe gpt2, for the model type 'gpt2'"
    assert any("initializer_range=0.01" in note for note in source.notes)
    made.architectures = ["GPT5"]
    with pytest.raises(ValueError, match="GPT2Config: `architectures` names 'GPT5'"):
        glorot.sources.read(made)


def test_layers_say_types_and_axes(tmp_path):
    """Conditions and fans of rules see the layers: GPT-2's Conv1D is stored (in, out)."""
    shapes = glorot.sources.read(config_of(tmp_path, CONFIGS["gpt2"])).shapes
    found = shapes["transformer.h.0.mlp.c_fc.weight"]
    assert (found.type, found.layout) == ("Conv1D", "transformers.conv1d")
    recipe = glorot.Recipe([
        glorot.Rule("*", "he_normal", where={"type": "Conv1D", "ndim": 2}), glorot.Rule("*", "ones")
    ])  # fmt: skip
    fans = {a.name: a.fans for a in recipe.resolve(shapes)}
    assert fans["transformer.h.0.mlp.c_fc.weight"] == (32.0, 128.0)


def test_llama_3_8b():
    """The example: 8,030,261,248 parameters, in bfloat16, in a moment and without their memory."""
    source = glorot.sources.read(ROOT / "examples" / "llama-3-8b")
    assert sum(math.prod(spec.shape) for spec in source.shapes.values()) == 8_030_261_248
    assert {spec.dtype for spec in source.shapes.values()} == {"bfloat16"}
    assert (source.preset, source.variables, source.notes) == ("llama", {}, ())
    assert len(source.recipe().resolve(source.shapes)) == 291


def test_a_config_without_architectures(tmp_path):
    """The class of the head that models of the type have, said aloud."""
    source = glorot.sources.read(config_of(tmp_path, LLAMA))
    assert "lm_head.weight" in source.shapes
    assert source.notes == ("the config names no architecture: LlamaForCausalLM is taken",)
    (tmp_path / "b").mkdir()
    vit = {"model_type": "vit", "hidden_size": 32, "num_hidden_layers": 1, "intermediate_size": 48,
           "num_attention_heads": 4, "image_size": 16, "patch_size": 8}  # fmt: skip
    assert "ViT" in glorot.sources.read(config_of(tmp_path / "b", vit)).notes[0]
    small = {"d_model": 96, "encoder_layers": 1, "decoder_layers": 1}
    for model_type, cls in (("whisper", "Whisper"), ("pegasus", "Pegasus"), ("mbart", "MBart")):
        (tmp_path / model_type).mkdir()
        source = glorot.sources.read(
            config_of(tmp_path / model_type, {"model_type": model_type, **small})
        )
        assert source.notes[0].endswith(f": {cls}ForConditionalGeneration is taken")
        assert any(name.startswith("model.encoder.layers.0.") for name in source.shapes)


def _least(model_type):
    """What a config says of its layers, that there be few."""
    layers = {"num_hidden_layers": 2, "num_layers": 2}
    both = {"text_config": layers, "vision_config": layers}
    shallow = {"text_config": layers, "vision_config": {"depth": 2}}
    return {
        **dict.fromkeys(("clip", "siglip", "siglip2", "gemma3", "llava"), both),
        **dict.fromkeys(("qwen2_vl", "qwen2_5_vl"), shallow),
        "convnext": {}, "resnet": {}, "swin": {}, "swinv2": {},
        "gpt_neo": {"num_layers": 2, "attention_types": [[["global", "local"], 1]]},
        # Whose classes cannot be built of their own defaults.
        **dict.fromkeys(("ministral", "hunyuan_v1_dense"), layers | {"head_dim": 128}),
        "nemotron": layers | {"num_key_value_heads": 8, "head_dim": 128},
        "zamba": {}, "zamba2": {},  # the kinds of all layers are listed
        **{key: {"prediction_length": 4}
           for key in ("time_series_transformer", "informer", "autoformer")},
    }.get(model_type, layers)  # fmt: skip


@pytest.mark.parametrize("model_type", sorted(MODEL_TYPES))
def test_every_model_type_with_a_preset(tmp_path, model_type):
    """The type alone says enough: the preset covers the model, and follows all of its config, the
    row of a padding token too, where transformers has one."""
    content = _least(model_type)
    source = glorot.sources.read(config_of(tmp_path, {"model_type": model_type, **content}))
    assert source.model == model_type
    assert source.preset == MODEL_TYPES[model_type]
    assert len(source.recipe().resolve(source.shapes)) == len(source.shapes)
    (note,) = source.notes
    assert "names no architecture" in note
    rows = {"phi3": 32000, "olmo2": 1, "helium": 3, "cohere": 0, "cohere2": 0, "seed_oss": 1}
    rows |= {"ernie4_5": 0, "bert": 0, "gemma": 0, "gemma2": 0, "gemma3_text": 0}
    rows |= {"glm": 151329, "glm4": 151329, "smollm3": 128004, "ministral3": 11, "eurobert": 128001}
    rows |= {"flex_olmo": 100277, "hunyuan_v1_dense": 0}
    rows |= dict.fromkeys(("distilbert", "albert", "electra", "deberta-v2", "nomic_bert"), 0)
    rows |= dict.fromkeys(("big_bird", "rembert", "megatron-bert"), 0)
    rows |= dict.fromkeys(("olmo", "olmo3", "olmoe", "gte", "convbert", "bart", "mbart", "opt"), 1)
    rows |= dict.fromkeys(("roberta", "xlm-roberta", "xlm-roberta-xl", "camembert"), 1)
    rows |= {"longformer": 1, "jamba": 0, "gemma3": 0}
    rows |= {"pegasus": 0, "marian": 58100, "whisper": 50256, "roformer": 0}
    rows |= dict.fromkeys(("blenderbot", "blenderbot-small"), 0)
    rows |= {"bamba": 0, "falcon_h1": 0, "zamba": 0, "zamba2": 0, "olmo_hybrid": 100277}
    rows |= {"kimi_linear": 163839, "bailing_hybrid": 156892, "fsmt": 1, "xlm": 2, "flaubert": 2}
    said = source.recipe().variables
    padded = "padding_rows" in said and said["padding_rows"].value == 1
    assert (said["pad_token_id"].value if padded else None) == rows.get(model_type)


def test_a_config_with_infinite_numbers(tmp_path):
    """transformers writes them as objects into JSON, in every config of Mamba 2, and reads both."""
    small = {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 1, "num_heads": 8,
             "head_dim": 8, "n_groups": 1, "model_type": "mamba2"}  # fmt: skip
    tagged = {"__float__": "Infinity"}
    for number, limit in enumerate((tagged, math.inf)):
        content = {**small, "time_step_limit": [0.0, limit], "architectures": ["Mamba2ForCausalLM"]}
        path = config_of(tmp_path / str(number), content)
        out = tmp_path / f"out{number}"
        assert invoke("init", path, "--seed", 0, "--out", out).exit_code == 0
        assert built(out / "config.json").config.time_step_limit[1] == math.inf


_TASKS = (
    "AutoModel", "AutoModelForSequenceClassification", "AutoModelForTokenClassification",
    "AutoModelForQuestionAnswering", "AutoModelForMultipleChoice", "AutoModelForMaskedLM",
    "AutoModelForCausalLM", "AutoModelForImageClassification", "AutoModelForMaskedImageModeling",
    "AutoModelForAudioClassification",
)  # fmt: skip


@pytest.mark.parametrize("model_type", sorted(MODEL_TYPES.keys() - {"gpt2", "gpt_bigcode"}))
def test_heads_of_every_model_type(tmp_path, model_type):
    """Each head that transformers has for a type is covered by its preset; of GPT-2, whose file
    never changes, the language model's alone."""
    import transformers

    content = {"model_type": model_type, **_least(model_type)}
    config = transformers.CONFIG_MAPPING[model_type]
    for task in _TASKS:
        mapping = getattr(transformers, task)._model_mapping
        found = mapping.get(config, ())
        for cls in found if isinstance(found, (tuple, list)) else (found,):
            if cls.config_class is not config:
                continue
            content["architectures"] = [cls.__name__]
            source = glorot.sources.read(config_of(tmp_path, content))
            assert len(source.recipe().resolve(source.shapes)) == len(source.shapes)


def test_the_towers_of_clip(tmp_path):
    """Each has the scales of its own config, in transformers as here."""
    import torch

    layers = {"num_hidden_layers": 1, "hidden_size": 64, "num_attention_heads": 4}
    path = config_of(tmp_path, {
        "model_type": "clip", "architectures": ["CLIPModel"], "initializer_factor": 0.5,
        "text_config": {**layers, "vocab_size": 500, "initializer_factor": 3.0},
        "vision_config": {**layers, "initializer_range": 0.1, "image_size": 32, "patch_size": 8},
    })  # fmt: skip
    source = glorot.sources.read(path)
    torch.manual_seed(0)
    model = dict(built(path).named_parameters())
    for found in source.recipe().resolve(source.shapes):
        drawn = model[found.name].detach().double().std(correction=0).item()
        assert drawn == pytest.approx(found.stddev, rel=0.2), found.name


def test_a_config_of_old_without_model_type(tmp_path):
    """`architectures` alone says the type."""
    content = {key: value for key, value in CONFIGS["gpt2"].items() if key != "model_type"}
    source = glorot.sources.read(config_of(tmp_path, content))
    assert (source.model, source.preset) == ("gpt2", "gpt2")


def test_quantized_configs_are_the_models_before(tmp_path):
    """How weights were packed is no matter of their first values."""
    packed = {**CONFIGS["llama"], "quantization_config": {"quant_method": "fp8"},
              "attn_implementation": "flash_attention_2"}  # fmt: skip
    plain = glorot.sources.read(config_of(tmp_path / "a", CONFIGS["llama"]))
    found = glorot.sources.read(config_of(tmp_path / "b", packed))
    assert dataclasses.replace(found, config=plain.config) == plain


def test_torchs_generator_stays(tmp_path):
    """Reading a config draws nothing."""
    import torch

    path = config_of(tmp_path, CONFIGS["llama"])
    before = torch.random.get_rng_state()
    glorot.sources.read(path)
    assert torch.equal(torch.random.get_rng_state(), before)
