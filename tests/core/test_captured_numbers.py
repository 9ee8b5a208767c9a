# SPDX-License-Identifier: Apache-2.0
"""Numbers that nothing drew are recognised as what an initializer gives, or not at all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import glorot
from glorot._captured._numbers import of_numbers

KNOWN = [
    (glorot.Identity(), (5, 3)),
    (glorot.Identity(-0.25), (4, 4)),
    (glorot.Identity(0.1), (2, 6)),
    (glorot.Identity(1e-7), (8, 8)),
    (glorot.Dirac(layout="torch.conv"), (8, 4, 3)),
    (glorot.Dirac(2, layout="torch.conv"), (8, 4, 3, 3)),
    (glorot.Dirac(6, layout="torch.conv"), (6, 1, 5)),
    (glorot.Dirac(), (3, 3, 4, 8)),
    (glorot.LogArange(1), (6, 4)),
    (glorot.Sinusoids(), (12, 8)),
    (glorot.SamplingOffsets(), (8 * 3 * 4 * 2,)),
    (glorot.SamplingOffsets(6, (3, 6, 3)), (6 * 12 * 2,)),
    (glorot.Blocks(glorot.Identity(), 4, axis=0), (20, 5)),
    (glorot.Blocks([glorot.Identity(), glorot.Zeros(), glorot.Identity(2.0)], 3, axis=1), (4, 12)),
    (glorot.Blocks(["zeros", "ones", "zeros"], [1, 1, 2], axis=0), (32,)),
    (glorot.Blocks(["ones", glorot.Constant(0.3)], [1, 3], axis=-1, repeat=4), (2, 16)),
]


@pytest.mark.parametrize(("init", "shape"), KNOWN, ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_models_begin_with_is_recognised(init, shape, dtype):
    """In any order of the axes it gives the same numbers, exactly where they are round."""
    numbers = init(shape, dtype)
    found = of_numbers(shape, numbers)
    assert found is not None
    np.testing.assert_allclose(found(shape, dtype), numbers, rtol=2e-7)
    assert type(found) is type(init)


@given(data=st.data(), axis=st.integers(0, 1), repeat=st.integers(1, 3))
def test_blocks_of_constants(data, axis, repeat):
    """Along either axis, however often they come again, said in proportions."""
    sizes = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    values = data.draw(st.lists(st.sampled_from([0.0, 1.0, 0.1, -2.5]), min_size=4, max_size=4))
    line = np.tile(np.repeat(values[: len(sizes)], sizes), repeat).astype(np.float32)
    shape = (len(line), 3) if axis == 0 else (2, len(line))
    numbers = np.broadcast_to(line[:, None] if axis == 0 else line, shape)
    found = of_numbers(shape, numbers)
    assert found is not None
    assert found(shape).tobytes() == numbers.tobytes()
    wider = [3 * size if along == axis else size for along, size in enumerate(shape)]
    if isinstance(found, glorot.Blocks) and found.repeat == 1:
        assert (found(wider) == np.repeat(numbers, 3, axis)).all()


@pytest.mark.parametrize(
    "numbers",
    [
        np.arange(12.0),  # more blocks than a rule should say
        np.eye(4) + np.eye(4, k=1),
        np.eye(6) * np.arange(1.0, 7.0),
        np.tril(np.ones((5, 5))),
        np.array([0.0, np.inf, np.inf]),
        np.array([[np.nan, 0.0], [0.0, np.nan]]),
        np.where(np.arange(27).reshape(3, 3, 3) == 13, 1.0, 0.0),  # a Dirac of one channel alone
        1e-8 * np.arange(64.0).reshape(8, 8),  # as near to 0 as rounding is to 1
        np.diag(np.linspace(1e-6, 2e-6, 8)),
        1e-5 * np.eye(8) + 1e-6 * (np.arange(64).reshape(8, 8) % 2),
    ],
    ids=[
        "range",
        "two diagonals",
        "diagonal",
        "triangle",
        "infinite",
        "nan",
        "one tap",
        "small range",
        "small diagonal",
        "small beside",
    ],
)
def test_what_no_initializer_gives_is_not(numbers):
    """Not nearly, either."""
    assert of_numbers(numbers.shape, numbers) is None


def test_a_number_near_another_is_its_own():
    """A gain of 1.001 is not 1."""
    assert of_numbers((3, 3), np.eye(3, dtype=np.float32) * np.float32(1.001)) == glorot.Identity(
        1.001
    )
