# SPDX-License-Identifier: Apache-2.0
"""Arrays of keys: JAX's typed ones, and the checks that raw uint32 ones get too."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from glorot._check import show

Array = np.ndarray[Any, np.dtype[Any]]

IMPL = "threefry2x32"
# JAX's other generators.
_OTHERS = ("rbg", "unsafe_rbg", "threefry4x32", "philox2x32", "philox4x32")


class KeyDtype:
    """The dtype of key arrays; as in JAX there is one for each generator, so here there is one."""

    name = "key<fry>"
    itemsize = 8

    def __repr__(self) -> str:
        return self.name

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeyDtype)

    def __hash__(self) -> int:
        return hash(KeyDtype)


DTYPE = KeyDtype()


class KeyArray:
    """An array of keys, as `jax.random.key` and `split` return: two uint32 words a key.

    Indexing, iterating and comparing work key by key; `key_data` gives the words.

    Attributes:
        shape, ndim, size: of the array of keys; () for a single one.
        dtype: prints as "key<fry>", as JAX's does.
    """

    __hash__ = None  # type: ignore[assignment]
    __slots__ = ("_data",)
    dtype = DTYPE

    def __init__(self, data: Array) -> None:
        self._data = np.array(data, dtype=np.uint32)
        self._data.flags.writeable = False

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the array of keys."""
        return self._data.shape[:-1]

    @property
    def ndim(self) -> int:
        """Axes of the array of keys; 0 for a single one."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """How many keys."""
        return math.prod(self.shape)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object: this is a single key, not an array of keys.")
        return self.shape[0]

    def __iter__(self) -> Iterator["KeyArray"]:
        if not self.shape:
            raise TypeError("iteration over a 0-d key array: this is a single key; split it first.")
        return (KeyArray(row) for row in self._data)

    def __getitem__(self, index: Any) -> "KeyArray":
        parts = index if isinstance(index, tuple) else (index,)
        if not any(part is Ellipsis for part in parts):
            parts = (*parts, Ellipsis)
        words = (*parts, slice(None))
        return KeyArray(self._data[words])

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, KeyArray):
            return NotImplemented
        return (self._data == other._data).all(axis=-1)

    def __bool__(self) -> bool:
        raise TypeError("A key array has no truth value. Compare keys with ==.")

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        raise TypeError(
            "A key array is no array of numbers. Use jax.random.key_data(keys) for its words."
        )

    def reshape(self, *shape: Any) -> "KeyArray":
        """The same keys in another shape."""
        sizes = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
        return KeyArray(self._data.reshape((*sizes, 2)))

    def ravel(self) -> "KeyArray":
        """The same keys in one axis."""
        return KeyArray(self._data.reshape(-1, 2))

    def __repr__(self) -> str:
        return f"Array({self.shape}, dtype={self.dtype.name}) overlaying:\n{self._data}"


def check_impl(argument: str, impl: object) -> None:
    """Refuse every generator but threefry2x32.

    Raises:
        ValueError: another one, of JAX or not.
        TypeError: something that names none.
    """
    if impl is None or isinstance(impl, KeyDtype) or impl == IMPL:
        return
    if isinstance(impl, str) and impl in _OTHERS:
        raise ValueError(
            f"`{argument}`={impl!r} is a generator of JAX that is not replayed"
            + (": what it draws may change with XLA." if "rbg" in impl else ".")
            + " Use 'threefry2x32', JAX's default."
        )
    if isinstance(impl, str):
        raise ValueError(
            f"`{argument}` must be 'threefry2x32'; unrecognized PRNG implementation {impl!r}."
        )
    raise TypeError(
        f"`{argument}` must be 'threefry2x32' or the dtype of a key array, got {show(impl)}."
    )


def key_words(name: str, key: object, *, batch: bool = False) -> tuple[Array, bool]:
    """The words of `key` and whether it was a raw array, as `name`'s argument.

    Raises:
        TypeError: neither a key array nor a uint32 array that ends with an axis of 2.
        ValueError: more than one key, unless `batch`.
    """
    if isinstance(key, KeyArray):
        words, raw = key._data, False
    else:
        words, raw = _raw_words(key), True
    if not batch and words.ndim > 1:
        shape = np.shape(words) if raw else words.shape[:-1]
        raise ValueError(
            f"{name} accepts a single key, but was given a key array of shape {shape} != (). Call "
            "it for each key: np.stack([... for key in keys]) is what jax.vmap gives."
        )
    return words, raw


def _raw_words(key: object) -> Array:
    if not all(hasattr(key, part) for part in ("ndim", "shape", "dtype")):
        raise TypeError(
            "`key` must be a key of jax.random.key or a uint32 array of shape (2,), got "
            f"{show(key)}. Make one with jax.random.key(seed)."
        )
    dtype = getattr(key, "dtype", None)
    if str(dtype).startswith("key<"):
        raise TypeError(
            "`key` is a typed key of JAX itself. Give its words, jax.random.key_data(key)."
        )
    shape = tuple(getattr(key, "shape", ()))
    if dtype != np.uint32 or not shape or shape[-1] != 2:
        raise TypeError(
            "`key` must be a key of jax.random.key or a uint32 array whose shape ends with (2,), "
            f"got an array of {dtype}, shape {shape}."
        )
    return np.asarray(key)
