# SPDX-License-Identifier: Apache-2.0
"""The command `capture`: a recipe of what a model's own code does."""

from pathlib import Path
from typing import Annotated

import typer

from glorot.cli._errors import mendable
from glorot.cli._options import Debug


def capture(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A Hugging Face config.json, timm:NAME, or package.module:callable.",
        ),
    ],
    out: Annotated[
        str | None, typer.Option(help="Write the recipe to this .toml file; else it is printed.")
    ] = None,
    rules: Annotated[
        str | None,
        typer.Option(help="A recipe whose rules come first: what they match is not captured."),
    ] = None,
    leave_out: Annotated[
        bool,
        typer.Option(
            "--leave-out", help="Leave out a parameter whose values no initializer gives."
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file.")] = False,
    debug: Debug = False,
) -> None:
    """Watch a model's own code initialise it, and write down what it does as a recipe.

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
        first = () if rules is None else recipes.load(rules).rules
        text = sources.capture(source, rules=first, leave_out=leave_out).to_toml()
        if path is None:
            typer.echo(text.rstrip())
        else:
            with written_beside(path) as file:
                file.write(text.encode())
