# SPDX-License-Identifier: Apache-2.0
"""The recipe that a checkpoint says it was written by."""

from pathlib import Path

import click

from glorot.checkpoint import _manifest
from glorot.checkpoint._dcp import METADATA
from glorot.checkpoint._file_checks import beside
from glorot.cli._show import plain
from glorot.recipe import Recipe


def recipe_of(path: str, *, dcp: bool = False) -> Recipe | None:
    """Return the recipe that a checkpoint's manifest says it was written by, and say so on stderr.

    None where there is no manifest; without `dcp` of torch's directories too, and that is said: of
    their tensors they do not say what the recipe may ask for, types and axes.
    """
    place = Path(path)
    manifest = beside(place)
    if not manifest.is_file():
        return None
    if not dcp and (manifest.parent / METADATA).is_file():
        click.echo(
            f"glorot: the recipe of {plain(str(manifest))} is not taken: torch's directories say "
            "no types and axes of tensors, which a recipe may ask for; --recipe gives one",
            err=True,
        )
        return None
    found = _manifest.read(manifest)
    if not place.is_dir() and place.name not in found.files:
        return None
    click.echo(
        f"glorot: the recipe is that of {plain(str(manifest))}; --recipe overrides it", err=True
    )
    return found.recipe
