# SPDX-License-Identifier: Apache-2.0
"""The functions of `torch.nn.init` by their names, with `seed` and `name` in place of a generator.

Arguments, defaults, laws and fans are PyTorch 2.13's (the fans of a tensor are those of a
convolution of its shape); the values are glorot's.  On the meta device they do nothing, as in
torch, so that modules that call them can be built there.  Functions that draw nothing take `seed`
and `name` too, and ignore them, so that all can be called one way.
"""

import functools
from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.nn.init import calculate_gain

from glorot import _check, _constants, _orthogonal, _random, _sparse, _variance_scaling
from glorot._base import Initializer
from glorot.torch._init import init_tensor
from glorot.torch._target import check_tensor

_LAYOUT = "torch.conv"  # axis 0 out, 1 in, the rest receptive field: as torch counts fans
_MODES = ("fan_in", "fan_out")


@functools.lru_cache(maxsize=1024)
def _made(cls: Callable[..., Initializer], *arguments: Any, **options: Any) -> Initializer:
    return cls(*arguments, **options)


def _fill(tensor: Tensor, initializer: Initializer, seed: int | None, name: str) -> Tensor:
    if initializer.random:
        initializer._seed(seed)
    if tensor.is_meta:
        return tensor
    return init_tensor(tensor, initializer, seed=seed, name=name)


def _check_dimensions(tensor: Tensor, verb: str, fewest: int, most: int | None = None) -> None:
    found = check_tensor(tensor).dim()
    if found < fewest or (most is not None and found > most):
        needed = {None: f"at least {fewest}", fewest: f"{fewest}"}.get(most, f"{fewest} to {most}")
        raise ValueError(
            f"`tensor` must have {needed} axes for {verb}, got the shape {tuple(tensor.shape)}."
            + (" A vector has no fans: use uniform_ or normal_." if fewest == 2 > found else "")
        )


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, *, seed: int, name: str) -> Tensor:
    """Fill with U(a, b), no value outside of [a, b]; `a` where both are equal.

    Examples:
        >>> import torch, glorot.torch
        >>> w = glorot.torch.uniform_(torch.empty(1000), -1.0, 1.0, seed=42, name="w")
        >>> bool(w.min() >= -1), bool(w.max() <= 1)
        (True, True)
    """
    low, high = _check.real("a", a), _check.real("b", b)
    if low > high:
        raise ValueError(f"`a` must not be above `b`, got a={a!r}, b={b!r}.")
    if low == high:
        return _fill(check_tensor(tensor), _made(_constants.Constant, low), seed, name)
    return _fill(check_tensor(tensor), _made(_random.RandomUniform, low, high), seed, name)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, *, seed: int, name: str) -> Tensor:
    """Fill with N(mean, std**2), not truncated.

    Examples:
        >>> import torch, glorot.torch
        >>> w = glorot.torch.normal_(torch.empty(100, 100), std=0.02, seed=42, name="w")
        >>> abs(w.std().item() / 0.02 - 1) < 0.03
        True
    """
    mean, std = _check.real("mean", mean), _check.real("std", std)
    if std < 0:
        raise ValueError(f"`std` must not be negative, got {std!r}.")
    return _fill(check_tensor(tensor), _made(_random.RandomNormal, mean, std), seed, name)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    *,
    seed: int,
    name: str,
) -> Tensor:
    """Fill with N(mean, std**2) cut to [a, b], which are values and not standard deviations.

    Examples:
        >>> import torch, glorot.torch
        >>> w = glorot.torch.trunc_normal_(torch.empty(1000), a=-1.0, b=0.5, seed=42, name="w")
        >>> bool(w.min() >= -1), bool(w.max() <= 0.5)
        (True, True)
    """
    mean, std = _check.real("mean", mean), _check.positive("std", std)
    low, high = _check.cut("a", a), _check.cut("b", b)
    if not low < high:
        raise ValueError(f"`a` must be below `b`, got a={a!r}, b={b!r}.")
    cuts = {"lower": (low - mean) / std, "upper": (high - mean) / std}
    return _fill(
        check_tensor(tensor), _made(_random.TruncatedNormal, mean, std, **cuts), seed, name
    )


def constant_(tensor: Tensor, val: float, *, seed: int | None = None, name: str = "") -> Tensor:
    """Fill with `val`, which the tensor's dtype must hold.

    Examples:
        >>> import torch, glorot.torch
        >>> glorot.torch.constant_(torch.empty(2), 0.5)
        tensor([0.5000, 0.5000])
    """
    return _fill(check_tensor(tensor), _made(_constants.Constant, val), seed, name)


def ones_(tensor: Tensor, *, seed: int | None = None, name: str = "") -> Tensor:
    """Fill with 1.

    Examples:
        >>> import torch, glorot.torch
        >>> glorot.torch.ones_(torch.empty(2))
        tensor([1., 1.])
    """
    return _fill(check_tensor(tensor), _made(_constants.Ones), seed, name)


def zeros_(tensor: Tensor, *, seed: int | None = None, name: str = "") -> Tensor:
    """Fill with 0.

    Examples:
        >>> import torch, glorot.torch
        >>> glorot.torch.zeros_(torch.ones(2))
        tensor([0., 0.])
    """
    return _fill(check_tensor(tensor), _made(_constants.Zeros), seed, name)


def eye_(tensor: Tensor, *, seed: int | None = None, name: str = "") -> Tensor:
    """Fill a matrix with 1 on its diagonal and 0 elsewhere.

    Examples:
        >>> import torch, glorot.torch
        >>> glorot.torch.eye_(torch.empty(2, 3))
        tensor([[1., 0., 0.],
                [0., 1., 0.]])
    """
    _check_dimensions(tensor, "eye_", 2, 2)
    return _fill(tensor, _made(_constants.Identity), seed, name)


def dirac_(tensor: Tensor, groups: int = 1, *, seed: int | None = None, name: str = "") -> Tensor:
    """Fill a convolution of 1 to 3 spatial axes so that it hands its input channels on, in each
    group.

    Examples:
        >>> import torch, glorot.torch
        >>> glorot.torch.dirac_(torch.empty(2, 2, 3))[0]
        tensor([[0., 1., 0.],
                [0., 0., 0.]])
    """
    _check_dimensions(tensor, "dirac_", 3, 5)
    return _fill(tensor, _made(_constants.Dirac, groups, layout=_LAYOUT), seed, name)


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, *, seed: int, name: str) -> Tensor:
    """Fill with U(-bound, bound), bound = gain * sqrt(6 / (fan_in + fan_out)).

    Source: Glorot, Bengio, AISTATS 2010, equation 16.

    Examples:
        >>> import torch, glorot.torch
        >>> w = glorot.torch.xavier_uniform_(torch.empty(256, 784), seed=42, name="encoder.weight")
        >>> bool(w.abs().max() < (6 / (256 + 784)) ** 0.5)
        True
    """
    _check_dimensions(tensor, "xavier_uniform_", 2)
    made = _made(_variance_scaling.GlorotUniform, gain=gain, layout=_LAYOUT)
    return _fill(tensor, made, seed, name)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, *, seed: int, name: str) -> Tensor:
    """Fill with N(0, std**2), std = gain * sqrt(2 / (fan_in + fan_out)), not truncated.

    Source: Glorot, Bengio, AISTATS 2010, equation 12.

    Examples:
        >>> import torch, glorot.torch
        >>> w = glorot.torch.xavier_normal_(torch.empty(300, 200), seed=42, name="w")
        >>> abs(w.std().item() / (2 / 500) ** 0.5 - 1) < 0.02
        True
    """
    _check_dimensions(tensor, "xavier_normal_", 2)
    made = _scaled("fan_avg", "untruncated_normal", gain)
    return _fill(tensor, made, seed, name)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    seed: int,
    name: str,
) -> Tensor:
    """Fill with U(-bound, bound), bound = gain * sqrt(3 / fan); `a` is leaky ReLU's slope.

    Source: He, Zhang, Ren, Sun, ICCV 2015.

    Examples:
        >>> import math, torch, glorot.torch
        >>> w = glorot.torch.kaiming_uniform_(  # as torch.nn.Linear fills its weight
        ...     torch.empty(64, 100), a=math.sqrt(5), seed=42, name="w")
        >>> bool(w.abs().max() < 0.1)
        True
    """
    _check_dimensions(tensor, "kaiming_uniform_", 2)
    return _fill(tensor, _kaiming("uniform", a, mode, nonlinearity), seed, name)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0.0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    seed: int,
    name: str,
) -> Tensor:
    """Fill with N(0, std**2), std = gain / sqrt(fan), not truncated; `a` is leaky ReLU's slope.

    Source: He, Zhang, Ren, Sun, ICCV 2015.

    Examples:
        >>> import torch, glorot.torch
        >>> w = glorot.torch.kaiming_normal_(
        ...     torch.empty(64, 32, 3, 3), mode="fan_out", nonlinearity="relu", seed=42, name="w")
        >>> abs(w.std().item() / (2 / (64 * 9)) ** 0.5 - 1) < 0.03
        True
    """
    _check_dimensions(tensor, "kaiming_normal_", 2)
    return _fill(tensor, _kaiming("untruncated_normal", a, mode, nonlinearity), seed, name)


def orthogonal_(tensor: Tensor, gain: float = 1.0, *, seed: int, name: str) -> Tensor:
    """Fill with a matrix of orthonormal rows or columns, whichever are fewer, times `gain`; axis 0
    is the rows, the others are the columns.

    The tolerance is that of `glorot.Orthogonal`; a shard is computed from the whole.

    Source: Saxe, McClelland, Ganguli, ICLR 2014.

    Examples:
        >>> import torch, glorot.torch
        >>> w = glorot.torch.orthogonal_(torch.empty(3, 5), seed=42, name="w")
        >>> bool(torch.allclose(w @ w.T, torch.eye(3), atol=1e-6))
        True
    """
    _check_dimensions(tensor, "orthogonal_", 2)
    return _fill(tensor, _made(_orthogonal.Orthogonal, gain, layout=_LAYOUT), seed, name)


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, *, seed: int, name: str) -> Tensor:
    """Fill a matrix with N(0, std**2), and exactly ceil(sparsity * rows) zeros in each column.

    Source: Martens, "Deep learning via Hessian-free optimization", ICML 2010.

    Examples:
        >>> import torch, glorot.torch
        >>> w = glorot.torch.sparse_(torch.empty(10, 4), sparsity=0.25, seed=42, name="w")
        >>> (w == 0).sum(0).tolist()
        [3, 3, 3, 3]
    """
    _check_dimensions(tensor, "sparse_", 2, 2)
    made = _made(_sparse.Sparse, sparsity, std, layout="IO")  # the zeros are counted by column
    return _fill(tensor, made, seed, name)


def _scaled(mode: str, distribution: str, gain: float) -> Initializer:
    return _made(
        _variance_scaling.VarianceScaling,
        mode=mode,
        distribution=distribution,
        gain=gain,
        layout=_LAYOUT,
    )


def _kaiming(distribution: str, a: float, mode: str, nonlinearity: str) -> Initializer:
    lowered = mode.lower() if isinstance(mode, str) else mode
    gain = calculate_gain(nonlinearity, _check.real("a", a))
    return _scaled(_check.choice("mode", lowered, _MODES), distribution, gain)
