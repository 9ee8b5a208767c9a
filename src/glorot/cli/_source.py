# SPDX-License-Identifier: Apache-2.0
"""SOURCE: what it says of the model, which recipe that gives, and what is said of both."""

from pathlib import Path
from typing import Any

import click

from glorot import recipe as recipes
from glorot.cli._show import plain
from glorot.recipe import Recipe
from glorot.sources import Source, _apart

_FEW = 3


class Reading:
    """A source that was read, the recipe for it, and whether that is the source's own preset."""

    def __init__(self, source: Source, given: Recipe | None) -> None:
        self.source = source
        self.recipe = source.recipe() if given is None else given
        self._chosen = given is None

    def say(self) -> None:
        """Say on stderr which recipe was chosen, and what else a user should hear."""
        if self._chosen:
            click.echo(f"glorot: {plain(self.source.choice())}; --recipe overrides it", err=True)
        own = f"the recipe {self.source.preset} "  # what it does not follow is no matter to another
        for note in self.source.notes:
            if not self._chosen and note.startswith(own):
                continue
            click.echo(f"glorot: {plain(note)}", err=True)

    def left_out(self, dtype: str | None) -> list[str]:
        """Return the parameters that the recipe leaves out; buffers, which are none, excepted."""
        shapes = self.source.shapes
        rules = self.recipe._match(shapes, dtype).rules
        left = (name for name, rule in rules.items() if rule.initializer is None)
        return [name for name in left if "buffer" not in shapes[name].tags]

    def say_left_out(self, dtype: str | None) -> None:
        """Say on stderr which parameters get no value: a head, perhaps, that is not tied here."""
        names = self.left_out(dtype)
        if names:
            more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
            click.echo(
                f"glorot: not written, as the recipe leaves it out: "
                f"{plain(', '.join(names[:_FEW]))}{more}. The model must tie or compute it; else "
                "give it a rule",
                err=True,
            )

    def config_that_stays(self, out: str) -> str:
        """What is to be said of a config beside weights that took the place of its own, where
        nothing says what the new ones are; "" where there is none."""
        path = Path(out) / "config.json"
        if not path.is_file():
            return ""
        return f"{path} was there before these weights and stays: it may be of another model"

    def as_dict(self) -> dict[str, Any]:
        """Return the same as JSON can hold it; `preset` is None where a recipe was given."""
        found = self.source.as_dict()
        return found if self._chosen else {**found, "preset": None, "variables": {}}


def read(source: str, recipe: str | Recipe | None) -> Reading:
    """Return what a path or name says, with the recipe (or the one of this name or path), or
    the preset for the model.

    Raises:
        ValueError: no recipe is given, and no preset is known for the model; as `sources.read`.
    """
    given = recipes.load(recipe) if isinstance(recipe, str) else recipe  # first: it is the cheaper
    return Reading(_apart.read(source), given)
