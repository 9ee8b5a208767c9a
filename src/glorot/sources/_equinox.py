# SPDX-License-Identifier: Apache-2.0
"""Equinox modules: names as `glorot.jax` has them, types and axes of layers."""

import sys
from typing import Any

from glorot._dtypes import ALL
from glorot._loaded import is_a
from glorot._words import counted
from glorot.recipe import TensorSpec, parse_shapes
from glorot.sources._source import Source
from glorot.sources._stacks import layout_of, stacked

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
        elif isinstance(key, jax.tree_util.FlattenedIndexKey):  # of a node that names no children
            node = list(jax.tree_util.default_registry.flatten_one_level(node)[0])[key.key]
        else:
            node = node[key.key if isinstance(key, jax.tree_util.DictKey) else key.idx]
        owner = node if is_module(node) else owner
    return owner


_GATES = {"LSTMCell": 4, "GRUCell": 3}


def _size(features: Any) -> int:
    return 1 if features == "scalar" else int(features)


def _spec(owner: Any, last: Any, value: Any) -> TensorSpec:
    """The shape and dtype of an array, and what the layer says of its axes.  `eqx.filter_vmap`
    stacks layers, along axes in front where it is not told otherwise."""
    names = {c.__name__ for c in type(owner).__mro__ if c.__module__.startswith("equinox.")}
    shape, layout, groups = tuple(value.shape), None, 1
    attribute = getattr(last, "name", "")
    if attribute.startswith("weight"):
        alone: tuple[int, ...] = ()
        if "Linear" in names:
            layout, alone = "OI", (_size(owner.out_features), _size(owner.in_features))
        elif gates := next((_GATES[name] for name in names if name in _GATES), 0):
            inputs = owner.hidden_size if attribute == "weight_hh" else owner.input_size
            layout, alone = "OI", (gates * owner.hidden_size, inputs)
        elif names & {"Conv", "ConvTranspose"}:
            layout, groups = "OI" + "L" * owner.num_spatial_dims, owner.groups
            alone = (owner.out_channels, owner.in_channels // groups, *owner.kernel_size)
        elif "Embedding" in names:
            layout, alone = "BN", (owner.num_embeddings, owner.embedding_size)
        if layout is not None:
            axes = stacked(shape, alone) or tuple(range(len(shape) - len(alone)))
            layout = layout_of(layout, alone, axes)
    return parse_shapes(
        {"spec": {"shape": shape, "dtype": value.dtype, "type": type(owner).__name__,
                  "layout": layout, "groups": groups}}
    )["spec"]  # fmt: skip
