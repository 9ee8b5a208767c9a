# SPDX-License-Identifier: Apache-2.0
"""The preset for a model, and those of its variables that the model's config sets."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from glorot import recipe as recipes

# What a config switches on: (preset, key of the config) -> variables.
_SWITCHES: dict[tuple[str, str], dict[str, float | str]] = {
    ("mamba", "rescale_prenorm_residual"): {"residual_gain": "1 / sqrt(num_hidden_layers)"},
}
_SCALES = {"initializer_range": 0.02, "initializer_factor": 1.0}  # and what presets have for them


class Choice(NamedTuple):
    """A model, the preset for it, its variables, and what the preset does not follow."""

    model: str
    preset: str | None
    variables: dict[str, float | str]
    notes: tuple[str, ...] = ()


def choose(model: str, config: Mapping[str, Any] | None = None) -> Choice:
    """Return the preset for a model, as `glorot.recipe.preset_for` names it.

    A variable of the recipe that is a plain number takes the number that the config has under the
    same name: `initializer_range`, for one.

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
    found: dict[str, float | str] = {}
    for name, variable in known.items():
        value: Any = config.get(name)
        if isinstance(variable.value, float) and _is_number(value) and value != variable.value:
            found[name] = value
    for (of, switch), variables in _SWITCHES.items():
        if of == preset and config.get(switch) is True:
            found |= variables
    notes = tuple(
        f"the recipe {preset} does not follow {name}={config[name]} of the config: it has {own:g}"
        for name, own in _SCALES.items()
        if name not in known and _is_number(config.get(name)) and config[name] != own
    )
    return Choice(model, preset, found, notes)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
