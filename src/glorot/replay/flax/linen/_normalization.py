# SPDX-License-Identifier: Apache-2.0
"""linen's normalizations and PReLU: ones, zeros and constants, which draw nothing.

Fields that change no parameter are taken and not looked at.

Source: flax/linen/normalization.py and activation.py, 0.12.8.
"""

from dataclasses import dataclass
from typing import Any

from glorot._check import show
from glorot.replay.flax._defaults import ONES, ZEROS, Sizes, check_groups, several, slope
from glorot.replay.flax.linen._module import Module, Shape
from glorot.replay.flax.linen._scope import Scope
from glorot.replay.jax._draw import Array
from glorot.replay.jax.nn.initializers import Initializer


def _features(shape: Shape, axes: Sizes) -> Shape:
    rank = len(shape)
    try:
        return tuple(shape[i] for i in sorted({i + rank if i < 0 else i for i in several(axes)}))
    except IndexError:
        raise IndexError(
            f"The feature axes {show(axes)} leave the {rank} axes of {show(shape)}."
        ) from None


def _affine(layer: Any, scope: Scope, shape: Shape) -> None:
    """A scale and a bias of this shape, as far as the layer uses them."""
    if layer.use_scale:
        scope.param("scale", layer.scale_init, shape, layer.param_dtype)
    if layer.use_bias:
        scope.param("bias", layer.bias_init, shape, layer.param_dtype)


@dataclass(frozen=True)
class LayerNorm(Module):
    """A scale of ones and a bias of zeros over the feature axes.

    Replays flax 0.12.8 with JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay import flax, jax
        >>> flax.linen.LayerNorm().init(jax.random.key(0), (2, 3))["params"]["scale"]
        array([1., 1., 1.], dtype=float32)
    """

    epsilon: float = 1e-6
    dtype: Any = None
    param_dtype: Any = "float32"
    use_bias: bool = True
    use_scale: bool = True
    bias_init: Initializer = ZEROS
    scale_init: Initializer = ONES
    reduction_axes: Any = -1
    feature_axes: Sizes = -1
    axis_name: Any = None
    axis_index_groups: Any = None
    use_fast_variance: bool = True
    force_float32_reductions: bool = True

    def parameters(self, scope: Scope, *shapes: Shape) -> None:
        """scale, bias."""
        _affine(self, scope, _features(shapes[0], self.feature_axes))


@dataclass(frozen=True)
class RMSNorm(Module):
    """A scale of ones over the feature axes.

    Replays flax 0.12.8 with JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay import flax, jax
        >>> sorted(flax.linen.RMSNorm().init(jax.random.key(0), (2, 3))["params"])
        ['scale']
    """

    epsilon: float = 1e-6
    dtype: Any = None
    param_dtype: Any = "float32"
    use_scale: bool = True
    scale_init: Initializer = ONES
    reduction_axes: Any = -1
    feature_axes: Sizes = -1
    axis_name: Any = None
    axis_index_groups: Any = None
    use_fast_variance: bool = True
    force_float32_reductions: bool = True

    def parameters(self, scope: Scope, *shapes: Shape) -> None:
        """scale."""
        if self.use_scale:
            shape = _features(shapes[0], self.feature_axes)
            scope.param("scale", self.scale_init, shape, self.param_dtype)


@dataclass(frozen=True)
class GroupNorm(Module):
    """A scale of ones and a bias of zeros over the last axis.

    Replays flax 0.12.8 with JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay import flax, jax
        >>> flax.linen.GroupNorm(3).init(jax.random.key(0), (2, 6))["params"]["bias"].shape
        (6,)
    """

    num_groups: int | None = 32
    group_size: int | None = None
    epsilon: float = 1e-6
    dtype: Any = None
    param_dtype: Any = "float32"
    use_bias: bool = True
    use_scale: bool = True
    bias_init: Initializer = ZEROS
    scale_init: Initializer = ONES
    reduction_axes: Any = None
    axis_name: Any = None
    axis_index_groups: Any = None
    use_fast_variance: bool = True
    force_float32_reductions: bool = True

    def parameters(self, scope: Scope, *shapes: Shape) -> None:
        """scale, bias."""
        check_groups(shapes[0][-1], self.num_groups, self.group_size)
        _affine(self, scope, shapes[0][-1:])


@dataclass(frozen=True)
class InstanceNorm(Module):
    """A scale of ones and a bias of zeros over the feature axes.

    Replays flax 0.12.8 with JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay import flax, jax
        >>> flax.linen.InstanceNorm().init(jax.random.key(0), (2, 5, 6))["params"]["bias"].shape
        (6,)
    """

    epsilon: float = 1e-6
    dtype: Any = None
    param_dtype: Any = "float32"
    use_bias: bool = True
    use_scale: bool = True
    bias_init: Initializer = ZEROS
    scale_init: Initializer = ONES
    feature_axes: Sizes = -1
    axis_name: Any = None
    axis_index_groups: Any = None
    use_fast_variance: bool = True
    force_float32_reductions: bool = True

    def parameters(self, scope: Scope, *shapes: Shape) -> None:
        """scale, bias."""
        if 0 in {axis % len(shapes[0]) for axis in several(self.feature_axes)}:
            raise ValueError(
                f"`feature_axes`={self.feature_axes} cannot include the first axis of "
                f"{shapes[0]}, which is the batch."
            )
        _affine(self, scope, _features(shapes[0], self.feature_axes))


@dataclass(frozen=True)
class BatchNorm(Module):
    """A scale of ones and a bias of zeros; mean 0 and var 1 among the "batch_stats".

    Replays flax 0.12.8 with JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay import flax, jax
        >>> variables = flax.linen.BatchNorm(True).init(jax.random.key(0), (2, 3))
        >>> {name: sorted(tree) for name, tree in variables.items()}
        {'params': ['bias', 'scale'], 'batch_stats': ['mean', 'var']}
    """

    use_running_average: bool | None = None
    axis: Sizes = -1
    momentum: float = 0.99
    epsilon: float = 1e-5
    dtype: Any = None
    param_dtype: Any = "float32"
    use_bias: bool = True
    use_scale: bool = True
    bias_init: Initializer = ZEROS
    scale_init: Initializer = ONES
    axis_name: Any = None
    axis_index_groups: Any = None
    use_fast_variance: bool = True
    force_float32_reductions: bool = True

    def parameters(self, scope: Scope, *shapes: Shape) -> None:
        """scale, bias."""
        _affine(self, scope, _features(shapes[0], self.axis))

    def state(self, *shapes: Shape) -> dict[str, Any]:
        """mean, var."""
        shape = _features(shapes[0], self.axis)
        dtype = "float32" if self.force_float32_reductions else self.param_dtype
        mean, var = (init(None, shape, dtype) for init in (ZEROS, ONES))
        return {"batch_stats": {"mean": mean, "var": var}}


@dataclass(frozen=True)
class PReLU(Module):
    """A negative slope, one number.

    Replays flax 0.12.8 with JAX 0.10.2: exact, as with FMA.

    Example:
        >>> from glorot.replay import flax, jax
        >>> flax.linen.PReLU().init(jax.random.key(0), (2, 3))["params"]["negative_slope"]
        array(0.01, dtype=float32)
    """

    param_dtype: Any = "float32"
    negative_slope_init: float = 0.01

    def parameters(self, scope: Scope, *shapes: Shape) -> None:
        """negative_slope."""

        def init(key: Any, shape: Any, dtype: Any = None, *_: Any, **__: Any) -> Array:
            return slope(self.negative_slope_init, dtype)

        scope.param("negative_slope", init, (), self.param_dtype)
