# SPDX-License-Identifier: Apache-2.0
"""The options that several commands have, and what `--set` says."""

import json
from collections.abc import Iterable
from typing import Any

import click

seed = click.option("--seed", type=int, required=True, help="A whole number, 0 <= seed < 2**64.")
recipe = click.option(
    "--recipe",
    help="A built-in recipe or a file's path; else the one for what SOURCE says the model is.",
)
source = click.argument("shapes", metavar="SOURCE")
checkpoint = click.argument("path", metavar="PATH")
dtype = click.option("--dtype", help="Of all floating tensors, in place of their own.")
variables = click.option(
    "--set",
    "variables",
    multiple=True,
    metavar="NAME=VALUE",
    help="A variable of the recipe: n_layer=12, or a formula. Can be given several times.",
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
full = click.option("--full", is_flag=True, help="One line a tensor, not one a group.")
debug = click.option("--debug", is_flag=True, help="Show the traceback of an error.")


def load(name: str, given: Iterable[str]) -> Any:
    """The recipe of a name or path, with its variables set."""
    from glorot import recipe as recipes

    return set_variables(recipes.load(name), given)


def set_variables(found: Any, given: Iterable[str]) -> Any:
    """The recipe with its variables set."""
    return found.set(**dict(map(parse, given)))


def parse(text: str) -> tuple[str, Any]:
    """mode=fan_out -> ("mode", "fan_out"); what reads as JSON is taken as such."""
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier():
        raise ValueError(f"`--set` must be NAME=VALUE, such as stddev=0.02; got {text!r}.")
    try:
        return key, json.loads(value)
    except (ValueError, RecursionError):  # the latter: brackets by the thousand
        return key, value
