# SPDX-License-Identifier: Apache-2.0
"""What is asked of the installed Keras 3, in a process of its own for each backend.

    KERAS_BACKEND=... [JAX_ENABLE_X64=1] python tests/frameworks/keras_session.py CASES

Every `check_` function is run, and its name printed; a failed one raises.
"""

import inspect
import json
import os
import runpy
import sys
import warnings
from pathlib import Path

import keras
import numpy as np

from glorot.replay import jax as replay_jax
from glorot.replay import keras as replay

ROOT = Path(__file__).resolve().parents[2]
CASES = runpy.run_path(str(ROOT / "tests" / "oracle" / "keras_cases.py"))
VECTORS = runpy.run_path(str(ROOT / "tests" / "oracle" / "make_keras_vectors.py"))
BACKEND = keras.backend.backend()
if BACKEND == "jax":
    import one_compiler  # noqa: F401
X64 = BACKEND == "jax" and os.environ.get("JAX_ENABLE_X64") == "1"
CLASSES = [name for name, found in vars(keras.initializers).items() if isinstance(found, type)]
NOT_REPLAYED = {"STFT", "STFTInitializer", "stft"}


def check_random_sessions_agree(count):
    """Initializers and functions, seeds of every kind, shapes, dtypes: equal bytes."""
    cases = CASES["make_cases"](count, 5, BACKEND)
    wrong = [
        json.dumps(case)
        for case in cases
        if CASES["run_ours"](case, BACKEND) != CASES["run_keras"](case)
    ]
    assert not wrong, f"{len(wrong)} of {count} differ, first: {wrong[0]}"


def check_recorded_vectors_are_this_keras(count):
    """The vector file's rows of this backend are what it gives."""
    file = ROOT / "tests" / "vectors" / "keras-3.15.txt"
    of = "jax-x64" if X64 else BACKEND
    rows = [row for row in file.read_text("utf-8").splitlines() if row.split(" ")[1] == of]
    assert len(rows) > 30
    assert list(VECTORS["rows"](of)) == rows


def check_names_are_keras(count):
    """Every public name of keras.initializers but STFT's, and the aliases `get` takes."""
    public = {name for name in vars(keras.initializers) if name[0] != "_"} - {"src"}
    assert public - set(replay.initializers.__all__) == NOT_REPLAYED
    from keras.src.initializers import ALL_OBJECTS_DICT

    for name, found in ALL_OBJECTS_DICT.items():
        if name not in NOT_REPLAYED and name.lower() != "initializer":
            assert type(replay.initializers.get(name)).__name__ == found.__name__, name


def check_arguments_are_keras(count):
    """Names, order and defaults are Keras'; what is added comes by keyword alone."""
    pairs = [
        (getattr(replay.initializers, name), getattr(keras.initializers, name))
        for name in CLASSES
        if name not in NOT_REPLAYED and name != "Initializer"
    ]
    assert len(pairs) > 25
    for name in ("uniform", "normal", "truncated_normal", "randint", "SeedGenerator"):
        pairs.append((getattr(replay.random, name), getattr(keras.random, name)))
    for ours, theirs in pairs:
        plain, wanted = (
            [(p.name, p.default) for p in inspect.signature(of).parameters.values()
             if p.kind is p.POSITIONAL_OR_KEYWORD]
            for of in (ours, theirs)
        )  # fmt: skip
        assert plain == wanted, ours


def check_small_numbers_agree(count):
    """Constants, identities and arrays that are subnormal, which TensorFlow and XLA take for 0."""
    numbers = [1e-45, -1e-40, 1e-38, 1e-310, 5e-324, 6e-8, 2e-38, [1e-40, -1e-45]]
    arrays = [np.array([1e-310, -1e-40, 1.0]), np.array([1e-40], "f"), np.array([6e-8], "e")]
    for dtype in ("float16", "bfloat16", "float32", "float64", "bool", "int32"):
        made = [("Constant", value, (3, np.size(value))) for value in numbers + arrays]
        if dtype not in ("bool", "int32"):
            made += [("Identity", value, (2, 3)) for value in numbers[:-1]]
        if BACKEND != "numpy":  # where an array is a tensor of the backend
            made += [("get", value, value.shape) for value in arrays]
        for name, value, shape in made:
            ours, theirs = (
                getattr(side.initializers, name)(value)(shape, dtype) for side in (replay, keras)
            )
            wanted = CASES["encode"](keras.ops.convert_to_numpy(theirs))
            assert CASES["encode"](ours) == wanted, (name, value, dtype)


def check_configs_are_keras(count):
    """get_config and serialize are equal, and each side reads what the other writes."""
    generator = {"class_name": "SeedGenerator", "config": {"seed": 3, "name": "a"},
                 "module": "keras.random", "registered_name": None}  # fmt: skip
    for name, options in (
        ("GlorotUniform", {"seed": 1}), ("HeNormal", {"seed": generator, "input_axes": [0]}),
        ("VarianceScaling", {"scale": 2.0, "distribution": "Normal", "seed": 7}),
        ("RandomUniform", {"minval": -1, "seed": 7}), ("TruncatedNormal", {"stddev": 2.0}),
        ("Orthogonal", {"gain": 2.0, "seed": 5}), ("Zeros", {}), ("Constant", {"value": 3}),
        ("Constant", {"value": np.array([[1.0, 2.0], [3.0, 4.0]])}), ("Identity", {"gain": 2.0}),
    ):  # fmt: skip
        ours = getattr(replay.initializers, name)(**options)
        theirs = getattr(keras.initializers, name)(**options)
        written = replay.initializers.serialize(ours)
        assert written == keras.initializers.serialize(theirs), name
        back, forth = (
            side.initializers.deserialize(json.loads(json.dumps(written)))
            for side in (replay, keras)
        )
        if options.get("seed") is not None and name != "Orthogonal":
            assert (back((2, 2)) == keras.ops.convert_to_numpy(forth((2, 2)))).all(), name


def check_a_model_of_unseeded_layers(count):
    """After set_random_seed(s) the layers' weights are those of unseeded initializers in turn."""
    layers, k = keras.layers, replay.initializers
    keras.utils.set_random_seed(813)
    model = keras.Sequential([
        layers.Embedding(11, 6), layers.Conv1D(5, 3), layers.Dropout(0.5),
        layers.LSTM(4, return_sequences=True), layers.SeparableConv1D(7, 2), layers.Flatten(),
        layers.Dense(3, activation="relu"), layers.Dense(2, kernel_initializer="he_normal"),
    ])  # fmt: skip
    model.build((None, 9))
    weights = [keras.ops.convert_to_numpy(weight) for weight in model.weights]
    replay.utils.set_random_seed(813)
    inits = [k.RandomUniform(), k.GlorotUniform()]
    replay.random.SeedGenerator()  # Dropout's
    inits += [k.GlorotUniform(), k.Orthogonal()]
    replay.random.SeedGenerator()  # LSTM's
    inits += [k.GlorotUniform(), k.GlorotUniform(), k.GlorotUniform(), k.HeNormal()]
    random = [weight for weight in weights if weight.ndim > 1]
    assert len(random) == len(inits)
    for weight, init in zip(random, inits, strict=True):
        near = 1e-5 if isinstance(init, k.Orthogonal) else 0.0
        assert abs(weight - init(weight.shape)).max() <= near, (weight.shape, init)
    replay.utils.set_random_seed(None)


def check_large_tensors_agree(count):
    """A million values and three, which frameworks compute on several threads."""
    for name in ("uniform", "normal", "truncated_normal"):
        ours, theirs = (getattr(side.random, name) for side in (replay, keras))
        for dtype in ("float32", "float64" if X64 else "bfloat16"):
            want = keras.ops.convert_to_numpy(theirs((1_000_003,), dtype=dtype, seed=9))
            assert ours((1_000_003,), dtype=dtype, seed=9).tobytes() == want.tobytes()


def main():
    """Run every check."""
    replay_jax.config.update("jax_enable_x64", X64)
    if BACKEND == "jax":
        import jax

        cpu = runpy.run_path(str(ROOT / "tests" / "oracle" / "jax_cpu.py"))
        replay_jax.config.update("float16_fma", cpu["float16_fma"](jax))
    count = int(sys.argv[1])
    for name, check in list(globals().items()):
        if name.startswith("check_"):
            replay.config.set_backend(BACKEND)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the frameworks' own
                check(count)
            print(name, flush=True)


if __name__ == "__main__":
    main()
