# SPDX-License-Identifier: Apache-2.0
"""What TensorFlow's own tests claim (python/kernel_tests/init_ops_test.py), of glorot.compat.v1."""

import functools
import math

import numpy as np
import pytest

from glorot.compat import v1

pytestmark = pytest.mark.usefixtures("no_graph_seed")


CLAIMED = {
    "random_normal": functools.partial(v1.random_normal_initializer, 0.0, 1.0),
    "truncated_normal": functools.partial(v1.truncated_normal_initializer, 0.0, 1.0),
    "random_uniform": functools.partial(v1.random_uniform_initializer, 0, 7),
    "uniform_unit_scaling": v1.uniform_unit_scaling_initializer,
    "orthogonal": v1.orthogonal_initializer,
}


@pytest.mark.parametrize("name", CLAIMED)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_claims_of_seeds(name, dtype):
    """Equal seeds are equal in two graphs, others are not; one unseeded object used twice in a
    graph with a seed gives two values; a dtype that is no float is a ValueError."""
    make = functools.partial(CLAIMED[name], dtype=dtype)

    def in_a_graph(init):
        with v1.Graph().as_default():
            return init((10, 10)).tobytes()

    assert in_a_graph(make(seed=1)) == in_a_graph(make(seed=1))
    assert in_a_graph(make(seed=1)) != in_a_graph(make(seed=2))
    with v1.Graph(seed=1).as_default():
        init = make()
        assert init((10, 10)).tobytes() != init((10, 10)).tobytes()
    if name != "random_uniform":
        with pytest.raises(ValueError, match="Expected floating point type, got <dtype: 'string'>"):
            CLAIMED[name](dtype="string")


@pytest.mark.parametrize(
    "distribution", ["truncated_normal", "normal", "untruncated_normal", "uniform"]
)
def test_claims_of_variance_scaling(distribution):
    """The mean is 0 and the variance 1 / fan_in, here within 5 standard errors."""
    init = v1.variance_scaling_initializer(distribution=distribution, seed=3)
    values = init((100, 100), "float64")
    assert abs(values.mean()) < 5 * 0.1 / 100
    assert abs(values.var() * 100 - 1) < 5 * math.sqrt(2) / 100
    assert abs(values.var() * 100 / 2 - 1) > 5 * math.sqrt(2) / 100  # he_normal's would be told


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-12)])
def test_claims_of_orthogonal(dtype, tolerance):
    """Rows or columns are orthonormal, whichever are fewer, and the gain multiplies them."""
    for shape in [(10, 10), (10, 9, 8), (100, 5, 5), (50, 40), (40, 50)]:
        v1.set_random_seed(1)
        values = v1.orthogonal_initializer(seed=1, dtype=dtype)(shape)
        assert values.shape == shape
        matrix = values.reshape(-1, shape[-1])
        rows, columns = matrix.shape
        product = matrix.T @ matrix if rows > columns else matrix @ matrix.T
        assert np.abs(product - np.eye(min(rows, columns))).max() < tolerance
        v1.set_random_seed(1)
        scaled = v1.orthogonal_initializer(3.14, seed=1, dtype=dtype)(shape)
        assert np.allclose(scaled / 3.14, values, rtol=1e-6, atol=1e-7)


def test_claims_of_constants():
    """Integers, tuples and nested lists fill in order; in a graph the last is repeated where there
    are fewer, and more are refused; zero sizes give zero sizes."""
    assert (v1.constant_initializer(7)((2, 3), "int32") == np.full((2, 3), 7, np.int32)).all()
    assert v1.constant_initializer((10, 20, 30))((3,), "int32").tolist() == [10, 20, 30]
    six = [0, 1, 2, 3, 4, 5]
    with v1.Graph().as_default():
        for value in (six, np.array(six), np.reshape(six, (2, 3))):
            init = v1.constant_initializer(value, dtype="int32")
            assert init((2, 3)).ravel().tolist() == six
            assert init((2, 4)).ravel().tolist() == [*six, 5, 5]
            with pytest.raises(ValueError, match="Too many elements provided"):
                init((2, 2))
    assert v1.uniform_unit_scaling_initializer()((0, 2)).shape == (0, 2)
    assert (v1.initializers.identity(0.9)((10, 5)) == np.float32(0.9) * np.eye(10, 5)).all()
    for shape in ((5, 7, 7), (5,), ()):
        with pytest.raises(ValueError, match="can only be used for 2D matrices"):
            v1.initializers.identity()(shape)
