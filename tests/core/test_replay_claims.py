# SPDX-License-Identifier: Apache-2.0
"""What the frameworks' own test suites claim of their initializers, said of the replay.

docs/replay.md lists the suites.  More of TensorFlow's claims are in test_compat_v1_claims.py, of
Keras' in test_replay_keras*.py, of torch's in test_replay_torch_init.py.
"""

import math

import numpy as np
import pytest
from scipy import stats

from glorot.compat import v1
from glorot.replay import jax, keras, torch

ops, init = v1.keras.initializers, torch.nn.init
FLOATS = ("float16", "bfloat16", "float32", "float64")


@pytest.fixture(autouse=True)
def nothing_set():
    """TensorFlow's and Keras' global seeds are unset, torch's is 123."""
    v1.set_random_seed(None)
    torch.manual_seed(123)
    yield
    v1.set_random_seed(None)
    keras.utils.set_random_seed(None)


# --- TensorFlow: python/ops/init_ops_test.py -----------------------------------------------------

CONV = (5, 6, 4, 2)  # fans 120 and 60
TENSORFLOW = [
    (ops.RandomUniform(-1, 1, seed=124), (9, 6, 99), {"mean": 0, "max": 1, "min": -1}),
    (ops.RandomNormal(0, 1, seed=153), (8, 12, 99), {"mean": 0, "std": 1}),
    (ops.TruncatedNormal(0, 1, seed=126), (12, 99, 7), {"mean": 0, "max": 2, "min": -2}),
    (ops.Constant(2), (5, 6, 4), {"mean": 2, "max": 2, "min": 2}),
    (ops.lecun_uniform(seed=123), CONV, {"mean": 0, "std": math.sqrt(1 / 120)}),
    (ops.lecun_normal(seed=123), CONV, {"mean": 0, "std": math.sqrt(1 / 120)}),
    (ops.glorot_uniform(seed=123), CONV, {"mean": 0, "std": math.sqrt(2 / 180)}),
    (ops.glorot_normal(seed=123), CONV, {"mean": 0, "std": math.sqrt(2 / 180)}),
    (ops.he_uniform(seed=123), CONV, {"mean": 0, "std": math.sqrt(2 / 120)}),
    (ops.he_normal(seed=123), CONV, {"mean": 0, "std": math.sqrt(2 / 120)}),
    (ops.Orthogonal(seed=123), (20, 20), {"mean": 0}),
    (ops.Identity(), (3, 3), {"mean": 1 / 3, "max": 1}),
    (ops.Zeros(), (4, 5), {"mean": 0, "max": 0}),
    (ops.Ones(), (4, 5), {"mean": 1, "max": 1}),
]


@pytest.mark.parametrize(("initializer", "shape", "claims"), TENSORFLOW)
def test_tensorflows_moments(initializer, shape, claims):
    """Shape, and mean, deviation, greatest and least within 0.03."""
    values = initializer(shape)
    assert values.shape == shape
    for name, claimed in claims.items():
        assert abs(getattr(values, name)() - claimed) < 0.03, name


# --- JAX: tests/nn_test.py, NNInitializersTest ---------------------------------------------------

SHAPES = ((2,), (2, 2), (2, 3), (3, 2), (2, 3, 4), (4, 3, 2), (2, 3, 4, 5))
SCALED = ("he_normal", "he_uniform", "glorot_normal", "glorot_uniform", "lecun_normal",
          "lecun_uniform")  # fmt: skip
JAX = [
    *((name, {}, 1, 4) for name in ("uniform", "normal", "truncated_normal")),
    *((name, {}, 2, 4) for name in SCALED),
    ("variance_scaling", {"scale": 1, "mode": "fan_geo_avg", "distribution": "normal"}, 2, 4),
    ("orthogonal", {}, 2, 2),
    ("delta_orthogonal", {}, 4, 4),
]


@pytest.mark.parametrize(("name", "options", "least", "most"), JAX)
def test_jaxs_shapes_and_dtypes(name, options, least, most):
    """Of each initializer, with the dtype at the call and at construction."""
    make, key = getattr(jax.nn.initializers, name), jax.random.PRNGKey(0)
    for dtype in FLOATS[2:] if "orthogonal" in name else FLOATS:  # no QR of 16 bits, in JAX too
        with jax.enable_x64(dtype == "float64"):
            for shape in (shape for shape in SHAPES if least <= len(shape) <= most):
                called = make(**options)(key, shape, dtype)
                assert (called.shape, called.dtype.name) == (shape, dtype)
                assert make(**options, dtype=dtype)(key, shape).tobytes() == called.tobytes()


def test_jaxs_axes_and_scalars():
    """Several axes, a batch axis, too few axes; a float32 scale leaves bfloat16 what it is."""
    scaling, key = jax.nn.initializers.variance_scaling, jax.random.PRNGKey(0)
    for axes in (
        {"in_axis": (0, 1), "out_axis": (-2, -1)},
        {"in_axis": 0, "out_axis": (2, 3), "batch_axis": 1},
    ):
        made = scaling(1.0, "fan_avg", "truncated_normal", **axes)
        assert made(key, (2, 3, 4, 5)).shape == (2, 3, 4, 5)
    with pytest.raises(ValueError, match="Can't compute input and output sizes of a 1-dimensional"):
        scaling(1.0, "fan_avg", "truncated_normal")(key, (5,))
    for name in ("uniform", "normal", "truncated_normal"):
        made = getattr(jax.nn.initializers, name)(np.float32(1.0), "bfloat16")
        assert made(key, (4, 4)).dtype.name == "bfloat16"


# --- Keras: src/initializers/random_initializers_test.py -----------------------------------------


def test_keras_clones_and_names():
    """Seeded ones give the same after from_config, unseeded ones do not; a generator goes on; what
    is no initializer is refused."""
    keras.utils.set_random_seed(1337)
    k, on = keras.initializers, {"backend": "tensorflow"}
    for seed, same in ((1337, True), (None, False)):
        made = k.RandomNormal(seed=seed, **on)
        again = k.RandomNormal.from_config(made.get_config() | {"seed": seed})
        keras.config.set_backend("tensorflow")
        assert (made((25, 20)) == again((25, 20))).all() == same
        keras.config.set_backend(None)
    made = k.RandomNormal(seed=keras.random.SeedGenerator(1337), **on)
    assert (made((25, 20)) != made((25, 20))).any()
    assert isinstance(k.get("Orthogonal"), k.OrthogonalInitializer)
    assert k.get(None) is None
    for call, message in (
        (lambda: k.get("typo"), "typo"),
        (lambda: k.VarianceScaling(-1.0), "Argument `scale` must be positive float"),
        (lambda: k.VarianceScaling(mode="invalid_mode"), "Invalid `mode` argument:"),
        (lambda: k.VarianceScaling(distribution="no"), "Invalid `distribution` argument:"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


# --- PyTorch: test/nn/test_init.py ---------------------------------------------------------------


def fits(values, law):
    """As there: Kolmogorov and Smirnov give more than 1e-4."""
    return stats.kstest(values.astype(np.float64).ravel(), law.cdf).pvalue > 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(24, 21), (20, 22, 25, 23)])
def test_torchs_scaled_laws(shape):
    """Xavier's with and without a gain, Kaiming's of both modes and with a slope; not with the fans
    swapped."""
    receptive = math.prod(shape[2:])
    fan_in, fan_out = shape[1] * receptive, shape[0] * receptive
    for gain in (1.0, 0.4):
        std = gain * math.sqrt(2 / (fan_in + fan_out))
        bound = std * math.sqrt(3)
        assert fits(init.xavier_normal(shape, gain), stats.norm(0, std))
        assert fits(init.xavier_uniform(shape, gain), stats.uniform(-bound, 2 * bound))
    for mode, fan, other in (("fan_in", fan_in, fan_out), ("fan_out", fan_out, fan_in)):
        for a in (0.0, 1.3):
            std, wrong = (math.sqrt(2 / ((1 + a**2) * n)) for n in (fan, other))
            drawn = init.kaiming_uniform(shape, a=a, mode=mode)
            bound = std * math.sqrt(3)
            assert fits(drawn, stats.uniform(-bound, 2 * bound))
            assert (np.abs(drawn).max() > wrong * math.sqrt(3)) == (wrong < std)
            assert fits(init.kaiming_normal(shape, a=a, mode=mode), stats.norm(0, std))


def test_torchs_generators():
    """A generator's draw is that of manual_seed with the same seed."""
    drawn = init.trunc_normal((5,), generator=torch.Generator().manual_seed(42))
    torch.manual_seed(42)
    assert (drawn == init.trunc_normal((5,))).all()


@pytest.mark.parametrize(
    ("dtype", "unique"),
    [("float32", 5000), ("float64", 5000), ("float16", 3000), ("bfloat16", 1000)],
)
def test_torchs_truncated_normal(dtype, unique):
    """Inside of its limits, of the law, with many different values and none at a limit; narrow
    intervals far out too, where the dtype has values enough."""
    drawn = init.trunc_normal((10_000,), dtype=dtype)
    assert -2 <= drawn.min() <= drawn.max() <= 2
    assert fits(drawn, stats.truncnorm(-2, 2))
    assert len(np.unique(drawn.astype(np.float64))) > unique
    thin = init.trunc_normal((10_000,), std=0.1, dtype=dtype)
    assert not (np.abs(thin.astype(np.float64)) == 2).any()
    if dtype != "bfloat16":
        tail = init.trunc_normal((10_000,), a=2.0, b=3.0, dtype=dtype)
        assert fits(tail, stats.truncnorm(2, 3))
        assert 2 <= tail.min() <= tail.max() <= 3


def test_torchs_sparse_and_orthogonal():
    """At least the share of zeros in each column, the others normal; orthonormal times the gain,
    to 1e-6."""
    for std in (0.01, 0.17):
        drawn = init.sparse((34, 31), 0.15, std)
        assert ((drawn == 0).sum(axis=0) >= math.ceil(0.15 * 34)).all()
        assert fits(drawn[drawn != 0], stats.norm(0, std))
    for shape in ((3, 4), (4, 3), (20, 2, 3, 4), (2, 3, 4, 5)):
        for gain in (1.0, 0.7):
            flat = init.orthogonal(shape, gain).reshape(shape[0], -1)
            short = flat if shape[0] <= flat.shape[1] else flat.T
            assert np.abs(short @ short.T - gain**2 * np.eye(len(short))).max() < 1e-6


def test_torchs_dirac_and_eye():
    """A one for each channel passed through, in each group; ones on the diagonal alone."""
    for groups in (1, 2, 3):
        for shape in ((4 * groups, 5, 3), (3 * groups, 2, 1, 4), (2 * groups, 2, 2, 5, 3)):
            drawn = init.dirac(shape, groups)
            ones = min(shape[0] // groups, shape[1]) * groups
            assert np.count_nonzero(drawn) == drawn.sum() == ones
    assert (init.eye((3, 5)) == np.eye(3, 5)).all()


def test_torchs_refusals():
    """Initializers of matrices and of kernels want them; gains want a known nonlinearity, and a
    number."""
    for name, shapes in (
        ("xavier_uniform", ((), (1,))),
        ("xavier_normal", ((), (1,))),
        ("kaiming_uniform", ((), (1,))),
        ("kaiming_normal", ((), (1,))),
        ("eye", ((2,), (2, 2, 2))),
        ("dirac", ((2,), (2, 2), (1, 1, 1, 1, 1, 1))),
    ):
        for shape in shapes:
            with pytest.raises(ValueError, match="dimension"):
                getattr(init, name)(shape)
    for shape in ((2,), (2, 2, 2)):
        with pytest.raises(ValueError, match="dimension"):
            init.sparse(shape, 0.5)
    for slope in (True, [1], {"a": "b"}):
        with pytest.raises(ValueError, match="negative_slope"):
            init.calculate_gain("leaky_relu", slope)
    with pytest.raises(ValueError, match="nonlinearity"):
        init.calculate_gain("qzxwv")
    assert init.calculate_gain("leaky_relu", 10) == 0.14071950894605836
    assert init.calculate_gain("leaky_relu") == 1.4141428569978354
