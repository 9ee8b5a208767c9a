# SPDX-License-Identifier: Apache-2.0
"""What the replay of flax promises."""

from glorot.replay._guarantee import Guarantee
from glorot.replay.jax._guarantees import HALF

VERSIONS = ("0.12.8 with JAX 0.10.2",)
_FLOATS32 = ("float16", "bfloat16", "float32")
_SHARED = ("Conv", "ConvTranspose", "Einsum", "Embed", "MultiHeadAttention")
_CONSTANT = ("BatchNorm", "GroupNorm", "InstanceNorm", "LayerNorm", "PReLU", "RMSNorm")
_LINEN = ("Dense", "DenseGeneral", "MultiHeadDotProductAttention", "SelfAttention")

ROWS = (
    Guarantee(
        "flax",
        VERSIONS,
        ("flax.linen.param_key", "flax.nnx.Rngs"),
        ("uint32",),
        distribution="keys",
        seekable=False,
        cases=2000,
    ),
    Guarantee(
        "flax",
        VERSIONS,
        (
            *(f"flax.linen.{name}" for name in (*_LINEN, *_SHARED, *_CONSTANT)),
            *(f"flax.nnx.{name}" for name in ("Linear", "LinearGeneral", *_SHARED, *_CONSTANT)),
        ),
        _FLOATS32,
        distribution="modules' parameters",
        arithmetic="FMA",
        seekable=False,
        cases=2000,
        note="For a shard of a parameter, take its key (linen.param_key, nnx.Rngs) and the "
        f"initializer's shard=. Truncated in {HALF}.",
    ),
)
