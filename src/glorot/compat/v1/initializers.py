# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: N813 -- the lowercase names of classes are TensorFlow's
"""`tf.compat.v1.initializers`: the names and defaults of TensorFlow's own namespace."""

from glorot.compat.v1._constants import Constant as constant
from glorot.compat.v1._constants import Identity as identity
from glorot.compat.v1._constants import Ones as ones
from glorot.compat.v1._constants import Zeros as zeros
from glorot.compat.v1._initializers import GlorotNormal as glorot_normal
from glorot.compat.v1._initializers import GlorotUniform as glorot_uniform
from glorot.compat.v1._initializers import RandomNormal as random_normal
from glorot.compat.v1._initializers import RandomUniform as random_uniform
from glorot.compat.v1._initializers import TruncatedNormal as truncated_normal
from glorot.compat.v1._initializers import UniformUnitScaling as uniform_unit_scaling
from glorot.compat.v1._initializers import VarianceScaling as variance_scaling
from glorot.compat.v1._orthogonal import Orthogonal as orthogonal

__all__ = [
    "constant",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "identity",
    "lecun_normal",
    "lecun_uniform",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "truncated_normal",
    "uniform_unit_scaling",
    "variance_scaling",
    "zeros",
]


def he_normal(seed: int | None = None) -> variance_scaling:
    """Return VarianceScaling(2.0, "fan_in", "truncated_normal"): variance 2 / fan_in.

    Replays TensorFlow 2.4.4 and 2.21.0: exact, float64 as with FMA.

    Source: He, Zhang, Ren, Sun, "Delving deep into rectifiers", 2015; TensorFlow 2.4.4.

    Example:
        >>> he_normal(seed=42).get_config()["distribution"]
        'truncated_normal'
    """
    return variance_scaling(2.0, "fan_in", "truncated_normal", seed=seed)


def he_uniform(seed: int | None = None) -> variance_scaling:
    """Return VarianceScaling(2.0, "fan_in", "uniform"): bound sqrt(6 / fan_in).

    Replays TensorFlow 2.4.4 and 2.21.0: exact.

    Source: He, Zhang, Ren, Sun, "Delving deep into rectifiers", 2015; TensorFlow 2.4.4.

    Example:
        >>> he_uniform(seed=42).get_config()["scale"]
        2.0
    """
    return variance_scaling(2.0, "fan_in", "uniform", seed=seed)


def lecun_normal(seed: int | None = None) -> variance_scaling:
    """Return VarianceScaling(1.0, "fan_in", "truncated_normal"): variance 1 / fan_in.

    Replays TensorFlow 2.4.4 and 2.21.0: exact, float64 as with FMA.

    Source: LeCun, Bottou, Orr, Müller, "Efficient backprop", 1998; TensorFlow 2.4.4.

    Example:
        >>> lecun_normal(seed=42).get_config()["scale"]
        1.0
    """
    return variance_scaling(1.0, "fan_in", "truncated_normal", seed=seed)


def lecun_uniform(seed: int | None = None) -> variance_scaling:
    """Return VarianceScaling(1.0, "fan_in", "uniform"): bound sqrt(3 / fan_in).

    Replays TensorFlow 2.4.4 and 2.21.0: exact.

    Source: LeCun, Bottou, Orr, Müller, "Efficient backprop", 1998; TensorFlow 2.4.4.

    Example:
        >>> lecun_uniform(seed=42).get_config()["scale"]
        1.0
    """
    return variance_scaling(1.0, "fan_in", "uniform", seed=seed)
