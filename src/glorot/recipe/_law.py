# SPDX-License-Identifier: Apache-2.0
"""Laws in a few characters, for tables and reports."""

from glorot._base import Initializer
from glorot._blocks import Blocks
from glorot._weight_norm import Direction, Length


def describe_law(initializer: Initializer, shape: tuple[int, ...]) -> str:
    """The law of a weight in a few characters; of a fused one, those of its blocks.

    Examples:
        >>> import glorot
        >>> describe_law(glorot.GlorotUniform(), (300, 300)), describe_law(glorot.Ones(), (3,))
        ('U(-0.1, 0.1)', 'Ones')
        >>> describe_law(glorot.Blocks(["zeros", "ones"], [1, 3]), (8,))
        'Zeros | Ones'
    """
    law = initializer.law(shape)
    if law is None:
        return _without_law(initializer, shape)
    if law.kind == "uniform":
        return f"U({law.mean - law.scale:.4g}, {law.mean + law.scale:.4g})"
    if law.kind == "normal":
        return f"N({law.mean:.4g}, {law.scale:.4g})"
    lower, upper = getattr(law, "lower", -2.0), getattr(law, "upper", 2.0)
    cuts = f"±{upper:g}" if lower == -upper else f"{lower:g}, {upper:g}"
    return f"TN({law.mean:.4g}, {law.scale:.4g}, {cuts})"


def _without_law(initializer: Initializer, shape: tuple[int, ...]) -> str:
    if isinstance(initializer, Blocks):
        laws = [describe_law(init, alone) for init, alone in initializer.blocks(shape)]
        return laws[0] if len(set(laws)) == 1 else " | ".join(laws)
    if isinstance(initializer, Direction):
        return describe_law(initializer.of, shape)
    if isinstance(initializer, Length):
        return f"norms of {describe_law(initializer.of, initializer.whole)}"
    return repr(initializer.replace(dtype="float32")).removesuffix("()")
