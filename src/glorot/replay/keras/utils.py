# SPDX-License-Identifier: Apache-2.0
"""`keras.utils.set_random_seed`: where unseeded initializers and layers get their seeds."""

from glorot._check import show
from glorot.replay.keras import _seed


def set_random_seed(seed: int | None) -> None:
    """Give what has no seed its seeds in turn, from now on.

    In Keras each unseeded initializer takes the next `randint(1, 10**9)` of Python's generator when
    it is made, and so does each `SeedGenerator()`, the global one when `keras.random` first needs
    it.  A layer makes its initializers when it is made: Dense, Conv and Embedding one for their
    weight (zeros and ones take none), LSTM and GRU two and then a SeedGenerator, Dropout a
    SeedGenerator alone.  So the kernels of a Sequential of Dense layers are those of as many
    unseeded GlorotUniform, made in the order of the layers; whatever else draws from Python's
    `random` in between must be made up for.

    Args:
        seed: an int in [0, 2**32); None ends it, so that what is unseeded is refused again.

    Raises:
        ValueError: `seed` is something else.

    Differs from Keras, whose function also seeds Python's, NumPy's and the framework's generators.
    Source: keras 3.15.1, src/utils/rng_utils.py and src/random/seed_generator.py.  Exact.

    Example:
        >>> from glorot.replay import keras
        >>> set_random_seed(5)
        >>> keras.initializers.GlorotUniform().seed, keras.initializers.RandomNormal().seed
        (668835602, 274281999)
        >>> set_random_seed(None)
    """
    if seed is not None:
        if not isinstance(seed, int):
            raise ValueError(
                f"Expected `seed` argument to be an integer. Received: seed={show(seed)} (of type "
                f"{type(seed)})."
            )
        if not 0 <= seed < 2**32:
            raise ValueError(
                f"`seed` must be between 0 and 2**32 - 1, got {show(seed)}: NumPy takes no other."
            )
    _seed.set_random_seed(seed)
