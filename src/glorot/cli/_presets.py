# SPDX-License-Identifier: Apache-2.0
"""The built-in recipes, a paragraph each."""

from collections.abc import Iterable

from glorot.cli._show import console
from glorot.recipe import Preset


def show(presets: Iterable[Preset]) -> None:
    """Print what each is for, where it was published, and its variables."""
    out = console()
    for preset in presets:
        out.print(f"{preset.name}: {preset.models}", soft_wrap=True)
        out.print(f"  {preset.recipe.source}", soft_wrap=True)
        if preset.recipe.variables:
            out.print(f"  variables: {', '.join(preset.recipe.variables)}", soft_wrap=True)
