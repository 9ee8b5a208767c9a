# SPDX-License-Identifier: Apache-2.0
"""What nnx's modules share: each takes a key of `rngs.params` for each of its parameters, in flax's
order.

Parameters are NumPy arrays; nothing is computed with them.  Arguments that change no parameter
(dtype, precision, strides, ...) are taken and not looked at.
"""

from collections.abc import Mapping
from typing import Any

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


def check_unused(module: object, options: Mapping[str, Any]) -> None:
    unknown = sorted(set(options) - _UNUSED)
    if unknown:
        raise TypeError(
            f"{type(module).__name__} got unexpected arguments {', '.join(unknown)}. Leave them "
            "out, if flax has none of that name either."
        )


class Module:
    """A module of flax.nnx, of which only the parameters are here."""
