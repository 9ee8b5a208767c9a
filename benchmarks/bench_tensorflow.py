# SPDX-License-Identifier: Apache-2.0
"""glorot.tensorflow: what a tensor costs the host, and a module against TensorFlow's own."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import glorot
from benchmarks._harness import Contender, WrongBytesError, alternate
from benchmarks._peers import installed
from glorot import _kernel

TENSORS = 1000
SMALL, SIDE = 16, 512
INIT = glorot.GlorotUniform()


def _check(values: Callable[[], dict[str, Any]]) -> Callable[[Any], None]:
    """Some of the weights are the initializer's of their names, by the reference."""

    def check(_: Any) -> None:
        found = values()
        names = list(found)
        for name in (names[0], names[len(names) // 2], names[-1]):
            with _kernel.forced("reference"):
                wanted = INIT(found[name].shape, seed=42, name=name)
            if found[name].numpy().tobytes() != wanted.tobytes():
                raise WrongBytesError(f"the variable {name} is not the reference's")

    return check


def _variables(side: int) -> dict[str, Any]:
    import tensorflow as tf

    return {f"layer_{i}/kernel": tf.Variable(tf.zeros((side, side))) for i in range(TENSORS)}


def _module_of(variables: dict[str, Any]) -> Any:
    """A `tf.Module` of as many that hold one each."""
    import tensorflow as tf

    module = tf.Module()
    module.layers = []
    for variable in variables.values():
        module.layers.append(tf.Module())
        module.layers[-1].kernel = variable
    return module


def _made(creator: Any, value: Any) -> Any:
    """A variable that is made under a creator (None: by TensorFlow's own initializer)."""
    import tensorflow as tf

    if creator is None:
        return tf.Variable(value, name="w")
    with tf.variable_creator_scope(creator()):
        return tf.Variable(value, name="w")


def _costs(rounds: int, seconds: float) -> Iterator[dict[str, Any]]:
    import tensorflow as tf

    import glorot.tensorflow

    shape = (SMALL, SMALL)
    ours = glorot.tensorflow.initializer(INIT, seed=42, name="w")
    theirs = tf.initializers.GlorotUniform(seed=42)
    zeros = tf.zeros(shape)
    variables = _variables(SMALL)
    module = _module_of(_variables(SMALL))
    array = np.zeros(shape, np.float32)

    def assigned() -> None:
        for variable in variables.values():
            variable.assign(array)

    contenders = [
        Contender("initializer called", lambda: ours(shape), "glorot"),
        Contender("tf.constant of an array", lambda: tf.constant(array), "bare"),
        Contender(
            "variable under a creator",
            lambda: _made(lambda: glorot.tensorflow.variable_creator(INIT, seed=42), zeros),
            "glorot",
            note="making the variable is in it",
        ),
        Contender(
            f"init, {TENSORS} tensors",
            lambda: glorot.tensorflow.init(variables, INIT, seed=42),
            "glorot",
            check=_check(lambda: variables),
            tensors=TENSORS,
        ),
        Contender(
            f"init of a tf.Module, {TENSORS} tensors",
            lambda: glorot.tensorflow.init(module, INIT, seed=42),
            "glorot",
            check=_check(
                lambda: {f"layers.{i}.kernel": m.kernel for i, m in enumerate(module.layers)}
            ),
            tensors=TENSORS,
        ),
        Contender("Variable.assign of an array", assigned, "bare", tensors=TENSORS),
        Contender("TensorFlow's initializer called", lambda: theirs(shape), "peer"),
        Contender(
            "TensorFlow's variable", lambda: _made(None, theirs(shape)), "peer", note="as above"
        ),
    ]
    case = {"law": "uniform", "dtype": "float32", "shape": shape, "part": "cost"}
    yield from alternate(
        contenders, nbytes=4 * SMALL * SMALL, rounds=rounds, seconds=seconds, **case
    )


def _module(side: int, rounds: int, seconds: float) -> Iterator[dict[str, Any]]:
    import tensorflow as tf

    import glorot.tensorflow

    variables = _variables(side)
    theirs = tf.initializers.GlorotUniform(seed=42)

    def by_tensorflow() -> None:
        for variable in variables.values():
            variable.assign(theirs((side, side)))

    contenders = [
        Contender(
            "glorot.tensorflow.init",
            lambda: glorot.tensorflow.init(variables, INIT, seed=42),
            "glorot",
            check=_check(lambda: variables),
        ),
        Contender("TensorFlow's initializer", by_tensorflow, "peer"),
    ]
    shape = (TENSORS, side, side)
    case = {"law": "uniform", "dtype": "float32", "shape": shape, "part": "module"}
    yield from alternate(
        contenders, nbytes=4 * TENSORS * side * side, rounds=rounds, seconds=seconds, **case
    )


def measure(quick: bool) -> Iterator[dict[str, Any]]:
    """Records of one tensor and of a module; none without TensorFlow."""
    if not installed("tensorflow"):
        return
    yield from _costs(5 if quick else 50, 2.0)
    yield from _module(32 if quick else SIDE, 2 if quick else 9, 0.2 if quick else 6.0)
