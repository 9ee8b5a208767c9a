# SPDX-License-Identifier: Apache-2.0
"""The fused multiply-add a * b + c, rounded once, where NumPy has none.

A sum is known exactly as the rounded sum and its error, two floats.  Rounding the pair *to odd* (an
inexact result takes the neighbour whose last bit is 1) keeps, in the last bit, that something was
cut off; a second rounding to fewer bits then gives what a single one would have given.  float32
needs one such step, since its products are exact in float64; float64 needs the product as a pair
as well, and rounds to odd only where a plain sum of the errors could decide otherwise.  Method:
S. Boldo and G. Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using
rounding to odd", IEEE Transactions on Computers 57(4), 2008.
"""

from fractions import Fraction
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

_SPLIT = 2.0**27 + 1.0
# Where no step of the float64 method over- or underflows; the few values outside go one by one.
_SMALLEST_PRODUCT, _LARGEST, _LARGEST_FACTOR = 2.0**-900, 2.0**1000, 2.0**990


def _two_sum(a: Any, b: Any) -> tuple[Array, Array]:
    """(s, e) with s = a + b rounded and s + e = a + b exactly."""
    s = a + b
    t = s - a
    return s, (a - (s - t)) + (b - t)


def _sum_to_odd(a: Array, b: Array) -> Array:
    """a + b rounded to odd, in float64; finite numbers, and neither they nor the sum huge."""
    s, e = _two_sum(a, b)
    bits = np.array(s).view(np.int64)
    # One float away from 0 where the error has the sum's sign, towards 0 where it has not.
    step = np.where((e < 0.0) == (s < 0.0), np.int64(1), np.int64(-1))
    bits += np.where((e != 0.0) & (bits & 1 == 0), step, np.int64(0))
    return bits.view(np.float64)


def _float32(value: Any) -> Array:
    array = np.asarray(value)
    if array.dtype != np.float32:
        raise TypeError(f"fma32 takes float32 arrays, got {array.dtype}.")
    return array


def fma32(a: Any, b: Any, c: Any) -> Array:
    """Return a * b + c in float32, rounded once, as the hardware's instruction rounds.

    Args:
        a, b, c: float32 arrays or NumPy scalars; they broadcast.

    Returns:
        A float32 array.  Correct for every input: subnormal, infinite and NaN too (the bits of a
        NaN are NumPy's own).

    Raises:
        TypeError: another dtype.

    Example:
        >>> x = np.float32(1 + 2**-12)
        >>> float(fma32(x, x, np.float32(-1))) - 2**-11 == 2**-24, float(x * x - 1) == 2**-11
        (True, True)
    """
    a, b, c = _float32(a), _float32(b), _float32(c)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        product = a.astype(np.float64) * b  # exact: 24 bits times 24
        wide = c.astype(np.float64)
        total = product + wide
        odd = _sum_to_odd(*np.broadcast_arrays(product, wide))
        result = np.where(np.isfinite(total), odd, total).astype(np.float32)
    return np.asarray(result)


def fma64(a: Any, b: Any, c: Any) -> Array:
    """Return a * b + c in float64, rounded once, as the hardware's instruction rounds.

    Args:
        a, b, c: float64 arrays or numbers; they broadcast.

    Returns:
        A float64 array.  Correct for every input; where the product leaves [2**-900, 2**1000] and
        is not 0, or `c` is above 2**1000, each value costs some microseconds.

    Example:
        >>> x = 1 + 2**-30
        >>> float(fma64(x, x, -1.0)) - 2**-29 == 2**-60, x * x - 1 == 2**-29
        (True, True)
    """
    a, b, c = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (a, b, c)))
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        product = a * b
        size = np.abs(product)
        easy = (size >= _SMALLEST_PRODUCT) | (a == 0.0) | (b == 0.0)
        easy &= (size <= _LARGEST) & (np.abs(c) <= _LARGEST)
        easy &= (np.abs(a) <= _LARGEST_FACTOR) & (np.abs(b) <= _LARGEST_FACTOR)
        result = fma64_moderate(a, b, c)
        # A zero takes its sign from the plain sum: no rounding is left in it.
        result = np.asarray(np.where(result == 0.0, product + c, result))
    for place in map(tuple, np.argwhere(~easy)):
        result[place] = _one_by_one(float(a[place]), float(b[place]), float(c[place]))
    return result


def fma64_moderate(a: Array | float, b: Array | float, c: Array | float) -> Array:
    """fma64 at a third of the cost, of float64 numbers that no step takes out of range.

    Args:
        a, b, c: float64 arrays or floats; they broadcast.  Finite; a * b is 0 or at least 2**-900,
            and none of a, b, a * b and c is above 2**990.

    Returns:
        A float64 array.  A result that is 0 may have the other sign.
    """
    product, error = _two_product(a, b)
    high, rest = _two_sum(product, c)
    low = rest + error
    # The sum of the two errors is within half an ulp of `low`, which is far less than this:
    margin = low * 2.0**-51
    result = np.asarray(high + (low - margin))
    doubtful = np.asarray(result != high + (low + margin))
    if doubtful.any():
        parts = (x[doubtful] for x in np.broadcast_arrays(a, b, c))
        result[doubtful] = _rounded_to_odd(*parts)
    return result


def _rounded_to_odd(a: Array, b: Array, c: Array) -> Array:
    product, error = _two_product(a, b)
    middle, low = _two_sum(c, error)
    high, rest = _two_sum(product, middle)
    return np.asarray(high + _sum_to_odd(low, rest))


def _two_product(a: Any, b: Any) -> tuple[Array, Array]:
    """(p, e) with p = a * b rounded and p + e = a * b exactly (Dekker, Veltkamp)."""
    product = a * b
    t, u = a * _SPLIT, b * _SPLIT
    a_high, b_high = t - (t - a), u - (u - b)
    a_low, b_low = a - a_high, b - b_high
    error = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product, error


def _one_by_one(a: float, b: float, c: float) -> float:
    if not (np.isfinite(a) and np.isfinite(b)):
        return a * b + c
    if not np.isfinite(c):
        return c  # a product that overflows is still finite
    exact = Fraction(a) * Fraction(b) + Fraction(c)
    if exact == 0:
        return a * b + c
    try:
        return float(exact)  # rounded to nearest, ties to even
    except OverflowError:
        return float("inf") if exact > 0 else float("-inf")
