# SPDX-License-Identifier: Apache-2.0
"""JAX on the CPU keeps the contract, through the native kernel, traced, and in a filled tree."""

import contextlib

import contract
import jax
import numpy as np
import pytest

import glorot
import glorot.jax

pytestmark = pytest.mark.frameworks


def wide(dtype):
    """Where float64 is asked for, JAX's 64-bit types are on."""
    return jax.enable_x64(True) if dtype == "float64" else contextlib.nullcontext()


def with_options(**options):
    """A form of the contract: `glorot.jax.values` called so."""

    def make(initializer, shape, dtype, *, seed, name):
        with wide(dtype):
            made = glorot.jax.values(
                initializer, shape, dtype=dtype, seed=seed, name=name, **options
            )
            return np.asarray(made)

    return make


def in_a_tree(initializer, shape, dtype, *, seed, name):
    """A form of the contract: `glorot.jax.init` of a nested dict."""
    with wide(dtype):
        tree = leaf = {}
        *outer, last = name.split(".")
        for key in outer:
            leaf[key] = leaf = {}
        leaf[last] = jax.ShapeDtypeStruct(shape, dtype)
        made = glorot.jax.init(tree, initializer, seed=seed)
        return np.asarray(jax.tree.leaves(made)[0])


def under_jit(initializer, shape, dtype, *, seed, name):
    """A form of the contract: inside of a jitted function of the user's, seed and name traced."""

    def make(words, tag):
        return glorot.jax.values(initializer, shape, dtype=dtype, seed=words, name=tag)

    with wide(dtype):
        words, tag = glorot.jax.seed_words(seed), glorot.jax.name_words(name)
        return np.asarray(jax.jit(make)(words, tag))


class JaxAdapter(contract.Adapter):
    """Eager calls, which JAX compiles once for each law and shape."""

    name = "jax cpu"

    def whole(self, initializer, shape, dtype, *, seed, name):
        """By the native kernel."""
        return with_options()(initializer, shape, dtype, seed=seed, name=name)

    def part(self, initializer, shape, dtype, shard, *, seed, name):
        """By the native kernel."""
        return with_options(shard=shard)(initializer, shape, dtype, seed=seed, name=name)

    def forms(self):
        """The traced law, a jitted function of the user's, and a tree."""
        traced = with_options(native=False)
        return {"traced": traced, "under jit": under_jit, "in a tree": in_a_tree}


class TestJax(contract.Contract):
    """`contract.Contract` on JAX."""

    adapter = JaxAdapter()


def test_the_native_kernel_is_what_ran():
    """One CPU device and a compiled kernel: the program calls it and computes nothing itself."""
    made = jax.jit(lambda: glorot.jax.values(glorot.HeNormal(seed=1), (64, 64)))
    traced = jax.jit(lambda: glorot.jax.values(glorot.HeNormal(seed=1), (64, 64), native=False))

    assert "glorot_values" in made.lower().compile().as_text()
    assert "glorot_values" not in traced.lower().compile().as_text()
    assert len(jax.devices("cpu")) == 1
