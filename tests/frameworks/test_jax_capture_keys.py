# SPDX-License-Identifier: Apache-2.0
"""glorot.jax.capture: a key that is used twice within one array gives draws that are no draws of
their own, however the code came by it."""

import jax
import jax.numpy as jnp
import pytest

import glorot
import glorot.jax

pytestmark = pytest.mark.frameworks

KEY = jax.random.key(0)
LECUN = jax.nn.initializers.lecun_normal()


def normal(key):
    """What one layer draws."""
    return jax.random.normal(key, (8,))


def folded(number):
    """A key for each number."""
    return jax.random.fold_in(KEY, number)


def scanned(body, carry, xs=None, length=None):
    """What a loop stacks."""
    return jax.lax.scan(body, carry, xs, length=length)[1]


TWICE = {
    "one array": lambda: jnp.concatenate([LECUN(KEY, (64, 64))] * 3, 1),
    "calls": lambda: jnp.concatenate([LECUN(KEY, (64, 64)) for _ in range(3)], 1),
    "stack": lambda: jnp.stack([normal(KEY), normal(KEY)]),
    "negative": lambda: jnp.concatenate([normal(KEY), -normal(KEY)]),
    "parts": lambda: jnp.concatenate([normal(KEY), 0.1 * normal(KEY)]),
    "raw": lambda: jnp.stack([normal(jax.random.PRNGKey(0)), normal(jax.random.PRNGKey(0))]),
    "vmap": lambda: jax.vmap(normal)(jnp.broadcast_to(KEY, (4,))),
    "vmap of a stack": lambda: jax.vmap(normal)(jnp.stack([KEY] * 4)),
    "vmap of folds": lambda: jax.vmap(lambda i: normal(folded(i // 2)))(jnp.arange(4)),
    "scan": lambda: scanned(lambda c, k: (c, normal(k)), 0, jnp.stack([KEY] * 4)),
    "scan of folds": lambda: scanned(lambda c, i: (c, normal(folded(i * 0))), 0, jnp.arange(4)),
    "scan of a carry": lambda: scanned(lambda c, _: (-c, c), normal(KEY), length=4),
    "scan backwards": lambda: jax.lax.scan(
        lambda c, i: (c + 1, normal(folded(c + i))), 0, jnp.arange(4), reverse=True
    )[1],
    "nested": lambda: scanned(
        lambda c, k: (c, scanned(lambda d, q: (d, normal(q)), 0, jnp.stack([k, k]))),
        0,
        jax.random.split(KEY, 4),
    ),
}
ONCE = {
    "calls": lambda: jnp.stack([normal(folded(i)) for i in range(3)]),
    "raw": lambda: jnp.stack([normal(jax.random.PRNGKey(i)) for i in range(2)]),
    "vmap": lambda: jax.vmap(normal)(jax.random.split(KEY, 4)),
    "scan": lambda: scanned(lambda c, k: (c, normal(k)), 0, jax.random.split(KEY, 4)),
    "scan backwards": lambda: jax.lax.scan(
        lambda c, i: (c + 1, normal(folded(c - i))), 0, jnp.arange(4), reverse=True
    )[1],
    "scan of a carry": lambda: scanned(
        lambda c, _: (jax.random.split(c)[0], normal(jax.random.split(c)[1])), KEY, length=4
    ),
    "scan of draws": lambda: scanned(lambda c, x: (c, 2 * x), 0, jax.random.normal(KEY, (4, 8))),
    "nested": lambda: scanned(
        lambda c, k: (c, scanned(lambda d, q: (d, normal(q)), 0, jax.random.split(k, 2))),
        0,
        jax.random.split(KEY, 4),
    ),
}


@pytest.mark.parametrize("way", TWICE)
def test_a_key_that_is_used_twice(way):
    """An error: the model's own values are equal where a recipe's would not be."""
    with pytest.raises(ValueError, match="draws that are repeated"):
        glorot.jax.capture(lambda: {"w": TWICE[way]()})


@pytest.mark.parametrize("way", ONCE)
def test_keys_that_differ(way):
    """What code does with its keys is followed, in loops too: where none is used twice, it is a
    law."""
    (rule,) = glorot.jax.capture(lambda: {"w": ONCE[way]()}).rules
    stddev = 2.0 if way == "scan of draws" else 1.0
    assert rule.initializer == glorot.RandomNormal(stddev=stddev)


def test_two_arrays_of_one_key():
    """Each by itself is a law."""
    recipe = glorot.jax.capture(lambda: {"a": normal(KEY), "b": normal(KEY)})
    assert [rule.initializer for rule in recipe.rules] == [glorot.RandomNormal(stddev=1.0)]
