# SPDX-License-Identifier: Apache-2.0
"""What a model of any framework holds: dispatch on what the value is; nothing is imported that is
not loaded."""

from collections.abc import Mapping
from typing import Any

from glorot import _check
from glorot._loaded import is_a
from glorot.recipe import parse_shapes
from glorot.sources import _equinox, _flax
from glorot.sources._source import Source

NEEDED = (
    "a torch.nn.Module, a config of transformers, a Keras 3 model, a flax.nnx or Equinox module, "
    "(a flax.linen module, its example inputs), or a mapping from names to shapes"
)


def is_model(value: Any) -> bool:
    """Whether `value` is a model already, though it may be callable."""
    return (
        is_a(value, "torch", "nn.Module")
        or is_a(value, "keras", "Layer")
        or _flax.is_linen(value)
        or _flax.is_nnx(value)
        or _equinox.is_module(value)
        or isinstance(value, Mapping)
    )


def of_model(value: Any) -> Source:
    """Return the parameters of a model, or of names and shapes.

    Raises:
        TypeError: none of these.
        ValueError: no parameters, or those that its framework's adapter refuses.
        ImportError: a framework that the adapter needs is missing.
    """
    if isinstance(value, Source):
        return value
    if is_a(value, "keras", "Layer"):  # on Keras' torch backend a torch module, too
        from glorot.sources._keras import of_model as of_keras

        return of_keras(value)
    if is_a(value, "torch", "nn.Module"):
        from glorot.sources._torch import of_module

        return of_module(value)
    if is_a(value, "transformers", "PreTrainedConfig"):
        from glorot.sources._transformers import of_config

        return of_config(value)
    for is_module, read in (
        (_flax.is_module, _flax.of_module),
        (_equinox.is_module, _equinox.of_module),
    ):
        if is_module(value):
            return read(value)
    if isinstance(value, Mapping):
        return Source(parse_shapes(_flat(value)), "shapes")
    raise TypeError(f"{NEEDED} is needed; got {_check.show(value)} of {type(value).__name__}.")


def _flat(tree: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings, such as flax's parameters, with the keys on the way joined by dots."""
    found: dict[Any, Any] = {}
    for key, value in tree.items():
        name = f"{prefix}{key}" if prefix or not isinstance(key, str) else key
        nested = isinstance(value, Mapping) and "shape" not in value
        for below, part in (_flat(value, f"{name}.") if nested else {name: value}).items():
            if below in found:
                raise ValueError(
                    f"two parameters are called {below!r}: a key holds a dot, or one is a number. "
                    "Rename one."
                )
            found[below] = part
    return found
