# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: N813 -- the lowercase names of classes are TensorFlow's
"""`tf.compat.v1.initializers`: the names and defaults of TensorFlow's own namespace."""

from glorot.compat.v1._absent import module_getattr
from glorot.compat.v1._constants import Constant as constant
from glorot.compat.v1._constants import Identity as identity
from glorot.compat.v1._constants import Ones as ones
from glorot.compat.v1._constants import Zeros as zeros
from glorot.compat.v1._initializers import GlorotUniform as glorot_uniform
from glorot.compat.v1._initializers import RandomUniform as random_uniform
from glorot.compat.v1._initializers import UniformUnitScaling as uniform_unit_scaling
from glorot.compat.v1._initializers import VarianceScaling as variance_scaling

__all__ = [
    "constant",
    "glorot_uniform",
    "he_uniform",
    "identity",
    "lecun_uniform",
    "ones",
    "random_uniform",
    "uniform_unit_scaling",
    "variance_scaling",
    "zeros",
]

__getattr__ = module_getattr(__name__)


def he_uniform(seed: int | None = None) -> variance_scaling:
    """Return VarianceScaling(2.0, "fan_in", "uniform"): bound sqrt(6 / fan_in).

    Source: He, Zhang, Ren, Sun, "Delving deep into rectifiers", 2015; TensorFlow 2.4.4.

    Example:
        >>> he_uniform(seed=42).get_config()["scale"]
        2.0
    """
    return variance_scaling(2.0, "fan_in", "uniform", seed=seed)


def lecun_uniform(seed: int | None = None) -> variance_scaling:
    """Return VarianceScaling(1.0, "fan_in", "uniform"): bound sqrt(3 / fan_in).

    Source: LeCun, Bottou, Orr, Müller, "Efficient backprop", 1998; TensorFlow 2.4.4.

    Example:
        >>> lecun_uniform(seed=42).get_config()["scale"]
        1.0
    """
    return variance_scaling(1.0, "fan_in", "uniform", seed=seed)
