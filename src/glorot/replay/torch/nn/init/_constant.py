# SPDX-License-Identifier: Apache-2.0
"""constant_, ones_, zeros_, eye_ and dirac_: nothing is drawn."""

import math
import numbers
from typing import Any

import numpy as np
from ml_dtypes import finfo

from glorot._check import parse_shape, show
from glorot.replay.torch._arguments import Array, DType, cast, fill_dtype_of, number


def constant(shape: Any, val: float, *, dtype: Any = None) -> Array:
    """What `torch.nn.init.constant_` fills: `val` everywhere.

    Args:
        shape: a sequence of integers.
        val: a number, which must fit the dtype; -1 and the like wrap around in unsigned ones.
        dtype: any float or integer dtype; float32 when None.

    Returns:
        A new array; an integer dtype takes the integer part of `val`, as in torch.

    Raises:
        TypeError: `val` is no number.
        ValueError: it overflows the dtype.

    Replays PyTorch 2.13.0: exact.

    Example:
        >>> constant((2,), 0.3)
        array([0.3, 0.3], dtype=float32)
    """
    sizes, found = parse_shape(shape), fill_dtype_of(dtype)
    # torch keeps integers in 64 bits: a double would lose the last of them.
    whole = isinstance(val, numbers.Integral)
    value: Any = np.asarray(_integer(val)) if whole else number("val", val)
    if found.kind == "b":
        return np.full(sizes, bool(value), dtype=found)
    if _overflows(value, found, math.prod(sizes)):
        raise ValueError(f"`val`={show(val)} cannot be converted to {found} without overflow.")
    return np.full(sizes, _converted(value, found), dtype=found)


def _integer(val: Any) -> Any:
    """An integer as torch gets it: an int64, or past that a uint64."""
    exact = int(val)
    if not -(2**63) <= exact < 2**64:
        raise ValueError(f"`val` must lie in [-2**63, 2**64) or be a float, got {show(val)}.")
    return np.int64(exact) if exact < 2**63 else np.uint64(exact)


def _overflows(value: Any, dtype: DType, size: int) -> bool:
    """Whether torch's fill_ refuses the value."""
    if dtype.kind in "iu":
        limits, exact = np.iinfo(dtype), value if isinstance(value, float) else int(value)
        least = -limits.max if dtype.kind == "u" and isinstance(exact, int) else limits.min
        return not least <= exact <= limits.max
    if dtype.itemsize == 2 and size == 1:  # which torch fills without the check
        return False
    return bool(np.isfinite(value)) and abs(float(value)) > float(finfo(dtype).max)  # type: ignore[no-untyped-call]


def _converted(value: Any, dtype: DType) -> Any:
    """C++'s conversion; negative integers wrap around in unsigned dtypes."""
    with np.errstate(over="ignore"):
        if not isinstance(value, np.ndarray):
            return dtype.type(int(value)) if dtype.kind in "iu" else cast(value, dtype)
        if dtype.itemsize < 4 and dtype.kind not in "iu":  # to the half types by way of float32
            value = value.astype(np.float32)
        return value.astype(dtype)


def ones(shape: Any, *, dtype: Any = None) -> Array:
    """What `torch.nn.init.ones_` fills: 1 everywhere; see `constant`.

    Replays PyTorch 2.13.0: exact.

    Example:
        >>> ones((2,))
        array([1., 1.], dtype=float32)
    """
    return constant(shape, 1.0, dtype=dtype)


def zeros(shape: Any, *, dtype: Any = None) -> Array:
    """What `torch.nn.init.zeros_` fills: 0 everywhere; see `constant`.

    Replays PyTorch 2.13.0: exact.

    Example:
        >>> zeros((2,))
        array([0., 0.], dtype=float32)
    """
    return constant(shape, 0.0, dtype=dtype)


def eye(shape: Any, *, dtype: Any = None) -> Array:
    """What `torch.nn.init.eye_` fills: the identity matrix, 2-D.

    Raises:
        ValueError: `shape` has not 2 axes.

    Replays PyTorch 2.13.0: exact.

    Example:
        >>> eye((2, 3))
        array([[1., 0., 0.],
               [0., 1., 0.]], dtype=float32)
    """
    sizes = parse_shape(shape)
    if len(sizes) != 2:
        raise ValueError(
            f"Only tensors with 2 dimensions are supported, got `shape` {show(sizes)}."
        )
    return np.asarray(np.eye(*sizes)).astype(fill_dtype_of(dtype))


def dirac(shape: Any, groups: int = 1, *, dtype: Any = None) -> Array:
    """What `torch.nn.init.dirac_` fills: convolutions that pass their channels through.

    Args:
        shape: (out, in, *kernel) with 1 to 3 axes of kernel, none of them 0.
        groups: of the convolution; divides `out`.
        dtype: any float or integer dtype; float32 when None.

    Returns:
        A new array of 0, and of 1 at the kernel's middle (size // 2) for each out channel of a
        group and the in channel of the same number.

    Raises:
        ValueError: `shape` has another number of axes, or `groups` does not divide its first; or
            `groups` is below 1.
        IndexError: a kernel without a middle, where a 1 should go.

    Replays PyTorch 2.13.0: exact.

    Example:
        >>> dirac((4, 2, 3), groups=2)[:, :, 1]
        array([[1., 0.],
               [0., 1.],
               [1., 0.],
               [0., 1.]], dtype=float32)
    """
    sizes = parse_shape(shape)
    if len(sizes) not in (3, 4, 5):
        raise ValueError(
            f"Only tensors with 3, 4, or 5 dimensions are supported, got `shape` {show(sizes)}."
        )
    if groups < 1:
        raise ValueError(f"`groups` must be 1 or more, got {show(groups)}.")
    if sizes[0] % groups:
        raise ValueError(
            f"dim 0 must be divisible by groups, got {sizes[0]} and `groups`={show(groups)}."
        )
    out = np.zeros(sizes, dtype=fill_dtype_of(dtype))
    each = sizes[0] // groups
    middle = tuple(size // 2 for size in sizes[2:])
    for channel in range(min(each, sizes[1])):
        for group in range(groups):
            place: tuple[int, ...] = (group * each + channel, channel, *middle)
            out[place] = 1
    return out
