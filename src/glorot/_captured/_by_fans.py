# SPDX-License-Identifier: Apache-2.0
"""Laws whose number follows from a layer's fans, said by the fans: one rule is then for layers of
all widths."""

import collections
import itertools
import math
from collections.abc import Iterator, Mapping

from glorot._base import Initializer
from glorot._captured._generalised import Choice
from glorot._random import RandomNormal, RandomUniform, TruncatedNormal
from glorot._variance_scaling import VarianceScaling
from glorot.recipe import TensorSpec

# (scale, mode): torch's own layers, then Kaiming's, Xavier's and LeCun's rules.
_TORCH = (1 / 3, "fan_in")
_RULES = (_TORCH, (2.0, "fan_in"), (2.0, "fan_out"), (1.0, "fan_avg"), (1.0, "fan_in"),
          (1.0, "fan_out"))  # fmt: skip
_NEAR = 1e-6
_BIAS, _WEIGHT = "bias", "weight"


def by_fans(
    found: Mapping[str, Initializer | None],
    specs: Mapping[str, TensorSpec],
    *,
    own: tuple[float, str] = _TORCH,
    said_by_shapes: bool = False,
) -> dict[str, Choice]:
    """Return for each name the same law, by fans where its number is theirs, and a round one only
    where other parameters have that rule with numbers that are not.

    Of several rules that give one number, as those of a square matrix, the one is taken that most
    parameters have, and of these the framework's own before others.

    Args:
        found: by name; None is left out.
        specs: what the layers say.
        own: scale and mode of the framework's own rule.
        said_by_shapes: whether axes of which nobody says anything are (..., in, out).
    """
    choices = {
        name: list(_weights(found[name], specs[name], own, said_by_shapes)) for name in found
    }
    plain = (those for name, those in choices.items() if not _is_round(found[name]))
    votes = collections.Counter(map(_rule, itertools.chain.from_iterable(plain)))
    chosen = {}
    for name, those in choices.items():
        best = max(those, key=lambda choice: votes[_rule(choice)], default=None)
        chosen[name] = best if best and votes[_rule(best)] else Choice(found[name])
    for name, init in found.items():
        sibling = f"{name.removesuffix(_BIAS)}{_WEIGHT}"
        beside = chosen.get(sibling)
        if name.endswith(_BIAS) and beside and isinstance(beside.initializer, VarianceScaling):
            chosen[name] = _bias(init, specs[sibling], beside.initializer) or chosen[name]
    return chosen


def _rule(choice: Choice) -> Initializer | None:
    """Without the axes, in which layers of one rule differ."""
    init = choice.initializer
    return init and init.replace(layout=None, groups=1)


def _weights(
    init: Initializer | None, spec: TensorSpec, own: tuple[float, str], said_by_shapes: bool
) -> Iterator[Choice]:
    """The rules by which a weight of known axes has such a law."""
    distribution = _distribution(init)
    known = spec.layout is not None or (said_by_shapes and len(spec.shape) > 1)
    if distribution is None or not known:
        return
    for scale, mode in dict.fromkeys((own, *_RULES)):
        rule = VarianceScaling(scale, mode, distribution, layout=spec.layout, groups=spec.groups)
        if _agree(init, rule, spec.shape):
            yield Choice(rule)


def _bias(init: Initializer | None, weight: TensorSpec, beside: VarianceScaling) -> Choice | None:
    """Torch's rule for a bias, by the fan_in of the weight, where it is the law."""
    if not isinstance(init, RandomUniform):
        return None
    own = VarianceScaling(1 / 3, "fan_in", "uniform")
    fan_in, fan_out = beside.fans(weight.shape)
    of = own.replace(fan_in=fan_in, fan_out=fan_out)
    return Choice(own, _WEIGHT) if _agree(init, of, (1,)) else None


def _distribution(init: Initializer | None) -> str | None:
    """What `VarianceScaling` calls a law around 0."""
    if isinstance(init, RandomUniform):
        return "uniform" if init.minval == -init.maxval else None
    if isinstance(init, RandomNormal):
        return None if init.mean else "untruncated_normal"
    plain = isinstance(init, TruncatedNormal) and init == TruncatedNormal(0.0, init.stddev)
    return "truncated_normal" if plain else None


def _is_round(init: Initializer | None) -> bool:
    """Whether somebody wrote the number: it has three digits."""
    number = init.maxval if isinstance(init, RandomUniform) else getattr(init, "stddev", 0.0)
    return math.isclose(float(f"{number:.3g}"), number, rel_tol=1e-12)


def _agree(one: Initializer | None, other: Initializer, shape: tuple[int, ...]) -> bool:
    """Whether two laws of a kind have one scale."""
    laws = [init.law(shape) for init in (one, other) if init is not None]
    scales = [law.scale for law in laws if law is not None]
    return math.isclose(*scales, rel_tol=_NEAR)
