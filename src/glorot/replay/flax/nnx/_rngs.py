# SPDX-License-Identifier: Apache-2.0
"""nnx's streams of keys: the n-th key of a stream is its own key with n folded in.

Source: flax/nnx/rnglib.py, 0.12.8.
"""

import functools
from collections.abc import Callable, ItemsView, Iterator, Mapping
from typing import Any

from glorot.replay.jax import random
from glorot.replay.jax._draw import Array
from glorot.replay.jax._keys import KeyArray
from glorot.replay.jax.nn import initializers

# Other methods that flax has.  They are no names of streams, as all unknown ones are.
_NOT_REPLAYED = {
    "ball", "bernoulli", "beta", "binomial", "broadcast", "categorical", "cauchy", "chisquare",
    "choice", "dirichlet", "double_sided_maxwell", "exponential", "f", "gamma",
    "generalized_normal", "geometric", "gumbel", "laplace", "loggamma", "logistic", "lognormal",
    "maxwell", "multinomial", "multivariate_normal", "orthogonal", "pareto", "permutation",
    "poisson", "rademacher", "randint", "rayleigh", "split", "t", "triangular", "wald",
    "weibull_min",
}  # fmt: skip


def _drawn(sample: Callable[..., Array]) -> Callable[..., Array]:
    @functools.wraps(sample)
    def method(self: Any, *args: Any, **options: Any) -> Array:
        return sample(self(), *args, **options)

    return method


def _made(make: Callable[..., Any]) -> Callable[..., Callable[..., Array]]:
    @functools.wraps(make)
    def method(self: Any, *args: Any, **options: Any) -> Callable[..., Array]:
        init = make(*args, **options)

        def keyless(*args: Any, **options: Any) -> Array:
            drawn: Array = init(self(), *args, **options)
            return drawn

        return keyless

    return method


class _Draws:
    """The functions of jax.random and jax.nn.initializers, each with the next key of a stream."""

    bits = _drawn(random.bits)
    uniform = _drawn(random.uniform)
    normal = _drawn(random.normal)
    truncated_normal = _drawn(random.truncated_normal)
    delta_orthogonal = _made(initializers.delta_orthogonal)
    glorot_normal = _made(initializers.glorot_normal)
    glorot_uniform = _made(initializers.glorot_uniform)
    he_normal = _made(initializers.he_normal)
    he_uniform = _made(initializers.he_uniform)
    kaiming_normal = _made(initializers.kaiming_normal)
    kaiming_uniform = _made(initializers.kaiming_uniform)
    lecun_normal = _made(initializers.lecun_normal)
    lecun_uniform = _made(initializers.lecun_uniform)
    variance_scaling = _made(initializers.variance_scaling)
    xavier_normal = _made(initializers.xavier_normal)
    xavier_uniform = _made(initializers.xavier_uniform)


class RngStream(_Draws):
    """A key and a counter.

    Args:
        key: a seed, a typed key, or a raw one.
        tag: the stream's name.
    """

    def __init__(self, key: Any, *, tag: str) -> None:
        if isinstance(key, int):
            key = random.key(key)
        elif not isinstance(key, KeyArray):
            key = random.wrap_key_data(key)
        self.key: KeyArray = key
        self.tag = tag
        self.count = 0

    def __call__(self) -> KeyArray:
        """Return the next key."""
        key: KeyArray = random.fold_in(self.key, self.count)
        self.count += 1
        return key

    def fork(self) -> "RngStream":
        """Return a stream from the next key."""
        return RngStream(self(), tag=self.tag)


class Rngs(_Draws):
    """Streams of keys by name; one called "default" stands in for those that are not there.

    As a stream it draws by itself too: `rngs.params.uniform((3, 4))`, `rngs.normal((3,))` of the
    default one.

    Replays flax 0.12.8 with JAX 0.10.2: exact.

    Example:
        >>> rngs = Rngs(0, params=1)
        >>> rngs.params.count, bool(rngs.params() == rngs.default()), rngs.params.count
        (0, False, 1)
    """

    def __init__(self, default: Any = None, **rngs: Any) -> None:
        if isinstance(default, Mapping):
            rngs = {**default, **rngs}
        elif default is not None:
            rngs["default"] = default
        self._streams = {
            tag: RngStream(key.key if isinstance(key, RngStream) else key, tag=tag)
            for tag, key in rngs.items()
        }
        vars(self).update(self._streams)  # over methods of the same name

    def _stream(self, name: str, error: type[Exception]) -> RngStream:
        stream = self._streams.get(name) or self._streams.get("default")
        if stream is None:
            raise error(
                f"No RngStream named {name!r} found in Rngs, which has "
                f"{', '.join(self._streams) or 'none'}. Give it, or a default."
            )
        return stream

    def __getattr__(self, name: str) -> RngStream:
        if name.startswith("_"):
            raise AttributeError(name)
        if name in _NOT_REPLAYED:
            raise AttributeError(
                f"{name!r} is a method of flax's Rngs that is not replayed. Take the key: rngs()."
            )
        return self._stream(name, AttributeError)

    def __getitem__(self, name: str) -> RngStream:
        return self._stream(name, KeyError)

    def __call__(self) -> KeyArray:
        """Return the next key of the default stream."""
        return self.default()

    def fork(self) -> "Rngs":
        """Return streams of the same names, each from the next key of its own."""
        return Rngs({tag: stream.fork() for tag, stream in self._streams.items()})

    def items(self) -> ItemsView[str, RngStream]:
        """Return the names and their streams."""
        return self._streams.items()

    def __iter__(self) -> Iterator[str]:
        return iter(self._streams)

    def __len__(self) -> int:
        return len(self._streams)

    def __contains__(self, name: object) -> bool:
        return name in self._streams
