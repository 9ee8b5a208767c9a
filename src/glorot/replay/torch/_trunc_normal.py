# SPDX-License-Identifier: Apache-2.0
"""torch's trunc_normal_ since 2.13: normals, or uniforms, drawn again where they are rejected.

Where more than 0.3 of the normal lies within [a, b], a whole new tensor of normals is drawn until
none lies outside, and each round fills only the places still wanting.  Elsewhere candidates are
uniform, and one is taken when the logarithm of a second uniform exceeds that of the density.

That comparison is torch's one use of its own `log` here, MKL's, which no other library gives to the
bit.  It is faithful, that is, one of the two floats around the true logarithm (seen for every
float32 uniform; the half types round it correctly, seen for every value), and that decides every
comparison but those with exactly the lower of the two.  Such a one, about once in 1e7 candidates,
is an error here.
"""

import warnings
from typing import Any

import numpy as np

from glorot._check import show
from glorot.replay.torch import _normal, _trunc_normal_by_inverse, _uniform
from glorot.replay.torch._arguments import Array, DType, cast, compute_dtype
from glorot.replay.torch._generator import Generator
from glorot.replay.torch._trunc_normal_by_inverse import normal_cdf

VERSIONS = ("2.13", "2.12")


def check_version(version: object) -> None:
    """Refuse a release of torch whose algorithm is another."""
    if version not in VERSIONS:
        raise ValueError(
            f'`version` must be "2.13" or "2.12", got {show(version)}. Releases from 2.13 on draw '
            "until values are accepted; give the latter for those before, and for timm, which take "
            "a uniform's inverse error function."
        )


def trunc_normal(
    shape: tuple[int, ...],
    mean: float,
    std: float,
    a: float,
    b: float,
    dtype: DType,
    generator: Generator,
    version: str,
) -> Array:
    """A new array of what trunc_normal_(mean, std, a, b) draws."""
    if std == 0.0:
        raise ZeroDivisionError("`std` must not be 0: trunc_normal divides by it, as torch does.")
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
            stacklevel=3,
        )
    if version == "2.12":
        return _trunc_normal_by_inverse.trunc_normal(shape, mean, std, (a, b), dtype, generator)
    inside = normal_cdf((b - mean) / std) - normal_cdf((a - mean) / std)
    with generator.lock:
        if inside > 0.3:
            return _by_normals(shape, mean, std, (a, b), dtype, generator)
        return _by_uniforms(shape, mean, std, (a, b), dtype, generator)


def _by_normals(
    shape: tuple[int, ...],
    mean: float,
    std: float,
    limits: tuple[float, float],
    dtype: DType,
    generator: Generator,
) -> Array:
    low, high = (cast(limit, dtype) for limit in limits)
    result = _normal.normal(shape, mean, std, dtype, generator)
    while True:
        outside = (result < low) | (result > high)
        if not outside.any():
            return result
        drawn = _normal.normal(shape, mean, std, dtype, generator)
        np.copyto(result, drawn, where=outside)


def _by_uniforms(
    shape: tuple[int, ...],
    mean: float,
    std: float,
    limits: tuple[float, float],
    dtype: DType,
    generator: Generator,
) -> Array:
    a, b = limits
    mode = max(a, min(mean, b))
    peak = -0.5 * ((mode - mean) / std) ** 2
    result, pending = np.zeros(shape, dtype=dtype), np.ones(shape, dtype=np.bool_)
    while True:
        candidates = _uniform.uniform(shape, a, b, dtype, generator, ("a", "b"))
        np.copyto(result, candidates, where=pending)
        density = _log_density(candidates, mean, std, peak)
        accept = _uniform.uniform(shape, 0.0, 1.0, dtype, generator)
        pending &= _log_exceeds(accept, density, pending)
        if not pending.any():
            return result


def _log_density(x: Array, mean: float, std: float, peak: float) -> Array:
    """-((x - mean) / std)**2 / 2 - peak, each step rounded in the dtype.

    As torch takes scalars: a half type's sum takes them rounded to it, its product in float32.
    """
    dtype, wide = x.dtype, compute_dtype(x.dtype).type

    def step(value: Any) -> Array:
        return np.asarray(value, dtype=dtype).astype(wide)

    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        y = step(x.astype(wide) - wide(cast(mean, dtype)))
        y = step(y / cast(std, np.dtype(wide)))
        y = step(y * y)
        y = step(y * wide(-0.5))
        return step(y - wide(cast(peak, dtype)))


def _log_exceeds(u: Array, bound: Array, wanted: Array) -> Array:
    """Where torch's log(u) > bound; `bound` holds numbers of u's dtype."""
    with np.errstate(divide="ignore"):
        if u.dtype.itemsize == 2:
            log = np.log(u.astype(np.float64)).astype(np.float32).astype(u.dtype)
            return np.asarray(log.astype(np.float32) > bound)
        if u.dtype == np.float32:
            true = np.log(u.astype(np.float64))
            below = true.astype(np.float32)
            below = np.where(below > true, np.nextafter(below, np.float32(-np.inf)), below)
            undecided = (bound == below) & (below != true)
        else:
            below = np.log(u)
            undecided = np.abs(bound - below) <= 2 * np.spacing(np.abs(below))
    if (undecided & wanted).any():
        raise ArithmeticError(
            "trunc_normal: a candidate of this seed, shape and range lies so near the threshold "
            "that the last bit of MKL's log decides, which is not known here, so what torch draws "
            "cannot be told. Take another seed, or a range that holds more than 0.3 of the normal."
        )
    return np.asarray(true > bound if u.dtype == np.float32 else below > bound)
