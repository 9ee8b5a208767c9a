# SPDX-License-Identifier: Apache-2.0
"""torch's randperm: Fisher and Yates' shuffle from the front, one word a step.

for i in 0 .. n - 2:  swap entries i and i + word % (n - i)
"""

import operator
from typing import Any

import numpy as np

from glorot import _kernel
from glorot._check import show
from glorot._dtypes import dtype_name, parse_dtype
from glorot.replay.torch._arguments import Array
from glorot.replay.torch._generator import Generator, resolve

MOST = (2**32 - 1) // 20  # from here on torch spends two words a step
# The largest n that torch takes for each dtype.
_LARGEST = {
    **{"float16": 2**11 + 1, "bfloat16": MOST, "float32": 2**24 + 1, "float64": MOST},
    **{"uint8": 2**8, "int8": 2**7, "int16": 2**15, "int32": MOST, "int64": MOST},
}


def randperm(n: int, *, generator: Generator | None = None, dtype: Any = "int64") -> Array:
    """What `torch.randperm` draws on CPU: the numbers 0 to n - 1 in random order.

    Args:
        n: how many, below 2**32 / 20.
        generator: to draw from; the default one of `manual_seed` when None.
        dtype: int64 (the default), another integer dtype, or a float one, that can hold n.

    Returns:
        A new array of shape (n,).  n - 1 words of the generator.

    Raises:
        TypeError: `n` is no integer; `dtype` is none of those.
        ValueError: `n` is negative, or too large for `dtype`, or for what is replayed.
        RuntimeError: no `generator`, and the default one has no seed.

    Exact for torch 2.13.0, on every CPU.  Not seekable.

    Example:
        >>> from glorot.replay.torch import Generator
        >>> randperm(5, generator=Generator().manual_seed(42))
        array([2, 4, 3, 0, 1])

    Source: randperm_cpu of aten/src/ATen/native/TensorFactories.cpp, torch 2.13.0.
    """
    count = operator.index(n)
    found = parse_dtype(dtype, floating=False)
    if dtype_name(found) not in _LARGEST:
        raise TypeError(f"`dtype` must be one of {', '.join(_LARGEST)}, got {dtype_name(found)}.")
    if not 0 <= count <= _LARGEST[dtype_name(found)]:
        raise ValueError(
            f"`n` must be 0 or more, and at most {_LARGEST[dtype_name(found)]} for "
            f"{dtype_name(found)}, got {show(n)}."
        )
    source = resolve(generator)
    with source.lock:
        words = source.engine.words(max(count - 1, 0))
    return permutation(count, words).astype(found)


def permutation(count: int, words: Array) -> Array:
    """0 .. count - 1, shuffled by count - 1 words."""
    native = _kernel._native
    order = np.arange(count, dtype=np.int64)
    if native is not None:
        data = (array.__array_interface__["data"][0] for array in (words, order))
        native.shuffle(*data, count)
        return order
    places = (words % np.arange(count, 1, -1, dtype=np.uint32)).tolist() if count > 1 else []
    entries = order.tolist()
    for i, step in enumerate(places):
        entries[i], entries[i + step] = entries[i + step], entries[i]
    order[...] = entries
    return order
