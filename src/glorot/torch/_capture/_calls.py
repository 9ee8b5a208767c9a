# SPDX-License-Identifier: Apache-2.0
"""Functions that torch runs: what they read, what they write, and what of it is drawn."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch.utils._pytree import tree_leaves

from glorot._captured import _drawn
from glorot._captured._drawn import Drawn, Fixed, Normal, Uniform, Unknown
from glorot.torch._capture._memory import NOTHING
from glorot.torch._capture._streams import Draw

# What these write, whatever they are given.
_ALWAYS: dict[str, Drawn] = {
    **dict.fromkeys(
        ("empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "resize"),
        NOTHING,
    ),
    **dict.fromkeys(("zeros", "zeros_like", "new_zeros", "zero"), Fixed(0.0)),
    **dict.fromkeys(("ones", "ones_like", "new_ones"), Fixed(1.0)),
    **dict.fromkeys(("rand", "rand_like"), Uniform(0.0, 1.0)),
    **dict.fromkeys(("randn", "randn_like"), Normal(0.0, 1.0)),
}
_LAWS: dict[str, tuple[Callable[..., Drawn], dict[str, float]]] = {
    "uniform": (_drawn.uniform, {"from": 0.0, "to": 1.0}),
    "normal": (_drawn.normal, {"mean": 0.0, "std": 1.0}),
}


class Call(NamedTuple):
    """A function that torch has run."""

    name: str  # without the underscore of those in place
    func: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    read: Sequence[torch.Tensor]
    written: Sequence[torch.Tensor]  # of those that were given
    new: Sequence[torch.Tensor]
    draw: Draw | None = None  # of what draws

    @property
    def made(self) -> list[torch.Tensor]:
        """All that was written."""
        return [*self.written, *self.new]

    @property
    def target(self) -> torch.Tensor:
        """The first tensor that was made, or written in place."""
        return self.made[0]

    def arguments(self, **defaults: Any) -> list[Any]:
        """Those after the first, by place or by name."""
        named = [self.kwargs.get(name, value) for name, value in defaults.items()]
        given = self.args[1 : 1 + len(named)]
        return [*given, *named[len(given) :]]


def drawn(call: Call) -> Drawn | None:
    """What a call writes that draws, or writes the same always; None of others."""
    name, overload = call.name, call.func._overloadname
    found: Drawn | None = None
    if name.startswith("rand") and call.target.is_complex():
        found = Unknown("complex draws")
    elif name in _ALWAYS:
        found = _ALWAYS[name]
    elif torch.Tag.nondeterministic_seeded in call.func.tags:
        found = Unknown(f"draws of {name}")
        numbers = call.arguments(**_LAWS[name][1]) if name in _LAWS else []
        if overload.startswith("float_float"):  # mean and stddev before the shape
            numbers = list(call.args[:2])
        plain = "Tensor" not in overload and not call.target.is_complex()
        if numbers and plain and all(isinstance(each, (int, float)) for each in numbers):
            found = _LAWS[name][0](*numbers)
    return found if found is None else _drawn.of_draw(found, call.draw)


def cast(number: float, source: torch.dtype | None, target: torch.dtype) -> float:
    """What a number is in another dtype. That it is rounded is seen where the other has more
    digits: 0.1 in bfloat16 is said as 0.1."""
    if source is not None and source.is_floating_point and target.is_floating_point:
        if torch.finfo(target).eps >= torch.finfo(source).eps:
            return number
        return torch.tensor(number, dtype=source, device="cpu").item()
    if target.is_floating_point or target.is_complex:
        return number
    return float(torch.tensor(number, device="cpu").to(target).item())


def given(
    func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """The tensors that a function is given to read, and those that it writes into."""
    read: list[torch.Tensor] = []
    written: list[torch.Tensor] = []
    schema = func._schema.arguments
    by_name = dict(zip((each.name for each in schema), args, strict=False)) | dict(kwargs)
    for each in schema:
        tensors = [t for t in tree_leaves(by_name.get(each.name)) if isinstance(t, torch.Tensor)]
        writes = each.alias_info is not None and each.alias_info.is_write
        if each.name.startswith("running_"):  # of batch norm: not all schemas say so
            writes = bool(by_name.get("training", True))
        written += tensors if writes else ()
        read += () if each.is_out else tensors
    return read, written


def plain(tensor: torch.Tensor) -> bool:
    """Whether it is elements in a storage of their own, each at a place that its strides say."""
    return tensor.layout is torch.strided and not tensor.is_nested


def share(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors have one storage."""
    if not (plain(one) and plain(other)):
        return one is other
    return one.untyped_storage()._cdata == other.untyped_storage()._cdata
