# SPDX-License-Identifier: Apache-2.0
"""`init_`: give a tensor, or all parameters of a module, their first values in place."""

from typing import Any, overload

import torch

from glorot._base import Initializer
from glorot._batch import Batch
from glorot._renaming import Names
from glorot._report import InitReport, report_all, report_parameter
from glorot._stream import check_name, check_seed
from glorot._writers import Writer
from glorot.recipe import Recipe
from glorot.recipe._argument import read_recipe
from glorot.torch import _parametrized
from glorot.torch._collect import Contents, Group, collect
from glorot.torch._compile import uncompiled
from glorot.torch._memory import check_eager, check_known
from glorot.torch._plan import Plan, Planned, make_plan
from glorot.torch._target import Target, check_tensor, read_initializer


@overload
def init_(
    target: torch.nn.Module, recipe: Any, /, *, seed: int, names: Names = None, whole: Any = None
) -> InitReport: ...


@overload
def init_(
    target: torch.Tensor,
    initializer: Any,
    /,
    *,
    seed: int | None = None,
    name: str,
    shape: Any = None,
    shard: Any = None,
) -> torch.Tensor: ...


@uncompiled
@torch.no_grad()
def init_(
    target: Any,
    recipe: Any,
    /,
    *,
    seed: int | None = None,
    name: str | None = None,
    names: Names = None,
    whole: Any = None,
    shape: Any = None,
    shard: Any = None,
) -> Any:
    """Fill a tensor, or every parameter of a module, in place.

    `init_(tensor, initializer, seed=..., name=...)` fills the tensor's own memory, whatever its
    strides, and returns it; of a DTensor this rank's part, with no communication.  Fans are those
    of the whole tensor as `initializer` reads its axes (`layout="torch.linear"`).

    `init_(module, recipe, seed=...)` fills every parameter by its name, a tied one once, under
    the first of its names that the recipe has an initializer for.  Names are canonical
    (`glorot.torch.canonical_name`): compiling or wrapping a module changes no value.

    Everything is checked before any memory is changed.  Autograd sees an operation in place under
    `torch.no_grad()`: `requires_grad` stays, the version counter goes up.

    Args:
        target: a tensor or a module.
        recipe: for a module a `glorot.Recipe`, the name or path of one, or one initializer for
            all; for a tensor an initializer, or what `glorot.get` makes one of.
        seed: 0 <= seed < 2**64; a tensor's may be the initializer's own.
        name: of the tensor; two that must differ need two names.
        names: for a module, other names for its parameters: a mapping from the canonical names,
            or a function of one. Give a pipeline's stage the names of the whole model with it.
        whole: for a module that is a part of a model, as a pipeline's stage: the whole model, for
            which the meta device will do, or a mapping from its names to shapes. The recipe is then
            about the whole: its rules may match what is elsewhere, and it counts all layers.
        shape, shard: for a plain tensor that is a part: the shape of the whole, and which part of
            it, a `glorot.Shard` or slices. A DTensor knows both.

    Returns:
        The tensor, or an `InitReport` of the module.

    Raises:
        ValueError: a parameter that no rule matches, or a rule that matches none; a lazy or meta
            tensor; overlapping, conjugated or freed memory; a Partial placement; no seed.
        TypeError: a dtype that the initializer does not write; a fake or traced tensor.

    Examples:
        >>> import glorot, torch
        >>> import glorot.torch
        >>> layer = torch.nn.Linear(784, 256)
        >>> recipe = glorot.Recipe([
        ...     glorot.Rule("*bias", "zeros"),
        ...     glorot.Rule("*", glorot.GlorotUniform(layout="torch.linear")),
        ... ])
        >>> report = glorot.torch.init_(layer, recipe, seed=42)
        >>> [(p.name, p.law) for p in report.parameters]
        [('weight', 'U(-0.07596, 0.07596)'), ('bias', 'Zeros')]
        >>> w = torch.empty(256, 784)
        >>> w = glorot.torch.init_(w, recipe.rules[1].initializer, seed=42, name="weight")
        >>> bool((w == layer.weight).all())
        True
    """
    if isinstance(target, torch.nn.Module):
        for argument, value in (("name", name), ("shape", shape), ("shard", shard)):
            if value is not None:
                raise TypeError(
                    f"`{argument}` is for a tensor; a module's parameters have their own."
                )
        return init_module(target, recipe, seed=seed, names=names, whole=whole)
    if names is not None:
        raise TypeError("`names` is for a module; give a tensor its `name`.")
    if whole is not None:
        raise TypeError("`whole` is for a module; a tensor that is a part has `shape` and `shard`.")
    if not isinstance(target, torch.Tensor):
        raise TypeError(
            f"init_ fills a torch.Tensor or a torch.nn.Module, got {type(target).__name__}."
        )
    if name is None:
        raise TypeError(
            "`name` is missing: the tensor's values come from the seed and its name, so that two "
            "tensors that must differ need two names."
        )
    initializer = read_initializer(recipe)
    return init_tensor(target, initializer, seed=seed, name=name, shape=shape, shard=shard)


@uncompiled
@torch.no_grad()
def init_tensor(
    tensor: torch.Tensor,
    initializer: Initializer,
    *,
    seed: int | None,
    name: str,
    shape: Any = None,
    shard: Any = None,
) -> torch.Tensor:
    """Fill one tensor and return it."""
    number = initializer._seed(seed)
    check_name(name)
    check_eager()
    target = Target(check_tensor(tensor), "`tensor`", shape, shard)
    target.fill(target.writer(initializer), number, name)
    return tensor


def init_module(
    module: torch.nn.Module, recipe: Any, *, seed: Any, names: Names = None, whole: Any = None
) -> InitReport:
    """Fill the parameters of a module and report."""
    rules = read_recipe(recipe)
    number = check_seed(seed)
    check_eager()
    contents = collect(module, names, whole=whole is None)
    plan = make_plan(contents.parameters, rules, whole)
    _check_buffers(contents.buffers)
    return fill(plan, contents, rules, number)


def fill(plan: Plan, contents: Contents, recipe: Recipe, seed: int) -> InitReport:
    """Check all that is planned, then fill it, then report."""
    plain: list[tuple[Planned, Target, Writer]] = []
    computed: list[tuple[Planned, _parametrized.Computed]] = []
    for planned in plan.parameters:
        what = f"the parameter {planned.assignment.name!r}"
        if planned.group.source is None:
            target = Target(planned.group.tensor, what)
            plain.append((planned, target, target.writer(planned.assignment.initializer)))
        else:
            computed.append((planned, _parametrized.Computed(planned.group, what)))
    if computed:
        _parametrized.check_apart(planned.group for planned in plan.parameters)
        inside = {id(planned.group.tensor): planned.assignment for planned, _, _ in plain}
        for planned, value in computed:
            assignment = planned.assignment
            value.check(assignment.initializer, seed, assignment.name, inside)
    with Batch() as batch:
        for planned, target, writer in plain:
            target.fill(writer, seed, planned.assignment.name, batch)
        held = {id(planned.group): target.shards for planned, target, _ in plain}
        reports = [
            report_parameter(found, [place.name for place in group.places], held.get(id(group)))
            for group, found in plan.parameters
        ]
    for planned, value in computed:
        value.fill(planned.assignment.initializer, seed, planned.assignment.name)
    left_out = [group.places[0].name for group in plan.left_out]
    buffers = [group.places[0].name for group in contents.buffers]
    return report_all(recipe, seed, reports, left_out, buffers)


def _check_buffers(buffers: list[Group]) -> None:
    for group in buffers:
        name = group.places[0].name
        check_known(group.tensor, f"the buffer {name!r}")
        if group.tensor.is_meta:
            raise ValueError(
                f"the buffer {name!r} is on the meta device and has no values, and a recipe gives "
                "it none. Use glorot.torch.materialize(module, recipe, seed=...), which makes "
                "buffers again where it can."
            )
