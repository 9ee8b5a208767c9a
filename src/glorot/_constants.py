# SPDX-License-Identifier: Apache-2.0
"""Initializers that draw nothing: constants, the identity and its convolution."""

import functools
import math
import numbers
from typing import Any

import numpy as np

from glorot import _check
from glorot._base import Array, Initializer, Writer
from glorot._dtypes import ALL, dtype_name
from glorot._fans import INPUT, OUTPUT, SPATIAL, Axes, permutation


def _check_held(argument: str, value: float, dtype: np.dtype[Any]) -> None:
    """Refuse a value that `dtype` cannot hold: a fraction in an integer, or an overflow."""
    with np.errstate(all="ignore"):
        try:
            held = float(np.asarray(value, dtype))
        except OverflowError:
            held = math.nan
    if not math.isfinite(held) or (dtype.kind in "iub" and held != value):
        raise ValueError(
            f"`{argument}`={value!r} cannot be held in {dtype_name(dtype)}. Use another dtype."
        )


class _Constant(Initializer):
    """Every element is `value`."""

    value: float
    random = False

    def _writer(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Writer:
        _check_held("value", self.value, dtype)
        return functools.partial(_write_value, self.value)


def _write_value(
    value: float, out: Array, start: tuple[int, ...] | None, seed: int, name: str
) -> None:
    del start, seed, name
    out[...] = value


class Zeros(_Constant):
    """Every element is 0, in any dtype, integers and bool included.

    Examples:
        >>> import glorot
        >>> glorot.Zeros()((2,))
        array([0., 0.], dtype=float32)
    """

    value = 0

    def __init__(self, dtype: Any = "float32") -> None:
        self._freeze(dtype, {})

    def scaled(self, factor: float) -> "Zeros":
        """Return the same: zero times any factor."""
        _check.positive("factor", factor)
        return self


class Ones(_Constant):
    """Every element is 1, in any dtype, integers and bool included.

    Examples:
        >>> import glorot
        >>> glorot.Ones("int32")((2,))
        array([1, 1], dtype=int32)
    """

    value = 1

    def __init__(self, dtype: Any = "float32") -> None:
        self._freeze(dtype, {})


class Constant(_Constant):
    """Every element is `value`; any dtype that holds it, integers and bool included.

    Source: Keras 3, `Constant`.

    Examples:
        >>> import glorot
        >>> glorot.Constant(3)((2,), dtype="int32")
        array([3, 3], dtype=int32)
    """

    def __init__(self, value: float = 0.0, dtype: Any = "float32") -> None:
        if isinstance(value, np.generic):
            value = value.item()
        if not isinstance(value, numbers.Real):
            raise TypeError(
                f"`value` must be one number, got {value!r} of {type(value).__name__}. An array "
                "needs no initializer: copy it."
            )
        self._freeze(dtype, {"value": value})
        _check_held("value", value, ALL[self.dtype])


class Identity(Initializer):
    """A matrix with `gain` on its diagonal and 0 elsewhere; square or not.

    Source: Keras 3, `Identity`.

    Examples:
        >>> import glorot
        >>> glorot.Identity(2.0)((2, 3))
        array([[2., 0., 0.],
               [0., 2., 0.]], dtype=float32)
    """

    gain: float
    random = False

    def __init__(self, gain: float = 1.0, dtype: Any = "float32") -> None:
        self._freeze(dtype, {"gain": _check.real("gain", gain)})
        _check_held("gain", self.gain, ALL[self.dtype])

    def scaled(self, factor: float) -> "Identity":
        """Return the identity with its gain times `factor`."""
        return self.replace(gain=self.gain * _check.positive("factor", factor))

    def _writer(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Writer:
        if len(shape) != 2:
            raise ValueError(
                f"Identity needs a shape of two axes, got {shape}. For a convolution use Dirac."
            )
        _check_held("gain", self.gain, dtype)
        diagonal = np.arange(min(shape))
        return functools.partial(_write_places, (diagonal, diagonal), (0, 1), self.gain)


class Dirac(Initializer):
    """The convolution that hands each input channel on: 1 at the centre of the receptive field
    where the output channel is the input channel, in each group, and 0 elsewhere.

    Channels beyond the smaller of the two numbers get zeros.  The centre of k taps is k // 2.

    Args:
        groups: of the convolution; must divide the output channels.
        dtype: the default dtype of calls.
        layout: as elsewhere, with one input and one output axis; Keras' "*IO" by default.

    Source: PyTorch 2.13, `torch.nn.init.dirac_`.

    Examples:
        >>> import glorot
        >>> glorot.Dirac()((3, 2, 2))[1]
        array([[1., 0.],
               [0., 1.]], dtype=float32)
        >>> glorot.Dirac(groups=2, layout="torch.conv")((4, 1, 3))[:, 0, 1]
        array([1., 0., 1., 0.], dtype=float32)
    """

    groups: int
    layout: str | None = None
    random = False

    def __init__(
        self, groups: int = 1, dtype: Any = "float32", *, layout: str | None = None
    ) -> None:
        axes = Axes(layout=layout)
        extra = {} if layout is None else {"layout": layout}
        self._freeze(dtype, {"groups": _check.count("groups", groups)}, extra, axes)

    def _writer(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Writer:
        roles = self._axes.roles(shape)
        if roles.count(INPUT) != 1 or roles.count(OUTPUT) != 1 or set(roles) - set("BSIO"):
            raise ValueError(
                f"Dirac needs one input and one output axis, got shape {shape} with roles "
                f"{roles!r}. Name the axes with `layout`."
            )
        inputs, outputs = shape[roles.index(INPUT)], shape[roles.index(OUTPUT)]
        if outputs % self.groups:
            raise ValueError(
                f"`groups`={self.groups} must divide the {outputs} output channels of {shape}."
            )
        each = outputs // self.groups
        group, channel = np.divmod(
            np.arange(self.groups * min(each, inputs)), min(each, inputs) or 1
        )
        centre = [
            np.full_like(channel, n // 2) for n, r in zip(shape, roles, strict=True) if r == SPATIAL
        ]
        axes = permutation(roles)
        places = (*centre, channel, group * each + channel)
        return functools.partial(_write_places, places, axes, 1.0)


def _write_places(
    places: tuple[Array, ...],
    axes: tuple[int, ...],
    value: float,
    out: Array,
    start: tuple[int, ...] | None,
    seed: int,
    name: str,
) -> None:
    """Write zeros, and `value` at the places of the whole that are in `out`.

    `places` index the last of the axes once permuted by `axes`; the first ones are batch axes.
    """
    del seed, name
    out[...] = 0
    view = out.transpose(axes)
    batch = view.ndim - len(places)
    begin = tuple(start[axis] for axis in axes[batch:]) if start else (0,) * len(places)
    here = [place - i for place, i in zip(places, begin, strict=True)]
    inside = np.logical_and.reduce(
        [(0 <= i) & (i < n) for i, n in zip(here, view.shape[batch:], strict=True)]
    )
    view[(..., *(i[inside] for i in here))] = value
