# SPDX-License-Identifier: Apache-2.0
"""A recipe of what a Keras model's own code does: it is built without values, and each weight then
still says what would give it its own."""

import collections
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import keras

from glorot import _check
from glorot._base import Initializer
from glorot._captured._recipe import given_rules, recipe_of
from glorot.keras import _private
from glorot.keras._captured import laws_of, numbers_law
from glorot.keras._init import spec_of
from glorot.keras._names import Found, collect
from glorot.keras._tensors import to_numpy
from glorot.recipe import Recipe, Rule, TensorSpec
from glorot.recipe._coverage import match


def capture(
    build: Callable[[], Any], *, rules: Iterable[Rule] | Recipe = (), leave_out: bool = False
) -> Recipe:
    """Return a recipe of the laws by which a Keras model's own code gives its weights values.

    `build` is run twice, without memory for the weights: each then holds the initializer that Keras
    would call. The law is the one that Keras draws by: its fans are those of the shape, of fused
    gates as a whole, where this library's are the layer's. What `build` assigns counts in place of
    the initializer. Filled by the recipe, the model has the same laws, by this library's streams:
    the same on every backend and in every shard. The global generators of Keras
    and Python are left as they were.

    Args:
        build: returns a built `keras.Model` or `keras.Layer`.
        rules: come first, with the variables of a recipe; what they are for is not captured.
        leave_out: whether a weight whose values no initializer has gets a rule that leaves it out.

    Returns:
        A recipe whose rules are patterns over the names of `glorot.keras.shapes`. Moving averages,
        counters and seeds have none, as `init` leaves them as they are.

    Raises:
        ValueError: a weight that a function of its own draws, or that had its value before `build`
            ran; the error says which, and why. A layer that is not built, or is quantized.
        TypeError: `build` is no function, or returns no model.

    Examples:
        >>> import glorot.keras, keras
        >>> from keras import layers
        >>> def build():
        ...     narrow = keras.initializers.RandomNormal(stddev=0.02)
        ...     return keras.Sequential([
        ...         keras.Input((64,)),
        ...         layers.Dense(32, kernel_initializer="he_normal"),
        ...         layers.Dense(10, kernel_initializer=narrow, name="head"),
        ...     ])
        >>> recipe = glorot.keras.capture(build)
        >>> report = glorot.keras.init(build(), recipe, seed=42)
        >>> [(p.name, p.law) for p in report.parameters][::2]
        [('dense.kernel', 'TN(0, 0.201, ±2)'), ('head.kernel', 'N(0, 0.02)')]
    """
    rules, variables = given_rules(rules)
    if not callable(build) or isinstance(build, keras.Layer):
        raise TypeError(
            "`build` must be a function that returns the model, built: a model that has its values "
            f"does not say how they were drawn. Got {_check.show(build)}."
        )
    with _private.kept_seeds():
        found, other = _found(build, rules), _found(build, rules)
    _compare(found, other)
    return recipe_of(
        _chosen(found.laws),
        found.specs,
        found.left,
        source=f"the code of {found.model}, as it ran",
        rules=rules,
        optional=found.tied,
        variables=variables,
        leave_out=leave_out,
    )


class _Seen(NamedTuple):
    """What gives each weight its values, in all ways to say it; none where nothing does, and
    why."""

    model: str  # its class
    laws: dict[str, list[Initializer]]
    specs: dict[str, TensorSpec]
    tied: set[str]
    left: dict[str, str]


def _found(build: Callable[[], Any], given: list[Rule]) -> _Seen:
    model, scope = _built(build)
    found = _Seen(type(model).__qualname__, {}, {}, set(), {})
    for place in collect(model).parameters:
        names, spec = place.names, spec_of(place)
        if match(given, dict.fromkeys(names, spec)).rules:
            continue
        laws: list[Initializer] = []
        try:
            laws = _laws(place, spec, scope.get_current_value(place.variable))
            Recipe([Rule("*", laws[0])]).resolve({names[0]: spec})  # a shape that it refuses
        except ValueError as error:
            laws = []
            found.left[names[0]] = str(error)
        found.laws.update(dict.fromkeys(names, laws))
        found.specs.update(dict.fromkeys(names, spec))
        found.tied.update(names if len(names) > 1 else ())
    return found


def _built(build: Callable[[], Any]) -> tuple[Any, Any]:
    """The model, without values, and the scope that has what was assigned."""
    _private.global_seed_generator().next(ordered=False)  # a scope would begin with the same
    # Keras forgets inside of the scope which variables wait, or would give them values at its end.
    with (
        keras.StatelessScope() as scope,
        _private.valueless_variables(),
        _private.arrays_as_initializers(),
    ):
        model = build()
    if not isinstance(model, keras.Layer):
        raise TypeError(
            f"`build` must return a keras.Model or a keras.Layer, got {type(model).__name__}."
        )
    return model, scope


def _laws(place: Found, spec: TensorSpec, assigned: Any) -> list[Initializer]:
    """What gives a weight the values that it would have.

    Raises:
        ValueError: nothing here does; why.
    """
    if assigned is not None:
        try:
            return [numbers_law(to_numpy(assigned))]
        except ValueError as error:
            raise ValueError(f"the code assigns {error}") from None
    init = _private.initializer_of(place.variable)
    if init is None:
        raise ValueError("it had its value before `build` ran, which must make the model anew")
    return laws_of(init, spec)


def _compare(found: _Seen, other: _Seen) -> None:
    """Leave out what another run of the code gives other numbers: it draws them itself."""
    for name, laws in found.laws.items():
        again = other.laws.get(name)
        if laws and again != laws:
            found.laws[name] = []
            found.left[name] = f"{laws[0]}, and {again[0] if again else 'none'} when it ran again"


def _chosen(found: dict[str, list[Initializer]]) -> dict[str, Initializer | None]:
    """For each weight the way that most have in common, so that one rule is for many."""
    votes = collections.Counter(law for laws in found.values() for law in laws)
    return {
        name: max(laws, key=lambda law: votes[law]) if laws else None
        for name, laws in found.items()
    }
