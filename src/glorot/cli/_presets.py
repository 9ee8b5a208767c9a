# SPDX-License-Identifier: Apache-2.0
"""The command `presets`: the built-in recipes, a paragraph each, or one as TOML."""

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from glorot.cli import _options
from glorot.cli._errors import mendable

if TYPE_CHECKING:
    from glorot.recipe import Preset


@click.group(invoke_without_command=True)
@_options.as_json
@_options.debug
@click.pass_context
def presets(context: click.Context, as_json: bool, debug: bool) -> None:
    """List the built-in recipes: for which models, from which source, with which variables.

    \b
    Example:
      glorot presets
      glorot presets show llama
    """
    if context.invoked_subcommand is not None:
        return
    with mendable(debug):
        from glorot import recipe as recipes

        found = [recipes.describe(name) for name in recipes.presets()]
        if as_json:
            fields = [
                {
                    "name": p.name,
                    "models": p.models,
                    "source": p.recipe.source,
                    "variables": list(p.recipe.variables),
                }
                for p in found
            ]
            click.echo(json.dumps(fields))
        else:
            _show(found)


@presets.command("show")
@click.argument("name", metavar="NAME")
@_options.as_json
@_options.debug
@click.pass_context
def _show_preset(context: click.Context, name: str, as_json: bool, debug: bool) -> None:
    """Print the built-in recipe NAME as TOML; saved in a file, it can be changed and used by its
    path.

    \b
    Example:
      glorot presets show llama > recipe.toml
    """
    above = context.parent.params if context.parent else {}  # `presets --json show llama`
    with mendable(debug or above.get("debug", False)):
        from glorot import recipe as recipes

        found = recipes.describe(name)
        if as_json or above.get("as_json"):
            text = found.recipe.to_json()
        elif found.text.startswith("{"):  # TOML of each, comments of those that have some
            text = found.recipe.to_toml()
        else:
            text = found.text
        click.echo(text.rstrip())


def _show(found: Iterable["Preset"]) -> None:
    """Print what each is for, where it was published, and its variables."""
    from glorot.cli._show import console

    out = console()
    for preset in found:
        out.print(f"{preset.name}: {preset.models}", soft_wrap=True)
        out.print(f"  {preset.recipe.source}", soft_wrap=True)
        if preset.recipe.variables:
            out.print(f"  variables: {', '.join(preset.recipe.variables)}", soft_wrap=True)
