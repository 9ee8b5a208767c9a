# SPDX-License-Identifier: Apache-2.0
"""What the axes of each Keras layer's weights are, and which of them are fused gates."""

from typing import Any, NamedTuple

from glorot._layouts import parse_equation


class Axes(NamedTuple):
    """Of one weight: its layout, the groups of its convolution, the name of its blocks."""

    layout: str | None = None
    groups: int = 1
    blocks: str | None = None


# By class of Keras and name of the variable. Source: Keras 3.15.1, keras/src/layers.
_RECURRENT = ("kernel", "recurrent_kernel")
_KNOWN: dict[str, dict[str, Axes]] = {
    "Dense": {"kernel": Axes("keras.dense")},
    "BaseConv": {"kernel": Axes("keras.conv")},
    "BaseConvTranspose": {"kernel": Axes("keras.conv_transpose")},
    "BaseDepthwiseConv": {"kernel": Axes("keras.depthwise_conv")},
    "BaseSeparableConv": {
        "depthwise_kernel": Axes("keras.depthwise_conv"),
        "pointwise_kernel": Axes("keras.conv"),
    },
    "Embedding": {"embeddings": Axes("embedding"), "reverse_embeddings": Axes("keras.dense")},
    "SimpleRNNCell": dict.fromkeys(_RECURRENT, Axes("keras.dense")),
    "LSTMCell": dict.fromkeys(_RECURRENT, Axes("keras.dense", blocks="keras.lstm"))
    | {"bias": Axes("bias", blocks="keras.lstm")},
    "GRUCell": dict.fromkeys(_RECURRENT, Axes("keras.dense", blocks="keras.gru")),
    "ConvLSTMCell": dict.fromkeys(_RECURRENT, Axes("keras.conv", blocks="keras.lstm"))
    | {"bias": Axes("bias", blocks="keras.lstm")},
}
_VECTORS = {"bias", "gamma", "beta", "scale", "alpha"}


def axes_of(layer: Any, name: str, shape: tuple[int, ...]) -> Axes:
    """The axes of the variable `name` that `layer` made; nothing is known of layers of users."""
    for cls in type(layer).__mro__:
        if cls.__module__.partition(".")[0] != "keras":
            continue
        found = _special(cls.__name__, layer, name, shape) or _KNOWN.get(cls.__name__, {}).get(name)
        if found is not None:
            return found
    known = type(layer).__mro__[0].__module__.partition(".")[0] == "keras"
    return Axes("N" * len(shape)) if known and name in _VECTORS and shape else Axes()


def _special(cls: str, layer: Any, name: str, shape: tuple[int, ...]) -> Axes | None:
    """What the class and the name do not say alone."""
    if cls == "BaseConv" and name == "kernel":
        return Axes("keras.conv", int(layer.groups))
    if cls == "EinsumDense" and name == "kernel":
        try:
            roles = parse_equation(layer.equation)
        except ValueError:  # an axis that is summed alone: no product of a weight
            return None
        return Axes(roles.replace("N", "B")) if len(roles) == len(shape) else None
    if cls == "GRUCell" and name == "bias":  # with reset_after one of the input, one of the state
        return Axes("B" * (len(shape) - 1) + "N", blocks="keras.gru")
    return None
