# SPDX-License-Identifier: Apache-2.0
"""linen's linear modules: Dense, DenseGeneral, Einsum, Conv, ConvTranspose, Embed.

Fields that change no parameter (dtype, precision, strides, ...) are taken and not looked at.

Source: flax/linen/linear.py, 0.12.8.
"""

from collections.abc import Sequence
from dataclasses import dataclass
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
from glorot.replay.flax.linen._module import Module, Shape
from glorot.replay.flax.linen._scope import Scope
from glorot.replay.jax.nn.initializers import Initializer


@dataclass(frozen=True)
class Dense(Module):
    """A kernel (inputs, features), drawn by lecun_normal, and a bias of zeros.

    Replays flax 0.12.8 with JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay import flax, jax
        >>> flax.linen.Dense(2).init(jax.random.key(0), (1, 3))["params"]["kernel"]
        array([[ 0.04769871, -0.9522832 ],
               [-0.9856886 ,  0.44283277],
               [ 0.7022229 ,  0.53018653]], dtype=float32)
    """

    features: int
    use_bias: bool = True
    dtype: Any = None
    param_dtype: Any = "float32"
    precision: Any = None
    kernel_init: Initializer = KERNEL
    bias_init: Initializer = ZEROS
    promote_dtype: Any = None
    dot_general: Any = None
    dot_general_cls: Any = None

    def parameters(self, scope: Scope, *shapes: Shape) -> None:
        """kernel, bias."""
        scope.param("kernel", self.kernel_init, (shapes[0][-1], self.features), self.param_dtype)
        if self.use_bias:
            scope.param("bias", self.bias_init, (self.features,), self.param_dtype)


@dataclass(frozen=True)
class DenseGeneral(Module):
    """A kernel (batch..., inputs..., features...), drawn flat by lecun_normal, and zeros.

    Replays flax 0.12.8 with JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay import flax, jax
        >>> layer = flax.linen.DenseGeneral((4, 5), axis=(1, -1))
        >>> layer.init(jax.random.key(0), (1, 3, 6, 7))["params"]["kernel"].shape
        (3, 7, 4, 5)
    """

    features: Sizes
    axis: Sizes = -1
    batch_dims: Sequence[int] = ()
    use_bias: bool = True
    dtype: Any = None
    param_dtype: Any = "float32"
    kernel_init: Initializer = KERNEL
    bias_init: Initializer = ZEROS
    precision: Any = None
    promote_dtype: Any = None
    dot_general: Any = None
    dot_general_cls: Any = None

    def parameters(self, scope: Scope, *shapes: Shape) -> None:
        """kernel, bias."""
        (inputs, *_), features = shapes, several(self.features)
        batch = several(self.batch_dims)
        if batch and set(batch) != set(range(max(batch) + 1)):
            raise ValueError(
                f"batch_dims {show(batch)} must be consecutive leading dimensions starting from 0."
            )
        rank = len(inputs)
        if not all(-rank <= axis < rank for axis in (*several(self.axis), *batch)):
            raise IndexError(
                f"`axis`={show(self.axis)} and `batch_dims`={show(batch)} leave the {rank} axes of "
                f"{show(inputs)}."
            )
        axes = sorted(axis % rank for axis in several(self.axis))
        if len({*axes, *batch}) < len(axes) + len(set(batch)):
            raise TypeError(
                f"`axis`={show(self.axis)} and `batch_dims`={show(batch)} must name each axis of "
                f"{show(inputs)} once."
            )
        batch_shape = tuple(inputs[axis] for axis in sorted(batch))
        shape = (*batch_shape, *(inputs[axis] for axis in axes), *features)
        kernel = flat_kernel(self.kernel_init, len(features))
        scope.param("kernel", kernel, shape, self.param_dtype)
        if self.use_bias:
            bias = flat_bias(self.bias_init)
            scope.param("bias", bias, (*batch_shape, *features), self.param_dtype)


@dataclass(frozen=True)
class Einsum(Module):
    """A kernel of a given shape, drawn by lecun_normal, and a bias of zeros.

    Replays flax 0.12.8 with JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay import flax, jax
        >>> layer = flax.linen.Einsum((5, 6, 7), "abc,cde->abde")
        >>> layer.init(jax.random.key(0), (3, 4, 5))["params"]["bias"].shape
        (6, 7)
    """

    shape: Sequence[int]
    einsum_str: str | None = None
    use_bias: bool = True
    dtype: Any = None
    param_dtype: Any = "float32"
    precision: Any = None
    kernel_init: Initializer = KERNEL
    bias_init: Initializer = ZEROS
    promote_dtype: Any = None
    preferred_element_type: Any = None

    def parameters(self, scope: Scope, *shapes: Shape) -> None:
        """kernel, bias."""
        bias_shape = self._bias_shape()
        scope.param("kernel", self.kernel_init, self.shape, self.param_dtype)
        if self.use_bias:
            scope.param("bias", self.bias_init, bias_shape, self.param_dtype)

    def _bias_shape(self) -> Shape:
        equation = (self.einsum_str or "").replace(" ", "")
        operands, arrow, result = equation.partition("->")
        kernel = operands.partition(",")[2]
        if not arrow or operands.count(",") != 1 or len(kernel) != len(self.shape):
            raise ValueError(
                "`einsum_str` must be explicit, have two operands, and a letter for each axis of "
                f"the kernel, got {show(self.einsum_str)}."
            )
        return tuple(self.shape[kernel.index(letter)] for letter in result if letter in kernel)


@dataclass(frozen=True)
class Conv(Module):
    """A kernel (*kernel_size, inputs / groups, features), drawn by lecun_normal, and zeros.

    Replays flax 0.12.8 with JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay import flax, jax
        >>> layer = flax.linen.Conv(8, (3, 3))
        >>> layer.init(jax.random.key(0), (1, 28, 28, 4))["params"]["kernel"].shape
        (3, 3, 4, 8)
    """

    features: int
    kernel_size: Sizes
    strides: Any = 1
    padding: Any = "SAME"
    input_dilation: Any = 1
    kernel_dilation: Any = 1
    feature_group_count: int = 1
    use_bias: bool = True
    mask: Any = None
    dtype: Any = None
    param_dtype: Any = "float32"
    precision: Any = None
    kernel_init: Initializer = KERNEL
    bias_init: Initializer = ZEROS
    promote_dtype: Any = None
    conv_general_dilated: Any = None
    conv_general_dilated_cls: Any = None

    def parameters(self, scope: Scope, *shapes: Shape) -> None:
        """kernel, bias."""
        inputs = shapes[0][-1]
        if inputs % self.feature_group_count or self.features % self.feature_group_count:
            raise ValueError(
                f"`feature_group_count`={self.feature_group_count} must divide the {inputs} input "
                f"features and the {self.features} output ones."
            )
        shape = (*several(self.kernel_size), inputs // self.feature_group_count, self.features)
        scope.param("kernel", self.kernel_init, shape, self.param_dtype)
        if self.use_bias:
            scope.param("bias", self.bias_init, (self.features,), self.param_dtype)


@dataclass(frozen=True)
class ConvTranspose(Module):
    """A kernel (*kernel_size, inputs, features), or with `transpose_kernel` the last two swapped.

    Replays flax 0.12.8 with JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay import flax, jax
        >>> layer = flax.linen.ConvTranspose(8, (3, 3), transpose_kernel=True)
        >>> layer.init(jax.random.key(0), (1, 28, 28, 4))["params"]["kernel"].shape
        (3, 3, 8, 4)
    """

    features: int
    kernel_size: Sizes
    strides: Any = None
    padding: Any = "SAME"
    kernel_dilation: Any = None
    use_bias: bool = True
    mask: Any = None
    dtype: Any = None
    param_dtype: Any = "float32"
    precision: Any = None
    kernel_init: Initializer = KERNEL
    bias_init: Initializer = ZEROS
    transpose_kernel: bool = False
    promote_dtype: Any = None
    preferred_element_type: Any = None

    def parameters(self, scope: Scope, *shapes: Shape) -> None:
        """kernel, bias."""
        ends = (shapes[0][-1], self.features)
        shape = (*several(self.kernel_size), *(ends[::-1] if self.transpose_kernel else ends))
        scope.param("kernel", self.kernel_init, shape, self.param_dtype)
        if self.use_bias:
            scope.param("bias", self.bias_init, (self.features,), self.param_dtype)


@dataclass(frozen=True)
class Embed(Module):
    """An embedding (num_embeddings, features), normal with variance 1 / features.

    Replays flax 0.12.8 with JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay import flax, jax
        >>> flax.linen.Embed(5, 3).init(jax.random.key(0), (2,))["params"]["embedding"][0]
        array([ 0.04396089, -0.9328513 , -0.97328115], dtype=float32)
    """

    num_embeddings: int
    features: int
    dtype: Any = None
    param_dtype: Any = "float32"
    embedding_init: Initializer = EMBEDDING
    promote_dtype: Any = None

    def parameters(self, scope: Scope, *shapes: Shape) -> None:
        """embedding."""
        shape = (self.num_embeddings, self.features)
        scope.param("embedding", self.embedding_init, shape, self.param_dtype)
