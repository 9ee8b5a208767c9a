# SPDX-License-Identifier: Apache-2.0
"""glorot.replay.keras: the backend and other options, configs and names, and what is refused."""

import numpy as np
import pytest
from replay_cases import KERAS_BACKENDS, SEEKABLE

import glorot
from glorot.replay import jax, keras

k, r = keras.initializers, keras.random
pytestmark = pytest.mark.usefixtures("no_keras_settings")


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
    for backend in KERAS_BACKENDS:
        row = glorot.replay.guarantee(k.GlorotUniform, backend=backend)
        assert row.exact
        assert row.seekable == (backend in SEEKABLE)


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
