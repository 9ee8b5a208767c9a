# SPDX-License-Identifier: Apache-2.0
"""What the tests of `glorot.jax.init` share."""

import numpy as np

import glorot

SEED = 42
KERNEL = glorot.HeNormal()
RECIPE = glorot.Recipe(
    [
        glorot.Rule("*.bias", "zeros"),
        glorot.Rule("*.scale", "ones"),
        glorot.Rule("*.embedding", glorot.RandomNormal(stddev=0.02)),
        glorot.Rule("*", KERNEL),
    ]
)


def bits(array):
    """Its bytes."""
    return np.asarray(array).tobytes()


def is_value(array, init, name):
    """Whether it holds what NumPy has under this name."""
    expected = init(array.shape, array.dtype, seed=SEED, name=name)
    return array.dtype == expected.dtype and bits(array) == expected.tobytes()
