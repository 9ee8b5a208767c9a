# SPDX-License-Identifier: Apache-2.0
"""`init`: gives all weights of a built Keras model their first values, by their names."""

from typing import Any, NamedTuple

from glorot._dtypes import dtype_name, parse_dtype
from glorot._renaming import Names
from glorot._report import InitReport, report_all, report_parameter
from glorot._stream import check_seed
from glorot.keras import _axes, _fill, _private
from glorot.keras._base import Initializer
from glorot.keras._names import Contents, Found, collect
from glorot.keras._tensors import check_backend_dtype
from glorot.recipe import Assignment, Recipe, TensorSpec
from glorot.recipe._argument import read_recipe
from glorot.recipe._tied import choose


def init(model: Any, recipe: Any, *, seed: int, names: Names = None) -> InitReport:
    """Fill every weight of a built model, or layer, in place by its name.

    A weight's name is its path without the model's own name, joined by dots ("encoder.fc.kernel";
    docs/keras.md).  Each weight comes with what its layer says: the class (`type` in conditions of
    rules), the classes of the layers around it (`tag`), and its axes, so that fans are right for
    convolutions of all kinds, einsums, attention and embeddings.  The gates of LSTM and GRU are
    blocks unless the rule says `blocks` itself.

    Weights that a layer made to be trained are filled, frozen or not; a shared one once, under the
    first of its names.  Moving averages, counters and seeds stay as they are.  Everything is
    checked before any weight is changed.

    Args:
        model: a `keras.Model` or `keras.Layer`, built.
        recipe: a `glorot.Recipe`, the name or path of one, or one initializer for all.
        seed: 0 <= seed < 2**64.
        names: other names for the weights: a mapping from names, or a function of one.

    Returns:
        An `InitReport`: each weight's name, rule, initializer, shape and dtype; what was left.

    Raises:
        ValueError: a weight that no rule matches, or a rule that matches none; layers that are not
            built, or are quantized; two weights of one name; a shape or law that cannot be had; a
            `keras.StatelessScope` around the call.
        TypeError: a dtype that the rule's initializer, or the backend, does not have.

    Examples:
        >>> import glorot, glorot.keras, keras
        >>> model = keras.Sequential([keras.Input((784,)), keras.layers.Dense(256, name="up")])
        >>> recipe = glorot.Recipe([
        ...     glorot.Rule("*.bias", "zeros"), glorot.Rule("*", "glorot_uniform"),
        ... ])
        >>> report = glorot.keras.init(model, recipe, seed=42)
        >>> [(p.name, p.law) for p in report.parameters]
        [('up.kernel', 'U(-0.07596, 0.07596)'), ('up.bias', 'Zeros')]
    """
    if _private.in_stateless_scope():
        raise ValueError(
            "glorot.keras.init changes variables, which a keras.StatelessScope leaves as they are. "
            "Call it outside of the scope; inside, the initializers of glorot.keras give values."
        )
    rules = _read_recipe(recipe)
    number = check_seed(seed)
    contents = collect(model, names)
    plan = make_plan(contents, rules)
    with _fill.Filler() as filler:
        works = [filler.prepare(place.variable, assignment) for place, assignment in plan.assigned]
        reports = [
            report_parameter(assignment, place.names, work(number))
            for (place, assignment), work in zip(plan.assigned, works, strict=True)
        ]
    state = (place.names[0] for place in contents.state)
    return report_all(rules, number, reports, plan.left_out, state)


def explain(model: Any, recipe: Any, *, names: Names = None) -> list[Assignment]:
    """Return what `init` would do with each weight: its rule, initializer, fans and law.

    Examples:
        >>> import glorot.keras, keras
        >>> layer = keras.layers.DepthwiseConv2D(3, depth_multiplier=2)
        >>> layer.build((None, 8, 8, 5))
        >>> [(a.name, a.fans) for a in glorot.keras.explain(layer, "he_normal")][0]
        ('kernel', (9.0, 18.0))
    """
    plan = make_plan(collect(model, names), _read_recipe(recipe))
    return [assignment for _, assignment in plan.assigned]


def shapes(model: Any, *, names: Names = None) -> dict[str, TensorSpec]:
    """Return what a model's layers say of their weights: what `Recipe.resolve` takes.

    Examples:
        >>> import glorot.keras, keras
        >>> layer = keras.layers.Conv2D(8, 3)
        >>> layer.build((None, 9, 9, 4))
        >>> glorot.keras.shapes(layer)["kernel"]
        TensorSpec(shape=(3, 3, 4, 8), dtype='float32', type='Conv2D', layout='keras.conv')
    """
    return {place.names[0]: spec_of(place) for place in collect(model, names).parameters}


class Plan(NamedTuple):
    """What each weight gets, and the names of those that the recipe leaves out."""

    assigned: list[tuple[Found, Assignment]]
    left_out: list[str]


def _read_recipe(given: Any) -> Recipe:
    """A recipe from what users pass for one, an initializer of this module among them."""
    if isinstance(given, Initializer):
        if given.seed is not None or given.name:
            raise ValueError(
                f"`recipe` as one initializer must have no seed and no name, got {given!r}: `seed` "
                "and the weights' names are those of the call."
            )
        return read_recipe(given.initializer)
    return read_recipe(given)


def make_plan(contents: Contents, rules: Recipe) -> Plan:
    """What the recipe gives each weight."""
    if not contents.parameters:
        raise ValueError("`model` has no weights: there is nothing to fill.")
    places = contents.parameters
    for place in places:
        if _private.value_of(place.variable) is None:
            raise ValueError(
                f"{place.names[0]!r} of `model` has no value yet. Call glorot.keras.init outside "
                "of a keras.StatelessScope, on a model that is built."
            )
    every = {name: spec_of(place) for place in places for name in place.names}
    chosen, left_out, rules_of = choose(rules, [place.names for place in places], every)
    wanted = {name: every[name] for name in chosen}
    assigned = rules._assign(wanted, rules_of, None)
    return Plan(
        [(places[chosen[a.name]], a) for a in assigned],
        [places[number].names[0] for number in left_out],
    )


def spec_of(place: Found) -> TensorSpec:
    """What is known of a weight."""
    variable, layer = place.variable, place.layer
    shape, kind = _private.spec_of(variable)
    try:
        dtype = parse_dtype(kind, floating=False)
    except TypeError as error:
        raise TypeError(f"{place.names[0]!r} of `model`: {error}") from None
    check_backend_dtype(dtype)
    found = _axes.axes_of(layer, variable.name, shape)
    tags = tuple(type(outer).__name__ for outer in place.around)
    kind = type(layer).__name__
    return TensorSpec(
        shape, dtype_name(dtype), kind, tags, found.layout, found.groups, found.blocks
    )
