# SPDX-License-Identifier: Apache-2.0
"""Activations by name, as functions of float64 arrays: what `glorot.gain` integrates.

Definitions are torch 2.13's (`torch.nn.functional`) and Keras 3's, which agree where both have
one; torch's `hardtanh`, Keras' `hard_tanh` and the like are one name here, without underscores
mattering.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
Function = Callable[[Array], Array]
_erf: Callable[..., Any] = np.vectorize(math.erf, otypes=[np.float64])


class Activation(NamedTuple):
    """A function of (array, parameter), the parameter's default (None: it has none), and the
    gains that have a closed form, (forward, backward) functions of the parameter."""

    function: Callable[[Array, float], Array]
    param: float | None = None
    exact: Callable[[float], tuple[float, float]] | None = None


def _softplus(z: Array, beta: float = 1.0) -> Array:
    return np.logaddexp(0.0, beta * z) / beta


def _sigmoid(z: Array) -> Array:
    return 0.5 + 0.5 * np.tanh(0.5 * z)


def _elu(z: Array, alpha: float) -> Array:
    return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0.0)))


def _leaky(z: Array, slope: float) -> Array:
    return np.where(z > 0, z, slope * z)


def _leaky_exact(slope: float) -> tuple[float, float]:
    found = math.sqrt(2.0 / (1.0 + slope**2))
    return found, found


# alpha and scale of Klambauer et al., "Self-normalizing neural networks", 2017, equation 14.
SELU_ALPHA = 1.6732632423543772
SELU_SCALE = 1.0507009873554805
_TANH_GELU = math.sqrt(2.0 / math.pi)

ACTIVATIONS: dict[str, Activation] = {
    "linear": Activation(lambda z, _: z, None, lambda _: (1.0, 1.0)),
    "relu": Activation(lambda z, _: np.maximum(z, 0.0), None, lambda _: _leaky_exact(0.0)),
    "leaky_relu": Activation(_leaky, 0.01, _leaky_exact),
    "relu6": Activation(lambda z, _: np.clip(z, 0.0, 6.0)),
    # E relu(z)^4 = 3/2, E (2 relu(z))^2 = 2
    "squared_relu": Activation(
        lambda z, _: np.maximum(z, 0.0) ** 2,
        None,
        lambda _: (math.sqrt(2.0 / 3.0), math.sqrt(0.5)),
    ),
    "elu": Activation(_elu, 1.0),
    "celu": Activation(lambda z, a: np.where(z > 0, z, a * np.expm1(np.minimum(z, 0.0) / a)), 1.0),
    "selu": Activation(lambda z, _: SELU_SCALE * _elu(z, SELU_ALPHA)),
    "gelu": Activation(lambda z, _: 0.5 * z * (1.0 + _erf(z / math.sqrt(2.0)))),
    "gelu_tanh": Activation(
        lambda z, _: 0.5 * z * (1.0 + np.tanh(_TANH_GELU * (z + 0.044715 * z**3)))
    ),
    "quick_gelu": Activation(lambda z, _: z * _sigmoid(1.702 * z)),
    "silu": Activation(lambda z, _: z * _sigmoid(z)),
    "mish": Activation(lambda z, _: z * np.tanh(_softplus(z))),
    "tanh": Activation(lambda z, _: np.tanh(z)),
    "sigmoid": Activation(lambda z, _: _sigmoid(z)),
    "softplus": Activation(_softplus, 1.0),
    "softsign": Activation(lambda z, _: z / (1.0 + np.abs(z))),
    "log_sigmoid": Activation(lambda z, _: -_softplus(-z)),
    "tanhshrink": Activation(lambda z, _: z - np.tanh(z)),
    "softshrink": Activation(lambda z, b: np.sign(z) * np.maximum(np.abs(z) - b, 0.0), 0.5),
    "hard_tanh": Activation(lambda z, _: np.clip(z, -1.0, 1.0)),
    "hard_sigmoid": Activation(lambda z, _: np.clip(z / 6.0 + 0.5, 0.0, 1.0)),
    "hard_silu": Activation(lambda z, _: z * np.clip(z / 6.0 + 0.5, 0.0, 1.0)),
    "exponential": Activation(lambda z, _: np.exp(z)),
    "sin": Activation(lambda z, _: np.sin(z)),
}

# Two factors of independent inputs: the activation of the gate, times the other projection.
# Shazeer, "GLU variants improve transformer", 2020, equations 4-5.
PAIRS = {
    "glu": ("sigmoid", "linear"),
    "bilinear": ("linear", "linear"),
    "reglu": ("relu", "linear"),
    "geglu": ("gelu", "linear"),
    "swiglu": ("silu", "linear"),
}

ALIASES = {
    "identity": "linear",
    "swish": "silu",
    "relu2": "squared_relu",
    "relu_squared": "squared_relu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "logistic": "sigmoid",
    "hardtanh": "hard_tanh",
    "hardsigmoid": "hard_sigmoid",
    "hardswish": "hard_silu",
    "hard_swish": "hard_silu",
    "logsigmoid": "log_sigmoid",
    "soft_shrink": "softshrink",
    "tanh_shrink": "tanhshrink",
}
NAMES = (*ACTIVATIONS, *PAIRS, *ALIASES)
