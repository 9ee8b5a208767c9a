# SPDX-License-Identifier: Apache-2.0
"""torch's functions that make random tensors of real numbers: rand, randn, normal."""

from typing import Any

from glorot.replay.torch import _normal, _uniform
from glorot.replay.torch._arguments import Array, dtype_of, number, size_of
from glorot.replay.torch._generator import Generator, resolve


def rand(*size: Any, generator: Generator | None = None, dtype: Any = None) -> Array:
    """What `torch.rand` draws on CPU: uniform values in [0, 1).

    Args:
        *size: the shape, as integers or as one sequence of them.
        generator: to draw from; the default one of `manual_seed` when None.
        dtype: float16, bfloat16, float32 (also for None) or float64.

    Returns:
        A new array.  One word of the generator a value, two in float64.

    Raises:
        TypeError: a size that is no integer, another dtype, or no `Generator`.
        ValueError: a negative size.
        RuntimeError: no `generator`, and the default one has no seed.

    Exact for torch 2.13.0, on every CPU.  Not seekable.

    Example:
        >>> from glorot.replay.torch import Generator
        >>> rand(2, 2, generator=Generator().manual_seed(42))
        array([[0.88226926, 0.91500396],
               [0.38286376, 0.95930564]], dtype=float32)

    Source: aten/src/ATen/native/cpu/DistributionTemplates.h, torch 2.13.0.
    """
    return _uniform.uniform(size_of(size), 0.0, 1.0, dtype_of(dtype), resolve(generator))


def randn(*size: Any, generator: Generator | None = None, dtype: Any = None) -> Array:
    """What `torch.randn` draws on CPU: normal values of mean 0 and variance 1.

    Args:
        *size: the shape, as integers or as one sequence of them.
        generator: to draw from; the default one of `manual_seed` when None.
        dtype: float16, bfloat16, float32 (also for None) or float64.

    Returns:
        A new array.  16 values or more, and fewer, are drawn by different methods, as in torch:
        randn(15) and randn(16) of one seed have nothing in common.

    Raises:
        TypeError, ValueError, RuntimeError: as `rand`.

    Exact for torch 2.13.0 on x86-64 Linux; the last bits depend on the generator's
    `cpu_capability`, and those of float64 values, and of fewer than 16 values, on its `glibc` too.
    Not seekable.

    Example:
        >>> from glorot.replay.torch import Generator
        >>> randn(3, generator=Generator().manual_seed(42))
        array([0.33669037, 0.1288094 , 0.23446237], dtype=float32)

    Source: aten/src/ATen/native/cpu/DistributionTemplates.h, core/DistributionsHelper.h and
    native/cpu/avx_mathfun.h, torch 2.13.0.
    """
    return _normal.normal(size_of(size), 0.0, 1.0, dtype_of(dtype), resolve(generator))


def normal(
    mean: float, std: float, size: Any, *, generator: Generator | None = None, dtype: Any = None
) -> Array:
    """What `torch.normal(mean, std, size)` draws on CPU, and `Tensor.normal_(mean, std)`.

    Args:
        mean, std: numbers; `std` not negative.  (torch also takes tensors here; this does not.)
        size: the shape, a sequence of integers.
        generator: to draw from; the default one of `manual_seed` when None.
        dtype: float16, bfloat16, float32 (also for None) or float64.

    Returns:
        A new array; see `randn`.

    Raises:
        TypeError: `mean` or `std` is no number; or as `rand`.
        ValueError: `std` is negative or NaN; or as `rand`.
        RuntimeError: no `generator`, and the default one has no seed.

    Exact as `randn`.

    Replays PyTorch 2.13.0 on x86-64: exact, by the arithmetic of `generator`.

    Example:
        >>> from glorot.replay.torch import Generator
        >>> normal(1.0, 0.5, (3,), generator=Generator().manual_seed(42))
        array([1.1683452, 1.0644047, 1.1172311], dtype=float32)
    """
    centre, spread = number("mean", mean), number("std", std)
    return _normal.normal(size_of((size,)), centre, spread, dtype_of(dtype), resolve(generator))
