# SPDX-License-Identifier: Apache-2.0
"""`tf.keras.initializers` of Keras 2: names, options, configs, and numbers from an integer seed.

Keras 2's initializers draw TensorFlow's stateless numbers from the pair (seed, 0), so each call of
one gives the same values.  So it was up to TensorFlow 2.6 and again since 2.10 (which `tf_keras`
continues); in between, calls followed one another in another way that is not replayed here.  These
classes stand under `tensorflow` since that is where their users have them: `tf.keras` replaced by
`glorot.replay.tensorflow.keras` is the whole change.  Keras 3's initializers draw other numbers.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from glorot._check import show
from glorot.replay.tensorflow.keras._base import Initializer
from glorot.replay.tensorflow.keras._constants import Constant, Identity, Ones, Zeros
from glorot.replay.tensorflow.keras._random import (
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    LecunNormal,
    LecunUniform,
    Orthogonal,
    RandomNormal,
    RandomUniform,
    TruncatedNormal,
    VarianceScaling,
)

_CLASSES: dict[str, type[Initializer]] = {
    "constant": Constant,
    "glorot_normal": GlorotNormal,
    "glorot_uniform": GlorotUniform,
    "he_normal": HeNormal,
    "he_uniform": HeUniform,
    "identity": Identity,
    "lecun_normal": LecunNormal,
    "lecun_uniform": LecunUniform,
    "ones": Ones,
    "orthogonal": Orthogonal,
    "random_normal": RandomNormal,
    "random_uniform": RandomUniform,
    "truncated_normal": TruncatedNormal,
    "variance_scaling": VarianceScaling,
    "zeros": Zeros,
}
constant, glorot_normal, glorot_uniform, he_normal = Constant, GlorotNormal, GlorotUniform, HeNormal
he_uniform, identity, lecun_normal, lecun_uniform = HeUniform, Identity, LecunNormal, LecunUniform
ones, orthogonal, random_normal, random_uniform = Ones, Orthogonal, RandomNormal, RandomUniform
truncated_normal, variance_scaling, zeros = TruncatedNormal, VarianceScaling, Zeros

_KNOWN = {
    **_CLASSES,
    **{found.__name__: found for found in _CLASSES.values()},
    **{f"{found.__name__}V2": found for found in _CLASSES.values()},
    **{"normal": RandomNormal, "one": Ones, "uniform": RandomUniform, "zero": Zeros},
}

__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
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


def serialize(initializer: Any, use_legacy_format: bool = False) -> dict[str, Any] | None:
    """Return the dict that Keras 2 saves of an initializer, and `deserialize` reads; None for None.

    Raises:
        ValueError: `initializer` has no `get_config`.

    Example:
        >>> serialize(GlorotUniform(seed=1), use_legacy_format=True)
        {'class_name': 'GlorotUniform', 'config': {'seed': 1}}
    """
    if initializer is None:
        return None
    if not hasattr(initializer, "get_config"):
        raise ValueError(
            f"Cannot serialize {show(initializer)}: it has no get_config(). Pass an initializer."
        )
    name = type(initializer).__name__
    config = {key: _plain(value) for key, value in initializer.get_config().items()}
    if use_legacy_format:
        return {"class_name": name, "config": config}
    return {
        "module": "keras.initializers",
        "class_name": name,
        "config": config,
        "registered_name": None,
    }


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def deserialize(
    config: Mapping[str, Any] | str,
    custom_objects: Mapping[str, Any] | None = None,
    use_legacy_format: bool = False,
) -> Any:
    """Return the initializer that a dict of `serialize`, of either format, or a name describes.

    Args:
        config: the dict, or a name, of a class or in snake_case.
        custom_objects: more classes, or callables taken as they are, by name.
        use_legacy_format: either format is read, whichever it says.

    Raises:
        ValueError: the name is unknown, or `config` has another form.
        TypeError: the class does not know an option.

    Example:
        >>> deserialize({"class_name": "GlorotUniform", "config": {"seed": 1}})
        GlorotUniform(seed=1)
    """
    if isinstance(config, str):
        config = {"class_name": config, "config": {}}
    if not isinstance(config, Mapping) or not {"class_name", "config"} <= config.keys():
        raise ValueError(
            f"Improper config format: {show(config)}. It must hold 'class_name' and 'config'."
        )
    name = config["class_name"]
    found = {**_KNOWN, **(custom_objects or {})}.get(name)
    if found is None:
        raise ValueError(f"Unknown initializer: {name}. Use one of {', '.join(sorted(_KNOWN))}.")
    return found.from_config(config["config"]) if hasattr(found, "from_config") else found


def get(identifier: Any) -> Any:
    """Return the initializer that `identifier` means.

    Args:
        identifier: None (gives None), a name, a dict of `serialize`, a class, or anything
            callable, which is returned as it is.

    Raises:
        ValueError: it is something else, or the name is unknown.

    Example:
        >>> get("he_normal")
        HeNormal(seed=None)
    """
    if identifier is None:
        return None
    if isinstance(identifier, str | Mapping):
        return deserialize(identifier)
    if callable(identifier):
        return identifier() if isinstance(identifier, type) else identifier
    raise ValueError(
        f"Could not interpret initializer identifier: {show(identifier)}. "
        "Pass a name, a dict with 'class_name' and 'config', or a callable."
    )
