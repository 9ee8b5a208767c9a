# SPDX-License-Identifier: Apache-2.0
"""From a key's two words to an array: the whole draw, or a shard of it alone.

These are the draws beneath `random`, `nn.initializers` and the replays of what is built on JAX.
`words` is a uint32 array (k0, k1); `then` multiplies by a scale and adds a shift, each rounded in
the dtype, after the draw.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from glorot import _kernel, _memory
from glorot._check import parse_shape, show
from glorot._dtypes import FLOATS, dtype_name
from glorot._shard import parse_shard
from glorot.replay.jax import _constants
from glorot.replay.jax._config import threefry_partitionable
from glorot.replay.jax._laws import DRAWN_BITS, BitsLaw, key_stream

Array = np.ndarray[Any, np.dtype[Any]]
Dtype = np.dtype[Any]
Shape = tuple[int, ...]

_MOST_LEGACY_BITS = 32 * (2**32 - 1)
_FLOAT_OF_SIZE = {1: "float8_e5m2", 2: "float16", 4: "float32", 8: "float64"}
# No draw is further from 0: a normal's is sqrt(2) * erf_inv(1 - 2**-24) at most.
_MOST_NORMAL = 5.5


class Then(NamedTuple):
    """What is done after a draw: * scale + shift, numbers of the dtype.  -0.0 shifts nothing."""

    scale: Any = 1.0
    shift: Any = -0.0


NOTHING = Then()


def parse_draw_shape(shape: Any) -> Shape:
    """A shape as JAX reads it: a number is one axis."""
    return parse_shape((shape,) if isinstance(shape, int | np.integer) else shape)


def _total(shape: Shape, width: int) -> int:
    """The `total` of a law: 0 in the partitionable layout, else the elements of the draw."""
    if threefry_partitionable.value:
        return 0
    total = math.prod(shape)
    if total * width > _MOST_LEGACY_BITS:
        raise ValueError(
            f"`shape` {show(shape)} takes more than 2**32 - 1 words, where the legacy layout "
            "changes in a way that is not replayed. Use jax_threefry_partitionable=True."
        )
    return total


def _check_then(then: Then, dtype: Dtype, peak: float) -> None:
    scale = _constants.finite("The scale", then.scale, dtype)
    shift = _constants.finite("The shift", then.shift, dtype)
    with np.errstate(over="ignore"):
        most = dtype.type(peak * abs(float(scale)) + abs(float(shift)))
    if not np.isfinite(most):
        raise ValueError(
            f"Values of {most} would leave {dtype_name(dtype)}: JAX would give infinities. Use a "
            "smaller scale, or a wider dtype."
        )


def _fill(words: Array, law: BitsLaw, shape: Shape, dtype: Dtype, shard: Any) -> Array:
    start, extent = ((0,) * len(shape), shape) if shard is None else parse_shard(shard, shape)
    steps = _memory.row_major(shape)
    out = np.empty(extent, dtype=dtype)
    if out.size:
        first = sum(i * step for i, step in zip(start, steps, strict=True))
        _kernel.fill(out, law, key_stream(words), first, None if shard is None else steps)
    return out


def bits(words: Array, shape: Shape, dtype: Dtype, shard: Any = None) -> Array:
    """Random bits; the kernel writes them to memory that it takes for floats of that width."""
    law = BitsLaw(_total(shape, 8 * dtype.itemsize))
    return _fill(words, law, shape, FLOATS[_FLOAT_OF_SIZE[dtype.itemsize]], shard).view(dtype)


def uniform(
    words: Array,
    shape: Shape,
    dtype: Dtype,
    minval: Any = 0.0,
    maxval: Any = 1.0,
    *,
    then: Then = NOTHING,
    shard: Any = None,
) -> Array:
    """jax.random.uniform(key, shape, dtype, minval, maxval) * scale + shift."""
    total = _total(shape, DRAWN_BITS[dtype])
    law = _constants.uniform_law(total, dtype, minval, maxval, *then)
    _check_then(then, dtype, max(abs(law.low), abs(law.low + law.span)))
    return _fill(words, law, shape, dtype, shard)


def normal(
    words: Array, shape: Shape, dtype: Dtype, *, then: Then = NOTHING, shard: Any = None
) -> Array:
    """jax.random.normal(key, shape, dtype) * scale + shift."""
    total = _total(shape, DRAWN_BITS[dtype])
    _check_then(then, dtype, _MOST_NORMAL)
    return _fill(words, _constants.normal_law(total, dtype, *then), shape, dtype, shard)


def truncated_normal(
    words: Array,
    lower: Any,
    upper: Any,
    shape: Shape,
    dtype: Dtype,
    *,
    then: Then = NOTHING,
    shard: Any = None,
) -> Array:
    """jax.random.truncated_normal(key, lower, upper, shape, dtype) * scale + shift."""
    total = _total(shape, DRAWN_BITS[dtype])
    law = _constants.truncated_law(total, dtype, lower, upper, *then)
    _check_then(then, dtype, max(_MOST_NORMAL, abs(law.least), abs(law.most)))
    return _fill(words, law, shape, dtype, shard)
