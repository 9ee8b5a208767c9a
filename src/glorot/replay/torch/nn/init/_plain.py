# SPDX-License-Identifier: Apache-2.0
"""uniform_, normal_ and trunc_normal_: the shape tells nothing but the size."""

from typing import Any

from glorot._check import parse_shape
from glorot.replay.torch import _normal, _trunc_normal, _uniform
from glorot.replay.torch._arguments import Array, dtype_of, number
from glorot.replay.torch._generator import Generator, resolve


def uniform(
    shape: Any,
    a: float = 0.0,
    b: float = 1.0,
    generator: Generator | None = None,
    *,
    dtype: Any = None,
) -> Array:
    """What `torch.nn.init.uniform_` and `Tensor.uniform_` draw: values of [a, b).

    Args:
        shape: a sequence of integers.
        a, b: the limits; rounding lets no value reach `b`, unless they are equal.
        generator: to draw from; the default one of `manual_seed` when None.
        dtype: float16, bfloat16, float32 (also for None) or float64.

    Returns:
        A new array.  One word of the generator a value, two in float64.

    Raises:
        TypeError: a limit that is no number, another dtype, a shape that is none.
        ValueError: `a` above `b`, a limit or b - a beyond the dtype's largest value.
        RuntimeError: no `generator`, and the default one has no seed.

    Replays PyTorch 2.13.0 on x86-64: exact, by the arithmetic of `generator`.

    Example:
        >>> from glorot.replay.torch import Generator
        >>> uniform((3,), -1, 1, Generator().manual_seed(42))
        array([ 0.7645385 ,  0.8300079 , -0.23427248], dtype=float32)
    """
    low, high = number("a", a), number("b", b)
    return _uniform.uniform(
        parse_shape(shape), low, high, dtype_of(dtype), resolve(generator), ("a", "b")
    )


def normal(
    shape: Any,
    mean: float = 0.0,
    std: float = 1.0,
    generator: Generator | None = None,
    *,
    dtype: Any = None,
) -> Array:
    """What `torch.nn.init.normal_` and `Tensor.normal_` draw.

    Args:
        shape: a sequence of integers.
        mean, std: numbers, `std` not negative.
        generator, dtype: as `uniform`.

    Returns:
        A new array; see `glorot.replay.torch.randn` for what depends on the CPU and the C library.

    Raises:
        TypeError, ValueError, RuntimeError: as `uniform`; ValueError for a negative `std`.

    Replays PyTorch 2.13.0 on x86-64: exact, by the arithmetic of `generator`.

    Example:
        >>> from glorot.replay.torch import Generator
        >>> normal((3,), std=0.02, generator=Generator().manual_seed(42))
        array([0.00673381, 0.00257619, 0.00468925], dtype=float32)
    """
    centre, spread = number("mean", mean), number("std", std)
    return _normal.normal(parse_shape(shape), centre, spread, dtype_of(dtype), resolve(generator))


def trunc_normal(
    shape: Any,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
    *,
    dtype: Any = None,
    version: str = "2.13",
) -> Array:
    """What `torch.nn.init.trunc_normal_` draws: normal values of [a, b].

    Args:
        shape: a sequence of integers.
        mean, std: of the normal before it is cut.
        a, b: the limits, absolute, not in standard deviations.
        generator, dtype: as `uniform`.
        version: the release of torch.  "2.13" draws normals, or where [a, b] holds at most 0.3 of
            them uniforms, until they are accepted.  "2.12" is those before, and timm's own
            function on any: one uniform a value, through the inverse error function.  That is
            MKL's, so of "2.12" float16 and bfloat16 alone are exact; of float32, 3 values in
            10,000 are a last bit off (4 in 1,000 where MKL uses AVX-512), and of float64, 15 in
            100, by up to 3.

    Returns:
        A new array.

    Raises:
        TypeError, ValueError, RuntimeError: as `uniform`.
        ZeroDivisionError: `std` is 0.
        ArithmeticError: a uniform candidate lies so near acceptance that the last bit of a
            logarithm decides, which is torch's own; about one candidate in 1e7, and only where
            [a, b] holds at most 0.3 of the normal.

    Warns:
        UserWarning: the mean is more than 2 std outside of [a, b].

    Replays PyTorch 2.13.0 on x86-64: exact, by the arithmetic of `generator`.

    Example:
        >>> from glorot.replay.torch import Generator
        >>> trunc_normal((4, 5), generator=Generator().manual_seed(42))[0, :4]
        array([ 1.9269153,  1.4872841,  0.9007172, -0.7745925], dtype=float32)
        >>> trunc_normal((2,), generator=Generator().manual_seed(42), version="2.12")
        array([1.1024913, 1.2597553], dtype=float32)
    """
    _trunc_normal.check_version(version)
    centre, spread = number("mean", mean), number("std", std)
    limits = number("a", a), number("b", b)
    return _trunc_normal.trunc_normal(
        parse_shape(shape), centre, spread, *limits, dtype_of(dtype), resolve(generator), version
    )
