# SPDX-License-Identifier: Apache-2.0
"""nnx's normalizations and PReLU: ones, zeros and constants, for which a key is taken all the same.

Source: flax/nnx/nn/normalization.py and activations.py, 0.12.8.
"""

from typing import Any

from glorot.replay.flax._defaults import (
    ONES,
    ZEROS,
    check_groups,
    slope,
)
from glorot.replay.flax.nnx._module import Module, check_unused
from glorot.replay.flax.nnx._rngs import Rngs
from glorot.replay.jax._draw import Array
from glorot.replay.jax.nn.initializers import Initializer


class LayerNorm(Module):
    """`scale` of ones and `bias` of zeros; `GroupNorm`, `InstanceNorm` and `BatchNorm` alike.

    Replays flax 0.12.8 with JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay.flax import nnx
        >>> nnx.LayerNorm(3, rngs=nnx.Rngs(0)).scale
        array([1., 1., 1.], dtype=float32)
    """

    scale: Array | None
    bias: Array | None

    def __init__(
        self,
        num_features: int,
        *,
        param_dtype: Any = "float32",
        use_bias: bool = True,
        use_scale: bool = True,
        bias_init: Initializer = ZEROS,
        scale_init: Initializer = ONES,
        rngs: Rngs,
        **unused: Any,
    ) -> None:
        check_unused(self, unused)
        shape = (num_features,)
        self.scale = scale_init(rngs.params(), shape, param_dtype) if use_scale else None
        self.bias = bias_init(rngs.params(), shape, param_dtype) if use_bias else None


class InstanceNorm(LayerNorm):
    """`scale` of ones and `bias` of zeros.

    Replays flax 0.12.8 with JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay.flax import nnx
        >>> nnx.InstanceNorm(3, rngs=nnx.Rngs(0)).bias
        array([0., 0., 0.], dtype=float32)
    """


class GroupNorm(LayerNorm):
    """`scale` of ones and `bias` of zeros.

    Replays flax 0.12.8 with JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay.flax import nnx
        >>> nnx.GroupNorm(6, 3, rngs=nnx.Rngs(0)).bias.shape
        (6,)
    """

    def __init__(
        self,
        num_features: int,
        num_groups: int | None = 32,
        group_size: int | None = None,
        *,
        rngs: Rngs,
        **options: Any,
    ) -> None:
        check_groups(num_features, num_groups, group_size)
        super().__init__(num_features, rngs=rngs, **options)


class BatchNorm(LayerNorm):
    """`scale` of ones and `bias` of zeros; `mean` 0 and `var` 1.

    Replays flax 0.12.8 with JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay.flax import nnx
        >>> nnx.BatchNorm(3, rngs=nnx.Rngs(0)).var
        array([1., 1., 1.], dtype=float32)
    """

    def __init__(self, num_features: int, *, axis: int = -1, rngs: Rngs, **options: Any) -> None:
        self.mean = ZEROS(None, (num_features,), "float32")
        self.var = ONES(None, (num_features,), "float32")
        super().__init__(num_features, rngs=rngs, **options)


class RMSNorm(Module):
    """`scale` of ones.

    Replays flax 0.12.8 with JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay.flax import nnx
        >>> nnx.RMSNorm(3, rngs=nnx.Rngs(0)).scale
        array([1., 1., 1.], dtype=float32)
    """

    def __init__(
        self,
        num_features: int,
        *,
        param_dtype: Any = "float32",
        use_scale: bool = True,
        scale_init: Initializer = ONES,
        rngs: Rngs,
        **unused: Any,
    ) -> None:
        check_unused(self, unused)
        self.scale = None
        if use_scale:
            self.scale = scale_init(rngs.params(), (num_features,), param_dtype)


class PReLU(Module):
    """`negative_slope`, one number; takes no key.

    Replays flax 0.12.8 with JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay.flax import nnx
        >>> nnx.PReLU().negative_slope
        array(0.01, dtype=float32)
    """

    def __init__(
        self, negative_slope_init: float = 0.01, param_dtype: Any = "float32", **unused: Any
    ) -> None:
        check_unused(self, unused)
        self.negative_slope = slope(negative_slope_init, param_dtype)
