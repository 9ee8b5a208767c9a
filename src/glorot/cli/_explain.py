# SPDX-License-Identifier: Apache-2.0
"""What a recipe gives each parameter, a paragraph for each or for those that get the same."""

from collections.abc import Sequence
from typing import Any

from glorot._words import counted
from glorot.cli._show import console, plain
from glorot.recipe import Explanation, Recipe


def show(recipe: Recipe, found: Sequence[Explanation], *, full: bool) -> None:
    """Print the explanations; without `full`, parameters of one rule, shape and law share one."""
    groups: dict[Any, list[Explanation]] = {}
    for number, explanation in enumerate(found):
        key = (
            number if full else None,
            explanation.rule,
            explanation.shape,
            explanation.dtype,
            explanation.law,
            explanation.blocks,
            explanation.roles,
        )
        groups.setdefault(key, []).append(explanation)
    out = console()
    for group in groups.values():
        for line in _lines(group[0], len(group) - 1):
            out.print(plain(line), soft_wrap=True)
    out.print(
        f"{counted(len(found), 'parameter')}, {counted(len(recipe.rules), 'rule')} "
        f"(recipe {recipe.fingerprint[:8]})"
    )


def _lines(found: Explanation, more: int) -> list[str]:
    shape = " x ".join(map(str, found.shape)) or "scalar"
    roles = f" ({', '.join(found.roles)})" if found.roles else ""
    title = f"{found.name}{f' and {more} more' if more else ''}: {shape}{roles}"
    lines = [f"{title}, {found.dtype}" if found.dtype else title]
    lines.append(f"  rule {found.rule}: {found.pattern}")
    if found.fans is None or found.stddev is None or found.gain is None:
        lines.append(f"  {found.law}")
    else:
        lines.append(
            f"  {found.law}, stddev {found.stddev:.6g}, fans {found.fans[0]:g}, "
            f"{found.fans[1]:g}, gain {found.gain:.6g}"
        )
    for block in found.blocks:
        size = " x ".join(map(str, block.shape))
        lines.append(
            f"    {block.name}: {size}, {block.law}, stddev {block.stddev:.6g}, fans "
            f"{block.fans[0]:g}, {block.fans[1]:g}, gain {block.gain:.6g}"
        )
    return [*lines, f"  why: {found.why}"]
