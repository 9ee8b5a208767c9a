# SPDX-License-Identifier: Apache-2.0
"""nnx's attention: its projections and norms, in flax's order.

Source: flax/nnx/nn/attention.py, 0.12.8.
"""

from typing import Any

from glorot.replay.flax._defaults import (
    KERNEL,
    ZEROS,
    Sizes,
    several,
)
from glorot.replay.flax.nnx._linear import LinearGeneral
from glorot.replay.flax.nnx._module import Module, check_unused
from glorot.replay.flax.nnx._normalization import LayerNorm
from glorot.replay.flax.nnx._rngs import Rngs
from glorot.replay.jax.nn.initializers import Initializer


class MultiHeadAttention(Module):
    """`query`, `key`, `value` and `out`, each a `LinearGeneral`; `query_ln`, `key_ln` if asked for.

    Replays flax 0.12.8 with JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay.flax import nnx
        >>> layer = nnx.MultiHeadAttention(num_heads=2, in_features=8, rngs=nnx.Rngs(0))
        >>> layer.query.kernel.shape, layer.out.kernel.shape
        ((8, 2, 4), (2, 4, 8))
    """

    query_ln: LayerNorm | None
    key_ln: LayerNorm | None

    def __init__(
        self,
        num_heads: int,
        in_features: int,
        qkv_features: int | None = None,
        out_features: int | None = None,
        num_kv_heads: int | None = None,
        in_kv_features: int | None = None,
        *,
        param_dtype: Any = "float32",
        dropout_rate: float = 0.0,
        kernel_init: Initializer = KERNEL,
        out_kernel_init: Initializer | None = None,
        bias_init: Initializer = ZEROS,
        out_bias_init: Initializer | None = None,
        use_bias: bool = True,
        normalize_qk: bool = False,
        keep_rngs: bool = True,
        rngs: Rngs,
        **unused: Any,
    ) -> None:
        check_unused(self, unused)
        width = in_features if qkv_features is None else qkv_features
        outputs = in_features if out_features is None else out_features
        kv_width = in_features if in_kv_features is None else in_kv_features
        kv_heads = num_heads if num_kv_heads is None else num_kv_heads
        for what, size, heads in (
            ("num_heads", num_heads, kv_heads),
            ("Memory dimension", width, num_heads),
        ):
            if size % heads:
                raise ValueError(f"{what} ({size}) must be divisible by the {heads} heads.")
        depth = width // num_heads

        def linear(inputs: Sizes, shape: Sizes, **inits: Any) -> LinearGeneral:
            axis = tuple(range(-len(several(inputs)), 0))
            options = {"use_bias": use_bias, "param_dtype": param_dtype, "rngs": rngs, **inits}
            return LinearGeneral(inputs, shape, axis=axis, **options)

        inits = {"kernel_init": kernel_init, "bias_init": bias_init}
        self.query = linear(in_features, (num_heads, depth), **inits)
        self.key = linear(kv_width, (kv_heads, depth), **inits)
        self.value = linear(kv_width, (kv_heads, depth), **inits)
        self.query_ln = self.key_ln = None
        if normalize_qk:
            norm = {"use_bias": False, "param_dtype": param_dtype}
            self.query_ln = LayerNorm(depth, rngs=rngs, **norm)
            self.key_ln = LayerNorm(depth, rngs=rngs, **norm)
        self.out = linear(
            (num_heads, depth),
            outputs,
            kernel_init=out_kernel_init or kernel_init,
            bias_init=out_bias_init or bias_init,
        )
        if keep_rngs and dropout_rate > 0:
            rngs.dropout.fork()  # takes a key, of the default stream if there is no other
