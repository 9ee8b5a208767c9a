# SPDX-License-Identifier: Apache-2.0
"""From the numbers a caller gives to a law's constants, rounded as JAX rounds them.

JAX holds a Python float as float32 (float64 with `jax_enable_x64`) before it becomes the draw's
dtype, and XLA goes from float64 to float16 by way of float32: a float16 limit is rounded twice.  (A
CPU that computes in float16 has an instruction that rounds float64 to it once.)
"""

import functools
import math
from typing import Any

import numpy as np

from glorot._check import show
from glorot._dtypes import FLOATS, dtype_name
from glorot.replay.jax import _xla32
from glorot.replay.jax._config import enable_x64, float16_fma
from glorot.replay.jax._dtypes import canonical
from glorot.replay.jax._laws import NormalLaw, UniformLaw

Dtype = np.dtype[Any]

# XLA on CPU takes numbers below the smallest normal one for 0.  A draw whose constants are 0 or
# above these has no such values.  (float16 is computed in float32, where its own are normal.)
_LEAST = {
    FLOATS["bfloat16"]: 2.0**-80,
    FLOATS["float32"]: 2.0**-80,
    FLOATS["float64"]: 2.0**-900,
}
_SQRT2 = math.sqrt(2.0)
# erf(bound / sqrt(2)) in float64: XLA calls the C library, and these are glibc's.
_ERF64 = {
    0.0: "0x0p+0", 0.5: "0x1.881d788cab1dbp-2", 1.0: "0x1.5d897a241a6fap-1",
    1.5: "0x1.bb96e49da6e04p-1", 2.0: "0x1.e8b4307d3627ap-1", 2.5: "0x1.f9a42c6a06d8cp-1",
    3.0: "0x1.fe9e21e067a4ap-1", 3.5: "0x1.ffc30486da910p-1", 4.0: "0x1.fff7b294355a8p-1",
    5.0: "0x1.ffffecc35d0dfp-1", 6.0: "0x1.ffffffef0cf11p-1",
}  # fmt: skip
_ERF64_IS_1 = 8.5  # from here on
# Of a number that was divided before, XLA's erf is 1 from here on, and not by its polynomials.
_ERF32_IS_1 = np.float32(3.7439213)


def limit(argument: str, value: Any, dtype: Dtype) -> Any:
    """A limit that the caller gave, in the draw's dtype; infinities pass.

    Raises:
        TypeError: no number, or more than one.
        ValueError: NaN, or a number that is infinite in `dtype` alone.
    """
    array = np.asarray(value)
    number = array.dtype.kind in "biuf" or array.dtype in FLOATS.values()
    if not number and not isinstance(value, int):
        raise TypeError(f"`{argument}` must be a number, got {show(value)}.")
    if array.ndim:
        raise TypeError(
            f"`{argument}` must be a single number, got an array of shape {array.shape}: limits "
            "that differ from value to value are not replayed. Draw for each limit."
        )
    if isinstance(value, int) or array.dtype.kind in "iu":
        array = _integer(argument, value)
    with np.errstate(over="ignore", invalid="ignore"):
        twice = dtype.itemsize == 2 and not _float16_fma(dtype)
        if array.dtype == np.float64 and (twice or not enable_x64.value):
            array = array.astype(np.float32)
        result = array.astype(dtype)[()]
    if np.isnan(result) or (np.isinf(result) and np.isfinite(np.float64(value))):
        raise ValueError(
            f"`{argument}` must be a number that {dtype_name(dtype)} holds, got {show(value)}. "
            "Use a wider dtype."
        )
    return result


def _integer(argument: str, value: Any) -> Any:
    """An integer as JAX holds it: Python's is refused where NumPy's loses its high bits."""
    if not isinstance(value, int):
        array = np.asarray(value)
        return array.astype(canonical(array.dtype, asked=False))
    held = np.iinfo(canonical(np.dtype(np.int64), asked=False))
    if not held.min <= value <= held.max:
        raise OverflowError(
            f"`{argument}` must lie in {held.dtype}, in which JAX holds an integer, got "
            f"{show(value)}. Use {argument}=float({show(value)})."
        )
    return np.asarray(value)


def finite(argument: str, value: Any, dtype: Dtype) -> Any:
    """A constant in the draw's dtype that is finite, and not so small that XLA flushes values."""
    least = _LEAST.get(dtype, 0.0)
    if not np.isfinite(value):
        raise ValueError(
            f"{argument} is {value} in {dtype_name(dtype)}, so that JAX would give infinities or "
            "NaNs. Use other numbers, or a wider dtype."
        )
    if value and abs(float(value)) < least:
        raise ValueError(
            f"{argument} is {value}: XLA takes numbers as small as some of the values would be for "
            f"0, and that is not replayed. Keep it at {least} or above, or at 0."
        )
    return value


def uniform_law(
    total: int, dtype: Dtype, minval: Any, maxval: Any, scale: Any = 1.0, shift: Any = -0.0
) -> UniformLaw:
    """The law of `uniform(minval, maxval) * scale + shift`; scale and shift of the dtype."""
    low, high = (limit(name, x, dtype) for name, x in (("minval", minval), ("maxval", maxval)))
    with np.errstate(over="ignore", invalid="ignore"):
        span = high - low
    for name, value in (("`minval`", low), ("`maxval`", high), ("`maxval` - `minval`", span)):
        finite(name, value, dtype)
    fused = _float16_fma(dtype)
    return UniformLaw(total, float(low), float(span), float(scale), float(shift), fused)


def _float16_fma(dtype: Dtype) -> bool:
    return float16_fma.value and dtype == FLOATS["float16"]


def _normal(
    total: int, dtype: Dtype, low: Any, high: Any, least: Any, most: Any, scale: Any, shift: Any
) -> NormalLaw:
    return NormalLaw(
        total, float(low), float(high - low), float(scale), float(shift), _float16_fma(dtype),
        float(least), float(most),
    )  # fmt: skip


def normal_law(total: int, dtype: Dtype, scale: Any = 1.0, shift: Any = -0.0) -> NormalLaw:
    """The law of `normal() * scale + shift`."""
    one = dtype.type(1.0)
    low = np.nextafter(-one, dtype.type(0.0))
    return _normal(total, dtype, low, one, -math.inf, math.inf, scale, shift)


def truncated_law(
    total: int, dtype: Dtype, lower: Any, upper: Any, scale: Any = 1.0, shift: Any = -0.0
) -> NormalLaw:
    """The law of `truncated_normal(lower, upper) * scale + shift`."""
    bounds = [limit(name, x, dtype) for name, x in (("lower", lower), ("upper", upper))]
    low, high = (_erf(bound, dtype) for bound in bounds)
    for name, value in (("erf(`lower`)", low), ("erf(`upper`)", high), ("their gap", high - low)):
        finite(name, value, dtype)
    infinity = dtype.type(np.inf)
    least = flushed(np.nextafter(bounds[0], infinity), dtype)
    most = flushed(np.nextafter(bounds[1], -infinity), dtype)
    return _normal(total, dtype, low, high, least, most, scale, shift)


@functools.lru_cache(maxsize=256)
def _erf32(bits: int) -> Any:
    """erf of the float32 of these bits, which tell -0.0 from 0.0.

    A model's bounds are few, and each would take as long as a thousand values.
    """
    x = np.uint32(bits).view(np.float32)
    return np.copysign(np.float32(1.0), x) if abs(x) >= _ERF32_IS_1 else _xla32.erf(x)[()]


def _erf(bound: Any, dtype: Dtype) -> Any:
    """erf(bound / sqrt(2)) as XLA computes it for the dtype.

    It divides by a constant as it multiplies by the reciprocal, but in bfloat16, where it is the
    same but for what it takes for 0.
    """
    if dtype != FLOATS["float64"]:
        divisor = dtype.type(_SQRT2)
        narrow = dtype == FLOATS["bfloat16"]
        x = np.float32(bound / divisor if narrow else bound * (dtype.type(1.0) / divisor))
        return _erf32(int(x.view(np.uint32))).astype(dtype)
    size = abs(float(bound))
    if size >= _ERF64_IS_1:
        return np.copysign(1.0, bound)
    if size not in _ERF64:
        raise NotImplementedError(
            f"truncated_normal in float64 has recorded bounds alone, as XLA takes erf from the C "
            f"library: {', '.join(map(str, _ERF64))} and {_ERF64_IS_1} or more, of either sign; "
            f"got {bound}. Use one of them, or float32."
        )
    return np.copysign(np.float64(float.fromhex(_ERF64[size])), bound)


def flushed(value: Any, dtype: Dtype) -> Any:
    """What XLA computes with: 0 in place of subnormal numbers."""
    tiny = np.finfo(np.float64 if dtype == FLOATS["float64"] else np.float32).tiny
    if dtype == FLOATS["float16"] or abs(float(value)) >= tiny:
        return value
    return math.copysign(0.0, float(value))
