# SPDX-License-Identifier: Apache-2.0
"""The roles of a weight's axes in its layer, and the fans and index order that follow.

    fan_in   how many weights one output sums over
    fan_out  how many outputs one input reaches, counted over the same receptive field

Both follow the layer and not the shape: a depthwise kernel, a transposed one and a stack of
experts can share a shape and have different fans.
"""

import functools
import math
import operator
from collections.abc import Iterable, Sequence
from typing import Any, TypedDict

from glorot import _check
from glorot._layouts import (
    BATCH,
    BOTH,
    CANONICAL,
    GROUP,
    GROUPS_DIVIDE_INPUT,
    INPUT,
    OUTPUT,
    SPATIAL,
    expand,
    parse_equation,
    parse_layout,
)

ORDERS = ("stored", "canonical")


class MatrixOptions(TypedDict, total=False):
    """Options that say which axes of a weight are its layer's input and output."""

    layout: str | None
    input_axes: int | Sequence[int] | None
    output_axes: int | Sequence[int] | None
    batch_axes: int | Sequence[int]
    equation: str | None


class FanOptions(MatrixOptions, total=False):
    """All options of a class that uses fans."""

    groups: int
    fan_in: float | None
    fan_out: float | None
    order: str
    stream: int


MATRIX_OPTIONS = tuple(MatrixOptions.__annotations__)
FAN_OPTIONS = tuple(name for name in FanOptions.__annotations__ if name != "stream")


def page_fans(shape: Sequence[int]) -> tuple[float, float]:
    """(fan_in, fan_out) by the rule of TensorFlow and Keras, which knows the shape alone.

    Source: `_compute_fans` of TensorFlow 2.4.4, python/ops/init_ops.py.

    Examples:
        >>> page_fans(()), page_fans((7,)), page_fans((3, 3, 4, 8))
        ((1.0, 1.0), (7.0, 7.0), (36.0, 72.0))
    """
    return Axes().fans(shape)


class Axes:
    """The axes options of an initializer, checked.

    Args:
        layout: a named layout ("torch.conv") or one letter an axis: I input, O output, B batch
            (each slice initialised as if alone), G or C channel group (counts for neither fan),
            N both at once (a bias), H W D L T receptive field, * any number of those.
        groups: of a grouped convolution.
        input_axes, output_axes: positions instead of a layout; the other axes are receptive field.
        batch_axes: positions of axes whose slices are each initialised as if alone.
        equation: the layer's einsum, "bd,dhk->bhk"; the weight is its second operand.
        fan_in, fan_out: the number itself.
        order: "stored", or "canonical": the index is row-major over the axes permuted to
            (batch, spatial, group, in, out), so that equal layers hold equal values whatever their
            layout.
    """

    def __init__(
        self,
        *,
        layout: str | None = None,
        groups: int = 1,
        input_axes: int | Sequence[int] | None = None,
        output_axes: int | Sequence[int] | None = None,
        batch_axes: int | Sequence[int] = (),
        equation: str | None = None,
        fan_in: float | None = None,
        fan_out: float | None = None,
        order: str = "stored",
    ) -> None:
        self.groups = _check.count("groups", groups)
        self.input_axes = _parse_axes("input_axes", input_axes)
        self.output_axes = _parse_axes("output_axes", output_axes)
        self.batch_axes = _parse_axes("batch_axes", batch_axes) or ()
        self.fan_in = None if fan_in is None else _check.positive("fan_in", fan_in)
        self.fan_out = None if fan_out is None else _check.positive("fan_out", fan_out)
        self.order = _check.choice("order", order, ORDERS)
        self.layout = layout
        self.equation = equation
        self._check_combination()
        self.letters = None if layout is None else parse_layout(layout)
        if equation is not None:
            self.letters = parse_equation(equation)
        self.divided = INPUT if layout in GROUPS_DIVIDE_INPUT else OUTPUT
        if self.groups > 1 and self.letters is not None and GROUP in self.letters:
            raise ValueError(
                f"`groups`={groups} cannot be joined with layout={layout!r}, which has an axis of "
                "channel groups (G or C) already. Leave `groups` out."
            )
        if self.groups > 1 and self.letters is not None and self.divided not in self.letters:
            raise ValueError(
                f"`groups`={groups} needs an axis of output channels to divide, and layout="
                f"{layout!r} has none. Leave `groups` out, or name the axis O."
            )

    def _check_combination(self) -> None:
        ways = ("layout", "equation", "input_axes", "output_axes")
        given = [option for option in ways if getattr(self, option) is not None]
        if given not in ([], ["layout"], ["equation"], ["input_axes", "output_axes"]):
            raise ValueError(
                "the axes must be given one way: `layout`, or `equation`, or both `input_axes` and "
                f"`output_axes`; got {' and '.join(f'`{option}`' for option in given)}."
            )
        if self.batch_axes and ("layout" in given or "equation" in given):
            raise ValueError(
                f"`batch_axes` cannot be joined with `{given[0]}`, which names every axis itself. "
                "Mark batch axes B in the layout; in an equation they are in all three terms."
            )
        taken = (self.input_axes or ()) + (self.output_axes or ()) + self.batch_axes
        if len(set(taken)) < len(taken):
            raise ValueError(
                "each axis must have one role, got "
                f"input_axes={self.input_axes}, output_axes={self.output_axes}, "
                f"batch_axes={self.batch_axes}."
            )
        if self.groups > 1 and self.equation is not None:
            raise ValueError("`groups` cannot be joined with `equation`: an einsum has no groups.")
        if self.groups > 1 and self.fan_in is not None and self.fan_out is not None:
            raise ValueError("`groups` changes nothing where `fan_in` and `fan_out` are given.")

    @functools.cached_property
    def options(self) -> dict[str, object]:
        """All options, checked."""
        return {name: getattr(self, name) for name in _DEFAULTS}

    @property
    def changed(self) -> dict[str, object]:
        """The options that differ from their defaults."""
        return {name: value for name, value in self.options.items() if value != _DEFAULTS[name]}

    def roles(self, shape: Sequence[int]) -> str:
        """One role an axis of `shape`, of the letters BSGINO."""
        ndim = len(shape)
        if self.letters is not None:
            return expand(self.letters, shape, self.layout or self.equation)
        taken: dict[int, str] = {}
        for role, axes in (
            (BATCH, self.batch_axes),
            (INPUT, self.input_axes or ()),
            (OUTPUT, self.output_axes or ()),
        ):
            for axis in axes:
                if not -ndim <= axis < ndim:
                    raise ValueError(f"axis {axis} is outside of shape {tuple(shape)}.")
                if axis % ndim in taken:
                    raise ValueError(f"axis {axis} of shape {tuple(shape)} is given two roles.")
                taken[axis % ndim] = role
        rest = ndim - len(taken)
        if rest == 1 and self.input_axes is None:
            default = BOTH
        elif rest == 0 or self.input_axes is not None:
            default = SPATIAL * rest
        else:
            default = SPATIAL * (rest - 2) + INPUT + OUTPUT
        others = iter(default)
        return "".join(taken.get(axis) or next(others) for axis in range(ndim))

    def fans(self, shape: Sequence[int]) -> tuple[float, float]:
        """(fan_in, fan_out) of a weight of this shape."""
        if self.fan_in is not None and self.fan_out is not None:
            return self.fan_in, self.fan_out
        roles = self.roles(shape)
        count = {
            role: math.prod(n for n, r in zip(shape, roles, strict=True) if r == role)
            for role in CANONICAL
        }
        if self.groups > 1:
            if count[self.divided] % self.groups:
                raise ValueError(
                    f"`groups`={self.groups} must divide the {count[self.divided]} channels of "
                    f"shape {tuple(shape)}."
                )
            count[self.divided] //= self.groups
        field = count[SPATIAL] * count[BOTH]
        fan_in = float(field * count[INPUT]) if self.fan_in is None else self.fan_in
        fan_out = float(field * count[OUTPUT]) if self.fan_out is None else self.fan_out
        return fan_in, fan_out

    def strides(self, shape: Sequence[int]) -> tuple[int, ...] | None:
        """The index step along each stored axis; None where the index is row-major as stored."""
        if self.order == "stored":
            return None
        return permuted_strides(shape, permutation(self.roles(shape)))

    def matrices(self, shape: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, int, int]]:
        """The permutation that turns the weight into (number, rows, columns) matrices: batch and
        channel group axes number them, rows are (spatial, in), columns are out."""
        roles = self.roles(shape)
        if OUTPUT not in roles or not {INPUT, SPATIAL} & set(roles):
            raise ValueError(
                f"a weight of shape {tuple(shape)} is no matrix: at least one input and one output "
                "axis are needed. Name them with `layout`."
            )
        axes = permutation(roles, BATCH + GROUP + SPATIAL + INPUT + BOTH + OUTPUT)
        number, rows, columns = (
            math.prod(n for n, role in zip(shape, roles, strict=True) if role in group)
            for group in (BATCH + GROUP, SPATIAL + INPUT + BOTH, OUTPUT)
        )
        return axes, (number, rows, columns)


_DEFAULTS: dict[str, object] = dict(Axes.__init__.__kwdefaults__ or {})


def permutation(roles: str, order: str = CANONICAL) -> tuple[int, ...]:
    """The stored axes in the order of their roles; axes of one role keep their places."""
    return tuple(sorted(range(len(roles)), key=lambda axis: order.index(roles[axis])))


def permuted_strides(shape: Sequence[int], axes: Sequence[int]) -> tuple[int, ...]:
    """Row-major strides over the permuted axes, given back in stored order."""
    strides = [0] * len(shape)
    step = 1
    for axis in reversed(axes):
        strides[axis] = step
        step *= shape[axis]
    return tuple(strides)


def _parse_axes(argument: str, axes: object) -> tuple[int, ...] | None:
    if axes is None:
        return None
    try:
        sequence: tuple[Any, ...] = tuple(axes) if isinstance(axes, Iterable) else (axes,)
        if any(isinstance(axis, bool) for axis in sequence):
            raise TypeError
        found = tuple(operator.index(axis) for axis in sequence)
    except TypeError:
        raise TypeError(
            f"`{argument}` must be an axis or a tuple of axes, got {_check.show(axes)}."
        ) from None
    if not all(-_check.MOST_AXES <= axis < _check.MOST_AXES for axis in found):
        raise ValueError(
            f"`{argument}` must lie in [-{_check.MOST_AXES}, {_check.MOST_AXES}), got "
            f"{_check.show(axes)}."
        )
    return found
