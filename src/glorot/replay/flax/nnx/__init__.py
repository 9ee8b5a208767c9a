# SPDX-License-Identifier: Apache-2.0
"""`flax.nnx`: streams of keys, and modules whose attributes are the parameters they draw.

A model is built as in flax: one `Rngs` handed from module to module gives each the key that it has
there.
"""

from glorot.replay.flax import initializers as initializers
from glorot.replay.flax.nnx._attention import MultiHeadAttention as MultiHeadAttention
from glorot.replay.flax.nnx._linear import Conv as Conv
from glorot.replay.flax.nnx._linear import ConvTranspose as ConvTranspose
from glorot.replay.flax.nnx._linear import Einsum as Einsum
from glorot.replay.flax.nnx._linear import Embed as Embed
from glorot.replay.flax.nnx._linear import Linear as Linear
from glorot.replay.flax.nnx._linear import LinearGeneral as LinearGeneral
from glorot.replay.flax.nnx._module import Module as Module
from glorot.replay.flax.nnx._normalization import BatchNorm as BatchNorm
from glorot.replay.flax.nnx._normalization import GroupNorm as GroupNorm
from glorot.replay.flax.nnx._normalization import InstanceNorm as InstanceNorm
from glorot.replay.flax.nnx._normalization import LayerNorm as LayerNorm
from glorot.replay.flax.nnx._normalization import PReLU as PReLU
from glorot.replay.flax.nnx._normalization import RMSNorm as RMSNorm
from glorot.replay.flax.nnx._rngs import Rngs as Rngs
from glorot.replay.flax.nnx._rngs import RngStream as RngStream

__all__ = [
    "BatchNorm",
    "Conv",
    "ConvTranspose",
    "Einsum",
    "Embed",
    "GroupNorm",
    "InstanceNorm",
    "LayerNorm",
    "Linear",
    "LinearGeneral",
    "Module",
    "MultiHeadAttention",
    "PReLU",
    "RMSNorm",
    "RngStream",
    "Rngs",
    "initializers",
]
