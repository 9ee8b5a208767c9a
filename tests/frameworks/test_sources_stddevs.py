# SPDX-License-Identifier: Apache-2.0
"""What a config says of its preset: parts of a model, stddevs, rows of padding tokens."""

import pytest
from source_cases import CONFIGS, LLAMA, built, config_of

import glorot

pytestmark = pytest.mark.frameworks

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
