# SPDX-License-Identifier: Apache-2.0
"""Whether the processes of a job agree on what they are about to fill: one small all-gather."""

import hashlib
import json
from typing import Any

import torch
from torch import distributed

from glorot._renaming import Names
from glorot._stream import STREAM_VERSION, check_seed
from glorot.torch._collect import collect
from glorot.torch._plan import read_recipe

_SAID = ("stream", "seed", "recipe", "names, shapes and dtypes of the module")


def check_ranks(
    recipe: Any,
    *,
    seed: int,
    module: torch.nn.Module | None = None,
    names: Names = None,
    group: Any = None,
) -> None:
    """Raise on every process if some disagree on the seed, the recipe or the module.

    `init_` and `materialize` communicate nothing, so ranks that were given different seeds would
    fill shards of different models. A collective: every process of `group` calls it; without
    torch.distributed there is one process, and nothing is done.

    Args:
        recipe, seed, names: what `init_` is going to be given.
        module: to compare the names, whole shapes and dtypes of its parameters too. Leave it out
            where processes hold different modules, as stages of a pipeline do.
        group: a process group, all processes by default.

    Raises:
        ValueError: they disagree; the same text on every process, with the ranks.

    Examples:
        >>> import glorot.torch
        >>> glorot.torch.check_ranks("gpt2", seed=42)
    """
    said: list[str] = [str(STREAM_VERSION), str(check_seed(seed)), read_recipe(recipe).fingerprint]
    if module is not None:
        rows = [
            [
                [place.name for place in found.places],
                list(found.tensor.shape),
                str(found.tensor.dtype),
            ]
            for found in collect(module, names).parameters
        ]
        said.append(hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:32])
    if not (distributed.is_available() and distributed.is_initialized()):
        return
    gathered: list[Any] = [None] * distributed.get_world_size(group)
    distributed.all_gather_object(gathered, said, group=group)
    for number, what in enumerate(_SAID):
        ranks: dict[str, list[int]] = {}
        for rank, texts in enumerate(gathered):
            text = texts[number] if number < len(texts) else "none given"
            ranks.setdefault(text, []).append(rank)
        if len(ranks) > 1:
            shown = "; ".join(f"{text} on {_ranks(held)}" for text, held in ranks.items())
            raise ValueError(
                f"the processes disagree on the {what}: {shown}. Give every process the same, or "
                "they fill shards of different models."
            )


def _ranks(held: list[int]) -> str:
    shown = ", ".join(map(str, held[:8])) + (", ..." if len(held) > 8 else "")
    return f"rank {shown}" if len(held) == 1 else f"ranks {shown}"
