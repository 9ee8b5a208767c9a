# SPDX-License-Identifier: Apache-2.0
"""`flax.linen`: the parameters that its modules draw, given a root key and a path of names.

All but `BatchNorm`'s statistics are functions of the key, the path and the input's shape.  Models
are not here: call `init` of each module with its `path`, or `param_key` for a parameter of yours.
`nn.vmap` gives copy i the key `jax.random.split(key, copies)[i]` of the model's key: give `init`
that one, and the whole path.  `nn.remat` changes nothing but a name.  What `nn.jit`, `nn.scan` and
other lifted transforms draw is not replayed.
"""

from glorot.replay.flax import initializers as initializers
from glorot.replay.flax.linen._attention import MultiHeadAttention as MultiHeadAttention
from glorot.replay.flax.linen._attention import (
    MultiHeadDotProductAttention as MultiHeadDotProductAttention,
)
from glorot.replay.flax.linen._attention import SelfAttention as SelfAttention
from glorot.replay.flax.linen._linear import Conv as Conv
from glorot.replay.flax.linen._linear import ConvTranspose as ConvTranspose
from glorot.replay.flax.linen._linear import Dense as Dense
from glorot.replay.flax.linen._linear import DenseGeneral as DenseGeneral
from glorot.replay.flax.linen._linear import Einsum as Einsum
from glorot.replay.flax.linen._linear import Embed as Embed
from glorot.replay.flax.linen._module import Module as Module
from glorot.replay.flax.linen._normalization import BatchNorm as BatchNorm
from glorot.replay.flax.linen._normalization import GroupNorm as GroupNorm
from glorot.replay.flax.linen._normalization import InstanceNorm as InstanceNorm
from glorot.replay.flax.linen._normalization import LayerNorm as LayerNorm
from glorot.replay.flax.linen._normalization import PReLU as PReLU
from glorot.replay.flax.linen._normalization import RMSNorm as RMSNorm
from glorot.replay.flax.linen._scope import param_key as param_key

__all__ = [
    "BatchNorm",
    "Conv",
    "ConvTranspose",
    "Dense",
    "DenseGeneral",
    "Einsum",
    "Embed",
    "GroupNorm",
    "InstanceNorm",
    "LayerNorm",
    "Module",
    "MultiHeadAttention",
    "MultiHeadDotProductAttention",
    "PReLU",
    "RMSNorm",
    "SelfAttention",
    "initializers",
    "param_key",
]
