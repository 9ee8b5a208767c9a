# SPDX-License-Identifier: Apache-2.0
"""`materialize`: memory and first values for a module that was built on the meta device.

`Module.to_empty` gives memory at three losses, which are avoided here: tied parameters come apart,
what has values loses them, and buffers hold what was in the memory before.
"""

from collections.abc import Iterator
from typing import Any

import torch

from glorot._renaming import Names
from glorot._report import InitReport
from glorot._stream import check_seed
from glorot.recipe._argument import read_recipe
from glorot.torch import _buffers
from glorot.torch._collect import Contents, Group, collect
from glorot.torch._compile import uncompiled
from glorot.torch._init import fill
from glorot.torch._memory import check_eager
from glorot.torch._plan import make_plan

Held = dict[str, torch.Tensor | None]


@uncompiled
@torch.no_grad()
def materialize(
    module: torch.nn.Module,
    recipe: Any,
    *,
    seed: int,
    device: Any = "cpu",
    names: Names = None,
    whole: Any = None,
    buffers: _buffers.Given = None,
) -> InitReport:
    """Give a module of the meta device memory on `device`, and its parameters their first values.

    Tied parameters stay tied.  Buffers on the meta device are made again, in this order, until one
    way has written each: by `buffers`; by torch's norms; by the `_init_weights(module)` of the
    transformers model around; by a method of the module that holds them, named `reset_buffers`,
    `init_buffers`, `reset_parameters`, or one of these after an underscore.  What none of them
    writes is refused by its name.  Buffers that have values keep them, and so do parameters that
    the recipe leaves out.  torch's generators are as they were afterwards.

    A module may be sharded before (`fully_shard`, `parallelize_module`): each rank then has memory
    for its own part only.

    Args:
        module: changed in place; what is not on the meta device moves to `device` too.
        recipe, seed, names, whole: as for `init_`.
        device: where the memory is.
        buffers: values by the buffers' names, or a function that is called with each module that
            holds buffers without values, and writes or replaces them.

    Returns:
        A report as `init_`'s.

    Raises:
        ValueError: as `init_`; a parameter that the recipe leaves out, or a buffer that nothing
            makes, and that would be what was in the memory. The module is then as it was.

    Examples:
        >>> import glorot, torch
        >>> import glorot.torch
        >>> with torch.device("meta"):
        ...     model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8))
        >>> recipe = glorot.Recipe([
        ...     glorot.Rule("0.weight", glorot.HeNormal(layout="torch.linear")),
        ...     glorot.Rule("1.weight", "ones"),
        ...     glorot.Rule("*bias", "zeros"),
        ... ])
        >>> report = glorot.torch.materialize(model, recipe, seed=42)
        >>> model[0].weight.device, model[1].running_var[0].item()
        (device(type='cpu'), 1.0)
    """
    rules = read_recipe(recipe)
    number = check_seed(seed)
    check_eager()
    place = torch.device(device)
    if place.type == "meta":
        raise ValueError("`device` must have memory, got the meta device. Give 'cpu' or 'cuda'.")
    contents = collect(module, names, whole=whole is None)
    _check_scripted([*contents.parameters, *contents.buffers])
    _buffers.check(buffers, contents.buffers)
    left_out = make_plan(contents.parameters, rules, whole).left_out
    for group in left_out:
        if group.tensor.is_meta:
            raise ValueError(
                f"the recipe leaves out the parameter {group.places[0].name!r}, which is on the "
                "meta device and would hold what was in the memory. Give it an initializer: zeros, "
                "if you write its values afterwards."
            )
    before = [(owner, dict(owner._parameters), dict(owner._buffers)) for owner in _owners(module)]
    try:
        _allocate(module, contents, place)
        made = _buffers.Remaking(contents.buffers, buffers, left_out)
        made.before_parameters(module, place)
        again = collect(module, names)
        report = fill(make_plan(again.parameters, rules, whole), again, rules, number)
        made.check(module)
    except BaseException:
        _restore(module, before)
        raise
    return report


def _check_scripted(groups: list[Group]) -> None:
    for group in groups:
        place = group.places[0]
        if group.tensor.is_meta and isinstance(place.owner, torch.jit.ScriptModule):
            raise TypeError(
                f"{place.name!r} is on the meta device, in a module that is scripted or traced, "
                "which torch gives no other memory (nor does to_empty). Materialise the module, "
                "then script it."
            )


def _owners(module: torch.nn.Module) -> Iterator[torch.nn.Module]:
    return iter(dict.fromkeys(module.modules()))


def _allocate(module: torch.nn.Module, contents: Contents, device: torch.device) -> None:
    """Memory for all, ties kept, values kept where there are any."""

    def give(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.is_meta:
            return torch.empty_like(tensor, device=device)
        return tensor.to(device)

    module._apply(give)  # which is all that Module.to_empty does; sharding wrappers hook it
    for groups, held in ((contents.parameters, "_parameters"), (contents.buffers, "_buffers")):
        for group in groups:
            if group.source is None:
                _retie(group, held)


def _retie(group: Group, held: str) -> None:
    owner, attribute = group.places[0].owner, group.places[0].attribute
    tensor = getattr(owner, held)[attribute]
    for place in group.places[1:]:
        getattr(place.owner, held)[place.attribute] = tensor
    for key, value in vars(group.tensor).items():  # what users and wrappers keep on a parameter
        vars(tensor).setdefault(key, value)


def _restore(module: torch.nn.Module, before: list[tuple[torch.nn.Module, Held, Held]]) -> None:
    """Put every tensor back where it was."""
    for owner, parameters, held in before:
        owner._parameters.update(parameters)
        owner._buffers.update(held)
    module._apply(lambda tensor: tensor)  # lets sharding wrappers see what is there again
