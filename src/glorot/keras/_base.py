# SPDX-License-Identifier: Apache-2.0
"""What every initializer of glorot.keras is: a Keras initializer around one of glorot's."""

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

import keras

import glorot
from glorot._check import parse_shape
from glorot._stream import check_name
from glorot.keras._seeds import parse_seed, seed_config
from glorot.keras._tensors import compute

Self = TypeVar("Self", bound="Initializer")


class Initializer(keras.initializers.Initializer):
    """The base of all initializers here.

    Keras calls an initializer with a shape and a dtype and tells no name, so the value is that of
    the pair (seed, name) that the object holds: `glorot.GlorotUniform()(shape, seed=seed,
    name=name)`, the same bytes on every backend.  Two weights of one pair hold the same random
    words.  Without a seed each call takes a new one from `keras.random` and nothing repeats.

    Args:
        args, options: those of the class of the same name in `glorot`.
        seed: 0 <= seed < 2**64; a `keras.random.SeedGenerator`, asked at each call; or None for
            Keras' global one.
        name: of the weight, any text.
        dtype: of calls that give none, in place of `keras.config.floatx()`.

    Attributes:
        initializer: glorot's, without a seed.
    """

    of: ClassVar[type[glorot.Initializer]]  # the class in glorot
    _signature: ClassVar[inspect.Signature]  # its
    initializer: glorot.Initializer
    seed: Any = None
    name: str = ""

    def __init__(self, *args: Any, **options: Any) -> None:
        name = options.pop("name", "") if self.of.random else ""
        try:
            given = dict(self._signature.bind(*args, **options).arguments)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}: {error}") from None
        given |= given.pop("options", {})
        seed = given.pop("seed", None)
        self._has_dtype = given.get("dtype") is not None
        if not self._has_dtype:
            given.pop("dtype", None)
        self.initializer = self.of(**given)
        if self.of.random:
            self.seed = parse_seed(seed)
            self.name = check_name(name)

    def __call__(
        self, shape: Any, dtype: Any = None, layout: Any = None, *, shard: Any = None
    ) -> Any:
        """Return the value as a tensor of the backend.

        Args:
            shape: of the whole weight.
            dtype: a name, or a dtype of any framework.
            layout: a `keras.distribution.TensorLayout`, or a JAX sharding: each device computes
                its own part.
            shard: the part wanted, a `glorot.Shard` or slices.

        Raises:
            TypeError: a dtype that the initializer, or the backend, does not have.
            ValueError: what glorot's initializer refuses; no seed inside of a traced function.
        """
        if dtype is None:
            dtype = self.initializer.dtype if self._has_dtype else keras.config.floatx()
        shape = parse_shape(shape)
        return compute(self._for(shape), shape, dtype, self.seed, self.name, layout, shard)

    def _for(self, shape: tuple[int, ...]) -> glorot.Initializer:
        """glorot's initializer for a weight of this shape."""
        del shape
        return self.initializer

    def get_config(self) -> dict[str, Any]:
        """Return the options as a dict that JSON can hold and `from_config` reads."""
        config = self.initializer.get_config()
        if not self._has_dtype:
            config.pop("dtype", None)
        if self.of.random:
            config |= {"seed": seed_config(self.seed)} | ({"name": self.name} if self.name else {})
        return config

    @classmethod
    def from_config(cls: type[Self], config: Mapping[str, Any]) -> Self:
        """Return the initializer that `get_config` described."""
        return cls(**config)

    def __repr__(self) -> str:
        quiet = {"seed": None, "dtype": None if self._has_dtype else "float32"}
        shown = {k: v for k, v in self.initializer._config.items() if quiet.get(k, self) != v}
        shown |= {
            k: v for k, v in (("seed", self.seed), ("name", self.name)) if v not in (None, "")
        }
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in shown.items())})"


def register(cls: type[Self]) -> type[Self]:
    """Register a class with Keras as "glorot>Name", with the signature and options of glorot's."""
    cls.of = getattr(glorot, cls.__name__)
    signature = cls._signature = inspect.signature(cls.of)
    if cls.of.random:
        parameters = list(signature.parameters.values())
        at = next((i for i, p in enumerate(parameters) if p.kind is p.VAR_KEYWORD), len(parameters))
        name = inspect.Parameter("name", inspect.Parameter.KEYWORD_ONLY, default="", annotation=str)
        signature = signature.replace(parameters=[*parameters[:at], name, *parameters[at:]])
    cls.__signature__ = signature
    registered: type[Self] = keras.saving.register_keras_serializable("glorot", cls.__name__)(cls)
    return registered
