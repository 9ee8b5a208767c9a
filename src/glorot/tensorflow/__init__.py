# SPDX-License-Identifier: Apache-2.0
"""TensorFlow: initializers by its contracts of 1.x and 2.x, and variables filled by name."""

try:
    import tensorflow as _tensorflow
except ModuleNotFoundError as error:
    if error.name != "tensorflow":  # of what it needs
        raise
    raise ModuleNotFoundError(
        "glorot.tensorflow needs TensorFlow, which is not installed: pip install "
        "'glorot[tensorflow]'.",
        name=error.name,
    ) from None

from glorot._report import InitReport, ParameterReport
from glorot.tensorflow._creators import (
    CustomGetter,
    VariableCreator,
    custom_getter,
    variable_creator,
)
from glorot.tensorflow._init import explain, fingerprint, init, shapes
from glorot.tensorflow._initializer import VariableInitializer, initializer

del _tensorflow

__all__ = [
    "CustomGetter",
    "InitReport",
    "ParameterReport",
    "VariableCreator",
    "VariableInitializer",
    "custom_getter",
    "explain",
    "fingerprint",
    "init",
    "initializer",
    "shapes",
    "variable_creator",
]
