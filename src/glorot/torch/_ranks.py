# SPDX-License-Identifier: Apache-2.0
"""Whether the processes of a job agree on what they are about to fill: one small all-gather."""

from typing import Any

import torch
from torch import distributed

from glorot import _agreement
from glorot._renaming import Names
from glorot.recipe._argument import read_recipe
from glorot.torch._collect import collect


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
    rows = None
    if module is not None:
        rows = [
            (
                [place.name for place in found.places],
                list(found.tensor.shape),
                str(found.tensor.dtype),
            )
            for found in collect(module, names).parameters
        ]
    mine = _agreement.said(read_recipe(recipe), seed, rows)
    if not (distributed.is_available() and distributed.is_initialized()):
        return
    gathered: list[Any] = [None] * distributed.get_world_size(group)
    distributed.all_gather_object(gathered, mine, group=group)
    _agreement.check(gathered, "rank", "ranks")
