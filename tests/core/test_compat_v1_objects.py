# SPDX-License-Identifier: Apache-2.0
"""glorot.compat.v1 without TensorFlow: shapes, dtypes, partitions, names and configs."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

from glorot.compat import v1
from glorot.replay.tensorflow import _kernels as replay

pytestmark = pytest.mark.usefixtures("no_graph_seed")

k = v1.keras.initializers
glorot_uniform = k.glorot_uniform


@pytest.mark.parametrize(
    ("shape", "fans"),
    [((), (1, 1)), ((4,), (4, 4)), ((4, 6), (4, 6)), ((3, 4, 8), (12, 24)), ((0, 3), (0, 3)),
     ((3, 3, 4, 8), (36, 72))],
)  # fmt: skip
def test_bounds_follow_tensorflows_fans(shape, fans):
    """The bound is that of TensorFlow's fans: the last two axes are in and out."""
    init = glorot_uniform(seed=1)
    bound = math.sqrt(3 / max(1.0, sum(fans) / 2))
    want = replay.random_uniform(shape, -bound, bound, seed=(87654321, 1))
    got = init(list(shape))
    assert got.shape == shape
    assert got.tobytes() == want.tobytes()
    for wrong in (fans[0], fans[1], sum(fans)):
        if got.size and max(1.0, wrong) != max(1.0, sum(fans) / 2):
            other = math.sqrt(3 / max(1.0, wrong))
            assert (got != replay.random_uniform(shape, -other, other, seed=(87654321, 1))).any()


def test_dtype_is_the_default_of_the_result():
    """As the page says, and as TensorFlow does not: `ignore_dtype` imitates that."""
    assert glorot_uniform(dtype="float64")((2,)).dtype == np.float64
    assert glorot_uniform(dtype="float64")((2,), "float16").dtype == np.float16
    assert glorot_uniform(dtype="float64").get_config() == {"seed": None, "dtype": "float64"}
    imitation = glorot_uniform(seed=3, dtype="float64", ignore_dtype=True)
    assert imitation((2,)).dtype == np.float32
    assert imitation.get_config() == {"seed": 3, "dtype": "float32"}


@pytest.mark.parametrize(
    ("dtype", "name"),
    [("half", "float16"), ("float", "float32"), ("double", "float64"), (float, "float32"),
     (np.float16, "float16"), (np.dtype(np.float64), "float64"), ("bfloat16", "bfloat16"),
     (SimpleNamespace(as_numpy_dtype=np.float64), "float64")],
)  # fmt: skip
def test_dtypes_are_known_by_tensorflows_names(dtype, name):
    """Strings, Python and NumPy types and TensorFlow's dtype objects all name a dtype."""
    assert k.VarianceScaling(distribution="uniform", dtype=dtype).get_config()["dtype"] == name
    assert k.Zeros(bool)((1,)).dtype == np.bool_
    assert k.Zeros(int)((1,)).dtype == np.int64


def test_partitions_take_their_bound_from_the_whole_and_repeat():
    """A part's bound is that of the full shape, and parts with one seed repeat each other."""
    full = [8, 4]
    first, second = (
        SimpleNamespace(full_shape=full, var_offset=offset) for offset in ([0, 0], [4, 0])
    )
    init = glorot_uniform(seed=1)
    with v1.Graph().as_default():
        part, repeated = init([4, 4], partition_info=first), init([4, 4], partition_info=second)
        whole, alone = init(full), init([4, 4])
    assert (part == repeated).all()
    assert (part == whole[:4]).all()
    assert (part != alone).any()
    unit = v1.uniform_unit_scaling_initializer(seed=1)
    with v1.Graph().as_default():
        assert (unit([4, 4], partition_info=first) == unit(full)[:4]).all()
    eye = k.Identity(2.0)
    assert (eye([4, 4], partition_info=second) == 2 * np.eye(8, 4)[4:]).all()
    assert (eye([3, 2], partition_info=SimpleNamespace(full_shape=[5, 6], var_offset=[1, 3]))
            == 2 * np.eye(5, 6)[1:4, 3:5]).all()  # fmt: skip


def test_integers_stay_below_the_limit_and_reach_all_others():
    """Integer dtypes draw TensorFlow's RandomUniformInt: every value but `maxval`."""
    values = v1.random_uniform_initializer(-3, 4, seed=1, dtype="int32")((500,))
    assert values.dtype == np.int32
    assert set(values.tolist()) == set(range(-3, 4))
    wide = v1.random_uniform_initializer(-(2**63), 2**63 - 1, seed=1, dtype="int64")((500,))
    assert wide.min() < -(2**61)
    assert wide.max() > 2**61


def test_constants():
    """Zeros, ones, constants and identities are TensorFlow's, in eager mode and in graphs."""
    assert k.Zeros("int32")(3).tolist() == [0, 0, 0]
    assert k.Ones()((2,), "bool").tolist() == [True, True]
    assert k.Constant([[1, 2], [3, 4]])((4,)).tolist() == [1, 2, 3, 4]
    assert k.Constant([5])((2, 2)).tolist() == [[5, 5], [5, 5]]
    assert k.Constant(True)((1,)).tolist() == [1.0]
    assert k.Identity(-2.0)((1, 2)).tobytes() == np.array([[-2, -0.0]], np.float32).tobytes()
    assert k.Constant([1, 2], verify_shape=True)((2,)).tolist() == [1, 2]
    loose = k.Constant([1, 2], verify_shape=True)((2, 1), verify_shape=False)
    assert loose.tolist() == [[1], [2]]
    with v1.Graph().as_default():
        assert k.Constant([1, 2])((4,)).tolist() == [1, 2, 2, 2]
        assert k.Constant(1)((0, 3)).shape == (0, 3)


def test_names_are_tensorflows():
    """Each name is there under TensorFlow's spellings, and they are one object."""
    assert k.glorot_uniform is v1.glorot_uniform_initializer is v1.initializers.glorot_uniform
    assert glorot_uniform.__name__ == "GlorotUniform"
    assert glorot_uniform.__mro__[1:3] == (k.VarianceScaling, k.Initializer)
    assert k.VarianceScaling is v1.variance_scaling_initializer is v1.initializers.variance_scaling
    assert v1.random_uniform_initializer is v1.initializers.random_uniform
    assert k.RandomUniform is k.random_uniform is k.uniform
    assert issubclass(k.RandomUniform, v1.random_uniform_initializer)
    assert v1.uniform_unit_scaling_initializer is v1.initializers.uniform_unit_scaling
    for name in ("zeros", "ones", "constant"):
        assert getattr(v1, f"{name}_initializer") is getattr(v1.initializers, name)
        assert getattr(k, name) is getattr(k, name.title()) is getattr(v1.initializers, name)
    assert k.identity is k.Identity is v1.initializers.identity
    assert (k.he_uniform.__name__, k.lecun_uniform.__name__) == ("HeUniform", "LecunUniform")
    assert type(v1.initializers.he_uniform()) is k.VarianceScaling
    assert type(v1.initializers.lecun_normal()) is k.VarianceScaling
    assert k.glorot_normal is v1.glorot_normal_initializer is v1.initializers.glorot_normal
    assert k.orthogonal is k.Orthogonal is v1.orthogonal_initializer is v1.initializers.orthogonal
    assert k.RandomNormal is k.random_normal is k.normal
    assert issubclass(k.RandomNormal, v1.random_normal_initializer)
    assert issubclass(k.TruncatedNormal, v1.initializers.truncated_normal)
    assert (k.he_normal.__name__, k.lecun_normal.__name__) == ("HeNormal", "LecunNormal")
    assert v1.random_normal is v1.random.normal
    assert v1.random_uniform is v1.random.uniform
    assert v1.truncated_normal is v1.random.truncated_normal
    init = glorot_uniform(seed=5)
    assert (init.scale, init.mode, init.distribution, init.seed) == (1.0, "fan_avg", "uniform", 5)


def test_defaults_are_those_of_each_namespace():
    """Keras' RandomUniform is -0.05..0.05, TensorFlow's own 0..1."""
    assert k.RandomUniform().get_config() == {
        "minval": -0.05, "maxval": 0.05, "seed": None, "dtype": "float32",
    }  # fmt: skip
    assert v1.initializers.random_uniform().get_config() == {
        "minval": 0, "maxval": None, "seed": None, "dtype": "float32",
    }  # fmt: skip
    values = v1.random_uniform_initializer(seed=1)((100,))
    assert 0 <= values.min() < 0.1
    assert 0.9 < values.max() < 1


CONFIGS = [
    (lambda: glorot_uniform(3, "float16"), {"seed": 3, "dtype": "float16"}),
    (lambda: k.he_uniform(-4), {"seed": -4}),
    (k.lecun_uniform, {"seed": None}),
    (lambda: k.RandomUniform(-1, 1), {"minval": -1, "maxval": 1, "seed": None, "dtype": "float32"}),
    (lambda: k.VarianceScaling(2, "fan_out", "Uniform", np.int64(7), "double"),
     {"scale": 2, "mode": "fan_out", "distribution": "uniform", "seed": 7, "dtype": "float64"}),
    (lambda: v1.glorot_normal_initializer(3, "float16"), {"seed": 3, "dtype": "float16"}),
    (lambda: k.lecun_normal(2), {"seed": 2}),
    (lambda: k.VarianceScaling(distribution="Normal"),
     {"scale": 1.0, "mode": "fan_in", "distribution": "normal", "seed": None, "dtype": "float32"}),
    (lambda: k.normal(np.float32(1)),
     {"mean": 1.0, "stddev": 0.05, "seed": None, "dtype": "float32"}),
    (v1.truncated_normal_initializer,
     {"mean": 0.0, "stddev": 1.0, "seed": None, "dtype": "float32"}),
    (lambda: k.Orthogonal(2, seed=4), {"gain": 2, "seed": 4, "dtype": "float32"}),
    (lambda: v1.uniform_unit_scaling_initializer(np.float32(0.5)),
     {"factor": 0.5, "seed": None, "dtype": "float32"}),
    (lambda: k.Zeros("int8"), {"dtype": "int8"}),
    (lambda: k.Constant(np.array([1.5])), {"value": [1.5], "dtype": "float32"}),
    (lambda: k.Identity(2), {"gain": 2, "dtype": "float32"}),
]  # fmt: skip


@pytest.mark.parametrize(("make", "config"), CONFIGS)
def test_configs(make, config):
    """get_config is JSON, holds TensorFlow's keys, and from_config reads it back."""
    init = make()
    assert init.get_config() == config
    assert json.loads(json.dumps(config)) == config
    again = type(init).from_config(config)
    assert again.get_config() == config
    assert repr(again) == repr(init)
    shape = (2, 2) if isinstance(init, k.Identity | k.Orthogonal) else (4,)
    with v1.Graph(seed=1).as_default():
        first = init(shape)
    with v1.Graph(seed=1).as_default():
        assert again(shape).tobytes() == first.tobytes()


def test_serialisation():
    """serialize, deserialize and get read each other, and get takes what TensorFlow's takes."""
    init = glorot_uniform(seed=1)
    data = k.serialize(init)
    assert data == {"class_name": "GlorotUniform", "config": {"seed": 1, "dtype": "float32"}}
    assert repr(k.deserialize(data)) == repr(k.get(data)) == repr(init)
    assert k.serialize(None) is None
    assert k.get(None) is None
    assert k.get(init) is init
    assert type(k.get(glorot_uniform)) is glorot_uniform
    for name in ("glorot_uniform", "GlorotUniform", "he_uniform", "lecun_uniform", "uniform",
                 "normal", "truncated_normal", "HeNormal", "orthogonal", "VarianceScaling",
                 "zeros", "zero", "one", "constant", "identity"):  # fmt: skip
        assert isinstance(k.get(name), k.Initializer)

    def mine(shape, dtype=None):
        return np.zeros(shape, dtype)

    assert k.deserialize("mine", {"mine": mine}) is mine
