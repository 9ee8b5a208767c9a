# SPDX-License-Identifier: Apache-2.0
"""Recipes of JAX code that calls this library's own initializers."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

import glorot
import glorot.jax
from glorot.jax import capture, initializer
from glorot.jax._programs import WRITERS

pytestmark = pytest.mark.frameworks
SHAPE = (96, 64)


def law_of(make, shape=SHAPE):
    """The initializer of one array that `make(key)` gives."""
    recipe = capture(lambda: {"w": make(jax.random.key(0))})
    (found,) = recipe.resolve({"w": shape})
    return found.initializer


def half_of(init):
    """The first half of a weight of SHAPE."""
    return glorot.jax.values(init, SHAPE, seed=1, name="w", shard=slice(0, 48))


@pytest.mark.parametrize(
    ("init", "shape", "wanted"),
    [
        (glorot.GlorotUniform(), SHAPE, glorot.VarianceScaling(1.0, "fan_avg", "uniform")),
        (glorot.HeNormal(), SHAPE, glorot.VarianceScaling(2.0, "fan_in", "truncated_normal")),
        (glorot.RandomNormal(1.0, 0.5), SHAPE, None),
        (glorot.RandomUniform(-2.0, 3.0), SHAPE, None),
        (glorot.TruncatedNormal(0.25, 0.5, lower=-1.0, upper=3.0), SHAPE, None),
        (glorot.Constant(0.3), SHAPE, None),
        (glorot.Zeros(), SHAPE, None),
        (glorot.Identity(2.0), SHAPE, None),
        (glorot.Dirac(), (3, 8, 8), None),
        (glorot.Orthogonal(1.5), SHAPE, None),
        (glorot.Sparse(0.3), SHAPE, None),
        (glorot.Blocks([glorot.HeUniform(), glorot.Ones()], [40, 24], axis=1), SHAPE, None),
        (glorot.Blocks([glorot.Orthogonal(), glorot.Zeros()], [4, 4], axis=1), SHAPE, None),
    ],
    ids=repr,
)
def test_drop_ins(init, shape, wanted):
    """Each is what it was, inside of `jit` too; laws of fans are said by them."""

    def make(key):
        return initializer(init)(key, shape)

    assert law_of(make, shape) == (wanted or init)
    assert law_of(jax.jit(make), shape) == (wanted or init)


def test_what_code_makes_of_them():
    """Factors, `vmap` and turned axes, as of JAX's own draws."""
    normal, matrix = initializer(glorot.RandomNormal(stddev=0.5)), initializer(glorot.Orthogonal())
    half = glorot.RandomNormal(stddev=0.25)
    assert law_of(lambda key: normal(key, SHAPE) / 2) == half
    assert law_of(lambda key: -0.5 * normal(key, SHAPE[::-1]).T) == half
    keys = lambda key: jax.random.split(key, 96)  # noqa: E731
    assert law_of(lambda key: jax.vmap(lambda k: normal(k, (64,)) / 2)(keys(key))) == half
    assert law_of(lambda key: 1.5 * matrix(key, SHAPE)) == glorot.Orthogonal(1.5)
    own = lambda key: glorot.jax.values(glorot.RandomNormal(stddev=0.25), SHAPE, seed=1)  # noqa: E731
    assert law_of(own) == half
    assert law_of(lambda key: half_of(glorot.RandomNormal(stddev=0.25)), (48, 64)) == half


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda key: initializer(glorot.Orthogonal())(key, (64, 96)).T, "another order of what"),
        (lambda key: initializer(glorot.Sparse(0.3))(key, (96, 65))[:, 1:], "another order of"),
        (lambda key: -1.0 * initializer(glorot.Sparse(0.3))(key, SHAPE), "times -1 of what"),
        (lambda key: 1.0 + initializer(glorot.Orthogonal())(key, SHAPE), "a shift of what"),
        (lambda key: 2.0 * initializer(glorot.Dirac())(key, (1, 96, 64))[0], "another order of"),
        (lambda key: jnp.tile(initializer(glorot.HeNormal())(key, (1, 64)), (96, 1)), "repeated"),
        (lambda key: jnp.square(initializer(glorot.HeNormal())(key, SHAPE)), "Normal"),
        (lambda key: jnp.concatenate([half_of(glorot.Orthogonal()) for _ in "ab"]),
         "a part of what Orthogonal"),
        (lambda key: jax.vmap(lambda k: initializer(glorot.Orthogonal())(k, (4, 64)))(
            jax.random.split(key, 24)).reshape(SHAPE), "or several"),
    ],
)  # fmt: skip
def test_what_is_none_of_them_any_more(make, why):
    """Is an error that says what was seen."""
    with pytest.raises(ValueError, match=why):
        law_of(make)


def test_one_that_nothing_scales():
    """Times a number it is none."""
    with pytest.raises(ValueError, match=r"times 2 of what Dirac\(groups=1\) gives"):
        law_of(lambda key: 2.0 * initializer(glorot.Dirac())(key, (3, 8, 8)), (3, 8, 8))


def test_a_function_of_the_users_own_of_such_a_name():
    """Is read, and not taken for what this library draws."""
    before = set(WRITERS)
    initializer(glorot.RandomNormal(stddev=0.12345))(jax.random.key(0), SHAPE)
    (name,) = WRITERS.keys() - before

    def own(key):
        return jax.random.normal(key, SHAPE)

    own.__name__ = name
    assert law_of(jax.jit(own)) == glorot.RandomNormal(stddev=1.0)


class Net(nn.Module):
    """Layers whose initializers are of both libraries."""

    @nn.compact
    def __call__(self, x):  # noqa: D102
        x = nn.Dense(48, kernel_init=initializer(glorot.TruncatedNormal(stddev=0.02)))(x)
        x = nn.Dense(40, kernel_init=initializer(glorot.Orthogonal(1.5)))(x)
        return nn.Dense(24, bias_init=initializer(glorot.RandomUniform(0.0, 1.0)))(x)


def test_a_model_of_both():
    """What is captured fits what the model draws."""
    model, x = Net(), jnp.ones((2, 32))
    recipe = capture(lambda: (model, x))
    drawn = model.init(jax.random.key(3), x)
    found = {a.name: a.law for a in recipe.resolve(glorot.jax.shapes(drawn))}
    assert found["params.Dense_0.kernel"] == "TN(0, 0.02, ±2)"
    assert found["params.Dense_2.bias"] == "U(0, 1)"
    assert "Orthogonal" in found["params.Dense_1.kernel"]
    assert not glorot.audit(drawn, recipe).problems
    wrong = recipe.to_json().replace("0.02", "0.025")
    assert glorot.audit(drawn, glorot.Recipe.from_json(wrong)).problems
