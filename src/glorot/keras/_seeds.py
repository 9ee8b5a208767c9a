# SPDX-License-Identifier: Apache-2.0
"""Seeds from Keras' generators: a new one at each call, the same on every backend.

A generator's state is two words; read in order they are (its seed, 0), (its seed, 1), ..., and the
seed here is the first plus 2**32 times the second.  So after `keras.utils.set_random_seed` a model
that is built again gets the same seeds again.
"""

import weakref
from collections.abc import Callable
from typing import Any

import keras

from glorot import _check
from glorot._stream import check_seed
from glorot.keras import _private

_MASK = 0xFFFFFFFF
# Keras' own draws move the global state too, on some backends in circles: what was given is kept.
_GIVEN: "weakref.WeakKeyDictionary[Any, set[int]]" = weakref.WeakKeyDictionary()


def parse_seed(seed: Any) -> Any:
    """Return a seed, a `keras.random.SeedGenerator` (from its config too), or None."""
    if isinstance(seed, dict):
        seed = keras.saving.deserialize_keras_object(seed)
    if seed is None or isinstance(seed, keras.random.SeedGenerator):
        return seed
    try:
        return check_seed(seed)
    except TypeError:
        raise TypeError(
            "`seed` must be an integer, a keras.random.SeedGenerator, or None for Keras' global "
            f"one; got {_check.show(seed)} of {type(seed).__name__}."
        ) from None


def seed_config(seed: Any) -> Any:
    """What JSON can hold and `parse_seed` reads."""
    if isinstance(seed, keras.random.SeedGenerator):
        return keras.saving.serialize_keras_object(seed)
    return seed


def next_words(generator: Any) -> Any:
    """The generator's next two words as a tensor of the backend, traced or not."""
    if generator is None:
        generator = _private.global_seed_generator()
    return generator.next()


def next_seed(generator: Any) -> int:
    """The generator's next seed, none twice."""
    if generator is None:
        generator = _private.global_seed_generator()
    given = _GIVEN.setdefault(generator, set())
    while True:
        words = keras.ops.convert_to_numpy(generator.next())
        low, high = (int(word) & _MASK for word in words)
        seed = low | high << 32
        if seed not in given:
            given.add(seed)
            return seed


def seed_of_op(generator: Any) -> Callable[[], int]:
    """What gives an op in a TensorFlow graph the generator's next seed, another at each run.

    The first is taken now, since ops that initialise variables run in no order.

    Raises:
        ValueError: a graph of TensorFlow 1, outside of which nothing can be asked.
    """
    import tensorflow as tf

    with tf.init_scope():
        if not tf.executing_eagerly():
            raise ValueError(
                "an initializer without a seed of its own takes one from keras.random at each "
                "call, which it cannot inside of a tf.Graph. Give it `seed`, or call it outside."
            )
        found = _private.global_seed_generator() if generator is None else generator
        first = [next_seed(found)]
    return lambda: first.pop() if first else next_seed(found)  # in a thread without a global one
