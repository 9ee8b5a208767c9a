# SPDX-License-Identifier: Apache-2.0
"""One-line assertions for users' own tests: a model has the first values it should have."""

from collections.abc import Mapping
from typing import Any

from glorot import _check
from glorot._audit import AuditReport, audit
from glorot._audit._pairs import difference, pair
from glorot._audit._parameter import Parameter
from glorot._audit._sources import read_model

__all__ = ["assert_initialized", "assert_same_init"]

_MOST_LINES = 20


def assert_initialized(
    model: Any,
    recipe: Any,
    seed: int | None = None,
    *,
    specs: Mapping[str, Any] | None = None,
) -> AuditReport:
    """Assert that a model's values are what a recipe promises; return the report.

    With a seed every byte must be what the recipe and the seed give; where one is not, the message
    also says whether the values at least follow the rule's law. Without one, values of any source
    are taken, and must pass every check of `glorot.audit`.

    Args:
        model, recipe, seed, specs: as for `glorot.audit`.

    Raises:
        AssertionError: something is wrong; the message is one line a problem, the worst first.
        TypeError, ValueError, OSError: as `glorot.audit`.

    Examples:
        >>> import glorot
        >>> recipe = glorot.Recipe([glorot.Rule("*", "he_normal", layout="torch.linear")])
        >>> weight = glorot.HeNormal(seed=0, layout="torch.linear")((64, 32), name="up")
        >>> glorot.testing.assert_initialized({"up": weight}, recipe, seed=0).ok
        True
        >>> glorot.testing.assert_initialized({"up": 2 * weight}, recipe)
        Traceback (most recent call last):
        AssertionError: up: stddev is 2 times too large (0.5043, 0.25 promised, z +119)
    """
    report = audit(model, recipe, seed, specs=specs, singular_values=False)
    if not report.ok:
        raise AssertionError(_lines([str(problem) for problem in report.problems]))
    return report


def assert_same_init(
    model_a: Any,
    model_b: Any,
    *,
    names: Mapping[str, str] | None = None,
    layouts: Mapping[str, str] | None = None,
    atol: float = 0.0,
) -> None:
    """Assert that two models, of two frameworks perhaps, begin with the same values.

    Kernels are compared in canonical order, by the layouts that torch's and Keras' layers have; a
    `kernel` in a tree of arrays is taken for (..., in, out). Where float dtypes differ, the finer
    values rounded once must be the others; integers must be the same numbers, whatever their dtype
    and that of the others. Each parameter is read whole, one at a time.

    Args:
        model_a, model_b: each what `glorot.audit` takes.
        names: from names of the first model to those of the second; those that differ only in
            what the frameworks call them ("params/dense/kernel", "dense.weight") need none.
        layouts: from patterns over the names of either to layouts (docs/initializers.md).
        atol: how far two values may be apart.

    Raises:
        AssertionError: parameters that only one of them has, or that differ, one line each.
        TypeError, ValueError, OSError: as `glorot.audit`; a name or layout that is none.

    Examples:
        >>> import glorot
        >>> torch_like = {"up.weight": glorot.GlorotUniform(
        ...     seed=0, layout="torch.linear", order="canonical")((4, 3), name="up")}
        >>> keras_like = {"up": {"kernel": glorot.GlorotUniform(seed=0)((3, 4), name="up")}}
        >>> layouts = {"up.weight": "torch.linear"}
        >>> glorot.testing.assert_same_init(torch_like, keras_like, layouts=layouts)
    """
    for argument, given in (("names", names), ("layouts", layouts)):
        if given is not None and not isinstance(given, Mapping):
            raise TypeError(f"`{argument}` must be a mapping, got {_check.show(given)}.")
    most = _check.real("atol", atol)
    pairs = pair(_once(model_a), _once(model_b), names or {})
    problems = []
    for one, other in pairs:
        words = difference(one, other, layouts or {}, most)
        if words is not None:
            title = one.name if one.name == other.name else f"{one.name} and {other.name}"
            problems.append(f"{title}: {words}")
    if problems:
        raise AssertionError(_lines(problems))


def _once(model: Any) -> list[Parameter]:
    """The parameters; of names that share memory the first."""
    seen: dict[object, Parameter] = {}
    for parameter in read_model(model).parameters:
        if parameter.broken:
            raise AssertionError(f"{parameter.name}: {parameter.broken}")
        if parameter.refused is not None:
            raise parameter.refused
        seen.setdefault(parameter.memory or id(parameter), parameter)
    return list(seen.values())


def _lines(problems: list[str]) -> str:
    more = len(problems) - _MOST_LINES
    return "\n".join(problems[:_MOST_LINES] + ([f"and {more} more"] if more > 0 else []))
