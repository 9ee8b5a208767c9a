# SPDX-License-Identifier: Apache-2.0
"""linen's attention: four DenseGeneral modules, named query, key, value and out.

Source: flax/linen/attention.py, 0.12.8.
"""

from dataclasses import dataclass
from typing import Any

from glorot.replay.flax._defaults import KERNEL, ZEROS
from glorot.replay.flax.linen._linear import DenseGeneral
from glorot.replay.flax.linen._module import Module, Shape
from glorot.replay.flax.linen._normalization import LayerNorm
from glorot.replay.flax.linen._scope import Scope
from glorot.replay.jax.nn.initializers import Initializer


@dataclass(frozen=True)
class MultiHeadDotProductAttention(Module):
    """Kernels (inputs, heads, depth) of query, key and value, and (heads, depth, outputs) of out.

    Inputs are those of queries, keys and values; what is left out is as in flax.

    Replays flax 0.12.8 with JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay import flax, jax
        >>> layer = flax.linen.MultiHeadDotProductAttention(num_heads=2)
        >>> params = layer.init(jax.random.key(0), (1, 5, 8))["params"]
        >>> params["query"]["kernel"].shape, params["out"]["kernel"].shape
        ((8, 2, 4), (2, 4, 8))
    """

    num_heads: int
    dtype: Any = None
    param_dtype: Any = "float32"
    qkv_features: int | None = None
    out_features: int | None = None
    broadcast_dropout: bool = True
    dropout_rate: float = 0.0
    deterministic: bool | None = None
    precision: Any = None
    kernel_init: Initializer = KERNEL
    out_kernel_init: Initializer | None = None
    bias_init: Initializer = ZEROS
    out_bias_init: Initializer | None = None
    use_bias: bool = True
    attention_fn: Any = None
    decode: bool = False
    normalize_qk: bool = False
    force_fp32_for_softmax: bool = False
    qkv_dot_general: Any = None
    out_dot_general: Any = None
    qkv_dot_general_cls: Any = None
    out_dot_general_cls: Any = None
    qk_attn_weights_einsum_cls: Any = None
    attn_weights_value_einsum_cls: Any = None

    def parameters(self, scope: Scope, *shapes: Shape) -> None:
        """query, key, value, query_ln, key_ln, out."""
        queries = shapes[0]
        keys = shapes[1] if len(shapes) > 1 else queries
        values = shapes[2] if len(shapes) > 2 else keys
        outputs, width = self.out_features or queries[-1], self.qkv_features or queries[-1]
        if width % self.num_heads:
            raise ValueError(
                f"Memory dimension ({width}) must be divisible by number of heads "
                f"({self.num_heads})."
            )
        depth = width // self.num_heads
        dense = DenseGeneral(
            features=(self.num_heads, depth),
            use_bias=self.use_bias,
            param_dtype=self.param_dtype,
            kernel_init=self.kernel_init,
            bias_init=self.bias_init,
        )
        for name, shape in (("query", queries), ("key", keys), ("value", values)):
            dense.parameters(scope.child(name), shape)
        if self.normalize_qk:
            norm = LayerNorm(param_dtype=self.param_dtype, use_bias=False)
            for name in ("query_ln", "key_ln"):
                norm.parameters(scope.child(name), (depth,))
        out = DenseGeneral(
            features=outputs,
            axis=(-2, -1),
            use_bias=self.use_bias,
            param_dtype=self.param_dtype,
            kernel_init=self.out_kernel_init or self.kernel_init,
            bias_init=self.out_bias_init or self.bias_init,
        )
        out.parameters(scope.child("out"), (self.num_heads, depth))


class MultiHeadAttention(MultiHeadDotProductAttention):
    """The same under another name, which is its default name in a path too.

    Replays flax 0.12.8 with JAX 0.10.2: exact, as with FMA.
    """


class SelfAttention(MultiHeadDotProductAttention):
    """The same with one input for queries, keys and values.

    Replays flax 0.12.8 with JAX 0.10.2: exact, as with FMA.
    """
