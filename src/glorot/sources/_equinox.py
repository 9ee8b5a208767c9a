# SPDX-License-Identifier: Apache-2.0
"""Equinox modules: names as `glorot.jax` has them, types and axes of layers."""

import sys
from typing import Any

from glorot._dtypes import ALL
from glorot._loaded import is_a
from glorot._words import counted
from glorot.recipe import TensorSpec, parse_shapes
from glorot.sources._source import Source

KIND = "equinox module"


def is_module(value: Any) -> bool:
    """Whether this is an Equinox module."""
    return is_a(value, "equinox", "Module")


def abstract(build: Any) -> Any:
    """Return the Equinox module that `build` makes, without memory; None where it makes none, or
    cannot be evaluated abstractly: it is to be called as it is then."""
    equinox = sys.modules.get("equinox")
    if equinox is None:
        return None
    try:
        found = equinox.filter_eval_shape(build)
    except Exception:  # the callable's own errors come again when it is called
        return None
    return found if is_module(found) else None


def of_module(module: Any) -> Source:
    """Return the arrays of an Equinox module; those of a dtype that no weight has are left out.

    Raises:
        ValueError, TypeError: as `glorot.jax.init`, of trees.
    """
    import jax

    from glorot.jax._names import leaves

    weights = frozenset(ALL.values())
    found, count = {}, 0
    paths = jax.tree_util.tree_flatten_with_path(module)[0]
    for leaf, (path, _) in zip(leaves(module), paths, strict=True):
        if leaf.name is None:
            continue
        if leaf.value.dtype in weights:
            found[leaf.name] = _spec(_owner(module, path), path[-1], leaf.value)
        else:
            count += 1
    notes = (f"left out: {counted(count, 'array')} of a dtype that no weight has",) if count else ()
    return Source(parse_shapes(found), KIND, notes=notes)


def _owner(module: Any, path: Any) -> Any:
    """The innermost module on the way to a leaf."""
    import jax

    owner = node = module
    for key in path[:-1]:
        if isinstance(key, jax.tree_util.GetAttrKey):
            node = getattr(node, key.name)
        else:
            node = node[key.key if isinstance(key, jax.tree_util.DictKey) else key.idx]
        owner = node if is_module(node) else owner
    return owner


def _spec(owner: Any, last: Any, value: Any) -> TensorSpec:
    """The shape and dtype of an array, and what the layer says of its axes.  `eqx.filter_vmap`
    stacks layers along axes in front."""
    names = {c.__name__ for c in type(owner).__mro__ if c.__module__.startswith("equinox.")}
    shape, layout, groups = tuple(value.shape), None, 1
    if getattr(last, "name", "").startswith("weight"):
        if names & {"Linear", "LSTMCell", "GRUCell"}:
            layout = "OI"
        elif names & {"Conv", "ConvTranspose"}:  # both (out, in / groups, ...)
            layout, groups = "OI" + "L" * owner.num_spatial_dims, owner.groups
        elif "Embedding" in names:
            layout = "BN"
    if layout is not None:
        layout = "B" * (len(shape) - len(layout)) + layout
    return parse_shapes(
        {"spec": {"shape": shape, "dtype": value.dtype, "type": type(owner).__name__,
                  "layout": layout, "groups": groups}}
    )["spec"]  # fmt: skip
