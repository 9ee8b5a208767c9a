# SPDX-License-Identifier: Apache-2.0
"""Where Keras 2's unseeded initializers get their seeds: `tf.keras.utils.set_random_seed`."""

import operator
import random
import threading

_local = threading.local()


def set_random_seed(seed: int | None) -> None:
    """Give unseeded initializers their seeds in turn, from now on and in this thread.

    In Keras 2, each takes the next `randint(1, 10**9)` of a `random.Random(seed)` when it is first
    called, and keeps it.  Dropout and other random layers take theirs from the same sequence: build
    the weights in the order, and with as many draws between, as the model did.

    Args:
        seed: an integer; None ends it, so that unseeded initializers are refused again.

    Raises:
        TypeError: `seed` is no integer.

    Differs from Keras, whose function also seeds Python's, NumPy's and TensorFlow's generators.
    Source: tf_keras 2.21.0, src/utils/tf_utils.py and src/backend.py.  Exact.

    Example:
        >>> from glorot.replay.tensorflow import keras
        >>> set_random_seed(42)
        >>> keras.initializers.GlorotUniform()((2,))
        array([0.8773805, 0.3983569], dtype=float32)
        >>> set_random_seed(None)
    """
    _local.generator = None if seed is None else random.Random(operator.index(seed))


def next_seed() -> int | None:
    """The seed that the next unseeded initializer takes; None where nothing was set."""
    generator: random.Random | None = getattr(_local, "generator", None)
    return None if generator is None else generator.randint(1, 10**9)
