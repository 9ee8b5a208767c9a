# SPDX-License-Identifier: Apache-2.0
"""Making keys and deriving keys from keys, as `jax.random` does.

Where JAX takes a raw uint32 array as a key, so do these; typed keys give typed keys, raw ones raw
ones.  All is exact, on any machine.

Source: jax/_src/random/core.py, prng.py and threefry2x32.py, 0.10.2.
"""

import operator
from typing import Any

import numpy as np

from glorot._check import parse_sizes, show
from glorot.replay.jax._config import enable_x64, threefry_partitionable
from glorot.replay.jax._keys import DTYPE, IMPL, Array, KeyArray, KeyDtype, check_impl, key_words
from glorot.replay.jax._threefry import fold_in as _fold_in
from glorot.replay.jax._threefry import split as _split


def _seed_words(name: str, seed: Any) -> Array:
    if isinstance(seed, KeyArray):
        raise TypeError(f"{name} accepts a scalar `seed`, but was given a PRNG key.")
    if isinstance(seed, int):
        if not -(2**63) <= seed < 2**63:
            raise OverflowError(f"`seed` must lie in [-2**63, 2**63) as in JAX, got {show(seed)}.")
        bits, width = int(seed), 64
    else:
        if np.ndim(seed):
            raise TypeError(
                f"{name} accepts a scalar `seed`, but was given an array of shape "
                f"{np.shape(seed)} != (). Call it for each seed."
            )
        dtype = getattr(seed, "dtype", None)
        if dtype is None or np.dtype(dtype).kind not in "iu":
            raise TypeError(f"PRNG key `seed` must be an integer; got {show(seed)}.")
        bits, width = operator.index(seed), 8 * np.dtype(dtype).itemsize
    # JAX holds a Python integer as int64, and without jax_enable_x64 keeps only 32 bits of that.
    high = bits >> 32 & 0xFFFFFFFF if width == 64 and enable_x64.value else 0
    return np.array([high, bits & 0xFFFFFFFF], dtype=np.uint32)


def key(seed: Any, *, impl: Any = None, dtype: Any = None) -> KeyArray:
    """Return the key of a seed: `jax.random.key`.

    Args:
        seed: a Python integer in [-2**63, 2**63), or a NumPy integer.  Without `jax_enable_x64`
            only its low 32 bits count, so 5 and 2**32 + 5 are one seed.
        impl, dtype: None, "threefry2x32" or the dtype of a key array.

    Raises:
        OverflowError: a Python integer of more than 64 bits.
        TypeError: a seed that is no integer, or an array of them.
        ValueError: another generator; both `impl` and `dtype`.

    Replays JAX 0.10.2: exact.

    Example:
        >>> key(42)
        Array((), dtype=key<fry>) overlaying:
        [ 0 42]
    """
    if impl is not None and dtype is not None:
        raise ValueError("Cannot specify both `impl` and `dtype`. Give one, or neither.")
    check_impl("impl" if dtype is None else "dtype", impl if dtype is None else dtype)
    return KeyArray(_seed_words("key", seed))


def PRNGKey(seed: Any, *, impl: Any = None) -> Array:  # noqa: N802
    """Return the raw key of a seed, uint32 of shape (2,): `jax.random.PRNGKey`.

    Arguments and errors as for `key`.

    Replays JAX 0.10.2: exact.

    Example:
        >>> PRNGKey(42)
        array([ 0, 42], dtype=uint32)
    """
    check_impl("impl", impl)
    return _seed_words("PRNGKey", seed)


def _as_given(words: Array, raw: bool) -> Any:
    return words if raw else KeyArray(words)


def split(key: Any, num: Any = 2) -> Any:
    """Return `num` new keys: `jax.random.split`.

    Args:
        key: a single key, typed or raw.
        num: how many, or the shape of the array of new keys.

    Returns:
        Keys of shape (num,), or `num`; typed or raw as `key` is.  In the legacy layout the keys
        depend on how many there are.

    Raises:
        TypeError: `num` is no integer and no sequence of them.
        ValueError: `num` is negative; `key` is an array of keys.

    Replays JAX 0.10.2: exact.

    Example:
        >>> split(PRNGKey(42))
        array([[1832780943,  270669613],
               [  64467757, 2916123636]], dtype=uint32)
    """
    words, raw = key_words("split", key)
    try:
        shape = parse_sizes(num if isinstance(num, tuple | list) else (operator.index(num),))
    except (TypeError, ValueError) as error:
        raise type(error)(
            f"`num` must be a number of keys or the shape of an array of them, got {show(num)}."
        ) from None
    count = 1
    for size in shape:
        count *= size
    new = _split(words, count, threefry_partitionable.value)
    return _as_given(new.reshape(*shape, 2), raw)


def fold_in(key: Any, data: Any) -> Any:
    """Return the key that `data` makes of another one: `jax.random.fold_in`.

    Args:
        key: a single key, typed or raw.
        data: a Python integer in [0, 2**32), or a NumPy integer, of which the low 32 bits count.

    Raises:
        OverflowError: a Python integer outside of 32 bits.
        TypeError: `data` is no integer.  (JAX cuts a float to an integer; give that integer.)
        ValueError: `key` is an array of keys.

    Replays JAX 0.10.2: exact.

    Example:
        >>> fold_in(PRNGKey(42), 7)
        array([2547012911, 1371500959], dtype=uint32)
    """
    words, raw = key_words("fold_in", key)
    if np.ndim(data):
        raise TypeError(
            f"fold_in accepts a scalar `data`, but was given an array of shape {np.shape(data)} "
            "!= (). Call it for each."
        )
    try:
        number = operator.index(data)
    except TypeError:
        raise TypeError(f"`data` of fold_in must be an integer, got {show(data)}.") from None
    if isinstance(data, int) and not 0 <= number < 2**32:
        raise OverflowError(
            f"`data` of fold_in must lie in [0, 2**32), got {show(data)}: Python integer out of "
            "bounds for uint32. Take it % 2**32."
        )
    return _as_given(_fold_in(words, number & 0xFFFFFFFF), raw)


def key_data(keys: Any) -> Array:
    """Return the words of keys: uint32 with an axis of 2 at the end.

    Example:
        >>> key_data(key(-1))
        array([         0, 4294967295], dtype=uint32)
    """
    words, _ = key_words("key_data", keys, batch=True)
    return np.array(words)


def wrap_key_data(key_bits_array: Any, *, impl: Any = None, dtype: Any = None) -> KeyArray:
    """Return the key array of words: `jax.random.wrap_key_data`.

    Args:
        key_bits_array: uint32 with an axis of 2 at the end.
        impl, dtype: as for `key`.

    Example:
        >>> import numpy as np
        >>> bool(wrap_key_data(np.array([0, 42], dtype=np.uint32)) == key(42))
        True
    """
    if impl is not None and dtype is not None:
        raise ValueError("Cannot specify both `impl` and `dtype`. Give one, or neither.")
    check_impl("impl" if dtype is None else "dtype", impl if dtype is None else dtype)
    words, raw = key_words("wrap_key_data", key_bits_array, batch=True)
    if not raw:
        raise TypeError("`key_bits_array` must be a uint32 array, got keys that are wrapped.")
    return KeyArray(words)


def clone(key: Any) -> Any:
    """Return the same key: in JAX a clone may be used where reuse is checked.

    Example:
        >>> bool(clone(key(3)) == key(3))
        True
    """
    words, raw = key_words("clone", key, batch=True)
    return _as_given(words.copy(), raw)


def key_impl(keys: Any) -> str:
    """Return the name of the keys' generator: "threefry2x32".

    Example:
        >>> key_impl(key(0))
        'threefry2x32'
    """
    key_words("key_impl", keys, batch=True)
    return IMPL


def key_dtype(impl_spec: Any = None) -> KeyDtype:
    """Return the dtype of key arrays.

    Example:
        >>> key_dtype() == key(0).dtype
        True
    """
    check_impl("impl_spec", impl_spec)
    return DTYPE
