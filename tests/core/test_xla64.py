# SPDX-License-Identifier: Apache-2.0
"""XLA's float64 erf_inv: recorded values, and what must not pass for them."""

from pathlib import Path

import mpmath
import numpy as np
import pytest

from glorot.replay._xla64 import erf_inv64

VECTORS = Path(__file__).parents[1] / "vectors" / "xla-erf-inv64.txt"
OTHER = {"fma": "default", "default": "fma"}


def rows(arithmetic):
    """The recorded (arguments, values)."""
    table = [line.split() for line in VECTORS.read_text().splitlines()]
    return tuple(
        np.array([float.fromhex(r[i]) for r in table if r[0] == f"erf_inv-{arithmetic}"])
        for i in (1, 2)
    )


@pytest.mark.parametrize("arithmetic", OTHER)
def test_recorded_values(arithmetic):
    """Every recorded value, to the bit; the other arithmetic differs in a dozen and more."""
    x, y = rows(arithmetic)

    assert len(x) > 100
    assert erf_inv64(x, arithmetic).tobytes() == y.tobytes()
    assert (erf_inv64(x, OTHER[arithmetic]) != y).sum() > 12


@pytest.mark.parametrize("arithmetic", OTHER)
def test_the_correctly_rounded_value_is_another(arithmetic):
    """XLA's is off the inverse of erf in most values, near 1 by 1e-11, as 1 - x**2 is rounded."""
    x, y = rows(arithmetic)
    x, y = x[(x != 0) & (np.abs(x) < 1)], y[(x != 0) & (np.abs(x) < 1)]
    with mpmath.workprec(120):
        exact = np.array([float(mpmath.erfinv(value)) for value in x.tolist()])

    assert (exact != y).mean() > 0.3
    np.testing.assert_allclose(y, exact, rtol=1e-10, atol=2.0**-1022)


@pytest.mark.parametrize("arithmetic", OTHER)
def test_special_values(arithmetic):
    """1 and -1 give infinities, what lies beyond a NaN; subnormal numbers are flushed to zero."""
    x = [1.0, -1.0, 1.5, -np.inf, np.nan, 0.0, -0.0, 5e-324, -(2.0**-1022)]

    found = erf_inv64(x, arithmetic)

    expected = [np.inf, -np.inf, np.nan, np.nan, np.nan, 0.0, -0.0, 0.0, -0.0]
    np.testing.assert_array_equal(found, expected)
    assert np.signbit(found[5:]).tolist() == [False, True, False, True]


def test_shapes_and_the_arithmetic_without_a_name():
    """The result has the argument's shape; without a name the arithmetic is that of FMA."""
    x, y = rows("fma")
    assert erf_inv64(x[:8].reshape(2, 4)).tobytes() == y[:8].tobytes()
    for part in (np.zeros((2, 3)), np.zeros((0, 3)), np.float64(0.5)):
        assert erf_inv64(part).shape == part.shape


def test_an_unknown_arithmetic_is_refused():
    """The message names what came and lists what there is."""
    with pytest.raises(ValueError, match="arithmetic is 'avx'; give one of 'fma', 'default'"):
        erf_inv64(0.5, "avx")
