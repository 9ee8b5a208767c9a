# SPDX-License-Identifier: Apache-2.0
"""glorot.replay.tensorflow against TensorFlow itself, the same bytes from both."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import glorot
from benchmarks._harness import Contender, WrongBytesError, alternate, targets
from benchmarks._peers import NEW, installed
from glorot.replay.tensorflow import random as replay

LAWS = {"uniform": "uniform", "normal": "normal", "truncated": "truncated_normal"}
DTYPES = ("float32", "bfloat16", "float16", "float64")
SEED = (1, 2)
NUMBERS = (0.25, 1.5)  # a low and a high end, or a mean and a standard deviation


def _equal_to(expected: bytes) -> Callable[[Any], None]:
    def check(made: Any) -> None:
        array = made.numpy() if hasattr(made, "numpy") else made
        if array.tobytes() != expected:
            raise WrongBytesError(f"{array.dtype} of shape {array.shape}: not TensorFlow's bytes.")

    return check


def measure(quick: bool) -> Iterator[dict[str, Any]]:
    """Records of every law and dtype, of one size; nothing where TensorFlow is not installed."""
    if not installed("tensorflow"):
        return
    import tensorflow as tf

    shape = (256, 256) if quick else (2048, 2048)
    for dtype in DTYPES:
        for law, name in LAWS.items():
            ours, theirs = (
                functools.partial(
                    getattr(module, f"stateless_{name}"), shape, SEED, *NUMBERS, dtype
                )
                for module in (replay, tf.random)
            )
            expected = theirs().numpy()
            check = _equal_to(expected.tobytes())
            contenders = [
                *(
                    Contender(f"glorot {target}", ours, "glorot", target=target, check=check)
                    for target in targets() or ["reference"]
                ),
                Contender("tensorflow", theirs, "peer", check=check),
            ]
            if law == "uniform":  # what the same kernel takes for glorot's own stream
                own = functools.partial(glorot.GlorotUniform(seed=1), shape, dtype, name="w")
                contenders.append(Contender("glorot's own uniform", own, "ceiling"))
            for contender in contenders:
                contender.note = NEW
            yield from alternate(
                contenders,
                nbytes=expected.nbytes,
                rounds=3 if quick else 15,
                seconds=0.1 if quick else 1.5,
                law=law,
                dtype=dtype,
                shape=shape,
            )
