# SPDX-License-Identifier: Apache-2.0
"""A recipe of what a module's own code does: it is built while torch's writes are watched."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import torch

from glorot import _check
from glorot._base import Initializer, LawInitializer
from glorot._blocks import Blocks
from glorot._captured._drawn import Fixed, Unknown, describe
from glorot._captured._generalised import Choice, rules_of
from glorot._captured._initializers import initializer_of
from glorot._captured._numbers import proportions
from glorot._captured._others import drawn_by_others, is_table
from glorot._captured._recipe import given_rules, recipe_of
from glorot._constants import Constant, Ones, Zeros
from glorot._weight_norm import summed_axes
from glorot.recipe import Recipe, Rule, TensorSpec
from glorot.recipe._coverage import match
from glorot.recipe._variables import Variable
from glorot.torch._capture._addresses import Addresses
from glorot.torch._capture._as_if_real import AsIfReal, truncated_by
from glorot.torch._capture._calls import plain
from glorot.torch._capture._lent import WithMemory
from glorot.torch._capture._memory import Region
from glorot.torch._capture._own import filled_by_glorot
from glorot.torch._capture._recorder import Recorder
from glorot.torch._capture._segments import Segment, segments
from glorot.torch._capture._streams import check_apart
from glorot.torch._collect import Group, collect
from glorot.torch._names import is_weight_norm
from glorot.torch._plan import _described, spec_of

_ANYWHERE = LawInitializer, Zeros, Ones, Constant  # whose values do not depend on the place
_BUFFER = {"tag": "buffer"}  # what a source says of the buffers of a state dict


def capture(
    build: Callable[[], torch.nn.Module],
    *,
    rules: Iterable[Rule] | Recipe = (),
    leave_out: bool = False,
) -> Recipe:
    """Return a recipe of the laws by which a module's own code gives its parameters values.

    `build` is run on the meta device if it can be, while torch is watched, and again where the code
    looks at what it draws or draws in Python, to see which numbers are others then. The last that
    is written into each parameter and persistent buffer counts, a model of transformers' own
    initialisation included. Filled by the recipe, the module has the same laws, by this library's
    streams: the same on every device and in every shard.

    Args:
        build: returns the module, such as its class or `lambda: Net(width=64)`.
        rules: come first, with the variables of a recipe; what they are for is not captured.
        leave_out: whether a parameter whose values no initializer has gets a rule that leaves it
            out, as a buffer always does.

    Returns:
        A recipe whose rules are patterns over names. Numbers that follow from a layer's fans are
        said by the fans; others are those of this module.

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
    rules, variables = given_rules(rules)
    if not callable(build) or isinstance(build, torch.nn.Module):
        raise TypeError(
            "`build` must be a function that returns the module, such as its class: what the code "
            f"writes is seen while it runs. Got {_check.show(build)}."
        )
    module, recorder, certain, meta = _built(build)
    found = _found(module, recorder, rules)
    if not certain:
        other = _found(*_built(build, again=True, meta=meta)[:2], rules)
        _compare(found, other)
        _check_values(module, found, rules, variables)
    elif any(map(is_table, found.parameters.values())):
        _compare(found, _found(*_built(build)[:2], rules))
    kept = [
        Rule(rule.pattern, rule.initializer, where=_BUFFER, optional=True)
        for rule in rules_of({name: Choice(init) for name, init in found.buffers.items()})
    ]
    return recipe_of(
        found.parameters,
        found.specs,
        found.left,
        source=f"the code of {type(module).__qualname__}, as it ran",
        rules=[*rules, *kept],
        optional=found.tied,
        variables=variables,
        leave_out=leave_out,
    )


class _Found(NamedTuple):
    """What gives each parameter and buffer its values; None where nothing does, and why."""

    parameters: dict[str, Initializer | None]
    buffers: dict[str, Initializer | None]
    specs: dict[str, TensorSpec]
    tied: set[str]
    left: dict[str, str]  # of parameters


def _found(module: torch.nn.Module, recorder: Recorder, given: list[Rule]) -> _Found:
    found = _Found({}, {}, {}, set(), {})
    contents = collect(module)
    for kind, groups in (
        (found.parameters, contents.parameters),
        (found.buffers, contents.buffers),
    ):
        for group in groups:
            names = _names(group)
            if not names or _is_given(given, group):
                continue
            spec = _described(group.places[0], group.tensor)
            try:
                spec_of(group.places[0], group.tensor)  # whether a dtype is glorot's
                init = _initializer(recorder, group)
                Recipe([Rule("*", init)]).resolve({names[0]: spec})  # of the layer's axes too
                kind.update(dict.fromkeys(names, init))
            except (ValueError, TypeError, NotImplementedError) as error:
                if kind is found.parameters:
                    found.left[names[0]] = str(error)
                kind.update(dict.fromkeys(names))
            found.specs.update(dict.fromkeys(names, spec))
            found.tied.update(names if len(names) > 1 else ())
    return found


def _compare(found: _Found, other: _Found) -> None:
    """Leave out what another run of the code gives other numbers: Python has drawn them."""
    for kind, again in ((found.parameters, other.parameters), (found.buffers, other.buffers)):
        for name, init in kind.items():
            if init is not None and again.get(name) != init:
                _leave(found, kind, name, f"{init}, and {again.get(name)} when it ran again")


def _check_values(
    module: torch.nn.Module,
    found: _Found,
    rules: list[Rule],
    variables: Mapping[str, Variable],
) -> None:
    """Leave out what NumPy has written into memory that it shares with torch: no operator did."""
    from glorot import audit

    kept = {name: init for name, init in found.parameters.items() if init is not None}
    if not kept or any(tensor.is_meta for tensor in module.parameters()):
        return
    chosen = rules_of({n: Choice(init) for n, init in found.parameters.items()}, found.tied)
    for problem in audit(module, Recipe([*rules, *chosen], variables=variables)).problems:
        for name in problem.names:
            if name in kept:
                _leave(found, found.parameters, name, f"{kept[name]}, which its values are not")


def _leave(found: _Found, kind: dict[str, Initializer | None], name: str, why: str) -> None:
    kind[name] = None
    if kind is found.parameters:
        found.left[name] = why


class _Built(NamedTuple):
    """A module, what was written, whether all draws were surely seen, and where it was built."""

    module: torch.nn.Module
    recorder: Recorder
    certain: bool
    on_meta: bool


def _built(build: Callable[[], Any], again: bool = False, meta: bool = True) -> _Built:
    """The module, on the meta device if its code lets it. Another run draws other numbers."""
    before = drawn_by_others()
    found = _on_meta(build, again) if meta else None
    if found is not None:
        return _Built(_checked(found[0]), found[1], drawn_by_others() == before, True)
    recorder = Recorder()
    with WithMemory(recorder) as mode, _watched(recorder, again), torch.device("cpu"):
        module = build()
    mode.note_written()
    return _Built(_checked(module), recorder, False, False)


def _on_meta(build: Callable[[], Any], again: bool) -> tuple[Any, Recorder] | None:
    """What `build` returns on the meta device; None where the CPU may do something else."""
    recorder, addresses = Recorder(), Addresses()
    mode = AsIfReal(recorder, addresses)
    try:
        with addresses.of_storages(), _watched(recorder, again), mode:
            module = build()
        if isinstance(module, torch.nn.Module):
            collect(module)  # which computes what is parametrized
    except Exception as raised:
        frame = raised.__traceback__
        if isinstance(raised, TypeError) and frame is not None and frame.tb_next is None:
            raise  # `build` does not take what it is given
        return None
    return None if mode.failed else (module, recorder)


@contextlib.contextmanager
def _watched(recorder: Recorder, again: bool) -> Iterator[None]:
    """Let a recorder see what code writes, and leave torch's generator as it was."""
    with (
        torch.random.fork_rng(devices=[]),
        truncated_by(recorder),
        filled_by_glorot(recorder),
        recorder,
    ):
        if again:
            torch.default_generator.manual_seed((torch.initial_seed() + 1) % 2**64)
        yield


def _checked(module: Any) -> torch.nn.Module:
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"`build` must return a torch.nn.Module, got {type(module).__name__}.")
    return module


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
    return place.name in match(rules, {place.name: _described(place, group.tensor)}).rules


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
    if not plain(tensor):
        raise ValueError(f"it is not dense: its layout is {tensor.layout}")
    if Region.of(tensor).repeats:
        raise ValueError("its elements share memory")
    parts = segments(recorder, tensor)
    try:
        return _of_parts(recorder, tensor, parts)
    except ValueError:
        written = segments(recorder, tensor, apart=True) if len(parts) == 1 else parts
        if len(written) == len(parts):
            raise
        return _of_parts(recorder, tensor, written)


def _of_parts(recorder: Recorder, tensor: torch.Tensor, parts: list[Segment]) -> Initializer:
    check_apart(part.value for part in parts)
    made = []
    for part in parts:
        whole = part.axis is None
        view = tensor if whole else tensor.narrow(part.axis, part.begin, part.end - part.begin)
        numbers = recorder.numbers(view) if isinstance(part.value, Fixed) else None
        made.append(initializer_of(part.value, tuple(view.shape), _array(numbers)))
    if len(parts) == 1 or (len(set(made)) == 1 and isinstance(made[0], _ANYWHERE)):
        return made[0]
    for part, init in zip(parts, made, strict=True):
        if isinstance(init, Blocks):  # which are not cut again
            raise ValueError(describe(part.value))
    sizes = proportions([part.end - part.begin for part in parts])
    return Blocks(made, sizes, axis=parts[0].axis)


def _array(numbers: torch.Tensor | None) -> Any:
    """The same numbers for NumPy, which has no bfloat16."""
    if numbers is None:
        return None
    narrow = numbers.is_floating_point() and numbers.dtype is not torch.float64
    return (numbers.to(torch.float32) if narrow else numbers).detach().cpu().numpy()


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
