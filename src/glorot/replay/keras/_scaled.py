# SPDX-License-Identifier: Apache-2.0
"""Keras 3's initializers scaled by fans: VarianceScaling, and Glorot's, He's and LeCun's.

Source: keras 3.15.1, src/initializers/random_initializers.py.
"""

from collections.abc import Sequence
from typing import Any

from glorot._check import show
from glorot.replay.keras import random
from glorot.replay.keras._arguments import number
from glorot.replay.keras._backend import Array
from glorot.replay.keras._base import Random
from glorot.replay.keras._scale import MODES, compute_fans, spread

_DISTRIBUTIONS = ("uniform", "truncated_normal", "untruncated_normal")


class VarianceScaling(Random):
    """Of variance scale / max(1, fan).

    Args:
        scale: positive.
        mode: "fan_in", "fan_out" or "fan_avg".
        distribution: "truncated_normal" ("normal" means it too), "untruncated_normal" or "uniform".
        seed, backend, arithmetic: as for `RandomUniform`.
        input_axes, output_axes: the axes whose sizes make the fans; without both, they are read
            from the shape as (receptive field ..., in, out).

    Raises:
        TypeError: `scale` is no Python number.
        ValueError: it is not positive; `mode` or `distribution` is unknown; as `RandomUniform`.
        IndexError: at a call, an axis that the shape has not.

    Exact; seekable on tensorflow and jax.

    Replays Keras 3.15.1: exact, on each backend.

    Example:
        >>> VarianceScaling(2.0, "fan_out", "uniform", seed=42, backend="tensorflow")((2,))
        array([-0.7536737 , -0.00548398], dtype=float32)
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Any = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
        **machine: Any,
    ) -> None:
        if number("scale", scale) <= 0.0:
            raise ValueError(
                f"Argument `scale` must be positive float. Received: scale={show(scale)}."
            )
        if mode not in MODES:
            raise ValueError(
                f"Invalid `mode` argument: {mode}. Please use one of {', '.join(MODES)}."
            )
        lowered = distribution.lower() if isinstance(distribution, str) else distribution
        if lowered == "normal":
            lowered = "truncated_normal"
        if lowered not in _DISTRIBUTIONS:
            raise ValueError(
                f"Invalid `distribution` argument: {distribution}. Please use one of "
                f"{', '.join(_DISTRIBUTIONS)}."
            )
        self.scale = scale
        self.mode = mode
        self.distribution = lowered
        self.input_axes = input_axes
        self.output_axes = output_axes
        super().__init__(seed, **machine)

    def _values(self, shape: tuple[int, ...], dtype: Any, shard: Any) -> Array:
        fans = compute_fans(shape, self.input_axes, self.output_axes)
        size = spread(fans, self.scale, self.mode, self.distribution)
        if self.distribution == "uniform":
            return random.uniform(shape, -size, size, dtype, shard=shard, **self._options())
        law = random.normal
        if self.distribution == "truncated_normal":
            law = random.truncated_normal
        return law(shape, 0.0, size, dtype, shard=shard, **self._options())

    def _axes(self) -> dict[str, Any]:
        return {"input_axes": self.input_axes, "output_axes": self.output_axes}

    def get_config(self) -> dict[str, Any]:
        """Return {"seed", "scale", "mode", "distribution", "input_axes", "output_axes"}."""
        return {
            **super().get_config(),
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            **self._axes(),
        }


class _Named(VarianceScaling):
    """A scaling with a name of its own."""

    _of: tuple[float, str, str]

    def __init__(
        self,
        seed: Any = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
        **machine: Any,
    ) -> None:
        super().__init__(*self._of, seed, input_axes, output_axes, **machine)

    def get_config(self) -> dict[str, Any]:
        """Return {"seed", "input_axes", "output_axes"}."""
        return {**Random.get_config(self), **self._axes()}


class GlorotUniform(_Named):
    """Uniform of bound sqrt(6 / (fan_in + fan_out)).  Arguments as for `VarianceScaling`.

    Source: Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", 2010; keras 3.15.1.  Exact; seekable on tensorflow and jax.

    Example:
        >>> GlorotUniform(seed=42, backend="tensorflow")((3, 4))[0]
        array([-0.40285552, -0.00293136,  0.39895165, -0.8884132 ], dtype=float32)
        >>> GlorotUniform(seed=42, backend="torch")((3, 4))[0]
        array([ 0.7078252 ,  0.768438  , -0.21689415,  0.85046875], dtype=float32)
    """

    _of = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Named):
    """Truncated normal of variance 2 / (fan_in + fan_out).  Arguments as for `VarianceScaling`.

    Source: Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", 2010; keras 3.15.1.  Exact; seekable on tensorflow and jax.

    Example:
        >>> GlorotNormal(seed=42, backend="torch")((3, 4))[0, :2]
        array([1.1709294 , 0.41225484], dtype=float32)
    """

    _of = (1.0, "fan_avg", "truncated_normal")


class LecunUniform(_Named):
    """Uniform of bound sqrt(3 / fan_in).  Arguments as for `VarianceScaling`.

    Source: LeCun, Bottou, Orr, Müller, "Efficient backprop", 1998; keras 3.15.1.  Exact; seekable
    on tensorflow and jax.

    Example:
        >>> LecunUniform(seed=42, backend="tensorflow")((3, 4))[0]
        array([-0.4351337 , -0.0031662 ,  0.43091702, -0.9595959 ], dtype=float32)
    """

    _of = (1.0, "fan_in", "uniform")


class LecunNormal(_Named):
    """Truncated normal of variance 1 / fan_in.  Arguments as for `VarianceScaling`.

    Source: LeCun, Bottou, Orr, Müller, "Efficient backprop", 1998; keras 3.15.1.  Exact; seekable
    on tensorflow and jax.

    Example:
        >>> LecunNormal(seed=42, backend="tensorflow")((3, 4))[0]
        array([ 0.01038168, -1.043668  ,  0.06799516,  0.5327968 ], dtype=float32)
    """

    _of = (1.0, "fan_in", "truncated_normal")


class HeUniform(_Named):
    """Uniform of bound sqrt(6 / fan_in).  Arguments as for `VarianceScaling`.

    Source: He, Zhang, Ren, Sun, "Delving deep into rectifiers", 2015; keras 3.15.1.  Exact;
    seekable on tensorflow and jax.

    Example:
        >>> HeUniform(seed=42, backend="tensorflow")((3, 4))[0]
        array([-0.61537194, -0.00447774,  0.60940874, -1.3570735 ], dtype=float32)
    """

    _of = (2.0, "fan_in", "uniform")


class HeNormal(_Named):
    """Truncated normal of variance 2 / fan_in.  Arguments as for `VarianceScaling`.

    Source: He, Zhang, Ren, Sun, "Delving deep into rectifiers", 2015; keras 3.15.1.  Exact;
    seekable on tensorflow and jax.

    Example:
        >>> HeNormal(seed=42, backend="tensorflow")((3, 4))[0]
        array([ 0.01468191, -1.4759694 ,  0.09615968,  0.7534885 ], dtype=float32)
    """

    _of = (2.0, "fan_in", "truncated_normal")
