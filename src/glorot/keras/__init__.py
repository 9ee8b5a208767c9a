# SPDX-License-Identifier: Apache-2.0
"""Keras 3: initializers that give the same weights on every backend, and models filled by name."""

try:
    import keras as _keras
except ModuleNotFoundError as error:
    if error.name != "keras":  # of what it needs: the backend, above all
        raise
    raise ModuleNotFoundError(
        "glorot.keras needs Keras 3, which is not installed: pip install 'glorot[keras]'.",
        name=error.name,
    ) from None

if not hasattr(_keras, "version") or int(_keras.version().partition(".")[0]) < 3:
    raise ImportError(
        "glorot.keras needs Keras 3, and Keras 2 is installed. For tf.keras use glorot.tensorflow."
    )

from glorot._report import InitReport, ParameterReport
from glorot.keras._base import Initializer
from glorot.keras._capture import capture
from glorot.keras._classes import (
    Blocks,
    Constant,
    DeltaOrthogonal,
    Dirac,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    Identity,
    LecunNormal,
    LecunUniform,
    LogArange,
    LogOfUniform,
    Ones,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    SamplingOffsets,
    SinCosGrid,
    Sinusoids,
    Sparse,
    TimeStep,
    TruncatedNormal,
    VarianceScaling,
    Zeros,
    wrap,
)
from glorot.keras._fingerprint import fingerprint
from glorot.keras._init import explain, init, shapes

__all__ = [
    "Blocks",
    "Constant",
    "DeltaOrthogonal",
    "Dirac",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "InitReport",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "LogArange",
    "LogOfUniform",
    "Ones",
    "Orthogonal",
    "ParameterReport",
    "RandomNormal",
    "RandomUniform",
    "SamplingOffsets",
    "SinCosGrid",
    "Sinusoids",
    "Sparse",
    "TimeStep",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "capture",
    "explain",
    "fingerprint",
    "init",
    "shapes",
    "wrap",
]
