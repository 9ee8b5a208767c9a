# SPDX-License-Identifier: Apache-2.0
"""`glorot.jax.initializer`: a drop-in for jax.nn.initializers, and what a key means."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import glorot
import glorot.jax
from glorot import _stream
from glorot.jax._keys import stream_of_key

pytestmark = pytest.mark.frameworks

IMPLS = ("threefry2x32", "threefry4x32", "philox2x32", "philox4x32", "rbg", "unsafe_rbg")
SHAPE = (5, 7)


def number(halves):
    """The 64-bit number of (low, high)."""
    return int(halves[0]) | int(halves[1]) << 32


def written_out(words):
    """docs/jax.md's derivation, in Python integers."""
    padded = [*words, *[0] * (-len(words) % 4)]
    first = padded[:4]
    for i, begin in enumerate(range(4, len(padded), 4), start=1):
        mixed = [s ^ g for s, g in zip(first, padded[begin : begin + 4], strict=True)]
        counter = tuple(np.array([w], np.uint32) for w in mixed)
        key = (np.array([i], np.uint32), np.array([0], np.uint32))
        first = [int(w[0]) for w in _stream.philox4x32(np, counter, key)]
    seed = first[0] if len(words) == 1 else first[0] << 32 | first[1]
    return seed, _stream.tag("") ^ (first[2] << 32 | first[3])


@pytest.mark.parametrize("count", range(1, 13))
def test_the_derivation_is_what_the_page_says(count):
    """For keys of any number of words."""
    words = np.random.default_rng(count).integers(0, 2**32, count, np.uint32)

    seed, tag = stream_of_key(words)

    assert (number(seed), number(tag)) == written_out([int(w) for w in words])


# Frozen: a change of any line would change users' weights.
KNOWN = {
    "threefry2x32": ((0, 42), 42, 0x3A9E8E3521B44C78),
    "threefry4x32": ((0, 42, 0, 0), 42, 0x3A9E8E3521B44C78),
    "philox2x32": ((42,), 42, 0x3A9E8E3521B44C78),
    "rbg": ((0, 42, 0, 42), 42, 0x3A9E8E3521B44C52),
}


@pytest.mark.parametrize("words_seed_tag", KNOWN.values())
def test_known_keys(words_seed_tag):
    """Known answers, from the words of a key alone."""
    words, seed, tag = words_seed_tag

    found = stream_of_key(np.array(words, np.uint32))

    assert tuple(map(number, found)) == (seed, tag)


@pytest.mark.parametrize("impl", IMPLS)
def test_every_kind_of_key(impl):
    """Typed or raw, eager or traced, one key gives one weight; split keys give others."""
    init = glorot.jax.initializer("glorot_uniform")
    key = jax.random.key(42, impl=impl)
    data = jax.random.key_data(key)
    seed, tag = written_out([int(w) for w in data])
    pair = {"seed": glorot.jax.seed_words(seed), "name": np.array([tag & 0xFFFFFFFF, tag >> 32])}
    pair["name"] = pair["name"].astype(np.uint32)

    made = init(key, SHAPE)
    others = [init(k, SHAPE) for k in jax.random.split(key, 3)]

    assert made.tolist() == glorot.jax.values("glorot_uniform", SHAPE, **pair).tolist()
    assert init(data, SHAPE).tolist() == made.tolist()
    assert jax.jit(init, static_argnums=1)(key, SHAPE).tolist() == made.tolist()
    assert jax.jit(init, static_argnums=1)(data, SHAPE).tolist() == made.tolist()
    assert len({np.asarray(w).tobytes() for w in [made, *others]}) == 4


def test_a_number_s_key_is_that_seed():
    """jax.random.key(n) is seed n and the name ""."""
    for seed in (0, 1, 42, 2**31 - 1):
        made = glorot.jax.initializer(glorot.HeNormal())(jax.random.key(seed), SHAPE)

        assert np.asarray(made).tobytes() == glorot.HeNormal()(SHAPE, seed=seed).tobytes()


def test_the_halves_of_an_rbg_key_both_count():
    """rbg keys from numbers hold one half twice: to fold the halves together would lose the key."""
    keys = [jax.random.key(seed, impl="rbg") for seed in range(4)]
    keys += list(jax.random.split(keys[0], 4))

    streams = {tuple(map(number, stream_of_key(key))) for key in keys}

    assert len(streams) == 8


def test_positional_like_jax_and_vmapped_over_keys():
    """(key, shape, dtype, out_sharding); flax passes three by position."""
    init = glorot.jax.initializer(glorot.LecunNormal(dtype="float16"))
    keys = jax.random.split(jax.random.key(1), 3)

    stacked = jax.vmap(lambda key: init(key, SHAPE, jnp.bfloat16))(keys)

    assert stacked.dtype == jnp.bfloat16
    assert init(keys[0], SHAPE).dtype == jnp.float16
    assert init(keys[0], SHAPE, None, None).dtype == jnp.float16
    for row, key in zip(stacked, keys, strict=True):
        assert np.asarray(row).tobytes() == np.asarray(init(key, SHAPE, jnp.bfloat16)).tobytes()


def test_orthogonal_under_jit():
    """What NumPy computes on the host is also a drop-in, traced keys included."""
    init = glorot.jax.initializer(glorot.Orthogonal())

    made = jax.jit(init, static_argnums=(1,))(jax.random.key(7), SHAPE)

    assert np.asarray(made).tobytes() == glorot.Orthogonal()(SHAPE, seed=7).tobytes()


def test_frozen_value():
    """Equal initializers compare and hash equal, so that jit keeps one compilation."""
    one, two = (glorot.jax.initializer("he_normal") for _ in range(2))

    assert one == two
    assert hash(one) == hash(two)
    assert repr(one) == "KeyedInitializer(initializer=HeNormal())"
    assert one != glorot.jax.initializer("he_uniform")


def test_refusals():
    """No key, many keys, a seed that would be ignored."""
    init = glorot.jax.initializer("glorot_uniform")
    with pytest.raises(TypeError, match=r"`key` must be a JAX key.*got 42 of int"):
        init(42, SHAPE)
    with pytest.raises(TypeError, match=r"`key` must be a JAX key"):
        init(jnp.zeros(2, jnp.int32), SHAPE)
    with pytest.raises(ValueError, match=r"one key, got an array of shape \(3,\).*jax\.vmap"):
        init(jax.random.split(jax.random.key(0), 3), SHAPE)
    with pytest.raises(ValueError, match=r"one key, got an array of shape \(3, 2\)"):
        init(jax.random.split(jax.random.PRNGKey(0), 3), SHAPE)
    with pytest.raises(ValueError, match=r"`identifier` must have no seed.*glorot\.jax\.values"):
        glorot.jax.initializer(glorot.GlorotUniform(seed=1))
    with pytest.raises(TypeError, match="`identifier` must be one of glorot's"):
        glorot.jax.initializer(jax.nn.initializers.zeros)
    with pytest.raises(TypeError, match="`shape` must be a sequence"):
        init(jax.random.key(0), 5)


def test_the_peer_is_biased_in_bfloat16_and_ours_is_not():
    """jax.nn.initializers.glorot_uniform draws 7 bits for bfloat16: 128 values, their mean off by
    more than 1 % of a stddev. Ours is the float32 value rounded once."""
    shape = (2000, 2000)
    peer = jax.nn.initializers.glorot_uniform()(jax.random.key(0), shape, jnp.bfloat16)
    ours = glorot.jax.initializer("glorot_uniform")(jax.random.key(0), shape, jnp.bfloat16)

    def bias(weight):
        wide = np.asarray(weight).astype(np.float64)
        return wide.mean() / wide.std()

    standard_error = 1 / np.sqrt(shape[0] * shape[1])
    assert len(np.unique(np.asarray(peer).view(np.uint16))) == 128
    assert bias(peer) < -20 * standard_error
    assert len(np.unique(np.asarray(ours).view(np.uint16))) > 1000
    assert abs(bias(ours)) < 5 * standard_error
