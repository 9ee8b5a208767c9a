# SPDX-License-Identifier: Apache-2.0
"""What a checkpoint of a torch module holds: parameters, persistent buffers; tied ones once."""

import re
from collections.abc import Mapping
from typing import Any

from glorot import recipe as recipes
from glorot.recipe import TensorSpec
from glorot.sources._frameworks import require
from glorot.sources._preset import DRAWN_AGAIN, Choice, choose, with_padding
from glorot.sources._source import Source

BUFFER = "buffer"  # the tag that a rule can ask for: where = { tag = "buffer" }


def of_module(
    module: Any, kind: str = "torch module", *, model: str = "", notes: tuple[str, ...] = ()
) -> Source:
    """Return what a torch module's state dict holds, under canonical names.

    A transformers or timm model says itself what it is; `model` is for what does not.

    Raises:
        ValueError: no parameters; ones that more than weight norm parametrizes; a name that stands
            for two tensors.
        TypeError: a dtype that no initializer writes.
    """
    require("torch", kind)
    from glorot.torch._collect import collect
    from glorot.torch._parametrized import kept_tensors
    from glorot.torch._plan import spec_of

    contents = collect(module)
    patterns = _tied_patterns(module)
    shapes: dict[str, TensorSpec] = {}
    aliases: dict[str, str] = {}
    for group in contents.parameters:
        stored = _stored([place.name for place in group.places], patterns)
        place = next(place for place in group.places if place.name == stored)
        found = spec_of(place, group.tensor)
        if group.source is not None:
            shapes |= {each.name: spec_of(each, held) for each, held in kept_tensors(group, found)}
            continue
        shapes[stored] = found
        aliases |= {place.name: stored for place in group.places if place.name != stored}
    for group in contents.buffers:
        kept = [p for p in group.places if p.attribute not in p.owner._non_persistent_buffers_set]
        if kept:
            stored = _stored([place.name for place in kept], patterns)
            found = spec_of(next(p for p in kept if p.name == stored), group.tensor)
            shapes[stored] = TensorSpec(found.shape, found.dtype, found.type, (BUFFER,))
            aliases |= {place.name: stored for place in kept if place.name != stored}
    if not contents.parameters:
        raise ValueError(f"the {kind} has no parameters: there is nothing to write.")
    choice = _padding(contents.parameters, shapes, _choice(module, model))
    return Source(
        shapes, kind, choice.model, choice.preset, choice.variables, aliases,
        (*notes, *choice.notes),
    )  # fmt: skip


def _tied_patterns(module: Any) -> list[str]:
    """The names, as regular expressions, that transformers leaves out of a checkpoint when they
    are tied: a list of them, or the keys of a dict, for each model in the model."""
    found = []
    for prefix, part in module.named_modules():
        tied = getattr(part, "_tied_weights_keys", None) or ()
        found += [f"{prefix}.{key}" if prefix else key for key in tied]
    return found


def _stored(names: list[str], patterns: list[str]) -> str:
    """Which of a weight's names a checkpoint has: transformers', or the first."""
    if len(names) == 1 or not patterns:
        return names[0]
    tied = [name for name in names if any(re.search(pattern, name) for pattern in patterns)]
    return next((name for name in names if name not in tied), sorted(tied)[-1])


def _padding(groups: Any, shapes: dict[str, TensorSpec], choice: Choice) -> Choice:
    """The choice with the row of the padding token, which transformers begins at 0, as the
    embeddings have it; or with a note where the recipe has no variable for it."""
    from torch import nn

    places = [place for group in groups for place in group.places if place.name in shapes]
    rows = {p.name: p.owner.padding_idx for p in places if isinstance(p.owner, nn.Embedding)}
    if choice.preset is None or choice.preset in DRAWN_AGAIN or not rows:
        return choice
    recipe = recipes.preset(choice.preset, **choice.variables)
    try:
        found = recipe.resolve(shapes)
    except ValueError:  # what the recipe does not cover is told by whoever uses it
        return choice
    for assignment in found:
        name, row = assignment.name, rows.get(assignment.name)
        if name in rows and "padding_rows" in recipe.variables and assignment.rule.blocks:
            choice = choice._replace(variables=with_padding(choice.preset, choice.variables, row))
        elif row is not None:
            note = (
                f"the recipe {choice.preset} draws row {row} of {name} as all others, and "
                "transformers begins it at 0: pad_token_id of the config"
            )
            choice = choice._replace(notes=(*choice.notes, note))
    return choice


def _choice(module: Any, model: str) -> Choice:
    config: Any = getattr(module, "config", None)
    kind = getattr(config, "model_type", None)
    if not model and isinstance(kind, str) and kind and hasattr(config, "to_dict"):
        content = config.to_dict()
        return choose(kind, content if isinstance(content, Mapping) else None)
    described = getattr(module, "pretrained_cfg", None)
    if not model and isinstance(described, Mapping):
        architecture = described.get("architecture")
        model = f"timm:{architecture}" if isinstance(architecture, str) and architecture else ""
    return choose(model) if model else Choice("", None, {})
