# SPDX-License-Identifier: Apache-2.0
"""Whether values that others drew follow the law that a recipe promises, by statistics.

Everything is in float64 and in standard errors, so that the size of the parameter sets how sharp
the test is. A constant must be one to the bit of the values' dtype.
"""

import math
from typing import NamedTuple

import numpy as np
import scipy.stats

import glorot

LIMIT = 5.0  # standard errors of the mean and of the standard deviation
KS_LIMIT = 2.6  # sqrt(n) times the Kolmogorov-Smirnov distance: once in 400,000 parameters
RARE = 1e-9  # no extreme may be as improbable


class Measured(NamedTuple):
    """What was found of one block of one parameter: z is None where the law has no spread."""

    what: str
    count: int
    z: float | None
    problems: list[str]


def blocks(initializer, values):
    """Yield (initializer, the values of its block) for each block of a fused weight, or one."""
    if not isinstance(initializer, glorot.Blocks):
        yield initializer, values
        return
    axis, repeat, sizes = initializer._split(values.shape)
    split = values.reshape(*values.shape[:axis], repeat, sum(sizes), *values.shape[axis + 1 :])
    offset = 0
    for block, size in zip(initializer.blocks(values.shape), sizes, strict=True):
        part = np.take(split, range(offset, offset + size), axis=axis + 1)
        yield block.initializer, part.reshape(block.shape)
        offset += size


def measure(initializer, values, what=""):
    """Compare each block of `values` with what the initializer promises of it."""
    return [_measure(init, part, what) for init, part in blocks(initializer, np.asarray(values))]


def _measure(initializer, values, what):
    law = initializer.law(values.shape) if initializer.random else None
    if law is not None:
        return measure_law(law, values.astype(np.float64).ravel(), what)
    if isinstance(initializer, glorot.TimeStep):
        low, high = math.log(initializer.minval), math.log(initializer.maxval)
        logs = np.log(np.log1p(np.exp(values.astype(np.float64)))).ravel()
        law = glorot.RandomUniform(low, high).law(())
        return measure_law(law, logs, what)
    if isinstance(initializer, glorot.LogOfUniform):
        numbers = np.exp(values.astype(np.float64)).ravel()
        law = glorot.RandomUniform(initializer.minval, initializer.maxval).law(())
        return measure_law(law, numbers, what)
    if initializer.random:
        return Measured(what, values.size, None, _matrix_problems(initializer, values))
    ours = initializer(values.shape, dtype=values.dtype)
    same = np.array_equal(ours, values)
    if isinstance(initializer, glorot.LogArange):  # ours are the nearest floats, torch's almost
        same = np.allclose(ours, values, rtol=2**-23, atol=0)
    if isinstance(initializer, glorot.Sinusoids):  # others have their angles in float32
        same = np.allclose(
            ours, values, rtol=0, atol=(initializer.first + values.shape[-2]) * 2**-23
        )
    problems = [] if same else [f"{values.ravel()[:3]} is not {initializer!r}"]
    return Measured(what, values.size, None, problems)


def measure_law(law, values, what=""):
    """Compare values, one after the other in float64, with a law."""
    reference = distribution(law)
    count = values.size
    spread = law.stddev
    middle = float(reference.mean())
    z_mean = (values.mean() - middle) / (spread / math.sqrt(count))
    measured = math.sqrt(np.mean((values - middle) ** 2))
    kurtosis = float(reference.stats(moments="k")) + 3.0
    z = (measured - spread) / (spread * math.sqrt((kurtosis - 1.0) / (4.0 * count)))
    distance = math.sqrt(count) * scipy.stats.kstest(values, reference.cdf).statistic
    problems = []
    if abs(z_mean) > LIMIT:
        problems.append(f"mean {values.mean():.4g} for {middle:.4g}, z = {z_mean:.1f}")
    if abs(z) > LIMIT:
        problems.append(f"stddev {measured:.4g} for {spread:.4g}, z = {z:.1f}")
    if distance > KS_LIMIT:
        problems.append(f"Kolmogorov-Smirnov {distance:.1f}")
    # Both ends: beyond the law's own there is nothing, rounding apart, and short of them no more
    # is missing than chance allows.
    near = 1e-6 * spread
    ends = (
        (values.min(), reference.cdf(values.min() + near), reference.cdf(values.min())),
        (values.max(), reference.sf(values.max() - near), reference.sf(values.max())),
    )
    for end, within, beyond in ends:
        if count * within < RARE:
            problems.append(f"an extreme of {end:.4g} has probability {count * within:.1g}")
        if count * math.log1p(-beyond) < math.log(RARE):
            problems.append(f"no value beyond {end:.4g}")
    return Measured(what, count, z, problems)


def distribution(law):
    """The law as a distribution of SciPy."""
    if law.kind == "uniform":
        return scipy.stats.uniform(law.mean - law.scale, 2 * law.scale)
    if law.kind == "normal":
        return scipy.stats.norm(law.mean, law.scale)
    return scipy.stats.truncnorm(law.lower, law.upper, law.mean, law.scale)


def _matrix_problems(initializer, values):
    """Orthogonal ones: the shorter side's vectors are orthonormal, times the gain."""
    assert isinstance(initializer, glorot.Orthogonal), initializer
    axes, (number, rows, columns) = initializer._axes.matrices(values.shape)
    stack = values.astype(np.float64).transpose(axes).reshape(number, rows, columns)
    if rows < columns:
        stack = stack.transpose(0, 2, 1)
    gram = stack.transpose(0, 2, 1) @ stack
    error = np.abs(gram - initializer.gain**2 * np.eye(gram.shape[-1])).max()
    return (
        [] if error < 1e-5 * max(1.0, initializer.gain**2) else [f"not orthogonal by {error:.2g}"]
    )
