# SPDX-License-Identifier: Apache-2.0
"""Gains of rules: numbers, formulas, and the activations whose names formulas may hold."""

from typing import Any

from glorot import _check
from glorot.recipe._expression import Expression


def parse_gain(gain: Any) -> float | Expression | None:
    """Return a gain: None, a number above 0, or a formula."""
    if gain is None or isinstance(gain, Expression):
        return gain
    if isinstance(gain, str):
        try:
            return Expression(gain)
        except ValueError as error:
            raise ValueError(f"`gain`: {error}") from None
    return _check.positive("gain", gain)


def activation(name: str, param: float | None = None) -> float:
    """Return the gain that the name of an activation stands for in a formula.

    "gelu.backward" and "tanh.torch" choose the mode and the convention.
    """
    from glorot._gain import gain

    plain, _, choice = name.partition(".")
    options: dict[str, Any] = {}
    if choice == "backward":
        options["mode"] = "backward"
    elif choice == "torch":
        options["convention"] = "torch"
    elif choice:
        raise ValueError(f"{name!r} must end in .backward or .torch, or have no dot.")
    return gain(plain, param, **options)
