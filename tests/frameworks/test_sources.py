# SPDX-License-Identifier: Apache-2.0
"""Sources of shapes that need frameworks: transformers, timm, torch, flax, Keras; torch's DCP."""

import dataclasses
import json
import math
import runpy
import socket
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from typer.testing import CliRunner

import glorot
import glorot.jax
import glorot.keras
import glorot.torch
from glorot.cli._app import app
from glorot.recipe._presets import MODEL_TYPES

pytestmark = pytest.mark.frameworks

ROOT = Path(__file__).parents[2]
LAYERS = runpy.run_path(str(ROOT / "tests" / "oracle" / "framework_sources.py"))
SMALL = {
    "vocab_size": 50, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
    "num_attention_heads": 4,
}  # fmt: skip
LLAMA = {**SMALL, "model_type": "llama", "num_key_value_heads": 2}
CONFIGS = {
    "llama": {**LLAMA, "architectures": ["LlamaForCausalLM"]},
    "llama-tied": {**LLAMA, "architectures": ["LlamaForCausalLM"], "tie_word_embeddings": True},
    "llama-bfloat16": {**LLAMA, "architectures": ["LlamaForCausalLM"], "torch_dtype": "bfloat16"},
    "llama-narrow": {**LLAMA, "initializer_range": 0.003, "architectures": ["LlamaForCausalLM"]},
    "llama-labels": {
        **LLAMA, "architectures": ["LlamaForSequenceClassification"], "num_labels": 3,
    },
    "gpt2": {
        "model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_embd": 32, "n_layer": 2,
        "n_head": 4, "vocab_size": 50, "n_positions": 16,
    },
    "mixtral": {
        **SMALL, "model_type": "mixtral", "architectures": ["MixtralForCausalLM"],
        "num_key_value_heads": 2, "num_local_experts": 4, "dtype": "bfloat16",
    },
    "bert": {**SMALL, "model_type": "bert", "architectures": ["BertForPreTraining"]},
    "t5": {
        "model_type": "t5", "architectures": ["T5ForConditionalGeneration"], "vocab_size": 50,
        "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4,
    },
    "resnet": {
        "model_type": "resnet", "architectures": ["ResNetForImageClassification"],
        "embedding_size": 8, "hidden_sizes": [8, 16, 16, 16], "depths": [1, 1, 1, 1],
    },
    "mamba": {
        "model_type": "mamba", "architectures": ["MambaForCausalLM"], "vocab_size": 50,
        "hidden_size": 16, "num_hidden_layers": 2,
    },
}  # fmt: skip
STORED = {  # of the weights with several names, which one transformers' own checkpoints have
    "llama-tied": ("model.embed_tokens.weight", "lm_head.weight"),
    "gpt2": ("transformer.wte.weight", "lm_head.weight"),
    "bert": ("bert.embeddings.word_embeddings.weight", "cls.predictions.decoder.weight"),
    "t5": ("shared.weight", "decoder.embed_tokens.weight"),
    "mamba": ("backbone.embeddings.weight", "lm_head.weight"),
}


def invoke(*arguments):
    """Run the command in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def config_of(folder, content):
    """The path of a config.json with this content."""
    folder.mkdir(exist_ok=True)
    path = folder / "config.json"
    path.write_text(json.dumps(content))
    return path


def built(path):
    """The model that transformers itself builds of a config, with memory."""
    import transformers

    config = transformers.AutoConfig.from_pretrained(path)
    return getattr(transformers, config.architectures[0])._from_config(config)


def described(state):
    """Shapes and dtypes of a state dict."""
    return {k: (tuple(v.shape), str(v.dtype).removeprefix("torch.")) for k, v in state.items()}


def said(source):
    """The same of a source."""
    return {name: (spec.shape, spec.dtype) for name, spec in source.shapes.items()}


# --- transformers --------------------------------------------------------------------------------


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
    }.get(model_type, layers)  # fmt: skip


@pytest.mark.parametrize("model_type", MODEL_TYPES)
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
)  # fmt: skip


@pytest.mark.parametrize("model_type", sorted(set(MODEL_TYPES) - {"gpt2", "gpt_bigcode"}))
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


_WORDS = {
    "vocab_size": 500, "hidden_size": 96, "intermediate_size": 160, "num_hidden_layers": 2,
    "num_attention_heads": 6, "num_key_value_heads": 2,
}  # fmt: skip
_IMAGES = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "image_size": 32, "patch_size": 8,
}  # fmt: skip
_QWEN_VL = {
    "model_type": "qwen2_vl", "architectures": ["Qwen2VLForConditionalGeneration"],
    "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3]},
    "vision_config": {"depth": 2, "embed_dim": 64, "hidden_size": 96, "num_heads": 4,
                      "initializer_range": 0.1},
}  # fmt: skip
_LLAVA = {
    "model_type": "llava",
    "architectures": ["LlavaForConditionalGeneration"],
    "vision_config": {"model_type": "clip_vision_model", **_IMAGES, "initializer_range": 0.1},
}
_GEMMA3 = {
    "model_type": "gemma3", "architectures": ["Gemma3ForConditionalGeneration"],
    "vision_config": {"model_type": "siglip_vision_model", **_IMAGES}, "mm_tokens_per_image": 4,
}  # fmt: skip
PARTS = {
    "qwen2_vl, the text's beside its parts": {**_QWEN_VL, **_WORDS, "initializer_range": 0.05},
    "qwen2_vl": {**_QWEN_VL, "text_config": {**_WORDS, "initializer_range": 0.05,
                 "rope_parameters": _QWEN_VL["rope_parameters"], "pad_token_id": 3}},
    **{
        f"llava of {kind}": {
            **_LLAVA, "text_config": {"model_type": kind, **_WORDS, "initializer_range": 0.05},
            "initializer_range": 0.2,
        }
        for kind in ("llama", "mistral", "qwen2")
    },
    "llava, 0": {**_LLAVA, "text_config": {"model_type": "llama", **_WORDS,
                                           "initializer_range": 0.0}},
    "gemma3": {**_GEMMA3, "tie_word_embeddings": False, "initializer_range": 0.2, "text_config": {
        **_WORDS, "head_dim": 24, "initializer_range": 0.05, "layer_types": ["full_attention"] * 2,
    }},
}  # fmt: skip


@pytest.mark.parametrize("name", PARTS)
def test_parts_of_a_config(tmp_path, name):
    """Each part has the stddevs of its own config, and what is of none those of the whole."""
    import torch

    path = config_of(tmp_path, PARTS[name])
    source = glorot.sources.read(path)
    assert source.notes == ()
    torch.manual_seed(0)
    model = dict(built(path).named_parameters())
    found = source.recipe().resolve(source.shapes)
    assert {assignment.name for assignment in found} == set(source.shapes)
    for assignment in found:
        drawn = model[assignment.name].detach().double().std(correction=0).item()
        assert drawn == pytest.approx(assignment.stddev, rel=0.25), assignment.name


def test_parts_that_no_preset_is_for(tmp_path):
    """The error names the part; another text model has other laws."""
    content = {**_LLAVA, "text_config": {"model_type": "gemma", **_WORDS}}
    source = glorot.sources.read(config_of(tmp_path, content))
    with pytest.raises(ValueError, match="no built-in recipe is for 'llava of gemma'"):
        source.recipe()


_BART = {
    "model_type": "bart", "vocab_size": 500, "d_model": 64, "encoder_layers": 1,
    "decoder_layers": 1, "encoder_ffn_dim": 96, "decoder_ffn_dim": 96,
    "encoder_attention_heads": 4, "decoder_attention_heads": 4, "init_std": 0.05,
    "architectures": ["BartForConditionalGeneration"],
}  # fmt: skip
STDDEVS = {  # configs, the preset's variable, and what transformers makes of the config
    "llama, 0": ({**LLAMA, "architectures": ["LlamaForCausalLM"]}, 0.0, "initializer_range", 0.02),
    "mamba, 0": (CONFIGS["mamba"], 0.0, "initializer_range", 0.02),
    "bert, 0": (CONFIGS["bert"], 0.0, "initializer_range", 0.02),
    "bart": (_BART, None, "init_std", 0.05),
    "bart, both": (_BART, 0.1, "init_std", 0.1),
    "bart, both, 0": (_BART, 0.0, "init_std", 0.02),
    "t5, not its own": (CONFIGS["t5"], 0.3, "initializer_factor", 1.0),
}


@pytest.mark.parametrize("name", STDDEVS)
def test_stddevs_that_transformers_takes_of_a_config(tmp_path, name):
    """The base class has 0.02 in the place of 0, and init_std where there is no initializer_range;
    what it draws is what the recipe promises, and nothing is said not to be followed."""
    import torch

    content, stddev, variable, expected = STDDEVS[name]
    content = {**content, **({} if stddev is None else {"initializer_range": stddev})}
    path = config_of(tmp_path, {**content, "vocab_size": 500})
    source = glorot.sources.read(path)
    assert source.notes == ()
    assert source.recipe().variables[variable].value == expected
    torch.manual_seed(0)
    model = dict(built(path).named_parameters())
    for found in source.recipe().resolve(source.shapes):
        if found.initializer.random:
            drawn = model[found.name].detach().double().std(correction=0).item()
            assert drawn == pytest.approx(found.stddev, rel=0.25), found.name


def test_experts_of_a_config_of_stddev_0(tmp_path):
    """transformers' own code of a model with experts has no 0.02 in the place of 0: said."""
    path = config_of(tmp_path, {**CONFIGS["mixtral"], "initializer_range": 0.0})
    (note,) = glorot.sources.read(path).notes
    assert "experts and routers it would leave at 0" in note
    state = built(path).state_dict()
    assert not state["model.layers.0.mlp.experts.down_proj"].any()
    assert state["model.layers.0.self_attn.q_proj.weight"].any()


PADDING = {
    "llama": ({**LLAMA, "pad_token_id": 3}, 3),
    "llama, the last": ({**LLAMA, "pad_token_id": -1}, -1),
    "llama, none": ({**LLAMA, "pad_token_id": None}, None),
    "bert": ({**CONFIGS["bert"], "pad_token_id": 5}, 5),
    "bert, the first": ({**CONFIGS["bert"], "pad_token_id": 0}, 0),
    "bert, none": ({**CONFIGS["bert"], "pad_token_id": None}, None),
}


@pytest.mark.parametrize("name", PADDING)
def test_the_rows_of_padding_tokens(tmp_path, name):
    """The row that transformers begins at 0 is 0, and no bit of the others changes with it."""
    content, row = PADDING[name]
    path = config_of(tmp_path, {"architectures": ["LlamaForCausalLM"], **content})
    source = glorot.sources.read(path)
    assert source.notes == ()
    preset = glorot.recipe.preset(source.preset, padding_rows=0)
    own, plain = (
        {found.name: found for found in recipe.resolve(source.shapes)}
        for recipe in (source.recipe(), preset)
    )
    name = next(
        name for name in own if name.endswith(("embed_tokens.weight", "word_embeddings.weight"))
    )
    values, expected = (
        found[name].initializer(found[name].shape, seed=1, name=name) for found in (own, plain)
    )
    drawn = built(path).get_parameter(name).detach().numpy()
    assert drawn.any()
    assert expected.all()
    if row is not None:
        expected[row] = 0
    assert (values == expected).all()
    assert ((drawn == 0).all(axis=1) == (values == 0).all(axis=1)).all()


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


@pytest.fixture
def no_network(monkeypatch):
    """Any connection fails the test."""

    def refuse(*args, **kwargs):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


REFUSED = {
    "an unknown type": ({"model_type": "lama"}, "has no model type 'lama'. Near: "),
    "an unknown type and code": (
        {"model_type": "zzzzzz", "auto_map": {"AutoConfig": "evil.Config"}},
        "It names code of its own (`auto_map`), which is never run.",
    ),
    "an unknown class": (
        {**LLAMA, "architectures": ["LlamaForCausalLMs"]},
        "names 'LlamaForCausalLMs', which transformers",
    ),
    "an unknown class alone": ({"architectures": ["Nothing"]}, "has no model called 'Nothing'"),
    "no class of models": (
        {**LLAMA, "architectures": ["LlamaConfig"]}, "names 'LlamaConfig', which transformers",
    ),
    "the class of another type": (
        {**LLAMA, "architectures": ["GPT2LMHeadModel"]}, "is no model of the type 'llama'",
    ),
    "sizes that do not fit": (
        {**LLAMA, "architectures": ["LlamaForCausalLM"], "hidden_size": -32},
        "transformers",
    ),
    "sizes that are text": (
        {**LLAMA, "architectures": ["LlamaForCausalLM"], "hidden_size": "wide"}, "transformers",
    ),
    "sizes that overflow": (
        {**LLAMA, "architectures": ["LlamaForCausalLM"], "vocab_size": 2**70}, "transformers",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ["llama-tied", "gpt2", "t5"])
def test_the_folder_loads(tmp_path, case):
    """`from_pretrained` of what `init` wrote: the config is there, no key is missing, the weights
    are those of the file in its dtype."""
    import transformers

    path = config_of(tmp_path, CONFIGS[case])
    out = tmp_path / "out"
    result = invoke("init", path, "--seed", 0, "--out", out, "--dtype", "bfloat16")
    assert result.exit_code == 0, result.stderr
    cls = getattr(transformers, CONFIGS[case]["architectures"][0])
    model, found = cls.from_pretrained(out, dtype="auto", output_loading_info=True)
    assert not any(found[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    stored = safetensors.numpy.load_file(out / "model.safetensors")
    state = model.state_dict()
    for name, values in stored.items():
        assert str(state[name].dtype) == "torch.bfloat16"
        assert state[name].float().numpy().tobytes() == values.astype(np.float32).tobytes()


def test_a_folder_of_float8_loads(tmp_path):
    """transformers has no model of float8: the config keeps the model's dtype, which holds every
    value."""
    import safetensors.torch
    import torch
    import transformers

    out = tmp_path / "out"
    path = config_of(tmp_path, CONFIGS["llama"])
    line = ("init", path, "--seed", 0, "--out", out, "--dtype", "float8_e4m3fn")
    assert invoke(*line).exit_code == 0
    model = transformers.LlamaForCausalLM.from_pretrained(out)
    for name, values in safetensors.torch.load_file(out / "model.safetensors").items():
        assert values.dtype == torch.float8_e4m3fn
        assert torch.equal(model.state_dict()[name].double(), values.double())


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("case", REFUSED)
def test_configs_that_are_refused(tmp_path, case):
    """One line, with the file's name; nothing is written, and nothing asked of the network."""
    content, text = REFUSED[case]
    path = config_of(tmp_path, content)
    result = invoke("init", path, "--recipe", "llama", "--seed", 0, "--out", tmp_path / "out")
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert text in line
    assert "config.json" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("no_network")
def test_code_of_a_config_is_never_run(tmp_path):
    """`auto_map` beside a known type: transformers' own classes are taken; the file is not."""
    victim = tmp_path / "victim"
    (tmp_path / "evil.py").write_text(f"open({str(victim)!r}, 'w')\n")
    auto = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}
    source = glorot.sources.read(config_of(tmp_path, {**CONFIGS["llama"], "auto_map": auto}))
    assert source.preset == "llama"
    assert not victim.exists()


@pytest.mark.usefixtures("no_network")
def test_backbones_are_not_downloaded(tmp_path):
    """A config that asks for another model's trained weights gets the model without them."""
    content = {"model_type": "detr", "architectures": ["DetrForObjectDetection"],
               "use_timm_backbone": True, "backbone": "resnet18", "use_pretrained_backbone": True,
               "encoder_layers": 1, "decoder_layers": 1, "d_model": 32}  # fmt: skip
    source = glorot.sources.read(config_of(tmp_path, content))
    assert any(name.endswith("layer1.0.conv1.weight") for name in source.shapes)


# --- timm ----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "resnet18.a1_in1k", "convnext_atto"])
def test_timm(tmp_path, name):
    """The state dict of timm's model, the preset for it, and a checkpoint that it loads."""
    import timm
    import torch

    source = glorot.sources.read(f"timm:{name}")
    model = timm.create_model(name, pretrained=False)
    assert said(source) == described(model.state_dict())
    assert source.preset == glorot.recipe.preset_for(f"timm:{name}")
    result = invoke("init", f"timm:{name}", "--seed", 1, "--out", tmp_path)
    assert result.exit_code == 0, result.stderr
    assert f"recipe {source.preset}, for the timm model" in result.stderr
    stored = safetensors.numpy.load_file(tmp_path / "model.safetensors")
    tensors = {key: torch.from_numpy(np.array(value)) for key, value in stored.items()}
    model.load_state_dict(tensors, strict=True)
    for key, value in model.state_dict().items():
        if key.endswith("running_var"):
            assert bool((value == 1).all())
        if key.endswith(("running_mean", "num_batches_tracked")):
            assert not value.any()


def test_a_timm_model_without_a_preset():
    """The error lists the recipes."""
    result = invoke("explain", "timm:mobilenetv2_035")
    assert result.exit_code == 1
    assert "no built-in recipe is for 'timm:mobilenetv2_035'" in result.stderr


def test_unknown_names_of_timm(tmp_path):
    """The nearest names; nothing is written."""
    for name, text in (("resnet19", "Near: resnet18"), ("", "timm.list_models()"),
                       ("qqqqqqqqqqqqqq", "timm.list_models() has all")):  # fmt: skip
        out = tmp_path / "out"
        result = invoke("init", f"timm:{name}", "--recipe", "resnet", "--seed", 1, "--out", out)
        assert result.exit_code == 1
        assert text in result.stderr
        assert not out.exists()


# --- callables -----------------------------------------------------------------------------------

TORCH = """
import torch
from torch import nn
calls = []

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(30, 8)
        self.conv = nn.Conv1d(8, 8, 3, groups=2)
        self.norm = nn.BatchNorm1d(8)
        self.head = nn.Linear(8, 30, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("cache", torch.zeros(3), persistent=False)
        calls.append(self.embed.weight.device.type)

def build():
    return Net().to(torch.bfloat16)

def compiled():
    return torch.compile(Net())

def looks():
    net = nn.Sequential(nn.Linear(2, 2))
    calls.append([x.item() for x in torch.linspace(0, 1, 3)])
    return net

def parametrized():
    return nn.utils.parametrizations.weight_norm(nn.Linear(3, 2))

def empty():
    return nn.ReLU()

def complex_():
    return nn.Linear(2, 2, dtype=torch.complex64)

def hugging():
    import transformers
    return transformers.GPT2LMHeadModel(transformers.GPT2Config(n_embd=8, n_layer=1, n_head=2))

model = nn.Linear(3, 2)
"""

FLAX = """
import flax.linen as nn
import jax, jax.numpy as jnp
from flax import nnx
concrete = []

class Linen(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Conv(8, (3,), feature_group_count=2, name="conv")(x)
        x = nn.BatchNorm(use_running_average=True)(x)
        x = nn.MultiHeadDotProductAttention(4)(x)
        return nn.Dense(10)(nn.Embed(5, 8)(jnp.zeros((1,), int)) + x)

def linen():
    return Linen(), jnp.zeros((1, 5, 4))

def abstract():
    return Linen(), jax.ShapeDtypeStruct((1, 5, 4), jnp.float32)

def bare():
    return Linen()

def wrong():
    return Linen(), jnp.zeros((4,), int)

class Net(nnx.Module):
    def __init__(self, rngs):
        self.up = nnx.Linear(4, 8, rngs=rngs)
        self.norm = nnx.BatchNorm(8, rngs=rngs)
        self.drop = nnx.Dropout(0.5, rngs=rngs)
        self.blocks = nnx.List([nnx.LinearGeneral(8, (2, 4), rngs=rngs) for _ in range(2)])
        concrete.append(not isinstance(self.up.kernel[...], jax.core.Tracer))

def net():
    return Net(nnx.Rngs(0))

def tree():
    return jax.eval_shape(Linen().init, jax.random.key(0), jnp.zeros((1, 5, 4)))
"""

KERAS = """
import keras
import numpy as np
made = []
def build():
    made.append(keras.Sequential([
        keras.Input((8, 8, 4)), keras.layers.Conv2D(8, 3, groups=2, name="conv"),
        keras.layers.BatchNormalization(name="norm"), keras.layers.Flatten(),
        keras.layers.Dense(10, name="fc"),
    ]))
    return made[-1]
def looks():
    keras.Variable(np.ones(3))  # refused where variables get no values
    return build()
def unbuilt():
    return keras.Sequential([keras.layers.Dense(3)])
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Modules of the user's in the current folder."""
    names = {"user_torch": TORCH, "user_flax": FLAX, "user_keras": KERAS}
    for name, text in names.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in names:
        sys.modules.pop(name, None)


def test_a_torch_callable(here):
    """Built on the meta device; buffers that are stored come too, ties once; it loads."""
    import torch

    source = glorot.sources.read("user_torch:build")
    user = sys.modules["user_torch"]
    assert user.calls == ["meta"]
    state = user.build().state_dict()
    assert set(source.shapes) | set(source.aliases) == set(state)
    assert said(source) == described({key: state[key] for key in source.shapes})
    assert source.aliases == {"head.weight": "embed.weight"}
    conv = source.shapes["conv.weight"]
    assert (conv.type, conv.layout, conv.groups) == ("Conv1d", "torch.conv", 2)
    assert source.shapes["norm.running_var"].tags == ("buffer",)
    assert source.preset is None

    out = here / "out"
    result = invoke("init", "user_torch:build", "--recipe", "torch", "--seed", 2, "--out", out)
    assert result.exit_code == 0, result.stderr
    from safetensors.torch import load_file

    module = user.build()
    missing, unexpected = module.load_state_dict(load_file(out / "model.safetensors"), strict=False)
    assert (missing, unexpected) == (["head.weight"], [])
    wanted = user.build()
    glorot.torch.init_(wanted, "torch", seed=2)
    for key, value in wanted.state_dict().items():
        assert torch.equal(module.state_dict()[key], value), key


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, when it compiles
@pytest.mark.usefixtures("here")
def test_other_torch_callables():
    """Wrappers leave no trace in names; a module itself; one that needs values; transformers'."""
    plain = glorot.sources.read("user_torch:Net")
    assert glorot.sources.read("user_torch:compiled").shapes == plain.shapes
    assert set(glorot.sources.read("user_torch:model").shapes) == {"weight", "bias"}
    assert set(glorot.sources.read("user_torch:looks").shapes) == {"0.weight", "0.bias"}
    assert sys.modules["user_torch"].calls[-1] == [0.0, 0.5, 1.0]
    hugging = glorot.sources.read("user_torch:hugging")
    assert (hugging.kind, hugging.preset) == ("torch module", "gpt2")
    assert hugging.aliases == {"lm_head.weight": "transformer.wte.weight"}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("user_torch:parametrized", "'weight' is parametrized"),
        ("user_torch:empty", "has no parameters"),
        ("user_torch:complex_", "must have one of the dtypes"),
        ("user_torch:calls", "must be a callable that returns a model, got []"),
        ("user_torch:nn.Linear", "raised TypeError"),
        ("user_flax:bare", "Return (module, inputs, ...)"),
        ("user_flax:wrong", "Linen cannot be evaluated with these inputs"),
        ("user_keras:unbuilt", "layers without weights yet"),
    ],
)
def test_callables_that_are_refused(tmp_path, source, text):
    """One line each, exit code 1; nothing is written."""
    result = invoke("init", source, "--recipe", "torch", "--seed", 0, "--out", tmp_path / "out")
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("glorot: ")]
    assert text in line
    assert source in line
    assert not (tmp_path / "out").exists()


# --- flax ----------------------------------------------------------------------------------------


def test_linen(here):
    """Names and bits are those of `glorot.jax.init` of what the module's `init` returns."""
    import jax

    source = glorot.sources.read("user_flax:linen")
    assert glorot.sources.read("user_flax:abstract") == source
    user = sys.modules["user_flax"]
    tree = user.tree()
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    named = {jax.tree_util.keystr(p, simple=True, separator="."): v for p, v in leaves}
    assert said(source) == {k: (v.shape, str(v.dtype)) for k, v in named.items()}
    conv = source.shapes["params.conv.kernel"]
    assert (conv.type, conv.layout, conv.groups) == ("Conv", "flax.conv", 2)
    qkv = source.shapes["params.MultiHeadDotProductAttention_0.query.kernel"]
    assert (qkv.type, qkv.layout) == ("DenseGeneral", "IOO")
    assert source.shapes["params.MultiHeadDotProductAttention_0.out.kernel"].layout == "IIO"
    assert source.shapes["batch_stats.BatchNorm_0.var"].type == "BatchNorm"
    assert set(glorot.sources.read("user_flax:tree").shapes) == set(named)

    out = here / "out"
    result = invoke("init", "user_flax:linen", "--recipe", "flax", "--seed", 4, "--out", out)
    assert result.exit_code == 0, result.stderr
    stored = safetensors.numpy.load_file(out / "model.safetensors")
    assert set(stored) == set(named)
    assert bool((stored["batch_stats.BatchNorm_0.var"] == 1).all())
    dense = glorot.LecunNormal()((8, 10), seed=4, name="params.Dense_0.kernel")
    assert bool((stored["params.Dense_0.kernel"] == dense).all())


def test_nnx(here):
    """Evaluated abstractly; names are those of `glorot.jax`; generators are left out."""
    from flax import nnx

    source = glorot.sources.read("user_flax:net")
    user = sys.modules["user_flax"]
    assert "keras" in sys.modules or user.concrete == [False]
    model = user.net()
    assert glorot.sources.read(model).shapes == source.shapes
    state = nnx.state(model, (nnx.Param, nnx.BatchStat))
    assert set(source.shapes) == {".".join(map(str, path)) for path, _ in nnx.to_flat_state(state)}
    general = source.shapes["blocks.1.kernel"]
    assert (general.shape, general.type, general.layout) == ((8, 2, 4), "LinearGeneral", "IOO")
    assert source.notes == ("left out: 2 variables that are neither Param nor BatchStat",)
    recipe = glorot.recipe.load("flax")
    glorot.checkpoint.write(source.shapes, recipe, here / "out", seed=4)
    stored = safetensors.numpy.load_file(here / "out" / "model.safetensors")
    up = glorot.LecunNormal()((4, 8), seed=4, name="up.kernel")
    assert bool((stored["up.kernel"] == up).all())


def test_nnx_is_evaluated_without_memory(here):
    """In a process of its own: the module is only traced."""
    code = (
        "import glorot; glorot.sources.read('user_flax:net'); import user_flax;"
        "print(user_flax.concrete)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=here, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout == "[False]\n"


def test_flax_layers_say_what_the_preset_asks_for():
    """Each layer of nnx that the flax preset was measured with: the same type, equal fans."""
    from flax import nnx

    rngs = nnx.Rngs(0)

    class All(nnx.Module):
        def __init__(self):
            self.linear = nnx.Linear(60, 100, rngs=rngs)
            self.general = nnx.LinearGeneral(60, (4, 25), rngs=rngs)
            self.conv = nnx.Conv(12, 60, (3, 3), rngs=rngs)
            self.grouped = nnx.Conv(32, 64, (3, 3), feature_group_count=4, rngs=rngs)
            self.transposed = nnx.ConvTranspose(12, 60, (3, 3), rngs=rngs)
            self.embed = nnx.Embed(100, 50, rngs=rngs)
            self.lstm = nnx.LSTMCell(70, 60, rngs=rngs)
            self.fused = nnx.OptimizedLSTMCell(30, 40, rngs=rngs)
            self.gru = nnx.GRUCell(30, 40, rngs=rngs)
            self.attention = nnx.MultiHeadAttention(4, 60, 64, decode=False, rngs=rngs)
            self.layer_norm = nnx.LayerNorm(8, rngs=rngs)
            self.batch_norm = nnx.BatchNorm(8, rngs=rngs)

    source = glorot.sources.read(All())
    recipe = glorot.recipe.load("flax")
    own = {a.name: (a.law, a.fans) for a in recipe.resolve(source.shapes)}
    known = {name: spec for name, (spec, _) in LAYERS["nnx"](0).items()}
    wanted = {a.name: (a.law, a.fans) for a in recipe.resolve(known)}
    assert len(own) > 30
    for name, found in own.items():
        if known[name].type != "Embed":  # whose layout the preset says itself
            assert source.shapes[name].type == known[name].type, name
        assert found[0] == wanted[name][0], name


@pytest.mark.parametrize("cell", ["SimpleCell", "MGUCell", "GRUCell", "LSTMCell"])
def test_a_cell_of_linen_is_what_its_preset_says(cell):
    """What flax itself draws, of subclasses too: of two cells the names alone do not say it."""
    import flax.linen as nn
    import jax

    own = type("Own", (getattr(nn, cell),), {})
    module, x = nn.RNN(own(16)), np.ones((2, 5, 8), np.float32)
    specs = glorot.sources.read((module, x)).shapes
    assert {spec.tags for spec in specs.values()} == {(cell,)}
    report = glorot.audit(module.init(jax.random.key(3), x), "flax", specs=specs)
    assert report.ok, report


def test_lora_of_nnx_is_what_its_preset_says():
    """The layer beside another, and the adapter alone: as flax draws them."""
    from flax import nnx

    class Adapted(nnx.Module):
        def __init__(self, rngs):
            self.inside = nnx.LoRALinear(64, 48, lora_rank=16, rngs=rngs)
            self.alone = nnx.LoRA(64, 16, 48, rngs=rngs)

    model = Adapted(nnx.Rngs(0))
    report = glorot.audit(model, "flax")
    assert report.ok, report
    found = {
        a.name: a.law for a in glorot.recipe.load("flax").resolve(glorot.sources.read(model).shapes)
    }
    assert (
        found["inside.lora.lora_a"]
        == found["alone.lora_a"]
        == f"U(-{(6 / 64) ** 0.5:.4g}, {(6 / 64) ** 0.5:.4g})"
    )
    assert found["inside.lora.lora_b"] == found["alone.lora_b"] == "Zeros"


# --- Keras ---------------------------------------------------------------------------------------


def test_keras(here):
    """Names, axes and bits are those of `glorot.keras`."""
    source = glorot.sources.read("user_keras:build")
    user = sys.modules["user_keras"]
    assert [weight._value for weight in user.made[0].weights] == [None] * 8
    assert glorot.sources.read("user_keras:looks") == source
    with pytest.raises(ValueError, match=r"'conv\.kernel' of `model` has no value yet"):
        glorot.keras.init(user.made[0], "keras", seed=4)
    model = user.build()
    assert all(weight._value is not None for weight in model.weights)
    assert source.shapes == glorot.keras.shapes(model)
    assert source.shapes["conv.kernel"].groups == 2
    assert source.notes == ("left out: 2 variables that no layer trains",)
    result = invoke("init", "user_keras:build", "--recipe", "keras", "--seed", 4, "--out", "out")
    assert result.exit_code == 0, result.stderr
    stored = safetensors.numpy.load_file(here / "out" / "model.safetensors")
    glorot.keras.init(model, "keras", seed=4)
    fc = model.get_layer("fc").kernel
    assert bool((stored["fc.kernel"] == np.asarray(fc.value)).all())


# --- torch.distributed.checkpoint ----------------------------------------------------------------


def test_gates_of_keras_are_those_of_init():
    """What a source says of an LSTM and a GRU gives the values of glorot.keras.init: the kernels'
    gates are blocks unless the rule says otherwise."""
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((5, 8)), layers.LSTM(6, return_sequences=True), layers.GRU(6)]
    )
    rules = [glorot.Rule("*bias", "zeros"), glorot.Rule("*recurrent*", "orthogonal")]
    recipe = glorot.Recipe([*rules, glorot.Rule("*", "he_uniform")])
    report = glorot.keras.init(model, recipe, seed=4)
    found = {a.name: a.initializer for a in recipe.resolve(glorot.sources.read(model).shapes)}
    assert found == {p.name: p.initializer for p in report.parameters}
    assert {len(found[name].initializers) for name in found if name.endswith("kernel")} == {3, 4}


def test_dcp(tmp_path):
    """What torch's own reader says; after a training step, of the model alone."""
    import torch
    import torch.distributed.checkpoint as dcp

    model = torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.BatchNorm1d(4))
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.zeros(2, 6)).sum().backward()
    optimizer.step()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, of a single process
        dcp.save(model.state_dict(), checkpoint_id=tmp_path / "plain")
        both = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 2}
        dcp.save(both, checkpoint_id=tmp_path / "both")
    read = dcp.FileSystemReader(tmp_path / "plain").read_metadata().state_dict_metadata
    source = glorot.sources.read(tmp_path / "plain")
    assert said(source) == {
        key: (tuple(entry.size), str(entry.properties.dtype).removeprefix("torch."))
        for key, entry in read.items()
    }
    assert source.notes == ()
    both = glorot.sources.read(tmp_path / "both")
    assert both.shapes == source.shapes
    assert both.notes[0] == "left out: 12 tensors of the optimizer 'optimizer'"
    (tmp_path / "ones.json").write_text(glorot.Recipe([glorot.Rule("*", "ones")]).to_json())
    recipe, out = tmp_path / "ones.json", tmp_path / "out"
    result = invoke("init", tmp_path / "both", "--recipe", recipe, "--seed", 0, "--out", out)
    assert (result.exit_code, result.stderr.count("left out")) == (0, 2)
    stored = safetensors.numpy.load_file(out / "model.safetensors")
    assert set(stored) == set(model.state_dict())


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float64", "float8_e5m2", "int8", "bool"])
def test_dcp_dtypes(tmp_path, name):
    """Each dtype that torch and glorot have."""
    import torch
    import torch.distributed.checkpoint as dcp

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        state = {"w": torch.zeros(2, 3).to(getattr(torch, name))}
        dcp.save(state, checkpoint_id=tmp_path / "ck")
    assert said(glorot.sources.read(tmp_path / "ck")) == {"w": ((2, 3), name)}


# --- the page ------------------------------------------------------------------------------------


def test_page_examples_run(monkeypatch):
    """Every example in docs/sources.md prints what it shows."""
    import doctest

    monkeypatch.chdir(ROOT)
    page = ROOT / "docs" / "sources.md"
    result = doctest.testfile(str(page), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert result.attempted > 5
    assert result.failed == 0
