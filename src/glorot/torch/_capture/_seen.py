# SPDX-License-Identifier: Apache-2.0
"""What a tensor holds of the values that its memory does."""

import torch

from glorot._captured._drawn import Drawn, Fixed, Given, Orthogonal, Unknown, describe
from glorot._constants import Identity
from glorot._orthogonal import Orthogonal as _Orthogonal

_ANY_SIDE_UP = _Orthogonal, Identity  # which a square matrix has turned as well


def as_seen(value: Drawn, tensor: torch.Tensor) -> Drawn:
    """Return what a tensor holds, or writes, where its memory holds such values as its axes lie
    there: those that depend on the place are others in another order."""
    if (tensor.is_neg() or tensor.is_conj()) and value != Fixed(0.0):
        return Unknown(f"a negated or conjugated view of {describe(value)}")
    if not isinstance(value, Given | Orthogonal) or _descend(tensor):
        return value
    long = [size for size in tensor.shape if size != 1]
    if isinstance(value, Given):
        symmetric = isinstance(value.initializer, _ANY_SIDE_UP) and len(set(tensor.shape)) == 1
    else:
        symmetric = True
    if len(long) == 2 and symmetric:
        return value
    return Unknown(f"another order of {describe(value)}")


def _descend(tensor: torch.Tensor) -> bool:
    """Whether the axes lie in memory in their order, as those of a contiguous tensor do."""
    axes = zip(tensor.shape, tensor.stride(), strict=True)
    strides = [stride for size, stride in axes if size != 1]
    return strides == sorted(strides, reverse=True)
