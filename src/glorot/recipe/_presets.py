# SPDX-License-Identifier: Apache-2.0
"""The built-in recipes: their names, what they are for, and which model types have which.

Each is a file in presets/, whose first lines say what it follows and what it offers instead.
"""

import re
from importlib import resources
from typing import Any, NamedTuple

from glorot import _check
from glorot.recipe._recipe import Recipe

SUFFIXES = (".json", ".toml")


class Preset(NamedTuple):
    """A built-in recipe: its name, which models it is for, the recipe, and its file's text."""

    name: str
    models: str
    recipe: Recipe
    text: str


# Which models a preset is for.
MODELS = {
    "gpt2": "GPT-2, GPTBigCode, with the paper's depth scaling",
    "gpt2-unscaled": "GPT-2, without it",
    "gpt-neox": "GPT-NeoX, Pythia",
    "llama": "Llama, Mistral, Phi-3, OLMo 2 and 3, GLM, Granite and others of these names",
    "transformers": "Phi, OLMo, BLOOM, Falcon, DistilBERT and others with no laws of their own",
    "mixtral": "Mixtral, OLMoE, Phi-3.5-MoE, Granite with experts",
    "gpt-oss": "GPT-OSS",
    "deepseek": "DeepSeek-V2 and V3, GLM-4.5",
    "qwen": "Qwen 2, 2.5 and 3, with and without experts",
    "qwen3-next": "Qwen3-Next, Qwen 3.5 (text), with and without experts",
    "gemma": "Gemma 1, 2 and 3 (text)",
    "qwen-vl": "Qwen2-VL, Qwen2.5-VL",
    "qwen3-next-vl": "Qwen 3.5 with images, with and without experts",
    "gemma3": "Gemma 3 with images",
    "llava": "LLaVA of CLIP and Llama, Mistral or Qwen 2",
    "bert": "BERT",
    "modernbert": "ModernBERT",
    "roberta": "RoBERTa, XLM-R, CamemBERT, Longformer",
    "roformer": "RoFormer",
    "bart": "BART, mBART, OPT, Blenderbot",
    "pegasus": "Pegasus, Marian",
    "fsmt": "FSMT",
    "xlm": "XLM, FlauBERT",
    "time-series": "Time series Transformer, Informer, Autoformer",
    "whisper": "Whisper",
    "wav2vec2": "Wav2Vec 2.0, with conformers too",
    "wavlm": "WavLM, UniSpeech, UniSpeech-SAT, Data2Vec (audio), Wav2Vec2-BERT",
    "hubert": "HuBERT, SEW, SEW-D",
    "t5": "T5, T5 v1.1, FLAN-T5, mT5, UMT5",
    "clip": "CLIP",
    "mamba": "Mamba, Falcon Mamba",
    "mamba2": "Mamba 2",
    "jamba": "Jamba",
    "bamba": "Bamba, Falcon H1, Granite 4 (hybrids)",
    "nemotron-h": "Nemotron-H, Nemotron 3",
    "zamba": "Zamba, Zamba 2",
    "olmo-hybrid": "OLMo Hybrid",
    "kimi-linear": "Kimi Linear, Ling 3",
    "vit": "ViT (transformers)",
    "deit": "DeiT, BEiT, Data2Vec (images), Swin and Swin v2",
    "dinov2": "DINOv2, with and without registers",
    "dinov3": "DINOv3 (ViT)",
    "siglip": "SigLIP, SigLIP 2",
    "vit-timm": "ViT (timm's default)",
    "vit-jax": "ViT as in the paper's JAX code (timm's names)",
    "vit-moco": "ViT as in MoCo v3 (timm's names)",
    "convnext": "ConvNeXt (transformers, timm)",
    "dit": "DiT with adaLN-Zero",
    "resnet": "ResNet-50, 101, 152 (timm, torchvision)",
    "resnet-basic": "ResNet-18, 34 (timm, torchvision)",
    "resnet-transformers": "ResNet (transformers)",
    "torch": "the defaults of torch.nn",
    "keras": "the defaults of Keras 3",
    "flax": "the defaults of flax.linen and flax.nnx",
    "haiku": "the defaults of Haiku",
    "equinox": "the defaults of equinox.nn",
    "tensorflow-v1": "the defaults of tf.compat.v1.get_variable",
}

# `model_type` of a Hugging Face config -> preset.
MODEL_TYPES = {
    **dict.fromkeys(("gpt2", "gpt_bigcode"), "gpt2"),
    "gpt_neox": "gpt-neox",
    **dict.fromkeys(
        (
            *("llama", "mistral", "phi3", "olmo2", "granite", "helium", "cohere", "cohere2"),
            *("exaone4", "seed_oss", "arcee", "ernie4_5", "olmo3", "glm", "glm4", "smollm3"),
            *("ministral", "ministral3", "hunyuan_v1_dense"),
        ),
        "llama",
    ),
    **dict.fromkeys(
        (
            *("phi", "olmo", "starcoder2", "stablelm", "bloom", "falcon", "mpt", "gptj", "codegen"),
            *("gpt_neo", "nemotron", "persimmon", "distilbert", "albert", "electra"),
            *("deberta-v2", "nomic_bert", "eurobert", "gte", "big_bird", "convbert", "rembert"),
            "megatron-bert",
        ),
        "transformers",
    ),
    **dict.fromkeys(("mixtral", "olmoe", "flex_olmo", "phimoe", "granitemoe"), "mixtral"),
    "gpt_oss": "gpt-oss",
    **dict.fromkeys(("deepseek_v2", "deepseek_v3", "glm4_moe"), "deepseek"),
    **dict.fromkeys(("qwen2", "qwen3", "qwen2_moe", "qwen3_moe"), "qwen"),
    **dict.fromkeys(("qwen3_next", "qwen3_5_text", "qwen3_5_moe_text"), "qwen3-next"),
    **dict.fromkeys(("gemma", "gemma2", "gemma3_text"), "gemma"),
    **dict.fromkeys(("qwen2_vl", "qwen2_5_vl"), "qwen-vl"),
    **dict.fromkeys(("qwen3_5", "qwen3_5_moe"), "qwen3-next-vl"),
    "gemma3": "gemma3",
    "llava": "llava",
    "bert": "bert",
    "modernbert": "modernbert",
    **dict.fromkeys(
        ("roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "longformer"), "roberta"
    ),
    **dict.fromkeys(("bart", "mbart", "opt", "blenderbot", "blenderbot-small"), "bart"),
    "roformer": "roformer",
    **dict.fromkeys(("pegasus", "marian"), "pegasus"),
    "fsmt": "fsmt",
    **dict.fromkeys(("xlm", "flaubert"), "xlm"),
    **dict.fromkeys(("time_series_transformer", "informer", "autoformer"), "time-series"),
    "whisper": "whisper",
    **dict.fromkeys(("wav2vec2", "wav2vec2-conformer"), "wav2vec2"),
    **dict.fromkeys(
        ("wavlm", "unispeech", "unispeech-sat", "data2vec-audio", "wav2vec2-bert"), "wavlm"
    ),
    **dict.fromkeys(("hubert", "sew", "sew-d"), "hubert"),
    **dict.fromkeys(("t5", "mt5", "umt5"), "t5"),
    "clip": "clip",
    **dict.fromkeys(("mamba", "falcon_mamba"), "mamba"),
    "mamba2": "mamba2",
    "jamba": "jamba",
    **dict.fromkeys(("bamba", "falcon_h1", "granitemoehybrid"), "bamba"),
    "nemotron_h": "nemotron-h",
    **dict.fromkeys(("zamba", "zamba2"), "zamba"),
    "olmo_hybrid": "olmo-hybrid",
    **dict.fromkeys(("kimi_linear", "bailing_hybrid"), "kimi-linear"),
    "vit": "vit",
    **dict.fromkeys(("deit", "beit", "data2vec-vision", "swin", "swinv2"), "deit"),
    **dict.fromkeys(("dinov2", "dinov2_with_registers"), "dinov2"),
    "dinov3_vit": "dinov3",
    **dict.fromkeys(("siglip", "siglip2"), "siglip"),
    "convnext": "convnext",
    "resnet": "resnet-transformers",
}

# Names of timm's models, without the tag after the dot -> preset.
TIMM = (
    (r"vit_(tiny|small|base|large|huge|giant|gigantic)_patch\d+_\d+", "vit-timm"),
    (r"convnext_(atto|femto|pico|nano|tiny|small|base|large|xlarge|xxlarge)", "convnext"),
    (r"resnet(18|34)", "resnet-basic"),
    (r"resnet(50|101|152)", "resnet"),
)


def presets() -> tuple[str, ...]:
    """Return the names of the built-in recipes.

    Examples:
        >>> import glorot
        >>> glorot.recipe.presets()[:3]
        ('bamba', 'bart', 'bert')
    """
    return tuple(sorted(_files()))


def preset(name: str, /, **variables: float | str) -> Recipe:
    """Return a built-in recipe, with some of its variables set to numbers or formulas.

    Args:
        name: one of `presets()`.
        variables: as for `Recipe.set`; the recipe's `variables` are those that there are.

    Raises:
        ValueError: no built-in recipe of that name, no variable of that name.

    Examples:
        >>> import glorot
        >>> deep = glorot.recipe.preset("llama", residual_gain="1 / sqrt(2 * num_hidden_layers)")
        >>> float(deep.variables["initializer_range"].value)
        0.02
    """
    return describe(name).recipe.set(**variables)


def preset_for(model: str) -> str | None:
    """Return the name of the preset for a type of model, or None where there is none.

    Args:
        model: the `model_type` of a Hugging Face config, or "timm:" and a model's name in timm.

    Examples:
        >>> import glorot
        >>> glorot.recipe.preset_for("qwen3_moe"), glorot.recipe.preset_for("timm:resnet18.a1_in1k")
        ('qwen', 'resnet-basic')
        >>> glorot.recipe.preset_for("unheard-of") is None
        True
    """
    if not isinstance(model, str):
        raise TypeError(f"`model` must be a string, got {_check.show(model)}.")
    library, colon, name = model.partition(":")
    if not colon:
        return MODEL_TYPES.get(model)
    if library != "timm":
        raise ValueError(
            f"`model` must be a model_type such as 'llama', or 'timm:' and a name; got {model!r}."
        )
    name = name.partition(".")[0]
    return next((preset for pattern, preset in TIMM if re.fullmatch(pattern, name)), None)


def describe(name: str) -> Preset:
    """Return a preset with what it is for and the text of its file.

    Raises:
        ValueError: no built-in recipe of that name.

    Examples:
        >>> import glorot
        >>> found = glorot.recipe.describe("mamba")
        >>> found.models, "residual_gain" in found.recipe.variables
        ('Mamba, Falcon Mamba', True)
    """
    files = _files()
    if not isinstance(name, str) or name not in files:
        raise ValueError(
            f"no built-in recipe is called {_check.show(name)}. "
            f"{_check.near(str(name), presets())} A file is named by its path, such as "
            "./recipe.toml."
        )
    text = files[name].read_text(encoding="utf-8")
    toml = files[name].name.endswith(".toml")
    recipe = Recipe.from_toml(text) if toml else Recipe.from_json(text)
    return Preset(name, MODELS.get(name, ""), recipe, text)


def _files() -> dict[str, Any]:
    folder = resources.files("glorot.recipe") / "presets"
    files = (file for file in folder.iterdir() if file.name.endswith(SUFFIXES))
    return {file.name.rpartition(".")[0]: file for file in files}
