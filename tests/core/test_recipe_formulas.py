# SPDX-License-Identifier: Apache-2.0
"""Rules with a formula as an option: what else they say is what it would be without one."""

import math

import numpy as np
import pytest

import glorot
from glorot import Recipe, Rule

SHAPES = {"w": {"shape": (96, 32), "layout": "torch.linear"}}
STATED = {
    "a default": ("normal", {"mean": 0.0}, {}),
    "a dtype": ("normal", {"dtype": "float32"}, {}),
    "an object": (glorot.RandomNormal(), {}, {}),
    "numpy's dtype": ("normal", {"dtype": np.float16}, {"dtype": "float16"}),
    "numpy's number": ("normal", {"mean": np.float32(0.5)}, {"mean": 0.5}),
    "no layout": ("normal", {"layout": None}, {}),
    "an open side": ("truncated_normal", {"lower": -math.inf}, {"lower": "-inf"}),
}


def made(initializer, options):
    """A recipe whose stddev is a formula."""
    rule = Rule("*", initializer, stddev="0.1 / n", **options)
    return Recipe([rule], variables={"n": 4})


@pytest.mark.parametrize("case", STATED)
def test_what_is_stated_beside_a_formula(case):
    """A file of the recipe gives an equal one, and a default that is stated changes nothing."""
    initializer, options, plain = STATED[case]
    recipe = made(initializer, options)
    name = initializer if isinstance(initializer, str) else "normal"
    assert recipe == made(name, plain)
    assert recipe.fingerprint == made(name, plain).fingerprint
    for again in (Recipe.from_json(recipe.to_json()), Recipe.from_toml(recipe.to_toml())):
        assert again == recipe
        assert again.fingerprint == recipe.fingerprint


def test_a_layout_of_none_says_nothing_of_the_axes():
    """With a formula as without one: the parameter's own is taken."""
    for scale in (2.0, "n"):
        rule = Rule("*", "variance_scaling", layout=None, scale=scale)
        (found,) = Recipe([rule], variables={"n": 2}).resolve(SHAPES)
        assert found.fans == (32.0, 96.0)


@pytest.mark.parametrize("case", STATED)
def test_a_checkpoint_fits_its_own_manifest(case, tmp_path):
    """Which holds the recipe, and its fingerprint."""
    initializer, options, _ = STATED[case]
    glorot.checkpoint.write(SHAPES, made(initializer, options), seed=0, out_dir=tmp_path / "made")
    assert glorot.checkpoint.verify(tmp_path / "made").equal


@pytest.mark.parametrize(("value", "dtype"), [(2**63 - 1, "int64"), (2**64 - 1, "uint64")])
def test_the_largest_whole_numbers(value, dtype):
    """They are what is promised, and nothing is cast to find it."""
    recipe = Recipe([Rule("*", "constant", value=value, dtype=dtype)])
    assert glorot.audit({"w": np.full(4, value, dtype)}, recipe).ok
    assert not glorot.audit({"w": np.full(4, 7, dtype)}, recipe).ok
