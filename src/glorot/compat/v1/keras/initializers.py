# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: N813 -- the lowercase names of classes are TensorFlow's
"""`tf.compat.v1.keras.initializers`: Keras' names and defaults, and get, serialize, deserialize."""

from collections.abc import Mapping
from typing import Any

from glorot.compat.v1 import _initializers
from glorot.compat.v1._constants import Constant, Identity, Ones, Zeros
from glorot.compat.v1._initializers import GlorotNormal as glorot_normal
from glorot.compat.v1._initializers import GlorotUniform as glorot_uniform
from glorot.compat.v1._initializers import Initializer, VarianceScaling
from glorot.compat.v1._orthogonal import Orthogonal

__all__ = [
    "Constant",
    "Identity",
    "Initializer",
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
    "normal",
    "ones",
    "orthogonal",
    "random_normal",
    "random_uniform",
    "serialize",
    "truncated_normal",
    "uniform",
    "zeros",
]


class RandomUniform(_initializers.RandomUniform):
    """Uniform between two numbers; Keras' limits are -0.05 and 0.05 unless given.

    Arguments, errors and values as in `glorot.compat.v1.random_uniform_initializer`.

    Replays TensorFlow 2.4.4 and 2.21.0: exact.

    Source: TensorFlow 2.4.4, python/keras/initializers/initializers_v1.py.

    Example:
        >>> initializer = RandomUniform(-1, 1)
        >>> config = initializer.get_config()
        >>> config
        {'minval': -1, 'maxval': 1, 'seed': None, 'dtype': 'float32'}
        >>> RandomUniform.from_config(config)
        RandomUniform(minval=-1, maxval=1, seed=None, dtype='float32')
    """

    def __init__(
        self,
        minval: Any = -0.05,
        maxval: Any = 0.05,
        seed: int | None = None,
        dtype: Any = "float32",
    ) -> None:
        super().__init__(minval, maxval, seed, dtype)


class RandomNormal(_initializers.RandomNormal):
    """Normal; Keras' standard deviation is 0.05 unless given.

    Arguments, errors and values as in `glorot.compat.v1.random_normal_initializer`.

    Replays TensorFlow 2.4.4 and 2.21.0: exact, float64 as with FMA.

    Source: TensorFlow 2.4.4, python/keras/initializers/initializers_v1.py.

    Example:
        >>> RandomNormal(seed=42)
        RandomNormal(mean=0.0, stddev=0.05, seed=42, dtype='float32')
    """

    def __init__(
        self, mean: Any = 0.0, stddev: Any = 0.05, seed: int | None = None, dtype: Any = "float32"
    ) -> None:
        super().__init__(mean, stddev, seed, dtype)


class TruncatedNormal(_initializers.TruncatedNormal):
    """Normal within two standard deviations; Keras' is 0.05 unless given.

    Arguments, errors and values as in `glorot.compat.v1.truncated_normal_initializer`.

    Replays TensorFlow 2.4.4 and 2.21.0: exact, float64 as with FMA.

    Source: TensorFlow 2.4.4, python/keras/initializers/initializers_v1.py.

    Example:
        >>> TruncatedNormal(seed=42)
        TruncatedNormal(mean=0.0, stddev=0.05, seed=42, dtype='float32')
    """

    def __init__(
        self, mean: Any = 0.0, stddev: Any = 0.05, seed: int | None = None, dtype: Any = "float32"
    ) -> None:
        super().__init__(mean, stddev, seed, dtype)


class HeNormal(VarianceScaling):
    """Truncated normal of variance 2 / fan_in.

    Replays TensorFlow 2.4.4 and 2.21.0: exact, float64 as with FMA.

    Source: He, Zhang, Ren, Sun, "Delving deep into rectifiers", 2015; TensorFlow 2.4.4.

    Example:
        >>> HeNormal(seed=42).get_config()
        {'seed': 42}
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(2.0, "fan_in", "truncated_normal", seed=seed)

    def get_config(self) -> dict[str, Any]:
        """Return {"seed"}."""
        return {"seed": self.seed}


class LecunNormal(VarianceScaling):
    """Truncated normal of variance 1 / fan_in.

    Replays TensorFlow 2.4.4 and 2.21.0: exact, float64 as with FMA.

    Source: LeCun, Bottou, Orr, Müller, "Efficient backprop", 1998; TensorFlow 2.4.4.

    Example:
        >>> LecunNormal(seed=42).get_config()
        {'seed': 42}
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_in", "truncated_normal", seed=seed)

    def get_config(self) -> dict[str, Any]:
        """Return {"seed"}."""
        return {"seed": self.seed}


class HeUniform(VarianceScaling):
    """Uniform of bound sqrt(6 / fan_in).

    Replays TensorFlow 2.4.4 and 2.21.0: exact.

    Source: He, Zhang, Ren, Sun, "Delving deep into rectifiers", 2015; TensorFlow 2.4.4.

    Example:
        >>> HeUniform(seed=42).get_config()
        {'seed': 42}
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(2.0, "fan_in", "uniform", seed=seed)

    def get_config(self) -> dict[str, Any]:
        """Return {"seed"}."""
        return {"seed": self.seed}


class LecunUniform(VarianceScaling):
    """Uniform of bound sqrt(3 / fan_in).

    Replays TensorFlow 2.4.4 and 2.21.0: exact.

    Source: LeCun, Bottou, Orr, Müller, "Efficient backprop", 1998; TensorFlow 2.4.4.

    Example:
        >>> LecunUniform(seed=42).get_config()
        {'seed': 42}
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(1.0, "fan_in", "uniform", seed=seed)

    def get_config(self) -> dict[str, Any]:
        """Return {"seed"}."""
        return {"seed": self.seed}


constant, identity, ones, zeros = Constant, Identity, Ones, Zeros
he_normal, he_uniform, lecun_normal, lecun_uniform = HeNormal, HeUniform, LecunNormal, LecunUniform
orthogonal = Orthogonal
random_normal = normal = RandomNormal
random_uniform = uniform = RandomUniform
truncated_normal = TruncatedNormal

_CLASSES: dict[str, type[Initializer]] = {
    "constant": Constant,
    "glorot_normal": glorot_normal,
    "glorot_uniform": glorot_uniform,
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
_KNOWN = {
    **_CLASSES,
    **{found.__name__: found for found in _CLASSES.values()},
    **{"normal": RandomNormal, "one": Ones, "uniform": RandomUniform, "zero": Zeros},
}


def serialize(initializer: Any) -> dict[str, Any] | None:
    """Return {"class_name", "config"}, which `deserialize` reads; None for None.

    Raises:
        ValueError: `initializer` has no `get_config`.

    Example:
        >>> serialize(glorot_uniform(seed=1))
        {'class_name': 'GlorotUniform', 'config': {'seed': 1, 'dtype': 'float32'}}
    """
    if initializer is None:
        return None
    if not hasattr(initializer, "get_config"):
        raise ValueError(
            f"Cannot serialize {initializer!r}: it has no get_config(). Pass an initializer."
        )
    return {"class_name": type(initializer).__name__, "config": initializer.get_config()}


def deserialize(
    config: Mapping[str, Any] | str, custom_objects: Mapping[str, Any] | None = None
) -> Any:
    """Return the initializer that a dict of `serialize`, or a name alone, describes.

    Args:
        config: {"class_name", "config"} or a name, of a class or in snake_case.
        custom_objects: more classes, or callables taken as they are, by name.

    Raises:
        ValueError: the name is unknown, or `config` has another form.
        TypeError: the class does not know an option.

    Example:
        >>> deserialize({"class_name": "GlorotUniform", "config": {"seed": 1}})
        GlorotUniform(seed=1, dtype='float32')
    """
    if isinstance(config, str):
        config = {"class_name": config, "config": {}}
    if not isinstance(config, Mapping) or not {"class_name", "config"} <= config.keys():
        raise ValueError(
            f"Improper config format: {config!r}. It must hold 'class_name' and 'config'."
        )
    name = config["class_name"]
    found = {**_KNOWN, **(custom_objects or {})}.get(name)
    if found is None:
        raise ValueError(f"Unknown initializer: {name}. Use one of {', '.join(sorted(_KNOWN))}.")
    if hasattr(found, "from_config"):
        return found.from_config(config["config"])
    return found


def get(identifier: Any) -> Any:
    """Return the initializer that `identifier` means.

    Args:
        identifier: None (gives None), a name, a dict of `serialize`, a class, or anything
            callable, which is returned as it is.

    Raises:
        ValueError: it is something else, or the name is unknown.

    Differs from TensorFlow 2, whose function of this name returns the classes of its version 2
    even here, with other numbers; this one does as TensorFlow 1 did.

    Example:
        >>> get("glorot_uniform")
        GlorotUniform(seed=None, dtype='float32')
    """
    if identifier is None:
        return None
    if isinstance(identifier, str | Mapping):
        return deserialize(identifier)
    if callable(identifier):
        return identifier() if isinstance(identifier, type) else identifier
    raise ValueError(
        f"Could not interpret initializer identifier: {identifier!r}. "
        "Pass a name, a dict with 'class_name' and 'config', or a callable."
    )
