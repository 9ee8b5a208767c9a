# SPDX-License-Identifier: Apache-2.0
"""The variables of a `tf.Module`, or of a list, and their names.

In a module a variable's name is the way to it, attributes and positions joined by dots
("layers.0.kernel"), since modules often call all their variables "w".  In a list it is the
variable's own name without ":0"; in a mapping, the key.
"""

import operator
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from glorot._check import show
from glorot._renaming import Names, Renaming
from glorot._shard import Shard
from glorot.recipe._shapes import check_parameter_name


class Part(NamedTuple):
    """A variable, and which part of the weight it is; None: all."""

    variable: Any
    shard: Shard | None


class Weight(NamedTuple):
    """A weight: its names, shape, the class of what holds it, its parts."""

    names: list[str]
    shape: tuple[int, ...]
    owner: str
    parts: list[Part]


class Contents(NamedTuple):
    """Weights that are trainable, and the names of the rest."""

    weights: list[Weight]
    state: list[str]


def collect(target: Any, names: Names = None) -> Contents:
    """Return what a module, a list or a mapping of variables holds, under names changed by `names`.

    Raises:
        TypeError: something that is no variable, or one of DTensor's.
        ValueError: two weights of one name; a graph's variables.
    """
    renamed = Renaming(names)
    weights: dict[str, Weight] = {}
    held: dict[int, Weight] = {}  # a variable's other places
    state: dict[int, str] = {}
    eager = tf.executing_eagerly()
    for path, variable, owner in _named(target):
        first = variable.variables[0] if _is_sharded(variable) else variable
        if not (eager and hasattr(first, "numpy")):
            raise ValueError(
                f"the variable {path!r} is a graph's, which has no values outside of a session. "
                "Fill it as it is made, by glorot.tensorflow.custom_getter, and run its "
                "initializer."
            )
        if type(first).__name__ == "DVariable":
            raise TypeError(
                f"the variable {path!r} is a DVariable of tf.experimental.dtensor, which takes "
                "DTensors alone. Make it from glorot's values, laid out by dtensor.relayout."
            )
        if not first.trainable:
            state.setdefault(id(variable), renamed(path))
            continue
        name, shape, parts = _parts(path, variable)
        name = check_parameter_name(renamed(name))
        if id(variable) in held:
            if name not in held[id(variable)].names:
                held[id(variable)].names.append(name)
            continue
        known = weights.setdefault(name, Weight([name], shape, owner, []))
        new = {part.shard for part in parts}
        if known.parts and (None in new or any(part.shard in new for part in known.parts)):
            raise ValueError(
                f"two variables are called {name!r}; they would be given the same values. Pass the "
                "tf.Module that holds them, or a mapping from names."
            )
        known.parts.extend(parts)
        held[id(variable)] = known
    renamed.check("`target`")
    _check_names(weights.values())
    return Contents(list(weights.values()), list(state.values()))


def _check_names(weights: Iterable[Weight]) -> None:
    seen: set[str] = set()
    for weight in weights:
        for name in weight.names:
            if name in seen:
                raise ValueError(
                    f"`names` calls two variables {name!r}; they would be given the same values."
                )
            seen.add(name)


def _named(target: Any) -> Iterator[tuple[str, Any, str]]:
    if isinstance(target, Mapping):
        for name, variable in target.items():
            yield name, _checked(variable), ""
    elif isinstance(target, tf.Module) and hasattr(target, "trainable_weights"):
        for variable in target.weights:  # a layer or model of tf.keras, which names them apart
            yield _own_name(variable), variable, ""
    elif isinstance(target, tf.Module):
        for path, variable, owner in _walk(target):
            yield ".".join(map(str, path)), variable, type(owner).__name__
    elif _is_variable(target):
        yield _own_name(target), target, ""
    elif isinstance(target, Iterable) and not isinstance(target, (str, bytes)):
        for variable in target:
            yield _own_name(_checked(variable)), variable, ""
    else:
        raise TypeError(
            "`target` must be a tf.Module, a tf.Variable, or a list or mapping of variables; got "
            f"{show(target)} of {type(target).__name__}. A Keras 3 model is filled by "
            "glorot.keras.init."
        )


def _is_variable(value: Any) -> bool:
    return isinstance(value, tf.Variable) or _is_sharded(value)


def _is_sharded(value: Any) -> bool:
    """A variable that ParameterServerStrategy split."""
    cls = type(value)
    if cls not in _SHARDED:
        _SHARDED[cls] = any(base.__name__ == "ShardedVariableMixin" for base in cls.__mro__)
    return _SHARDED[cls]


_SHARDED: dict[type, bool] = {}  # by class


def _checked(value: Any) -> Any:
    if not _is_variable(value):
        raise TypeError(
            f"`target` must hold variables, got {show(value)} of {type(value).__name__}."
        )
    return value


def _walk(
    module: Any, path: tuple[Any, ...] = (), around: tuple[Any, ...] = ()
) -> Iterator[tuple[tuple[Any, ...], Any, Any]]:
    """(the way to it, variable, the module that holds it), in the order and under the paths of
    `tf.Module`'s own walk, which takes 28 us a module: it looks for structures in each text too."""
    inner = []
    ignored = module._TF_MODULE_IGNORED_PROPERTIES
    for key, value in sorted(vars(module).items(), key=operator.itemgetter(0)):
        if value.__class__ in _NEITHER or key in ignored:
            continue
        for at, leaf in _leaves(key, value):
            if _is_variable(leaf):
                yield (*path, key, *at), leaf, module
            elif isinstance(leaf, tf.Module):
                inner.append(((*path, key, *at), leaf))
    if not any(module is other for other in around):  # a module that holds itself
        for at, part in inner:
            yield from _walk(part, at, (*around, module))


# Most of what a module holds is its own: names, counters, and dicts that are empty.
_NEITHER = frozenset((str, bool, int, float, set, type(None), tf.name_scope))


def _leaves(key: str, value: Any) -> Iterable[tuple[tuple[Any, ...], Any]]:
    """What an attribute is, or the structure in it holds."""
    if isinstance(value, dict) and not value:
        return ()
    if not tf.nest.is_nested(value):
        return (((), value),)
    try:
        paths = tf.__internal__.nest.yield_flat_paths(value)
        return tuple(zip(paths, tf.nest.flatten(value), strict=True))
    except Exception as error:  # whatever users' containers raise
        raise ValueError(f"Error processing property {key!r} of {value!r}") from error


def _own_name(variable: Any) -> str:
    return str(variable.name).partition(":")[0]


def _parts(name: str, variable: Any) -> tuple[str, tuple[int, ...], list[Part]]:
    """(name, shape, parts) of the whole that a variable is, or is a part of."""
    if _is_sharded(variable):
        parts, row = [], 0
        for part in variable.variables:  # along the first axis, always
            start = (row,) + (0,) * (len(part.shape) - 1)
            parts.append(Part(part, _shard(start, part.shape)))
            row += int(part.shape[0])
        return name, tuple(variable.shape), parts
    info = variable._get_save_slice_info() if hasattr(variable, "_get_save_slice_info") else None
    if info is not None:  # a part that v1's partitioner made
        shard = _shard(tuple(map(int, info.var_offset)), variable.shape)
        return str(info.full_name), tuple(map(int, info.full_shape)), [Part(variable, shard)]
    shape = variable.shape
    if not shape.is_fully_defined():  # it may change; what is filled is what is there
        shape = tf.shape(variable).numpy()
    return name, tuple(map(int, shape)), [Part(variable, None)]


def _shard(start: tuple[int, ...], shape: Any) -> Shard:
    return Shard(start, [i + int(n) for i, n in zip(start, shape, strict=True)])
