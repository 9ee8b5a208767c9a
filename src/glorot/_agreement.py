# SPDX-License-Identifier: Apache-2.0
"""Whether the processes of a job say the same of what they are about to fill."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from glorot._stream import STREAM_VERSION, check_seed
from glorot.recipe import Recipe

_SAID = ("stream", "seed", "recipe", "names, shapes and dtypes of the model")


def said(recipe: Recipe, seed: int, rows: Iterable[Sequence[Any]] | None) -> list[str]:
    """What a process says: the stream, the seed, the recipe, and a digest of the model's rows of
    names, shapes and dtypes, where there is a model."""
    found = [str(STREAM_VERSION), str(check_seed(seed)), recipe.fingerprint]
    if rows is not None:
        text = json.dumps([list(row) for row in rows])
        found.append(hashlib.sha256(text.encode()).hexdigest()[:32])
    return found


def check(gathered: Sequence[Sequence[str]], one: str, several: str) -> None:
    """Raise if what the processes said differs; `one` and `several` are what they are called.

    Raises:
        ValueError: the first thing that differs, and who said what.
    """
    for number, what in enumerate(_SAID):
        ranks: dict[str, list[int]] = {}
        for rank, texts in enumerate(gathered):
            text = texts[number] if number < len(texts) else "none given"
            ranks.setdefault(text, []).append(rank)
        if len(ranks) > 1:
            shown = "; ".join(
                f"{text} on {one if len(held) == 1 else several} {_list(held)}"
                for text, held in ranks.items()
            )
            raise ValueError(
                f"the processes disagree on the {what}: {shown}. Give every process the same, or "
                "they fill shards of different models."
            )


def _list(held: list[int]) -> str:
    return ", ".join(map(str, held[:8])) + (", ..." if len(held) > 8 else "")
