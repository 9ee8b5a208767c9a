# SPDX-License-Identifier: Apache-2.0
"""The options that several commands have, and what `--set` says."""

import json
from typing import Annotated, Any

import typer

Seed = Annotated[int, typer.Option(help="A whole number, 0 <= seed < 2**64.")]
OptionalRecipe = Annotated[
    str | None,
    typer.Option(
        "--recipe",
        help="A built-in recipe or a file's path; else the one for what SOURCE says the model is.",
    ),
]
Shapes = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="A shapes file, a checkpoint, a Hugging Face config.json, timm:NAME, or "
        "package.module:callable.",
    ),
]
Checkpoint = Annotated[
    str,
    typer.Argument(
        metavar="PATH",
        help="A checkpoint's folder, of safetensors or torch's DCP, or a .safetensors file.",
    ),
]
Dtype = Annotated[str | None, typer.Option(help="Of all floating tensors, in place of their own.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="A variable of the recipe: n_layer=12, or a formula."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
Full = Annotated[bool, typer.Option("--full", help="One line a tensor, not one a group.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]


def load(recipe: str, variables: list[str] | None) -> Any:
    """The recipe of a name or path, with its variables set."""
    from glorot import recipe as recipes

    return set_variables(recipes.load(recipe), variables)


def set_variables(recipe: Any, variables: list[str] | None) -> Any:
    """The recipe with its variables set."""
    return recipe.set(**dict(parse(text) for text in variables or []))


def parse(text: str) -> tuple[str, Any]:
    """mode=fan_out -> ("mode", "fan_out"); what reads as JSON is taken as such."""
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier():
        raise ValueError(f"`--set` must be NAME=VALUE, such as stddev=0.02; got {text!r}.")
    try:
        return key, json.loads(value)
    except (ValueError, RecursionError):  # the latter: brackets by the thousand
        return key, value
