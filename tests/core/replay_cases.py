# SPDX-License-Identifier: Apache-2.0
"""What the tests of the replay share."""

from glorot.replay.torch import Generator

KERAS_BACKENDS = ("tensorflow", "jax", "torch", "numpy")
SEEKABLE = ("tensorflow", "jax")  # of them, those whose draws have shards


def seeded(seed=42, **options):
    """A generator of torch's at the start of a seed's stream."""
    return Generator(**options).manual_seed(seed)
