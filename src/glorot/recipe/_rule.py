# SPDX-License-Identifier: Apache-2.0
"""One rule: which parameters it is for, what their initializer is, and how that is scaled."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from glorot import _check
from glorot._base import Initializer
from glorot.recipe._expression import Expression
from glorot.recipe._gains import parse_gain
from glorot.recipe._pattern import matcher, parse_counter, parse_pattern
from glorot.recipe._shapes import TensorSpec
from glorot.recipe._split import Split, parse_split
from glorot.recipe._template import Template, asks_fans, make, takes
from glorot.recipe._variables import count_beginnings
from glorot.recipe._where import Where, parse_where

DEFAULT_BRANCHES = 2  # attention and feed-forward each add to the residual stream
MUP = ("input", "hidden", "output")


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern over whole names and the initializer of the parameters it matches.

    The pattern is a shell glob over the **whole** name, case kept: `*` stands for any text, dots
    included, `?` for one character, `[abc]` for one of these (`[[]` for a bracket itself).
    "*.bias" thus means every name that ends in ".bias", "h.*.ln_1.weight" that one in each layer.
    One that begins with "re:" is a regular expression instead, over the whole name too.

    Wherever a number may stand, so may a formula of the recipe's variables and of the parameter's
    `fan_in` and `fan_out`, as text: "1 / sqrt(2 * n_layer)".

    Args:
        pattern: the glob, or "re:" and a regular expression.
        initializer: an initializer without a seed (the seed is given when the recipe is used),
            what `glorot.get` makes one of, or None (in files "none"): these parameters are left
            out of the checkpoint (buffers, tied weights).
        where: conditions besides the name, a dict of `ndim`, `shape`, `dtype`, `type` and `tag`
            (see `glorot.recipe.Where`).
        gain: a factor of the standard deviation; in a formula, names of activations stand for
            their gain: "gelu", "relu / sqrt(2 * n_layer)".
        layers: for depth scaling, the number N of layers, or a pattern that counts them; the
            standard deviation is then multiplied by 1 / sqrt(branches * N). A pattern such as
            "h.*." matches the beginnings of names, each `*` as short as can be, and N is how many
            different beginnings there are: "h.0.", "h.1.", ... It must end in what follows the
            layer's number.
        branches: how many times each layer adds to the residual stream: 2 in a transformer.
        mup: "input", "hidden" or "output": the initializer is that of the model's base width, and
            its standard deviation follows table 8 of Tensor Programs V to this width; the
            recipe's variable `width_mult` says how many times wider it is.
        blocks: of a fused weight: a number of equal blocks, a list of their proportions, a named
            order such as "qkv" or "torch.lstm", or a dict of `parts`, `axis`, `repeat`, `change`.
        fans_of: the last part of another parameter's name, such as "weight": the fans are those of
            "up.weight" for "up.bias". Of several, ("weight", "kernel"), the first that is there.
        optional: the rule may match nothing, as those that leave out always may.
        options: of the initializer, where it is given by its name.

    Raises:
        TypeError: an argument of the wrong type; a scale for a constant, which has no spread.
        ValueError: an empty or malformed pattern, an initializer with a seed, options that it does
            not have, `layers` or `branches` below 1, `branches` without `layers`.

    Source of depth scaling: Radford et al., "Language Models are Unsupervised Multitask
    Learners", 2019, section 2.3. Of `mup`: Yang et al., "Tensor Programs V", 2022, table 8.

    Examples:
        >>> import glorot
        >>> rule = glorot.Rule("h.*.proj", "random_normal", stddev=0.02, layers="h.*.")
        >>> rule.matches("h.11.proj"), rule.matches("x.h.11.proj")
        (True, False)
        >>> found = glorot.Recipe([rule]).resolve({"h.0.proj": (4, 4), "h.1.proj": (4, 4)})
        >>> found[0].initializer
        RandomNormal(mean=0.0, stddev=0.01)
    """

    pattern: str
    initializer: Initializer | Template | None
    where: Where | None = None
    gain: float | Expression | None = None
    layers: int | str | None = None
    branches: int = DEFAULT_BRANCHES
    mup: str | None = None
    blocks: Split | None = None
    fans_of: tuple[str, ...] = ()
    optional: bool = False

    def __init__(
        self,
        /,  # an option called self is refused like any other that there is not
        pattern: Any,
        initializer: Any,
        *,
        where: Any = None,
        gain: float | str | None = None,
        layers: int | str | None = None,
        branches: int = DEFAULT_BRANCHES,
        mup: str | None = None,
        blocks: Any = None,
        fans_of: str | Sequence[str] | None = None,
        optional: bool = False,
        **options: Any,
    ) -> None:
        pattern = parse_pattern(pattern)
        made = make(initializer, options)
        found: dict[str, Any] = {
            "pattern": pattern,
            "initializer": made,
            "where": parse_where(where),
            "gain": parse_gain(gain),
            "layers": _parse_layers(layers),
            "branches": _check.count("branches", branches),
            "mup": None if mup is None else _check.choice("mup", mup, MUP),
            "blocks": parse_split(blocks),
            "fans_of": _parse_fans_of(fans_of),
            "optional": _check.flag("optional", optional),
        }
        if layers is None and found["branches"] != DEFAULT_BRANCHES:
            raise ValueError(
                f"`branches`={branches} changes nothing without `layers`. Give the number of "
                "layers, or a pattern that counts them, such as 'h.*.'."
            )
        for part in found["blocks"].parts if found["blocks"] else ():
            if part.options:
                make(made, dict(part.options))  # what the initializer refuses
        given = [key for key in ("gain", "layers", "mup", "blocks", "fans_of") if found[key]]
        if made is None and given:
            raise ValueError(f"`{given[0]}` has nothing to scale or cut: {pattern!r} is left out.")
        if {"gain", "layers", "mup"} & set(given) and isinstance(made, Initializer):
            made.scaled(0.5)  # a constant refuses here, not when the recipe is used
        if found["fans_of"] and made and not (takes(made, "fan_in") or asks_fans(made)):
            raise ValueError(f"`fans_of`={fans_of!r} changes nothing: the initializer has no fans.")
        for field, value in found.items():
            object.__setattr__(self, field, value)

    def matches(self, name: str, spec: TensorSpec | None = None) -> bool:
        """Return whether the pattern matches the whole name and the conditions hold.

        Conditions hold for no parameter of which nothing but the name is known.
        """
        if not matcher(self.pattern)(name):
            return False
        return self.where is None or (spec is not None and self.where.holds(spec))

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
        found = count_beginnings(self.layers, names)
        if not found:
            raise ValueError(
                f"`layers`={self.layers!r} of the rule for {self.pattern!r} counts no layer: no "
                "name begins like that. Mend the pattern or give the number of layers."
            )
        return found

    @property
    def formulas(self) -> dict[str, Expression]:
        """Return all formulas of the rule, by where they are."""
        found = {"gain": self.gain} if isinstance(self.gain, Expression) else {}
        if isinstance(self.initializer, Template):
            found |= self.initializer.formulas
        return found | (self.blocks.formulas if self.blocks else {})

    def __str__(self) -> str:
        return f"{self.pattern!r}" + (f" where {self.where}" if self.where else "")


def _parse_layers(layers: int | str | None) -> int | str | None:
    if layers is None:
        return None
    if isinstance(layers, str):
        return parse_counter("layers", layers)
    return _check.count("layers", layers)


def _parse_fans_of(fans_of: Any) -> tuple[str, ...]:
    if fans_of is None or fans_of == ():  # the latter is how a rule shows, and keeps, None
        return ()
    found = tuple(fans_of) if isinstance(fans_of, (list, tuple)) else (fans_of,)
    if not found or not all(isinstance(last, str) and last for last in found):
        raise TypeError(
            "`fans_of` must be the last part of a parameter's name, such as 'weight', or several; "
            f"got {_check.show(fans_of)}."
        )
    return found
