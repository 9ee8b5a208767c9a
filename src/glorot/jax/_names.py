# SPDX-License-Identifier: Apache-2.0
"""The leaves of a tree and their names: the keys on the way to a leaf, joined by dots.

Dict keys, attributes and positions are written as they are: `params.Dense_0.kernel`,
`layers.0.weight`.  The boxes that flax puts around an array (`nnx.Variable`, linen's partitioned
ones) add nothing.  So a leaf has the name that its array has in a checkpoint of the same tree.
"""

import functools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax

from glorot._check import near, show

_BOXES = {"Variable", "AxisMetadata"}


class Leaf(NamedTuple):
    """One leaf; `name` is None where it is no array: functions, numbers, text."""

    name: str | None
    value: Any


def leaves(tree: Any, *, traced: bool = False) -> list[Leaf]:
    """The leaves of `tree` in JAX's order; `traced` allows those of a trace.

    Raises:
        ValueError: two leaves of one name; one flax variable in two places; no arrays.
    """
    found = []
    boxes: dict[int, str] = {}
    taken: set[str] = set()
    for path, value in _paths(tree, boxes):
        name = _join(path) if hasattr(value, "shape") and hasattr(value, "dtype") else None
        if name is not None:
            if isinstance(value, jax.core.Tracer) and not traced:
                raise TypeError(
                    f"{name!r} in `tree` is being traced. Call glorot.jax.init outside of jit, and "
                    "inside of it glorot.jax.values."
                )
            if not name:
                raise ValueError(
                    "`tree` is one array without a name. Put it into a dict, {'kernel': ...}, or "
                    "call glorot.jax.values."
                )
            if name in taken:
                raise ValueError(
                    f"`tree` has two leaves of the name {name!r}: a key holds a dot. Rename it."
                )
            taken.add(name)
        found.append(Leaf(name, value))
    if not taken:
        raise ValueError("`tree` must hold arrays or what jax.eval_shape makes of them, got none.")
    return found


def _paths(tree: Any, boxes: dict[int, str]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    for path, node in jax.tree_util.tree_flatten_with_path(tree, is_leaf=_is_box)[0]:
        if not _is_box(node):
            yield path, node
            continue
        if id(node) in boxes:
            raise ValueError(
                f"{boxes[id(node)]!r} and {_join(path)!r} in `tree` are one flax variable. Pass "
                "its state, which holds it once: nnx.split(model)[1]."
            )
        boxes[id(node)] = _join(path)
        for inner, value in jax.tree_util.tree_flatten_with_path(node)[0]:
            yield (*path, *inner[1:]), value


def _is_box(node: Any) -> bool:
    cls: Any = type(node)
    return _is_box_class(cls)


@functools.lru_cache(maxsize=1024)  # it is asked of every node of a tree, twice
def _is_box_class(cls: type) -> bool:
    return any(
        base.__name__ in _BOXES and base.__module__.partition(".")[0] == "flax"
        for base in cls.__mro__
    )


def _join(path: tuple[Any, ...]) -> str:
    return str(jax.tree_util.keystr(path, simple=True, separator="."))


def rename(found: list[Leaf], names: Mapping[str, str]) -> list[Leaf]:
    """The leaves under the names that `names` gives some of them.

    Raises:
        TypeError: something else than a mapping from text to text.
        ValueError: a name that no leaf has, or two leaves under one name.
    """
    if not isinstance(names, Mapping) or not all(isinstance(n, str) for n in names.values()):
        raise TypeError(
            "`names` must be a mapping from leaves' names to others, such as "
            f"{{'dense.kernel': 'dense.weight'}}; got {show(names)}."
        )
    check_known("names", names, found)
    renamed = [leaf._replace(name=names.get(leaf.name or "", leaf.name)) for leaf in found]
    taken: set[str] = set()
    for leaf in renamed:
        if leaf.name in taken:
            raise ValueError(
                f"`names` gives two leaves the name {leaf.name!r}, so they would hold the same "
                "words. Arrays that are to be one go into `aliases`."
            )
        if leaf.name is not None:
            taken.add(leaf.name)
    return renamed


def check_known(argument: str, wanted: Mapping[str, Any], found: list[Leaf]) -> None:
    """Refuse a key that no leaf has as its name."""
    known = [leaf.name for leaf in found if leaf.name is not None]
    for name in wanted:
        if name not in known:
            raise ValueError(
                f"`{argument}` names {show(name)}, which is no array of `tree`. "
                f"{near(str(name), known)}"
            )
