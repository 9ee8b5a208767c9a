# SPDX-License-Identifier: Apache-2.0
"""The command `capture`: a recipe of what a model's own code does."""

from pathlib import Path

import click

from glorot.cli import _options
from glorot.cli._errors import mendable


@click.command()
@click.argument("source", metavar="SOURCE")
@click.option("--out", help="Write the recipe to this .toml file; else it is printed.")
@click.option("--rules", help="A recipe whose rules come first: what they match is not captured.")
@click.option(
    "--leave-out", is_flag=True, help="Leave out a parameter whose values no initializer gives."
)
@click.option("--force", is_flag=True, help="Replace the file.")
@_options.debug
def capture(
    source: str, out: str | None, rules: str | None, leave_out: bool, force: bool, debug: bool
) -> None:
    """Watch a model's own code initialise it, and write down what it does as a recipe.

    SOURCE is a Hugging Face config.json, timm:NAME, or package.module:callable.

    \b
    Example:
      glorot capture model/config.json --out recipe.toml
      glorot init model/config.json --recipe recipe.toml --seed 42 --out first
    """
    with mendable(debug):
        from glorot import recipe as recipes
        from glorot import sources
        from glorot.checkpoint._files import written_beside

        path = None if out is None else Path(out)
        if path is not None and path.suffix != ".toml":
            raise ValueError(f"`--out` must end in .toml, got {out!r}.")
        if path is not None and path.exists() and not force:
            raise FileExistsError(f"{path} is there already. Give --force to replace it.")
        first = () if rules is None else recipes.load(rules)
        text = sources.capture(source, rules=first, leave_out=leave_out).to_toml()
        if path is None:
            click.echo(text.rstrip())
        else:
            with written_beside(path) as file:
                file.write(text.encode())
