# SPDX-License-Identifier: Apache-2.0
"""From names and configs to initializers, and back."""

import re
from collections.abc import Mapping
from typing import Any, TypeVar, overload

from glorot import (
    _blocks,
    _check,
    _constants,
    _orthogonal,
    _positions,
    _random,
    _sampling_offsets,
    _sparse,
    _state_space,
    _variance_scaling,
)
from glorot._base import Initializer

_CLASSES: dict[str, type[Initializer]] = {
    cls.__name__: cls
    for cls in (
        _constants.Zeros,
        _constants.Ones,
        _constants.Constant,
        _constants.Identity,
        _constants.Dirac,
        _random.RandomUniform,
        _random.RandomNormal,
        _random.TruncatedNormal,
        _variance_scaling.VarianceScaling,
        _variance_scaling.GlorotUniform,
        _variance_scaling.GlorotNormal,
        _variance_scaling.HeUniform,
        _variance_scaling.HeNormal,
        _variance_scaling.LecunUniform,
        _variance_scaling.LecunNormal,
        _orthogonal.Orthogonal,
        _orthogonal.DeltaOrthogonal,
        _sparse.Sparse,
        _positions.SinCosGrid,
        _positions.Sinusoids,
        _sampling_offsets.SamplingOffsets,
        _state_space.LogArange,
        _state_space.LogOfUniform,
        _state_space.TimeStep,
        _blocks.Blocks,
    )
}


def snake_case(name: str) -> str:
    """GlorotUniform -> glorot_uniform."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


_UNTRUNCATED = {"distribution": "untruncated_normal"}

# Other libraries' names.  PyTorch's xavier_normal_ and kaiming_normal_ do not truncate, so these
# do not either; its kaiming gain is that of ReLU, its default.
ALIASES: dict[str, tuple[str, dict[str, Any]]] = {
    "xavier_uniform": ("GlorotUniform", {}),
    "xavier_normal": ("VarianceScaling", {"scale": 1.0, "mode": "fan_avg", **_UNTRUNCATED}),
    "kaiming_uniform": ("HeUniform", {}),
    "kaiming_normal": ("VarianceScaling", {"scale": 2.0, "mode": "fan_in", **_UNTRUNCATED}),
    "uniform": ("RandomUniform", {}),
    "normal": ("RandomNormal", {}),
    "trunc_normal": ("TruncatedNormal", {}),
    "zero": ("Zeros", {}),
    "one": ("Ones", {}),
    "eye": ("Identity", {}),
    # Keras' own second names, which some of its versions write into configs.
    "orthogonal_initializer": ("Orthogonal", {}),
    "identity_initializer": ("Identity", {}),
}
_NAMES: dict[str, tuple[str, dict[str, Any]]] = {
    snake_case(name): (name, {}) for name in _CLASSES
} | ALIASES


_One = TypeVar("_One", bound=Initializer)


@overload
def get(identifier: None) -> None: ...


@overload
def get(identifier: _One | type[_One]) -> _One: ...


@overload
def get(identifier: str | Mapping[str, Any]) -> Initializer: ...


@overload
def get(identifier: Any) -> Any: ...


def get(identifier: Any) -> Any:
    """Return the initializer that `identifier` means.

    Args:
        identifier: None, an initializer, an initializer class, a name in CamelCase or snake_case
            (aliases of other libraries included: docs/initializers.md), a dict with `class_name`
            and `config`, or any other callable, which is returned as it is.

    Raises:
        ValueError: no initializer of that name; near names are listed.
        TypeError: none of the above.

    Examples:
        >>> import glorot
        >>> glorot.get("glorot_uniform")
        GlorotUniform()
        >>> glorot.get("kaiming_normal")
        VarianceScaling(scale=2.0, mode='fan_in', distribution='untruncated_normal')
    """
    if identifier is None or isinstance(identifier, Initializer):
        return identifier
    if isinstance(identifier, str):
        return construct(*_find(identifier))
    if isinstance(identifier, Mapping):
        return deserialize(identifier)
    if isinstance(identifier, type) and issubclass(identifier, Initializer):
        return identifier()
    if callable(identifier):
        return identifier
    raise TypeError(
        "`identifier` must be None, an initializer or its class, a name, a dict with `class_name` "
        f"and `config`, or a callable; got {_check.show(identifier)}."
    )


def get_ours(identifier: Any, argument: str = "initializer", otherwise: str = "") -> Initializer:
    """Return what `get` does, where it is one of glorot's.

    Raises:
        TypeError: another callable, or None; the text names `argument`, and ends in `otherwise`.
    """
    found = get(identifier)
    if not isinstance(found, Initializer):
        raise TypeError(
            f"`{argument}` must be one of glorot's, or its class, name or dict; got "
            f"{_check.show(identifier)}.{otherwise}"
        )
    return found


def _find(identifier: str) -> tuple[str, dict[str, Any]]:
    found = _NAMES.get(snake_case(identifier).removesuffix("_"))  # torch: kaiming_normal_
    if found is None:
        near = _check.near(snake_case(identifier), tuple(_NAMES))
        raise ValueError(f"no initializer is called {identifier!r}. {near}")
    return found


def construct(name: str, options: Mapping[str, Any]) -> Initializer:
    """Return the initializer of a class's name and its options."""
    cls = _CLASSES[name]
    try:
        return cls.from_config(options)
    except TypeError:
        import inspect  # slow to load

        lacking = [
            f"{key}=..."
            for key, p in inspect.signature(cls).parameters.items()
            if p.default is p.empty and p.kind is not p.VAR_KEYWORD and key not in options
        ]
        if not lacking:
            raise
    raise TypeError(f"{name} needs {', '.join(lacking)}, which has no default.")


def option_names(cls: type[Initializer]) -> tuple[str, ...]:
    """Return the names of a class's options, `seed` among them."""
    import inspect  # slow to load

    parameters = inspect.signature(cls).parameters.values()
    named = [p.name for p in parameters if p.kind is not inspect.Parameter.VAR_KEYWORD]
    stream = ("stream",) if cls.random else ()
    return tuple(dict.fromkeys((*named, *cls.axes_options, *stream)))


def class_name(initializer: object) -> str:
    """Return the name under which an initializer's class is read back.

    Raises:
        TypeError: what is none of glorot's initializers; a subclass, of which a name and options
            would make another.
    """
    cls = type(initializer)
    if _CLASSES.get(cls.__name__) is cls:
        return cls.__name__
    ours = next((base.__name__ for base in cls.__mro__ if base in _CLASSES.values()), None)
    raise TypeError(
        f"`initializer` must be one of glorot's, got {_check.show(initializer)}"
        + (f" of a subclass of {ours}, which nothing could read back." if ours else ".")
    )


def serialize(initializer: Initializer) -> dict[str, Any]:
    """Return {"class_name": ..., "config": ...}, which JSON can hold and `deserialize` reads.

    Raises:
        TypeError: what is none of glorot's initializers, or a subclass of one.

    Examples:
        >>> import glorot
        >>> glorot.serialize(glorot.HeNormal(seed=1))
        {'class_name': 'HeNormal', 'config': {'seed': 1, 'dtype': 'float32', 'stream': 1}}
    """
    return {"class_name": class_name(initializer), "config": initializer.get_config()}


def deserialize(config: Mapping[str, Any]) -> Initializer:
    """Return the initializer that `serialize` described.

    Keras' own dicts are read too; they say the layer's law, not Keras' numbers.

    Raises:
        ValueError: no initializer of that name; options out of their range.
        TypeError: no such dict; options that the initializer does not have.

    Examples:
        >>> import glorot
        >>> glorot.deserialize({"class_name": "HeNormal", "config": {"seed": 1}})
        HeNormal(seed=1)
    """
    if not isinstance(config, Mapping):
        raise TypeError(
            "`config` must be a dict of `class_name` and `config`, got "
            f"{_check.show(config)} of {type(config).__name__}."
        )
    unknown = set(config) - {"class_name", "config", "module", "registered_name"}
    if unknown or not isinstance(config.get("class_name"), str):
        raise ValueError(
            f"`config` must be a dict of `class_name` and `config`, got "
            f"{_check.show(dict(config))}."
        )
    name, options = _find(config["class_name"])
    given = config.get("config")
    if given is not None and not (isinstance(given, Mapping) and all(map(_is_text, given))):
        raise TypeError(
            f"`config` of {name} must be a dict of its options, got {_check.show(given)}."
        )
    return construct(name, options | dict(given or {}))


def _is_text(value: object) -> bool:
    return isinstance(value, str)
