# SPDX-License-Identifier: Apache-2.0
"""What a function builds: arrays by name, what their layers say, and how to make them again."""

import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from glorot import _check
from glorot._loaded import is_a
from glorot.jax._init import shapes
from glorot.jax._names import leaves
from glorot.recipe import TensorSpec
from glorot.sources import _equinox, _flax


class Built(NamedTuple):
    """The arrays of a model, and `again(*inputs)`, which makes them anew, by name.

    `state` are those that are no parameters, such as running means.
    """

    what: str
    specs: dict[str, TensorSpec]
    again: Callable[..., dict[str, Any]]
    inputs: tuple[Any, ...] = ()
    state: frozenset[str] = frozenset()


def built(build: Callable[[], Any]) -> Built:
    """Return what `build` builds, without memory where it can be evaluated abstractly.

    Raises:
        TypeError: no model and no tree of arrays.
        ValueError: as the sources of flax and Equinox modules.
    """
    tree = _tree(build)  # which loads what the code imports when it runs
    value = _flax.abstract(build)
    if value is None:
        value = _equinox.abstract(build)
    if value is None:
        value = build() if tree is None else tree
    if _flax.is_nnx(value):
        specs = _flax.of_module(value).shapes
        parameters = {name for name, _, _ in _flax.variables(value, "Param")[0]}
        state = frozenset(specs.keys() - parameters)
        return Built(_name(value), specs, lambda: _of_nnx(build()), state=state)
    if _flax.is_module(value):
        specs = _flax.of_module(value).shapes
        module, *inputs = value
        return Built(
            _name(module),
            specs,
            lambda *given: _by_name(module.init(jax.random.key(0), *given)),
            tuple(inputs),
            frozenset(name for name in specs if not name.startswith("params.")),
        )
    if _equinox.is_module(value):
        return Built(_name(value), _equinox.of_module(value).shapes, lambda: _by_name(build()))
    if is_a(value, "torch", "nn.Module") or is_a(value, "keras", "Layer"):
        other = "torch" if is_a(value, "torch", "nn.Module") else "keras"
        raise TypeError(
            f"`build` must return a model of JAX's; got {type(value).__name__}. Use "
            f"glorot.{other}.capture."
        )
    found = jax.tree.leaves(value)
    alone = len(found) == 1 and found[0] is value
    if alone or not any(hasattr(leaf, "dtype") for leaf in found):
        raise TypeError(
            "`build` must return a flax.nnx or Equinox module, (a flax.linen module, its example "
            f"inputs), or a tree of named arrays; got {_check.show(value)}."
        )
    return Built(
        getattr(build, "__qualname__", "the function"), shapes(value), lambda: _by_name(build())
    )


def _tree(build: Callable[[], Any]) -> Any:
    """The tree of arrays that `build` returns, abstractly; None where it is none."""
    try:
        return jax.eval_shape(build)
    except Exception:  # the callable's own errors come again when it is called
        return None


def _of_nnx(module: Any) -> dict[str, Any]:
    nnx: Any = sys.modules["flax.nnx"]
    return _by_name(nnx.state(module, (nnx.Param, nnx.BatchStat)))


def _by_name(tree: Any) -> dict[str, Any]:
    return {leaf.name: leaf.value for leaf in leaves(tree, traced=True) if leaf.name is not None}


def _name(value: Any) -> str:
    return type(value).__qualname__
