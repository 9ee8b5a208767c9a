# SPDX-License-Identifier: Apache-2.0
"""Names of weights that a module keeps by weight norm: rules are for the weight, a checkpoint holds
its direction and its length."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from glorot._dtypes import INTEGERS
from glorot._weight_norm import summed_axes
from glorot.recipe._pattern import matcher
from glorot.recipe._shapes import TensorSpec

# torch's parametrization, and the hook that came before it.
_PARAMETRIZED = re.compile(r"((?:.*\.)?)parametrizations\.([^.]+)\.original([01])")
_HOOKED = re.compile(r"((?:.*\.)?)(weight[^.]*)_([gv])")
_ENDS = ("original0", "original1", "_g", "_v")
_LENGTHS = "0g"


class Half(NamedTuple):
    """Which half of which weight a tensor holds."""

    weight: str  # the name that the weight has for rules and draws
    direction: str  # the name of the tensor that has the weight's shape
    is_length: bool


def halves(specs: Mapping[str, TensorSpec | None]) -> dict[str, Half]:
    """Return those of `specs` that are halves of a weight, both of which are there.

    Examples:
        >>> found = halves({"up.weight_g": TensorSpec((8, 1)), "up.weight_v": TensorSpec((8, 3))})
        >>> found["up.weight_g"]
        Half(weight='up.weight', direction='up.weight_v', is_length=True)
    """
    found: dict[str, Half] = {}
    for name in specs:
        if not name.endswith(_ENDS):
            continue
        for pattern, direction, length in (
            (_PARAMETRIZED, "parametrizations.{}.original1", "parametrizations.{}.original0"),
            (_HOOKED, "{}_v", "{}_g"),
        ):
            match = pattern.fullmatch(name)
            if match is None:
                continue
            path, attribute, which = match.groups()
            names = path + direction.format(attribute), path + length.format(attribute)
            alone = path + attribute in specs  # what has the weight itself has no weight norm
            if alone or not all(each in specs for each in names):
                continue
            if _fit(*(specs[each] for each in names)):
                found[name] = Half(path + attribute, names[0], which in _LENGTHS)
    return found


def _fit(direction: TensorSpec | None, length: TensorSpec | None) -> bool:
    """Whether shapes and dtypes are a weight's and its norms', as far as they are known."""
    if direction is None or length is None:
        return True
    if direction.dtype in INTEGERS or length.dtype in INTEGERS:
        return False
    try:
        return bool(summed_axes(direction.shape, length.shape))
    except ValueError:
        return False


def with_weights(specs: Mapping[str, TensorSpec | None]) -> Mapping[str, TensorSpec | None]:
    """Return `specs` and the weights that are kept in halves."""
    found = {half.weight: specs[half.direction] for half in halves(specs).values()}
    return {**specs, **found} if found else specs


def by_weight(pattern: str, half: Half) -> bool:
    """Whether a rule that is for a half is for the weight, and not for what is stored alone."""
    return bool(matcher(pattern)(half.weight))
