# SPDX-License-Identifier: Apache-2.0
"""glorot.keras on each backend, in a process of its own: what a tensor costs the host, and a model
against Keras' own initializers."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

import glorot
from benchmarks._harness import Contender, WrongBytesError, alternate
from benchmarks._peers import installed
from glorot import _kernel

BACKENDS = ("jax", "tensorflow", "torch")
TENSORS = 1000
SMALL, SIDE = 16, 512
INIT = glorot.GlorotUniform()


def _layers(side: int) -> Any:
    """A layer of a thousand layers with one kernel each."""
    import keras

    holder = keras.Layer()
    holder.inner = [
        keras.layers.Dense(side, use_bias=False, kernel_initializer="zeros", name=f"layer_{i}")
        for i in range(TENSORS)
    ]
    for layer in holder.inner:
        layer.build((None, side))
    holder.built = True
    return holder


def _checker(holder: Any) -> Any:
    """Some of the weights are the initializer's of their names, by the reference."""
    from glorot.keras._tensors import to_numpy

    def check(_: Any) -> None:
        for layer in (holder.inner[0], holder.inner[len(holder.inner) // 2], holder.inner[-1]):
            found = to_numpy(layer.kernel._value)
            name = f"{layer.name}.kernel"
            with _kernel.forced("reference"):
                wanted = INIT(found.shape, seed=42, name=name)
            if found.tobytes() != wanted.tobytes():
                raise WrongBytesError(f"the weight {name} is not the reference's")

    return check


def _costs(rounds: int, seconds: float) -> Iterator[dict[str, Any]]:
    import keras

    import glorot.keras

    shape = (SMALL, SMALL)
    ours = glorot.keras.GlorotUniform(seed=42, name="w")
    theirs = keras.initializers.GlorotUniform(seed=42)
    holder = _layers(SMALL)
    array = np.zeros(shape, np.float32)
    convert = keras.ops.convert_to_tensor

    def assigned() -> None:
        for layer in holder.inner:
            layer.kernel.assign(array)

    contenders = [
        Contender("initializer called", lambda: ours(shape, "float32"), "glorot"),
        Contender("convert_to_tensor of an array", lambda: convert(array), "bare"),
        Contender(
            f"init, {TENSORS} tensors",
            lambda: glorot.keras.init(holder, INIT, seed=42),
            "glorot",
            check=_checker(holder),
            tensors=TENSORS,
        ),
        Contender("Variable.assign of an array", assigned, "bare", tensors=TENSORS),
        Contender("Keras' initializer called", lambda: theirs(shape, "float32"), "peer"),
    ]
    case = {"law": "uniform", "dtype": "float32", "shape": shape, "part": "cost"}
    yield from alternate(
        contenders, nbytes=4 * SMALL * SMALL, rounds=rounds, seconds=seconds, **case
    )


def _model(side: int, rounds: int, seconds: float) -> Iterator[dict[str, Any]]:
    import keras

    import glorot.keras

    holder = _layers(side)
    theirs = keras.initializers.GlorotUniform(seed=42)

    def by_keras() -> None:
        for layer in holder.inner:
            layer.kernel.assign(theirs((side, side), "float32"))

    contenders = [
        Contender(
            "glorot.keras.init",
            lambda: glorot.keras.init(holder, INIT, seed=42),
            "glorot",
            check=_checker(holder),
        ),
        Contender("Keras' initializer", by_keras, "peer"),
    ]
    shape = (TENSORS, side, side)
    case = {"law": "uniform", "dtype": "float32", "shape": shape, "part": "module"}
    yield from alternate(
        contenders, nbytes=4 * TENSORS * side * side, rounds=rounds, seconds=seconds, **case
    )


def _here(quick: bool) -> Iterator[dict[str, Any]]:
    """The records of this process's backend."""
    yield from _costs(5 if quick else 50, 2.0)
    yield from _model(32 if quick else SIDE, 2 if quick else 9, 0.2 if quick else 6.0)


def measure(quick: bool) -> Iterator[dict[str, Any]]:
    """Records of one tensor and of a model on each backend that is installed."""
    if not installed("keras"):
        return
    for backend in BACKENDS:
        if not installed(backend):
            continue
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.bench_keras", "quick" if quick else "whole"],
            env=os.environ | {"KERAS_BACKEND": backend},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        for line in done.stdout.splitlines():
            if line.startswith("{"):  # frameworks may print too
                yield json.loads(line) | {"backend": backend}


if __name__ == "__main__":
    for record in _here(sys.argv[1] == "quick"):
        print(json.dumps(record))
