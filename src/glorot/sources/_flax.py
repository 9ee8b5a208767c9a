# SPDX-License-Identifier: Apache-2.0
"""flax modules, evaluated abstractly: names as `glorot.jax` has them, types and axes of layers."""

import itertools
import sys
from typing import Any

from glorot._layouts import parse_equation
from glorot._loaded import is_a
from glorot.recipe import TensorSpec, parse_shapes
from glorot.sources._frameworks import require, said
from glorot.sources._source import Source
from glorot.sources._stacks import layout_of, stacked

KIND = "flax module"


def is_linen(value: Any) -> bool:
    """Whether this is a flax.linen module."""
    return is_a(value, "flax.linen", "Module")


def is_nnx(value: Any) -> bool:
    """Whether this is a flax.nnx module."""
    return is_a(value, "flax.nnx", "Module")


def is_linen_call(value: Any) -> bool:
    """Whether this is a flax.linen module with the inputs to call it with."""
    return isinstance(value, tuple) and bool(value) and is_linen(value[0])


def is_module(value: Any) -> bool:
    """Whether this is what `of_module` takes."""
    return is_linen(value) or is_nnx(value) or is_linen_call(value)


def abstract(build: Any) -> Any:
    """Return the nnx module that `build` makes, without memory; None where it makes none, or
    cannot be evaluated abstractly: it is to be called as it is then."""
    nnx = sys.modules.get("flax.nnx")
    if nnx is None:
        return None

    def checked() -> Any:
        found = build()
        if not is_nnx(found):
            raise _NotNnx
        return found

    try:
        return nnx.eval_shape(checked)
    except Exception:  # the callable's own errors come again when it is called
        return None


class _NotNnx(Exception):  # noqa: N818
    """What the callable makes is of another framework."""


def of_module(value: Any) -> Source:
    """Return the variables of an nnx module, or of (a linen module, its inputs).

    Of nnx these are the `Param` and `BatchStat` variables; of linen everything that
    `module.init` returns, under names that begin with the collection: "params.Dense_0.kernel".

    Raises:
        ValueError: a linen module without inputs; one that cannot be called with them.
    """
    require("flax", KIND)
    if is_nnx(value):
        shapes, notes = _of_nnx(value)
    elif is_linen(value):
        raise ValueError(
            f"the flax.linen module {type(value).__name__} has no parameters before it is called. "
            "Return (module, inputs, ...), with example inputs or their jax.ShapeDtypeStruct."
        )
    else:
        shapes, notes = _of_linen(value[0], value[1:]), ()
    if not shapes:
        raise ValueError("the flax module has no parameters: there is nothing to write.")
    return Source(parse_shapes(shapes), KIND, notes=notes)


def _of_linen(module: Any, inputs: tuple[Any, ...]) -> dict[str, TensorSpec]:
    import flax.linen as nn
    import jax

    from glorot.jax._names import leaves

    owners: dict[tuple[str, ...], Any] = {}
    makers: dict[tuple[str, ...], Any] = {}
    alone: dict[tuple[str, ...], tuple[int, ...]] = {}  # shapes as the layer itself sees them

    def note(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        module = context.module
        owners.setdefault(module.path, module)
        result = call(*args, **kwargs)
        for collection, held in module.variables.items() if module.scope is not None else ():
            for name, value in nn.meta.unbox(dict(held)).items():
                if hasattr(value, "shape"):
                    alone.setdefault((collection, *module.path, name), tuple(value.shape))
                    # Of modules that share a scope the one that made it, whose call ends first.
                    makers.setdefault((collection, *module.path, name), module)
        return result

    def init(*args: Any) -> Any:  # JAX would not call `module.init` where it has traced it before
        return module.init(*args)

    try:
        with nn.intercept_methods(note):
            tree = jax.eval_shape(init, jax.random.key(0), *inputs)
    except Exception as error:
        raise ValueError(
            f"{type(module).__name__} cannot be evaluated with these inputs ({said(error)})."
        ) from None
    found = {}
    for leaf in leaves(tree):
        if leaf.name is not None:
            path = tuple(leaf.name.split("."))
            owner = makers.get(path) or owners.get(path[1:-1])
            around = owners.get(path[1:-2])
            found[leaf.name] = _spec(owner, path[-1], leaf.value, alone.get(path), around)
    return found


def _of_nnx(module: Any) -> tuple[dict[str, TensorSpec], tuple[str, ...]]:
    found, others = variables(module, "Param", "BatchStat")
    count = len(others)
    said_of = f"left out: {count} variables that are neither Param nor BatchStat"
    return {name: spec for name, _, spec in found}, ((said_of,) if count else ())


def variables(
    module: Any, *kinds: str
) -> tuple[list[tuple[str, Any, TensorSpec]], list[tuple[str, ...]]]:
    """Return (name, array, what its module says) of the variables of these kinds of an nnx module,
    and the paths of all others."""
    from flax import nnx

    from glorot.jax._names import leaves

    kept, others = nnx.state(module, tuple(getattr(nnx, kind) for kind in kinds), ...)
    by_name = {".".join(map(str, path)): part for path, part in nnx.iter_modules(module)}
    found = []
    for leaf in leaves(kept):
        if leaf.name is not None:
            head, _, last = leaf.name.rpartition(".")
            owner = by_name.get(head)
            around = by_name.get(head.rpartition(".")[0])
            spec = _spec(owner, last, leaf.value, _alone(owner), around)
            found.append((leaf.name, leaf.value, spec))
    return found, [tuple(map(str, path)) for path, _ in nnx.to_flat_state(others)]


# By class and attribute; the axes of the general ones follow from the layer. Source: flax 0.12.8,
# flax/linen and flax/nnx/nn, linear.py.
_LAYOUTS = {
    "Dense": "flax.dense",
    "Linear": "flax.dense",
    "DenseParams": "flax.dense",
    "Conv": "flax.conv",
    "ConvTranspose": "flax.conv_transpose",
    "Embed": "embedding",
}


def _spec(
    owner: Any, last: str, value: Any, alone: tuple[int, ...] | None, around: Any
) -> TensorSpec:
    """The shape and dtype of a variable, and what its module says of its axes; `alone` is the shape
    that one layer's has where `nn.scan`, `nn.vmap` or `nnx.vmap` stacked those of several.

    A tag says the recurrent cell, `around`, of which the module is a gate."""
    shape = tuple(value.shape)
    stack = () if alone is None else stacked(shape, alone)
    own = shape if alone is None or not stack else alone
    names = [c.__name__ for c in type(owner).__mro__ if c.__module__.startswith("flax.")]
    kind = "" if owner is None else type(owner).__name__
    cells = [c.__name__ for c in type(around).__mro__ if c.__module__.startswith("flax.")]
    tags = cells[:1] if around is not owner and "RNNCellBase" in cells else ()
    layout = None
    if len(own) > 1 and last in ("kernel", "embedding"):
        layout = next((_LAYOUTS[name] for name in names if name in _LAYOUTS), None)
        if {"DenseGeneral", "LinearGeneral"} & set(names):
            layout = _general(owner, len(own))
        elif "Einsum" in names:
            layout = _by_equation(owner, len(own))
        elif "ConvLocal" in names:  # each place has a matrix of its own
            layout = "B" * (len(own) - 2) + "IO"
        elif layout == "flax.conv_transpose" and getattr(owner, "transpose_kernel", False):
            layout = "flax.conv_transpose.transpose_kernel"
    groups = getattr(owner, "feature_group_count", 1) if layout == "flax.conv" else 1
    if layout is not None and stack:
        layout = layout_of(layout, own, stack)
    return parse_shapes(
        {"spec": {"shape": shape, "dtype": value.dtype, "type": kind, "layout": layout,
                  "groups": groups, "tags": tags}}
    )["spec"]  # fmt: skip


def _alone(owner: Any) -> tuple[int, ...] | None:
    """The shape that the kernel of one nnx layer has by what the layer was made with."""
    if hasattr(owner, "kernel_shape"):
        return tuple(owner.kernel_shape)
    if hasattr(owner, "num_embeddings") and hasattr(owner, "features"):
        return (owner.num_embeddings, owner.features)
    if hasattr(owner, "in_features") and hasattr(owner, "out_features"):
        batch = getattr(owner, "batch_axis", None) or {}
        sizes = (owner.in_features, owner.out_features)
        spread = (each if isinstance(each, (tuple, list)) else (each,) for each in sizes)
        return (*batch.values(), *itertools.chain.from_iterable(spread))
    return None


def _by_equation(owner: Any, axes: int) -> str | None:
    """The axes of an einsum's kernel; None where the call says the equation, or none is said."""
    try:
        roles = parse_equation(owner.einsum_str)
    except (TypeError, ValueError):
        return None
    return roles if len(roles) == axes else None


def _general(owner: Any, axes: int) -> str:
    """The axes of a dense layer over several: batch, in, out."""

    def count(name: str) -> int:
        value = getattr(owner, name, ())
        return len(value) if isinstance(value, (tuple, list)) else 1

    out = count("out_features" if hasattr(owner, "out_features") else "features")
    lead = len(getattr(owner, "batch_axis", None) or getattr(owner, "batch_dims", None) or ())
    return "B" * lead + "I" * (axes - out - lead) + "O" * out
