# SPDX-License-Identifier: Apache-2.0
"""variance_scaling and its named cases: glorot, lecun and he, uniform and (truncated) normal.

    variance = dtype(scale / fan)
    uniform            uniform(-1, 1)          * sqrt(3 * variance)
    normal             normal()                * sqrt(variance)
    truncated_normal   truncated_normal(-2, 2) * (sqrt(variance) / dtype(.87962566103423978))

each step rounded in the dtype; the product comes after the draw.  All replay jax 0.10.2 on a CPU
with FMA exactly; the uniform ones on any CPU.

Source: jax/_src/nn/initializers.py, 0.10.2.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from glorot._check import show
from glorot._dtypes import dtype_name
from glorot.replay.jax import _constants, _draw
from glorot.replay.jax._draw import Dtype, Shape, Then, parse_draw_shape
from glorot.replay.jax._keys import key_words
from glorot.replay.jax.nn.initializers._protocol import (
    Array,
    Initializer,
    constant_of,
    float_dtype,
)
from glorot.replay.jax.random._samplers import refuse_sharding

Axes = int | Sequence[int]

_MODES = ("fan_in", "fan_out", "fan_avg", "fan_geo_avg")
_DISTRIBUTIONS = ("truncated_normal", "normal", "uniform")
_TRUNCATED_STDDEV = 0.87962566103423978


def _size(argument: str, shape: Shape, axes: Axes) -> int:
    try:
        return math.prod(shape[axis] for axis in ((axes,) if isinstance(axes, int) else axes))
    except IndexError:
        raise IndexError(
            f"`{argument}`={show(axes)} leaves the {len(shape)} axes of shape {show(shape)}."
        ) from None


def compute_fans(
    shape: Shape, in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = ()
) -> tuple[float, float]:
    """(fan_in, fan_out) by JAX's rule; axes with no role are the receptive field.

    Raises:
        ValueError: fewer than two axes, and the default `in_axis`.
        ZeroDivisionError: an axis with a role has size 0.

    Example:
        >>> compute_fans((3, 3, 4, 8))
        (36.0, 72.0)
    """
    if isinstance(in_axis, int) and in_axis == -2 and len(shape) <= 1:
        raise ValueError(
            f"Can't compute input and output sizes of a {len(shape)}-dimensional weights tensor "
            f"with default `in_axis`, got shape {show(shape)}. Give two axes, or `in_axis`."
        )
    names = {"in_axis": in_axis, "out_axis": out_axis, "batch_axis": batch_axis}
    sizes = [_size(name, shape, axes) for name, axes in names.items()]
    if 0 in sizes:
        raise ZeroDivisionError(
            f"JAX divides by the sizes of in, out and batch axes, got shape {show(shape)}. An "
            "empty weight needs no initializer."
        )
    in_size, out_size, batch_size = sizes
    receptive_field = math.prod(shape) / in_size / out_size / batch_size
    return in_size * receptive_field, out_size * receptive_field


def _fan(mode: str, fan_in: float, fan_out: float) -> float:
    if mode == "fan_in":
        return fan_in
    if mode == "fan_out":
        return fan_out
    if mode == "fan_avg":
        return (fan_in + fan_out) / 2
    return float((fan_in * fan_out) ** 0.5)


def _factor(scale: Any, fan: float, distribution: str, dtype: Dtype) -> Any:
    """What the draw is multiplied by, in the dtype."""
    if fan == 0:
        raise ZeroDivisionError("JAX divides by the fan, which is 0 for this shape.")
    variance = constant_of(scale / fan, dtype)
    if not variance >= 0:
        raise ValueError(
            f"`scale`={show(scale)} gives a variance of {variance} in {dtype_name(dtype)}, of "
            "which JAX makes NaNs. Use a scale of 0 or more."
        )
    if _constants.flushed(variance, dtype) != variance:
        raise ValueError(
            f"`scale`={show(scale)} gives a variance of {variance}, which is subnormal in "
            f"{dtype_name(dtype)}: XLA takes it for 0, and that is not replayed. Use a larger "
            "scale, or 0."
        )
    with np.errstate(over="ignore"):
        if distribution == "uniform":
            return np.sqrt(dtype.type(3) * variance)
        if distribution == "normal":
            return np.sqrt(variance)
        return np.sqrt(variance) / constant_of(_TRUNCATED_STDDEV, dtype)


def variance_scaling(
    scale: Any,
    mode: str,
    distribution: str,
    in_axis: Axes = -2,
    out_axis: Axes = -1,
    batch_axis: Axes = (),
    dtype: Any = None,
) -> Initializer:
    """Return an initializer whose variance is `scale` over a fan of the shape.

    Args:
        scale: a number.
        mode: "fan_in", "fan_out", "fan_avg" or "fan_geo_avg".
        distribution: "truncated_normal" (at two standard deviations, which is corrected for),
            "normal" or "uniform".
        in_axis, out_axis, batch_axis: an axis or several; all others are the receptive field.
        dtype: of the values, where the call gives none.

    Raises:
        ValueError: another mode or distribution.

    Replays JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay import jax
        >>> init = jax.nn.initializers.variance_scaling(2.0, "fan_geo_avg", "uniform")
        >>> init(jax.random.key(42), (3, 4))[0]
        array([-0.02971809,  0.47325277,  0.30604377,  0.16060336], dtype=float32)
    """
    if mode not in _MODES:
        raise ValueError(
            f"invalid `mode` for variance scaling initializer: {show(mode)}. Use one of "
            f"{', '.join(_MODES)}."
        )
    if distribution not in _DISTRIBUTIONS:
        raise ValueError(
            f"invalid `distribution` for variance scaling initializer: {show(distribution)}. Use "
            f"one of {', '.join(_DISTRIBUTIONS)}."
        )

    def init(
        key: Any,
        shape: Any,
        dtype: Any = dtype,
        out_sharding: None = None,
        *,
        shard: Any = None,
    ) -> Array:
        refuse_sharding(out_sharding)
        whole = parse_draw_shape(shape)
        found = float_dtype("variance_scaling", dtype)
        fans = compute_fans(whole, in_axis, out_axis, batch_axis)
        then = Then(_factor(scale, _fan(mode, *fans), distribution, found))
        words, _ = key_words(distribution, key)
        if distribution == "uniform":
            return _draw.uniform(words, whole, found, -1, 1, then=then, shard=shard)
        if distribution == "normal":
            return _draw.normal(words, whole, found, then=then, shard=shard)
        return _draw.truncated_normal(words, -2, 2, whole, found, then=then, shard=shard)

    return init


def glorot_uniform(
    in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None
) -> Initializer:
    """Return Glorot (Xavier) uniform: U(-l, l) with l = sqrt(6 / (fan_in + fan_out)).

    Replays JAX 0.10.2: exact.

    Example:
        >>> from glorot.replay import jax
        >>> jax.nn.initializers.glorot_uniform()(jax.random.key(42), (3, 4))[0]
        array([-0.02090582,  0.3329197 ,  0.21529298,  0.11297984], dtype=float32)
    """
    return variance_scaling(1.0, "fan_avg", "uniform", in_axis, out_axis, batch_axis, dtype)


def glorot_normal(
    in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None
) -> Initializer:
    """Return Glorot (Xavier) normal: truncated normal with variance 2 / (fan_in + fan_out).

    Replays JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay import jax
        >>> jax.nn.initializers.glorot_normal()(jax.random.key(42), (3, 4))[0]
        array([-0.01641713,  0.27003706,  0.17128834,  0.0890286 ], dtype=float32)
    """
    return variance_scaling(
        1.0, "fan_avg", "truncated_normal", in_axis, out_axis, batch_axis, dtype
    )


def lecun_uniform(
    in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None
) -> Initializer:
    """Return LeCun uniform: U(-l, l) with l = sqrt(3 / fan_in).

    Replays JAX 0.10.2: exact.

    Example:
        >>> from glorot.replay import jax
        >>> jax.nn.initializers.lecun_uniform()(jax.random.key(42), (3, 4))[0]
        array([-0.02258086,  0.35959435,  0.23254299,  0.12203217], dtype=float32)
    """
    return variance_scaling(1.0, "fan_in", "uniform", in_axis, out_axis, batch_axis, dtype)


def lecun_normal(
    in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None
) -> Initializer:
    """Return LeCun normal: truncated normal with variance 1 / fan_in.

    Replays JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay import jax
        >>> jax.nn.initializers.lecun_normal()(jax.random.key(42), (3, 4))[0]
        array([-0.01773252,  0.29167336,  0.18501256,  0.09616188], dtype=float32)
    """
    return variance_scaling(1.0, "fan_in", "truncated_normal", in_axis, out_axis, batch_axis, dtype)


def he_uniform(
    in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None
) -> Initializer:
    """Return He (Kaiming) uniform: U(-l, l) with l = sqrt(6 / fan_in).

    Replays JAX 0.10.2: exact.

    Example:
        >>> from glorot.replay import jax
        >>> jax.nn.initializers.he_uniform()(jax.random.key(42), (3, 4))[0]
        array([-0.03193416,  0.5085432 ,  0.32886544,  0.17257954], dtype=float32)
    """
    return variance_scaling(2.0, "fan_in", "uniform", in_axis, out_axis, batch_axis, dtype)


def he_normal(
    in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None
) -> Initializer:
    """Return He (Kaiming) normal: truncated normal with variance 2 / fan_in.

    Replays JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay import jax
        >>> jax.nn.initializers.he_normal()(jax.random.key(42), (3, 4))[0]
        array([-0.02507758,  0.41248846,  0.26164728,  0.13599345], dtype=float32)
    """
    return variance_scaling(2.0, "fan_in", "truncated_normal", in_axis, out_axis, batch_axis, dtype)
