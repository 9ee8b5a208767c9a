# SPDX-License-Identifier: Apache-2.0
"""xavier_* and kaiming_*: the scale follows the fans."""

import math
import warnings
from typing import Any

import numpy as np

from glorot._check import parse_shape, show
from glorot.replay.torch import _normal, _uniform
from glorot.replay.torch._arguments import Array, dtype_of, number
from glorot.replay.torch._generator import Generator, resolve
from glorot.replay.torch.nn.init._fans import correct_fan, fans
from glorot.replay.torch.nn.init._gain import calculate_gain


def xavier_std(sizes: tuple[int, ...], gain: float) -> Any:
    """The standard deviation of both xavier initializers: a float of NumPy's if `gain` is one.

    NumPy computes float32 times a Python number in float32, and so torch does with such a gain.
    """
    fan_in, fan_out = fans(sizes)
    if fan_in + fan_out == 0:
        raise ZeroDivisionError(
            f"`shape` {show(sizes)} has no fans to divide by: give one an axis other than 0."
        )
    factor = number("gain", gain)
    if not factor >= 0:
        raise ValueError(f"`gain` must be 0 or more, got {show(gain)}: torch refuses the scale.")
    own = np.asarray(gain).dtype
    kind = own.type if own.kind == "f" else float
    return kind(factor) * kind(math.sqrt(2.0 / float(fan_in + fan_out)))


def xavier_uniform(
    shape: Any, gain: float = 1.0, generator: Generator | None = None, *, dtype: Any = None
) -> Array:
    """What `torch.nn.init.xavier_uniform_` draws (Glorot and Bengio, 2010).

    Values of [-a, a), a = gain * sqrt(6 / (fan_in + fan_out)).

    Args:
        shape: (out, in, *receptive field), so fan_in is the second axis.
        gain: a factor, 0 or more; see `calculate_gain`.
        generator, dtype: as `uniform`.

    Returns:
        A new array.

    Raises:
        TypeError, ValueError, RuntimeError: as `uniform`; ValueError for fewer than 2 axes.
        ZeroDivisionError: both fans are 0.

    Replays PyTorch 2.13.0 on x86-64: exact, by the arithmetic of `generator`.

    Example:
        >>> from glorot.replay.torch import Generator
        >>> xavier_uniform((3, 4), generator=Generator().manual_seed(42))[0]
        array([ 0.7078251 ,  0.76843804, -0.21689418,  0.8504688 ], dtype=float32)
    """
    sizes = parse_shape(shape)
    std = xavier_std(sizes, gain)
    a = float(type(std)(math.sqrt(3.0)) * std)
    return _uniform.uniform(sizes, -a, a, dtype_of(dtype), resolve(generator))


def xavier_normal(
    shape: Any, gain: float = 1.0, generator: Generator | None = None, *, dtype: Any = None
) -> Array:
    """What `torch.nn.init.xavier_normal_` draws: std = gain * sqrt(2 / (fan_in + fan_out)).

    Arguments, result and errors as `xavier_uniform`.

    Replays PyTorch 2.13.0 on x86-64: exact, by the arithmetic of `generator`.

    Example:
        >>> from glorot.replay.torch import Generator
        >>> xavier_normal((4, 5), generator=Generator().manual_seed(42))[0, :3]
        array([0.9083566 , 0.70111245, 0.42460215], dtype=float32)
    """
    sizes = parse_shape(shape)
    std = float(xavier_std(sizes, gain))
    return _normal.normal(sizes, 0.0, std, dtype_of(dtype), resolve(generator))


def kaiming_std(sizes: tuple[int, ...], a: float, mode: str, nonlinearity: str) -> float | None:
    """The standard deviation, or None for a shape without elements, which torch only warns of."""
    if 0 in sizes:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return None
    fan = correct_fan(sizes, mode)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def kaiming_uniform(
    shape: Any,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
    *,
    dtype: Any = None,
) -> Array:
    """What `torch.nn.init.kaiming_uniform_` draws (He et al., 2015).

    Values of [-bound, bound), bound = gain * sqrt(3 / fan).

    Args:
        shape: (out, in, *receptive field), so fan_in is the second axis.
        a: the negative slope, where `nonlinearity` is leaky_relu.
        mode: fan_in or fan_out.
        nonlinearity: what `calculate_gain` takes.
        generator, dtype: as `uniform`.

    Returns:
        A new array.

    Raises:
        TypeError, ValueError, RuntimeError: as `uniform`; ValueError for fewer than 2 axes, another
            mode or nonlinearity.

    Warns:
        UserWarning: a shape without elements, of which nothing else is looked at, as in torch.

    Replays PyTorch 2.13.0 on x86-64: exact, by the arithmetic of `generator`.

    Example:
        >>> from glorot.replay.torch import Generator
        >>> kaiming_uniform((2, 3), mode="fan_out", generator=Generator().manual_seed(42))[0]
        array([ 1.3242196 ,  1.4376159 , -0.40577182], dtype=float32)
    """
    sizes, found, source = parse_shape(shape), dtype_of(dtype), resolve(generator)
    std = kaiming_std(sizes, a, mode, nonlinearity)
    if std is None:
        return np.empty(sizes, dtype=found)
    bound = math.sqrt(3.0) * std
    return _uniform.uniform(sizes, -bound, bound, found, source)


def kaiming_normal(
    shape: Any,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
    *,
    dtype: Any = None,
) -> Array:
    """What `torch.nn.init.kaiming_normal_` draws: std = gain / sqrt(fan).

    Arguments, result, errors and warnings as `kaiming_uniform`.

    Replays PyTorch 2.13.0 on x86-64: exact, by the arithmetic of `generator`.

    Example:
        >>> from glorot.replay.torch import Generator
        >>> kaiming_normal((2, 3), generator=Generator().manual_seed(42))[0]
        array([0.27490652, 0.10517244, 0.19143772], dtype=float32)
    """
    sizes, found, source = parse_shape(shape), dtype_of(dtype), resolve(generator)
    std = kaiming_std(sizes, a, mode, nonlinearity)
    if std is None:
        return np.empty(sizes, dtype=found)
    return _normal.normal(sizes, 0.0, std, found, source)
