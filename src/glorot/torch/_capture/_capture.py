# SPDX-License-Identifier: Apache-2.0
"""A recipe of what a module's own code does: it is built while torch's writes are watched."""

from collections.abc import Callable, Iterable
from typing import Any

import torch

from glorot import _check
from glorot._base import Initializer
from glorot._blocks import Blocks
from glorot._weight_norm import summed_axes
from glorot.recipe import Recipe, Rule, TensorSpec
from glorot.recipe._coverage import match
from glorot.recipe._generalised import Choice, rules_of
from glorot.torch._capture._as_if_real import AsIfReal, truncated_by
from glorot.torch._capture._by_fans import by_fans
from glorot.torch._capture._drawn import Fixed, Unknown, describe
from glorot.torch._capture._initializers import initializer_of
from glorot.torch._capture._recorder import Recorder
from glorot.torch._capture._segments import segments
from glorot.torch._collect import Group, collect
from glorot.torch._names import is_weight_norm
from glorot.torch._plan import spec_of

_BUFFER = {"tag": "buffer"}  # what a source says of the buffers of a state dict


def capture(
    build: Callable[[], torch.nn.Module], *, rules: Iterable[Rule] = (), leave_out: bool = False
) -> Recipe:
    """Return a recipe of the laws by which a module's own code gives its parameters values.

    `build` is run once, on the meta device if it can be, while torch is watched: the last that is
    written into each parameter and persistent buffer counts, a model of transformers' own
    initialisation included. Filled by the recipe, the module has the same laws, by this library's
    streams: the same on every device and in every shard.

    Args:
        build: returns the module, such as its class or `lambda: Net(width=64)`.
        rules: come first; what they are for is not captured.
        leave_out: whether a parameter whose values no initializer has gets a rule that leaves it
            out, as a buffer always does.

    Returns:
        A recipe whose rules are patterns over names, in numbers: of this width and depth.

    Raises:
        ValueError: a parameter that nothing wrote, or in a way that no initializer has; the error
            says which, and why.
        TypeError: `build` is no function, or returns no module.

    Examples:
        >>> from torch import nn
        >>> import glorot.torch
        >>> def build():
        ...     layers = nn.Sequential(nn.Linear(16, 16), nn.LayerNorm(16), nn.Linear(16, 4))
        ...     nn.init.trunc_normal_(layers[2].weight, std=0.02)
        ...     nn.init.zeros_(layers[2].bias)
        ...     return layers
        >>> recipe = glorot.torch.capture(build)
        >>> {a.name: a.law for a in recipe.resolve(glorot.torch.shapes(build()))}["2.weight"]
        'N(0, 0.02)'
    """
    if not callable(build) or isinstance(build, torch.nn.Module):
        raise TypeError(
            "`build` must be a function that returns the module, such as its class: what the code "
            f"writes is seen while it runs. Got {_check.show(build)}."
        )
    module, recorder = _built(build)
    given = list(rules)
    parameters: dict[str, Initializer | None] = {}
    buffers: dict[str, Initializer | None] = {}
    specs: dict[str, TensorSpec] = {}
    tied: set[str] = set()
    left: dict[str, str] = {}
    contents = collect(module)
    for kind, groups in ((parameters, contents.parameters), (buffers, contents.buffers)):
        for group in groups:
            names = _names(group)
            if not names or _is_given(given, group):
                continue
            spec = spec_of(group.places[0], group.tensor)
            try:
                init = _initializer(recorder, group)
                Recipe([Rule("*", init)]).resolve({names[0]: spec})  # of the layer's axes too
                kind.update(dict.fromkeys(names, init))
            except ValueError as error:
                if kind is parameters and not leave_out:
                    left[names[0]] = str(error)
                kind.update(dict.fromkeys(names))
            specs |= dict.fromkeys(names, spec)
            tied.update(names if len(names) > 1 else ())
    if left:
        raise ValueError(_not_captured(left))
    kept = [
        Rule(rule.pattern, rule.initializer, where=_BUFFER, optional=True)
        for rule in rules_of({name: Choice(init) for name, init in buffers.items()})
    ]
    found = [*given, *kept, *rules_of(by_fans(parameters, specs), tied)]
    return Recipe(found, source=f"the code of {type(module).__qualname__}, as it ran")


def _built(build: Callable[[], Any]) -> tuple[torch.nn.Module, Recorder]:
    """The module, on the meta device if its code lets it, and what was written."""
    for on_meta in (True, False):
        recorder = Recorder()
        try:
            with torch.random.fork_rng(devices=[]), truncated_by(recorder), recorder:
                if on_meta:
                    with AsIfReal(recorder):
                        module = build()
                else:
                    with torch.device("cpu"):
                        module = build()
        except (RuntimeError, NotImplementedError, TypeError) as raised:
            if not on_meta or "meta" not in str(raised).lower():
                raise
            continue
        if not isinstance(module, torch.nn.Module):
            raise TypeError(f"`build` must return a torch.nn.Module, got {type(module).__name__}.")
        return module, recorder
    raise AssertionError


def _names(group: Group) -> list[str]:
    """The names that a state dict may have."""
    return [
        place.name
        for place in group.places
        if place.attribute not in place.owner._non_persistent_buffers_set
    ]


def _is_given(rules: list[Rule], group: Group) -> bool:
    """Whether a rule of the user's is for it."""
    if not rules:
        return False
    place = group.places[0]
    return place.name in match(rules, {place.name: spec_of(place, group.tensor)}).rules


def _not_captured(left: dict[str, str]) -> str:
    shown = "; ".join(f"{name!r}: {why}" for name, why in list(left.items())[:3])
    more = f"; and {len(left) - 3} more" if len(left) > 3 else ""
    return (
        f"no initializer does what the code does for {shown}{more}. Give `rules` for these, "
        f"glorot.Rule({next(iter(left))!r}, ...), or leave them out: `leave_out` (--leave-out)."
    )


def _initializer(recorder: Recorder, group: Group) -> Initializer:
    """What gives a tensor the values that were written last.

    Raises:
        ValueError: nothing here does; why.
    """
    tensor = group.tensor
    if group.source is not None:
        if not is_weight_norm(group.source):
            raise ValueError("it is parametrized, and not by weight norm alone")
        length, tensor = group.source.original0, group.source.original1
        _check_norms(recorder, length, tensor)
    parts = segments(recorder, tensor)
    made = []
    for part in parts:
        whole = part.axis is None
        view = tensor if whole else tensor.narrow(part.axis, part.begin, part.end - part.begin)
        numbers = recorder.numbers(view) if isinstance(part.value, Fixed) else None
        made.append(initializer_of(part.value, tuple(view.shape), numbers))
    if len(parts) == 1 or (len(set(made)) == 1 and not made[0].needs_matrix):
        return made[0]
    return Blocks(made, [part.end - part.begin for part in parts], axis=parts[0].axis)


def _check_norms(recorder: Recorder, length: torch.Tensor, direction: torch.Tensor) -> None:
    """Raise a ValueError where a length was written apart from its direction: code may fix it."""
    value, of = recorder.value(length), recorder.value(direction)
    if isinstance(of, Fixed) and isinstance(value, Fixed):
        numbers, known = recorder.numbers(length), recorder.numbers(direction)
        if numbers is not None and known is not None:
            axes = summed_axes(tuple(known.shape), tuple(numbers.shape))
            norms = torch.linalg.vector_norm(known, dim=axes, keepdim=True)
            if torch.allclose(norms.reshape(numbers.shape), numbers):
                return
    elif value == Unknown(f"norm of {describe(of)}"):
        return
    raise ValueError(
        f"weight norm, whose length is {describe(value)}, and not the norms of its direction"
    )
