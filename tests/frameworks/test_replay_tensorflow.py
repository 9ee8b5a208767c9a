# SPDX-License-Identifier: Apache-2.0
"""glorot.replay.tensorflow equals the installed TensorFlow and tf_keras, byte for byte."""

import doctest
import importlib
import inspect
import itertools
import json
import random
import runpy
from pathlib import Path

import numpy as np
import pytest

from glorot.compat import v1
from glorot.replay import tensorflow as replay

ROOT = Path(__file__).resolve().parents[2]
ORACLE = runpy.run_path(str(ROOT / "tests" / "oracle" / "tensorflow_stateless.py"))

pytestmark = pytest.mark.frameworks

FUNCTIONS = ["stateless_uniform", "stateless_normal", "stateless_truncated_normal"]


def test_random_calls_agree(tf):
    """600 random calls of stateless functions and Keras 2 initializers (pairs of seeds of 64 bits,
    shapes, every dtype, limits, partitions; eager and in a tf.function) give TensorFlow's bytes."""
    cases = [case for case in ORACLE["make_cases"](600, seed=5) if not ORACLE["told_apart"](case)]
    assert len(cases) > 550
    wrong = [
        json.dumps(case)
        for case in cases
        if ORACLE["glorot_value"](case) != ORACLE["tensorflow_value"](case)
    ]
    assert not wrong, f"{len(wrong)} of {len(cases)} differ, first: {wrong[0]}"
    names = {case["name"] for case in cases}
    assert {f"random.{name}" for name in FUNCTIONS} < names


def test_recorded_vectors_are_this_tensorflows(tf):
    """The vector file's rows are what the installed TensorFlow gives."""
    file = ROOT / "tests" / "vectors" / "tensorflow-stateless.txt"
    rows = [row for row in file.read_text(encoding="utf-8").splitlines() if row[0] != "#"]
    assert list(ORACLE["vector_rows"]()) == rows


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_large_tensors_agree(tf, name, dtype):
    """A million values and three, which TensorFlow computes on several threads."""
    ours, theirs = (getattr(n.random, name) for n in (replay, tf))
    shape, seed, numbers = (1_000_003,), (3, -4), (0.25, 1.5)
    assert (
        ours(shape, seed, *numbers, dtype).tobytes()
        == theirs(shape, seed, *numbers, dtype).numpy().tobytes()
    )


def test_small_scales_agree(tf):
    """Scales and shifts of every magnitude down to subnormal ones, which TensorFlow takes for 0,
    by stateless and by stateful functions."""
    rng = random.Random(7)
    for number in range(600):
        dtype = ("float16", "bfloat16", "float32", "float64")[number % 4]
        lowest = -322 if dtype == "float64" and number % 8 > 3 else -45

        def small(lowest=lowest):
            return rng.choice(
                (0.0, 10 ** rng.uniform(lowest, lowest + 30), 10 ** rng.uniform(-9, 1))
            )

        numbers = (small() * rng.choice((1, -1)) + 0.0, small())
        name, shape = FUNCTIONS[number % 3], (rng.choice((1, 3, 17, 300)),)
        theirs = getattr(tf.random, name)(shape, (number, 2), *numbers, dtype).numpy()
        ours = getattr(replay.random, name)(shape, (number, 2), *numbers, dtype)
        assert ours.tobytes() == theirs.tobytes(), (name, dtype, numbers)
        for module in (tf.compat.v1, v1):
            module.set_random_seed(number)
        name = ("random_uniform", "random_normal", "truncated_normal")[number % 3]
        theirs = getattr(tf.compat.v1, name)(shape, *numbers, dtype).numpy()
        assert getattr(v1, name)(shape, *numbers, dtype).tobytes() == theirs.tobytes(), (
            name,
            dtype,
        )
    v1.set_random_seed(None)


def test_small_gains_and_constants_agree(tf):
    """Identities, orthogonal matrices and constants of subnormal numbers, eagerly and in graphs."""
    import tf_keras

    numbers = (1e-38, -1e-38, 1e-40, 1e-45, 1e-310, 5e-324, 6e-8, 2e-38, 1.0)
    for number, dtype in itertools.product(numbers, ("float16", "bfloat16", "float32", "float64")):
        for name, shape in (("identity", (2, 3)), ("constant", (2,))):
            theirs = getattr(tf_keras.initializers, name)(number)(shape, dtype=dtype).numpy()
            ours = getattr(replay.keras.initializers, name)(number)(shape, dtype=dtype)
            assert ours.tobytes() == theirs.tobytes(), (name, number, dtype)
            theirs = getattr(tf.compat.v1.initializers, name)(number)(shape, dtype=dtype).numpy()
            ours = getattr(v1.initializers, name)(number)(shape, dtype=dtype)
            assert ours.tobytes() == theirs.tobytes(), (name, number, dtype)
            with tf.Graph().as_default(), tf.compat.v1.Session() as session:
                made = getattr(tf.compat.v1.initializers, name)(number)(shape, dtype=dtype)
                theirs = session.run(made)
            with v1.Graph().as_default():
                ours = getattr(v1.initializers, name)(number)(shape, dtype=dtype)
            assert ours.tobytes() == theirs.tobytes(), (name, number, dtype)
    for number in (1e-38, -1e-40, 2e-38):
        theirs = tf_keras.initializers.orthogonal(number, seed=5)((16, 16)).numpy()
        ours = replay.keras.initializers.orthogonal(number, seed=5)((16, 16))
        assert np.allclose(ours, theirs, rtol=1e-4, atol=0), number
        assert (np.signbit(ours) == np.signbit(theirs)).all()


def _bytes_or_refused(call, *args, **options):
    """The bytes of what a call gives, or that it was refused."""
    try:
        return np.asarray(call(*args, **options)).tobytes()
    except Exception:  # whatever TensorFlow refuses with
        return "refused"


def test_odd_seeds_and_numbers_agree(tf):
    """Bools, NumPy's integers and integers beyond 64 bits, as seeds, pairs and constants: the same
    bytes, or both refuse."""
    import tf_keras

    sides = (
        (replay.keras.initializers, replay.random.stateless_uniform),
        (tf_keras.initializers, tf.random.stateless_uniform),
    )
    seeds = (0, True, False, 2**31, 2**63 - 1, -(2**63), 2**63, np.int8(-3), np.uint32(2**32 - 1),
             np.uint64(2**63 + 3), 3.5, "3", [3], np.array(4), np.array([4]))  # fmt: skip
    for seed in seeds:
        found, wanted = (_bytes_or_refused(k.HeNormal(seed), (2, 3)) for k, _ in sides)
        assert found == wanted, seed
        for pair in ((seed, 0), (1, seed), (seed, seed)):
            found, wanted = (_bytes_or_refused(uniform, (3,), seed=pair) for _, uniform in sides)
            assert found == wanted, pair
    for dtype, number in itertools.product(("int8", "uint32", "int64", "uint64"), range(20)):
        bits = np.random.default_rng(number).integers(0, 256, 2 * np.dtype(dtype).itemsize)
        pair = bits.astype(np.uint8).view(dtype)
        for name, arguments in (("stateless_uniform", ((3,), pair)), ("fold_in", (pair, 7))):
            found, wanted = (
                _bytes_or_refused(getattr(side, name), *arguments)
                for side in (replay.random, tf.random)
            )
            assert found == wanted, (name, pair)
    numbers = (True, [True, False], np.True_, 2**70, [2**70, 1], -(2**63) - 1, 2**64 - 2**11)
    dtypes = ("float16", "bfloat16", "float32", "float64", "int32", "int64", "bool")
    for number, dtype in itertools.product(numbers, dtypes):
        found, wanted = (_bytes_or_refused(k.Constant(number), (2,), dtype=dtype) for k, _ in sides)
        assert found == wanted, (number, dtype)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_have_tensorflows_arguments(tf, name):
    """Names, order and defaults are TensorFlow's; what is added comes by keyword alone."""
    ours, theirs = (inspect.signature(getattr(n.random, name)) for n in (replay, tf))
    plain = [p for p in ours.parameters.values() if p.kind is not p.KEYWORD_ONLY]
    for got, want in zip(plain, theirs.parameters.values(), strict=True):
        assert got.name == want.name
        assert got.default == getattr(want.default, "name", want.default)


def test_tensorflows_own_objects_are_taken(tf):
    """Tensors and TensorShapes as shapes, tensors as seeds, dtypes, and tf.random.Algorithm."""
    for shape in (tf.TensorShape([3]), tf.constant([3]), np.array([3]), [3]):
        for seed in (tf.constant([5, 6]), tf.constant([5, 6], tf.int64), [5, 6], np.array([5, 6])):
            got = replay.random.stateless_normal(
                shape, seed, dtype=tf.float64, alg=tf.random.Algorithm.PHILOX
            )
            assert (
                got.tobytes()
                == tf.random.stateless_normal([3], [5, 6], dtype="float64").numpy().tobytes()
            )
    for alg in ("auto_select", "philox", "Philox", 1, 3, None):
        theirs = tf.random.stateless_uniform([3], [5, 6], alg=alg).numpy()
        assert (replay.random.stateless_uniform([3], [5, 6], alg=alg) == theirs).all()
    for seed in ([1, 2], np.array([1, 2]), tf.constant([1, 2], tf.int64), [2**40, 1]):
        ours, theirs = replay.random.split(seed, 3), tf.random.split(seed, 3).numpy()
        assert ours.dtype == theirs.dtype
        assert (ours == theirs).all()
        for data in (7, 2**40, np.int64(7), tf.constant(7)):
            ours, theirs = replay.random.fold_in(seed, data), tf.random.fold_in(seed, data).numpy()
            assert ours.dtype == theirs.dtype
            assert (ours == theirs).all()


def test_keras_names_configs_and_dicts_are_tf_keras(tf):
    """The 15 classes under both spellings: arguments, configs, and the saved dicts both ways."""
    theirs, ours = tf.keras.initializers, replay.keras.initializers
    names = {name for name in dir(theirs) if not name.startswith("_")}
    assert names == set(ours.__all__)
    classes = {name for name in names if isinstance(getattr(theirs, name), type)} - {"Initializer"}
    assert len({getattr(ours, name) for name in classes}) == 15
    for name in classes:
        mine, keras = getattr(ours, name), getattr(theirs, name)
        assert mine.__name__ == keras.__name__
        defaults = [
            [(p.name, p.default) for p in inspect.signature(c).parameters.values()]
            for c in (mine, keras)
            if "__init__" in vars(c) or c.__init__ is not object.__init__
        ]
        assert all(d == defaults[0] for d in defaults)
        assert mine().get_config() == keras().get_config()
        for legacy in (False, True):
            saved = theirs.serialize(keras(), use_legacy_format=legacy)
            assert ours.serialize(mine(), use_legacy_format=legacy) == saved
            assert type(ours.deserialize(saved)) is mine
            assert type(theirs.deserialize(saved, use_legacy_format=legacy)) is keras
        assert type(ours.get(name)) is mine
        assert ours.get(saved).get_config() == keras().get_config()


def test_unseeded_initializers_follow_the_global_seed(tf):
    """After keras.utils.set_random_seed, unseeded initializers take Keras' seeds in turn, when
    first called, and keep them."""
    for seed in (0, 42, 2**31 - 1):
        values = []
        for namespace in (tf.keras, replay.keras):
            namespace.utils.set_random_seed(seed)
            made = [namespace.initializers.get(n) for n in ("he_normal", "uniform", "orthogonal")]
            order = [made[1], made[0], made[2]]
            values.append([np.asarray(init((3, 2))) for init in order])
            with pytest.warns(UserWarning, match="is unseeded and being called multiple times"):
                values[-1].append(np.asarray(made[0]((3, 2))))
        for theirs, ours in zip(*values, strict=True):
            assert np.allclose(theirs, ours, rtol=0, atol=1e-6)
        assert all(values[0][i].tobytes() == values[1][i].tobytes() for i in (0, 1, 3))
        assert values[1][1].tobytes() == values[1][3].tobytes()
    replay.keras.utils.set_random_seed(None)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-5), ("float64", 1e-13)])
def test_orthogonal_is_near(tf, dtype, tolerance):
    """Keras' orthogonal matrices but for rounding."""
    rng = random.Random(2)
    for shape in [(1, 1), (4, 4), (5, 9), (9, 5), (3, 3, 4, 8), (200, 256), (2, 0)]:
        seed, gain = rng.randrange(2**40), rng.choice([1.0, -2, 0.3])
        theirs, ours = (
            np.asarray(n.keras.initializers.Orthogonal(gain, seed)(shape, dtype))
            for n in (tf, replay)
        )
        assert ours.shape == theirs.shape == shape
        assert np.abs(theirs - ours).max(initial=0) < tolerance * abs(gain)


def test_layers_get_our_numbers(tf):
    """A layer whose initializer is ours has the weights that Keras' own would give it."""
    kernels = []
    for namespace in (tf, replay):
        init = namespace.keras.initializers.GlorotUniform(seed=9)
        layer = tf.keras.layers.Dense(5, kernel_initializer=init)
        layer.build((None, 7))
        kernels.append(layer.kernel.numpy())
    assert kernels[0].tobytes() == kernels[1].tobytes()


@pytest.mark.parametrize("module", ["keras._random", "keras.initializers", "keras.utils"])
def test_examples_hold_with_tensorflow_loaded(tf, module):
    """The examples in the documentation are true here too."""
    result = doctest.testmod(importlib.import_module(f"glorot.replay.tensorflow.{module}"))
    assert result.failed == 0
