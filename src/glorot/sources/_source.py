# SPDX-License-Identifier: Apache-2.0
"""What a source says of a model: its parameters, and the recipe for what it is."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from glorot import recipe as recipes
from glorot.recipe import Recipe, TensorSpec
from glorot.sources._nearest import advice


@dataclass(frozen=True, slots=True)
class Source:
    """The names, shapes and dtypes of a model, and what else its source knows of it.

    Attributes:
        shapes: what `Recipe.resolve`, `Recipe.explain` and `glorot.checkpoint.write` take. A
            weight of several names comes once, under the name that a checkpoint stores it by.
        kind: what was read: "shapes file", "safetensors", "DCP metadata", "transformers config",
            "timm model", "torch module", "flax module", "equinox module", "Keras model" or
            "shapes".
        model: what the model is, as `glorot.recipe.preset_for` takes it; "" where nobody says.
        preset: the built-in recipe for that; None where there is none.
        variables: of the preset, as the model's config sets them.
        aliases: the other names of weights, each to the one that it is stored by.
        notes: what a user should hear: entries left out, a choice that was made.
        config: the path of the model's Hugging Face config; "" where none was read.
    """

    shapes: dict[str, TensorSpec]
    kind: str
    model: str = ""
    preset: str | None = None
    variables: Mapping[str, float | str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    config: str = ""

    def recipe(self) -> Recipe:
        """Return the preset for the model, with the variables that its config sets.

        Raises:
            ValueError: the source does not say what the model is, or no preset is for it.

        Examples:
            >>> import glorot
            >>> source = glorot.sources.read({"w": (2, 3)})
            >>> source.recipe()  # doctest: +ELLIPSIS
            Traceback (most recent call last):
            ValueError: `recipe` (--recipe) must be given: nothing says what the model is...
        """
        if self.preset is not None:
            return recipes.preset(self.preset, **self.variables)
        known = ", ".join(recipes.presets())
        nearest = " "
        if self.model:
            why = f"no built-in recipe is for {self.model!r}"
            nearest += advice(self.shapes, timm=self.model.startswith("timm:"))
        else:
            why = f"nothing says what the model is ({self.kind})"
        raise ValueError(
            f"`recipe` (--recipe) must be given: {why}.{nearest.rstrip()} There are "
            f"{known}; or the path of a recipe file, such as `glorot capture` makes of the "
            "model's own code."
        )

    def choice(self) -> str:
        """Return one line that says which preset was chosen, and why; "" where none was.

        Examples:
            >>> from glorot.sources import Source
            >>> Source({}, "safetensors", "llama", "llama", {"initializer_range": 0.01}).choice()
            "recipe llama, for the model type 'llama', with initializer_range=0.01 of its config"
        """
        if self.preset is None:
            return ""
        what = "the timm model" if self.model.startswith("timm:") else "the model type"
        line = f"recipe {self.preset}, for {what} {self.model.removeprefix('timm:')!r}"
        if not self.variables:
            return line
        said = ", ".join(f"{name}={value}" for name, value in self.variables.items())
        return f"{line}, with {said} of its config"

    def write_config(
        self, folder: str | os.PathLike[str], dtype: Any = None, *, force: bool = False
    ) -> str:
        """Put the model's Hugging Face config beside its weights, so that `from_pretrained` loads
        the folder; whatever has its name there stays.

        Args:
            folder: where the weights were written.
            dtype: that they were written in, where it is not what the config says. Of float8 the
                config keeps its own, or says float32: transformers loads them to that.
            force: the weights took the place of others: another config that is there goes too, to
                config.json.old. A link or a folder of that name stays.

        Returns:
            One line that says what was done; "" where the source has no config.

        Raises:
            ValueError: a config that has changed since it was read, and is none any more.
            OSError: a file that cannot be read or written.
        """
        from glorot.sources import _config

        if not self.config:
            return ""
        return _config.beside(self.config, os.fspath(folder), dtype, force=force)

    def as_dict(self) -> dict[str, Any]:
        """Return what was found, shapes excepted, as JSON can hold it."""
        return {
            "kind": self.kind,
            "model": self.model,
            "preset": self.preset,
            "variables": dict(self.variables),
            "aliases": dict(self.aliases),
            "notes": list(self.notes),
            "config": self.config,
        }
