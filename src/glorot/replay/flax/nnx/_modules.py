# SPDX-License-Identifier: Apache-2.0
"""nnx's modules: each takes a key of `rngs.params` for each of its parameters, in flax's order.

Parameters are NumPy arrays; nothing is computed with them.  Arguments that change no parameter
(dtype, precision, strides, ...) are taken and not looked at.

Source: flax/nnx/nn/linear.py, normalization.py, activations.py and attention.py, 0.12.8.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from glorot._check import show
from glorot.replay.flax._defaults import (
    EMBEDDING,
    KERNEL,
    ONES,
    ZEROS,
    Sizes,
    check_groups,
    flat_bias,
    flat_kernel,
    several,
)
from glorot.replay.flax.nnx._rngs import Rngs
from glorot.replay.jax._draw import Array
from glorot.replay.jax.nn.initializers import Initializer, constant

# Of every module: what changes no parameter.
_UNUSED = {
    *("dtype", "precision", "promote_dtype", "dot_general", "dot_general_cls", "strides"),
    *("preferred_element_type", "kernel_metadata", "bias_metadata", "scale_metadata", "padding"),
    *("embedding_metadata", "input_dilation", "kernel_dilation", "mask", "conv_general_dilated"),
    *("einsum_op", "epsilon", "reduction_axes", "feature_axes", "axis_name", "axis_index_groups"),
    *("use_fast_variance", "momentum", "use_running_average", "broadcast_dropout", "attention_fn"),
    *("decode", "qkv_promote_dtype", "out_promote_dtype", "ln_promote_dtype", "deterministic"),
    *("qkv_dot_general", "out_dot_general", "qkv_dot_general_cls", "out_dot_general_cls"),
    *("out_kernel_metadata", "out_bias_metadata", "query_ln_scale_metadata"),
    *("key_ln_scale_metadata", "force_float32_reductions", "negative_slope_metadata"),
}


def _check_unused(module: object, options: Mapping[str, Any]) -> None:
    unknown = sorted(set(options) - _UNUSED)
    if unknown:
        raise TypeError(
            f"{type(module).__name__} got unexpected arguments {', '.join(unknown)}. Leave them "
            "out, if flax has none of that name either."
        )


class Module:
    """A module of flax.nnx, of which only the parameters are here."""


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
        _check_unused(self, unused)
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
        _check_unused(self, unused)
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
        _check_unused(self, unused)
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
        _check_unused(self, unused)
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
        _check_unused(self, unused)
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
        _check_unused(self, unused)
        self.embedding = embedding_init(rngs.params(), (num_embeddings, features), param_dtype)


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
        _check_unused(self, unused)
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
        _check_unused(self, unused)
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
        _check_unused(self, unused)
        slope = constant(np.float64(negative_slope_init))
        self.negative_slope = slope(None, (), param_dtype)


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
        _check_unused(self, unused)
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
