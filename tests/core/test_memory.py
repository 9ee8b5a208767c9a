# SPDX-License-Identifier: Apache-2.0
"""New arrays: where their memory begins, what they hold, what is refused."""

import numpy as np
import pytest

from glorot._dtypes import ALL
from glorot._memory import address, aligned, empty


@pytest.mark.parametrize("dtype", ALL.values(), ids=ALL)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1,), (3,), (5, 7), (2, 3, 1, 5), (1000, 33)])
def test_memory_begins_at_a_multiple_of_64(shape, dtype):
    """Whatever NumPy allocates: a plain row-major array that can be written, at 64 bytes."""
    made = [aligned(shape, dtype) for _ in range(8)]
    assert not any(array.__array_interface__["data"][0] % 64 for array in made if array.size)
    for array in made:
        assert (array.shape, array.dtype) == (shape, dtype)
        assert array.flags.c_contiguous
        assert array.flags.writeable


@pytest.mark.parametrize("dtype", ALL.values(), ids=ALL)
def test_addresses_are_numpys(dtype):
    """Of any array that can be written: whole, a part, with gaps, backwards, without axes."""
    whole = np.zeros((6, 5), dtype)
    for array in (whole, whole[2:], whole[1:, ::2], whole.T, whole[::-1], whole[3, 2, ...]):
        assert address(array) == array.__array_interface__["data"][0]


def test_each_has_memory_of_its_own():
    """No two overlap, so that what one holds stays."""
    made = [aligned((7, 3), np.dtype("float32")) for _ in range(50)]
    for number, array in enumerate(made):
        array[...] = number
    assert [(array == number).all() for number, array in enumerate(made)] == [True] * 50


@pytest.mark.parametrize("make", [aligned, empty])
@pytest.mark.parametrize("shape", [(2**62,), (2**40, 0, 2**22), (2**31, 2**31, 4)])
def test_what_no_array_can_hold_is_refused(make, shape):
    """A tensor may have the shape, and its parts can be asked for."""
    with pytest.raises(ValueError, match=r"`shape` .* of float32 is more than an array can hold"):
        make(shape, np.dtype("float32"))
