# SPDX-License-Identifier: Apache-2.0
"""From a rule and one parameter to an initializer, each step noted in words."""

import contextlib
import copy
import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from glorot import _check
from glorot._base import Initializer
from glorot._blocks import Blocks
from glorot._dtypes import INTEGERS, parse_dtype
from glorot._fans import Axes
from glorot._layouts import BOTH
from glorot._random import RandomNormal
from glorot._weight_norm import Direction, Length
from glorot.recipe._assignment import Assignment, BlockPlan
from glorot.recipe._axes import has_axes, laid_out, weight_fans, weight_roles
from glorot.recipe._expression import FANS, Expression
from glorot.recipe._gains import activation
from glorot.recipe._law import describe_law
from glorot.recipe._rule import Rule
from glorot.recipe._shapes import TensorSpec
from glorot.recipe._split import Cut, parse_split
from glorot.recipe._template import Template, asks_fans, build, make, says_axes, takes
from glorot.recipe._variables import Values
from glorot.recipe._weight_norm import Half, by_weight, halves

WIDTH = "width_mult"  # the variable that `mup` reads


class _Found(NamedTuple):
    initializer: Initializer
    gain: float
    blocks: tuple[BlockPlan, ...]
    why: tuple[str, ...]


class Resolver:
    """Resolves the parameters of one model; what has one rule and shape is resolved once.

    Args:
        values: of the variables.
        rules: of all names of the model, those that are left out among them.
        specs: of all parameters that are known.
    """

    def __init__(
        self, values: Values, rules: Mapping[str, Rule], specs: Mapping[str, TensorSpec]
    ) -> None:
        found = halves(specs)
        self.halves = {
            n: h for n, h in found.items() if n in rules and by_weight(rules[n].pattern, h)
        }
        self.values = values
        self.rules = {**rules, **{half.weight: rules[n] for n, half in self.halves.items()}}
        self.specs = {**specs, **{h.weight: specs[h.direction] for h in self.halves.values()}}
        self.layers: dict[Rule, int | None] = {}
        self.assigned: dict[Any, Assignment] = {}
        self.cut: dict[tuple[Rule, str], Rule] = {}

    def assign(self, name: str, spec: TensorSpec, dtype: str | None) -> Assignment | None:
        """Return what a parameter gets, or None where its rule leaves it out.

        Raises:
            ValueError, TypeError: what the initializer refuses, with the parameter and the rule.
        """
        if name in self.halves:
            return self._half(name, spec, dtype, self.halves[name])
        rule = self._rule(name, spec)
        if rule.initializer is None:
            return None
        try:
            # Thousands of experts differ in their names alone; siblings have names too.
            own = beside = role = None
            if rule.fans_of:
                own = self._extras(name, spec, rule)
                beside = self._weight_beside(name, rule)
                role = beside.mup if beside else None
            key = (id(rule), spec, dtype, own and (tuple(own[0].items()), own[1]), role)
            found = self.assigned.get(key)
            if found is None:
                extras, why = own or self._extras(name, spec, rule)
                found = self._assign(name, spec, rule, dtype, extras, why, role)
                self.assigned[key] = found
            return found.named(name)
        except (TypeError, ValueError) as error:
            number = dtype is None and spec.dtype in INTEGERS and isinstance(error, TypeError)
            raise type(error)(
                f"{name!r} of shape {spec.shape} cannot be initialised by the rule for {rule}: "
                f"{error}"
                + (f" Put Rule({name!r}, None) first, or one with a constant." if number else "")
            ) from None

    def _half(
        self, name: str, spec: TensorSpec, dtype: str | None, half: Half
    ) -> Assignment | None:
        """What the direction or the length of a weight gets, whose rule is the weight's."""
        of = self.assign(half.weight, self.specs[half.weight], dtype)
        if of is None:
            return None
        init: Initializer
        blocks, roles = of.blocks, of.roles
        if half.is_length:
            init, why = Length(of.initializer, half.weight, of.shape), "the norms of"
            blocks, roles = (), ""
        else:
            init, why = Direction(of.initializer, half.weight), "the values of"
        wanted = _wanted(spec, init, dtype)
        init._writer(spec.shape, parse_dtype(wanted, floating=init.random))
        stddev = init.expected_stddev(spec.shape)
        return Assignment(
            name, spec.shape, wanted, of.rule, init, of.fans, stddev, of.gain, roles, blocks,
            (*of.why, f"{why} {half.weight!r}"), spec,
        )  # fmt: skip

    def _rule(self, name: str, spec: TensorSpec) -> Rule:
        """The rule, or where it draws the gates that a layer has fused and does not say how they
        are cut, one that does."""
        rule = self.rules[name]
        init = rule.initializer
        if spec.blocks is None or init is None or rule.blocks is not None or rule.fans_of:
            return rule
        random = isinstance(init, Template) or init.random
        if not random or not takes(init, "layout"):
            return rule
        if (rule, spec.blocks) not in self.cut:
            copied = copy.copy(rule)
            split = parse_split({"parts": spec.blocks, "axis": -1})
            object.__setattr__(copied, "blocks", split)
            self.cut[rule, spec.blocks] = copied
        return self.cut[rule, spec.blocks]

    def _assign(
        self,
        name: str,
        spec: TensorSpec,
        rule: Rule,
        dtype: str | None,
        extras: Mapping[str, Any],
        why: tuple[str, ...],
        beside: str | None,
    ) -> Assignment:
        found = self._build(rule, spec.shape, extras, why, beside)
        init = found.initializer
        wanted = _wanted(spec, init, dtype)
        init._writer(spec.shape, parse_dtype(wanted, floating=init.random))
        axes, fans = init._axes, init.fans(spec.shape)
        if extras and rule.initializer is not None and not has_axes(rule.initializer):
            with contextlib.suppress(ValueError):  # shown alone, where no law follows from them
                fans = Axes(**extras).fans(spec.shape)
                axes = Axes(**extras)
        if found.blocks:
            fans = _largest(found.blocks).fans
        stddev, roles = init.expected_stddev(spec.shape), weight_roles(axes, spec.shape)
        return Assignment(
            name, spec.shape, wanted, rule, init, fans, stddev, found.gain, roles, found.blocks,
            found.why, spec,
        )  # fmt: skip

    def _extras(
        self, name: str, spec: TensorSpec, rule: Rule
    ) -> tuple[dict[str, Any], tuple[str, ...]]:
        """The axes options that come with the parameter and not with the rule."""
        init = rule.initializer
        assert init is not None
        extras: dict[str, Any] = {}
        why: tuple[str, ...] = ()
        if rule.fans_of:
            sibling = self._sibling(name, rule)
            fan_in, fan_out = self._fans_of(sibling)
            return {"fan_in": fan_in, "fan_out": fan_out}, (f"fans are those of {sibling!r}",)
        if spec.layout is not None and not says_axes(init):
            extras["layout"] = spec.layout
            if spec.groups > 1:
                extras["groups"] = spec.groups
            if has_axes(init) or asks_fans(init):
                why = (f"axes are {spec.layout} by the shapes",)
        elif says_axes(init):
            why = ("axes by the rule",)
        elif len(spec.shape) > 1 and takes(init, "layout"):
            why = ("axes taken as (..., in, out), since nobody says",)
        return extras, why

    def _sibling(self, name: str, rule: Rule) -> str:
        """The parameter whose fans a parameter has by `fans_of`: the first that is there."""
        siblings = [_sibling(name, last) for last in rule.fans_of]
        return next((s for s in siblings if s in self.specs), siblings[0])

    def _weight_beside(self, name: str, rule: Rule) -> Rule | None:
        """The rule of that parameter: its `mup` says which of the two fans grow with the width."""
        return self.rules.get(self._sibling(name, rule))

    def _fans_of(self, sibling: str) -> tuple[float, float]:
        spec, rule = self.specs.get(sibling), self.rules.get(sibling)
        if spec is None or rule is None:
            near = _check.near(sibling, tuple(self.specs)[:10_000]) if self.specs else ""
            raise ValueError(f"`fans_of` asks for {sibling!r}, and there is none. {near}")
        if rule.initializer is None or rule.fans_of:
            what = "takes its own from another" if rule.fans_of else "is left out by its rule"
            raise ValueError(f"`fans_of` asks for the fans of {sibling!r}, which {what}.")
        rule = self._rule(sibling, spec)
        extras, _ = self._extras(sibling, spec, rule)
        found = self._build(rule, spec.shape, extras, ())
        if found.blocks:
            return _largest(found.blocks).fans
        return weight_fans(found.initializer, spec.shape, extras)

    def _build(
        self,
        rule: Rule,
        shape: tuple[int, ...],
        extras: Mapping[str, Any],
        why: tuple[str, ...],
        beside: str | None = None,
    ) -> _Found:
        init = rule.initializer
        assert init is not None
        notes = list(why)
        if rule.blocks is not None and not rule.blocks.whole:
            cut = rule.blocks.cut(self._lookup)
            if not cut.whole:
                return self._build_blocks(rule, cut, init, shape, extras, notes, beside)
        if isinstance(init, Blocks):
            init = laid_out(init, shape, extras)
        made = build(init, self._lookup, shape, extras)
        factor = self._factor(rule, init, made, shape, extras, notes, beside)
        return _Found(_scaled(made, factor), factor or 1.0, (), tuple(notes))

    def _build_blocks(
        self,
        rule: Rule,
        cut: Cut,
        init: Initializer | Template,
        shape: tuple[int, ...],
        extras: Mapping[str, Any],
        notes: list[str],
        beside: str | None,
    ) -> _Found:
        axis, parts, sizes, repeat = cut
        # A stand-in with the rule's axes says which axis is cut and what shapes the blocks have.
        plain = build(init, self._lookup, shape, extras)
        stand_in = plain if takes(plain, "layout") else RandomNormal(**extras)
        shaped = Blocks(stand_in, sizes, axis=axis, repeat=repeat)
        shapes = [block.shape for block in shaped.blocks(shape)]
        axis = shaped._split(shape).axis
        axes = stand_in._axes.changed  # for those without axes of their own, as zeros, too
        made, gains = [], []
        for part, alone in zip(parts, shapes, strict=True):
            factor: float | None = None
            own = part.initializer
            if own is None:
                changed = make(init, dict(part.options)) if part.options else init
                assert changed is not None
                given = dict(extras)
                if says_axes(changed):  # the block itself, else there would be no other to say it
                    given.pop("layout", None)
                block = build(changed, self._lookup, alone, given)
                factor = self._factor(rule, changed, block, alone, axes, notes, beside)
            else:
                block = build(own, self._lookup, alone, {} if says_axes(own) else axes)
            if part.gain is not None:
                factor = (factor or 1.0) * self._gain(part.gain, block, alone, axes)
            made.append(_scaled(block, factor).replace(dtype=plain.dtype))
            gains.append(factor or 1.0)
        whole = Blocks(made, sizes, axis=axis, repeat=repeat, dtype=plain.dtype)
        plans = tuple(
            BlockPlan(part.name, alone, weight_fans(b, alone, axes), describe_law(b, alone),
                      b.expected_stddev(alone), gain)
            for part, alone, b, gain in zip(parts, shapes, made, gains, strict=True)
        )  # fmt: skip
        largest = max(range(len(made)), key=lambda i: math.prod(shapes[i]))
        text = " : ".join(map(str, sizes)) + (f", {repeat} times" if repeat > 1 else "")
        notes.append(f"axis {axis} is cut into blocks {text}")
        return _Found(whole, gains[largest], plans, tuple(dict.fromkeys(notes)))

    def _factor(
        self,
        rule: Rule,
        given: Initializer | Template,
        init: Initializer,
        shape: tuple[int, ...],
        extras: Mapping[str, Any],
        notes: list[str],
        beside: str | None,
    ) -> float | None:
        """What the rule multiplies the stddev with; None where it says nothing of it."""
        factor: float | None = None
        if rule.gain is not None:
            factor = self._gain(rule.gain, init, shape, extras)
            if isinstance(rule.gain, Expression):
                where = "".join(
                    f", {name} = {self.values[name]:g} {self.values.source(name)}".rstrip()
                    for name in rule.gain.names
                    if name in self.values
                )
                notes.append(f"gain {factor:.6g} = {rule.gain.text}{where}")
        if rule.layers is not None:
            if rule not in self.layers:
                self.layers[rule] = rule.count_layers(self.rules)
            layers = self.layers[rule]
            assert layers is not None
            depth = 1.0 / math.sqrt(rule.branches * layers)
            notes.append(f"depth scaling 1/sqrt({rule.branches} * {layers} layers) = {depth:.6g}")
            factor = depth if factor is None else factor * depth
        if rule.mup is not None:
            width = self._width(rule)
            scale = self._mup(rule.mup, given, init, shape, extras, width, beside)
            notes.append(f"muP {rule.mup}, {width:g} times the base width: {scale:.6g}")
            factor = scale if factor is None else factor * scale
        return factor

    def _mup(
        self,
        role: str,
        given: Initializer | Template,
        init: Initializer,
        shape: tuple[int, ...],
        extras: Mapping[str, Any],
        width: float,
        beside: str | None,
    ) -> float:
        """Table 8: at the base width the stddev is the initializer's own; `width` times wider,
        hidden weights have 1/sqrt(width) of that, input and output weights the same. A bias with
        the fans of a weight has fans that grow as that weight's do, if the rule `beside` says so;
        else both grow."""
        vector = BOTH in weight_roles(init._axes, shape)  # a bias: its one axis is both
        of = (beside or "") if vector else role
        inputs = width if of != "input" else 1.0
        outputs = width if of != "output" else 1.0
        stddev = init.expected_stddev(shape)
        if asks_fans(given) and stddev:
            fan_in, fan_out = weight_fans(init, shape, extras)
            fans = {"fan_in": fan_in / inputs, "fan_out": fan_out / outputs}
            narrower = build(given, self._lookup, shape, {**extras, **fans})
            base = (narrower.expected_stddev(shape) / stddev) ** 2
        else:
            base = init._narrower(shape, inputs, outputs)  # its variance there over that here
        return math.sqrt(base / width if role == "hidden" else base)

    def _width(self, rule: Rule) -> float:
        if WIDTH not in self.values:
            raise ValueError(
                f"`mup`={rule.mup!r} needs the variable {WIDTH}, the model's width over the base "
                f"width. Add it to the recipe's variables, such as {WIDTH} = 'd_model / 256'."
            )
        return _check.positive(WIDTH, self.values[WIDTH])

    def _gain(
        self,
        gain: float | Expression,
        init: Initializer,
        shape: tuple[int, ...],
        extras: Mapping[str, Any],
    ) -> float:
        if not isinstance(gain, Expression):
            return gain

        def lookup(name: str) -> float:
            if name in FANS:
                return weight_fans(init, shape, extras)[name == "fan_out"]
            return self._lookup(name)

        try:
            return _check.positive("gain", gain.value(lookup, activation))
        except ValueError as error:
            raise ValueError(f"`gain`: {error}") from None

    def _lookup(self, name: str) -> float:
        if name in FANS:
            raise ValueError(f"{name} is not known yet where blocks, groups and fans are decided.")
        return self.values[name] if name in self.values else activation(name)


def _wanted(spec: TensorSpec, init: Initializer, dtype: str | None) -> str:
    """The dtype of the values: `dtype` unless the parameter holds whole numbers."""
    own = spec.dtype or init.dtype
    return dtype if dtype and parse_dtype(own, floating=False).kind not in "iub" else own


def _scaled(init: Initializer, factor: float | None) -> Initializer:
    return init if factor is None else init.scaled(factor)


def _largest(blocks: Iterable[BlockPlan]) -> BlockPlan:
    """The first of those, as that of `Blocks`."""
    return max(blocks, key=lambda block: math.prod(block.shape))


def _sibling(name: str, last: str) -> str:
    """a.b.bias -> a.b.weight; names of arrays in trees are joined by / as well."""
    cut = max(name.rfind("."), name.rfind("/"))
    return name[: cut + 1] + last
