# SPDX-License-Identifier: Apache-2.0
"""What the tests of rules share."""

import glorot
from glorot import Recipe
from glorot.recipe import TensorSpec

NORMAL = glorot.RandomNormal(stddev=0.02)


def one(rule, shape=(8, 4), variables=None, name="w", **extra):
    """The assignment of a single parameter by a single rule."""
    shapes = {name: TensorSpec(shape, **extra)}
    return Recipe([rule], variables=variables).resolve(shapes)[0]
