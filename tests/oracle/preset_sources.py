# SPDX-License-Identifier: Apache-2.0
"""Small models by the frameworks' and libraries' own code, one for each preset and source.

`SOURCES` names them; `build` gives what that code draws for a seed: {name: (spec, values)}.
"""

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from glorot.recipe import TensorSpec

runpy.run_path(str(Path(__file__).parents[1] / "frameworks" / "cpu_torchvision.py"))

SOURCES: dict[str, "Source"] = {}


class Source(NamedTuple):
    """A small model: the preset for it, the variables to set, what it is, how it is made, and the
    class of its config where transformers has it."""

    preset: str
    what: str
    variables: dict[str, Any]
    make: Callable[[], Any]
    config: str = ""

    def build(self, seed: int) -> dict[str, tuple[TensorSpec, Any]]:
        """Return what the source's own code draws: names to (spec, NumPy array)."""
        return self.make(seed)


def source(name, preset, what, **variables):
    """Add a function of a seed to the sources."""

    def add(make):
        SOURCES[name] = Source(preset, what, variables, make)
        return make

    return add


def torch_model(module):
    """The parameters of a torch module, tied ones once, by names and shapes alone; of a
    parametrized one what is computed, under the name that it has in the module."""
    found = {}
    for name, parameter in module.named_parameters():
        owner, parametrized, source = name.partition(".parametrizations.")
        key, value = name, parameter
        if parametrized:
            attribute = source.partition(".")[0]
            key, value = f"{owner}.{attribute}", getattr(module.get_submodule(owner), attribute)
        found[key] = TensorSpec(tuple(value.shape)), value.detach().numpy()
    return found


def transformers_model(name, preset, model, config, *, variables=None, what="", **options):
    """Add a model of transformers: names of its class and of its config's, and the options."""

    def make(seed):
        import torch
        import transformers

        torch.manual_seed(seed)
        return torch_model(getattr(transformers, model)(getattr(transformers, config)(**options)))

    about = f"transformers 5.23.0, `{model}`{what and ', '}{what}"
    SOURCES[name] = Source(preset, about, variables or {}, make, config)


_LLAMA = {
    "vocab_size": 500, "hidden_size": 96, "intermediate_size": 160, "num_hidden_layers": 2,
    "num_attention_heads": 6, "num_key_value_heads": 2,
}  # fmt: skip
_MOE = {"moe_intermediate_size": 48, "num_experts_per_tok": 2}
_BERT = {
    "vocab_size": 500, "hidden_size": 96, "intermediate_size": 160, "num_hidden_layers": 2,
    "num_attention_heads": 4, "max_position_embeddings": 60,
}  # fmt: skip
_T5 = {"vocab_size": 500, "d_model": 96, "d_kv": 16, "d_ff": 160, "num_layers": 2, "num_heads": 5}
_TEXT = {
    "vocab_size": 500, "hidden_size": 96, "intermediate_size": 160, "num_hidden_layers": 3,
    "num_attention_heads": 4, "projection_dim": 64, "max_position_embeddings": 40,
}  # fmt: skip
_VISION = {
    "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
    "image_size": 32, "patch_size": 8,
}  # fmt: skip

transformers_model(
    "gpt2", "gpt2", "GPT2LMHeadModel", "GPT2Config",
    n_layer=3, n_embd=96, n_head=4, vocab_size=500, n_positions=60,
)  # fmt: skip
transformers_model(
    "gpt-bigcode", "gpt2", "GPTBigCodeForCausalLM", "GPTBigCodeConfig",
    n_layer=3, n_embd=96, n_head=4, vocab_size=500, n_positions=60,
)  # fmt: skip


@source("gpt2-unscaled", "gpt2-unscaled", "transformers 5.23.0, `GPT2LMHeadModel`, no last step")
def _gpt2_unscaled(seed):
    """As in the releases where the depth scaling found no module to apply to."""
    from unittest import mock

    from transformers.models.gpt2 import modeling_gpt2

    nobody = type("Nobody", (), {})
    init_weights = modeling_gpt2.GPT2PreTrainedModel._init_weights

    def without_scaling(self, module):
        with mock.patch.multiple(modeling_gpt2, GPT2Attention=nobody, GPT2MLP=nobody):
            init_weights(self, module)

    with mock.patch.object(modeling_gpt2.GPT2PreTrainedModel, "_init_weights", without_scaling):
        return SOURCES["gpt2"].build(seed)


transformers_model(
    "gpt-neox", "gpt-neox", "GPTNeoXForCausalLM", "GPTNeoXConfig",
    vocab_size=500, hidden_size=96, intermediate_size=160, num_hidden_layers=2,
    num_attention_heads=4,
)  # fmt: skip
transformers_model("llama", "llama", "LlamaForCausalLM", "LlamaConfig", **_LLAMA)
for _name in (
    "Mistral", "Olmo2", "Granite", "Helium", "Cohere", "Cohere2", "Exaone4", "SeedOss", "Arcee",
    "Ernie4_5", "Ministral3",
):  # fmt: skip
    transformers_model(_name.lower(), "llama", f"{_name}ForCausalLM", f"{_name}Config", **_LLAMA)
for _name in ("Olmo3", "Glm", "Glm4", "SmolLM3"):  # whose own token is past 500
    transformers_model(
        _name.lower(), "llama", f"{_name}ForCausalLM", f"{_name}Config", pad_token_id=None, **_LLAMA
    )
for _name in ("Ministral", "HunYuanDenseV1"):
    transformers_model(
        _name.lower(), "llama", f"{_name}ForCausalLM", f"{_name}Config", head_dim=16, **_LLAMA
    )
transformers_model("phi3", "llama", "Phi3ForCausalLM", "Phi3Config", pad_token_id=None, **_LLAMA)
transformers_model(
    "mixtral", "mixtral", "MixtralForCausalLM", "MixtralConfig", num_local_experts=4, **_LLAMA
)
for _name in ("Olmoe", "FlexOlmo"):
    transformers_model(
        _name.lower(), "mixtral", f"{_name}ForCausalLM", f"{_name}Config",
        num_experts=4, num_experts_per_tok=2, pad_token_id=None, **_LLAMA,
    )  # fmt: skip
transformers_model(
    "gpt-oss", "gpt-oss", "GptOssForCausalLM", "GptOssConfig",
    num_local_experts=4, num_experts_per_tok=2, head_dim=24, **_LLAMA,
)  # fmt: skip
_LATENT = {
    "q_lora_rank": 32, "kv_lora_rank": 32, "qk_rope_head_dim": 16, "qk_nope_head_dim": 16,
    "v_head_dim": 16, "n_group": 1, "topk_group": 1,
}  # fmt: skip
_SHARED = {"n_routed_experts": 4, "n_shared_experts": 1, "first_k_dense_replace": 1, **_MOE}
transformers_model(
    "deepseek-v2", "deepseek", "DeepseekV2ForCausalLM", "DeepseekV2Config",
    **_LATENT, **_SHARED, **_LLAMA,
)  # fmt: skip
transformers_model(
    "deepseek-v3", "deepseek", "DeepseekV3ForCausalLM", "DeepseekV3Config",
    what="queries without latents", initializer_range=0.006,
    variables={"initializer_range": 0.006}, **{**_LATENT, "q_lora_rank": None}, **_SHARED, **_LLAMA,
)  # fmt: skip
transformers_model(
    "glm4-moe", "deepseek", "Glm4MoeForCausalLM", "Glm4MoeConfig",
    use_qk_norm=True, attention_bias=True, **_SHARED, **_LLAMA,
)  # fmt: skip
for _name in ("Roberta", "XLMRoberta", "XLMRobertaXL", "Camembert", "Longformer"):
    transformers_model(  # a head that ties nothing: its names are those that are stored
        _name.lower(), "roberta", f"{_name}ForSequenceClassification", f"{_name}Config",
        **({"attention_window": 8} if _name == "Longformer" else {}), **_BERT,
    )  # fmt: skip
_BART = {
    "vocab_size": 500, "d_model": 96, "encoder_layers": 2, "decoder_layers": 2,
    "encoder_attention_heads": 4, "decoder_attention_heads": 4, "encoder_ffn_dim": 160,
    "decoder_ffn_dim": 160, "max_position_embeddings": 60,
}  # fmt: skip
for _name in ("Bart", "MBart", "Blenderbot", "BlenderbotSmall"):
    transformers_model(
        _name.lower(), "bart", f"{_name}ForConditionalGeneration", f"{_name}Config",
        variables={"pad_token_id": 0} if _name.startswith("Blender") else {}, **_BART,
    )  # fmt: skip
transformers_model(
    "opt", "bart", "OPTForCausalLM", "OPTConfig", init_std=0.006,
    variables={"init_std": 0.006}, word_embed_proj_dim=64, ffn_dim=160,
    **{key: value for key, value in _LLAMA.items() if key != "intermediate_size"},
)  # fmt: skip
# What has the laws of transformers' base class alone, under names of its own.
_GPT = {"vocab_size": 500, "n_layer": 2, "n_embd": 96, "n_head": 4, "n_positions": 60}
_PLAIN = {
    "Phi": _LLAMA, "Olmo": {"pad_token_id": None, **_LLAMA}, "Starcoder2": _LLAMA,
    "StableLm": _LLAMA, "Nemotron": _LLAMA, "Persimmon": _LLAMA, "Falcon": _LLAMA,
    "EuroBert": {"pad_token_id": None, **_LLAMA},
    "Bloom": {"vocab_size": 500, "hidden_size": 96, "n_layer": 2, "n_head": 4},
    "Mpt": {"vocab_size": 500, "d_model": 96, "n_layers": 2, "n_heads": 4},
    "GPTJ": {"rotary_dim": 8, **_GPT}, "CodeGen": {"rotary_dim": 8, **_GPT},
    "GPTNeo": {
        "vocab_size": 500, "hidden_size": 96, "num_layers": 2, "num_heads": 4,
        "attention_types": [[["global", "local"], 1]], "max_position_embeddings": 60,
    },
    "DistilBert": {"vocab_size": 500, "dim": 96, "hidden_dim": 160, "n_layers": 2, "n_heads": 4},
    "Albert": {"embedding_size": 48, **_BERT}, "Electra": {"embedding_size": 48, **_BERT},
    "DebertaV2": {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], **_BERT},
    "NomicBert": _BERT, "Gte": _BERT, "BigBird": _BERT, "MegatronBert": _BERT,
    "RemBert": {"input_embedding_size": 48, "output_embedding_size": 64, **_BERT},
    "ConvBert": {"embedding_size": 96, **_BERT},
}  # fmt: skip
_PADDED = {"padding_rows": 1, "pad_token_id": 0}
_PLAIN_VARIABLES = {
    "Starcoder2": {"initializer_range": 0.018042}, "Nemotron": {"initializer_range": 0.0134},
    "Gte": {**_PADDED, "pad_token_id": 1}, "ConvBert": {**_PADDED, "pad_token_id": 1},
    "DistilBert": _PADDED, "Albert": _PADDED, "Electra": _PADDED, "DebertaV2": _PADDED,
    "NomicBert": _PADDED, "BigBird": _PADDED, "RemBert": _PADDED, "MegatronBert": _PADDED,
}  # fmt: skip
_MASKED = {
    "EuroBert", "DistilBert", "Albert", "Electra", "DebertaV2", "NomicBert", "Gte", "BigBird",
    "ConvBert", "RemBert", "MegatronBert",
}  # fmt: skip
for _name, _options in _PLAIN.items():
    _head = "MaskedLM" if _name in _MASKED else "CausalLM"
    transformers_model(
        _name.lower(), "transformers", f"{_name}For{_head}", f"{_name}Config",
        variables=_PLAIN_VARIABLES.get(_name), **_options,
    )  # fmt: skip
transformers_model("qwen2", "qwen", "Qwen2ForCausalLM", "Qwen2Config", **_LLAMA)
transformers_model("qwen3", "qwen", "Qwen3ForCausalLM", "Qwen3Config", head_dim=24, **_LLAMA)
transformers_model(
    "qwen2-moe", "qwen", "Qwen2MoeForCausalLM", "Qwen2MoeConfig",
    num_experts=4, shared_expert_intermediate_size=64, **_MOE, **_LLAMA,
)  # fmt: skip
transformers_model(
    "qwen3-moe", "qwen", "Qwen3MoeForCausalLM", "Qwen3MoeConfig", num_experts=4, **_MOE, **_LLAMA
)
transformers_model("gemma", "gemma", "GemmaForCausalLM", "GemmaConfig", head_dim=24, **_LLAMA)
transformers_model("gemma2", "gemma", "Gemma2ForCausalLM", "Gemma2Config", head_dim=24, **_LLAMA)
transformers_model(
    "gemma3", "gemma", "Gemma3ForCausalLM", "Gemma3TextConfig", head_dim=24, **_LLAMA
)
transformers_model("bert", "bert", "BertForPreTraining", "BertConfig", **_BERT)
transformers_model("t5", "t5", "T5ForConditionalGeneration", "T5Config", **_T5)
transformers_model(
    "t5-v1.1", "t5", "T5ForConditionalGeneration", "T5Config", what="v1.1",
    tie_word_embeddings=False, feed_forward_proj="gated-gelu", **_T5,
)  # fmt: skip
for _name in ("MT5", "UMT5"):
    transformers_model(
        _name.lower(), "t5", f"{_name}ForConditionalGeneration", f"{_name}Config", **_T5
    )
transformers_model(
    "clip", "clip", "CLIPModel", "CLIPConfig",
    text_config=_TEXT, vision_config=_VISION, projection_dim=48,
)  # fmt: skip
transformers_model("vit", "vit", "ViTForImageClassification", "ViTConfig", **_VISION)
transformers_model(
    "convnext", "convnext", "ConvNextForImageClassification", "ConvNextConfig",
    hidden_sizes=[32, 64, 64, 64], depths=[1, 2, 1, 1],
)  # fmt: skip
transformers_model(
    "resnet-transformers", "resnet-transformers", "ResNetForImageClassification", "ResNetConfig",
    embedding_size=32, hidden_sizes=[32, 64, 96, 64], depths=[1, 2, 1, 1],
)  # fmt: skip

# Heads of other tasks, each with more labels than are asked for, so that statistics see the law.
_LABELS = {"num_labels": 40}
for _preset, _name, _heads, _options in (
    ("llama", "Llama", "sequence tokens answers", _LLAMA),
    ("mixtral", "Mixtral", "tokens answers", {"num_local_experts": 4, **_LLAMA}),
    ("qwen", "Qwen2", "tokens answers", _LLAMA),
    ("gemma", "Gemma2", "tokens", {"head_dim": 24, **_LLAMA}),
    (
        "gpt-neox", "GPTNeoX", "sequence tokens answers",
        {key: value for key, value in _LLAMA.items() if key != "num_key_value_heads"},
    ),
    ("t5", "T5", "sequence tokens answers", _T5),
):  # fmt: skip
    for _head in _heads.split():
        _task = {"sequence": "SequenceClassification", "tokens": "TokenClassification"}
        _model = f"{_name}For{_task.get(_head, 'QuestionAnswering')}"
        transformers_model(
            f"{_name.lower()}-{_head}", _preset, _model, f"{_name}Config", **_LABELS, **_options
        )
transformers_model(
    "clip-images", "clip", "CLIPForImageClassification", "CLIPConfig",
    text_config=_TEXT, vision_config=_VISION, projection_dim=48, **_LABELS,
)  # fmt: skip
transformers_model(
    "vit-masked", "vit", "ViTForMaskedImageModeling", "ViTConfig", encoder_stride=8, **_VISION
)

for _file in (
    "vision_sources.py",
    "sequence_sources.py",
    "hybrid_sources.py",
    "audio_sources.py",
    "multimodal_sources.py",
):
    _models = runpy.run_path(str(Path(__file__).with_name(_file)))["MODELS"]
    for _name, (_preset, _model, _config, _options, _variables) in _models.items():
        transformers_model(_name, _preset, _model, _config, variables=_variables, **_options)

_MAMBA = {"vocab_size": 300, "hidden_size": 64, "num_hidden_layers": 3, "expand": 8}
transformers_model("mamba", "mamba", "MambaForCausalLM", "MambaConfig", **_MAMBA)
transformers_model("falcon-mamba", "mamba", "FalconMambaForCausalLM", "FalconMambaConfig", **_MAMBA)
transformers_model(
    "mamba-rescaled", "mamba", "MambaForCausalLM", "MambaConfig",
    variables={"residual_gain": "1 / sqrt(num_hidden_layers)"}, rescale_prenorm_residual=True,
    what="rescale_prenorm_residual", **_MAMBA,
)  # fmt: skip


def timm_model(name, preset, model, *, variables=None, **options):
    """Add a model of timm by its name there, made small by the options."""

    def make(seed):
        import timm
        import torch

        torch.manual_seed(seed)
        return torch_model(timm.create_model(model, num_classes=40, **options))

    SOURCES[name] = Source(preset, f"timm 1.0.31, `{model}`", variables or {}, make)


_TINY_VIT = {"embed_dim": 64, "depth": 2, "num_heads": 4, "img_size": 32, "patch_size": 8}
_VIT = "vit_tiny_patch16_224"
timm_model("vit-timm", "vit-timm", _VIT, init_values=1e-5, reg_tokens=4, **_TINY_VIT)
timm_model("vit-jax", "vit-jax", _VIT, weight_init="jax", **_TINY_VIT)
timm_model(
    "vit-jax-nlhb", "vit-jax", _VIT, weight_init="jax_nlhb",
    variables={"head_bias": -3.6888794541139363}, **_TINY_VIT,
)  # fmt: skip
timm_model("vit-moco", "vit-moco", _VIT, weight_init="moco", **_TINY_VIT)
timm_model("convnext-timm", "convnext", "convnext_atto", depths=[1, 2, 1, 1], dims=[32, 64, 64, 64])
timm_model("resnet-timm", "resnet", "resnet50", layers=[1, 2, 1, 1], channels=[16, 16, 32, 32])
timm_model(
    "resnet-basic-timm", "resnet-basic", "resnet18", layers=[1, 2, 1, 1], channels=[32, 32, 64, 64]
)
timm_model(
    "resnet-timm-plain", "resnet", "resnet50", variables={"last_gamma": 1}, zero_init_last=False,
    layers=[1, 1, 1, 1], channels=[16, 16, 32, 32],
)  # fmt: skip


def dit(name, preset, what, **options):
    """Add a DiT; long skips, which later models have, only where the options ask for them."""

    def make(seed):
        import torch
        from rectified_flow.models.dit import DiT, DiTConfig

        torch.manual_seed(seed)
        sizes = {"input_size": 16, "in_channels": 4, "out_channels": 8, "hidden_size": 96,
                 "depth": 3, "num_heads": 4, "num_classes": 40, "use_long_skip": False}  # fmt: skip
        model = DiT(DiTConfig(**sizes | options))
        if options:
            return torch_model(model)
        # The code that this is a copy of has all blocks in one list.
        return {_dit_name(key, 3): value for key, value in torch_model(model).items()}

    SOURCES[name] = Source(preset, f"rectified-flow 1.0.1, {what}", {}, make)


def _dit_name(name, depth):
    where, _, rest = name.partition(".")
    if where == "mid_block":
        return f"blocks.{depth // 2}.{rest}"
    first = {"in_blocks": 0, "out_blocks": depth // 2 + 1}.get(where)
    if first is None:
        return name
    number, _, rest = rest.partition(".")
    return f"blocks.{first + int(number)}.{rest}"


dit("dit", "dit", "`DiT`, blocks as in facebookresearch/DiT")
dit("dit-skips", "dit", "`DiT` with long skips, without classes", use_long_skip=True, num_classes=0)

_LAYERS = runpy.run_path(str(Path(__file__).with_name("framework_sources.py")))
_FRAMEWORKS = {
    "torch": ("torch", "torch 2.13.0, `torch.nn`"),
    "keras": ("keras", "keras 3.15.1, `keras.layers`"),
    "linen": ("flax", "flax 0.12.8, `flax.linen`"),
    "nnx": ("flax", "flax 0.12.8, `flax.nnx`"),
    "haiku": ("haiku", "dm-haiku 0.0.17"),
    "equinox": ("equinox", "equinox 0.13.8, `equinox.nn`"),
    "get_variable": ("tensorflow-v1", "tensorflow 2.21.0, `tf.compat.v1.get_variable`"),
}
for _name, (_preset, _what) in _FRAMEWORKS.items():
    SOURCES[_name] = Source(_preset, _what, {}, _LAYERS[_name])
