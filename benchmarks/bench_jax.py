# SPDX-License-Identifier: Apache-2.0
"""glorot.jax beside jax.nn.initializers on the CPU, and what a tensor costs the host."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks._harness import Contender, WrongBytesError, alternate, checker
from benchmarks._peers import NAME, NEW, initializer, installed, jax_peer, touched

LAWS = ("uniform", "normal", "truncated")
# 16 MiB, which the system's allocator gives again, and 64 MiB, of which every call gets new pages.
SIDES = (2048, 4096)
TENSORS = 1000
SMALL = (16, 16)  # so small that the host's cost is what is measured


def _laws(shape: tuple[int, int], rounds: int, seconds: float) -> Iterator[dict[str, Any]]:
    import glorot.jax

    for law in LAWS:
        init = initializer(law)
        check = checker(init, shape, NAME)
        out = touched((1, 1), "float32")
        contenders = [
            Contender(
                f"glorot {who}",
                lambda init=init, native=native: glorot.jax.values(
                    init, shape, name=NAME, native=native
                ).block_until_ready(),
                "glorot",
                check=lambda made, check=check: check(np.asarray(made)),
                note=NEW,
            )
            for who, native in (("traced", False), ("native", None))
        ]
        contenders += jax_peer(law, shape, out)
        case = {"law": law, "dtype": "float32", "shape": shape}
        nbytes = 4 * shape[0] * shape[1]
        yield from alternate(contenders, nbytes=nbytes, rounds=rounds, seconds=seconds, **case)


def _tree(rounds: int, seconds: float) -> Iterator[dict[str, Any]]:
    import jax

    import glorot.jax

    shape = jax.ShapeDtypeStruct(SMALL, "float32")
    tree = {f"layer_{i}": {"kernel": shape} for i in range(TENSORS)}
    init = glorot.GlorotUniform()
    names = [f"layer_{i}.kernel" for i in range(TENSORS)]
    outs = [touched(SMALL, "float32") for _ in names]

    def check(made: Any) -> None:
        for name in names:
            array = made[name.removesuffix(".kernel")]["kernel"]
            if np.asarray(array).tobytes() != init(SMALL, seed=42, name=name).tobytes():
                raise WrongBytesError(f"{name} of the tree is not NumPy's")

    def in_numpy() -> None:
        for name, out in zip(names, outs, strict=True):
            init(SMALL, seed=42, name=name, out=out)

    values = glorot.jax.values
    contenders = [
        Contender(
            "glorot.jax.init",
            lambda: glorot.jax.init(tree, init, seed=42),
            "glorot",
            check=check,
            tensors=TENSORS,
        ),
        Contender(
            "glorot in NumPy",
            in_numpy,
            "glorot",
            note="in place, names and seeds given",
            tensors=TENSORS,
        ),
        Contender(
            "glorot.jax.values",
            lambda: [values(init, SMALL, seed=42, name=name) for name in names][-1],
            "glorot",
            note="one call each, compiled before",
            tensors=TENSORS,
        ),
        Contender(
            "device_put of the arrays", lambda: jax.device_put(outs), "bare", tensors=TENSORS
        ),
    ]
    case = {"law": "tree", "dtype": "float32", "shape": (TENSORS, *SMALL)}
    nbytes = 4 * TENSORS * SMALL[0] * SMALL[1]
    yield from alternate(contenders, nbytes=nbytes, rounds=rounds, seconds=seconds, **case)


def measure(quick: bool) -> Iterator[dict[str, Any]]:
    """Records of each law, and of a tree of a thousand small tensors."""
    if not installed("jax"):
        return
    rounds, seconds = (3, 0.3) if quick else (15, 8.0)
    for side in (512,) if quick else SIDES:
        yield from _laws((side, side), rounds, seconds)
    yield from _tree(rounds, seconds)
