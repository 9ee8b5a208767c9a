# SPDX-License-Identifier: Apache-2.0
"""glorot.replay.keras without Keras: recorded numbers, seeds, configs, shards, errors."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import glorot
from glorot.replay import jax, keras, tensorflow, torch
from glorot.replay.keras._scale import compute_fans

ROOT = Path(__file__).resolve().parents[2]
CASES = runpy.run_path(str(ROOT / "tests" / "oracle" / "keras_cases.py"))
ROWS = [
    row
    for row in (ROOT / "tests" / "vectors" / "keras-3.15.txt").read_text("utf-8").splitlines()
    if row[0] != "#"
]
BACKENDS = ("tensorflow", "jax", "torch", "numpy")
SEEKABLE = ("tensorflow", "jax")
k, r = keras.initializers, keras.random


@pytest.fixture(autouse=True)
def nothing_set():
    """No backend, dtype or random seed is left behind."""
    yield
    keras.config.set_backend(None)
    keras.config.set_floatx("float32")
    keras.utils.set_random_seed(None)


def hexes(array, count=4):
    """The first elements as C99 hexadecimal."""
    return [float(value).hex() for value in array.reshape(-1)[:count]]


# --- numbers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("of", [*BACKENDS, "jax-x64"])
def test_recorded_cases_are_reproduced(of):
    """What Keras 3.15.1 gave, value rows and whole sessions, refusals included."""
    rows = [row for row in ROWS if row.split(" ")[1] == of]
    backend, _, x64 = of.partition("-")
    with jax.enable_x64(bool(x64)):
        for row in rows:
            kind, _, rest = row.split(" ", 2)
            if kind == "value":
                case, end = json.JSONDecoder().raw_decode(rest)
                answers = CASES["run_ours"](case, backend)
                assert answers != "refused", row
                assert CASES["words"](answers[-1]) == rest[end:].split(), row
            else:
                digest, text = rest.split(" ", 1)
                answers = CASES["run_ours"](json.loads(text), backend)
                assert CASES["digest"](answers) == digest, row
    assert len(rows) > 30


GLOROT_UNIFORM = {  # of seed 42, (3, 4), as measured
    "tensorflow": ["-0x1.9c86280000000p-2", "-0x1.8038000000000p-9"],
    "jax": ["0x1.fa195a0000000p-4", "-0x1.9be08e0000000p-1"],
    "torch": ["0x1.6a68100000000p-1", "0x1.8970b40000000p-1"],
}


@pytest.mark.parametrize("backend", GLOROT_UNIFORM)
def test_glorot_uniform_of_42(backend):
    """One seed, three backends, three matrices; and neighbours that it must not be."""
    got = k.GlorotUniform(seed=42, backend=backend)((3, 4))
    assert hexes(got, 2) == GLOROT_UNIFORM[backend]
    bound = (6 / 7) ** 0.5
    wrong = {
        "jax": lambda: jax.random.uniform(jax.random.key(42), (3, 4), None, -bound, bound),
        "torch": lambda: torch.nn.init.uniform(
            (3, 4), -bound, bound, torch.Generator().manual_seed(42)
        ),
        "tensorflow": lambda: tensorflow.stateless_uniform((3, 4), (42, 1), -bound, bound),
    }[backend]()
    assert (got != wrong).any()


def test_tensorflows_limits_go_through_float32():
    """In float64 too; those of a normal do not."""
    got = k.RandomUniform(-0.1, 0.3, seed=1, backend="tensorflow")((5,), "float64")
    limits = float(np.float32(-0.1)), float(np.float32(0.3))
    assert (got == tensorflow.stateless_uniform((5,), (1, 0), *limits, "float64")).all()
    assert (got != tensorflow.stateless_uniform((5,), (1, 0), -0.1, 0.3, "float64")).any()
    normal = k.RandomNormal(0.1, 0.3, seed=1, backend="tensorflow")((5,), "float64")
    assert (normal == tensorflow.stateless_normal((5,), (1, 0), 0.1, 0.3, "float64")).all()


def test_tensorflows_constants_are_float32_tensors_first():
    """One that float32 does not hold is refused, one that is subnormal there is 0 in float64."""
    assert k.Constant(6.8e-39, backend="tensorflow")((2,), "float64").tolist() == [0, 0]
    assert not k.Identity(6.8e-39, backend="tensorflow")((2, 2)).any()
    with pytest.raises(ValueError, match="must fit a float32"):
        k.Constant(-1e39, backend="tensorflow")((2,), "bfloat16")


def test_subnormal_constants_are_zero_on_tensorflow_and_jax():
    """With their sign; float16 is computed in float32, and torch and NumPy keep them."""
    for backend in ("tensorflow", "jax"):
        for dtype in ("float32", "bfloat16"):
            for found in (
                k.Constant(-6.8e-39, backend=backend)((2, 2), dtype),
                k.Constant(np.array([-6.8e-39], "f"), backend=backend)((2, 2), dtype),
                k.Identity(-6.8e-39, backend=backend)((2, 2), dtype),
            ):
                assert not found.any()
                assert np.signbit(found.astype("f")).all()
        assert k.Constant(6e-8, backend=backend)((2,), "float16").all()
    assert not k.Constant(6.8e-39, backend="tensorflow")((2,), "bool").any()
    assert k.Constant(6.8e-39, backend="jax")((2,), "bool").all()
    for backend in ("torch", "numpy"):
        assert k.Constant(6.8e-39, backend=backend)((2,))[0] == np.float32(6.8e-39)


def test_tensorflows_seeds_are_taken_modulo():
    """2**31 - 2 is 0, and -1 is 2**31 - 3."""
    draws = [
        r.uniform((4,), seed=seed, backend="tensorflow") for seed in (0, 2**31 - 2, -1, 2**31 - 3)
    ]
    assert (draws[0] == draws[1]).all()
    assert (draws[2] == draws[3]).all()
    assert (draws[0] != draws[2]).any()


def test_torchs_uniform_is_not_torchs_own():
    """Keras multiplies and adds in two roundings; uniform_ fuses them."""
    ours = r.uniform((1000,), -0.1, 0.25, seed=7, backend="torch")
    theirs = torch.nn.init.uniform((1000,), -0.1, 0.25, torch.Generator().manual_seed(7))
    assert 0 < (ours != theirs).mean() < 0.8
    assert abs(ours - theirs).max() < 1e-7


def test_torchs_truncated_normal_takes_the_first_of_four():
    """Of 4 normals each; a value beyond two is only where all four are."""
    got = r.truncated_normal((500,), seed=3, backend="torch")
    four = torch.randn(500, 4, generator=torch.Generator().manual_seed(3))
    want = [next((x for x in row if -2 < x < 2), row[0]) for row in four]
    assert (got == np.array(want)).all()
    assert (got != four[:, 0]).any()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_moments(backend, dtype):
    """Means and deviations are those of the laws, to four standard errors.

    A scale left out, or a truncated law without its correction (0.88), would be seen.
    """
    n, options = 40_000, {"seed": 11, "backend": backend}
    with jax.enable_x64(True):
        laws = {
            "uniform": (r.uniform((n,), -2, 4, dtype, **options), 1.0, 3**0.5),
            "normal": (r.normal((n,), 1, 3, dtype, **options), 1.0, 3.0),
            "truncated": (r.truncated_normal((n,), 1, 3, dtype, **options), 1.0, 3 * 0.8796256610),
            "glorot": (k.GlorotNormal(**options)((200, 200), dtype), 0.0, (1 / 200) ** 0.5),
        }
    for name, (values, mean, stddev) in laws.items():
        wide = values.astype(np.float64)
        rough = 0.02 if dtype == "bfloat16" else 0.0  # JAX's has 128 values
        assert abs(wide.mean() - mean) < (4 / n**0.5 + rough) * stddev, name
        assert abs(wide.std() - stddev) < (4 / (2 * n) ** 0.5 + rough) * stddev, name


@pytest.mark.parametrize("backend", BACKENDS)
def test_orthogonal_is_orthogonal(backend):
    """Rows or columns are orthonormal times gain, and it is Q of the very normals drawn."""
    for shape in ((5, 5), (2, 3, 4), (3, 7)):
        q = k.Orthogonal(2.0, seed=1234, backend=backend)(shape)
        flat = q.reshape(-1, shape[-1]).astype(np.float64)
        small = flat @ flat.T if flat.shape[0] < flat.shape[1] else flat.T @ flat
        assert q.shape == shape
        assert abs(small - 4 * np.eye(len(small))).max() < 1e-5
    normal = r.normal((5, 5), seed=1234, backend=backend)
    upper = k.Orthogonal(seed=1234, backend=backend)((5, 5)).T @ normal
    assert abs(np.tril(upper, -1)).max() < 1e-5
    assert (np.diagonal(upper) > 0).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_keras_own_claims(backend):
    """What its random_initializers_test claims of one seed each, said of ours."""
    keras.config.set_backend(backend)
    values = k.RandomUniform(-1.0, 1.0, seed=1234)((5, 5))
    assert values.min() >= -1
    assert values.max() < 1
    assert abs(k.RandomNormal(0.0, 1.0, seed=1234)((25, 20)).std() - 1) < 0.1
    for mode, fan in (("fan_in", 25), ("fan_out", 20)):
        init = k.VarianceScaling(2.0, mode, seed=1234)
        assert abs(init((25, 20)).std() - (2 / fan) ** 0.5) < 0.1
    for axes, fan in (({"input_axes": [0], "output_axes": [1, 2]}, 32), ({}, 128)):
        init = k.VarianceScaling(2.0, seed=1234, **axes)
        assert abs(init((32, 4, 16)).std() - (2 / fan) ** 0.5) < 0.02
    tensor = r.uniform((5, 5), seed=1)
    assert (k.get(tensor)((5, 5)) == tensor).all()


# --- seeds ---------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(BACKENDS), st.integers(0, 2**31 - 1), st.integers(1, 4))
def test_integers_repeat_and_generators_go_on(backend, seed, count):
    """An integer gives the same at each call; a generator's i-th draw is that of (seed, i)."""
    fixed = k.HeUniform(seed=seed, backend=backend)
    moving = k.HeUniform(seed=r.SeedGenerator(seed), backend=backend)
    first = fixed((3, 2))
    draws = [moving((3, 2)) for _ in range(count)]
    assert (fixed((3, 2)) == first).all()
    assert (draws[0] == first).all()
    assert all((draw != first).any() for draw in draws[1:])
    again = r.SeedGenerator(seed, backend=backend)
    states = [again.next().tolist() for _ in range(count)]
    assert states == [[seed, i] for i in range(count)]


@pytest.mark.parametrize(
    ("backend", "seed", "states"),
    [  # as measured
        ("tensorflow", 7, [[7, 0], [43096, 5387], [730187, 95987], [88971, 95110]]),
        ("torch", 7, [[7, 0], [43096, 5387], [730187, 95987], [636672, 95110]]),
        ("torch", 2**31 - 1, [[2**31 - 1, 0], [740450, 5387], [864712, 95987], [227224, 95110]]),
        ("jax", 2**32 - 1, [[2**32 - 1, 0], [0, 5387], [5387, 95987], [95987, 95110]]),
        ("numpy", 10**9, [[10**9, 0], [509393, 5387], [500418, 95987], [678441, 95110]]),
        ("tensorflow", 10**9, [[10**9, 0], [526803, 5387], [34989, 95987], [918131, 95110]]),
    ],
)
def test_unordered_states_wrap_as_the_dtype_does(backend, seed, states):
    """int64, int32 and uint32 overflow in their own ways."""
    generator = r.SeedGenerator(seed, backend=backend)
    assert [generator.next(ordered=False).tolist() for _ in states] == states


def test_set_random_seed():
    """Unseeded initializers and generators take Python's randint in turn; then the global one."""
    keras.config.set_backend("tensorflow")
    keras.utils.set_random_seed(5)
    assert (k.GlorotUniform().seed, k.RandomNormal().seed) == (668835602, 274281999)
    made = k.Zeros(), k.Constant(3.0)
    assert made
    r.SeedGenerator()
    assert r.SeedGenerator().next().tolist() == [384974576, 0]
    keras.utils.set_random_seed(5)
    first, second = r.uniform((2,)), r.uniform((2,))
    assert first.tolist() == [0.7411314249038696, 0.7106684446334839]
    assert second.tolist() == [0.3055511713027954, 0.4422488212585449]
    unseeded = k.GlorotUniform()
    assert (unseeded((2,)) == unseeded((2,))).all()
    assert (unseeded((2,)) != unseeded.clone()((2,))).any()


def test_a_generator_serves_one_backend():
    """It takes the first that draws from it."""
    generator = r.SeedGenerator(3)
    assert generator.backend is None
    r.uniform((2,), seed=generator, backend="jax")
    assert generator.backend == "jax"
    assert (generator.state == [3, 1]).all()
    assert r.uniform((2,), seed=generator).shape == (2,)
    with pytest.raises(ValueError, match="draws for jax, not for `backend`='torch'"):
        r.uniform((2,), seed=generator, backend="torch")


def test_draw_seed():
    """The two integers of a seed, in the backend's own dtype."""
    assert r.draw_seed(2**32 - 1, backend="torch").tolist() == [-1, 0]
    assert r.draw_seed(-(2**40), backend="tensorflow").tolist() == [-(2**40), 0]
    assert r.draw_seed(2**32 - 1, backend="numpy").dtype == np.uint32


# --- options -------------------------------------------------------------------------------------


def test_the_backend_is_asked_for_once_or_each_time():
    """set_backend serves everything after; an argument goes before it."""
    keras.config.set_backend("torch")
    assert keras.config.backend() == "torch"
    assert (r.normal((3,), seed=1) == r.normal((3,), seed=1, backend="torch")).all()
    assert (r.normal((3,), seed=1) != r.normal((3,), seed=1, backend="numpy")).any()
    made = k.GlorotNormal(seed=1)
    keras.config.set_backend("jax")
    assert (made((3,)) == k.GlorotNormal(seed=1, backend="jax")((3,))).all()


def test_the_arithmetic_of_the_machine():
    """It changes torch's normals, and TensorFlow's in float64; set_backend sets it as well."""
    for backend, dtype, size in (("torch", "float32", 4000), ("tensorflow", "float64", 20_000)):
        draws = {
            name: r.normal((size,), dtype=dtype, seed=5, backend=backend, arithmetic=name)
            for name in ("fma", "default")
        }
        assert 0 < (draws["fma"] != draws["default"]).mean() < 0.5
        keras.config.set_backend(backend, arithmetic="default")
        init = k.RandomNormal(stddev=1.0, seed=r.SeedGenerator(5))
        assert (init((size,), dtype) == draws["default"]).all()
        fused = k.RandomNormal(stddev=1.0, seed=5, arithmetic="fma")
        assert (fused.clone()((size,), dtype) == draws["fma"]).all()
        keras.config.set_backend(None)


def test_floatx():
    """The dtype where none is given."""
    keras.config.set_floatx("float16")
    assert k.Ones()((2,)).dtype == np.float16
    assert r.uniform((2,), seed=1, backend="jax").dtype == np.float16


def test_float64_on_jax_is_float32():
    """With JAX's warning, unless 64 bits are enabled."""
    with pytest.warns(UserWarning, match="float64 is not available"):
        assert k.HeUniform(seed=1, backend="jax")((2,), "float64").dtype == np.float32
    with jax.enable_x64(True):
        assert k.HeUniform(seed=1, backend="jax")((2,), "float64").dtype == np.float64
        normals = r.normal((2,), 1.5, 3.0, "float64", seed=1, backend="jax")
    # keras.random.normal((2,), 1.5, 3.0, 'float64', seed=1) of Keras 3.15.1 with JAX_ENABLE_X64=1
    assert [float(x).hex() for x in normals] == ["0x1.8dbd0aa3c3621p+1", "0x1.6100e8010db34p+2"]


@pytest.mark.parametrize("backend", SEEKABLE)
def test_a_shard_is_that_part_of_the_whole(backend):
    """For each law, and for what is not random."""
    part = glorot.Shard((1, 2), (5, 6))
    options = {"seed": 3, "backend": backend}
    for init in (
        k.GlorotUniform(**options), k.GlorotNormal(**options), k.RandomNormal(**options),
        k.Orthogonal(**options), k.Constant([1.0, 2, 3, 4, 5, 6, 7], backend=backend),
        k.Identity(backend=backend), k.Ones(),
    ):  # fmt: skip
        assert (init((6, 7), shard=part) == init((6, 7))[1:5, 2:6]).all(), init
    whole = r.randint((6, 7), 0, 100, seed=1, backend=backend)
    assert (r.randint((6, 7), 0, 100, seed=1, backend=backend, shard=part) == whole[1:5, 2:6]).all()


@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_sequential_streams_have_no_shards(backend):
    """They say so, for each law; Orthogonal, which needs the whole anyway, cuts it."""
    options = {"seed": 3, "backend": backend}
    for law in (r.uniform, r.normal, r.truncated_normal):
        with pytest.raises(ValueError, match="`shard` must be None on " + backend):
            law((4,), shard=slice(1, 2), **options)
    whole = k.Orthogonal(**options)((3, 3))
    assert (k.Orthogonal(**options)((3, 3), shard=slice(1, 2)) == whole[1:2]).all()


def test_fans_from_axes():
    """Keras' own two examples: the query and output projections of attention."""
    assert compute_fans((512, 8, 64), [0], [1, 2]) == (512, 512)
    assert compute_fans((512, 8, 64), [0, 1], [2]) == (4096, 64)
    assert compute_fans((512, 8, 64), [0, 1]) == (512 * 8, 512 * 64)
    with pytest.raises(IndexError, match=r"`input_axes`=\[0, 5\] has an axis out of range"):
        compute_fans((2, 3), [0, 5], [1])


# --- configs -------------------------------------------------------------------------------------


def test_configs_are_keras():
    """As Keras 3.15.1 writes them; the backend is no part of them, and clone keeps it."""
    axes = {"input_axes": None, "output_axes": None}
    assert k.GlorotUniform(seed=1, backend="jax").get_config() == {"seed": 1, **axes}
    assert k.serialize(k.HeNormal()) == {
        "module": "keras.initializers",
        "class_name": "HeNormal",
        "config": {"seed": None, **axes},
        "registered_name": None,
    }
    assert k.VarianceScaling(distribution="Normal").get_config() == {
        "seed": None, "scale": 1.0, "mode": "fan_in", "distribution": "truncated_normal", **axes,
    }  # fmt: skip
    assert k.RandomUniform().get_config() == {"seed": None, "minval": -0.05, "maxval": 0.05}
    assert k.TruncatedNormal().get_config() == {"seed": None, "mean": 0.0, "stddev": 0.05}
    assert k.Orthogonal().get_config() == {"seed": None, "gain": 1.0}
    assert k.Zeros().get_config() == k.Identity(3.0).get_config() == {}
    assert k.Constant(np.float32(3)).get_config() == {"value": 3.0}
    array = {"class_name": "__numpy__", "config": {"value": [1.0, 2.0], "dtype": "float64"}}
    assert k.Constant(np.array([1.0, 2.0])).get_config() == {"value": array}
    made = k.Constant.from_config({"value": array}, backend="torch")
    assert made((2,)).tolist() == [1.0, 2.0]
    clone = k.GlorotUniform(seed=1, backend="torch", arithmetic="default").clone()
    assert (clone.backend, clone.arithmetic, clone.seed) == ("torch", "default", 1)


def test_generators_in_configs():
    """A SeedGenerator is serialised as Keras does it, and read back, starting anew."""
    init = k.GlorotUniform(seed=r.SeedGenerator(3, name="q"), backend="jax")
    first = init((2, 2))
    config = k.serialize(init)["config"]
    assert config["seed"] == {
        "module": "keras.random",
        "class_name": "SeedGenerator",
        "config": {"seed": 3, "name": "q"},
        "registered_name": None,
    }
    again = k.deserialize(json.loads(json.dumps(k.serialize(init))), backend="jax")
    assert (again((2, 2)) == first).all()
    assert (init.clone()((2, 2)) == first).all()
    assert (init((2, 2)) != first).any()
    assert r.SeedGenerator(1).name.startswith("seed_generator")


def test_names():
    """Every spelling that Keras takes, classes and arrays and callables."""
    for name in ("glorot_normal", "GlorotNormal"):
        assert type(k.get(name)) is k.GlorotNormal
    assert type(k.get("OrthogonalInitializer")) is k.Orthogonal
    assert type(k.get("IdentityInitializer")) is k.Identity
    assert type(k.get("uniform")) is k.RandomUniform
    assert type(k.get("normal")) is k.RandomNormal
    assert k.get("one")((1,)) == 1
    assert k.get("zero")((1,)) == 0
    assert k.get(None) is k.deserialize(None) is k.serialize(None) is None
    assert type(k.get(k.HeNormal, backend="jax")) is k.HeNormal
    assert k.get(len) is len
    assert k.deserialize("mine", {"mine": len}) is len
    init = k.get(np.ones((2, 2)), backend="torch")
    assert init((2, 2), "float16").dtype == np.float16
    with pytest.raises(ValueError, match=r"Expected `shape` to be \(2, 2\) for direct tensor"):
        init((3, 3))


def test_guarantees_are_asked_by_backend():
    """Seekable where the backend is."""
    for backend in BACKENDS:
        row = glorot.replay.guarantee(k.GlorotUniform, backend=backend)
        assert row.exact
        assert row.seekable == (backend in SEEKABLE)


# --- bad input -----------------------------------------------------------------------------------

JAX, TF, TORCH = {"backend": "jax"}, {"backend": "tensorflow"}, {"backend": "torch"}


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: r.uniform((2,), seed=1), ValueError, "`backend` must say whose numbers these are"),
        (lambda: k.GlorotUniform(seed=1)((2,)), ValueError, "or call keras.config.set_backend"),
        (lambda: k.GlorotUniform(backend="theano"), ValueError, "one of tensorflow, jax, torch"),
        (lambda: k.GlorotUniform(backend="openvino"), ValueError, "numbers are not replayed"),
        (lambda: keras.config.set_backend("mxnet"), ValueError, "`backend` must be one of"),
        (lambda: keras.config.set_floatx("int8"), ValueError, "Unknown `floatx` value: 'int8'"),
        (lambda: k.HeNormal(arithmetic="x", **TORCH), ValueError, "fma-2.29, default, aten"),
        (lambda: r.normal((2,), seed=1, arithmetic="default", **JAX), ValueError, "fma on jax"),
        (lambda: k.HeNormal(**JAX)((2,)), ValueError, "has no `seed`, so Keras draws one of its"),
        (lambda: r.uniform((2,), **JAX), ValueError, "`seed` is None, so Keras draws from a gene"),
        (r.SeedGenerator, ValueError, "SeedGenerator has no `seed`"),
        (lambda: r.SeedGenerator(1.5), ValueError, "must be an integer. Received: seed=1.5"),
        (lambda: r.SeedGenerator(2**31, **TORCH), ValueError, r"lie in \[-2\*\*31, 2\*\*31\)"),
        (lambda: k.HeNormal(seed=1.5), ValueError, "`seed` argument should be an instance of"),
        (lambda: k.HeNormal(seed={"a": 1}), ValueError, "must be a serialised SeedGenerator"),
        (lambda: r.uniform((2,), seed=np.int64(5), **JAX), ValueError, "either an integer or an"),
        (lambda: r.uniform((2,), seed=-1, **JAX), OverflowError, "out of bounds for uint32"),
        (lambda: r.uniform((2,), seed=2**32, backend="numpy"), OverflowError, "for uint32"),
        (lambda: r.uniform((2,), seed=2**63, **TF), ValueError, "out-of-range integer"),
        (lambda: r.uniform((2,), seed=True, **TF), ValueError, "TensorFlow takes no bool here"),
        (lambda: keras.utils.set_random_seed("a"), ValueError, "argument to be an integer"),
        (lambda: keras.utils.set_random_seed(-1), ValueError, "between 0 and 2"),
        (lambda: r.uniform((2,), dtype="int32", seed=1, **TF), ValueError, "requires a floating"),
        (lambda: k.HeNormal(seed=1, **TF)((2,), "foo"), ValueError, "Invalid dtype: 'foo'"),
        (
            lambda: k.HeNormal(seed=1, backend="numpy")((2,), float),
            ValueError,
            "Invalid dtype: <class",
        ),
        (lambda: r.uniform((2,), np.float32(1), seed=1, **TF), TypeError, r"float\(minval\)"),
        (lambda: r.uniform((2,), 0, float("inf"), seed=1, **TF), ValueError, "`maxval` must be fi"),
        (lambda: r.uniform((2,), 0, 2**60, seed=1, **TF), ValueError, r"at most 2\*\*53"),
        (lambda: r.normal((2,), 0, -1.0, seed=1, **TORCH), ValueError, "normal expects `std` >= 0"),
        (lambda: r.randint((2,), 0, 9, "float32", 1, **TF), ValueError, "requires an integer `dt"),
        (lambda: r.randint((2,), 0.5, 9, seed=1, **TF), TypeError, "`minval` must be a Python in"),
        (lambda: r.randint((2,), 5, 5, seed=1, **TORCH), ValueError, "from=5 >= to=5"),
        (
            lambda: r.randint((2,), 0, 300, "uint8", 1, **TORCH),
            ValueError,
            "out of bounds for uint",
        ),
        (lambda: r.randint((2,), 0, 3, "uint64", 1, **TORCH), ValueError, "Unsupported dtype for"),
        (lambda: r.randint((2,), 0, 2**31, seed=1, **JAX), OverflowError, "must fit int32"),
        (lambda: k.VarianceScaling(scale=0), ValueError, "`scale` must be positive float"),
        (lambda: k.VarianceScaling(mode="fan"), ValueError, "Invalid `mode` argument: fan"),
        (
            lambda: k.VarianceScaling(distribution="x"),
            ValueError,
            "Invalid `distribution` argument",
        ),
        (lambda: k.Orthogonal(seed=1, **JAX)((2,)), ValueError, "at least two-dimensional. Recei"),
        (lambda: k.Orthogonal(seed=1, **JAX)((2, 2), "bfloat16"), TypeError, "JAX has no QR"),
        (lambda: k.Orthogonal(seed=1, **TF)((2, 2), "float16"), TypeError, "too rough"),
        (lambda: k.Orthogonal(seed=1, **TORCH)((2, 2), "float16"), TypeError, "of the half types"),
        (
            lambda: k.Orthogonal(seed=1, backend="numpy")((2, 2), "float64"),
            TypeError,
            "factorises float32 alone",
        ),
        (lambda: k.Identity(**JAX)((2,)), ValueError, "can only be used for 2D matrices"),
        (lambda: k.Constant("a"), TypeError, "`value` must be a number or numbers"),
        (lambda: k.Constant([1, 2], **JAX)((3,)), ValueError, "`value` must broadcast to `shape`"),
        (lambda: k.Constant(300, **JAX)((3,), "uint8"), ValueError, "must fit uint8"),
        (lambda: k.get("foo"), ValueError, "Could not interpret initializer identifier: 'foo'"),
        (lambda: k.get(3), ValueError, "Could not interpret initializer identifier: 3"),
        (lambda: k.get({"x": 1}), ValueError, "Unknown `config` as a `dict`"),
        (lambda: k.get("STFT"), ValueError, "STFT draws nothing and is not replayed"),
        (lambda: k.serialize(3), ValueError, "Cannot serialize 3"),
        (lambda: k.Initializer()((2,)), NotImplementedError, "must implement the `__call__"),
    ],
)
def test_bad_input_is_refused(call, error, message):
    """Each error says what came and what is needed."""
    with pytest.raises(error, match=message):
        call()
