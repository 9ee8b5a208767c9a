# SPDX-License-Identifier: Apache-2.0
"""Initializers that draw nothing: constants, the identity and its convolution."""

import math
import numbers
from collections.abc import Callable
from typing import Any

import numpy as np

from glorot import _check
from glorot._base import Initializer
from glorot._dtypes import ALL, FLOATS, dtype_name
from glorot._fans import Axes, permutation
from glorot._layouts import INPUT, OUTPUT, SPATIAL
from glorot._stream import Name
from glorot._writers import Array, Place, Writer


def written(value: float, dtype: np.dtype[Any]) -> Any:
    """What an array of `dtype` is given for `value`: below float32 it is the float32 value that is
    rounded, as for every law, so that a weight in float16 is always the float32 weight rounded
    once."""
    if dtype in FLOATS.values():
        wide = np.float64(value)
        return (wide.astype(np.float32) if dtype.itemsize < 4 else wide).astype(dtype)
    return value


def _check_held(argument: str, value: float, dtype: np.dtype[Any]) -> None:
    """Refuse a value that `dtype` cannot hold: a fraction in an integer, or an overflow."""
    if dtype.kind in "iub":
        low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        held = low <= value <= high and value == int(value)
    else:
        with np.errstate(over="ignore"):
            # The bound is where float64 rounds to infinity.
            held = abs(value) < 2**1024 - 2**970 and math.isfinite(
                np.asarray(written(value, dtype))
            )
    if not held:
        raise ValueError(
            f"`{argument}`={_check.show(value)} cannot be held in "
            f"{dtype_name(dtype)}. Use another dtype."
        )


class _Constant(Initializer):
    """Every element is `value`."""

    value: float
    random = False

    def expected_mean(self, shape: Any) -> float:
        """Return the value."""
        return float(self.value)

    def _writer(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], place: Place | None = None
    ) -> Writer:
        _check_held("value", self.value, dtype)
        return _ValueWriter(shape if place is None else place.shape, self.value)


class _ValueWriter(Writer):
    """Writes one value everywhere."""

    def __init__(self, shape: tuple[int, ...], value: float) -> None:
        super().__init__(shape)
        self.value = value

    def part(self, out: Array, start: tuple[int, ...] | None, seed: int, name: Name) -> None:
        """Write the value."""
        out[...] = written(self.value, out.dtype)


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

    Args:
        value: one finite number.
        dtype: the default dtype of calls.

    Raises:
        ValueError: a value that is not finite; when it is called, one that the dtype cannot hold.
        TypeError: no number; an array, which needs no initializer.

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
                f"`value` must be one number, got {_check.show(value)} of {type(value).__name__}. "
                "An array needs no initializer: copy it."
            )
        exact = value if isinstance(value, int) else _check.real("value", value)
        self._freeze(dtype, {"value": exact})
        _check_held("value", exact, ALL[self.dtype])


class Identity(Initializer):
    """A matrix with `gain` on its diagonal and 0 elsewhere; square or not.

    Args:
        gain: any finite number.
        dtype: the default dtype of calls.

    Raises:
        ValueError: when it is called, a shape that has not two axes.

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
        return self.replace(gain=_check.scaled(self.gain, factor))

    def _writer(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], place: Place | None = None
    ) -> Writer:
        if len(shape) != 2:
            raise ValueError(
                f"Identity needs a shape of two axes, got {shape}. For a convolution use Dirac."
            )
        _check_held("gain", self.gain, dtype)

        def places(first: int, last: int) -> tuple[Array, ...]:
            return (np.arange(first, min(last, shape[0])),) * 2

        return _PlacesWriter(shape, self.gain, places, (0, 1), self)


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
    axes_options = ("layout",)

    def __init__(
        self, groups: int = 1, dtype: Any = "float32", *, layout: str | None = None
    ) -> None:
        axes = Axes(layout=layout)
        extra = {} if layout is None else {"layout": layout}
        self._freeze(dtype, {"groups": _check.count("groups", groups)}, extra, axes)

    def _writer(
        self, shape: tuple[int, ...], dtype: np.dtype[Any], place: Place | None = None
    ) -> Writer:
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
        field = [n // 2 for n, role in zip(shape, roles, strict=True) if role == SPATIAL]
        each = max(outputs // self.groups, 1)

        def places(first: int, last: int) -> tuple[Array, ...]:
            to = np.arange(first, last)
            channel = to % each
            used = channel < inputs
            centre = (np.full_like(channel[used], at) for at in field)
            return (*centre, channel[used], to[used])

        return _PlacesWriter(shape, 1.0, places, permutation(roles), self)


class _PlacesWriter(Writer):
    """Writes zeros, and `value` at some places.

    `places(first, last)` index the last of the axes once permuted by `axes`, the very last one
    from `first` up to `last`, so that a part costs its own size; the first axes are batch axes.
    `by` is the initializer whose weight it is.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        value: float,
        places: Callable[[int, int], tuple[Array, ...]],
        axes: tuple[int, ...],
        by: Initializer,
    ) -> None:
        super().__init__(shape)
        self.value = value
        self.places = places
        self.axes = axes
        self.by = by

    def part(self, out: Array, start: tuple[int, ...] | None, seed: int, name: Name) -> None:
        """Write the places that are in `out`."""
        out[...] = 0
        begin = start or (0,) * out.ndim
        last = self.axes[-1]
        places = self.places(begin[last], begin[last] + out.shape[last])
        batch = out.ndim - len(places)
        here = [place - begin[axis] for place, axis in zip(places, self.axes[batch:], strict=True)]
        view = out.transpose(self.axes)
        inside = np.logical_and.reduce(
            [(i >= 0) & (i < n) for i, n in zip(here, view.shape[batch:], strict=True)]
        )
        at: tuple[Any, ...] = (..., *(i[inside] for i in here))
        view[at] = written(self.value, out.dtype)
