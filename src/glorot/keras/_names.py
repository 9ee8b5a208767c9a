# SPDX-License-Identifier: Apache-2.0
"""The variables of a model and their names: the layers on the way to one, joined by dots.

A name is the path that Keras gives the variable, without the model's own name: a `Dense` called
"fc" in a model called "tower" in the model has `tower.fc.kernel`.  Where Keras made a layer's name
(`dense_7`: the class and a number that counts all such layers of the process), the numbers count
anew in each layer that holds some: `dense`, `dense_1`.  So building a model twice gives it the same
names.
"""

import functools
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from glorot._renaming import Names, Renaming
from glorot.keras import _private
from glorot.recipe._shapes import check_parameter_name


class Found(NamedTuple):
    """A variable, the layer that made it, the layers around that one, and all its names."""

    variable: Any
    layer: Any
    around: tuple[Any, ...]
    names: list[str]


class Contents(NamedTuple):
    """The variables of a model that are parameters, and those that are none."""

    parameters: list[Found]
    state: list[Found]


def collect(model: Any, names: Names = None) -> Contents:
    """Return what a model holds, each variable once, under names changed by `names`.

    Raises:
        TypeError: no layer.
        ValueError: a layer that is not built, or is quantized to integers; a name that stands for
            two variables.
    """
    import keras

    if not isinstance(model, keras.Layer):
        raise TypeError(
            f"`model` must be a keras.Model or a keras.Layer, got {type(model).__name__}."
        )
    renamed = Renaming(names)
    parameters: dict[int, Found] = {}
    state: dict[int, Found] = {}
    unbuilt: list[str] = []
    for prefix, layer, around in _walk(model):
        if not layer.built:
            unbuilt.append(prefix.removesuffix(".") or layer.name)
        for found, variables in (
            (parameters, _private.own_parameters(layer)),
            (state, [*_private.own_state(layer), *_private.own_seeds(layer)]),
        ):
            if not variables:
                continue
            for name, variable in _named(variables):
                place = found.setdefault(id(variable), Found(variable, layer, around, []))
                if place.layer is not layer and _made(layer, variable):
                    place = found[id(variable)] = place._replace(layer=layer, around=around)
                full = check_parameter_name(renamed(prefix + name))
                if full not in place.names:  # a layer that is held twice by one other
                    place.names.append(full)
    if unbuilt:
        shown = ", ".join(map(repr, unbuilt[:5])) + (", ..." if len(unbuilt) > 5 else "")
        raise ValueError(
            f"`model` has layers without weights yet, {shown}: Keras makes them when a layer is "
            "built. Call model.build(input_shape), or the model on one batch, first."
        )
    renamed.check("`model`")
    _check_names(parameters.values())
    for place in (*parameters.values(), *state.values()):
        _check_not_quantized(place)
    return Contents(list(parameters.values()), list(state.values()))


def _check_not_quantized(place: Found) -> None:
    """Refuse a layer that holds its kernel as integers, which would be passed by: neither filled
    nor audited, nor in the fingerprint.  One of float8 holds it as it was."""
    mode = getattr(place.layer, "quantization_mode", None)
    if mode not in (None, "float8"):
        raise ValueError(
            f"{place.names[0]!r} of `model` is of a quantized layer ({mode}), whose kernel is "
            "integers and scales, which no initializer makes. Fill, audit and fingerprint the "
            "model first, then quantize."
        )


def _made(layer: Any, variable: Any) -> bool:
    """Whether it is this layer that made the variable, of several that hold it: a wrapper such as
    SpectralNormalization holds its layer's kernel too, and is nothing that its axes follow from."""
    return bool(variable.path.rpartition("/")[0] == layer.path)


def _walk(
    layer: Any, prefix: str = "", around: tuple[Any, ...] = ()
) -> Iterator[tuple[str, Any, tuple[Any, ...]]]:
    """(the beginning of its variables' names, layer, the layers around it) from the outside in."""
    yield prefix, layer, around
    inner = _private.parts(layer)
    if not inner:
        return
    for name, part in zip(_renumbered([(p.name, type(p)) for p in inner]), inner, strict=True):
        if not any(part is other for other in (*around, layer)):  # a layer that holds itself
            yield from _walk(part, f"{prefix}{name}.", (*around, layer))


def _renumbered(made: list[tuple[str, type]]) -> list[str]:
    """The names of some siblings, those that Keras made counted from the first."""
    if not _may_count(made):
        return [name for name, _ in made]
    rows = [(name, *_count(name, _private.to_snake_case(cls.__name__))) for name, cls in made]
    counts: dict[str, list[int]] = {}
    for _, base, number in rows:
        if base is not None:
            counts.setdefault(base, []).append(number)
    places = {base: sorted(set(numbers)) for base, numbers in counts.items()}
    return [
        name if base is None else _counted(base, places[base].index(number))
        for name, base, number in rows
    ]


def _may_count(made: list[tuple[str, type]]) -> bool:
    """Whether Keras may have made one of the names, which few of them are."""
    return any(_private.to_snake_case(cls.__name__) in name for name, cls in made)


def _count(name: str, base: str) -> tuple[str | None, int]:
    """(base, the number after it) of a name as Keras makes them, also for the two layers in a
    `Bidirectional`; else (None, 0)."""
    found = _made_of(base).fullmatch(name)
    return (None, 0) if found is None else (found[1], int(found[2] or 0))


@functools.lru_cache(maxsize=1024)
def _made_of(base: str) -> re.Pattern[str]:
    return re.compile(rf"((?:forward_|backward_)?{re.escape(base)})(?:_(\d+))?")


def _counted(base: str, number: int) -> str:
    return f"{base}_{number}" if number else base


def _named(variables: list[Any]) -> Iterator[tuple[str, Any]]:
    """(name, variable): those without a name of their own are `variable`, `variable_1`, whatever
    the backend calls the class that Keras names them by."""
    made = [(variable.name, type(variable)) for variable in variables]
    if not _may_count(made):
        yield from zip((name for name, _ in made), variables, strict=True)
        return
    for name, variable in zip(_renumbered(made), variables, strict=True):
        base = _private.to_snake_case(type(variable).__name__)
        given, number = _count(name, base)
        yield (name if given is None else _counted("variable", number)), variable


def _check_names(found: Iterable[Found]) -> None:
    seen: set[str] = set()
    for place in found:
        for name in place.names:
            if name in seen:
                raise ValueError(
                    f"two weights of `model` are called {name!r}; they would be given the same "
                    "values. Give one of their layers, or of the weights that one layer made, "
                    "another name; and where `names` has made them one, two."
                )
            seen.add(name)
