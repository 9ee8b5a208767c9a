# SPDX-License-Identifier: Apache-2.0
"""nnx's streams of keys: the n-th key of a stream is its own key with n folded in.

Source: flax/nnx/rnglib.py, 0.12.8.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from glorot.replay.jax import random
from glorot.replay.jax._keys import KeyArray


class RngStream:
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


class Rngs:
    """Streams of keys by name; one called "default" stands in for those that are not there.

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
        return self._stream(name, AttributeError)

    def __getitem__(self, name: str) -> RngStream:
        return self._stream(name, KeyError)

    def __call__(self) -> KeyArray:
        """Return the next key of the default stream."""
        return self.default()

    def __iter__(self) -> Iterator[str]:
        return iter(self._streams)

    def __len__(self) -> int:
        return len(self._streams)

    def __contains__(self, name: object) -> bool:
        return name in self._streams
