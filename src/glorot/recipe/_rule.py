# SPDX-License-Identifier: Apache-2.0
"""One rule: which names it is for, and what their initializer is."""

import fnmatch
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from glorot import _check
from glorot._base import Initializer
from glorot._registry import get

DEFAULT_BRANCHES = 2  # attention and feed-forward each add to the residual stream


@dataclass(frozen=True, slots=True)
class Rule:
    """A glob pattern over whole names and the initializer of the parameters it matches.

    The pattern is a shell glob over the **whole** name, case kept: `*` stands for any text, dots
    included, `?` for one character, `[abc]` for one of these (`[[]` for a bracket itself).
    "*.bias" thus means every name that ends in ".bias", "h.*.ln_1.weight" that one in each layer.

    Args:
        pattern: the glob.
        initializer: an initializer without a seed (the seed is given when the recipe is used),
            what `glorot.get` makes one of, or None: these parameters are left out of the
            checkpoint (buffers, tied weights). Only a rule with None may match nothing.
        layers: for depth scaling, the number N of layers, or a pattern that counts them; the
            standard deviation is then multiplied by 1 / sqrt(branches * N). A pattern such as
            "h.*." matches the beginnings of names, each `*` as short as can be, and N is how many
            different beginnings there are: "h.0.", "h.1.", ... It must end in what follows the
            layer's number.
        branches: how many times each layer adds to the residual stream: 2 in a transformer.

    Raises:
        TypeError: an argument of the wrong type; `layers` with a constant, which has no spread.
        ValueError: an empty pattern, an initializer with a seed, `layers` or `branches` below 1,
            `branches` without `layers`.

    Source of depth scaling: Radford et al., "Language Models are Unsupervised Multitask
    Learners", 2019, section 2.3.

    Examples:
        >>> import glorot
        >>> rule = glorot.Rule("h.*.proj", glorot.RandomNormal(stddev=0.02), layers="h.*.")
        >>> rule.matches("h.11.proj"), rule.matches("x.h.11.proj")
        (True, False)
        >>> rule.scaled(["wte", "h.0.proj", "h.1.proj"])
        RandomNormal(mean=0.0, stddev=0.01)
    """

    pattern: str
    initializer: Initializer | None
    layers: int | str | None = None
    branches: int = DEFAULT_BRANCHES

    def __init__(
        self,
        pattern: str,
        initializer: Any,
        *,
        layers: int | str | None = None,
        branches: int = DEFAULT_BRANCHES,
    ) -> None:
        if not isinstance(pattern, str):
            raise TypeError(f"`pattern` must be a string, got {pattern!r}.")
        if not pattern:
            raise ValueError("`pattern` must not be empty; '*' matches every name.")
        if initializer is not None:
            initializer = _parse_initializer(pattern, initializer)
        branches = _check.count("branches", branches)
        if layers is None:
            if branches != DEFAULT_BRANCHES:
                raise ValueError(
                    f"`branches`={branches} changes nothing without `layers`. Give the number of "
                    "layers, or a pattern that counts them, such as 'h.*.'."
                )
        elif initializer is None:
            raise ValueError(f"`layers`={layers!r} has nothing to scale: {pattern!r} is left out.")
        else:
            layers = _parse_layers(layers)
            initializer.scaled(0.5)  # a constant refuses here, not when the recipe is used
        for field, value in zip(
            self.__slots__, (pattern, initializer, layers, branches), strict=True
        ):
            object.__setattr__(self, field, value)

    def matches(self, name: str) -> bool:
        """Return whether the pattern matches the whole name."""
        return fnmatch.fnmatchcase(name, self.pattern)

    def count_layers(self, names: Iterable[str]) -> int | None:
        """Return N of the depth scaling for a model of these names, None without scaling.

        Raises:
            ValueError: no name begins as the pattern says.

        Examples:
            >>> import glorot
            >>> rule = glorot.Rule("*.proj", glorot.RandomNormal(), layers="*h.*.")
            >>> rule.count_layers(["model.h.0.proj", "model.h.0.bias", "model.h.1.proj"])
            2
        """
        if self.layers is None or isinstance(self.layers, int):
            return self.layers
        found = {_beginning(self.layers, name) for name in names} - {None}
        if not found:
            raise ValueError(
                f"`layers`={self.layers!r} of the rule for {self.pattern!r} counts no layer: no "
                "name begins like that. Mend the pattern or give the number of layers."
            )
        return len(found)

    def scaled(self, names: Iterable[str]) -> Initializer | None:
        """Return the initializer that parameters of a model of these names get."""
        layers = self.count_layers(names)
        if layers is None or self.initializer is None:
            return self.initializer
        return self.initializer.scaled(1.0 / math.sqrt(self.branches * layers))


def _beginning(pattern: str, name: str) -> str | None:
    """The shortest beginning of `name` that the pattern matches, or None.

    Each piece is sought once, from the left: a recipe from anywhere cannot make it slow.
    """
    first, *pieces = pattern.split("*")
    if not name.startswith(first):
        return None
    end = len(first)
    for piece in pieces:
        place = name.find(piece, end)
        if place < 0:
            return None
        end = place + len(piece)
    return name[:end]


def _parse_initializer(pattern: str, initializer: Any) -> Initializer:
    found = get(initializer)
    if not isinstance(found, Initializer):
        raise TypeError(
            f"`initializer` must be an initializer, its name or its config; got {initializer!r}."
        )
    if found.seed is not None:
        raise ValueError(
            f"`initializer` of the rule for {pattern!r} must have no seed, got {found!r}: the seed "
            "is given when the recipe is used, and each parameter's name makes it differ."
        )
    return found


def _parse_layers(layers: int | str) -> int | str:
    if not isinstance(layers, str):
        return _check.count("layers", layers)
    if "*" not in layers or layers.endswith("*"):
        raise ValueError(
            "`layers` must be a number, or a pattern with * in the place of the layer's number and "
            f"what follows it, such as 'h.*.'; got {layers!r}."
        )
    return layers
