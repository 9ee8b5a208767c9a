# SPDX-License-Identifier: Apache-2.0
"""TensorFlow's kernels take subnormal numbers for 0, in what they read and in what they give.

They run with the processor's flags for it (denormals are zero, flush to zero), in float32, bfloat16
and float64.  float16 is computed in float32, where its subnormal numbers are none.  What would be
subnormal but for the rounding to the dtype's precision is not flushed.
"""

import dataclasses
from typing import Any

import numpy as np

from glorot import _kernel
from glorot._dtypes import FLOATS
from glorot._stream import Stream
from glorot.replay.tensorflow._laws import ScaledLaw

Array = np.ndarray[Any, np.dtype[Any]]

# (dtype to compute in, log2 of the scale below which some value may be subnormal, exponent by which
# such a scale is raised).  The smallest normals but 0 are above 2**-40, in float64 2**-100; values
# may also come near 0 by cancelling with the shift, down to its last bit.
_SMALL: dict[np.dtype[Any], tuple[Any, int, int]] = {
    FLOATS["float32"]: (np.float32, -60, 60),
    FLOATS["bfloat16"]: (np.float32, -60, 60),
    FLOATS["float64"]: (np.float64, -860, 400),
}


def flushed(values: Any, dtype: np.dtype[Any]) -> Array:
    """`values`, of which those that are subnormal in `dtype` are 0 with their sign."""
    array = np.asarray(values)
    if dtype not in _SMALL:
        return array
    tiny = np.finfo(_SMALL[dtype][0]).tiny
    return np.where(np.abs(array) < tiny, np.copysign(array.dtype.type(0), array), array)


def times(number: Any, array: Array) -> Array:
    """The product with a number of the array's dtype, as TensorFlow's kernel gives it."""
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        return flushed(flushed(number, array.dtype) * array, array.dtype)


def fill(out: Array, law: ScaledLaw, stream: Stream, *where: Any) -> None:
    """Draw into `out` as `_kernel.fill` does, and flush where a value may be subnormal."""
    compute, least, raised = _SMALL.get(out.dtype, (None, 0, 0))
    if compute is None or _is_normal(law, float(np.finfo(compute).tiny), 2.0**least):
        _kernel.fill(out, law, stream, *where)
        return
    _kernel.fill(out, dataclasses.replace(law, scale=1.0, shift=-0.0), stream, *where)
    scale, shift = (flushed(compute(x), out.dtype) for x in (law.scale, law.shift))
    # Raised by a power of two, the product is rounded to the dtype's precision before the test.
    up = compute(2.0**raised if abs(scale) < 2.0**least else 1.0)
    product = out.astype(compute) * compute(scale * up)
    tiny = np.finfo(compute).tiny * up
    product = np.where(np.abs(product) < tiny, np.copysign(compute(0), product), product) / up
    total = product.astype(out.dtype).astype(compute) + shift
    out[...] = flushed(total, out.dtype).astype(out.dtype)


def _is_normal(law: ScaledLaw, tiny: float, small: float) -> bool:
    """Whether no number that TensorFlow meets on the way can be subnormal."""
    scale, shift = abs(law.scale), abs(law.shift)
    return (scale == 0 or scale >= small) and (shift == 0 or shift >= tiny)
