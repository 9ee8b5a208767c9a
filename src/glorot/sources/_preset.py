# SPDX-License-Identifier: Apache-2.0
"""The preset for a model, and those of its variables that the model's config sets."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeGuard

from glorot import recipe as recipes

# What a config switches on: (preset, key of the config) -> variables.
_BY_DEPTH = {"residual_gain": "1 / sqrt(num_hidden_layers)"}
_SWITCHES: dict[tuple[str, str], Mapping[str, float | str]] = {
    ("mamba", "rescale_prenorm_residual"): _BY_DEPTH,
    ("mamba2", "rescale_prenorm_residual"): _BY_DEPTH,
    ("xlm", "sinusoidal_embeddings"): {"sinusoidal_embeddings": 1},
}
_SCALES = {"initializer_range": 0.02, "initializer_factor": 1.0}  # and what presets have for them
# Configs in a config, each with scales of its own: preset -> key -> what its variables begin with.
_TOWERS = {"text_config": "text_", "vision_config": "vision_"}
_PARTS = dict.fromkeys(("clip", "gemma3", "llava", "qwen-vl", "qwen3-next-vl"), _TOWERS)
# Model types of parts that a preset is for, where a config may have any.
_PART_TYPES = {
    "llava": {
        "text_config": ("llama", "mistral", "qwen2"),
        "vision_config": ("clip_vision_model",),
    }
}
# Presets whose variable is init_std.
_BY_INIT_STD = frozenset(("bart", "fsmt", "pegasus", "time-series", "whisper", "xlm"))
_NOT_OF_BASE = frozenset(("clip", "gpt2", "gpt2-unscaled", "siglip", "t5"))
_OWN = frozenset((("llava", "vision_initializer_range"),))  # CLIP's own code draws with it
# Types whose own code draws experts and routers with an initializer_range of 0 as it is.
_ZERO_TOO = frozenset((
    *("mixtral", "olmoe", "flex_olmo", "phimoe", "granitemoe", "gpt_oss", "deepseek_v2"),
    *("deepseek_v3", "glm4_moe", "qwen2_moe", "qwen3_moe", "jamba", "qwen3_next"),
    *("qwen3_5_moe_text", "qwen3_5_moe", "granitemoehybrid", "nemotron_h", "kimi_linear"),
    "bailing_hybrid",
))  # fmt: skip
# What changes the first values, and no variable of the preset follows: preset -> key of the config
# and what the preset has.
_FIXED: dict[str, dict[str, float | str]] = {
    "clip": {"logit_scale_init_value": 2.6592},
    "mamba": {"time_step_init_scheme": "random"},
    "nemotron-h": {"rescale_prenorm_residual": True},
    "hubert": {"conv_pos_batch_norm": False},
    "transformers": {"sinusoidal_pos_embds": False},  # DistilBERT's table, which nothing draws
}
# Keys of a config for the least time step and for a floor, which none is below: preset -> keys.
_FLOORS = {
    **dict.fromkeys(
        ("mamba", "mamba2", "nemotron-h", "zamba"), ("time_step_min", "time_step_floor")
    ),
    "olmo-hybrid": ("linear_dt_min", "linear_dt_init_floor"),
}
# Presets of code that draws the padding token's row again, as all others.
DRAWN_AGAIN = frozenset(("modernbert",))
# Types whose preset has a row for the padding token, and whose embedding has none.
_NO_PADDING = frozenset(("bloom", "codegen", "falcon", "gpt_neo", "gptj", "mpt"))


class Choice(NamedTuple):
    """A model, the preset for it, its variables, and what the preset does not follow."""

    model: str
    preset: str | None
    variables: dict[str, float | str]
    notes: tuple[str, ...] = ()


def choose(model: str, config: Mapping[str, Any] | None = None) -> Choice:
    """Return the preset for a model, as `glorot.recipe.preset_for` names it.

    A variable of the recipe that is a plain number takes the number that the config has under the
    same name: `initializer_range`, for one; or a config in it, as CLIP has.

    Examples:
        >>> choose("llama", {"initializer_range": 0.01}).variables
        {'initializer_range': 0.01}
        >>> choose("gpt2", {"initializer_range": 0.01}).notes
        ('the recipe gpt2 does not follow initializer_range=0.01 of the config: it has 0.02',)
    """
    preset = recipes.preset_for(model)
    if preset is None or not config:
        return Choice(model, preset, {})
    known = recipes.preset(preset).variables
    for key, types in _PART_TYPES.get(preset, {}).items():
        part = config.get(key)
        kind = part.get("model_type", types[0]) if isinstance(part, Mapping) else types[0]
        if kind not in types:
            return Choice(f"{model} of {kind}", None, {})
    said = dict(config)
    for key, prefix in _PARTS.get(preset, {}).items():
        part = config.get(key)
        said |= {f"{prefix}{k}": v for k, v in part.items()} if isinstance(part, Mapping) else {}
    said |= _base_stddevs(preset, said)
    found: dict[str, float | str] = {}
    for name, variable in known.items():
        value: Any = said.get(name)
        settable = isinstance(variable.value, float) or name == "initializer_range"
        if settable and _is_number(value) and value != variable.value:
            found[name] = value
    pad = "text_pad_token_id" if "text_pad_token_id" in said else "pad_token_id"
    if "padding_rows" in known and pad in said:
        token = None if model in _NO_PADDING else said[pad]
        found = with_padding(preset, found, token if _is_number(token) and token >= 0 else None)
    for (of, switch), variables in _SWITCHES.items():
        if of == preset and config.get(switch) is True:
            found |= variables
    fixed: dict[str, float | str] = {k: own for k, own in _SCALES.items() if k not in known}
    if preset in _BY_INIT_STD or preset == "t5":  # T5's own code never asks for it
        del fixed["initializer_range"]
    fixed |= _FIXED.get(preset, {})
    fixed |= _floor(preset, config)
    notes = tuple(
        f"the recipe {preset} does not follow {name}={value} of the config: it has "
        f"{own if isinstance(own, (str, bool)) else format(own, 'g')}"
        for name, own in fixed.items()
        if _differs(value := config.get(name), own)
    )
    if model in _ZERO_TOO and config.get("initializer_range") == 0:
        notes += (
            f"the recipe {preset} draws all with initializer_range=0.02, which transformers takes "
            "for the 0 of the config; experts and routers it would leave at 0",
        )
    return Choice(model, preset, found, notes)


def _floor(preset: str, config: Mapping[str, Any]) -> dict[str, float]:
    """The key of a floor that changes time steps, and that the preset has none."""
    if preset not in _FLOORS:
        return {}
    least, floor = (config.get(key) for key in _FLOORS[preset])
    changes = _is_number(floor) and floor > (least if _is_number(least) else 1e-3)
    return {_FLOORS[preset][1]: 0.0} if changes else {}


def _base_stddevs(preset: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """What transformers' base class takes for the stddevs of a config, where it says otherwise.

    PreTrainedModel._init_weights: 0.02 in the place of an initializer_range of 0, but where it is
    that of the text; and init_std only of a config without initializer_range.
    """
    if preset in _NOT_OF_BASE:
        return {}
    prefixes = ("", "text_", "vision_") if preset in _PARTS else ("",)
    found = {}
    for name in (f"{prefix}initializer_range" for prefix in prefixes):
        if _is_number(value := said.get(name)) and (preset, name) not in _OWN:
            found["init_std" if preset in _BY_INIT_STD else name] = value or 0.02
    if said.get("text_initializer_range") == 0 and preset in ("llava", "qwen-vl", "qwen3-next-vl"):
        found.setdefault("initializer_range", 0.0)
    return found


def with_padding(
    preset: str, variables: Mapping[str, float | str], row: float | None
) -> dict[str, float | str]:
    """The variables of a preset with `padding_rows`, for an embedding of which this row is 0.

    Examples:
        >>> with_padding("llama", {}, 3), with_padding("bert", {}, 0)
        ({'padding_rows': 1, 'pad_token_id': 3}, {})
    """
    wanted: dict[str, float] = {"padding_rows": 0 if row is None else 1}
    wanted |= {} if row is None else {"pad_token_id": row}
    known = recipes.preset(preset).variables
    changed = {key: value for key, value in wanted.items() if value != known[key].value}
    return {
        k: v for k, v in variables.items() if k not in ("padding_rows", "pad_token_id")
    } | changed


def _differs(value: Any, own: float | str) -> bool:
    kind = isinstance(value, type(own)) if isinstance(own, (str, bool)) else _is_number(value)
    return kind and value != own


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
