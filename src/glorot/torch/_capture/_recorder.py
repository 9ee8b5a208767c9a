# SPDX-License-Identifier: Apache-2.0
"""Watch torch build a model, and know of each tensor what was written into it."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from glorot._captured import _drawn
from glorot._captured._drawn import Drawn, Fixed, Orthogonal, Unknown
from glorot.torch._capture import _calls, _qr
from glorot.torch._capture._calls import Call
from glorot.torch._capture._memory import NOTHING, Memory, Region, all_of
from glorot.torch._capture._origins import Origins
from glorot.torch._capture._seen import as_seen
from glorot.torch._capture._streams import Draw, Streams

_MOST = 1 << 22  # numbers that are computed beside the meta device, which has none
_REPEATED = Unknown("draws that are repeated")
_RETYPED = Unknown("memory that is looked at as another type")

_COPIES = ("clone", "_to_copy", "contiguous", "lift_fresh", "lift_fresh_copy", "detach_copy")
_FULL = {"full": 1, "full_like": 1, "fill": 1, "new_full": 2}  # which argument is the number
_RESHAPED = ("t_", "transpose_", "squeeze_", "unsqueeze_", "as_strided_", "detach_", "swapaxes_",
             "swapdims_", "set_")  # fmt: skip
_UNARY = ("erfinv", "exp", "log", "expm1", "neg")
_CLAMPS = {"clamp": ("min", "max"), "clamp_min": ("min",), "clamp_max": ("max",)}


class Recorder(TorchDispatchMode):
    """A mode in which torch says what it writes."""

    def __init__(self) -> None:
        super().__init__()
        self._memories: dict[int, Memory] = {}
        self._origins = Origins()
        self._streams = Streams()

    def writes(self, tensor: torch.Tensor) -> list[tuple[Region, Drawn]]:
        """What was written into a tensor's storage, in order."""
        return self._memory(tensor).writes

    def value(self, tensor: torch.Tensor) -> Drawn:
        """What a tensor holds, if it is one thing; of one that was there before, its numbers."""
        region, memory = Region.of(tensor), self._memory(tensor)
        value = memory.read(region)
        if value is not None and tensor.dtype is not memory.dtype and not isinstance(value, Fixed):
            return _RETYPED
        if value is not None:
            repeated = region.repeats and not isinstance(value, Fixed)
            return _REPEATED if repeated else as_seen(value, tensor)
        return NOTHING if on_meta(tensor) else Fixed()

    def numbers(self, tensor: torch.Tensor) -> torch.Tensor | None:
        """The numbers of a tensor that nothing drew, where they are known."""
        if not on_meta(tensor):
            return tensor.detach()
        if not isinstance(self.value(tensor), Fixed):
            return None
        memory = self._memory(tensor)
        if memory.numbers is not None:
            if memory.numbers.dtype != tensor.dtype:  # looked at as another type
                return None
            return memory.numbers.as_strided(
                tensor.size(), tensor.stride(), tensor.storage_offset()
            )
        value = memory.read(Region.of(tensor))
        if isinstance(value, Fixed) and value.value is not None and tensor.numel() <= _MOST:
            return torch.full(tensor.shape, value.value, dtype=tensor.dtype)
        return None

    def draw(self, generator: torch.Generator | None, tensor: torch.Tensor) -> Draw:
        """What a function that is not watched will draw into a tensor, of the meta device, or then
        itself."""
        draw = self._streams.at(generator)
        if on_meta(tensor):
            self._streams.passed(draw, generator, tensor.numel())
        return draw

    def put(self, tensor: torch.Tensor, value: Drawn) -> None:
        """Note that all of a tensor was written."""
        self._origins.drawn(tensor)
        self._write(tensor, value)

    def _write(self, tensor: torch.Tensor, value: Drawn) -> None:
        memory = self._memory(tensor)
        region, value = Region.of(tensor), as_seen(value, tensor)
        if tensor.dtype is not memory.dtype:
            whole = region.covers(all_of(tensor))
            same = tensor.element_size() == memory.dtype.itemsize
            if value != Fixed(0.0) or not (whole or same):
                value = _RETYPED
            if value == _RETYPED or not same:
                region = Region(0, (len(memory.storage),), (1,))
        if tensor.numel():
            memory.write(region, value)
        if memory.numbers is None:
            return
        known = self.numbers(tensor)
        if isinstance(value, Fixed) and value.value is not None and known is not None:
            known.fill_(value.value)
        elif region.covers(all_of(tensor)):
            memory.numbers = None

    def know(self, tensor: torch.Tensor, numbers: torch.Tensor | None) -> None:
        """Note that numbers that nothing drew were written; None where they are not known."""
        memory = self._memory(tensor)
        self.put(tensor, Fixed())
        if not on_meta(tensor):
            return
        known = None
        if numbers is not None and self._has_numbers(memory, tensor):
            known = self.numbers(tensor)
        if known is None or numbers is None:
            self.put(tensor, Unknown("numbers that are computed"))
        else:
            known.copy_(numbers)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name.partition("::")[2]
        if name == "_local_scalar_dense" and on_meta(args[0]):
            numbers = self.numbers(args[0])
            if numbers is not None:
                return numbers.item()
        generator = kwargs.get("generator")
        draws = torch.Tag.nondeterministic_seeded in func.tags
        draw = self._streams.at(generator) if draws else None
        out = func(*args, **kwargs)
        if name in _RESHAPED:
            return out
        read, written = _calls.given(func, args, kwargs)
        new = [each for each in tree_leaves(out) if isinstance(each, torch.Tensor)]
        new = [
            each for each in new if not any(_calls.share(each, one) for one in (*read, *written))
        ]
        if draw is not None:
            drawn = sum(each.numel() for each in (*written, *new) if on_meta(each))
            self._streams.passed(draw, generator, drawn)
        name = name.removesuffix("_")
        strange = [each for each in (*read, *written, *new) if not _calls.plain(each)]
        if not strange and (written or new):
            self._note(Call(name, func, args, kwargs, read, written, new, draw))
        for each in (*written, *new) if strange else ():
            if _calls.plain(each):
                kind = "nested" if strange[0].is_nested else "sparse"
                self.put(each, Unknown(f"{name} of a {kind} tensor"))
        return out

    def _memory(self, tensor: torch.Tensor) -> Memory:
        storage = tensor.untyped_storage()
        if storage._cdata not in self._memories:
            self._memories[storage._cdata] = Memory(storage, tensor.dtype)
        return self._memories[storage._cdata]

    def _has_numbers(self, memory: Memory, tensor: torch.Tensor) -> bool:
        """Whether the meta device's memory has numbers beside it, from now on if not before."""
        if memory.numbers is not None:
            return True
        count = len(memory.storage) // tensor.element_size()
        if count > _MOST:
            return False
        unwritten = math.nan if tensor.dtype.is_floating_point else 0
        memory.numbers = torch.full((count,), unwritten, dtype=tensor.dtype)
        for region, value in memory.writes[:-1]:
            if isinstance(value, Fixed) and value.value is not None:
                part = memory.numbers.as_strided(region.sizes, region.strides, region.offset)
                part.fill_(value.value)
        return True

    def _note(self, call: Call) -> None:
        """Say what a call has written."""
        simple = self._simple(call)
        if simple is not None:
            for each in call.made:
                self.put(each, simple)
        elif call.name == "copy":
            self._copy(call.target, call.args[1])
        elif call.name in _COPIES:
            self._copy(call.target, call.args[0])
        elif call.name in ("cat", "stack"):
            self._join(call)
        elif call.name == "linalg_qr":
            for each, value in zip(
                call.made, _qr.factors(self.value(call.args[0]), call.args[0]), strict=True
            ):
                self._derive(each, call.args[0], value)
        elif all(isinstance(self.value(each), Fixed) for each in call.read):
            self._compute(call)
        else:
            self._change(call)

    def _simple(self, call: Call) -> Drawn | None:
        """What a call writes that reads nothing."""
        if call.name in _FULL:
            given = call.args[_FULL[call.name]]
        elif call.name in _COPIES and not isinstance(call.args[0], torch.Tensor):
            given = call.args[0]  # of a number, under vmap
        else:
            return _calls.drawn(call)
        number = self._number(given)
        if number is not None:
            return Fixed(_calls.cast(number, None, call.target.dtype))
        drawn = isinstance(given, torch.Tensor) and not isinstance(self.value(given), Fixed)
        return _REPEATED if drawn else Fixed()

    def _number(self, value: Any) -> float | None:
        """A number, or the one that a tensor holds."""
        if isinstance(value, (bool, int, float)):
            return float(value)
        if isinstance(value, torch.Tensor) and value.numel() == 1 and not value.is_complex():
            known = self.value(value)
            if isinstance(known, Fixed):
                numbers = self.numbers(value)
                return known.value if numbers is None else float(numbers.item())
        return None

    def _copy(self, target: torch.Tensor, source: torch.Tensor) -> None:
        value = self.value(source)
        region, memory = Region.of(source), self._memory(source)
        if isinstance(value, Fixed):
            if value.value is None:
                self.know(target, self.numbers(source))
            else:
                self.put(target, Fixed(_calls.cast(value.value, source.dtype, target.dtype)))
        elif source.numel() < target.numel():
            self.put(target, _REPEATED)
        elif source.is_floating_point() and not target.is_floating_point():
            self.put(target, Unknown(f"whole numbers of {_drawn.describe(value)}"))
        elif (
            isinstance(value, Unknown)
            and len(memory.writes) > 1
            and (source.shape, source.stride()) == (target.shape, target.stride())
            and region == Region.of(target)
            and region.covers(all_of(source))
            and region.covers(all_of(target))
        ):
            copied = self._memory(target)  # parts, one by one
            copied.writes = list(memory.writes)
            copied.numbers = None if memory.numbers is None else memory.numbers.clone()
        elif self._origins.copied(target, source):
            self._write(target, _REPEATED)
        else:
            self._write(target, _placed(value, target, source))

    def _join(self, call: Call) -> None:
        (dim,) = call.arguments(dim=0)
        begin = 0
        for part in call.args[0]:
            if call.name == "stack":
                view, size = call.target.select(dim, begin), 1
            elif part.dim() == call.target.dim():
                size = part.shape[dim]
                view = call.target.narrow(dim, begin, size)
            else:
                continue  # an empty vector, which fits everything
            begin += size
            self._copy(view, part)

    def _change(self, call: Call) -> None:
        """What a function of draws makes of each of its values."""
        change = self._of_numbers(call)
        if change is None:
            drawn = next(each for each in call.read if not isinstance(self.value(each), Fixed))
            value = self._of_draws(call)
            for each in call.made:
                self._derive(each, drawn, value)
        elif (
            _calls.share(call.target, call.read[0])
            and not isinstance(self.value(call.read[0]), Fixed)  # which is then the number
            and Region.of(call.target).covers(all_of(call.target))
        ):
            memory = self._memory(call.target)
            memory.writes = [(region, change(value)) for region, value in memory.writes]
            numbers = memory.numbers
            for region, value in memory.writes:
                if numbers is not None and isinstance(value, Fixed) and value.value is not None:
                    part = numbers.as_strided(region.sizes, region.strides, region.offset)
                    part.fill_(value.value)
        else:
            drawn = next(each for each in call.read if not isinstance(self.value(each), Fixed))
            value = change(self.value(drawn))
            if _calls.share(call.target, drawn) and Region.of(call.target) == Region.of(drawn):
                self._write(call.target, value)  # the same draws still
            else:
                self._derive(call.target, drawn, value)

    def _derive(self, target: torch.Tensor, source: torch.Tensor, value: Drawn) -> None:
        """Note that a tensor was written with what a function makes of another's draws."""
        self.put(target, value)
        if not _calls.share(target, source):
            self._origins.derived(target, source)

    def _of_draws(self, call: Call) -> Drawn:
        """What comes of several tensors, or of one by a function that is not known."""
        values = [self.value(each) for each in call.read]
        if len(values) == 1 and (of := _qr.of_r(call, values[0])) is not None:
            return of
        one = len(values) == 2 and self._origins.same(*call.read)
        if one and (of := _qr.signed(call, values)) is not None:
            return of
        if one and call.name == "add" and not call.kwargs:
            return _drawn.added(*values)
        drawn = next(value for value in values if not isinstance(value, Fixed))
        return Unknown(f"{call.name} of {_drawn.describe(drawn)}")

    def _of_numbers(self, call: Call) -> Callable[[Drawn], Drawn] | None:
        """What a function of one tensor and of numbers does to its values; None for others."""
        name = call.name
        change: Callable[[Drawn], Drawn] | None = None
        if name in _UNARY:

            def change(value: Drawn) -> Drawn:
                return _drawn.applied(name, value)

        elif name in _CLAMPS:
            names = _CLAMPS[name]
            found = dict(zip(names, call.arguments(**dict.fromkeys(names)), strict=True))

            if any(isinstance(each, torch.Tensor) for each in found.values()):
                return None

            def change(value: Drawn) -> Drawn:
                return _drawn.clamped(value, found.get("min"), found.get("max"))

        elif name in ("mul", "div", "add", "sub", "rsub") and len(call.args) > 1:
            change = self._arithmetic(call)
        return change

    def _arithmetic(self, call: Call) -> Callable[[Drawn], Drawn] | None:
        first, second = call.args[:2]
        alpha = float(call.kwargs.get("alpha", 1))
        if self._number(first) is not None and (
            call.name == "mul" or (alpha == 1 and call.name == "add")
        ):
            first, second = second, first
        if call.name == "rsub":
            first, second = second, first
        of = self._number(first)
        if call.name in ("sub", "rsub") and of is not None:  # a number less the values
            if alpha != 1:
                return None
            return lambda value: _drawn.plus(_drawn.times(value, -1.0), of)
        number = self._number(second)
        if not isinstance(first, torch.Tensor) or number is None:
            return None
        if call.name in ("add", "sub"):
            sign = 1 if call.name == "add" else -1
            shift = number * alpha * sign
            return lambda value: _drawn.plus(value, shift)
        if call.name == "div" and (not number or call.kwargs.get("rounding_mode")):
            return None
        factor = number if call.name == "mul" else 1.0 / number
        return lambda value: _drawn.times(value, factor)

    def _compute(self, call: Call) -> None:
        """Numbers of numbers: on the meta device they are computed beside it."""

        read = set(map(id, call.read))
        clones: dict[int, torch.Tensor] = {}

        def beside(value: Any) -> Any:
            if isinstance(value, torch.Tensor):
                if id(value) not in clones:
                    numbers = (
                        self.numbers(value)
                        if id(value) in read
                        else torch.empty_like(value, device="cpu")
                    )
                    if numbers is None:
                        raise LookupError
                    clones[id(value)] = numbers.clone()
                return clones[id(value)]
            return torch.device("cpu") if isinstance(value, torch.device) else value

        numbers: Sequence[torch.Tensor | None] = [None] * len(call.made)
        small = sum(each.numel() for each in call.made) <= _MOST
        if small and any(on_meta(each) for each in call.made):
            try:
                found = call.func(*tree_map(beside, call.args), **tree_map(beside, call.kwargs))
                new = [each for each in tree_leaves(found) if isinstance(each, torch.Tensor)]
                new = [t for t in new if not any(_calls.share(t, one) for one in clones.values())]
                numbers = [*(clones[id(each)] for each in call.written), *new]
            except (LookupError, RuntimeError, NotImplementedError):
                pass
        for each, known in zip(call.made, numbers, strict=True):
            same = known is not None and known.shape == each.shape
            self.know(each, known if same else None)


def _placed(value: Drawn, target: torch.Tensor, source: torch.Tensor) -> Drawn:
    """What a copy holds: of an orthogonal matrix the sides as they lie in memory."""
    if not isinstance(value, Orthogonal):
        return value
    long = [size for size in source.shape if size != 1]
    if len(long) != 2 and not (source.is_contiguous() and target.is_contiguous()):
        return Unknown(f"another order of {_drawn.describe(value)}")
    rows = target.shape[0] if target.dim() else 1
    sides = rows, target.numel() // max(rows, 1)
    if sorted(sides) != sorted(value.shape):
        return Unknown(f"another shape of {_drawn.describe(value)}")
    turned = target.dim() == 2 and target.stride(0) < target.stride(1)
    return dataclasses.replace(value, shape=sides[::-1] if turned else sides)


def on_meta(tensor: torch.Tensor) -> bool:
    """Whether it has no memory, whatever it says itself."""
    with torch._C.DisableTorchFunction():
        return tensor.device.type == "meta"
