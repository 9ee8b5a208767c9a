# SPDX-License-Identifier: Apache-2.0
"""flax's initializers, in linen and nnx alike: JAX's, and makers of zeros and ones."""

from glorot.replay.jax.nn import initializers as _jax
from glorot.replay.jax.nn.initializers import *  # noqa: F403
from glorot.replay.jax.nn.initializers import Initializer, ones, zeros

__all__ = _jax.__all__ + ["ones_init", "zeros_init"]  # noqa: RUF005


def zeros_init() -> Initializer:
    """Return the initializer of zeros.

    Example:
        >>> zeros_init()(None, (2,))
        array([0., 0.], dtype=float32)
    """
    return zeros


def ones_init() -> Initializer:
    """Return the initializer of ones.

    Example:
        >>> ones_init()(None, (2,))
        array([1., 1.], dtype=float32)
    """
    return ones
