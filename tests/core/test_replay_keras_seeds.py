# SPDX-License-Identifier: Apache-2.0
"""glorot.replay.keras: integers, generators, states, and the global seed."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from replay_cases import KERAS_BACKENDS

import glorot.replay.jax
from glorot.replay import keras

k, r = keras.initializers, keras.random
pytestmark = pytest.mark.usefixtures("no_keras_settings")


def test_tensorflows_seeds_are_taken_modulo():
    """2**31 - 2 is 0, and -1 is 2**31 - 3."""
    draws = [
        r.uniform((4,), seed=seed, backend="tensorflow") for seed in (0, 2**31 - 2, -1, 2**31 - 3)
    ]
    assert (draws[0] == draws[1]).all()
    assert (draws[2] == draws[3]).all()
    assert (draws[0] != draws[2]).any()


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(KERAS_BACKENDS), st.integers(0, 2**31 - 1), st.integers(1, 4))
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


@pytest.mark.parametrize("x64", [False, True])
def test_seeds_on_jax_under_bfloat16(x64):
    """Keras' global generator counts in floats there: what keras 3.15.1 on jax 0.10.2 draws."""
    drawn = {
        False: [[0.6572014, 0.6924168], [0.24047422, 0.0039011], [0.5619371, 0.9465073]],
        True: [[0.6572014, 0.6924168], [0.4983337, 0.1848270], [0.9733684, 0.7244168]],
    }[x64]
    keras.config.set_backend("jax")
    keras.config.set_floatx("bfloat16")
    with glorot.replay.jax.enable_x64(x64):
        keras.utils.set_random_seed(0)
        found = [r.uniform((2,), dtype="float32") for _ in range(3)]
    np.testing.assert_allclose(found, drawn, atol=1e-7)
