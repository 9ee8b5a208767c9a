# SPDX-License-Identifier: Apache-2.0
"""nnx's dense layers, convolutions and embeddings.

Source: flax/nnx/nn/linear.py, 0.12.8.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from glorot._check import show
from glorot.replay.flax._defaults import (
    EMBEDDING,
    KERNEL,
    ZEROS,
    Sizes,
    flat_bias,
    flat_kernel,
    several,
)
from glorot.replay.flax.nnx._module import Module, check_unused
from glorot.replay.flax.nnx._rngs import Rngs
from glorot.replay.jax.nn.initializers import Initializer


class Linear(Module):
    """`kernel` (in_features, out_features) by lecun_normal, `bias` of zeros.

    Replays flax 0.12.8 with JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay.flax import nnx
        >>> nnx.Linear(3, 2, rngs=nnx.Rngs(0)).kernel
        array([[ 0.6178674 , -0.55987215],
               [-0.46445078, -0.71505547],
               [-0.538841  ,  0.36689344]], dtype=float32)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        use_bias: bool = True,
        param_dtype: Any = "float32",
        kernel_init: Initializer = KERNEL,
        bias_init: Initializer = ZEROS,
        rngs: Rngs,
        **unused: Any,
    ) -> None:
        check_unused(self, unused)
        self.kernel = kernel_init(rngs.params(), (in_features, out_features), param_dtype)
        self.bias = bias_init(rngs.params(), (out_features,), param_dtype) if use_bias else None


class LinearGeneral(Module):
    """`kernel` (batch..., in..., out...), drawn flat by lecun_normal, and `bias` of zeros.

    Replays flax 0.12.8 with JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay.flax import nnx
        >>> nnx.LinearGeneral((2, 3), (4, 5), axis=(1, -1), rngs=nnx.Rngs(0)).kernel.shape
        (2, 3, 4, 5)
    """

    def __init__(
        self,
        in_features: Sizes,
        out_features: Sizes,
        *,
        axis: Sizes = -1,
        batch_axis: Mapping[int, int] | None = None,
        use_bias: bool = True,
        param_dtype: Any = "float32",
        kernel_init: Initializer = KERNEL,
        bias_init: Initializer = ZEROS,
        rngs: Rngs,
        **unused: Any,
    ) -> None:
        check_unused(self, unused)
        inputs, outputs, batch = several(in_features), several(out_features), batch_axis or {}
        if len(inputs) != len(several(axis)):
            raise ValueError(
                "`in_features` and `axis` must have the same length, got "
                f"{show(inputs)} and {show(axis)}."
            )
        if batch and set(batch) != set(range(max(batch) + 1)):
            raise ValueError(
                f"`batch_axis` {show(tuple(batch))} must be consecutive leading dimensions "
                "starting from 0."
            )
        sizes = tuple(batch.values())
        kernel, bias = flat_kernel(kernel_init, len(outputs)), flat_bias(bias_init)
        self.kernel = kernel(rngs.params(), (*sizes, *inputs, *outputs), param_dtype)
        self.bias = bias(rngs.params(), (*sizes, *outputs), param_dtype) if use_bias else None


class Einsum(Module):
    """`kernel` of a given shape by lecun_normal, and `bias` of zeros if it has a shape.

    Replays flax 0.12.8 with JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay.flax import nnx
        >>> nnx.Einsum("nta,hab->nthb", (8, 2, 4), (8, 4), rngs=nnx.Rngs(0)).bias.shape
        (8, 4)
    """

    def __init__(
        self,
        einsum_str: str,
        kernel_shape: Sequence[int],
        bias_shape: Sequence[int] | None = None,
        *,
        param_dtype: Any = "float32",
        kernel_init: Initializer = KERNEL,
        bias_init: Initializer = ZEROS,
        rngs: Rngs,
        **unused: Any,
    ) -> None:
        check_unused(self, unused)
        if "->" not in einsum_str or einsum_str.count(",") != 1:
            raise ValueError(
                f"`einsum_str` must be explicit, with '->', and have two operands, got "
                f"{show(einsum_str)}."
            )
        self.kernel = kernel_init(rngs.params(), kernel_shape, param_dtype)
        self.bias = None
        if bias_shape is not None:
            self.bias = bias_init(rngs.params(), bias_shape, param_dtype)


class Conv(Module):
    """`kernel` (*kernel_size, in / groups, out) by lecun_normal, `bias` of zeros.

    Replays flax 0.12.8 with JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay.flax import nnx
        >>> nnx.Conv(4, 8, (3, 3), rngs=nnx.Rngs(0)).kernel.shape
        (3, 3, 4, 8)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: Sizes,
        strides: Any = 1,
        *,
        feature_group_count: int = 1,
        use_bias: bool = True,
        param_dtype: Any = "float32",
        kernel_init: Initializer = KERNEL,
        bias_init: Initializer = ZEROS,
        rngs: Rngs,
        **unused: Any,
    ) -> None:
        check_unused(self, unused)
        shape = (*several(kernel_size), in_features // feature_group_count, out_features)
        self.kernel = kernel_init(rngs.params(), shape, param_dtype)
        self.bias = bias_init(rngs.params(), (out_features,), param_dtype) if use_bias else None


class ConvTranspose(Module):
    """`kernel` (*kernel_size, in, out), or with `transpose_kernel` (*kernel_size, out, in).

    Replays flax 0.12.8 with JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay.flax import nnx
        >>> nnx.ConvTranspose(4, 8, 3, transpose_kernel=True, rngs=nnx.Rngs(0)).kernel.shape
        (3, 8, 4)
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        kernel_size: Sizes,
        strides: Any = None,
        *,
        use_bias: bool = True,
        param_dtype: Any = "float32",
        kernel_init: Initializer = KERNEL,
        bias_init: Initializer = ZEROS,
        transpose_kernel: bool = False,
        rngs: Rngs,
        **unused: Any,
    ) -> None:
        check_unused(self, unused)
        ends = (out_features, in_features) if transpose_kernel else (in_features, out_features)
        self.kernel = kernel_init(rngs.params(), (*several(kernel_size), *ends), param_dtype)
        self.bias = bias_init(rngs.params(), (out_features,), param_dtype) if use_bias else None


class Embed(Module):
    """`embedding` (num_embeddings, features), normal with variance 1 / features.

    Replays flax 0.12.8 with JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay.flax import nnx
        >>> nnx.Embed(5, 3, rngs=nnx.Rngs(0)).embedding[0]
        array([ 0.57966787, -0.523274  , -0.43195742], dtype=float32)
    """

    def __init__(
        self,
        num_embeddings: int,
        features: int,
        *,
        param_dtype: Any = "float32",
        embedding_init: Initializer = EMBEDDING,
        rngs: Rngs,
        **unused: Any,
    ) -> None:
        check_unused(self, unused)
        self.embedding = embedding_init(rngs.params(), (num_embeddings, features), param_dtype)
