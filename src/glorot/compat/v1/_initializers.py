# SPDX-License-Identifier: Apache-2.0
"""TensorFlow 1's random initializers: classes, options, scales."""

import math
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from glorot._dtypes import dtype_name
from glorot.compat.v1 import _state
from glorot.compat.v1._draws import random_normal, random_uniform, truncated_normal
from glorot.replay.tensorflow._arguments import as_dtype, as_float_dtype, as_shape
from glorot.replay.tensorflow._scale import MODES, compute_fans, spread

Array = np.ndarray[Any, np.dtype[Any]]
Self = TypeVar("Self", bound="Initializer")

DISTRIBUTIONS = ("normal", "uniform", "truncated_normal", "untruncated_normal")


class Initializer:
    """What all initializers here share: called with a shape, described by a config."""

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Array:
        """Return a new array with the initial values."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Return the options as a JSON-serialisable dict."""
        return {}

    @classmethod
    def from_config(cls: type[Self], config: Mapping[str, Any]) -> Self:
        """Return a new initializer from what `get_config` returned.

        Raises:
            TypeError: `config` holds a key that the class does not know.

        Example:
            >>> from glorot.compat import v1
            >>> initializer = v1.random_uniform_initializer(-1, 1)
            >>> v1.random_uniform_initializer.from_config(initializer.get_config())
            RandomUniform(minval=-1, maxval=1, seed=None, dtype='float32')
        """
        return cls(**config)

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({options})"


def number(value: Any) -> Any:
    """A NumPy scalar as a Python number, so that configs are JSON.

    np.float64 is a Python float already, and TensorFlow rounds it to float16 in its own way.
    """
    return value.item() if isinstance(value, np.generic) and not isinstance(value, float) else value


class RandomUniform(Initializer):
    """Uniform between two numbers, `tf.compat.v1.random_uniform_initializer`.

    Args:
        minval, maxval: the limits, Python or NumPy numbers. `maxval` None means 1.
        seed: the operation seed, None or an integer of any sign and size.
        dtype: default dtype of the values: a float dtype, int32 or int64 (with `maxval`, which
            integers never reach; they are TensorFlow's `RandomUniformInt`).

    Raises:
        TypeError: `dtype` names no type, or a limit is no number of that type.
        ValueError: TensorFlow has no uniform law for `dtype`; an integer `dtype` without `maxval`.

    Replays TensorFlow 2.4.4 and 2.21.0: exact.

    Source: TensorFlow 2.4.4, python/ops/init_ops.py.

    Example:
        >>> from glorot.compat import v1
        >>> v1.set_random_seed(None)  # a fresh start
        >>> v1.random_uniform_initializer(-1, 1, seed=42)((2,))
        array([0.9045429 , 0.35481548], dtype=float32)
    """

    def __init__(
        self, minval: Any = 0, maxval: Any = None, seed: int | None = None, dtype: Any = "float32"
    ) -> None:
        self.minval = number(minval)
        self.maxval = number(maxval)
        self.seed = _state.check_seed(seed)
        self.dtype = as_dtype(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Array:
        """Return values in [minval, maxval); `partition_info` changes nothing, as in TensorFlow."""
        found = self.dtype if dtype is None else as_dtype(dtype)
        return random_uniform(shape, self.minval, self.maxval, found, self.seed)

    def get_config(self) -> dict[str, Any]:
        """Return {"minval", "maxval", "seed", "dtype"}."""
        return {
            "minval": self.minval,
            "maxval": self.maxval,
            "seed": self.seed,
            "dtype": dtype_name(self.dtype),
        }


class _Normal(Initializer):
    """A mean and a standard deviation."""

    def __init__(
        self, mean: Any = 0.0, stddev: Any = 1.0, seed: int | None = None, dtype: Any = "float32"
    ) -> None:
        self.mean = number(mean)
        self.stddev = number(stddev)
        self.seed = _state.check_seed(seed)
        self.dtype = as_float_dtype(dtype)

    def get_config(self) -> dict[str, Any]:
        """Return {"mean", "stddev", "seed", "dtype"}."""
        return {
            "mean": self.mean,
            "stddev": self.stddev,
            "seed": self.seed,
            "dtype": dtype_name(self.dtype),
        }


class RandomNormal(_Normal):
    """Normal, `tf.compat.v1.random_normal_initializer`.

    Args:
        mean, stddev: Python or NumPy numbers.
        seed: the operation seed, None or an integer of any sign and size.
        dtype: default dtype of the values, a float dtype.

    Raises:
        TypeError: `dtype` names no type; at a call, `mean` or `stddev` is no number.
        ValueError: `dtype` is no float; at a call, a value would overflow it.

    Replays TensorFlow 2.4.4 and 2.21.0: exact, float64 as with FMA.

    Source: TensorFlow 2.4.4, python/ops/init_ops.py.

    Example:
        >>> from glorot.compat import v1
        >>> v1.set_random_seed(None)  # a fresh start
        >>> v1.random_normal_initializer(seed=42)((2,))
        array([-0.28077507, -0.1377521 ], dtype=float32)
    """

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Array:
        """Return the values; `partition_info` changes nothing, as in TensorFlow."""
        found = self.dtype if dtype is None else as_dtype(dtype)
        return random_normal(shape, self.mean, self.stddev, found, self.seed)


class TruncatedNormal(_Normal):
    """Normal within two standard deviations, `tf.compat.v1.truncated_normal_initializer`.

    Arguments and errors as for `RandomNormal`.  `stddev` is that of the normal before it is cut.

    Replays TensorFlow 2.4.4 and 2.21.0: exact, float64 as with FMA.

    Source: TensorFlow 2.4.4, python/ops/init_ops.py.

    Example:
        >>> from glorot.compat import v1
        >>> v1.set_random_seed(None)  # a fresh start
        >>> v1.truncated_normal_initializer(seed=42)((2,))
        array([-0.28077507, -0.1377521 ], dtype=float32)
    """

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Array:
        """Return the values; `partition_info` changes nothing, as in TensorFlow."""
        found = self.dtype if dtype is None else as_dtype(dtype)
        return truncated_normal(shape, self.mean, self.stddev, found, self.seed)


class UniformUnitScaling(Initializer):
    """Uniform of bound factor * sqrt(3 / product of all sizes but the last).

    Args:
        factor: multiplies the bound.
        seed: the operation seed, None or an integer.
        dtype: default dtype of the values, a float dtype.

    Raises:
        ValueError: `dtype` is no float.

    Replays TensorFlow 2.4.4 and 2.21.0: exact.

    Source: Sussillo, Abbott, "Random walk initialization", 2014; TensorFlow 2.4.4, where it is
    `tf.compat.v1.uniform_unit_scaling_initializer`.

    Example:
        >>> from glorot.compat import v1
        >>> v1.set_random_seed(None)  # a fresh start
        >>> v1.uniform_unit_scaling_initializer(seed=42)((3, 2))[0]
        array([0.9045429 , 0.35481548], dtype=float32)
    """

    def __init__(
        self, factor: float = 1.0, seed: int | None = None, dtype: Any = "float32"
    ) -> None:
        self.factor = number(factor)
        self.seed = _state.check_seed(seed)
        self.dtype = as_float_dtype(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Array:
        """Return values in [-bound, bound); a partition takes the bound of the full shape."""
        found = self.dtype if dtype is None else as_dtype(dtype)
        whole, _ = as_shape(shape if partition_info is None else partition_info.full_shape)
        inputs = 1.0
        for size in whole[:-1]:
            inputs *= float(size)
        bound = math.sqrt(3 / max(inputs, 1.0)) * self.factor
        return random_uniform(shape, -bound, bound, found, self.seed)

    def get_config(self) -> dict[str, Any]:
        """Return {"factor", "seed", "dtype"}."""
        return {"factor": self.factor, "seed": self.seed, "dtype": dtype_name(self.dtype)}


class VarianceScaling(Initializer):
    """Of variance scale / max(1, fan), with the fans TensorFlow reads from the shape.

    Args:
        scale: positive.
        mode: "fan_in", "fan_out" or "fan_avg".
        distribution: "truncated_normal" (with "normal" as its old name), "untruncated_normal" or
            "uniform", whose bound is sqrt(3 * scale / max(1, fan)).
        seed: the operation seed, None or an integer.
        dtype: default dtype of the values, a float dtype.

    Raises:
        TypeError: `scale` is no number.
        ValueError: `scale` is not positive; `mode`, `distribution` or `dtype` is unknown.

    Replays TensorFlow 2.4.4 and 2.21.0: exact, float64 as with FMA.

    Source: TensorFlow 2.4.4, python/ops/init_ops.py.

    Example:
        >>> from glorot.compat import v1
        >>> v1.set_random_seed(None)  # a fresh start
        >>> v1.variance_scaling_initializer(1.0, "fan_in", "uniform", seed=42)((3, 2))[0]
        array([0.9045429 , 0.35481548], dtype=float32)
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        dtype: Any = "float32",
    ) -> None:
        scale = number(scale)
        if not isinstance(scale, int | float):
            raise TypeError(f"`scale` must be positive float. Received: scale={scale!r}.")
        if not 0.0 < scale < math.inf:
            raise ValueError(f"`scale` must be positive float. Received: scale={scale!r}.")
        if mode not in MODES:
            raise ValueError(f"Invalid `mode` argument: {mode}. Use one of {', '.join(MODES)}.")
        lowered = distribution.lower() if isinstance(distribution, str) else distribution
        if lowered not in DISTRIBUTIONS:
            raise ValueError(
                f"Invalid `distribution` argument: {distribution}. "
                f"Use one of {', '.join(DISTRIBUTIONS)}."
            )
        self.scale = scale
        self.mode = mode
        self.distribution = lowered
        self.seed = _state.check_seed(seed)
        self.dtype = as_float_dtype(dtype)

    def __call__(self, shape: Any, dtype: Any = None, partition_info: Any = None) -> Array:
        """Return the values.

        Args:
            shape: list, tuple, TensorShape, or array of sizes, in TensorFlow's order: all axes but
                the last two are the receptive field.
            dtype: of the values; the initializer's own when None.
            partition_info: an object with `full_shape`, when `shape` is one part of a partitioned
                variable. The scale is that of the full shape; the values start as those of every
                other part do, so parts with one seed repeat each other, as in TensorFlow.
        """
        found = self.dtype if dtype is None else as_dtype(dtype)
        whole, _ = as_shape(shape if partition_info is None else partition_info.full_shape)
        size = spread(compute_fans(whole), self.scale, self.mode, self.distribution)
        if self.distribution == "uniform":
            return random_uniform(shape, -size, size, found, self.seed)
        if self.distribution == "untruncated_normal":
            return random_normal(shape, 0.0, size, found, self.seed)
        return truncated_normal(shape, 0.0, size, found, self.seed)

    def get_config(self) -> dict[str, Any]:
        """Return {"scale", "mode", "distribution", "seed", "dtype"}."""
        return {
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            "seed": self.seed,
            "dtype": dtype_name(self.dtype),
        }


class GlorotUniform(VarianceScaling):
    """Uniform of bound sqrt(6 / (fan_in + fan_out)), TensorFlow 1's `glorot_uniform`.

    The numbers are TensorFlow's, from the same seeds; how they follow from `seed` and
    `set_random_seed`, and from one call to the next, is told in `glorot.compat.v1`.

    Args:
        seed: the operation seed, None or an integer of any sign and size.
        dtype: default dtype of the values, a float dtype.
        ignore_dtype: do as TensorFlow does. Its documentation says of `dtype` what stands above,
            but since 2019 its code drops the argument, unread, and the default stays float32.

    Raises:
        TypeError, ValueError: `dtype` names no float dtype; `seed` is no number.

    Replays TensorFlow 2.4.4 and 2.21.0: exact.

    Source: Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural
    networks", 2010; TensorFlow 2.4.4, python/ops/init_ops.py.

    Example:
        >>> from glorot.compat import v1
        >>> v1.set_random_seed(None)  # a fresh start
        >>> init = v1.keras.initializers.glorot_uniform(seed=42)
        >>> init((3, 4))[0]
        array([0.83744407, 0.32849526, 0.54682314, 0.47361577], dtype=float32)
        >>> init.get_config()
        {'seed': 42, 'dtype': 'float32'}
    """

    def __init__(
        self, seed: int | None = None, dtype: Any = "float32", *, ignore_dtype: bool = False
    ) -> None:
        super().__init__(
            1.0, "fan_avg", "uniform", seed=seed, dtype="float32" if ignore_dtype else dtype
        )

    def get_config(self) -> dict[str, Any]:
        """Return {"seed", "dtype"}."""
        return {"seed": self.seed, "dtype": dtype_name(self.dtype)}


class GlorotNormal(VarianceScaling):
    """Truncated normal of variance 2 / (fan_in + fan_out), TensorFlow 1's `glorot_normal`.

    Arguments, errors and sources as for `GlorotUniform`.

    Replays TensorFlow 2.4.4 and 2.21.0: exact, float64 as with FMA.

    Example:
        >>> from glorot.compat import v1
        >>> v1.set_random_seed(None)  # a fresh start
        >>> v1.keras.initializers.glorot_normal(seed=42)((3, 4))[0]
        array([-0.17061871, -0.08370788, -0.4109855 ,  0.01493679], dtype=float32)
    """

    def __init__(
        self, seed: int | None = None, dtype: Any = "float32", *, ignore_dtype: bool = False
    ) -> None:
        super().__init__(
            1.0, "fan_avg", "truncated_normal", seed=seed,
            dtype="float32" if ignore_dtype else dtype,
        )  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        """Return {"seed", "dtype"}."""
        return {"seed": self.seed, "dtype": dtype_name(self.dtype)}
