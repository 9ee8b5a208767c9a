# SPDX-License-Identifier: Apache-2.0
"""The initializers that linen and nnx give their modules, and what both do to flat shapes."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from glorot._check import show
from glorot.replay.jax._draw import Array
from glorot.replay.jax._dtypes import any_dtype, canonical
from glorot.replay.jax.nn import initializers
from glorot.replay.jax.nn.initializers import Initializer

KERNEL = initializers.lecun_normal()
EMBEDDING = initializers.variance_scaling(1.0, "fan_in", "normal", out_axis=0)
ZEROS, ONES = initializers.zeros, initializers.ones

Sizes = int | Sequence[int]


def several(sizes: Sizes) -> tuple[int, ...]:
    """A size, or a sequence of them, as a tuple."""
    return (sizes,) if isinstance(sizes, int | np.integer) else tuple(sizes)


def slope(value: Any, dtype: Any) -> Array:
    """PReLU's parameter, jnp.asarray(value, dtype): with no dtype it has the number's own."""
    own = canonical(np.asarray(value).dtype, asked=False)
    found = own if dtype is None else any_dtype(dtype)
    if isinstance(value, int) and found.kind in "iu":
        limits = np.iinfo(found)
        if not limits.min <= value <= limits.max:  # NumPy before version 2 takes it modulo
            raise OverflowError(f"Python integer {value} out of bounds for {found}")
    return np.array(value, dtype=found)


def flat_kernel(init: Initializer, outputs: int) -> Initializer:
    """An initializer of kernels with axes (batch..., in..., out...), which draws (batch * in, out).

    `outputs` is the number of output axes; batch axes are multiplied into the inputs.
    """

    def wrapped(key: Any, shape: Any, dtype: Any = None, *_: Any, **__: Any) -> Array:
        if not outputs and math.prod(shape) != 1:
            raise TypeError(
                "flax cannot reshape a kernel without output axes: it draws another number of "
                "values than it needs. Give a feature axis of size 1."
            )
        inputs = math.prod(shape[: len(shape) - outputs])
        flat = (inputs, math.prod(shape[len(shape) - outputs :]))
        drawn: Array = init(key, flat, dtype)
        return np.reshape(drawn, shape)

    return wrapped


def flat_bias(init: Initializer) -> Initializer:
    """An initializer of biases of any shape, which draws one axis."""

    def wrapped(key: Any, shape: Any, dtype: Any = None, *_: Any, **__: Any) -> Array:
        drawn: Array = init(key, (math.prod(shape),), dtype)
        return np.reshape(drawn, shape)

    return wrapped


def check_groups(channels: int, num_groups: int | None, group_size: int | None) -> None:
    """Refuse groups that GroupNorm cannot cut the channels into, and both or neither given."""
    if (num_groups is None) == (group_size is None):
        raise ValueError(
            "Either `num_groups` or `group_size` should be specified, got "
            f"{show(num_groups)} and {show(group_size)}. With `group_size`, pass num_groups=None."
        )
    name, size = ("num_groups", num_groups) if group_size is None else ("group_size", group_size)
    if not isinstance(size, int) or size <= 0 or channels % size:
        raise ValueError(f"`{name}`={show(size)} must divide the {channels} channels.")
