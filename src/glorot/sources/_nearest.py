# SPDX-License-Identifier: Apache-2.0
"""What to do with a model that no preset is for: which preset's names are nearest to its own."""

from collections.abc import Mapping

from glorot import recipe as recipes
from glorot.recipe import TensorSpec

# They go by the types of layers, and say nothing of an architecture.
_FRAMEWORKS = ("equinox", "flax", "haiku", "keras", "tensorflow-v1", "torch")
_FEW = 3


def advice(shapes: Mapping[str, TensorSpec], *, timm: bool = False) -> str:
    """Return sentences that name the preset which covers most of these parameters, what it does not
    cover, and how to go on from it; "" where none covers half of them.

    Examples:
        >>> shapes = dict.fromkeys(("x.attn.weight", "x.norm.bias", "x.scale"), TensorSpec((2, 2)))
        >>> advice(shapes).split(". ")[0]
        "Nearest by the names is transformers, which covers 2 of 3 parameters, and not 'x.scale'"
    """
    if not shapes:
        return ""
    # Of two that cover as much it is the one that claims least: the general one.
    names = [name for name in recipes.presets() if name not in _FRAMEWORKS]
    names.sort(key=lambda name: name != "transformers")
    if timm:
        names.remove("transformers")
    found = {name: recipes.preset(name).match(shapes) for name in names}
    name = min(names, key=lambda name: (len(found[name].unmatched), len(found[name].idle)))
    missing = found[name].unmatched
    if 2 * len(missing) > len(shapes):
        return ""
    some = ", ".join(map(repr, missing[:_FEW])) + (", ..." if len(missing) > _FEW else "")
    count = f"{len(shapes) - len(missing)} of {len(shapes)} parameters, and not {some}"
    how = (
        f"change the rules of the file that `glorot presets show {name} > recipe.toml` makes, and "
        "give --recipe recipe.toml"
    )
    if not missing and not found[name].idle:
        count, how = "all parameters", f"give --recipe {name}, or {how}"
    return (
        f"Nearest by the names is {name}, which covers {count}. Its laws may not be those of the "
        f"model: compare them. To use it, {how} (docs/recipes.md)."
    )
