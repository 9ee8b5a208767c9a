# SPDX-License-Identifier: Apache-2.0
"""What the layers of torch and Keras say of the axes of their weights."""

from typing import Any

# By the name of the class: that of the layer or of one it inherits from.
_TORCH = {
    "Linear": "torch.linear",
    "Bilinear": "torch.bilinear",
    "_ConvTransposeNd": "torch.conv_transpose",
    "_ConvNd": "torch.conv",
    "Embedding": "embedding",
    "EmbeddingBag": "embedding",
}
_KERAS = {
    "Dense": "keras.dense",
    "BaseDepthwiseConv": "keras.depthwise_conv",
    "BaseConvTranspose": "keras.conv_transpose",
    "BaseConv": "keras.conv",
    "Embedding": "embedding",
}


def torch_specs(module: Any) -> dict[str, dict[str, Any]]:
    """What is known of each parameter of a torch module besides its shape and dtype, by name."""
    found: dict[str, dict[str, Any]] = {}
    for prefix, owner in module.named_modules(remove_duplicate=False):
        layout = _layout(owner, _TORCH)
        for attribute, value in owner._parameters.items():
            extras: dict[str, Any] = {"type": type(owner).__name__}
            if value is not None and attribute == "weight" and layout is not None:
                extras |= {"layout": layout, "groups": getattr(owner, "groups", 1)}
            found[f"{prefix}.{attribute}" if prefix else attribute] = extras
    return found


def keras_specs(model: Any) -> dict[int, dict[str, Any]]:
    """The same of a Keras model, by the identity of the variable."""
    found: dict[int, dict[str, Any]] = {}
    for layer in _keras_layers(model):
        layout = _layout(layer, _KERAS)
        extras: dict[str, Any] = {"type": type(layer).__name__}
        for variable in (*layer._trainable_variables, *layer._non_trainable_variables):
            found[id(variable)] = dict(extras)
        for attribute in ("kernel", "_kernel", "depthwise_kernel", "pointwise_kernel"):
            variable = layer.__dict__.get(attribute)
            if variable is not None and id(variable) in found:
                found[id(variable)] |= _keras_axes(layer, attribute, layout)
    return found


def _keras_layers(model: Any) -> list[Any]:
    layers = model._flatten_layers() if hasattr(model, "_flatten_layers") else [model]
    return [layer for layer in layers if hasattr(layer, "_non_trainable_variables")]


def _keras_axes(layer: Any, attribute: str, layout: str | None) -> dict[str, Any]:
    if attribute.startswith("depthwise"):
        return {"layout": "keras.depthwise_conv"}
    if attribute.startswith("pointwise"):
        return {"layout": "keras.conv"}
    if layout is None:
        return {}
    return {"layout": layout, "groups": getattr(layer, "groups", 1)}


def _layout(layer: Any, layouts: dict[str, str]) -> str | None:
    return next((layouts[c.__name__] for c in type(layer).__mro__ if c.__name__ in layouts), None)
