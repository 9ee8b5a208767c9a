# SPDX-License-Identifier: Apache-2.0
"""`keras.initializers` of Keras 3: names, options, configs, and the numbers of four backends.

An integer seed gives the same numbers at each call, as in Keras; a `random.SeedGenerator` goes on.
What is Keras' and not here is STFT, a filter that no seed changes and SciPy windows.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from glorot._check import show
from glorot.replay.keras._arguments import any_dtype
from glorot.replay.keras._backend import Array
from glorot.replay.keras._base import Initializer
from glorot.replay.keras._choice import choose
from glorot.replay.keras._constants import Constant, Identity, Ones, Zeros
from glorot.replay.keras._random import Orthogonal, RandomNormal, RandomUniform, TruncatedNormal
from glorot.replay.keras._scaled import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    VarianceScaling,
)

constant, identity, ones, zeros = Constant, Identity, Ones, Zeros
orthogonal, random_normal, random_uniform = Orthogonal, RandomNormal, RandomUniform
truncated_normal, variance_scaling = TruncatedNormal, VarianceScaling
glorot_normal, glorot_uniform, he_normal = GlorotNormal, GlorotUniform, HeNormal
he_uniform, lecun_normal, lecun_uniform = HeUniform, LecunNormal, LecunUniform
IdentityInitializer, OrthogonalInitializer = Identity, Orthogonal

_KNOWN: dict[str, type[Initializer]] = {
    name: found
    for name, found in list(globals().items())
    if isinstance(found, type) and issubclass(found, Initializer)
} | {"normal": RandomNormal, "one": Ones, "uniform": RandomUniform, "zero": Zeros}
_STFT = ("STFT", "stft", "STFTInitializer")

__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "IdentityInitializer",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "OrthogonalInitializer",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "VarianceScaling",
    "Zeros",
    "constant",
    "deserialize",
    "get",
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
    "serialize",
    "truncated_normal",
    "variance_scaling",
    "zeros",
]


def serialize(initializer: Any) -> dict[str, Any] | None:
    """Return the dict that Keras saves of an initializer, and `deserialize` reads; None for None.

    Raises:
        ValueError: `initializer` has no `get_config`.

    Example:
        >>> serialize(Zeros())["class_name"], serialize(GlorotUniform(seed=1))["config"]
        ('Zeros', {'seed': 1, 'input_axes': None, 'output_axes': None})
    """
    if initializer is None:
        return None
    if not hasattr(initializer, "get_config"):
        raise ValueError(
            f"Cannot serialize {show(initializer)}: it has no get_config(). Pass an initializer."
        )
    return {
        "module": "keras.initializers",
        "class_name": type(initializer).__name__,
        "config": initializer.get_config(),
        "registered_name": None,
    }


def deserialize(
    config: Mapping[str, Any] | str,
    custom_objects: Mapping[str, Any] | None = None,
    *,
    backend: str | None = None,
    arithmetic: str | None = None,
) -> Any:
    """Return the initializer that a dict of `serialize`, or a name, describes.

    Args:
        config: the dict, or a name, of a class or in snake_case.
        custom_objects: more classes, or callables taken as they are, by name.
        backend, arithmetic: of the initializer; see `random.normal`.

    Raises:
        ValueError: the name is unknown, or `config` has another form.
        TypeError: the class does not know an option.

    Example:
        >>> deserialize({"class_name": "GlorotUniform", "config": {"seed": 1}}, backend="jax")
        GlorotUniform(seed=1, input_axes=None, output_axes=None, backend='jax')
    """
    if config is None:
        return None
    named: Any = {"class_name": config, "config": {}} if isinstance(config, str) else config
    if not isinstance(named, Mapping) or not {"class_name", "config"} <= named.keys():
        raise ValueError(
            f"Unknown `config` as a `dict`, config={show(config)}. It must hold 'class_name' and "
            "'config'."
        )
    name, machine = named["class_name"], {"backend": backend, "arithmetic": arithmetic}
    found = {**_KNOWN, **(custom_objects or {})}.get(name)
    if found is None:
        raise ValueError(
            f"Could not interpret initializer identifier: {show(name)}. "
            + (
                "STFT draws nothing and is not replayed."
                if name in _STFT
                else f"Use one of {', '.join(sorted(_KNOWN))}."
            )
        )
    if isinstance(found, type) and issubclass(found, Initializer):
        return found.from_config(named["config"], **machine)
    return found.from_config(named["config"]) if hasattr(found, "from_config") else found


def get(identifier: Any, *, backend: str | None = None, arithmetic: str | None = None) -> Any:
    """Return the initializer that `identifier` means.

    Args:
        identifier: None (gives None), a name, a dict of `serialize`, a class, a NumPy array, which
            is the value for its own shape, or anything callable, which is returned as it is.
        backend, arithmetic: of an initializer that this makes; see `random.normal`.

    Raises:
        ValueError: it is something else, or the name is unknown.

    Example:
        >>> get("he_normal", backend="torch")
        HeNormal(seed=None, input_axes=None, output_axes=None, backend='torch')
    """
    machine = {"backend": backend, "arithmetic": arithmetic}
    if identifier is None:
        return None
    if isinstance(identifier, str | Mapping):
        return deserialize(identifier, **machine)  # type: ignore[arg-type]
    if isinstance(identifier, np.ndarray | np.generic):
        return _of_array(np.asarray(identifier), machine)
    if callable(identifier):
        if not isinstance(identifier, type):
            return identifier
        return identifier(**machine) if issubclass(identifier, Initializer) else identifier()
    raise ValueError(
        f"Could not interpret initializer identifier: {show(identifier)}. "
        "Pass a name, a dict with 'class_name' and 'config', an array or a callable."
    )


def _of_array(value: Array, machine: dict[str, str | None]) -> Any:
    def initialize(shape: Any, dtype: Any = None) -> Array:
        if tuple(shape) != value.shape:
            raise ValueError(
                f"Expected `shape` to be {value.shape} for direct tensor as initializer. "
                f"Received shape={show(shape)}."
            )
        backend = choose(**machine).backend
        return backend.cast(value, backend.canonical(any_dtype(dtype)))

    return initialize
