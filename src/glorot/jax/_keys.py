# SPDX-License-Identifier: Apache-2.0
"""From a JAX key to (seed, tag): which stream a key means.  Frozen, as the stream is.

A key is its data, the uint32 words w[0], w[1], ... of `jax.random.key_data`, whatever its kind:

    seed = w[0]                                    of one word
    seed = w[0] * 2**32 + w[1]                     of more
    tag  = tag("") ^ (w[2] * 2**32 + w[3])         words that are not there count as 0

A key of more than four words is first folded to four: s = w[0:4], and for each further four words
g, number i = 1, 2, ..., zeros added to the last,  s = Philox4x32-10(s ^ g, key = (i, 0)).

So `jax.random.key(42)`, whose words are (0, 42), is seed 42 and the name "".
"""

from typing import Any

import jax
import jax.numpy as jnp

from glorot import _stream
from glorot._check import show
from glorot.jax._traced import Halves, _xp, halves


def stream_of_key(key: Any) -> tuple[Halves, Halves]:
    """(seed, tag), each as (low, high) uint32, of one typed or raw key, traced or not.

    Raises:
        TypeError: no key.
        ValueError: an array of keys.
    """
    words = _words(key)
    first = list(words[:4])
    for number, begin in enumerate(range(4, len(words), 4), start=1):
        group = [*words[begin : begin + 4], *[jnp.uint32(0)] * 3][:4]
        mixed = tuple(s ^ g for s, g in zip(first, group, strict=True))
        first = list(_stream.philox4x32(_xp, mixed, halves(number)))
    if len(first) == 1:
        first.insert(0, jnp.uint32(0))
    first += [jnp.uint32(0)] * (4 - len(first))
    low, high = halves(_stream.tag(""))
    return (first[1], first[0]), (low ^ first[3], high ^ first[2])


def _words(key: Any) -> list[Any]:
    dtype = getattr(key, "dtype", None)
    typed = dtype is not None and jax.dtypes.issubdtype(dtype, jax.dtypes.prng_key)
    if not typed and dtype != jnp.uint32:
        raise TypeError(
            "`key` must be a JAX key, jax.random.key(0) or the uint32 array of "
            f"jax.random.PRNGKey(0); got {show(key)} of {type(key).__name__}."
        )
    axes = key.ndim if typed else key.ndim - 1
    data = jax.random.key_data(key) if typed else jnp.asarray(key)
    if axes or data.size == 0:
        raise ValueError(
            f"`key` must be one key, got an array of shape {key.shape}. Map over keys with "
            "jax.vmap, or take one of them."
        )
    flat = data.reshape(-1)
    return [flat[i] for i in range(flat.size)]
