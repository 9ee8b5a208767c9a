# SPDX-License-Identifier: Apache-2.0
"""`tf.keras.initializers` of Keras 2: names, options, configs, and numbers from an integer seed.

Keras 2's initializers draw TensorFlow's stateless numbers from the pair (seed, 0), so each call of
one gives the same values.  So it was up to TensorFlow 2.6 and again since 2.10 (which `tf_keras`
continues); in between, calls followed one another in another way that is not replayed here.  These
classes stand under `tensorflow` since that is where their users have them: `tf.keras` replaced by
`glorot.replay.tensorflow.keras` is the whole change.  Keras 3's initializers draw other numbers.
"""

import warnings
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from glorot._check import show
from glorot._shard import parse_shard
from glorot.replay.tensorflow import _stateless
from glorot.replay.tensorflow._arguments import (
    as_dtype,
    as_float_dtype,
    as_shape,
    to_dtype,
)
from glorot.replay.tensorflow._orthogonal import check_matrix, orthogonal_matrix
from glorot.replay.tensorflow._scale import MODES, spread
from glorot.replay.tensorflow.keras.utils import next_seed

Array = np.ndarray[Any, np.dtype[Any]]
Self = TypeVar("Self", bound="Initializer")

_OPTIONS = ("partition_shape", "partition_offset", "layout")
_DISTRIBUTIONS = ("uniform", "truncated_normal", "untruncated_normal")


class Initializer:
    """What all initializers here share: called with a shape, described by a config."""

    _partitions = True  # whether `partition_shape` and `partition_offset` are taken

    def __call__(self, shape: Any, dtype: Any = None, *, shard: Any = None, **kwargs: Any) -> Array:
        """Return a new array with the initial values.

        Args:
            shape: of the whole weight: a list or tuple of sizes, a TensorShape or an array.
            dtype: of the values; float32 when None.
            shard: the part wanted, a `glorot.Shard` or slices: that part of the whole.
            **kwargs: `partition_shape` and `partition_offset`, which Keras passes for one part of
                a partitioned variable. There a part is a weight of its own: its fans are those of
                its own shape, and its values come from a seed that the offset is folded into.

        Raises:
            TypeError: another keyword; a dtype or shape of another kind.
            ValueError: a dtype that the law has not; no seed; `shard` beside a partition; a
                partition where Keras has none; `layout`, which draws other numbers.
        """
        unknown = [name for name in kwargs if name not in _OPTIONS]
        if unknown:
            raise TypeError(
                f"Unknown keyword arguments: {unknown}. Allowed keyword arguments: "
                f"{[*_OPTIONS, 'shard']}."
            )
        if kwargs.get("layout") is not None:
            raise ValueError(
                "`layout` (DTensor) draws from a stateful generator, which is not replayed. "
                "Ask for a part with `shard`."
            )
        partitioned = "partition_shape" in kwargs or "partition_offset" in kwargs
        if partitioned and not self._partitions:
            raise ValueError(
                f"{type(self).__name__} initializer doesn't support partition-related arguments."
            )
        if partitioned and shard is not None:
            raise ValueError("`shard` and `partition_shape` both say which part; give one.")
        sizes, _ = as_shape(kwargs.get("partition_shape", shape))
        return self._values(sizes, dtype, shard, kwargs.get("partition_offset"))

    def _values(self, shape: tuple[int, ...], dtype: Any, shard: Any, offset: Any) -> Array:
        raise NotImplementedError("Initializer subclasses must implement the `__call__()` method.")

    def get_config(self) -> dict[str, Any]:
        """Return the options as a JSON-serialisable dict."""
        return {}

    @classmethod
    def from_config(cls: type[Self], config: Mapping[str, Any]) -> Self:
        """Return a new initializer from what `get_config` returned; a `dtype` in it is ignored.

        Raises:
            TypeError: `config` holds a key that the class does not know.

        Example:
            >>> RandomUniform.from_config({"minval": -1, "maxval": 1, "dtype": "float32"})
            RandomUniform(minval=-1, maxval=1, seed=None)
        """
        return cls(**{name: value for name, value in config.items() if name != "dtype"})

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value!r}" for name, value in self.get_config().items())
        return f"{type(self).__name__}({options})"


class _Filled(Initializer):
    """One number everywhere."""

    def _number(self, dtype: np.dtype[Any]) -> Array:
        raise NotImplementedError

    def _values(self, shape: tuple[int, ...], dtype: Any, shard: Any, offset: Any) -> Array:
        found = as_dtype("float32" if dtype is None else dtype)
        number = self._number(found)
        whole = np.broadcast_to(number if number.size == 1 else number.reshape(shape), shape)
        return np.array(whole if shard is None else _cut(whole, shard))


def _cut(whole: Array, shard: Any) -> Array:
    """A shard of an array that is there."""
    start, extent = parse_shard(shard, whole.shape)
    return whole[tuple(slice(i, i + n) for i, n in zip(start, extent, strict=True))]


class Zeros(_Filled):
    """Zero everywhere, in any dtype.

    Example:
        >>> Zeros()((2,), dtype="int32")
        array([0, 0], dtype=int32)
    """

    def _number(self, dtype: np.dtype[Any]) -> Array:
        return np.zeros((), dtype)


class Ones(_Filled):
    """One everywhere, in any dtype.

    Example:
        >>> Ones()((2,))
        array([1., 1.], dtype=float32)
    """

    def _number(self, dtype: np.dtype[Any]) -> Array:
        return np.ones((), dtype)


class Constant(_Filled):
    """`value` everywhere; or, as many values as the shape holds, in its order.

    Raises:
        TypeError: at a call, `value` does not convert to the dtype, or has another size.

    Example:
        >>> Constant(3.5)((2,))
        array([3.5, 3.5], dtype=float32)
    """

    def __init__(self, value: Any = 0) -> None:
        self.value = value

    def _number(self, dtype: np.dtype[Any]) -> Array:
        return to_dtype(self.value, dtype)

    def _values(self, shape: tuple[int, ...], dtype: Any, shard: Any, offset: Any) -> Array:
        size, count = np.size(self.value), int(np.prod(shape, dtype=object))
        if size not in (1, count):
            raise TypeError(
                f"Eager execution of tf.constant with unsupported shape (value has {size} "
                f"elements, shape is {shape} with {count} elements). Give one value, or as many as "
                "the shape holds."
            )
        return super()._values(shape, dtype, shard, offset)

    def get_config(self) -> dict[str, Any]:
        """Return {"value"}."""
        return {"value": self.value}


class _Random(Initializer):
    """A seed, and the stateless draws made from it."""

    seed: int | None
    _taken: int | None = None  # the seed that Keras gives an unseeded one
    _used = False

    def _pair(self, offset: Any) -> Any:
        """The pair of seeds of a call."""
        seed = self.seed if self.seed is not None else self._taken
        if seed is None:
            seed = self._taken = next_seed()
        if seed is None:
            raise ValueError(
                f"{type(self).__name__} has no `seed`, so Keras draws one of its own and nothing "
                "can be replayed. Pass an integer, or call keras.utils.set_random_seed first."
            )
        if offset is None:
            if self._used and self.seed is None:
                warnings.warn(
                    f"The initializer {type(self).__name__} is unseeded and being called multiple "
                    "times, which will return identical values each time. Provide a seed, or use "
                    "one initializer a weight.",
                    stacklevel=4,
                )
            self._used = True
        if not offset:
            return (seed, 0)
        return _stateless.fold_in((seed, 0), hash(offset))


class RandomUniform(_Random):
    """Uniform in [minval, maxval); integers too.

    Args:
        minval, maxval: Python or NumPy numbers.
        seed: an integer of 64 bits with sign; None is taken, and refused when called: see
            `keras.utils.set_random_seed`.

    Raises:
        TypeError, ValueError: at a call, as `stateless_uniform` raises them.

    Source: tf_keras 2.21.0, src/initializers/initializers.py.  Exact; seekable.

    Example:
        >>> RandomUniform(-1, 1, seed=42)((2,))
        array([-0.4351337, -0.0031662], dtype=float32)
    """

    def __init__(self, minval: Any = -0.05, maxval: Any = 0.05, seed: int | None = None) -> None:
        self.minval = minval
        self.maxval = maxval
        self.seed = seed

    def _values(self, shape: tuple[int, ...], dtype: Any, shard: Any, offset: Any) -> Array:
        found = as_dtype("float32" if dtype is None else dtype)
        if found.kind not in "iu":
            found = as_float_dtype(found)
        return _stateless.stateless_uniform(
            shape, self._pair(offset), self.minval, self.maxval, found, shard=shard
        )

    def get_config(self) -> dict[str, Any]:
        """Return {"minval", "maxval", "seed"}."""
        return {"minval": self.minval, "maxval": self.maxval, "seed": self.seed}


class _Normal(_Random):
    """A mean and a standard deviation."""

    def __init__(self, mean: Any = 0.0, stddev: Any = 0.05, seed: int | None = None) -> None:
        self.mean = mean
        self.stddev = stddev
        self.seed = seed

    def get_config(self) -> dict[str, Any]:
        """Return {"mean", "stddev", "seed"}."""
        return {"mean": self.mean, "stddev": self.stddev, "seed": self.seed}


class RandomNormal(_Normal):
    """Normal.

    Args:
        mean, stddev: Python or NumPy numbers.
        seed: as for `RandomUniform`.

    Raises:
        TypeError, ValueError: at a call, as `stateless_normal` raises them.

    Source: tf_keras 2.21.0, src/initializers/initializers.py.  Exact; seekable.

    Example:
        >>> RandomNormal(seed=42)((2,))
        array([ 0.00079085, -0.07950435], dtype=float32)
    """

    def _values(self, shape: tuple[int, ...], dtype: Any, shard: Any, offset: Any) -> Array:
        found = as_float_dtype("float32" if dtype is None else dtype)
        pair = self._pair(offset)
        return _stateless.stateless_normal(shape, pair, self.mean, self.stddev, found, shard=shard)


class TruncatedNormal(_Normal):
    """Normal within two standard deviations.

    Arguments, errors and source as for `RandomNormal`; `stddev` is that before the cut.

    Example:
        >>> TruncatedNormal(seed=42)((2,))
        array([ 0.00079085, -0.07950435], dtype=float32)
    """

    def _values(self, shape: tuple[int, ...], dtype: Any, shard: Any, offset: Any) -> Array:
        found = as_float_dtype("float32" if dtype is None else dtype)
        pair = self._pair(offset)
        return _stateless.stateless_truncated_normal(
            shape, pair, self.mean, self.stddev, found, shard=shard
        )


class VarianceScaling(_Random):
    """Of variance scale / max(1, fan), with the fans Keras reads from the shape.

    Args:
        scale: positive.
        mode: "fan_in", "fan_out" or "fan_avg".
        distribution: "truncated_normal" ("normal" means it too), "untruncated_normal" or "uniform".
        seed: as for `RandomUniform`.

    Raises:
        ValueError: `scale` is not positive; `mode` or `distribution` is unknown.

    Source: tf_keras 2.21.0, src/initializers/initializers.py.  Exact; seekable.

    Example:
        >>> VarianceScaling(2.0, "fan_out", "uniform", seed=42)((2,))
        array([-0.7536737 , -0.00548398], dtype=float32)
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
    ) -> None:
        if not 0.0 < scale < float("inf"):
            raise ValueError(f"`scale` must be positive float. Received: scale={scale}.")
        if mode not in MODES:
            raise ValueError(
                f"Invalid `mode` argument: {mode}. Please use one of the {', '.join(MODES)}."
            )
        lowered = distribution.lower() if isinstance(distribution, str) else distribution
        if lowered == "normal":
            lowered = "truncated_normal"
        if lowered not in _DISTRIBUTIONS:
            raise ValueError(
                f"Invalid `distribution` argument: {distribution}. Allowed distributions: "
                f"{', '.join(_DISTRIBUTIONS)}."
            )
        self.scale = scale
        self.mode = mode
        self.distribution = lowered
        self.seed = seed

    def _values(self, shape: tuple[int, ...], dtype: Any, shard: Any, offset: Any) -> Array:
        found = as_float_dtype("float32" if dtype is None else dtype)
        size = spread(shape, self.scale, self.mode, self.distribution)
        pair = self._pair(offset)
        if self.distribution == "uniform":
            return _stateless.stateless_uniform(shape, pair, -size, size, found, shard=shard)
        if self.distribution == "untruncated_normal":
            return _stateless.stateless_normal(shape, pair, 0.0, size, found, shard=shard)
        return _stateless.stateless_truncated_normal(shape, pair, 0.0, size, found, shard=shard)

    def get_config(self) -> dict[str, Any]:
        """Return {"scale", "mode", "distribution", "seed"}."""
        return {
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            "seed": self.seed,
        }


class _Named(VarianceScaling):
    """A scaling with a name of its own."""

    _of: tuple[float, str, str]

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(*self._of, seed=seed)

    def get_config(self) -> dict[str, Any]:
        """Return {"seed"}."""
        return {"seed": self.seed}


class GlorotUniform(_Named):
    """Uniform of bound sqrt(6 / (fan_in + fan_out)).

    Example:
        >>> GlorotUniform(seed=42)((3, 4))[0]
        array([-0.40285552, -0.00293136,  0.39895165, -0.8884132 ], dtype=float32)
    """

    _of = (1.0, "fan_avg", "uniform")


class GlorotNormal(_Named):
    """Truncated normal of variance 2 / (fan_in + fan_out)."""

    _of = (1.0, "fan_avg", "truncated_normal")


class LecunUniform(_Named):
    """Uniform of bound sqrt(3 / fan_in)."""

    _of = (1.0, "fan_in", "uniform")


class LecunNormal(_Named):
    """Truncated normal of variance 1 / fan_in."""

    _of = (1.0, "fan_in", "truncated_normal")


class HeUniform(_Named):
    """Uniform of bound sqrt(6 / fan_in)."""

    _of = (2.0, "fan_in", "uniform")


class HeNormal(_Named):
    """Truncated normal of variance 2 / fan_in."""

    _of = (2.0, "fan_in", "truncated_normal")


class Orthogonal(_Random):
    """An orthogonal matrix times `gain`; all axes but the last are the rows.

    The normals that are factorised are Keras', exactly; the factorisation is near, to the tolerance
    stated of `glorot.compat.v1.orthogonal_initializer`.  Not seekable: a shard costs the whole.

    Raises:
        ValueError: at a call, the shape has less than two axes.
        TypeError: a call for float16 or bfloat16.

    Source: tf_keras 2.21.0, src/initializers/initializers.py.

    Example:
        >>> q = Orthogonal(seed=42)((3, 2))
        >>> bool(np.allclose(q.T @ q, np.eye(2), atol=1e-6))
        True
    """

    _partitions = False

    def __init__(self, gain: Any = 1.0, seed: int | None = None) -> None:
        self.gain = gain
        self.seed = seed

    def _values(self, shape: tuple[int, ...], dtype: Any, shard: Any, offset: Any) -> Array:
        found = as_float_dtype("float32" if dtype is None else dtype)
        rows, columns = check_matrix(shape, found)
        tall = (max(rows, columns), min(rows, columns))
        normal = _stateless.stateless_normal(tall, self._pair(None), dtype=found)
        whole = orthogonal_matrix(normal, shape, self.gain)
        return whole if shard is None else np.array(_cut(whole, shard))

    def get_config(self) -> dict[str, Any]:
        """Return {"gain", "seed"}."""
        return {"gain": self.gain, "seed": self.seed}


class Identity(Initializer):
    """`gain` on the diagonal of a matrix, 0 elsewhere.

    Raises:
        ValueError: at a call, the shape is not that of a matrix, or the dtype no float.

    Example:
        >>> Identity(2.0)((2, 3))
        array([[2., 0., 0.],
               [0., 2., 0.]], dtype=float32)
    """

    _partitions = False

    def __init__(self, gain: Any = 1.0) -> None:
        self.gain = gain

    def _values(self, shape: tuple[int, ...], dtype: Any, shard: Any, offset: Any) -> Array:
        found = as_float_dtype("float32" if dtype is None else dtype)
        if len(shape) != 2:
            raise ValueError(
                "Identity matrix initializer can only be used for 2D matrices. "
                f"Received: shape={show(shape)} of rank {len(shape)}."
            )
        whole: Array = to_dtype(self.gain, found) * np.eye(*shape, dtype=found)
        return whole if shard is None else np.array(_cut(whole, shard))

    def get_config(self) -> dict[str, Any]:
        """Return {"gain"}."""
        return {"gain": self.gain}


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
