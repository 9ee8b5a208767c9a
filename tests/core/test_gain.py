# SPDX-License-Identifier: Apache-2.0
"""Gains: the true integrals to 1e-10, kinks and jumps included, and what has none."""

import math
import re

import mpmath
import numpy as np
import pytest

import glorot
from glorot._activations import ACTIVATIONS, ALIASES, NAMES, PAIRS, SELU_ALPHA, SELU_SCALE
from glorot._gain import _named_moment, _parameter
from glorot._quadrature import mean_square

mp = mpmath.mp.clone()
mp.dps = 25

_ROOT = mp.sqrt(mp.mpf(2) / mp.pi)


def _sigmoid(z):
    return 1 / (1 + mp.exp(-z))


def _softplus(z):
    return mp.log(1 + mp.exp(z))


def _elu(z, alpha=1):
    return z if z > 0 else alpha * (mp.exp(z) - 1)


def _clip(z, low, high):
    return min(max(z, mp.mpf(low)), mp.mpf(high))


# Written again in exact arithmetic, with the places of their kinks.
TRUE = {
    "linear": (lambda z: z, ()),
    "relu": (lambda z: max(z, 0), (0,)),
    "leaky_relu": (lambda z: z if z > 0 else z * mp.mpf(1) / 100, (0,)),
    "relu6": (lambda z: _clip(z, 0, 6), (0, 6)),
    "squared_relu": (lambda z: max(z, 0) ** 2, (0,)),
    "elu": (_elu, (0,)),
    "celu": (_elu, (0,)),
    "selu": (lambda z: mp.mpf(SELU_SCALE) * _elu(z, mp.mpf(SELU_ALPHA)), (0,)),
    "gelu": (lambda z: z * mp.ncdf(z), ()),
    "gelu_tanh": (lambda z: z * (1 + mp.tanh(_ROOT * (z + mp.mpf("0.044715") * z**3))) / 2, ()),
    "quick_gelu": (lambda z: z * _sigmoid(mp.mpf("1.702") * z), ()),
    "silu": (lambda z: z * _sigmoid(z), ()),
    "mish": (lambda z: z * mp.tanh(_softplus(z)), ()),
    "tanh": (mp.tanh, ()),
    "sigmoid": (_sigmoid, ()),
    "softplus": (_softplus, ()),
    "softsign": (lambda z: z / (1 + abs(z)), (0,)),
    "log_sigmoid": (lambda z: -_softplus(-z), ()),
    "tanhshrink": (lambda z: z - mp.tanh(z), ()),
    "softshrink": (lambda z: z - _clip(z, -0.5, 0.5), (-0.5, 0.5)),
    "hard_tanh": (lambda z: _clip(z, -1, 1), (-1, 1)),
    "hard_sigmoid": (lambda z: _clip(z / 6 + 0.5, 0, 1), (-3, 3)),
    "hard_silu": (lambda z: z * _clip(z / 6 + 0.5, 0, 1), (-3, 3)),
    "exponential": (mp.exp, ()),
    "sin": (mp.sin, ()),
}


def true_moment(name, *, derivative=False):
    """E[f^2] or E[f'^2] in 25 digits."""
    function, kinks = TRUE[name]

    def integrand(z):
        # Differences in 25 digits, good to 1e-16; never across a kink.
        step = min(mp.mpf(10) ** -9, *(abs(z - kink) / 4 for kink in kinks), mp.mpf(1))
        value = (
            (function(z + step) - function(z - step)) / (2 * step) if derivative else function(z)
        )
        return value**2 * mp.npdf(z)

    edges = sorted({-14, -7, -2, 0, 2, 7, 14, *kinks})
    return mp.quad(integrand, edges, maxdegree=5)


def test_the_list_of_true_functions_is_complete():
    """Every named activation is checked below."""
    assert set(TRUE) == set(ACTIVATIONS)
    assert {*ALIASES.values()} <= {*ACTIVATIONS}
    assert len(set(NAMES)) == len(ACTIVATIONS) + len(PAIRS) + len(ALIASES)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TRUE))
@pytest.mark.parametrize("mode", ["forward", "backward"])
def test_gains_are_the_true_integrals(name, mode):
    """Every gain is 1 / sqrt of the mean square to 1e-10, not its square nor the other mode's."""
    moment = true_moment(name, derivative=mode == "backward")
    found = glorot.gain(name, mode=mode)
    assert found == pytest.approx(float(1 / mp.sqrt(moment)), rel=1e-10, abs=0)
    if abs(moment - 1) > 1e-3:
        assert found != pytest.approx(float(1 / moment), rel=1e-4)
        assert found != pytest.approx(float(mp.sqrt(moment)), rel=1e-4)


@pytest.mark.parametrize("name", sorted(TRUE))
def test_no_gain_is_so_near_a_rounding_boundary_that_machines_could_differ(name):
    """Unrounded, each is at least 1e-14 of itself from where its twelfth digit changes, a hundred
    times what libraries of mathematics differ by."""
    for backward in (False, True):
        if ACTIVATIONS[name].exact is None:
            value = 1 / math.sqrt(_named_moment(name, _parameter(name, name, None), backward))
            scaled = value * 10.0 ** (11 - math.floor(math.log10(value)))
            assert abs(scaled % 1 - 0.5) > 1e-14 * scaled


def test_closed_forms():
    """Piecewise polynomials are exact, with parameters too."""
    assert glorot.gain("relu") == math.sqrt(2)
    assert glorot.gain("linear") == glorot.gain("identity", mode="backward") == 1.0
    assert glorot.gain("leaky_relu", 0.2) == math.sqrt(2 / 1.04)
    assert glorot.gain("leaky_relu", 0.0) == math.sqrt(2)
    assert glorot.gain("leaky_relu", -0.5) == math.sqrt(2 / 1.25)
    assert glorot.gain("elu", 0.0) == pytest.approx(math.sqrt(2), rel=1e-11)
    assert glorot.gain("relu2") == math.sqrt(2 / 3)  # E relu^4 = 3/2
    assert glorot.gain("relu2", mode="backward") == math.sqrt(1 / 2)  # E (2 relu)^2 = 2
    assert glorot.gain("selu") == 1.0  # what its constants were made for


@pytest.mark.parametrize(
    ("name", "param", "function", "kinks"),
    [
        ("elu", 0.5, lambda z: _elu(z, mp.mpf("0.5")), (0,)),
        ("celu", 2.0, lambda z: z if z > 0 else 2 * (mp.exp(z / 2) - 1), (0,)),
        ("softplus", 3.0, lambda z: mp.log(1 + mp.exp(3 * z)) / 3, ()),
        ("softshrink", 0.3, lambda z: z - _clip(z, "-0.3", "0.3"), ("-0.3", "0.3")),
    ],
)
def test_parameters(name, param, function, kinks):
    """A parameter is the activation's own, and not the default's."""
    edges = sorted([mp.mpf(-14), mp.mpf(0), mp.mpf(14), *map(mp.mpf, kinks)])
    moment = mp.quad(lambda z: function(z) ** 2 * mp.npdf(z), edges, maxdegree=6)
    assert glorot.gain(name, param) == pytest.approx(float(1 / mp.sqrt(moment)), rel=1e-10)
    assert glorot.gain(name, param) != pytest.approx(glorot.gain(name), rel=1e-3)


def test_functions_with_kinks_and_jumps_anywhere():
    """A kink or a jump where no panel begins costs no accuracy."""
    at = 0.1234567
    shifted = float(mp.quad(lambda z: (z - at) ** 2 * mp.npdf(z), [at, 14]))
    tail = float(1 - mp.ncdf(at))
    assert glorot.gain(lambda z: np.maximum(z - at, 0)) == pytest.approx(shifted**-0.5, rel=1e-10)
    assert glorot.gain(lambda z: np.maximum(z - at, 0), mode="backward") == pytest.approx(
        tail**-0.5, rel=1e-10
    )
    assert glorot.gain(lambda z: np.where(z > at, 1.0, 0.0)) == pytest.approx(tail**-0.5, rel=1e-10)
    assert glorot.gain(np.tanh) == glorot.gain("tanh")
    assert glorot.gain(np.abs) == 1.0


def test_any_function_has_a_derivative_s_gain():
    """Derivatives come from the values alone, and agree with those written out."""
    assert glorot.gain(np.sin, mode="backward") == pytest.approx(
        mean_square(np.cos) ** -0.5, rel=1e-11
    )
    assert glorot.gain(lambda z: z**5, mode="backward") == pytest.approx(
        (25 * 105) ** -0.5, rel=1e-11
    )  # E (5 z^4)^2 = 25 * 7!!


def test_gated_units():
    """A gated unit multiplies independent inputs: moments multiply, and slopes add up."""
    f, df = (1 / glorot.gain("silu", mode=mode) ** 2 for mode in ("forward", "backward"))
    assert glorot.gain("swiglu") == pytest.approx(f**-0.5, rel=1e-11)
    assert glorot.gain("swiglu", mode="backward") == pytest.approx((f + df) ** -0.5, rel=1e-11)
    assert glorot.gain(("silu", "linear")) == glorot.gain("swiglu")
    assert glorot.gain(("silu", lambda z: z)) == glorot.gain("swiglu")
    rng = np.random.default_rng(0)
    gate, up = rng.standard_normal((2, 1_000_000))
    squares = (gate / (1 + np.exp(-gate)) * up) ** 2
    error = squares.std() / math.sqrt(squares.size)
    assert abs(squares.mean() - glorot.gain("swiglu") ** -2) < 5 * error
    wrong = glorot.gain("silu") ** -2 / 2, glorot.gain("sigmoid") ** -2
    assert all(abs(squares.mean() - value) > 20 * error for value in wrong)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PAIRS))
def test_every_named_pair_is_its_two_functions(name):
    """A pair of two names has the moments of both, those with a closed form among them."""
    (f, g), (df, dg) = (
        [float(true_moment(one, derivative=derivative)) for one in PAIRS[name]]
        for derivative in (False, True)
    )
    assert glorot.gain(name) == pytest.approx((f * g) ** -0.5, rel=1e-10)
    assert glorot.gain(name, mode="backward") == pytest.approx((df * g + f * dg) ** -0.5, rel=1e-10)
    assert glorot.gain(("relu2", "relu2")) == pytest.approx(1 / 1.5, rel=1e-10)  # E relu^4 = 3/2


def test_a_layer_with_the_gain_keeps_variance():
    """Weights of variance gain^2 / fan_in after the activation give unit variance back; without
    the gain, with its square, or with ReLU's, they do not."""
    rng = np.random.default_rng(1)
    z = rng.standard_normal((500, 1000))
    active = z * (1 + np.vectorize(math.erf)(z / math.sqrt(2))) / 2
    weights = glorot.VarianceScaling(
        1.0, "fan_in", "untruncated_normal", seed=3, gain="gelu", dtype="float64"
    )((1000, 1000))
    squares = (active @ weights) ** 2
    rows, columns = squares.mean(axis=0), squares.mean(axis=1)
    error = math.hypot(rows.std() / math.sqrt(rows.size), columns.std() / math.sqrt(columns.size))
    assert abs(squares.mean() - 1) < 5 * error
    for wrong in (
        1.0,
        glorot.gain("gelu") ** 2,
        math.sqrt(2),
        glorot.gain("gelu", mode="backward"),
    ):
        ratio = (wrong / glorot.gain("gelu")) ** 2
        assert abs(squares.mean() * ratio - 1) > 5 * error


def test_initializers_take_names():
    """A gain by name is the number in the config."""
    init = glorot.LecunNormal(gain="gelu")
    assert init == glorot.LecunNormal(gain=glorot.gain("gelu"))
    assert init.get_config()["gain"] == glorot.gain("gelu")
    assert glorot.Orthogonal("tanh").gain == glorot.gain("tanh")


@pytest.mark.parametrize(
    ("arguments", "options", "error", "text"),
    [
        (("gelo",), {}, ValueError, "no activation is called 'gelo'. Near: gelu"),
        ((3,), {}, TypeError, "must be a name, a function of an array, or a pair of these; got 3"),
        (("relu", 0.1), {}, ValueError, "`param`=0.1 is of no use: 'relu' has none."),
        (("swiglu", 0.1), {}, ValueError, "`param`=0.1 is of no use: 'swiglu' has none."),
        ((np.tanh, 0.1), {}, ValueError, "of no use for a function"),
        ((("relu", "tanh"), 1), {}, ValueError, "`param`=1 is of no use for a pair."),
        ((("relu",),), {}, ValueError, "must be a pair, (of the gate, of the other), got 1."),
        ((("relu", "glu"),), {}, ValueError, "a pair cannot hold 'glu', which is one itself."),
        ((("relu", 3),), {}, TypeError, "a pair must hold names or functions of an array, got 3"),
        (("elu", "x"), {}, TypeError, "`param` must be a number, got 'x'"),
        (("celu", 0), {}, ValueError, "`param` of 'celu' must be above 0, got 0.0"),
        (("relu",), {"mode": "both"}, ValueError, "`mode` must be one of forward, backward; got"),
        (("relu",), {"convention": "x"}, ValueError, "`convention` must be one of exact, torch"),
        (("gelu",), {"convention": "torch"}, ValueError, "must be one of torch's, linear, conv1d"),
        ((["relu"],), {"convention": "torch"}, ValueError, "must be one of torch's, linear, conv1"),
        ((lambda z: z * np.nan,), {}, ValueError, "is not finite"),
        ((lambda z: np.full_like(z, 1e200),), {}, ValueError, "beyond 1e150"),
        ((lambda z: z[:3],), {}, TypeError, "to one of the same shape; for shape (20,) it gave"),
        ((lambda z: 1j * z,), {}, TypeError, "it gave complex128"),
        ((lambda z: 0 * z,), {}, ValueError, "is 0 almost everywhere"),
        ((np.sign,), {"mode": "backward"}, ValueError, "it has no gain backward."),
        ((lambda z: np.sin(1e5 * z),), {}, ValueError, "does not settle"),
    ],
)
def test_refusals(arguments, options, error, text):
    """What has no gain says why."""
    with pytest.raises(error, match=re.escape(text)):
        glorot.gain(*arguments, **options)


def test_torch_s_table():
    """convention="torch" has torch's round numbers, which are not the integrals."""
    assert glorot.gain("tanh", convention="torch") == 5 / 3
    assert glorot.gain("selu", convention="torch") == 3 / 4
    convolutions = [f"conv{kind}{n}d" for kind in ("", "_transpose") for n in (1, 2, 3)]
    for name in ("linear", "sigmoid", *convolutions):
        assert glorot.gain(name, convention="torch") == 1.0
    assert glorot.gain("relu", convention="torch") == math.sqrt(2)
    assert glorot.gain("leaky_relu", convention="torch") == math.sqrt(2 / (1 + 0.01**2))
    assert glorot.gain("leaky_relu", 0.2, convention="torch") == math.sqrt(2 / (1 + 0.2**2))
    assert abs(glorot.gain("tanh") - 5 / 3) > 0.05
