# SPDX-License-Identifier: Apache-2.0
"""glorot.replay.torch.nn.init: its laws, its corners, and what torch refuses."""

import hashlib
import math

import numpy as np
import pytest
from replay_cases import seeded
from scipy import stats

from glorot.replay import torch
from glorot.replay.torch import _trunc_normal
from glorot.replay.torch._uniform import uniform
from glorot.replay.torch.nn import init

pytestmark = pytest.mark.usefixtures("default_seed")

RANDOM = ("uniform", "normal", "trunc_normal", "xavier_uniform", "xavier_normal", "kaiming_uniform",
          "kaiming_normal", "orthogonal")  # fmt: skip


@pytest.mark.parametrize("name", RANDOM)
def test_the_default_generator_is_drawn_from(name):
    """Without `generator` an initializer draws from the default one, and moves it on."""
    function = getattr(init, name)
    first, second = function((5, 4)), function((5, 4))
    g = seeded(0)
    assert (first == function((5, 4), generator=g)).all()
    assert (second == function((5, 4), generator=g)).all()
    assert (first != second).any()


def test_fans_are_torchs():
    """fan_in is the second axis times the receptive field: neither TensorFlow's nor swapped."""
    shape, g = (40, 30, 3), seeded()
    bound = math.sqrt(3.0) * math.sqrt(2.0) / math.sqrt(30 * 3)
    drawn = init.kaiming_uniform(shape, nonlinearity="relu", generator=seeded())
    assert (drawn == init.uniform(shape, -bound, bound, g)).all()
    out = init.kaiming_uniform(shape, mode="FAN_OUT", nonlinearity="relu", generator=seeded())
    assert np.abs(out).max() / np.abs(drawn).max() == pytest.approx(math.sqrt(30 / 40))
    assert np.abs(init.xavier_uniform(shape)).max() == pytest.approx(
        math.sqrt(6 / (70 * 3)), rel=1e-3
    )


def test_gains():
    """calculate_gain's table."""
    assert [init.calculate_gain(n) for n in ("linear", "conv_transpose3d", "sigmoid")] == [1, 1, 1]
    assert init.calculate_gain("tanh") == 5 / 3
    assert init.calculate_gain("relu") == math.sqrt(2)
    assert init.calculate_gain("selu") == 0.75
    assert init.calculate_gain("leaky_relu") == math.sqrt(2 / 1.0001)
    assert init.calculate_gain("leaky_relu", 1) == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_distributions(dtype):
    """Kolmogorov and Smirnov cannot tell 20000 values from the laws they are drawn by; of the laws
    beside them (a shifted mean, fans swapped) they can."""
    n, options = 20_000, {"generator": seeded(), "dtype": dtype}
    inside = {"a": -1.5, "b": 0.5}
    cases = [
        (init.uniform((n,), -3, 1, **options), stats.uniform(-3, 4), stats.uniform(-3, 4.1)),
        (init.normal((n,), 2, 0.5, **options), stats.norm(2, 0.5), stats.norm(2.03, 0.5)),
        (init.trunc_normal((n,), **inside, **options), stats.truncnorm(**inside), stats.norm()),
        (init.xavier_normal((100, 200), 2, **options), stats.norm(0, 2 * (2 / 300) ** 0.5),
         stats.norm(0, (2 / 300) ** 0.5)),
        (init.kaiming_normal((100, 200), 1, **options), stats.norm(0, (1 / 200) ** 0.5),
         stats.norm(0, (1 / 100) ** 0.5)),
    ]  # fmt: skip
    for drawn, law, wrong in cases:
        assert stats.kstest(drawn.ravel(), law.cdf).pvalue > 1e-4
        assert stats.kstest(drawn.ravel(), wrong.cdf).pvalue < 1e-6


def test_dirac_passes_channels_through():
    """A convolution with its kernel, padded to the same size, gives the input."""
    x = np.arange(12.0).reshape(3, 4)
    kernel = init.dirac((3, 3, 3))
    out = [sum(np.convolve(x[i], kernel[o, i], "same") for i in range(3)) for o in range(3)]
    assert (np.array(out) == x).all()


def test_shapes_without_elements():
    """They take no words; Kaiming's warn, as in torch, and look at nothing else."""
    g = seeded()
    state = g.get_state()
    for name in ("uniform", "normal", "xavier_normal", "orthogonal"):
        assert getattr(init, name)((0, 3), generator=g).shape == (0, 3)
    for name in ("kaiming_uniform", "kaiming_normal"):
        with pytest.warns(UserWarning, match="zero-element tensors is a no-op"):
            drawn = getattr(init, name)((0,), mode="anything", generator=g)
        assert drawn.shape == (0,)
    assert (g.get_state() == state).all()


def test_trunc_normal_by_normals_and_by_uniforms():
    """Both ways stay within [a, b], and follow the seed."""
    for a, b in [(-2.0, 2.0), (-0.5, 3.0), (1.0, 3.0), (2.0, 2.01)]:
        for dtype in ("float16", "bfloat16", "float32", "float64"):
            drawn = init.trunc_normal((999,), a=a, b=b, generator=seeded(), dtype=dtype)
            wide = drawn.astype(np.float64)
            assert a - 0.01 <= wide.min()
            assert wide.max() <= b + 0.01
            assert (
                drawn == init.trunc_normal((999,), a=a, b=b, generator=seeded(), dtype=dtype)
            ).all()
    with pytest.warns(UserWarning, match="more than 2 std"):
        init.trunc_normal((3,), mean=9.0)
    inside = init.trunc_normal((20_000,), a=1.0, b=3.0, generator=seeded())
    expected = (math.exp(-0.5) - math.exp(-4.5)) / math.sqrt(2 * math.pi) / 0.1573054
    assert abs(inside.mean() - expected) < 5 * inside.std() / math.sqrt(20_000)


# trunc_normal_ before 2.13 as torch 2.13.0's own uniform_, erfinv_, mul_, add_ and clamp_ give it,
# of seed 5, (1001,), mean 0.1, std 0.5, from -0.4 to 1.3: first values, and the bytes' sha256.
BEFORE = {
    "float16": ("0x1.3dp-1 -0x1.bacp-3 0x1.924p-1", "675647069273b437"),
    "bfloat16": ("0x1.3cp-1 -0x1.bcp-3 0x1.92p-1", "f2ae80942dab14a3"),
    "float32": ("0x1.3cf108p-1 -0x1.ba4588p-3 0x1.92026ap-1", "b7a89aa1821812b8"),
    "float64": ("0x1.6970172db8cd4p-2 -0x1.e52bbfce68024p-5 0x1.905ec1e38d40fp-5", None),
}


@pytest.mark.parametrize("dtype", BEFORE)
def test_trunc_normal_of_earlier_releases(dtype):
    """Half types to the bit, the others near: float64 to 3 units of the inverse error function."""
    options = {"mean": 0.1, "std": 0.5, "a": -0.4, "b": 1.3, "dtype": dtype}
    drawn = init.trunc_normal((1001,), generator=seeded(5), version="2.12", **options)
    text, digest = BEFORE[dtype]
    first = [float.fromhex(value) for value in text.split()]
    if digest:
        assert drawn[:3].tolist() == first
        assert hashlib.sha256(drawn.tobytes()).hexdigest()[:16] == digest
    else:
        assert np.abs(drawn[:3] - first).max() < 3 * 2.0**-52
    assert (drawn != init.trunc_normal((1001,), generator=seeded(5), **options)).mean() > 0.9
    wide = init.trunc_normal((3000,), std=2.0, a=-0.5, generator=seeded(5), version="2.12")
    assert stats.kstest(wide, stats.truncnorm(-0.25, 1, 0, 2).cdf).pvalue > 1e-4
    assert init.trunc_normal((0, 2), version="2.12", dtype=dtype).shape == (0, 2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_undecided_candidate_is_refused(dtype, monkeypatch):
    """Where the last bit of torch's log decides, nothing is returned."""
    u = uniform((64,), 0.0, 1.0, np.dtype(dtype), seeded())
    true = np.log(u.astype(np.float64))
    below = true.astype(dtype)
    below = np.where(below > true, np.nextafter(below, -np.inf, dtype=dtype), below)
    everywhere = np.ones(64, np.bool_)
    one = np.dtype(dtype).type(1)
    assert _trunc_normal._log_exceeds(u, below - one, everywhere).all()
    assert not _trunc_normal._log_exceeds(u, below + one, everywhere).any()
    with pytest.raises(ArithmeticError, match="last bit of MKL's log decides"):
        _trunc_normal._log_exceeds(u, below, everywhere)
    _trunc_normal._log_exceeds(u, below, ~everywhere)  # nobody asks
    monkeypatch.setattr(_trunc_normal, "_log_density", lambda x, *_: below)
    monkeypatch.setattr(_trunc_normal._uniform, "uniform", lambda *_: u)
    with pytest.raises(ArithmeticError):
        init.trunc_normal((64,), a=1.5, b=4.0, dtype=dtype, generator=seeded())


def test_orthogonal():
    """Rows or columns are orthonormal, signs follow R's diagonal, and the gain scales."""
    for shape in ((5, 5), (7, 3), (3, 7), (4, 2, 3), (1, 1), (6, 1)):
        for dtype, near in (("float32", 5e-7), ("float64", 1e-14)):
            q = init.orthogonal(shape, 2.0, seeded(), dtype=dtype)
            flat = q.reshape(shape[0], -1).astype(np.float64) / 2
            flat = flat if shape[0] <= flat.shape[1] else flat.T
            assert np.abs(flat @ flat.T - np.eye(len(flat))).max() < near
            assert (q.shape, q.dtype) == (shape, np.dtype(dtype))
    drawn = init.normal((7, 3), generator=seeded(), dtype="float64")
    r = init.orthogonal((7, 3), generator=seeded(), dtype="float64").T @ drawn
    assert (np.diagonal(r) > 0).all()
    assert np.abs(np.tril(r, -1)).max() < 1e-14


def test_sparse_zeros_come_from_the_default_generator():
    """torch chooses the zeros by the default generator, the values by the one given."""
    a = init.sparse((20, 3), 0.25, generator=seeded())
    b = init.sparse((20, 3), 0.25, generator=seeded())
    assert ((a == 0).sum(axis=0) == 5).all()
    assert ((a == 0) != (b == 0)).any()
    both = (a != 0) & (b != 0)
    assert (a[both] == b[both]).all()


def test_constants():
    """constant, ones, zeros, eye and dirac, in any dtype."""
    assert (init.constant((2, 2), -2.7, dtype="int32") == -2).all()
    assert init.constant((2,), 0.3).dtype == np.float32
    assert init.constant((2,), 3, dtype="bool").tolist() == [True, True]
    assert init.constant((2,), math.inf).tolist() == [math.inf] * 2
    assert init.ones((2,), dtype="bfloat16").tolist() == [1, 1]
    assert init.zeros((2, 0)).shape == (2, 0)
    assert (init.eye((3, 2), dtype="int64") == np.eye(3, 2)).all()
    kernel = init.dirac((6, 3, 3, 5), groups=2)
    assert kernel.sum() == 6
    assert (kernel[:, :, 1, 2] == np.vstack([np.eye(3)] * 2)).all()


def test_constants_of_integers_and_of_the_limits():
    """Integers keep 64 bits, round once, and wrap below 0; one element of a half type overflows."""
    assert init.constant((2,), 2**53 + 1, dtype="int64").tolist() == [2**53 + 1] * 2
    assert init.constant((2,), 2**64 - 1, dtype="uint64").tolist() == [2**64 - 1] * 2
    assert init.constant((2,), np.int64(-1), dtype="uint8").tolist() == [255, 255]
    # Halfway between two float32 but for its last bit, which a float64 would lose.
    assert init.constant((), 2**60 + 2**36 + 1) == 2**60 + 2**37
    assert init.constant((1,), 1e6, dtype="float16").tolist() == [math.inf]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: init.uniform((2,), 2, 1), ValueError, "`a`=2.0 > `b`=1.0"),
        (lambda: init.uniform(2), TypeError, r"For one axis pass \(2,\)"),
        (lambda: init.uniform((2,), dtype="int8"), TypeError, "`dtype` must be one of"),
        (lambda: init.uniform((2,), "0"), TypeError, "`a` must be a number, got '0' of str"),
        (lambda: init.normal((2,), std=-1), ValueError, "`std` >= 0.0"),
        (lambda: init.xavier_uniform((2,)), ValueError, "fewer than 2 dimensions, got `shape`"),
        (lambda: init.xavier_normal((0, 0)), ZeroDivisionError, "no fans to divide by"),
        (lambda: init.xavier_uniform((2, 2), -1), ValueError, "`gain` must be 0 or more, got -1"),
        (lambda: init.xavier_normal((2, 2), math.nan), ValueError, "`gain` must be 0 or more"),
        (lambda: init.kaiming_uniform((2,)), ValueError, "fewer than 2 dimensions"),
        (lambda: init.kaiming_normal((2, 2), mode="fan_avg"), ValueError, "`mode` must be fan_in"),
        (lambda: init.kaiming_normal((2, 2), mode=1), ValueError, "`mode` must be fan_in or fan_o"),
        (lambda: init.kaiming_normal((2, 2), nonlinearity="gelu"), ValueError, "Unsupported nonl"),
        (lambda: init.kaiming_normal((2, 2), a=True), ValueError, "True not a valid number"),
        (lambda: init.calculate_gain("leaky_relu", "x"), ValueError, "'x' not a valid number"),
        (lambda: init.trunc_normal((2,), std=0), ZeroDivisionError, "`std` must not be 0"),
        (lambda: init.trunc_normal((2,), a=2, b=-2), ValueError, "`a`=2.0 > `b`=-2.0"),
        (lambda: init.trunc_normal((2,), a=1, b=math.inf), ValueError, "`b`=inf is out of bounds"),
        (lambda: init.trunc_normal((2,), version="2.9"), ValueError, '"2.13" or "2.12", got \'2.9'),
        (lambda: init.trunc_normal((2,), a=1, b=0, version="2.12"), ValueError, r"`a`=.* > `b`="),
        (lambda: init.orthogonal((2,)), ValueError, "Only tensors with 2 or more dimensions"),
        (lambda: init.orthogonal((2, 2), dtype="float16"), TypeError, "no QR factorisation"),
        (lambda: init.sparse((2,), 0.5), ValueError, "Only tensors with 2 dimensions"),
        (lambda: init.eye((2,)), ValueError, "Only tensors with 2 dimensions"),
        (lambda: init.dirac((2, 2)), ValueError, "3, 4, or 5 dimensions"),
        (lambda: init.dirac((4, 2, 3), groups=3), ValueError, "dim 0 must be divisible by groups"),
        (lambda: init.dirac((4, 2, 3), groups=0), ValueError, "`groups` must be 1 or more, got 0"),
        (lambda: init.dirac((4, 2, 0)), IndexError, "out of bounds"),
        (lambda: init.constant((2,), 1e6, dtype="float16"), ValueError, "without overflow"),
        (lambda: init.constant((2,), 300, dtype="uint8"), ValueError, "without overflow"),
        (lambda: init.constant((2,), 255.5, dtype="uint8"), ValueError, "without overflow"),
        (lambda: init.constant((2,), -256, dtype="uint8"), ValueError, "without overflow"),
        (lambda: init.constant((2,), 65505, dtype="float16"), ValueError, "without overflow"),
        (lambda: init.constant((2,), 2**64), ValueError, "must lie in"),
        (lambda: init.constant((2,), "1"), TypeError, "`val` must be a number"),
    ],
)
def test_what_torch_refuses_is_refused(call, error, message):
    """Each refusal names the argument and torch's rule, and comes before anything is drawn."""
    state = torch.get_rng_state()
    with pytest.raises(error, match=message):
        call()
    assert (torch.get_rng_state() == state).all()
