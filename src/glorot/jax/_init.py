# SPDX-License-Identifier: Apache-2.0
"""`init`: fills an abstract tree by the names of its leaves, each where it is to lie."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax

from glorot import _base, _check, _stream
from glorot._dtypes import ALL, dtype_name
from glorot.jax import _names, _place
from glorot.jax._names import Leaf
from glorot.jax._traced import Array
from glorot.jax._values import parse_jax_dtype
from glorot.recipe import Assignment, Recipe, TensorSpec
from glorot.recipe._argument import read_recipe
from glorot.recipe._shapes import said_of


def init(
    tree: Any,
    recipe: Any,
    *,
    seed: int,
    shardings: Any = None,
    names: Mapping[str, str] | None = None,
    aliases: Mapping[str, str] | None = None,
    specs: Mapping[str, Any] | None = None,
) -> Any:
    """Return `tree` with every array replaced by the initial value that the recipe gives it.

    Names are the keys on the way to a leaf, joined by dots ("params.Dense_0.kernel"), as in
    checkpoints and recipes.  Each process computes the blocks that its devices hold, each block
    once, and nothing else: on CPUs by the native kernel in the array's own memory, elsewhere by the
    traced law on the devices.  All is checked before anything is computed.

    Args:
        tree: what `jax.eval_shape` gives, of any framework, or arrays, of which only shape, dtype
            and sharding are read. Leaves that are no arrays stay as they are, and so do those that
            a rule of None leaves out.
        recipe: a `glorot.Recipe`, the name of a built-in one, the path of a file, or a single
            initializer for all.
        seed: 0 <= seed < 2**64.
        shardings: one `Sharding` or `PartitionSpec` (under `jax.set_mesh`) for all, or a tree of
            them, a prefix of `tree`; None: as each leaf says itself, else the default device.
        names: other names for some leaves, under which the recipe and the stream know them.
        aliases: leaves that are another's array: {"head.kernel": "embed.embedding"}.
        specs: what the layers say of their leaves, types and axes, which a tree does not:
            `glorot.sources.read(module).shapes` of a flax or Equinox module. Presets ask for
            types.

    Raises:
        ValueError: a leaf that no rule matches, a rule that matches nothing; a shape, dtype or
            sharding that cannot be had; unknown names; a spec of another shape.
        TypeError: a dtype that the rule's initializer does not have (integers, keys).

    Examples:
        >>> import glorot, glorot.jax, jax, jax.numpy as jnp
        >>> tree = {"up": {"kernel": jax.ShapeDtypeStruct((4, 8), jnp.float32),
        ...                "bias": jax.ShapeDtypeStruct((8,), jnp.float32)}}
        >>> recipe = glorot.Recipe([glorot.Rule("*.bias", "zeros"), glorot.Rule("*", "he_normal")])
        >>> params = glorot.jax.init(tree, recipe, seed=42)
        >>> params["up"]["kernel"].shape, float(params["up"]["bias"].sum())
        ((4, 8), 0.0)
        >>> kernel = glorot.HeNormal()((4, 8), seed=42, name="up.kernel")
        >>> bool((params["up"]["kernel"] == kernel).all())
        True
    """
    number = _stream.check_seed(seed)
    plan = _plan(tree, recipe, names, aliases, specs)
    works = _works(plan, tree, shardings)
    arrays: dict[str, Array] = dict(zip(works, _place.compute(works.values(), number), strict=True))
    made = [_made(leaf, plan.aliases, arrays) for leaf in plan.leaves]
    return jax.tree.unflatten(jax.tree.structure(tree), made)


def explain(
    tree: Any,
    recipe: Any,
    *,
    names: Mapping[str, str] | None = None,
    aliases: Mapping[str, str] | None = None,
    specs: Mapping[str, Any] | None = None,
) -> list[Assignment]:
    """Return what `init` would do with each array: its rule, initializer, fans and law.

    Nothing is computed; the arguments and errors are those of `init`.

    Examples:
        >>> import glorot.jax, jax
        >>> tree = {"kernel": jax.ShapeDtypeStruct((300, 300), "float32")}
        >>> [(a.name, a.rule.pattern, a.law) for a in glorot.jax.explain(tree, "glorot_uniform")]
        [('kernel', '*', 'U(-0.1, 0.1)')]
    """
    return list(_plan(tree, recipe, names, aliases, specs).assignments.values())


def shapes(tree: Any, *, names: Mapping[str, str] | None = None) -> dict[str, TensorSpec]:
    """Return the arrays of a tree under the names that `init` gives them; keys and others of a
    dtype that no weight has are left out.

    A tree says nothing of layers: `glorot.sources.read(module).shapes` does, of a flax
    or Equinox module.

    Args:
        tree, names: as for `init`.

    Raises:
        ValueError, TypeError: as `init`, of trees and names.

    Examples:
        >>> import glorot.jax, jax
        >>> tree = {"up": {"kernel": jax.ShapeDtypeStruct((4, 8), "float32")}}
        >>> glorot.jax.shapes(tree)
        {'up.kernel': TensorSpec(shape=(4, 8), dtype='float32')}
    """
    found = _names.leaves(tree)
    return {
        leaf.name: TensorSpec(tuple(leaf.value.shape), dtype_name(leaf.value.dtype))
        for leaf in (_names.rename(found, names) if names else found)
        if leaf.name is not None and leaf.value.dtype in _DTYPES
    }


_DTYPES = frozenset(ALL.values())


class _Plan(NamedTuple):
    leaves: list[Leaf]  # under the names that the recipe knows
    aliases: Mapping[str, str]
    assignments: dict[str, Assignment]


def _plan(tree: Any, recipe: Any, names: Any, aliases: Any, specs: Any) -> _Plan:
    found = _names.leaves(tree)
    others = _check_aliases(aliases or {}, found)
    known = found
    if names:
        known = _names.rename(found, names)
        new = {a.name: b.name for a, b in zip(found, known, strict=True) if a.name is not None}
        others = {str(new[a]): str(new[b]) for a, b in others.items()}
    own = {leaf.name: leaf.value for leaf in known if leaf.name and leaf.name not in others}
    said = {} if specs is None else _said(specs, found, known)
    return _Plan(known, others, _assign(read_recipe(recipe), own, said))


def _said(specs: Any, found: list[Leaf], known: list[Leaf]) -> dict[str, TensorSpec]:
    """What `specs` says of the leaves, under the names that the recipe knows; it may know more."""
    own = {leaf.name: leaf.value for leaf in found if leaf.name is not None}
    said = said_of(specs, "tree", own)
    return {
        renamed.name: said[leaf.name]
        for leaf, renamed in zip(found, known, strict=True)
        if leaf.name in said and renamed.name is not None
    }


def _assign(
    rules: Recipe, own: Mapping[str, Any], said: Mapping[str, TensorSpec]
) -> dict[str, Assignment]:
    """What the recipe gives; leaves of a dtype that no weight has (keys) must be left out by it."""
    strange = {name: leaf for name, leaf in own.items() if leaf.dtype not in _DTYPES}
    if strange:
        _check_left_out(rules, strange)
    kept = {name: leaf for name, leaf in own.items() if name not in strange}
    if not kept:
        raise ValueError("the recipe leaves out every array of `tree`: nothing is to be computed.")
    assignments = {
        a.name: a for a in rules.resolve({n: said.get(n, leaf) for n, leaf in kept.items()})
    }
    for assignment in assignments.values():
        parse_jax_dtype(assignment.dtype, assignment.initializer)
    return assignments


def _check_left_out(rules: Recipe, strange: Mapping[str, Any]) -> None:
    found = rules.match({name: leaf.shape for name, leaf in strange.items()}).rules
    for name, leaf in strange.items():
        rule = found.get(name)
        if rule is None or rule.initializer is not None:
            takes = "no rule leaves it out" if rule is None else f"{rule.pattern!r} takes it"
            is_key = jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
            known = "" if is_key else f" Weights are of {', '.join(ALL)}."
            raise TypeError(
                f"{name!r} of {leaf.dtype} is no weight, and {takes}.{known} Put Rule({name!r}, "
                "None) first, or pass the parameters alone, such as nnx.state(model, nnx.Param)."
            )


def _check_aliases(aliases: Any, found: list[Leaf]) -> dict[str, str]:
    if not isinstance(aliases, Mapping):
        raise TypeError(
            "`aliases` must be a mapping from a leaf's name to another's, got "
            f"{_check.show(aliases)}."
        )
    _names.check_known("aliases", aliases, found)
    _names.check_known("aliases", dict.fromkeys(aliases.values()), found)
    values = {leaf.name: leaf.value for leaf in found}
    for name, other in aliases.items():
        if other in aliases:
            raise ValueError(
                f"`aliases` makes {name!r} {other!r}, which is an alias itself. Name the array "
                "that both are."
            )
        a, b = values[name], values[other]
        if (a.shape, a.dtype) != (b.shape, b.dtype):
            raise ValueError(
                f"`aliases` makes {name!r} of {a.shape} {a.dtype} the array {other!r} of "
                f"{b.shape} {b.dtype}; they must agree."
            )
    return dict(aliases)


def _works(plan: _Plan, tree: Any, shardings: Any) -> dict[str, _place.Work]:
    """The work of each assigned leaf, checked."""
    works = {}
    placements = _place.shardings_of(tree, shardings)
    for leaf, sharding in zip(plan.leaves, placements, strict=True):
        assignment = plan.assignments.get(leaf.name or "")
        if assignment is not None:
            shape, dtype = assignment.shape, ALL[assignment.dtype]
            writer = _base._prepared(assignment.initializer, shape, dtype)
            there = _place.check(assignment.name, shape, sharding)
            works[assignment.name] = _place.Work(assignment.name, dtype, writer, there)
    return works


def _made(leaf: Leaf, aliases: Mapping[str, str], arrays: Mapping[str, Array]) -> Any:
    name = leaf.name or ""
    return arrays.get(aliases.get(name, name), leaf.value)
