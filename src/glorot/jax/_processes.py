# SPDX-License-Identifier: Apache-2.0
"""Whether the processes of a job agree on what they are about to fill: one small all-gather."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from glorot import _agreement
from glorot.jax import _names
from glorot.recipe._argument import read_recipe

_LONGEST = 64  # bytes of one thing said: a seed has 20 digits, a fingerprint 32


def check_processes(
    recipe: Any, *, seed: int, tree: Any = None, names: Mapping[str, str] | None = None
) -> None:
    """Raise on every process if some disagree on the seed, the recipe or the tree.

    `init` communicates nothing, so processes that were given different seeds would fill blocks of
    different models.  Every process of the job calls it; where there is one, nothing is done.

    Args:
        recipe, seed, names: what `init` is going to be given.
        tree: to compare the names, whole shapes and dtypes of its arrays too.

    Raises:
        ValueError: they disagree; the same text on every process, with the processes.

    Examples:
        >>> import glorot.jax
        >>> glorot.jax.check_processes("gpt2", seed=42)
    """
    rows = None
    if tree is not None:
        leaves = _names.leaves(tree)
        if names:
            leaves = _names.rename(leaves, names)
        rows = [
            (leaf.name, list(leaf.value.shape), str(leaf.value.dtype))
            for leaf in leaves
            if leaf.name is not None
        ]
    mine = _agreement.said(read_recipe(recipe), seed, rows)
    if jax.process_count() == 1:
        return
    from jax.experimental import multihost_utils

    words = np.zeros((4, _LONGEST), np.uint8)
    for row, text in zip(words, mine, strict=False):
        row[: len(text)] = np.frombuffer(text.encode(), np.uint8)
    every = np.asarray(multihost_utils.process_allgather(words))
    gathered = [
        [row.tobytes().rstrip(b"\0").decode() for row in process if row.any()] for process in every
    ]
    _agreement.check(gathered, "process", "processes")
