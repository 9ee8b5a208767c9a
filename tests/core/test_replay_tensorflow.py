# SPDX-License-Identifier: Apache-2.0
"""glorot.replay.tensorflow without TensorFlow: recorded numbers, shards, statistics, errors."""

import doctest
import functools
import importlib
import itertools
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_cases import EVERYWHERE, TARGETS

import glorot
from glorot import _kernel
from glorot.compat import v1
from glorot.replay import tensorflow as tf
from glorot.replay.tensorflow import _laws
from glorot.replay.tensorflow._stateless import stateless_stream

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "tests" / "vectors" / "tensorflow-stateless.txt"
ROWS = [row for row in VECTORS.read_text(encoding="utf-8").splitlines() if row[0] != "#"]
k = tf.keras.initializers


def bits(array):
    """The elements as hexadecimal text, most significant byte first."""
    width = array.dtype.itemsize
    data = array.tobytes()
    return [data[i : i + width][::-1].hex() for i in range(0, len(data), width)]


def recorded(row):
    """(the call that a row records, with `shard` still to give; its values)."""
    name, options, shape, dtype, *want = row.split(" ")
    found = tf
    for part in name.split("."):
        found = getattr(found, part)
    sizes = [] if shape == "-" else [int(n) for n in shape.split("x") if n != "none"]
    options = json.loads(options)
    if name.startswith("keras"):
        return functools.partial(found(**options), sizes, dtype), want
    return functools.partial(found, *([] if shape == "none" else [sizes]), **options), want


@pytest.mark.parametrize("target", EVERYWHERE)
def test_recorded_calls_are_reproduced(target):
    """What TensorFlow 2.4.4 and 2.21 and tf_keras gave, every target gives."""
    with _kernel.forced(target):
        for row in ROWS:
            call, want = recorded(row)
            assert bits(call().reshape(-1)[:8]) == want, row


def test_wrong_streams_are_rejected():
    """The recorded numbers reject the mistakes an imitator would make."""
    want = next(recorded(row)[1] for row in ROWS if row.startswith("random.stateless_truncated"))
    dtype = np.dtype(np.float64)

    def drawn(law=_laws.TruncatedNormalLaw, seed=(-1, 2**40), **stream):
        out = np.empty(8, dtype)
        found = stateless_stream(seed)
        _kernel.fill(out, law(1.0, 0.0), glorot._stream.Stream(**{**found._asdict(), **stream}))
        return bits(out)

    assert drawn() == want
    key, counter = stateless_stream((-1, 2**40))
    wrong = {
        "not truncated": drawn(_laws.NormalLaw),
        "seeds exchanged": drawn(seed=(2**40, -1)),
        "the second seed alone": drawn(seed=(0, 2**40)),
        "a seed of 32 bits": drawn(seed=(2**32 - 1, 2**40)),
        "not scrambled": drawn(key=2**64 - 1, counter=2**40 << 64),
        "the counter's halves exchanged": drawn(counter=counter >> 64),
        "the key's halves exchanged": drawn(key=key >> 32 | key % 2**32 << 32),
    }
    for mistake, values in wrong.items():
        assert values != want, mistake


CALLS = [
    *itertools.product([tf.random.stateless_uniform], ["float16", "bfloat16", "float32", "float64",
                                                       "int32", "int64"]),
    *itertools.product([tf.random.stateless_normal, tf.random.stateless_truncated_normal],
                       ["float16", "bfloat16", "float32", "float64"]),
]  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from(CALLS),
    st.lists(st.integers(1, 9), min_size=1, max_size=3),
    st.data(),
)
def test_shards_are_slices_of_the_whole(seed, call, shape, data):
    """Any rectangle of any tensor, computed alone, equals that slice of the whole."""
    draw = functools.partial(call[0], shape, (seed, seed // 3), -7, 9, call[1])
    place = tuple(slice(*sorted(data.draw(st.tuples(*[st.integers(0, n)] * 2)))) for n in shape)
    bounds = glorot.Shard(*zip(*((part.start, part.stop) for part in place), strict=True))
    whole = draw()
    assert draw(shard=place).tobytes() == whole[place].tobytes()
    assert draw(shard=bounds).tobytes() == whole[place].tobytes()


KERAS = [
    k.GlorotUniform(1), k.GlorotNormal(2), k.HeUniform(3), k.HeNormal(4), k.LecunUniform(5),
    k.LecunNormal(6), k.RandomUniform(0, 3, 7), k.RandomNormal(seed=8), k.TruncatedNormal(seed=9),
    k.VarianceScaling(2, "fan_out", "untruncated_normal", 10), k.Orthogonal(seed=11),
    k.Identity(2), k.Zeros(), k.Ones(), k.Constant(list(range(20))),
]  # fmt: skip


@pytest.mark.parametrize("init", KERAS, ids=lambda init: type(init).__name__)
def test_keras_shards_are_slices_of_the_whole(init):
    """Fans are those of the whole, and so are the values."""
    whole = init((4, 5))
    assert whole.dtype == np.float32
    assert init((4, 5), shard=(slice(1, 3), slice(2, None))).tobytes() == whole[1:3, 2:].tobytes()
    assert init((4, 5), shard=glorot.Shard((4, 0), (4, 5))).shape == (0, 5)
    assert init((4, 5)).tobytes() == whole.tobytes()  # each call gives the same


def test_keras_partitions_are_weights_of_their_own():
    """As in Keras: a part's fans are its own, and its values come from the offset's hash."""
    init = k.GlorotUniform(seed=1)
    whole = init((8, 4))
    first, second = (
        init((8, 4), partition_shape=(4, 4), partition_offset=offset) for offset in ((0, 0), (4, 0))
    )
    assert first.shape == second.shape == (4, 4)
    assert (first != second).all()
    assert (first != whole[:4]).all()
    assert np.abs(np.concatenate([first, second])).max() > math.sqrt(6 / (8 + 4))
    assert init((8, 4), partition_shape=(4, 4)).tobytes() == init((4, 4)).tobytes()


def test_unseeded_keras_initializers_need_a_global_seed():
    """They take the seeds of Python's generator in turn, each at its first call, in this thread."""
    import random

    tf.keras.utils.set_random_seed(9)
    turn = random.Random(9)
    first, second = k.HeNormal(), k.HeNormal()
    values = [second((3,)), first((3,))]
    for value in values:
        assert (value == k.HeNormal(turn.randint(1, 10**9))((3,))).all()
    with pytest.warns(UserWarning, match="HeNormal is unseeded and being called multiple times"):
        assert (first((3,)) == values[1]).all()
    assert first.get_config() == {"seed": None}
    tf.keras.utils.set_random_seed(None)
    with pytest.raises(ValueError, match="HeNormal has no `seed`, so Keras draws one of its own"):
        k.HeNormal()((3,))


def test_keras_dicts():
    """serialize, deserialize and get read each other; V2 and snake_case names are known."""
    init = k.VarianceScaling(2.0, seed=5)
    for saved in (k.serialize(init), k.serialize(init, use_legacy_format=True)):
        assert json.loads(json.dumps(saved)) == saved
        assert repr(k.deserialize(saved)) == repr(k.get(saved)) == repr(init)
    assert type(k.get("GlorotUniformV2")) is k.glorot_uniform is k.GlorotUniform
    assert type(k.get(k.HeNormal)) is k.HeNormal
    assert k.get(None) is k.serialize(None) is None
    assert k.get(len) is len
    assert k.deserialize("mine", {"mine": len}) is len
    assert k.serialize(k.Constant(np.array([1, 2])))["config"] == {"value": [1, 2]}
    assert k.VarianceScaling(distribution="Normal").distribution == "truncated_normal"


@pytest.mark.parametrize("target", TARGETS or EVERYWHERE)
def test_arithmetics_differ_in_float64_alone(target):
    """Without FMA a few last bits of float64 normals are others, and no other dtype's are; every
    target gives the reference's bytes in each."""
    shape, seed = (300_000,), (1, 2)
    with _kernel.forced(target):
        for draw in (tf.stateless_normal, tf.stateless_truncated_normal):
            single = {draw(shape, seed, arithmetic=name).tobytes() for name in _laws.ARITHMETICS}
            assert len(single) == 1
            found = [
                draw(shape, seed, dtype="float64", arithmetic=name) for name in _laws.ARITHMETICS
            ]
            for values, name in zip(found, _laws.ARITHMETICS, strict=True):
                with _kernel.forced("reference"):
                    want = draw((2000,), seed, dtype="float64", arithmetic=name)
                assert values[:2000].tobytes() == want.tobytes()
            for a, b in itertools.combinations(found, 2):
                assert 0 < (a != b).sum() < 0.001 * a.size
                assert np.abs(a - b).max() < 1e-14


def test_truncated_values_of_halves_may_round_to_2():
    """They are compared with 2 before they are rounded."""
    for dtype in ("float16", "bfloat16"):
        values = np.abs(tf.stateless_truncated_normal((100_000,), (3, 4), dtype=dtype))
        assert values.max() == 2.0
    assert np.abs(tf.stateless_truncated_normal((100_000,), (3, 4))).max() < 2.0


# (dtype, stddev, zeros of 1000 normals, zeros of 1000 uniforms), counted with TensorFlow 2.21.0.
SUBNORMAL = [
    ("float32", 3e-38, 304, 366),
    ("float32", 1e-39, 1000, 1000),
    ("bfloat16", 3e-38, 308, 390),
    ("float64", 3e-308, 525, 759),
]


@pytest.mark.parametrize(("dtype", "stddev", "normals", "uniforms"), SUBNORMAL)
def test_subnormal_numbers_are_zero(dtype, stddev, normals, uniforms):
    """TensorFlow's kernels flush them; the numbers beside them, and a shard's, stay as they are."""
    normal = tf.random.stateless_normal((1000,), (1, 2), 0.0, stddev, dtype)
    uniform = tf.random.stateless_uniform((1000,), (1, 2), 0.0, stddev, dtype)
    assert [int((values == 0).sum()) for values in (normal, uniform)] == [normals, uniforms]
    whole = tf.random.stateless_normal((1000,), (1, 2), 0.0, 2 * stddev, dtype)
    kept = normal != 0
    assert (whole[kept] == 2 * normal[kept]).all()
    shard = tf.random.stateless_normal((1000,), (1, 2), 0.0, stddev, dtype, shard=np.s_[501:])
    assert shard.tobytes() == normal[501:].tobytes()


def test_a_subnormal_mean_or_stddev_is_zero():
    """What is read is flushed too, and so is the difference of two limits."""
    drawn = tf.random.stateless_normal((100,), (1, 2), 2e-36, 5e-39)
    assert (drawn == np.float32(2e-36)).all()
    assert not tf.random.stateless_uniform((100,), (1, 2), 1e-40, 2e-40).any()
    close = tf.random.stateless_uniform((100,), (1, 2), 2e-38, 2.5e-38)
    assert (close == np.float32(2e-38)).all()


def test_a_gain_and_a_constant_are_flushed():
    """Products with a subnormal gain, and subnormal products, are 0 with their sign; a kernel
    rounds Python's numbers to bfloat16, and nothing rounds them to float32."""
    for identity in (tf.keras.initializers.Identity, v1.initializers.identity):
        for dtype, gain in (("bfloat16", 1e-38), ("float32", -1e-40), ("float64", 1e-310)):
            found = identity(gain)((2, 2), dtype=dtype)
            assert not found.any()
            assert (np.signbit(found.astype("float64")) == (gain < 0)).all()
        assert identity(6e-8)((1, 1), dtype="float16")[0, 0] == 2.0**-24
    for orthogonal in (tf.keras.initializers.Orthogonal, v1.orthogonal_initializer):
        drawn = []
        for gain in (2e-38, 1.0):
            v1.set_random_seed(1)
            drawn.append(orthogonal(gain, seed=3)((9, 9)))
        found, whole = drawn
        assert ((found == 0) == (np.abs(whole) * np.float32(2e-38) < np.finfo("f").tiny)).all()
        assert (np.signbit(found) == np.signbit(whole)).all()
    for constant in (tf.keras.initializers.Constant, v1.constant_initializer):
        assert not constant(1e-38)((2,), dtype="bfloat16").any()
        assert constant(np.array(1e-38))((2,), dtype="bfloat16").all()
        assert constant(1e-38)((2,), dtype="float32").all()
    with v1.Graph().as_default():
        assert v1.constant_initializer(1e-38)((2,), dtype="bfloat16").all()
        assert not v1.initializers.identity(1e-38)((2, 2)).any()
    v1.set_random_seed(None)


def test_dtypes_are_there_by_tensorflows_names():
    """`tf.float16` and the others, so that a name replaced is the whole change."""
    assert tf.stateless_normal([2], [1, 2], dtype=tf.half).dtype == np.float16
    assert tf.random.stateless_uniform([2], [1, 2], dtype=tf.double).dtype == np.float64
    assert k.Zeros()((2,), tf.int64).dtype == np.int64
    assert tf.bfloat16.itemsize == 2
    assert tf.random.experimental.stateless_split is tf.random.split


class Unhashable(list):
    """An offset that Keras would refuse."""


uniform, normal = tf.random.stateless_uniform, tf.random.stateless_normal
REFUSALS = [
    (ValueError, "`seed` must have shape [2]: a pair of integers, got 5", lambda: uniform([2], 5)),
    (ValueError, "`seed` must have shape [2], not [3]", lambda: uniform([2], np.arange(3))),
    (ValueError, "`seed` must have shape [2]", lambda: uniform([2], (1, 2, 3))),
    (TypeError, "`seed` must be two integers, got (1.0, 2)", lambda: uniform([2], (1.0, 2))),
    (ValueError, "TensorFlow can't convert Python sequence with mixed types to Tensor",
     lambda: k.HeNormal(True)((2, 2))),
    (TypeError, "`seed` must be of int32 or int64, got float64",
     lambda: uniform([2], np.array([1.0, 2]))),
    (ValueError, "`seed` must be two integers of 64 bits with sign",
     lambda: normal([2], (2**63, 0))),
    (TypeError, "object of type 'int' has no len()", lambda: uniform(5, (1, 2))),
    (ValueError, "Dimension -1 must be >= 0", lambda: normal([-1], (1, 2))),
    (ValueError, "For integer `dtype` argument int32, argument `minval` and `maxval` must be both",
     lambda: uniform([2], (1, 2), dtype="int32")),
    (ValueError, "got invalid value uint32 when argument `minval` is not None",
     lambda: uniform([2], (1, 2), 0, 5, "uint32")),
    (ValueError, "Argument `dtype` got invalid value int8. Accepted dtypes are float16",
     lambda: uniform([2], (1, 2), 0, 5, "int8")),
    (ValueError, "Need minval < maxval, got 5 >= 5", lambda: uniform([2], (1, 2), 5, 5, "int64")),
    (TypeError, "Cannot convert None to EagerTensor of dtype float32",
     lambda: uniform([2], (1, 2), None)),
    (TypeError, "`dtype` must be one of float16, bfloat16, float32, float64, got int32",
     lambda: normal([2], (1, 2), dtype="int32")),
    (TypeError, "Cannot convert True to EagerTensor of dtype bfloat16",
     lambda: k.Constant(True)((2,), "bfloat16")),
    (TypeError, "Cannot convert 1180591620717411303424 to EagerTensor of dtype bfloat16",
     lambda: k.Constant(2**70)((2,), "bfloat16")),
    (TypeError, "`mean` must be one number, got an array of shape (2,)",
     lambda: normal([2], (1, 2), [0.0, 1.0])),
    (ValueError, "must keep every value finite in float16",
     lambda: normal([2], (1, 2), 0, 1e5, tf.half)),
    (ValueError, "`arithmetic` must be one of fma, fma-2.29, default, got 'sse'",
     lambda: normal([2], (1, 2), arithmetic="sse")),
    (ValueError, "TensorFlow has ThreeFry on TPUs alone",
     lambda: uniform([2], (1, 2), alg="threefry")),
    (ValueError, "TensorFlow has ThreeFry on TPUs alone", lambda: normal([2], (1, 2), alg=2)),
    (ValueError, "Argument `alg` got unsupported value foo",
     lambda: normal([2], (1, 2), alg="foo")),
    (ValueError, "Argument `alg` got unsupported value 7", lambda: normal([2], (1, 2), alg=7)),
    (TypeError, "Can't convert argument `alg` (of value 1.5", lambda: normal([2], (1, 2), alg=1.5)),
    (ValueError, "must hold less than 2**57 elements",
     lambda: tf.stateless_truncated_normal([2**57], (1, 2), shard=slice(0, 2))),
    (TypeError, "`data` must be two integers", lambda: tf.random.fold_in((1, 2), 1.5)),
    (ValueError, "GlorotUniform has no `seed`", lambda: k.GlorotUniform()((2, 2))),
    (TypeError, "`seed` must be two integers", lambda: k.GlorotUniform(1.5)((2, 2))),
    (ValueError, "`scale` must be positive float. Received: scale=0", lambda: k.VarianceScaling(0)),
    (ValueError, "Invalid `mode` argument: fan. Please use one of the fan_in, fan_out, fan_avg",
     lambda: k.VarianceScaling(1, "fan")),
    (ValueError, "Invalid `distribution` argument: foo. Allowed distributions: uniform",
     lambda: k.VarianceScaling(distribution="foo")),
    (TypeError, "Unknown keyword arguments: ['partition']. Allowed keyword arguments",
     lambda: k.Zeros()((2,), partition=1)),
    (ValueError, "Orthogonal initializer doesn't support partition-related arguments.",
     lambda: k.Orthogonal(seed=1)((2, 2), partition_shape=(1, 2))),
    (ValueError, "Identity initializer doesn't support partition-related arguments.",
     lambda: k.Identity()((2, 2), partition_offset=(1, 2))),
    (ValueError, "`shard` and `partition_shape` both say which part",
     lambda: k.Zeros()((2, 2), partition_shape=(1, 2), shard=...)),
    (ValueError, "`layout` (DTensor) draws from a stateful generator",
     lambda: k.HeNormal(1)((2, 2), layout=1)),
    (TypeError, "unhashable type", lambda: k.HeNormal(1)((2, 2), partition_offset=Unhashable([1]))),
    (ValueError, "Expected floating point type, got <dtype: 'int32'>",
     lambda: k.HeNormal(1)((2, 2), "int32")),
    (ValueError, "Expected floating point type", lambda: k.RandomUniform(0, 1, 2)((2, 2), bool)),
    (ValueError, "The tensor to initialize must be at least two-dimensional. Received shape=(3,)",
     lambda: k.Orthogonal(seed=1)((3,))),
    (TypeError, "`dtype`=float16: TensorFlow has no QR of bfloat16",
     lambda: k.Orthogonal(seed=1)((3, 3), "float16")),
    (ValueError, "Identity matrix initializer can only be used for 2D matrices. Received",
     lambda: k.Identity()((3,))),
    (TypeError, "value has 3 elements, shape is (2,) with 2 elements",
     lambda: k.Constant([1, 2, 3])((2,))),
    (TypeError, "unexpected keyword argument 'gain'", lambda: k.HeNormal.from_config({"gain": 1})),
    (ValueError, "Unknown initializer: foo. Use one of Constant", lambda: k.get("foo")),
    (ValueError, "Could not interpret initializer identifier: 5", lambda: k.get(5)),
    (ValueError, "Improper config format: {}", lambda: k.deserialize({})),
    (ValueError, "it has no get_config()", lambda: k.serialize(5)),
    (NotImplementedError, "must implement the `__call__()` method", lambda: k.Initializer()((2,))),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "call"), REFUSALS, ids=[text for _, text, _ in REFUSALS])
def test_refusals(kind, text, call):
    """Bad input is refused with a text that says what came and what to do, TensorFlow's first
    where it has one."""
    with pytest.raises(kind, match=re.escape(text)):
        call()


@pytest.mark.parametrize(
    "module",
    [
        "_kernels",
        "_stateless",
        "keras._base",
        "keras._constants",
        "keras._random",
        "keras.initializers",
        "keras.utils",
    ],
)
def test_examples(module):
    """The examples in the documentation are true."""
    result = doctest.testmod(importlib.import_module(f"glorot.replay.tensorflow.{module}"))
    assert result.attempted > 0
    assert result.failed == 0


def test_integers_of_nothing_have_no_limits():
    """TensorFlow does not look at them then; of one element it does."""
    for dtype in ("int32", "int64"):
        assert tf.random.stateless_uniform((0, 3), (1, 2), 5, 5, dtype).shape == (0, 3)
        with pytest.raises(ValueError, match="Need minval < maxval"):
            tf.random.stateless_uniform((1,), (1, 2), 5, 5, dtype)
    assert v1.random_uniform((0,), 5, 5, "int32", seed=1).tolist() == []
